//! Gives each request an id, its answer a revision, and the log and the meters a line: by the pattern of its route, because
//! paths hold the ids of people.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use flag_core::Revision;
use uuid::Uuid;

use crate::answer::FLAG_REVISION;
use crate::node::Node;
use crate::telemetry::known_method;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let node = request.app_data::<web::Data<Node>>().cloned();
    let revision =
        || node.as_ref().and_then(|node| node.engine.snapshot()).map_or(0, |live| live.version().revision);
    // What an answer says is at least as new as what was live before it was made.
    let before = revision();
    let id = request_id(&request);
    let method = request.method().clone();

    let outcome = next.call(request).await;

    let (route, status) = match &outcome {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(error) => (None, error.as_response_error().status_code()),
    };
    let route = route.unwrap_or_else(|| "unmatched".to_owned());
    // But a refusal may be due to what this node learned meanwhile.
    let revision = if status.is_success() { before } else { revision() };
    let elapsed = started.elapsed();
    write_line(&method, &route, status, elapsed, &id);
    if let Some(node) = node {
        node.telemetry.answered(&method, &route, status.as_u16(), elapsed);
    }
    match outcome {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            mark(response.headers_mut(), revision, id);
            Ok(response)
        }
        // A failure before any route has no answer yet; here it gets one, so that it bears the same marks.
        Err(error) => {
            let mut response = error.error_response();
            mark(response.headers_mut(), revision, id);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Reads are the daily bread; what changes or fails is news.
fn write_line(method: &Method, route: &str, status: StatusCode, elapsed: Duration, id: &HeaderValue) {
    let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let (status, request_id) = (status.as_u16(), id.to_str().unwrap_or_default());
    let is_reading = method.is_safe() || route.ends_with("/evaluate");
    let method = known_method(method);
    if status >= 500 {
        tracing::error!(method, route, status, microseconds, request_id, "request failed");
    } else if status >= 400 || !is_reading {
        tracing::info!(method, route, status, microseconds, request_id, "request");
    } else {
        tracing::debug!(method, route, status, microseconds, request_id, "request");
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

/// The id that the client gave, if it is fit to be written into logs, or else a new one.
fn request_id(request: &ServiceRequest) -> HeaderValue {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic));
    given.cloned().unwrap_or_else(|| {
        let id = Uuid::now_v7().to_string();
        HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    })
}
