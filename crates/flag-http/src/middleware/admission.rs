//! Lets requests in, or not. Health checks are open to everybody who can reach the port.

use actix_web::dev::ServiceRequest;
use actix_web::web;

use crate::node::Node;
use crate::problem::{Code, Problem};

/// The routes that need neither a token nor a loopback name, because probes know none. They tell how the node is doing and
/// nothing of what it holds.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

pub(crate) fn check(request: &ServiceRequest) -> Result<(), Problem> {
    if OPEN.contains(&request.path()) {
        return Ok(());
    }
    let node = request.app_data::<web::Data<Node>>();
    let node = node.ok_or_else(|| Problem::new(Code::Internal, "the node is not wired"))?;
    node.access.check(request.uri(), request.headers())
}
