//! Flags: create, list, read, delete.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use flag_core::{Change, Description, Flag, FlagKey, Percentage, Quarantine, Snapshot, Variant};
use flag_engine::ApplyError;
use flag_engine::document::FlagDocument;
use garde::Validate;
use serde::Serialize;
use utoipa::ToSchema;

use super::write::{with_flag, write};
use crate::answer;
use crate::conditional::{self, Reading};
use crate::input::{
    Body, FlagPath, Limit, Members, MinRevision, NoParameters, Optional, Query, Read, Required, Search, Shape,
};
use crate::node::Node;
use crate::openapi::{
    ConditionFailed, FlagSchema, MinRevisionHeader, PageQuery, ReadConditions, WriteHeaders,
};
use crate::problem::{Code, Problem, ProblemDocument};

/// A flag to create.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateFeature {
    /// 1 to 128 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit.
    #[garde(dive)]
    #[schema(value_type = String, example = "new_dashboard")]
    key: Required<FlagKey>,
    /// The global state.
    #[garde(dive)]
    #[schema(value_type = bool, example = false)]
    enabled: Required<bool>,
    /// At most 1,000 characters.
    #[garde(dive)]
    #[schema(value_type = Option<String>, example = "The dashboard with the new charts")]
    description: Optional<Description>,
    /// 0 to 100, at most three decimals.
    #[garde(dive)]
    #[schema(value_type = Option<f64>, example = 25)]
    rollout_pct: Optional<Percentage>,
}

impl Shape for CreateFeature {
    fn take(members: &mut Members<'_>) -> Self {
        Self {
            key: members.required("key"),
            enabled: members.required("enabled"),
            description: members.optional("description"),
            rollout_pct: members.optional("rolloutPct"),
        }
    }
}

/// Creates a flag.
#[utoipa::path(
    post, path = "/features", operation_id = "createFeature", tag = "features", params(WriteHeaders), request_body = CreateFeature,
    responses(
        (status = 201, description = "The flag", body = FlagSchema),
        (status = 409, description = "It exists already", body = ProblemDocument),
        ConditionFailed,
    ),
)]
pub(crate) async fn create(
    node: web::Data<Node>,
    _: Query<NoParameters>,
    request: HttpRequest,
    body: Body<CreateFeature>,
) -> Result<HttpResponse, Problem> {
    let body = body.0;
    let change = Change::FlagCreated {
        key: body.key.get()?,
        description: body.description.get(),
        global: Variant::from(body.enabled.get()?),
        rollout: body.rollout_pct.get(),
    };
    let key = change.key().clone();
    let location = format!("{}/{key}", request.uri().path());
    write(&node, &request, change, move |after| {
        with_flag(after, key.as_str(), |flag| {
            HttpResponse::build(StatusCode::CREATED)
                .insert_header((LOCATION, location.as_str()))
                .insert_header((ETAG, conditional::etag(flag.revision)))
                .insert_header((answer::FLAG_REVISION, after.version().revision))
                .json(FlagDocument::from(flag))
        })
    })
    .await
}

/// Which flags to list.
#[derive(Validate)]
pub(crate) struct ListFeatures {
    #[garde(dive)]
    limit: Optional<Limit>,
    #[garde(dive)]
    cursor: Optional<Last>,
    #[garde(dive)]
    q: Optional<String>,
}

/// The last key of the page before.
pub(crate) struct Last(FlagKey);

impl Read for Last {
    fn text(text: &str) -> Result<Self, String> {
        let key = text.parse().map_err(|_| "must be the `nextCursor` of the page before")?;
        Ok(Self(key))
    }
}

impl Search for ListFeatures {
    fn take(members: &mut Members<'_>) -> Self {
        Self {
            limit: members.optional("limit"),
            cursor: members.optional("cursor"),
            q: members.optional("q"),
        }
    }
}

/// A page of flags, in the order of their keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FeaturePage {
    features: Vec<FlagDocument>,
    next_cursor: Option<String>,
    total: usize,
    /// The first keys of flags that cannot be read, whatever was searched for: they are in no page and not counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

/// How many flags that cannot be read are named at most.
const NAMED: usize = 100;

