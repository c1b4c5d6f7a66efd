//! Gives each request an id, its answer a revision, and the log and the meters a line: by the pattern of its route, because
//! paths hold the ids of people.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{Error, HttpRequest};
use flag_core::Revision;

use crate::answer::FLAG_REVISION;
use crate::problem::Code;
use crate::request_id::{self, REQUEST_ID};
use crate::route_meters::RouteMeters;
use crate::telemetry::known_method;

/// The pattern of a route that is not found by one.
pub(crate) struct Pattern(pub(crate) &'static str);

/// A request on its way.
pub(crate) struct Trace {
    started: Instant,
    meters: Option<Rc<RouteMeters>>,
    /// What was live before an answer was made, which is at least as new as that.
    before: Revision,
    id: HeaderValue,
    method: Method,
}

impl Trace {
    pub(crate) fn begin(request: &ServiceRequest) -> Self {
        let started = Instant::now();
        let meters = request.app_data::<Rc<RouteMeters>>().cloned();
        let before = live_revision(meters.as_deref());
        let id = request_id::of(request.headers());
        Self { started, meters, before, id, method: request.method().clone() }
    }

    /// Marks the answer, and tells of it.
    pub(crate) fn end(
        self,
        outcome: Result<ServiceResponse<BoxBody>, Error>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        // A failure before any route has no answer yet; here it gets one, so that it bears the same marks.
        let outcome = outcome.map_err(|error| (error.error_response(), error));
        let (route, answer) = match &outcome {
            Ok(response) => (pattern(response.request()), response.response()),
            Err((response, _)) => (None, response),
        };
        let (status, code) = (answer.status(), answer.extensions().get::<Code>().copied());
        let route = route.as_deref().unwrap_or("unmatched");
        // A refusal may be due to what this node learned meanwhile.
        let revision = if status.is_success() { self.before } else { live_revision(self.meters.as_deref()) };
        let elapsed = self.started.elapsed();
        write_line(&self.method, route, status, code, elapsed, &self.id);
        if let Some(meters) = &self.meters {
            meters.answered(&self.method, route, status.as_u16(), elapsed);
        }
        let is_leaving = self.meters.as_ref().is_some_and(|meters| meters.node().leaving.is_announced());
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

fn live_revision(meters: Option<&RouteMeters>) -> Revision {
    let live = meters.and_then(|meters| meters.node().engine.snapshot());
    live.map_or(0, |live| live.version().revision)
}

fn pattern(request: &HttpRequest) -> Option<Cow<'static, str>> {
    match request.app_data::<Pattern>() {
        Some(Pattern(pattern)) => Some(Cow::Borrowed(*pattern)),
        None => request.match_pattern().map(Cow::Owned),
    }
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
    let is_reading = method.is_safe() || route.ends_with("/evaluate");
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
