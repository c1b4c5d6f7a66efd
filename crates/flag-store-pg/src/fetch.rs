//! Reading what is newer: the entries that follow a version, or everything.

use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::Object;
use flag_core::{Entry, Epoch, Revision, Snapshot, Version};
use flag_engine::document::{EntryDocument, Unreadable};
use flag_engine::{
    Column, EnvironmentName, Fetched, IdempotencyKey, LoadedRows, MOST_RECEIPTS, RECEIPT_LIFE, Receipt,
    Receipts, StoreError,
};
use futures_util::TryStreamExt;
use futures_util::future::{FutureExt, TryFutureExt, try_join, try_join5};
use scopeguard::ScopeGuard;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Client, Error, IsolationLevel, Row, Transaction};

use crate::error::{failed, reason};
use crate::store::REQUEST;
use crate::transaction::{self, BEGIN_READING, closed_unless_done};

/// How long a statement may take that reads everything, or much of the log.
pub(crate) const LOAD: Duration = Duration::from_secs(60);
/// What holds from there on: the server gives up when nobody waits for it any more, and does not stand in line behind an
/// operator who has locked a table.
const LOAD_TERMS: &str = "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '2s'; \
     SET LOCAL idle_in_transaction_session_timeout = '5s'";
/// How far behind a node may be to be given the entries. Beyond that, everything is the shorter answer.
const BEHIND: Revision = 1_000;
/// After how many rows other tasks get their turn: rows that have arrived are read without ever waiting.
const TURN: usize = 1_000;

/// Where the environment stands, asked for by itself.
pub(crate) async fn version(client: &Client, environment: &EnvironmentName) -> Result<Version, StoreError> {
    stands(transaction::read(client, environment_row(client, environment)).await?, environment)
}

async fn environment_row(client: &Client, environment: &EnvironmentName) -> Result<Option<Row>, Error> {
    let sql = "SELECT epoch, revision FROM environments WHERE name = $1";
    client.query_typed_opt(sql, &[(&environment.as_str(), Type::TEXT)]).await
}

/// Where the row of the environment says that it stands.
fn stands(row: Option<Row>, environment: &EnvironmentName) -> Result<Version, StoreError> {
    let row = row.ok_or_else(|| StoreError::corrupt(format!("there is no environment {environment}")))?;
    let what = || format!("environment {environment}");
    let epoch: uuid::Uuid = column(&row, 0, what)?;
    let revision: i64 = column(&row, 1, what)?;
    Ok(Version { epoch: Epoch(epoch.as_u128()), revision: number(revision)? })
}

/// The receipts of these keys whose time is not over, and how many of those there are in all.
pub(crate) async fn receipts(
    client: &Client,
    environment: &EnvironmentName,
    keys: &[IdempotencyKey],
) -> Result<Receipts, StoreError> {
    let (name, life) = (environment.as_str(), RECEIPT_LIFE.as_secs_f64());
    let keys: Vec<&str> = keys.iter().map(IdempotencyKey::as_str).collect();
    let most = i64::from(MOST_RECEIPTS);
    let of_keys = "SELECT key, fingerprint, answer FROM receipts WHERE environment = $1 \
                   AND at > now() - make_interval(secs => $2) AND key = ANY($3::text[])";
    let count = "SELECT count(*) FROM (SELECT 1 FROM receipts WHERE environment = $1 \
                 AND at > now() - make_interval(secs => $2) LIMIT $3) AS kept";
    let question = async {
        try_join(
            client.query_typed(
                of_keys,
                &[(&name, Type::TEXT), (&life, Type::FLOAT8), (&keys, Type::TEXT_ARRAY)],
            ),
            client.query_typed_one(count, &[(&name, Type::TEXT), (&life, Type::FLOAT8), (&most, Type::INT8)]),
        )
        .await
    };
    let (rows, count) = transaction::read(client, question).await?;
    let kept: i64 = column(&count, 0, || "the number of receipts".to_owned())?;
    let known = rows.iter().map(receipt).collect::<Result<_, _>>()?;
    Ok(Receipts { known, kept: u32::try_from(kept).unwrap_or(u32::MAX) })
}

