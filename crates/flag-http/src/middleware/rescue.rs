//! Makes every failure a problem document: routes that nobody mounted, methods that a route does not know, what the framework
//! refuses by itself, and panics.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use flag_core::Level;
use futures_util::FutureExt;

use crate::problem::{Code, MEDIA_TYPE, Problem};
use crate::routes::overrides;

/// What `answer` comes to, with a document for every failure. Not an `async fn`: that would keep the way to an answer twice, and
/// all of it is copied at each request.
pub(crate) fn check(
    answer: impl Future<Output = Result<ServiceResponse<impl MessageBody + 'static>, Error>>,
) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> {
    // The snapshot is immutable and the engine's tasks are elsewhere: a handler that panicked leaves nothing half done.
    AssertUnwindSafe(answer).catch_unwind().map(|outcome| {
        // The panic hook has written down what happened and where.
        documented(
            outcome.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "an unexpected failure").into())),
        )
    })
}

fn documented(
    outcome: Result<ServiceResponse<impl MessageBody + 'static>, Error>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match outcome {
        Ok(response) => {
            let response = response.map_into_boxed_body();
            Ok(match problem(response.response(), || advice(response.request())) {
                None => response,
                Some(problem) => response.into_response(problem.error_response()),
            })
        }
        Err(error) => Err(problem(&error.error_response(), || None).map_or(error, Error::from)),
    }
}

/// Marks an answer that is no success and still says all that it has to say, such as that of a health check.
pub(crate) struct Deliberate;

/// What to say to whoever wants to let somebody go and names nobody, as scripts do whose variable is empty.
fn advice(request: &HttpRequest) -> Option<String> {
    let path = request.path();
    let (_, last) = path.strip_suffix('/').unwrap_or(path).rsplit_once('/')?;
    let level = last.strip_suffix("-override").and_then(Level::named)?;
    let is_due = request.method() == Method::DELETE;
    is_due.then(|| format!("name the {level}: DELETE …/{level}-override/{{{}}}", overrides::member(level)))
}

/// The problem that a failure without a document should have been.
fn problem(response: &HttpResponse<BoxBody>, advice: impl FnOnce() -> Option<String>) -> Option<Problem> {
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    let is_document = || response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if !is_failure || is_document() || response.extensions().contains::<Deliberate>() {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => {
            let detail = advice().unwrap_or_else(|| "see /docs for the routes that there are".to_owned());
            Problem::new(Code::RouteNotFound, detail)
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            let methods = response.headers().get(ALLOW).cloned();
            let known =
                methods.as_ref().and_then(|methods| methods.to_str().ok()).unwrap_or_default().to_owned();
            let detail = advice().unwrap_or_else(|| format!("the route knows {known}"));
            Problem::new(Code::MethodNotAllowed, detail).allow(methods)
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, "the body is too large"),
        status if status.is_client_error() => {
            Problem::new(Code::BadRequest, "the request cannot be understood")
        }
        _ => Problem::new(Code::Internal, "an unexpected failure"),
    })
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::dev::Service;
    use actix_web::middleware::{Next, from_fn};
    use actix_web::test::{TestRequest, init_service};
    use actix_web::{App, web};

    use super::*;

    async fn fail() -> HttpResponse {
        panic!("on purpose");
    }

    #[actix_web::test]
    async fn a_panic_is_answered_with_a_problem_that_tells_nothing_of_it() {
        let rescued = from_fn(|request, next: Next<BoxBody>| check(next.call(request)));
        let app = App::new().wrap(rescued).route("/fails", web::get().to(fail));
        let app = init_service(app).await;
        for _ in 0..2 {
            let failure = app.call(TestRequest::get().uri("/fails").to_request()).await;
            let response = failure.unwrap_err().error_response();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = to_bytes(response.into_body()).await.unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["code"], "internal");
            assert!(!problem.to_string().contains("purpose"));
        }
    }
}
