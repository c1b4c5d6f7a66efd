//! Convergence: has a change landed on every node?

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use flag_core::Revision;
use flag_engine::{Convergence, ConvergenceError, Progress};
use garde::Validate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer;
use crate::input::{Members, Optional, Query, Read, Search};
use crate::node::Node;
use crate::problem::{Code, Problem, ProblemDocument};

/// What to wait for, and how long.
#[derive(Validate)]
pub(crate) struct AskConvergence {
    #[garde(dive)]
    revision: Optional<Revision>,
    #[garde(dive)]
    wait: Optional<Wait>,
}

impl Search for AskConvergence {
    fn take(members: &mut Members<'_>) -> Self {
        Self { revision: members.optional("revision"), wait: members.optional("wait") }
    }
}

/// How long to wait, in seconds: 0 to 30.
struct Wait(u8);

impl Read for Wait {
    fn text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(seconds @ 0..=30) => Ok(Self(seconds)),
            _ => Err("must be a whole number of seconds from 0 to 30".to_owned()),
        }
    }
}

/// Which nodes have come to a revision.
#[derive(Serialize, ToSchema)]
#[schema(as = Convergence)]
pub(crate) struct ConvergenceDocument<'a> {
    /// The environment.
    #[schema(example = "default")]
    environment: &'a str,
    /// The history in which the node stands that was asked.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    epoch: String,
    /// The revision that was asked for.
    #[schema(example = 12)]
    revision: Revision,
    /// Whether every node has reached it. A silent one stands where it last reported.
    converged: bool,
    /// Whether two nodes at the same version hold different flags, which must never be.
    disagreement: bool,
    /// Every node that has reported within the last ten minutes and was not stopped in order since.
    nodes: Vec<NodeDocument<'a>>,
}

/// A node.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Node)]
pub(crate) struct NodeDocument<'a> {
    /// The id of this run of the node.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    id: String,
    /// What it is called: its address, unless it was given a name.
    #[schema(example = "10.0.0.1:3000")]
    name: &'a str,
    /// The history in which it stands.
    epoch: String,
    /// The revision of its live snapshot.
    revision: Revision,
    /// The digest of that, in hexadecimal; `null` while it is being computed.
    digest: Option<String>,
    /// How long ago it reported this.
    seconds_ago: f64,
    /// Whether that is more than ten seconds. It may be gone, or cut off and still answering from what it has.
    silent: bool,
    /// Whether it has come to the revision that was asked for.
    reached: bool,
}

impl<'a> From<&'a Progress> for NodeDocument<'a> {
    fn from(Progress { node, reached }: &'a Progress) -> Self {
        Self {
            id: node.id.to_string(),
            name: &node.name,
            epoch: node.version.epoch.to_string(),
            revision: node.version.revision,
            digest: node.digest.map(|digest| digest.to_string()),
            seconds_ago: (node.age.as_secs_f64() * 10.0).round() / 10.0,
            silent: node.is_silent(),
            reached: *reached,
        }
    }
}

/// Says which nodes have come to a revision, this node's own unless told; with `wait`, as soon as all have, or at the end
/// of the wait. A node in another epoch has not.
#[utoipa::path(
    get, path = "/environments/{environment}/convergence", operation_id = "readConvergence", tag = "log",
    params(
        ("environment" = String, Path, example = "default"),
        ("revision" = Option<u64>, Query, description = "The revision to come to"),
        ("wait" = Option<u8>, Query, description = "How many seconds to wait for it, 0 to 30"),
    ),
    responses(
        (status = 200, description = "Which nodes are where; `converged` says whether all are there", body = ConvergenceDocument),
        (status = 503, description = "The store cannot be reached", body = ProblemDocument),
    ),
)]
pub(crate) async fn read(
    node: web::Data<Node>,
    query: Query<AskConvergence>,
) -> Result<HttpResponse, Problem> {
    let AskConvergence { revision, wait } = query.0;
    let wait = Duration::from_secs(wait.get().map_or(0, |wait| wait.0.into()));
    let revision = revision.get();
    let found = tokio::select! {
        found = node.engine.convergence(revision, wait) => found?,
        // Nobody shall wait longer than the node is there.
        () = node.leaving.announced() => node.engine.convergence(revision, Duration::ZERO).await?,
    };
    let Convergence { version, revision, converged, disagreement, nodes } = &found;
    let document = ConvergenceDocument {
        environment: node.engine.environment().as_str(),
        epoch: version.epoch.to_string(),
        revision: *revision,
        converged: *converged,
        disagreement: *disagreement,
        nodes: nodes.iter().map(NodeDocument::from).collect(),
    };
    Ok(answer::json(StatusCode::OK, version.revision, &document))
}

impl From<ConvergenceError> for Problem {
    fn from(error: ConvergenceError) -> Self {
        match error {
            ConvergenceError::NotReady => Node::not_ready(),
            ConvergenceError::Store(_) => {
                Self::new(Code::StoreUnavailable, "where the nodes stand cannot be read at present")
                    .retry_after(1)
            }
            ConvergenceError::Overloaded => {
                Self::new(Code::Overloaded, "too many ask for the convergence; try again shortly")
                    .retry_after(1)
            }
        }
    }
}
