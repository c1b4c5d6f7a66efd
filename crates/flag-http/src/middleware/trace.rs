//! Gives each request an id, its answer a revision, and the log and the meters a line: by the pattern of its route, because
//! paths hold the ids of people.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{ConnectionType, Method, StatusCode};
use flag_core::Revision;

use crate::answer::FLAG_REVISION;
use crate::problem::Code;
use crate::request_id::{self, REQUEST_ID};
use crate::telemetry::known_method;
use crate::worker::Worker;

/// A request on its way.
pub(crate) struct Trace {
    started: Instant,
    /// The route, where it is known before the framework looks for it.
    route: Option<&'static str>,
    worker: Rc<Worker>,
    /// What was live before an answer was made, which is at least as new as that.
    before: Revision,
    id: HeaderValue,
    method: Method,
}

impl Trace {
    pub(crate) fn begin(worker: Rc<Worker>, request: &ServiceRequest, route: Option<&'static str>) -> Self {
        let started = Instant::now();
        let before = live_revision(&worker);
        let id = request_id::of(request.headers());
        Self { started, route, worker, before, id, method: request.method().clone() }
    }

    /// Marks the answer, and tells of it.
    pub(crate) fn end(
        self,
        outcome: Result<ServiceResponse<BoxBody>, Error>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        // A failure before any route has no answer yet; here it gets one, so that it bears the same marks.
        let outcome = outcome.map_err(|error| (error.error_response(), error));
        let (route, answer) = match &outcome {
            Ok(response) if self.route.is_none() => (response.request().match_pattern(), response.response()),
            Ok(response) => (None, response.response()),
            Err((response, _)) => (None, response),
        };
        let (status, code) = (answer.status(), answer.extensions().get::<Code>().copied());
        let route = self.route.or(route.as_deref()).unwrap_or("unmatched");
        // A write may have been refused over what this node learned meanwhile. Whoever only looked may have looked before.
        let is_refused_write = !is_reading(&self.method, route) && !status.is_success();
        let revision = if is_refused_write { live_revision(&self.worker) } else { self.before };
        let elapsed = self.started.elapsed();
        write_line(&self.method, route, status, code, elapsed, &self.id);
        let (node, meters) = (self.worker.node(), &self.worker.meters);
        meters.answered(&node.telemetry, &self.method, route, status.as_u16(), elapsed);
        let is_leaving = node.leaving.is_announced();
        let part = |head: &mut ResponseHead| {
            if is_leaving {
                head.set_connection_type(ConnectionType::Close);
            }
        };
        match outcome {
            Ok(mut response) => {
                mark(response.headers_mut(), revision, self.id);
                part(response.response_mut().head_mut());
                Ok(response)
            }
            Err((mut response, error)) => {
                mark(response.headers_mut(), revision, self.id);
                part(response.head_mut());
                Err(InternalError::from_response(error, response).into())
            }
        }
    }
}

fn live_revision(worker: &Worker) -> Revision {
    worker.live().map_or(0, |live| live.version().revision)
}

/// Whether a request of this kind changes nothing.
fn is_reading(method: &Method, route: &str) -> bool {
    method.is_safe() || route.ends_with("/evaluate")
}

/// Reads are the daily bread; what changes or fails is news. An error is only what somebody has to look at in this program:
/// that a store is gone was logged when it went, and a node that is not ready may be asked every second whether it is.
fn write_line(
    method: &Method,
    route: &str,
    status: StatusCode,
    code: Option<Code>,
    elapsed: Duration,
    id: &HeaderValue,
) {
    let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let (status, request_id) = (status.as_u16(), id.to_str().unwrap_or_default());
    let is_reading = is_reading(method, route);
    let method = known_method(method);
    let name = code.map(Code::name);
    match code {
        Some(Code::NotReady | Code::Behind) => {
            tracing::info!(method, route, status, code = name, microseconds, request_id, "request refused");
        }
        Some(_) if status == 503 => {
            tracing::warn!(method, route, status, code = name, microseconds, request_id, "request refused");
        }
        _ if status >= 500 => {
            tracing::error!(method, route, status, code = name, microseconds, request_id, "request failed");
        }
        _ if status >= 400 || !is_reading => {
            tracing::info!(method, route, status, code = name, microseconds, request_id, "request");
        }
        _ => tracing::debug!(method, route, status, microseconds, request_id, "request"),
    }
}

fn mark(headers: &mut HeaderMap, revision: Revision, id: HeaderValue) {
    if !headers.contains_key(FLAG_REVISION) {
        headers.insert(FLAG_REVISION, HeaderValue::from(revision));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REQUEST_ID, id);
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse, web};
    use flag_core::{Author, Change, Timestamp, Variant};
    use flag_engine::{Engine, EnvironmentName, NodeId, NodeIdentity, Parts, ProcessFeed, Request};
    use flag_testkit::memory::MemoryStore;

    use super::*;
    use crate::access::Access;
    use crate::middleware::pass;
    use crate::node::Node;
    use crate::problem::Problem;
    use crate::telemetry::Telemetry;

    async fn node() -> web::Data<Node> {
        let store = std::sync::Arc::new(MemoryStore::new());
        let engine = Engine::start(Parts {
            environment: EnvironmentName::parse("default").unwrap(),
            store: store.clone(),
            source: store,
            feed: std::sync::Arc::new(ProcessFeed::default()),
            node: NodeIdentity { id: NodeId(1), name: "one".parse().unwrap() },
        });
        engine.subscribe().wait_for(Option::is_some).await.unwrap();
        web::Data::new(Node {
            engine: engine.into(),
            access: Access::Loopback,
            telemetry: Telemetry::new().unwrap(),
            pages: Default::default(),
            connections: Default::default(),
            leaving: Default::default(),
        })
    }

    /// Refuses, while on another thread the next revision becomes live.
    async fn refuse(node: web::Data<Node>) -> Result<HttpResponse, Problem> {
        let key = format!("f{}", node.engine.snapshot().unwrap().version().revision);
        let change = Change::flag_created(key.parse().unwrap(), Variant::ON);
        let (author, at) = (Author::default(), Timestamp(0));
        let request = Request { change, conditions: Vec::new(), author, at, repeatable: None };
        node.engine.apply(request).await.unwrap();
        Err(Problem::new(Code::FlagNotFound, "it was not there"))
    }

    #[actix_web::test]
    async fn whoever_only_looked_is_not_told_a_revision_that_came_later() {
        let node = node().await;
        let app = App::new()
            .app_data(node.clone())
            .app_data(Worker::start(&node))
            .wrap(from_fn(pass))
            .route("/looked", web::get().to(refuse))
            .route("/features/{key}/evaluate", web::post().to(refuse))
            .route("/written", web::post().to(refuse));
        let app = init_service(app).await;
        let rows = [
            (TestRequest::get().uri("/looked"), 0),
            (TestRequest::post().uri("/features/%61/evaluate"), 1),
            (TestRequest::post().uri("/written"), 3),
        ];
        for (request, revision) in rows {
            let request = request.insert_header(("host", "localhost")).to_request();
            let response = try_call_service(&app, request).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert_eq!(response.headers().get(FLAG_REVISION).unwrap(), revision.to_string().as_str());
        }
    }
}