fn receipt(row: &Row) -> Result<Receipt, StoreError> {
    let key: &str = column(row, 0, || "the key of a receipt".to_owned())?;
    let what = || format!("receipt {key}");
    let fingerprint: &[u8] = column(row, 1, what)?;
    Ok(Receipt {
        key: IdempotencyKey::parse(key.as_bytes()).map_err(|why| unreadable(what, why))?,
        fingerprint: fingerprint.try_into().map_err(|why| unreadable(what, why))?,
        answer: column(row, 2, what)?,
    })
}

/// What is newer than `have`. Where the environment stands has to be known by `deadline`.
pub(crate) async fn load(
    client: Object,
    environment: &EnvironmentName,
    have: Option<Version>,
    deadline: Instant,
) -> Result<Fetched, StoreError> {
    let mut client = closed_unless_done(client);
    let fetched = fetch(&mut client, environment, have, deadline).await?;
    drop(ScopeGuard::into_inner(client));
    Ok(fetched)
}

async fn fetch(
    client: &mut Client,
    environment: &EnvironmentName,
    have: Option<Version>,
    deadline: Instant,
) -> Result<Fetched, StoreError> {
    let Some(have) = have else {
        return everything(client, environment, deadline).await;
    };
    let (now, rows) = ask_since(client, environment, have, deadline).await?;
    if have == now {
        return Ok(Fetched::Unchanged);
    }
    // Not if the store is behind: it lost what it had acknowledged, and only everything can tell what is left.
    if have.epoch == now.epoch && follows(now.revision, have.revision) {
        match rows.and_then(|rows| entries(&rows, environment, have.revision, now.revision)) {
            Ok(entries) => return Ok(Fetched::Changes(entries)),
            // A node that waited until the log is repaired would stand still, and the state tells where the log leads.
            Err(StoreError::Corrupt { what }) => {
                tracing::warn!(what, "the log cannot be read; loading everything");
            }
            Err(error) => return Err(error),
        }
    }
    everything(client, environment, Instant::now() + REQUEST).await
}

fn follows(now: Revision, have: Revision) -> bool {
    now.checked_sub(have).is_some_and(|behind| behind <= BEHIND)
}

/// Where the environment stands, and the rows of the log that lead there from `have`, as of one moment and in one journey; no
/// rows if the log is not the way.
async fn ask_since(
    client: &Client,
    environment: &EnvironmentName,
    have: Version,
    deadline: Instant,
) -> Result<(Version, Result<Vec<Row>, StoreError>), StoreError> {
    let sql = "SELECT revision, entry FROM changes WHERE environment = $1 AND revision > $3 \
               AND (SELECT epoch = $2 AND revision - $3 BETWEEN 0 AND $4 FROM environments WHERE name = $1) \
               ORDER BY revision";
    let (name, epoch) = (environment.as_str(), uuid::Uuid::from_u128(have.epoch.0));
    let (after, most) = (i64::try_from(have.revision).unwrap_or(i64::MAX), BEHIND as i64);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] =
        [(&name, Type::TEXT), (&epoch, Type::UUID), (&after, Type::INT8), (&most, Type::INT8)];
    let row = async {
        match timeout_at(deadline, environment_row(client, environment)).await {
            Ok(row) => row.map_err(failed),
            Err(_) => Err(StoreError::Unavailable("no answer in time".into())),
        }
    };
    // Sent together, in this order. What the log says may be long, so that more time begins where the first answer is due; and
    // where it cannot be told at all, the first answer is known all the same.
    let ((), row, (), rows, ()) = try_join5(
        client.batch_execute(BEGIN_READING).map_err(failed),
        row,
        client.batch_execute(LOAD_TERMS).map_err(failed),
        client.query_typed(sql, &parameters).map(|rows| Ok(rows.map_err(failed))),
        client.batch_execute("ROLLBACK").map_err(failed),
    )
    .await?;
    Ok((stands(row, environment)?, rows))
}

