//! What all writes share: the conditions, the author, the time, the key by which they may be repeated, and the answer.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use flag_core::{Author, Change, Flag, Snapshot};
use flag_engine::Request;

use crate::node::Node;
use crate::problem::{Code, Place, Problem};
use crate::{answer, conditional, repeat};

/// Makes `change` under the conditions and the name that the request's headers give, and answers with what `answer` makes of
/// the environment right after it; a write that was made before is answered as it was then.
pub(crate) async fn write(
    node: &Node,
    request: &HttpRequest,
    change: Change,
    answer: impl Fn(&Snapshot) -> HttpResponse + Send + Sync + 'static,
) -> Result<HttpResponse, Problem> {
    let conditions = conditional::conditions(request.headers())?;
    let author = author(node, request)?;
    let answer: Arc<dyn Fn(&Snapshot) -> HttpResponse + Send + Sync> = Arc::new(answer);
    let repeatable = repeat::repeatable(request, &answer)?;
    let request = Request { change, conditions, author, at: Node::now(), repeatable };
    let committed = node.engine.apply(request).await?;
    match committed.replayed {
        None => Ok(answer(&committed.snapshot)),
        Some(kept) => repeat::replay(&kept),
    }
}

/// As [`write`], for a change after which its flag exists and is the answer.
pub(crate) async fn write_flag(
    node: &Node,
    request: &HttpRequest,
    change: Change,
) -> Result<HttpResponse, Problem> {
    let key = change.key().clone();
    write(node, request, change, move |after| {
        let revision = after.version().revision;
        with_flag(after, key.as_str(), |flag| answer::flag(StatusCode::OK, revision, flag))
    })
    .await
}

/// What `answer` makes of a flag that was just written.
pub(crate) fn with_flag(
    after: &Snapshot,
    key: &str,
    answer: impl FnOnce(&Flag) -> HttpResponse,
) -> HttpResponse {
    let missing = || Problem::new(Code::Internal, "the flag went missing").error_response();
    after.flag(key).map_or_else(missing, answer)
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
