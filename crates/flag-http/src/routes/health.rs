//! How the node is doing: for load balancers, for people, for Prometheus. Health checks need no token.

use std::fmt::Write;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use flag_core::{FlagKey, Quarantine};
use flag_engine::{Digested, Status};
use garde::Validate;

use crate::input::{Members, Optional, Query, Search, Seconds};
use crate::meters;
use crate::middleware::rescue::Deliberate;
use crate::node::Node;
use crate::problem::Code;

/// Says that the process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "readHealth", tag = "health", responses((status = 200, description = "`ok`", body = str)))]
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n")
}

/// What a probe can bear.
#[derive(Validate)]
pub(crate) struct AskReady {
    #[garde(dive)]
    max_stale: Optional<Seconds>,
}

impl Search for AskReady {
    fn take(members: &mut Members<'_>) -> Self {
        Self { max_stale: members.optional("max_stale") }
    }
}

/// Says whether the node can answer, and how each of its parts is doing, a line each. A node that has flags is ready, even
/// while its store is down, until it is about to stop; with `max_stale` it is not when the store last confirmed its flags longer
/// ago than that.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readReadiness", tag = "health",
    params(("max_stale" = Option<u32>, Query, description = "How stale flags may be, in seconds")),
    responses(
        (status = 200, description = "It can", body = str),
        (status = 503, description = "It has no flags yet, they are too stale, or it is about to stop", body = str),
    ),
)]
pub(crate) async fn ready(
    node: web::Data<Node>,
    request: HttpRequest,
    query: Query<AskReady>,
) -> HttpResponse {
    let status = node.engine.status();
    let fault = fault(&node, &status, query.0.max_stale.get().map(Seconds::duration));
    let code = if fault.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut lines = report(&status, fault.as_deref());
    // The route is open to everybody; names of flags are for whoever may come in.
    let may_know = node.access.check(request.uri(), request.headers()).is_ok();
    lines.push_str(&quarantined(&status.quarantine, if may_know { NAMED } else { 0 }));
    let mut response = HttpResponse::build(code).content_type(ContentType::plaintext()).body(lines);
    response.extensions_mut().insert(Deliberate);
    if fault.is_some() {
        response.extensions_mut().insert(Code::NotReady);
    }
    response
}

/// Why the node is not ready, if it is not.
fn fault(node: &Node, status: &Status, max_stale: Option<Duration>) -> Option<String> {
    if node.leaving.is_announced() {
        return Some("this node is about to stop".to_owned());
    }
    if status.version.is_none() {
        return Some("no snapshot has been loaded yet".to_owned());
    }
    let limit = max_stale?;
    let is_stale = status.confirmed.is_none_or(|age| age > limit);
    is_stale.then(|| format!("confirmed {}, and max_stale is {} s", ago(status.confirmed), limit.as_secs()))
}

fn report(status: &Status, fault: Option<&str>) -> String {
    let up = |is_up| if is_up { "up" } else { "down" };
    let mut lines = String::new();
    // Writing into a text cannot fail.
    let _ = match fault {
        None => writeln!(lines, "ready"),
        Some(fault) => writeln!(lines, "not ready: {fault}"),
    };
    let _ = writeln!(lines, "store: {}", status.store.name());
    let (cache, cache_up) = status.cache.map_or(("none", true), |(name, is_up)| (name, is_up));
    let _ = writeln!(lines, "cache: {cache} {}", if cache == "none" { "" } else { up(cache_up) });
    let _ = match status.bootstrap {
        None => writeln!(lines, "bootstrap: none"),
        Some(bootstrap) => writeln!(lines, "bootstrap: {} {}", bootstrap.name, up(bootstrap.is_up)),
    };
    let _ = writeln!(lines, "feed: {} {}", status.feed.0, up(status.feed.1));
    let _ = match status.version {
        None => writeln!(lines, "snapshot: none"),
        Some(version) => writeln!(
            lines,
            "snapshot: revision {}, {} flags, from {}, confirmed {}",
            version.revision,
            status.flags,
            status.origin.unwrap_or("nobody"),
            ago(status.confirmed),
        ),
    };
    if let Some(version) = status.version {
        let _ = writeln!(lines, "epoch: {}", version.epoch);
        let _ = writeln!(lines, "age: {:.1} s", status.age.unwrap_or_default().as_secs_f64());
    }
    if let Some(Digested { version, digest }) = status.digest {
        let _ =
            writeln!(lines, "digest: {digest} at revision {} of epoch {}", version.revision, version.epoch);
    }
    lines.replace(" \n", "\n")
}

/// How many flags that cannot be read are named.
const NAMED: usize = 10;

/// A line on what the snapshot lacks; none if it is whole.
fn quarantined(quarantine: &Quarantine, named: usize) -> String {
    if quarantine.is_empty() {
        return String::new();
    }
    let keys: Vec<&str> = quarantine.keys().map(FlagKey::as_str).take(named).collect();
    let more = if quarantine.len() > keys.len() && named > 0 { " …" } else { "" };
    let names = if keys.is_empty() { String::new() } else { format!(": {}{more}", keys.join(" ")) };
    let rows = match quarantine.nameless() {
        0 => String::new(),
        rows => format!(", and {rows} rows of no flag"),
    };
    format!("quarantine: {} flags{rows}{names}\n", quarantine.len())
}

fn ago(confirmed: Option<Duration>) -> String {
    confirmed.map_or_else(|| "never".to_owned(), |age| format!("{:.1} s ago", age.as_secs_f64()))
}

/// The meters, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "readMetrics", tag = "health", responses((status = 200, description = "Meters", body = str)))]
pub(crate) async fn metrics(node: web::Data<Node>) -> HttpResponse {
    let status = node.engine.status();
    let text = node.telemetry.render(&status) + &meters::render(&node, &status);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
