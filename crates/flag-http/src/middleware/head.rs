//! Answers `HEAD` as `GET` is answered; the connection leaves the body away. Load balancers probe like that.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

pub(crate) fn as_get(request: &mut ServiceRequest) {
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
}
