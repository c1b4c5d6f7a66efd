//! Lets requests in, or not. Health checks are open to everybody who can reach the port.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::node::Node;
use crate::problem::{Code, Problem};

/// The routes that need neither a token nor a loopback name, because probes know none. They tell how the node is doing and
/// nothing of what it holds.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

pub(crate) async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !OPEN.contains(&request.path()) {
        let node = request.app_data::<web::Data<Node>>();
        let node = node.ok_or_else(|| Problem::new(Code::Internal, "the node is not wired"))?;
        node.access.check(request.uri(), request.headers())?;
    }
    next.call(request).await
}
