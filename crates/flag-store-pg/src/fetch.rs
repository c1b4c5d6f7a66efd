//! Reading what is newer: the entries that follow a version, or everything.

use std::pin::pin;
use std::time::Duration;

use deadpool_postgres::Object;
use flag_core::{Entry, Epoch, Flag, Level, Revision, Snapshot, SubjectId, Variant, Version};
use flag_engine::document::{EntryDocument, FlagDocument};
use flag_engine::{EnvironmentName, Fetched, StoreError};
use futures_util::TryStreamExt;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Client, IsolationLevel, Row, Transaction};

use crate::error::{failed, reason};

/// How long a statement may take that reads everything.
pub(crate) const LOAD: Duration = Duration::from_secs(60);
/// What holds for the transaction that loads: the server gives up when nobody waits for it any more.
const LOAD_TERMS: &str =
    "SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '5s'";
/// How far behind a node may be to be given the entries. Beyond that, everything is the shorter answer.
const BEHIND: Revision = 1_000;
/// After how many rows other tasks get their turn: rows that have arrived are read without ever waiting.
const TURN: usize = 1_000;

/// What holds for the transaction of a short question. A statement that waits for a lock does not notice that nobody waits
/// for its answer any more: without a limit of its own, each question to a locked table would leave a session behind.
pub(crate) const SHORT_TERMS: &str =
    "SET LOCAL statement_timeout = '2s'; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// Begins a transaction that only reads and sees one moment.
pub(crate) async fn begin<'a>(client: &'a mut Client, terms: &str) -> Result<Transaction<'a>, StoreError> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = transaction.start().await.map_err(failed)?;
    transaction.batch_execute(terms).await.map_err(failed)?;
    Ok(transaction)
}

/// Where the environment stands, asked for by itself.
pub(crate) async fn ask_version(
    client: &mut Client,
    environment: &EnvironmentName,
) -> Result<Version, StoreError> {
    // Dropped, the transaction is rolled back before anything else happens on the connection.
    let transaction = begin(client, SHORT_TERMS).await?;
    version(transaction.client(), environment).await
}

/// Where the environment stands.
async fn version(client: &Client, environment: &EnvironmentName) -> Result<Version, StoreError> {
    let sql = "SELECT epoch, revision FROM environments WHERE name = $1";
    let row = client.query_typed_opt(sql, &[(&environment.as_str(), Type::TEXT)]).await.map_err(failed)?;
    let row = row.ok_or_else(|| StoreError::corrupt(format!("there is no environment {environment}")))?;
    let what = || format!("environment {environment}");
    let epoch: uuid::Uuid = column(&row, 0, what)?;
    let revision: i64 = column(&row, 1, what)?;
    Ok(Version { epoch: Epoch(epoch.as_u128()), revision: number(revision)? })
}

/// What is newer than `have`, as of one moment.
pub(crate) async fn load(
    mut client: Object,
    environment: &EnvironmentName,
    have: Option<Version>,
) -> Result<Fetched, StoreError> {
    let client: &mut Client = &mut client;
    // Every statement sees what the first one saw, so that the state and its revision belong together.
    let transaction = begin(client, LOAD_TERMS).await?;
    let now = version(transaction.client(), environment).await?;
    let fetched = match have {
        Some(have) if have == now => Fetched::Unchanged,
        Some(Version { epoch, revision }) if epoch == now.epoch && follows(now.revision, revision) => {
            Fetched::Changes(entries(&transaction, environment, revision, now.revision).await?)
        }
        // Also where the store is behind: it lost what it had acknowledged, and only everything can tell what is left.
        _ => Fetched::Snapshot(snapshot(&transaction, environment, now).await?),
    };
    // Nothing was written, and everything was read: how it ends is of no interest.
    let _ = transaction.rollback().await;
    Ok(fetched)
}

fn follows(now: Revision, have: Revision) -> bool {
    now.checked_sub(have).is_some_and(|behind| behind <= BEHIND)
}