/// Lists flags in the order of their keys; `q` searches keys and descriptions without regard to case.
#[utoipa::path(
    get, path = "/features", operation_id = "listFeatures", tag = "features",
    params(PageQuery, MinRevisionHeader, ("q" = Option<String>, Query, description = "Only flags whose key or description holds this text")),
    responses(
        (status = 200, description = "`{features, nextCursor, total, unreadable?}`", body = crate::openapi::FeaturePageSchema),
        (status = 503, description = "It has not come to `Flag-Min-Revision` in time", body = ProblemDocument),
    ),
)]
pub(crate) async fn list(
    node: web::Data<Node>,
    minimum: MinRevision,
    query: Query<ListFeatures>,
) -> Result<HttpResponse, Problem> {
    let ListFeatures { limit, cursor, q } = query.0;
    let snapshot = node.snapshot_at(minimum).await?;
    let revision = snapshot.version().revision;
    let (limit, cursor, q) = (limit.get().unwrap_or_default(), cursor.get(), q.get());
    node.pages.answer(revision, move || page(&snapshot, limit, cursor.as_ref(), q.as_deref())).await
}

fn page(snapshot: &Snapshot, limit: Limit, cursor: Option<&Last>, q: Option<&str>) -> FeaturePage {
    let needle = q.map(str::to_lowercase);
    let wanted = |flag: &&Flag| {
        needle.as_deref().is_none_or(|needle| {
            let description = flag.description.as_ref().map_or("", Description::as_str);
            [flag.key.as_str(), description].iter().any(|text| text.to_lowercase().contains(needle))
        })
    };
    let mut flags: Vec<&Flag> = snapshot.flags().filter(wanted).collect();
    let total = flags.len();
    flags.retain(|flag| cursor.is_none_or(|last| flag.key > last.0));
    let limit = usize::from(limit.0);
    let more = flags.len() > limit;
    if more {
        // What is beyond the page need not be in order.
        flags.select_nth_unstable_by(limit, |a, b| a.key.cmp(&b.key));
        flags.truncate(limit);
    }
    flags.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let last = flags.last().map(|flag| flag.key.as_str().to_owned());
    let features = flags.into_iter().map(FlagDocument::from).collect();
    let unreadable = snapshot.quarantine().into_iter().flat_map(Quarantine::keys);
    let unreadable = unreadable.take(NAMED).map(|key| key.as_str().to_owned()).collect();
    FeaturePage { features, next_cursor: last.filter(|_| more), total, unreadable }
}

/// Reads a flag.
#[utoipa::path(
    get, path = "/features/{key}", operation_id = "readFeature", tag = "features",
    params(("key" = String, Path), MinRevisionHeader, ReadConditions),
    responses(
        (status = 200, description = "The flag, with its revision as `ETag`", body = FlagSchema),
        (status = 304, description = "`If-None-Match` names its revision"),
        (status = 404, description = "There is no such flag", body = ProblemDocument),
        ConditionFailed,
        (status = 503, description = "It has not come to `Flag-Min-Revision` in time", body = ProblemDocument),
    ),
)]
pub(crate) async fn read(
    node: web::Data<Node>,
    _: Query<NoParameters>,
    minimum: MinRevision,
    request: HttpRequest,
    path: FlagPath,
) -> Result<HttpResponse, Problem> {
    let snapshot = node.snapshot_at(minimum).await?;
    let revision = snapshot.version().revision;
    let flag = find(&snapshot, &path.0)?;
    match conditional::of_reading(request.headers(), flag.revision)? {
        Reading::Wanted => Ok(answer::flag(StatusCode::OK, revision, flag)),
        Reading::Known => Ok(answer::known(revision, flag)),
        Reading::Changed => Err(ApplyError::PreconditionFailed { found: Some(flag.revision) }.into()),
    }
}

/// The flag that a path names, or the problem that there is none or that it cannot be read.
pub(crate) fn find<'a>(snapshot: &'a Snapshot, key: &FlagKey) -> Result<&'a Flag, Problem> {
    snapshot.flag(key.as_str()).ok_or_else(|| missing(snapshot, key))
}

/// Why `snapshot` has no flag `key`.
pub(super) fn missing(snapshot: &Snapshot, key: &FlagKey) -> Problem {
    let problem = if snapshot.is_quarantined(key) {
        Problem::unreadable(key)
    } else {
        Problem::new(Code::FlagNotFound, format!("there is no flag {key}"))
    };
    problem.seen_at(snapshot.version().revision)
}

/// Deletes a flag with everything that hangs on it. Its history stays.
#[utoipa::path(
    delete, path = "/features/{key}", operation_id = "deleteFeature", tag = "features", params(("key" = String, Path), WriteHeaders),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such flag", body = ProblemDocument),
        ConditionFailed,
    ),
)]
pub(crate) async fn delete(
    node: web::Data<Node>,
    _: Query<NoParameters>,
    request: HttpRequest,
    path: FlagPath,
) -> Result<HttpResponse, Problem> {
    write(&node, &request, Change::FlagDeleted { key: path.0 }, |after| {
        answer::empty(StatusCode::NO_CONTENT, after.version().revision)
    })
    .await
}
