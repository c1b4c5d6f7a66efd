//! The question that everything is for: what does this context get?

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use flag_core::{Context, FlagKey};
use flag_engine::Live;
use garde::Validate;
use serde::Serialize;
use utoipa::ToSchema;

use super::features::missing;
use crate::answer;
use crate::input::{
    Attributes, Body, ContextId, FlagPath, Members, MinRevision, NoParameters, Optional, Query, Shape,
    asked_flag, parse_query, read_body,
};
use crate::node::Node;
use crate::openapi::MinRevisionHeader;
use crate::problem::{Problem, ProblemDocument};
use crate::worker::Worker;

/// Who asks. Every member may be missing; an empty text is a missing member.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Evaluate {
    /// At most 512 bytes.
    #[garde(dive)]
    #[schema(value_type = Option<String>, example = "user123")]
    user_id: Optional<ContextId>,
    /// At most 512 bytes.
    #[garde(dive)]
    #[schema(value_type = Option<String>, example = "beta")]
    group_id: Optional<ContextId>,
    /// At most 512 bytes.
    #[garde(dive)]
    #[schema(value_type = Option<String>, example = "IN")]
    region: Optional<ContextId>,
    /// Free attributes; no rung asks for them yet.
    #[garde(dive)]
    #[schema(value_type = Option<Object>)]
    attributes: Optional<Attributes>,
}

impl Shape for Evaluate {
    const LIMIT: usize = 64 * 1024;

    fn note(_: &HttpRequest, _: &[u8]) {}

    fn take(members: &mut Members<'_>) -> Self {
        Self {
            user_id: members.optional("userId"),
            group_id: members.optional("groupId"),
            region: members.optional("region"),
            attributes: members.optional("attributes"),
        }
    }
}

/// What the context gets, and which rung said so.
#[derive(Serialize, ToSchema)]
pub(crate) struct Answer<'a> {
    /// The flag.
    #[schema(example = "new_dashboard")]
    key: &'a str,
    /// Whether the feature is on.
    #[schema(example = true)]
    enabled: bool,
    /// `USER_OVERRIDE`, `GROUP_OVERRIDE`, `REGION_OVERRIDE`, `PERCENTAGE_ROLLOUT` or `GLOBAL_DEFAULT`.
    #[schema(example = "GROUP_OVERRIDE")]
    source: &'a str,
}

/// The route of questions.
pub(crate) const ROUTE: &str = "/features/{key}/evaluate";

/// Evaluates a flag for a context.
#[utoipa::path(
    post, path = "/features/{key}/evaluate", operation_id = "evaluateFeature", tag = "evaluation", params(("key" = String, Path), MinRevisionHeader), request_body = Evaluate,
    responses(
        (status = 200, description = "What the context gets, and why", body = Answer),
        (status = 404, description = "There is no such flag", body = ProblemDocument),
        (status = 503, description = "It has not come to `Flag-Min-Revision` in time", body = ProblemDocument),
    ),
)]
pub(crate) async fn evaluate(
    request: HttpRequest,
    _: Query<NoParameters>,
    minimum: MinRevision,
    path: FlagPath,
    body: Body<Evaluate>,
) -> Result<HttpResponse, Problem> {
    answer(Worker::of(&request)?, minimum, &path.0, body.0).await
}

/// Whether a request is a question that can take the short way: both ends of its path tell.
pub(crate) fn is_question(request: &ServiceRequest) -> bool {
    request.method() == Method::POST && asked_flag(request.uri().path()).is_some()
}

/// The short way for questions, of which there are more than of all other requests together: without the framework's table,
/// whose patterns are regular expressions that are tried one after another, and without the layers behind it. Whatever the
/// ends of the path do not tell, such as a key that is percent-encoded, takes the long way to the same answer.
pub(crate) async fn directly(worker: &Worker, request: ServiceRequest) -> ServiceResponse {
    let (request, payload) = request.into_parts();
    match question(worker, &request, payload).await {
        Ok(response) => ServiceResponse::new(request, response),
        Err(problem) => ServiceResponse::from_err(problem, request),
    }
}

async fn question(worker: &Worker, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let NoParameters {} = parse_query(request.query_string())?;
    let minimum = MinRevision::of(request)?;
    let FlagPath(key) = FlagPath::of(request)?;
    answer(worker, minimum, &key, read_body(request, payload).await?).await
}

async fn answer(
    worker: &Worker,
    minimum: MinRevision,
    key: &FlagKey,
    question: Evaluate,
) -> Result<HttpResponse, Problem> {
    let node = worker.node();
    let snapshot = match minimum.0 {
        None => worker.live().ok_or_else(Node::not_ready)?,
        // In a box, because whoever does not wait should not carry the room for it along.
        Some(_) => Live::known(Box::pin(node.snapshot_at(minimum)).await?),
    };
    let Evaluate { user_id, group_id, region, .. } = question;
    let (user, group, region) = (text(user_id), text(group_id), text(region));
    let context = Context::new().user(&user).group(&group).region(&region);
    // By way of the snapshot, which has most answers without going to the flag itself.
    let evaluation = snapshot.evaluate(key.as_str(), &context).ok_or_else(|| missing(&snapshot, key))?;
    node.telemetry.evaluated(evaluation.source);
    let answer =
        Answer { key: key.as_str(), enabled: evaluation.enabled(), source: evaluation.source.name() };
    Ok(answer::json(StatusCode::OK, snapshot.version().revision, &answer))
}

fn text(id: Optional<ContextId>) -> String {
    id.get().map_or_else(String::new, |id| id.0)
}
