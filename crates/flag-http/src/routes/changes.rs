//! The log: what happened, when, and by whom.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use flag_core::{FlagKey, Revision};
use flag_engine::HistoryPage;
use flag_engine::document::EntryDocument;
use garde::Validate;
use serde::Serialize;

use crate::answer;
use crate::input::{Limit, Members, MinRevision, Optional, Query, Search};
use crate::node::Node;
use crate::openapi::{ChangePageSchema, MinRevisionHeader, PageQuery};
use crate::problem::{Code, Problem, ProblemDocument};

/// Which lines of the log to list.
#[derive(Validate)]
pub(crate) struct ListChanges {
    #[garde(dive)]
    limit: Optional<Limit>,
    #[garde(dive)]
    cursor: Optional<Revision>,
    #[garde(dive)]
    flag: Optional<FlagKey>,
}

impl Search for ListChanges {
    fn take(members: &mut Members<'_>) -> Self {
        Self {
            limit: members.optional("limit"),
            cursor: members.optional("cursor"),
            flag: members.optional("flag"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangePage {
    changes: Vec<EntryDocument>,
    next_cursor: Option<String>,
}

/// Lists the log, newest first.
#[utoipa::path(
    get, path = "/environments/{environment}/changes", operation_id = "listChanges", tag = "log",
    params(
        ("environment" = String, Path, example = "default"), PageQuery, MinRevisionHeader,
        ("flag" = Option<String>, Query, description = "Only changes of this flag"),
    ),
    responses(
        (status = 200, description = "`{changes, nextCursor}`", body = ChangePageSchema),
        (status = 503, description = "The store cannot be reached, or the node has not come to `Flag-Min-Revision` in time", body = ProblemDocument),
    ),
)]
pub(crate) async fn list(
    node: web::Data<Node>,
    minimum: MinRevision,
    query: Query<ListChanges>,
) -> Result<HttpResponse, Problem> {
    let ListChanges { limit, cursor, flag } = query.0;
    let (limit, before, flag) = (limit.get().unwrap_or_default().0, cursor.get(), flag.get());
    // The log is read after the revision is taken, so it holds at least what the header says.
    let revision = match minimum.0 {
        None => node.engine.snapshot().map_or(0, |snapshot| snapshot.version().revision),
        Some(_) => node.snapshot_at(minimum).await?.version().revision,
    };
    // One more than fits tells whether there is a further page.
    let page = HistoryPage { before, flag: flag.as_ref(), limit: limit + 1 };
    let mut entries = node.engine.history(page).await?;
    let more = entries.len() > usize::from(limit);
    entries.truncate(usize::from(limit));
    let last = entries.last().map(|entry| entry.revision.to_string());
    let changes: Result<Vec<_>, _> = entries.iter().map(EntryDocument::new).collect();
    let changes = changes.map_err(|_| Problem::new(Code::Internal, "the log holds what has no document"))?;
    Ok(answer::json(StatusCode::OK, revision, &ChangePage { changes, next_cursor: last.filter(|_| more) }))
}
