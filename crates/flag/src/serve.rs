//! `flag serve`: from settings to a server that runs until it is told to stop.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::{Context, bail};
use flag_engine::Engine;
use flag_http::{Access, AdminToken, Limits, Node, Telemetry};

use crate::compose;
use crate::config::Settings;
use crate::database::without_secrets;

/// How long the start waits for the first snapshot before it serves without one.
const FIRST_SNAPSHOT: Duration = Duration::from_millis(700);
/// How often the meters are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs the server.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let access = access(settings.admin_token.as_deref())?;
    let listener = listen(&settings.host, settings.port, &access)?;
    let address = listener.local_addr().context("the listener has no address")?;
    tell(&settings, &access);

    let parts = compose::parts(&settings).await?;
    let engine = Arc::new(Engine::start(parts));
    first_snapshot(&engine).await;
    let telemetry = Telemetry::new().context("the meters cannot be set up")?;
    let node = Data::new(Node { engine, access, telemetry });
    let server =
        flag_http::serve(listener, node.clone(), Limits::default()).context("the server cannot start")?;
    welcome(address);

    let upkeep = tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            node.telemetry.upkeep();
        }
    });
    let outcome = server.await.context("the server failed");
    upkeep.abort();
    tracing::info!("stopped");
    outcome
}

fn access(token: Option<&str>) -> anyhow::Result<Access> {
    Ok(match token.filter(|token| !token.is_empty()) {
        None => Access::Loopback,
        Some(token) => Access::Token(AdminToken::parse(token).context("FLAG_ADMIN_TOKEN")?),
    })
}

/// Listens, but without a token only where nobody else can reach.
fn listen(host: &str, port: u16, access: &Access) -> anyhow::Result<TcpListener> {
    let addresses = (host, port).to_socket_addrs().with_context(|| format!("HOST={host} is no address"))?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    if matches!(access, Access::Loopback) && addresses.iter().any(|address| !address.ip().is_loopback()) {
        bail!(
            "HOST={host} can be reached from other machines, and anybody there could switch features. \
             Set an access token first: export FLAG_ADMIN_TOKEN=$(openssl rand -hex 32)"
        );
    }
    let listener = TcpListener::bind(addresses.as_slice());
    listener.with_context(|| format!("cannot listen on {host}:{port}; choose another port with --port"))
}

fn tell(settings: &Settings, access: &Access) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        database = %settings.database_url,
        redis = settings.redis_url.as_deref().map(without_secrets),
        token = if matches!(access, Access::Token(_)) { "set" } else { "none" },
        log = settings.log,
        "starting",
    );
}

/// Waits a moment for the first snapshot, so that whoever reads the banner can ask at once.
async fn first_snapshot(engine: &Engine) {
    let mut versions = engine.subscribe();
    if tokio::time::timeout(FIRST_SNAPSHOT, versions.wait_for(Option::is_some)).await.is_err() {
        tracing::warn!("no flags have been loaded yet; serving all the same, and trying on");
    }
}

fn welcome(address: SocketAddr) {
    println!(
        "\n  flag {} listens on http://{address}\n\n  \
         curl http://{address}/features -H 'content-type: application/json' \
         -d '{{\"key\":\"new_dashboard\",\"enabled\":false}}'\n\n  \
         Try it in a browser: http://{address}/docs\n",
        env!("CARGO_PKG_VERSION"),
    );
}
