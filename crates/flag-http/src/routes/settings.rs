//! The settings of a flag that concern everybody: the global state and the rollout.

use actix_web::{HttpRequest, HttpResponse, web};
use flag_core::{Change, Percentage, Variant};
use garde::Validate;
use utoipa::ToSchema;

use super::write::write_flag;
use crate::input::{Body, FlagPath, Members, NoParameters, Query, Required, Shape};
use crate::node::Node;
use crate::openapi::{ConditionFailed, FlagSchema, WriteHeaders};
use crate::problem::{Problem, ProblemDocument};

/// A new global state.
#[derive(Validate, ToSchema)]
pub(crate) struct SetGlobal {
    /// What a context gets if no rung above answers.
    #[garde(dive)]
    #[schema(value_type = bool, example = true)]
    enabled: Required<bool>,
}

impl Shape for SetGlobal {
    fn take(members: &mut Members<'_>) -> Self {
        Self { enabled: members.required("enabled") }
    }
}

/// Switches the global state.
#[utoipa::path(
    patch, path = "/features/{key}/global", operation_id = "setGlobal", tag = "settings", params(("key" = String, Path), WriteHeaders), request_body = SetGlobal,
    responses(
        (status = 200, description = "The flag", body = FlagSchema),
        (status = 404, description = "There is no such flag", body = ProblemDocument),
        ConditionFailed,
    ),
)]
pub(crate) async fn global(
    node: web::Data<Node>,
    _: Query<NoParameters>,
    request: HttpRequest,
    path: FlagPath,
    body: Body<SetGlobal>,
) -> Result<HttpResponse, Problem> {
    let change = Change::GlobalSet { key: path.0, variant: Variant::from(body.0.enabled.get()?) };
    write_flag(&node, &request, change).await
}

/// A new rollout.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct SetRollout {
    /// 0 to 100, at most three decimals; `null` takes the rollout away.
    #[garde(dive)]
    #[schema(value_type = Option<f64>, example = 33.333)]
    rollout_pct: Required<Option<Percentage>>,
}

impl Shape for SetRollout {
    fn take(members: &mut Members<'_>) -> Self {
        Self { rollout_pct: members.nullable("rolloutPct") }
    }
}

/// Sets the share of users that get the feature, or takes the rollout away.
#[utoipa::path(
    patch, path = "/features/{key}/rollout", operation_id = "setRollout", tag = "settings", params(("key" = String, Path), WriteHeaders), request_body = SetRollout,
    responses(
        (status = 200, description = "The flag", body = FlagSchema),
        (status = 404, description = "There is no such flag", body = ProblemDocument),
        ConditionFailed,
    ),
)]
pub(crate) async fn rollout(
    node: web::Data<Node>,
    _: Query<NoParameters>,
    request: HttpRequest,
    path: FlagPath,
    body: Body<SetRollout>,
) -> Result<HttpResponse, Problem> {
    let change = Change::RolloutSet { key: path.0, rollout: body.0.rollout_pct.get()? };
    write_flag(&node, &request, change).await
}
