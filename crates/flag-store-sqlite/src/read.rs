//! Reading: versions, entries of the log, whole snapshots. Whatever the file holds, it is read or reported.

use flag_core::{Entry, Epoch, Revision, Snapshot, Version};
use flag_engine::document::{EntryDocument, Unreadable};
use flag_engine::{
    Column, EnvironmentName, Fetched, HistoryPage, IdempotencyKey, LoadedRows, MOST_RECEIPTS, RECEIPT_LIFE,
    Receipt, Receipts, StoreError,
};
use rusqlite::types::{FromSql, FromSqlError, ValueRef};
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction};

use crate::error::store_error;

/// Whoever is further behind gets a whole snapshot, which is then less to read.
const MOST_CHANGES: Revision = 1_000;

const VERSION: &str = "SELECT epoch, revision FROM environments WHERE name = ?1";
const CHANGES: &str =
    "SELECT revision, flag, entry FROM changes WHERE environment = ?1 AND revision > ?2 ORDER BY revision";
const HISTORY: &str = "SELECT revision, flag, entry FROM changes
    WHERE environment = ?1 AND revision < ?2 ORDER BY revision DESC LIMIT ?3";
const HISTORY_OF_FLAG: &str = "SELECT revision, flag, entry FROM changes
    WHERE environment = ?1 AND revision < ?2 AND flag = ?4 ORDER BY revision DESC LIMIT ?3";
const RECEIPT: &str =
    "SELECT fingerprint, answer FROM receipts WHERE environment = ?1 AND at > unixepoch() - ?2 AND key = ?3";
const RECEIPT_COUNT: &str = "SELECT count(*) FROM (
    SELECT 1 FROM receipts WHERE environment = ?1 AND at > unixepoch() - ?2 LIMIT ?3)";
const FLAGS: &str = "SELECT key, document FROM flags WHERE environment = ?1";
const OVERRIDES: &str = "SELECT flag, level, subject, variant FROM overrides WHERE environment = ?1";

/// What is newer than `have`, as of one moment.
pub(crate) fn fetch(
    connection: &mut Connection,
    environment: &EnvironmentName,
    have: Option<Version>,
) -> Result<Fetched, StoreError> {
    // Nothing is written, so it makes no difference that the transaction is rolled back at the end.
    let moment = connection.transaction().map_err(store_error)?;
    let newest = version(&moment, environment)?;
    match have {
        Some(have) if have == newest => Ok(Fetched::Unchanged),
        Some(have) if have.epoch == newest.epoch && is_a_little_behind(have.revision, newest.revision) => {
            match changes(&moment, environment, have.revision, newest.revision) {
                Ok(entries) => Ok(Fetched::Changes(entries)),
                // A node that waited for the log to be repaired would stand still; the state tells where the log leads.
                Err(StoreError::Corrupt { what }) => {
                    tracing::warn!(what, "the log cannot be read; loading everything");
                    snapshot(&moment, environment, newest).map(Fetched::Snapshot)
                }
                Err(error) => Err(error),
            }
        }
        _ => snapshot(&moment, environment, newest).map(Fetched::Snapshot),
    }
}

fn is_a_little_behind(have: Revision, newest: Revision) -> bool {
    newest.checked_sub(have).is_some_and(|behind| (1..=MOST_CHANGES).contains(&behind))
}