async fn entries(
    transaction: &Transaction<'_>,
    environment: &EnvironmentName,
    after: Revision,
    last: Revision,
) -> Result<Vec<Entry>, StoreError> {
    let sql =
        "SELECT revision, entry FROM changes WHERE environment = $1 AND revision > $2 ORDER BY revision";
    let (name, from) = (environment.as_str(), i64::try_from(after).unwrap_or(i64::MAX));
    let rows =
        transaction.query_typed(sql, &[(&name, Type::TEXT), (&from, Type::INT8)]).await.map_err(failed)?;
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

async fn snapshot(
    transaction: &Transaction<'_>,
    environment: &EnvironmentName,
    version: Version,
) -> Result<Snapshot, StoreError> {
    let mut flags = flags(transaction, environment).await?;
    overrides(transaction, environment, &mut flags).await?;
    // Every flag goes into the table of flags, which may be large: off the threads that answer requests.
    let build = tokio::task::spawn_blocking(move || Snapshot::new(version, flags));
    build.await.map_err(|error| StoreError::Unavailable(Box::new(error)))
}

/// Every flag in the order of keys, as yet without overrides.
async fn flags(
    transaction: &Transaction<'_>,
    environment: &EnvironmentName,
) -> Result<Vec<Flag>, StoreError> {
    let sql = "SELECT key, document FROM flags WHERE environment = $1 ORDER BY key";
    let mut rows = pin!(stream(transaction, sql, environment).await?);
    let mut flags = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        flags.push(flag(&row)?);
        take_turns(flags.len()).await;
    }
    Ok(flags)
}

fn flag(row: &Row) -> Result<Flag, StoreError> {
    let key: &str = column(row, 0, || "the key of a flag".to_owned())?;
    let what = || format!("flag {key}");
    let Json(document) = column::<Json<FlagDocument>>(row, 1, what)?;
    let flag = document.into_flag().map_err(|why| unreadable(what, why))?;
    if flag.key.as_str() != key {
        return Err(unreadable(what, format_args!("its document is that of {}", flag.key)));
    }
    Ok(flag)
}

/// Hangs every override on its flag. Both come in the order of keys, so that one pass is enough and no row is kept.
async fn overrides(
    transaction: &Transaction<'_>,
    environment: &EnvironmentName,
    flags: &mut [Flag],
) -> Result<(), StoreError> {
    let sql = "SELECT flag, level, subject, variant FROM overrides WHERE environment = $1 ORDER BY flag";
    let mut rows = pin!(stream(transaction, sql, environment).await?);
    let mut flags = flags.iter_mut();
    let mut current = flags.next();
    let mut count = 0;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let key: &str = column(&row, 0, || "the flag of an override".to_owned())?;
        while current.as_ref().is_some_and(|flag| flag.key.as_str() != key) {
            current = flags.next();
        }
        let Some(flag) = current.as_mut() else {
            return Err(StoreError::corrupt(format!("flag {key}: it has overrides, but it does not exist")));
        };
        hang(flag, &row)?;
        count += 1;
        take_turns(count).await;
    }
    Ok(())
}

fn hang(flag: &mut Flag, row: &Row) -> Result<(), StoreError> {
    let key = &flag.key;
    let what = || format!("an override of flag {key}");
    let (level, subject, variant) = (column(row, 1, what)?, column(row, 2, what)?, column(row, 3, what)?);
    let level =
        Level::named(level).ok_or_else(|| unreadable(what, format_args!("unknown level {level:?}")))?;
    let variant = Variant::named(variant)
        .ok_or_else(|| unreadable(what, format_args!("unknown variant {variant:?}")))?;
    let subject = SubjectId::parse(subject)
        .map_err(|why| unreadable(what, format_args!("subject {subject:?} {why}")))?;
    flag.overrides.set(level, &subject, variant);
    Ok(())
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
