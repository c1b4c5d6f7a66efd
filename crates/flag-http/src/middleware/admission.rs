//! Lets requests in, or not. Health checks are open to everybody who can reach the port.

use actix_web::dev::ServiceRequest;

use crate::node::Node;
use crate::problem::Problem;

/// The routes that need neither a token nor a loopback name, because probes know none. They tell how the node is doing and
/// nothing of what it holds.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

pub(crate) fn check(node: &Node, request: &ServiceRequest) -> Result<(), Problem> {
    if OPEN.contains(&request.path()) {
        return Ok(());
    }
    node.access.check(request.uri(), request.headers())
}