/// The entries of these rows, if they are all that follow.
fn entries(
    rows: &[Row],
    environment: &EnvironmentName,
    after: Revision,
    last: Revision,
) -> Result<Vec<Entry>, StoreError> {
    let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let found = entries.iter().map(|entry| entry.revision);
    match (after + 1..=last).zip(found.chain(std::iter::repeat(0))).find(|(due, found)| due != found) {
        Some((due, _)) => {
            Err(StoreError::corrupt(format!("revision {due} is missing from the log of {environment}")))
        }
        None => Ok(entries),
    }
}

/// A line of the log, from its revision and its document.
pub(crate) fn entry(row: &Row) -> Result<Entry, StoreError> {
    let revision = number(column(row, 0, || "a revision".to_owned())?)?;
    let what = || format!("revision {revision}");
    let Json(document) = column::<Json<EntryDocument>>(row, 1, what)?;
    let entry = document.into_entry().map_err(|why| unreadable(what, why))?;
    if entry.revision != revision {
        return Err(unreadable(what, format_args!("its entry says {}", entry.revision)));
    }
    Ok(entry)
}

/// Everything, as of one moment. Where the environment stands has to be known by `deadline`.
async fn everything(
    client: &mut Client,
    environment: &EnvironmentName,
    deadline: Instant,
) -> Result<Fetched, StoreError> {
    let begin = async {
        let transaction =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let transaction = transaction.start().await?;
        let terms = transaction.batch_execute(LOAD_TERMS);
        let ((), row) = try_join(terms, environment_row(transaction.client(), environment)).await?;
        Ok((transaction, row))
    };
    let late = |_| StoreError::Unavailable("no answer in time".into());
    let (transaction, row) = timeout_at(deadline, begin).await.map_err(late)?.map_err(failed)?;
    let whole = snapshot(&transaction, environment, stands(row, environment)?).await?;
    // Nothing was written, and everything was read: how it ends is of no interest.
    let _ = transaction.rollback().await;
    Ok(Fetched::Snapshot(whole))
}

async fn snapshot(
    transaction: &Transaction<'_>,
    environment: &EnvironmentName,
    version: Version,
) -> Result<Snapshot, StoreError> {
    let mut loaded = LoadedRows::default();
    // As text, in which whatever stands there can be handed on.
    let sql = "SELECT key, document::text FROM flags WHERE environment = $1 ORDER BY key";
    let mut rows = pin!(stream(transaction, sql, environment).await?);
    let mut count = 0;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        loaded.flag(raw(&row, 0), raw(&row, 1));
        count += 1;
        take_turns(count).await;
    }
    // Flag by flag, so that each is looked up once.
    let sql = "SELECT flag, level, subject, variant FROM overrides WHERE environment = $1 ORDER BY flag";
    let mut rows = pin!(stream(transaction, sql, environment).await?);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        loaded.pin(raw(&row, 0), raw(&row, 1), raw(&row, 2), raw(&row, 3));
        count += 1;
        take_turns(count).await;
    }
    // Every flag goes into the table of flags, which may be large: off the threads that answer requests.
    let build = tokio::task::spawn_blocking(move || loaded.finish(version));
    build.await.map_err(|error| StoreError::Unavailable(Box::new(error)))
}

/// A column of the state. What it holds is no reason to fail, whatever it is.
fn raw(row: &Row, place: usize) -> Column<'_> {
    row.try_get(place).map_err(|error| Unreadable(reason(&error)))
}

async fn take_turns(rows: usize) {
    if rows.is_multiple_of(TURN) {
        tokio::task::yield_now().await;
    }
}

async fn stream(
    transaction: &Transaction<'_>,
    sql: &str,
    environment: &EnvironmentName,
) -> Result<tokio_postgres::RowStream, StoreError> {
    let name: &(dyn ToSql + Sync) = &environment.as_str();
    transaction.query_typed_raw(sql, [(name, Type::TEXT)]).await.map_err(failed)
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    place: usize,
    what: impl Fn() -> String,
) -> Result<T, StoreError> {
    row.try_get(place).map_err(|error| unreadable(what, reason(&error)))
}

fn unreadable(what: impl Fn() -> String, why: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(format!("{}: {why}", what()))
}

fn number(revision: i64) -> Result<Revision, StoreError> {
    Revision::try_from(revision).map_err(|_| StoreError::corrupt(format!("revision {revision} is below 0")))
}
