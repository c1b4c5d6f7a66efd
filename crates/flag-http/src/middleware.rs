//! What every request passes, outermost first: [`trace`], [`rescue`], [`admission`], [`head`].
//!
//! They are one layer of the framework and not four, because each of those is a table of functions and an allocation for every
//! request, whatever it does.

pub(crate) mod admission;
pub(crate) mod environment;
pub(crate) mod head;
pub(crate) mod rescue;
pub(crate) mod trace;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use trace::Trace;

/// Leads a request to its route and its answer back.
pub(crate) async fn pass(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let trace = Trace::begin(&request);
    let outcome = rescue::check(async {
        admission::check(&request)?;
        head::as_get(&mut request);
        next.call(request).await
    });
    trace.end(outcome.await)
}
