//! `flag serve`: from settings to a server that runs until it is told to stop.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use anyhow::{Context, bail};
use flag_engine::{Engine, NodeId, NodeIdentity, Status, StoreStatus};
use flag_http::{Access, AdminToken, Connections, Leaving, Limits, Node, Pages, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::compose::{self, Composition};
use crate::config::Settings;
use crate::database::{Database, without_secrets};
use crate::system::raise_file_limit;

/// How long the start waits for the first snapshot before it serves without one.
const FIRST_SNAPSHOT: Duration = Duration::from_millis(700);
/// How often the meters are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long a node that was told to stop goes on taking requests: as long as it may take until whoever distributes them has
/// learned from `/readyz` that it leaves.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs the server. Some of the settings may be from `env_file`.
pub(crate) async fn run(settings: Settings, env_file: Option<&Path>) -> anyhow::Result<()> {
    let access = access(settings.admin_token.as_deref())?;
    let database = settings.database()?;
    raise_file_limit();
    let listener = listen(&settings.host, settings.port, &access)?;
    let address = listener.local_addr().context("the listener has no address")?;
    tell(&settings, env_file, &database, &access);

    let id = NodeId(Uuid::new_v4().as_u128());
    let identity = NodeIdentity { id, name: settings.node_name(address)? };
    let Composition { parts, disk, outage } = compose::compose(&settings, &database, identity).await?;
    let engine = Arc::new(Engine::start(parts));
    let closing = Arc::clone(&engine);
    first_snapshot(&engine).await;
    let telemetry = Telemetry::new().context("the meters cannot be set up")?;
    let node = Data::new(Node {
        engine,
        access,
        telemetry,
        pages: Pages::default(),
        connections: Arc::new(Connections::default()),
        leaving: Leaving::default(),
    });
    let server =
        flag_http::serve(listener, node.clone(), Limits::default()).context("the server cannot start")?;
    // Before it is said where the node listens: whoever reads that may stop it at once.
    let orders = Orders::catch();
    tracing::info!(%address, "listening");
    welcome(address, &node, outage.as_deref());
    let told_twice = stop_when_told(orders, server.handle(), node.leaving.clone());

    let upkeep = tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            node.telemetry.upkeep();
        }
    });
    let serving = async {
        let outcome = server.await;
        let keeping = async {
            if let Some(disk) = disk {
                // If the thread broke off, the log says why.
                let _ = spawn_blocking(move || disk.finish()).await;
            }
        };
        tokio::join!(closing.close(), keeping);
        outcome
    };
    let outcome = tokio::select! {
        outcome = serving => outcome.context("the server failed"),
        () = told_twice => Ok(()),
    };
    upkeep.abort();
    tracing::info!("stopped");
    outcome
}

/// The signals that tell the node to stop.
struct Orders {
    terminate: Signal,
    interrupt: Signal,
}

impl Orders {
    /// From now on they no longer end the process by themselves.
    fn catch() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }
}

/// Takes leave at the first SIGTERM, and then lets the server finish what is under way; a SIGINT comes from somebody at a
/// keyboard, who need not wait for a balancer to turn away. Ends at the second signal: then nothing is waited for.
async fn stop_when_told(orders: io::Result<Orders>, server: ServerHandle, leaving: Leaving) {
    let Ok(Orders { mut terminate, mut interrupt }) = orders else {
        tracing::error!("signals cannot be caught; the server can only be killed");
        return std::future::pending().await;
    };
    let mut told = async || {
        tokio::select! {
            _ = terminate.recv() => FAREWELL,
            _ = interrupt.recv() => Duration::ZERO,
        }
    };
    let farewell = told().await;
    if farewell.is_zero() {
        tracing::info!("stopping: finishing the requests that are under way; a second signal stops at once");
    } else {
        let seconds = farewell.as_secs();
        tracing::info!(
            "stopping: taking requests for {seconds} more seconds, then finishing those that are under way; a second \
             signal stops at once"
        );
    }
    leaving.announce();
    if tokio::time::timeout(farewell, told()).await.is_ok() {
        return;
    }
    tokio::spawn(server.stop(true));
    told().await;
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

fn tell(settings: &Settings, env_file: Option<&Path>, database: &Database, access: &Access) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        %database,
        redis = settings.redis_url.as_deref().map(without_secrets),
        token = if matches!(access, Access::Token(_)) { "set" } else { "none" },
        log = settings.log,
        env_file = env_file.map(|path| path.display().to_string()),
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

fn welcome(address: SocketAddr, node: &Node, outage: Option<&str>) {
    let Node { engine, access, .. } = node;
    let flags = state_of_flags(&engine.status(), outage);
    // A browser cannot bear a token, so the page to try it is named only where none is needed.
    let (bearer, page) = match access {
        Access::Token(_) => ("-H \"authorization: Bearer $FLAG_ADMIN_TOKEN\" ", String::new()),
        Access::Loopback => ("", format!("\n  Try it in a browser: http://{address}/docs\n")),
    };
    println!(
        "\n  flag {} listens on http://{address}\n{flags}\n  \
         curl http://{address}/features {bearer}-H 'content-type: application/json' \
         -d '{{\"key\":\"new_dashboard\",\"enabled\":false}}'\n{page}",
        env!("CARGO_PKG_VERSION"),
    );
}

/// What there is to say of the flags that the node starts with; nothing if all is well.
fn state_of_flags(status: &Status, outage: Option<&str>) -> String {
    let store = match (status.store, outage) {
        (StoreStatus::Corrupt, _) => {
            "The store answers with what cannot be read; the log says why.".to_owned()
        }
        (_, Some(why)) => format!("The store does not answer: {why}."),
        (StoreStatus::Unknown, None) => "The store has not answered yet.".to_owned(),
        (_, None) => "The store does not answer.".to_owned(),
    };
    match (status.version, status.origin) {
        (Some(version), Some(origin)) if status.confirmed.is_none() => {
            format!(
                "\n  {store}\n  Flags are from {origin}, at revision {}, until it does.\n",
                version.revision
            )
        }
        (None, _) => {
            format!("\n  {store}\n  There are no flags yet: requests get 503 until the store answers.\n")
        }
        _ => String::new(),
    }
}