/// Where the environment stands.
pub(crate) fn version(connection: &Connection, environment: &EnvironmentName) -> Result<Version, StoreError> {
    let mut statement = connection.prepare_cached(VERSION).map_err(store_error)?;
    let row = statement.query_row([environment.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    let (epoch, revision): (String, i64) = row
        .optional()
        .map_err(store_error)?
        .ok_or_else(|| StoreError::corrupt(format!("there is no environment {environment}")))?;
    let unreadable = |what| StoreError::corrupt(format!("the {what} of environment {environment}"));
    let epoch = u128::from_str_radix(&epoch, 16).map_err(|_| unreadable("epoch"))?;
    let revision = Revision::try_from(revision).map_err(|_| unreadable("revision"))?;
    Ok(Version { epoch: Epoch(epoch), revision })
}

fn changes(
    moment: &Transaction<'_>,
    environment: &EnvironmentName,
    have: Revision,
    newest: Revision,
) -> Result<Vec<Entry>, StoreError> {
    let entries = entries(moment, CHANGES, (environment.as_str(), number(have)))?;
    let due = (have + 1..=newest)
        .zip(entries.iter().map(|entry| Some(entry.revision)).chain(std::iter::repeat(None)));
    for (due, found) in due {
        if found != Some(due) {
            return Err(StoreError::corrupt(format!(
                "the log of environment {environment} lacks revision {due}"
            )));
        }
    }
    Ok(entries)
}

/// A page of the log, newest first.
pub(crate) fn history(
    connection: &Connection,
    environment: &EnvironmentName,
    page: HistoryPage<'_>,
) -> Result<Vec<Entry>, StoreError> {
    let before = page.before.map_or(i64::MAX, number);
    match page.flag {
        None => entries(connection, HISTORY, (environment.as_str(), before, page.limit)),
        Some(flag) => {
            entries(connection, HISTORY_OF_FLAG, (environment.as_str(), before, page.limit, flag.as_str()))
        }
    }
}

/// The receipts of these keys whose time is not over, and how many of those there are in all.
pub(crate) fn receipts(
    connection: &mut Connection,
    environment: &EnvironmentName,
    keys: &[IdempotencyKey],
) -> Result<Receipts, StoreError> {
    let moment = connection.transaction().map_err(store_error)?;
    let (environment, life) = (environment.as_str(), number(RECEIPT_LIFE.as_secs()));
    let mut statement = moment.prepare_cached(RECEIPT_COUNT).map_err(store_error)?;
    let kept =
        statement.query_row((environment, life, MOST_RECEIPTS), |row| row.get(0)).map_err(store_error)?;
    let mut statement = moment.prepare_cached(RECEIPT).map_err(store_error)?;
    let mut known = Vec::new();
    for key in keys {
        let row = statement
            .query_row((environment, life, key.as_str()), |row| {
                Ok(Receipt { key: key.clone(), fingerprint: row.get(0)?, answer: row.get(1)? })
            })
            .optional();
        known.extend(row.map_err(store_error)?);
    }
    Ok(Receipts { known, kept })
}

/// A revision, or another whole number, as SQLite counts; no row has one that does not fit.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn entries(connection: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = statement.query(parameters).map_err(store_error)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let revision: i64 = column(row, 0, || "a revision in the log".to_owned())?;
    let name = || format!("revision {revision} in the log");
    let unreadable = |why: &dyn std::fmt::Display| StoreError::corrupt(format!("{}: {why}", name()));
    let flag: String = column(row, 1, name)?;
    let text: String = column(row, 2, name)?;
    let document: EntryDocument = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    let entry = document.into_entry().map_err(|error| unreadable(&error))?;
    if i64::try_from(entry.revision) != Ok(revision) {
        return Err(unreadable(&format_args!("it says that it is {}", entry.revision)));
    }
    if entry.change.key().as_str() != flag {
        return Err(unreadable(&format_args!(
            "it is filed under {flag:?} and speaks of {}",
            entry.change.key()
        )));
    }
    Ok(entry)
}

fn snapshot(
    moment: &Transaction<'_>,
    environment: &EnvironmentName,
    version: Version,
) -> Result<Snapshot, StoreError> {
    let mut loaded = LoadedRows::default();
    let mut statement = moment.prepare_cached(FLAGS).map_err(store_error)?;
    let mut rows = statement.query([environment.as_str()]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        loaded.flag(raw(row, 0)?, raw(row, 1)?);
    }
    let mut statement = moment.prepare_cached(OVERRIDES).map_err(store_error)?;
    let mut rows = statement.query([environment.as_str()]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        loaded.pin(raw(row, 0)?, raw(row, 1)?, raw(row, 2)?, raw(row, 3)?);
    }
    Ok(loaded.finish(version))
}

/// A column of the state. What it holds is no reason to fail, whatever it is.
fn raw<'a>(row: &'a Row<'_>, index: usize) -> Result<Column<'a>, StoreError> {
    Ok(match row.get_ref(index).map_err(store_error)? {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_err(|error| Unreadable(error.to_string())),
        other => Err(Unreadable(format!("it is {} and no text", other.data_type()))),
    })
}

/// A column of a row that `name` describes.
fn column<T: FromSql>(row: &Row<'_>, index: usize, name: impl Fn() -> String) -> Result<T, StoreError> {
    let value = row.get_ref(index).map_err(store_error)?;
    T::column_result(value).map_err(|error: FromSqlError| StoreError::corrupt(format!("{}: {error}", name())))
}
