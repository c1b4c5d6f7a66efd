//! Refuses environments that this node does not keep.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::node::Node;
use crate::problem::{Code, Problem};

pub(crate) async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let kept = request.app_data::<web::Data<Node>>().map(|node| node.engine.environment().as_str());
    if kept.is_none_or(|kept| request.match_info().get("environment") != Some(kept)) {
        let detail = format!("the environment of this node is {}", kept.unwrap_or("none"));
        return Err(Problem::new(Code::EnvironmentNotFound, detail).into());
    }
    next.call(request).await
}
