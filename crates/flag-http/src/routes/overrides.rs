//! Overrides: pin a user, a group or a region, let it go, list who is pinned.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use flag_core::{Change, Flag, Level, Override, SubjectId, Variant};
use garde::Validate;
use serde::Serialize;
use utoipa::ToSchema;

use super::features::find;
use super::write::{with_flag, write};
use crate::answer;
use crate::input::{
    Body, FlagPath, Limit, Members, MinRevision, NoParameters, Optional, Query, Read, Required, Search,
    Shape, subject_in_path,
};
use crate::node::Node;
use crate::openapi::{ConditionFailed, GroupOverrideSchema, OverridePageSchema, RegionOverrideSchema};
use crate::openapi::{MinRevisionHeader, PageQuery, UserOverrideSchema, WriteHeaders};
use crate::problem::{Problem, ProblemDocument};

/// The member that names the subject of a level.
pub(crate) const fn member(level: Level) -> &'static str {
    match level {
        Level::User => "userId",
        Level::Group => "groupId",
        Level::Region => "region",
    }
}

macro_rules! level_routes {
    ($level:ident, $body:ident, $field:ident, $schema:ident, $pin:ident, $release:ident, $path:literal, $member:literal) => {
        #[doc = concat!("A ", $path, " to pin.")]
        #[derive(Validate)]
        pub(crate) struct $body {
            #[garde(dive)]
            $field: Required<SubjectId>,
            #[garde(dive)]
            enabled: Required<bool>,
        }

        impl Shape for $body {
            fn take(members: &mut Members<'_>) -> Self {
                Self { $field: members.required(member(Level::$level)), enabled: members.required("enabled") }
            }
        }

        #[doc = concat!("Pins a ", $path, " to on or off. Pinning it again is no error.")]
        #[utoipa::path(
            post, path = concat!("/features/{key}/", $path, "-override"), operation_id = concat!("pin", stringify!($level)), tag = "overrides",
            params(("key" = String, Path), WriteHeaders), request_body = $schema,
            responses(
                (status = 200, description = "The override, with the flag's new `ETag`", body = $schema),
                (status = 404, description = "There is no such flag", body = ProblemDocument),
                ConditionFailed,
            ),
        )]
        pub(crate) async fn $pin(
            node: web::Data<Node>,
    _: Query<NoParameters>,
            request: HttpRequest,
            path: FlagPath,
            body: Body<$body>,
        ) -> Result<HttpResponse, Problem> {
            let (subject, variant) = (body.0.$field.get()?, Variant::from(body.0.enabled.get()?));
            pin(&node, &request, path, Level::$level, subject, variant).await
        }

        #[doc = concat!("Lets a ", $path, " go. The last segment of the path is its id, percent-encoded.")]
        #[utoipa::path(
            delete, path = concat!("/features/{key}/", $path, "-override/{", $member, "}"),
            operation_id = concat!("release", stringify!($level)), tag = "overrides",
            params(("key" = String, Path), ($member = String, Path), WriteHeaders),
            responses(
                (status = 204, description = "It is no longer pinned; with the flag's new `ETag`"),
                (status = 404, description = "There is no such flag or override", body = ProblemDocument),
                ConditionFailed,
            ),
        )]
        pub(crate) async fn $release(
            node: web::Data<Node>,
    _: Query<NoParameters>,
            request: HttpRequest,
            path: FlagPath,
        ) -> Result<HttpResponse, Problem> {
            release(&node, &request, path, Level::$level).await
        }
    };
}

level_routes!(User, PinUser, user_id, UserOverrideSchema, pin_user, release_user, "user", "userId");
level_routes!(Group, PinGroup, group_id, GroupOverrideSchema, pin_group, release_group, "group", "groupId");
level_routes!(
    Region,
    PinRegion,
    region,
    RegionOverrideSchema,
    pin_region,
    release_region,
    "region",
    "region"
);

async fn pin(
    node: &Node,
    request: &HttpRequest,
    path: FlagPath,
    level: Level,
    subject: SubjectId,
    variant: Variant,
) -> Result<HttpResponse, Problem> {
    let body = serde_json::json!({ member(level): subject.as_str(), "enabled": variant.enabled() });
    let change = Change::OverrideSet { key: path.0.clone(), level, subject, variant };
    write(node, request, change, move |after| {
        let revision = after.version().revision;
        with_flag(after, path.0.as_str(), |flag| answer::part(StatusCode::OK, revision, flag).json(&body))
    })
    .await
}

async fn release(
    node: &Node,
    request: &HttpRequest,
    path: FlagPath,
    level: Level,
) -> Result<HttpResponse, Problem> {
    let subject = subject_in_path(request, member(level))?;
    let change = Change::OverrideRemoved { key: path.0.clone(), level, subject };
    write(node, request, change, move |after| {
        let revision = after.version().revision;
        with_flag(after, path.0.as_str(), |flag| {
            answer::part(StatusCode::NO_CONTENT, revision, flag).finish()
        })
    })
    .await
}

