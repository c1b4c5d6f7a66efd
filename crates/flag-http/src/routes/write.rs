//! What all writes share: the conditions, the author, the time.

use actix_web::HttpRequest;
use flag_core::{Author, Change, Snapshot};
use flag_engine::Request;

use crate::conditional;
use crate::node::Node;
use crate::problem::{Code, Place, Problem};

/// Makes `change` under the conditions and the name that the request's headers give, and returns the environment right
/// after it.
pub(crate) async fn write(node: &Node, request: &HttpRequest, change: Change) -> Result<Snapshot, Problem> {
    let conditions = conditional::conditions(request.headers())?;
    let author = author(node, request)?;
    let request = Request { change, conditions, author, at: Node::now() };
    Ok(node.engine.apply(request).await?.snapshot)
}

/// As [`write`], for a change after which its flag exists.
pub(crate) async fn write_flag(
    node: &Node,
    request: &HttpRequest,
    change: Change,
) -> Result<(Snapshot, flag_core::Flag), Problem> {
    let key = change.key().clone();
    let snapshot = write(node, request, change).await?;
    let flag = snapshot.flag(key.as_str()).cloned();
    let flag = flag.ok_or_else(|| Problem::new(Code::Internal, "the flag went missing"))?;
    Ok((snapshot, flag))
}

/// Who the log says it was: the name in `Flag-Author`, which nobody vouches for, or else how they came in.
fn author(node: &Node, request: &HttpRequest) -> Result<Author, Problem> {
    let bad = |message: String| Problem::fault(Place::Header, "Flag-Author", message);
    let name = match request.headers().get("flag-author") {
        None => node.access.nameless(),
        Some(value) => std::str::from_utf8(value.as_bytes()).map_err(|_| bad("must be UTF-8".to_owned()))?,
    };
    Author::parse(name).map_err(|invalid| bad(invalid.to_string()))
}
