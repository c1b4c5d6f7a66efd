//! The OpenAPI document, made from the routes, and the shapes of answers that are written down elsewhere.

use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, ToSchema};

use crate::problem::{MEDIA_TYPE as PROBLEM, ProblemDocument};
use crate::routes::{changes, convergence, evaluate, features, health, overrides, settings};

/// The OpenAPI document of every route.
#[must_use]
pub fn document() -> Document {
    Api::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Feature flag engine",
        description = "Define features, switch them for everybody, for a user, a group, a region or a percentage of \
            users, and ask what a context gets and why. The routes below `/features` speak of the environment `default`, \
            and stand below `/environments/default/features` as well. Every answer carries `Flag-Revision`; a request \
            that reads and sends `Flag-Min-Revision` is answered at that revision or a later one. Every failure is a problem document with a stable `code`. Writes honour `If-Match` with a flag's `ETag`, which every write but a deletion gives anew and every 412 tells as it is, and put \
            the name in `Flag-Author` into the log.",
    ),
    paths(
        features::create,
        features::list,
        features::read,
        features::delete,
        settings::global,
        settings::rollout,
        evaluate::evaluate,
        overrides::list,
        overrides::pin_user,
        overrides::release_user,
        overrides::pin_group,
        overrides::release_group,
        overrides::pin_region,
        overrides::release_region,
        changes::list,
        convergence::read,
        health::alive,
        health::ready,
        health::metrics,
    ),
    components(schemas(ProblemDocument)),
    modifiers(&ProblemsAreProblems)
)]
struct Api;

/// Gives problem documents the type that they are sent with, which routes need not repeat.
struct ProblemsAreProblems;

impl Modify for ProblemsAreProblems {
    fn modify(&self, document: &mut Document) {
        let problem = RefOr::Ref(Ref::from_schema_name(ProblemDocument::name()));
        let is_problem = |content: &RefOr<Content>| match content {
            RefOr::T(content) => content.schema.as_ref() == Some(&problem),
            RefOr::Ref(_) => false,
        };
        for path in document.paths.paths.values_mut() {
            let operations = [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete];
            let responses = operations
                .into_iter()
                .flatten()
                .flat_map(|operation| operation.responses.responses.values_mut());
            for response in responses {
                let RefOr::T(response) = response else { continue };
                if response.content.values().any(is_problem) {
                    let contents = std::mem::take(&mut response.content).into_values();
                    response.content = contents.map(|content| (PROBLEM.to_owned(), content)).collect();
                }
            }
        }
    }
}

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct PageQuery {
    /// How many items at most: 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u16>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// From which revision on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct MinRevisionHeader {
    /// Answer at this revision or a later one; the node catches up first, for two seconds at most.
    #[param(rename = "Flag-Min-Revision")]
    minimum: Option<u64>,
}

/// What a write may bear beside its body.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct WriteHeaders {
    /// 1 to 128 visible ASCII characters: the name of this write. Repeated within 24 hours, it gets the first answer again,
    /// with `Idempotent-Replayed: true`, and changes nothing more. The same name with another method, path or body is refused
    /// with 422 `idempotency_key_reused`.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 128)]
    idempotency_key: Option<String>,
    /// Write only if the flag still has one of these tags; `*`: only if there is one.
    #[param(rename = "If-Match", example = "\"7\"")]
    if_match: Option<String>,
    /// Write only if the flag has none of these tags; `*`: only if there is none.
    #[param(rename = "If-None-Match", example = "*")]
    if_none_match: Option<String>,
    /// Who the log says it was: 1 to 128 characters. Otherwise `admin` where a token is needed, else `local`.
    #[param(rename = "Flag-Author", min_length = 1, max_length = 128)]
    author: Option<String>,
}

/// What a flag may be read under.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct ReadConditions {
    /// Answer 412 unless the flag still has one of these tags.
    #[param(rename = "If-Match", example = "\"7\"")]
    if_match: Option<String>,
    /// Answer 304 without a body if the flag still has one of these tags.
    #[param(rename = "If-None-Match", example = "\"7\"")]
    if_none_match: Option<String>,
}

/// `If-Match` or `If-None-Match` does not hold.
#[derive(IntoResponses)]
#[response(
    status = 412,
    description = "`If-Match` or `If-None-Match` does not hold; nothing was changed",
    headers(("ETag" = String, description = "The flag's present tag, if there is a flag"))
)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct ConditionFailed(ProblemDocument<'static>);

/// A flag.
#[derive(ToSchema)]
#[schema(as = Flag, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct FlagSchema {
    /// The flag's name.
    #[schema(example = "new_dashboard")]
    key: String,
    /// What it is for.
    description: Option<String>,
    /// The global state.
    enabled: bool,
    /// The rollout, 0 to 100 with at most three decimals; `null` if there is none.
    rollout_pct: Option<f64>,
    /// What its buckets are drawn with.
    #[schema(example = "new_dashboard")]
    salt: String,
    /// The revision of its last change.
    revision: u64,
    /// When it was created.
    #[schema(example = "2026-01-31T12:00:00.000Z")]
    created_at: String,
    /// When it was last changed.
    #[schema(example = "2026-01-31T12:00:00.000Z")]
    updated_at: String,
}

/// A page of flags.
#[derive(ToSchema)]
#[schema(as = FeaturePage, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct FeaturePageSchema {
    features: Vec<FlagSchema>,
    next_cursor: Option<String>,
    /// How many flags match in all.
    total: usize,
    /// Keys of flags that cannot be read and are in no page, at most 100, whatever was searched for. Absent if there are
    /// none.
    unreadable: Option<Vec<String>>,
}

/// A page of overrides.
#[derive(ToSchema)]
#[schema(as = OverridePage, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct OverridePageSchema {
    overrides: Vec<overrides::Pinned>,
    next_cursor: Option<String>,
    counts: overrides::Counts,
}

/// A page of the log.
#[derive(ToSchema)]
#[schema(as = ChangePage, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct ChangePageSchema {
    changes: Vec<EntrySchema>,
    next_cursor: Option<String>,
}

/// A line of the log.
#[derive(ToSchema)]
#[schema(as = Entry)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct EntrySchema {
    /// The revision that the change brought about.
    revision: u64,
    /// When it was made.
    time: String,
    /// By whom.
    author: String,
    /// What happened: `type`, `key`, and what the type needs.
    #[schema(value_type = Object)]
    change: (),
}

macro_rules! override_schema {
    ($schema:ident, $name:ident, $field:ident, $example:literal) => {
        #[doc = concat!("A pinned subject: `", stringify!($field), "`.")]
        #[derive(ToSchema)]
        #[schema(as = $name, rename_all = "camelCase")]
        #[expect(dead_code, reason = "only its description is used")]
        pub(crate) struct $schema {
            /// 1 to 512 bytes of UTF-8 without control characters.
            #[schema(example = $example)]
            $field: String,
            /// What it is pinned to.
            enabled: bool,
        }
    };
}

override_schema!(UserOverrideSchema, UserOverride, user_id, "user123");
override_schema!(GroupOverrideSchema, GroupOverride, group_id, "beta");
override_schema!(RegionOverrideSchema, RegionOverride, region, "IN");