/// Which overrides to list.
#[derive(Validate)]
pub(crate) struct ListOverrides {
    #[garde(dive)]
    level: Optional<Level>,
    #[garde(dive)]
    prefix: Optional<String>,
    #[garde(dive)]
    limit: Optional<Limit>,
    #[garde(dive)]
    cursor: Optional<Start>,
}

impl Search for ListOverrides {
    fn take(members: &mut Members<'_>) -> Self {
        Self {
            level: members.optional("level"),
            prefix: members.optional("prefix"),
            limit: members.optional("limit"),
            cursor: members.optional("cursor"),
        }
    }
}

/// One pinned subject.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pinned {
    /// `user`, `group` or `region`.
    #[schema(value_type = String, example = "user")]
    level: &'static str,
    /// The subject's id.
    #[schema(example = "user123")]
    id: String,
    /// What it is pinned to.
    enabled: bool,
}

/// How many subjects are pinned at each level.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counts {
    user: usize,
    group: usize,
    region: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OverridePage {
    overrides: Vec<Pinned>,
    next_cursor: Option<String>,
    counts: Counts,
}

/// Lists who is pinned: users first, then groups, then regions, each in the order of their ids.
#[utoipa::path(
    get, path = "/features/{key}/overrides", operation_id = "listOverrides", tag = "overrides",
    params(
        ("key" = String, Path), PageQuery, MinRevisionHeader,
        ("level" = Option<String>, Query, description = "Only `user`, `group` or `region`"),
        ("prefix" = Option<String>, Query, description = "Only ids that begin with this text"),
    ),
    responses(
        (status = 200, description = "`{overrides, nextCursor, counts}`", body = OverridePageSchema),
        (status = 404, description = "There is no such flag", body = ProblemDocument),
        (status = 503, description = "It has not come to `Flag-Min-Revision` in time", body = ProblemDocument),
    ),
)]
pub(crate) async fn list(
    node: web::Data<Node>,
    minimum: MinRevision,
    path: FlagPath,
    query: Query<ListOverrides>,
) -> Result<HttpResponse, Problem> {
    let ListOverrides { level, prefix, limit, cursor } = query.0;
    let start = cursor.get();
    let snapshot = node.snapshot_at(minimum).await?;
    let flag = find(&snapshot, &path.0)?.clone();
    let (level, prefix, limit) =
        (level.get(), prefix.get().unwrap_or_default(), limit.get().unwrap_or_default());
    let revision = snapshot.version().revision;
    node.pages.answer(revision, move || page(&flag, level, &prefix, limit, start.as_ref())).await
}

/// Where a page begins: behind this subject. Written as `level:id`.
struct Start {
    level: Level,
    subject: String,
}

impl Read for Start {
    fn text(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(level, subject)| Some((Level::named(level)?, subject)));
        let parts = parts.filter(|(_, subject)| SubjectId::parse(subject).is_ok());
        let (level, subject) = parts.ok_or("must be the `nextCursor` of the page before")?;
        Ok(Self { level, subject: subject.to_owned() })
    }
}

fn page(flag: &Flag, only: Option<Level>, prefix: &str, limit: Limit, start: Option<&Start>) -> OverridePage {
    let limit = usize::from(limit.0);
    let levels = Level::ALL.into_iter().filter(|level| only.is_none_or(|only| only == *level));
    let mut found: Vec<(Level, Override<'_>)> = Vec::new();
    for level in levels.filter(|level| start.is_none_or(|start| *level >= start.level)) {
        let behind = start.filter(|start| start.level == level).map(|start| start.subject.as_str());
        let pins = flag.overrides.iter(level).filter(|pin| pin.subject.starts_with(prefix));
        let mut pins: Vec<_> = pins.filter(|pin| behind.is_none_or(|behind| pin.subject > behind)).collect();
        // One more than fits tells whether there is a further page; the rest need not be in order.
        let wanted = limit + 1 - found.len();
        if pins.len() > wanted {
            pins.select_nth_unstable_by(wanted, |a, b| a.subject.cmp(b.subject));
            pins.truncate(wanted);
        }
        pins.sort_unstable_by(|a, b| a.subject.cmp(b.subject));
        found.extend(pins.into_iter().map(|pin| (level, pin)));
        if found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|(level, pin)| format!("{level}:{}", pin.subject));
    let pinned = |(level, pin): (Level, Override<'_>)| Pinned {
        level: level.name(),
        id: pin.subject.to_owned(),
        enabled: pin.variant.enabled(),
    };
    let count = |level| flag.overrides.len(level);
    OverridePage {
        overrides: found.into_iter().map(pinned).collect(),
        next_cursor: last.filter(|_| more),
        counts: Counts { user: count(Level::User), group: count(Level::Group), region: count(Level::Region) },
    }
}
