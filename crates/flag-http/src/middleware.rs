//! What every request passes, outermost first: [`trace`], [`rescue`], [`admission`], [`head`].
//!
//! They are one layer of the framework and not four, because each of those is a table of functions and an allocation for every
//! request, whatever it does.

pub(crate) mod admission;
pub(crate) mod environment;
pub(crate) mod head;
pub(crate) mod rescue;
pub(crate) mod trace;

use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use crate::routes::evaluate;
use crate::worker::Worker;
use trace::Trace;

/// Leads a request to its route and its answer back.
pub(crate) async fn pass(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let question = evaluate::is_question(&request).then_some(evaluate::ROUTE);
    let worker = Rc::clone(Worker::of(request.request())?);
    let trace = Trace::begin(Rc::clone(&worker), &request, question);
    let outcome = rescue::check(async {
        admission::check(worker.node(), &request)?;
        head::as_get(&mut request);
        if question.is_some() {
            return Ok(evaluate::directly(&worker, request).await);
        }
        next.call(request).await.map(ServiceResponse::map_into_boxed_body)
    });
    trace.end(outcome.await)
}
