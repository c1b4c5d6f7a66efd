//! Writing: a batch in one transaction, if the environment still stands where the batch expects it.

use flag_core::Version;
use flag_engine::document::{EntryDocument, FlagDocument, Unreadable};
use flag_engine::{
    Appended, Batch, EnvironmentName, OverrideRow, RECEIPT_LIFE, RECEIPTS_REMOVED, Receipt, Rows, StoreError,
};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::error::store_error;
use crate::read;

const ADVANCE: &str =
    "UPDATE environments SET revision = revision + ?4 WHERE name = ?1 AND epoch = ?2 AND revision = ?3";
const LOG: &str = "INSERT INTO changes (environment, revision, flag, entry) VALUES (?1, ?2, ?3, ?4)";
const REMOVE_OVERRIDES: &str = "DELETE FROM overrides WHERE environment = ?1 AND flag = ?2";
const REMOVE_FLAG: &str = "DELETE FROM flags WHERE environment = ?1 AND key = ?2";
// Not `INSERT OR REPLACE`, which deletes the old row first, and its overrides with it.
const SET_FLAG: &str = "INSERT INTO flags (environment, key, document) VALUES (?1, ?2, ?3)
    ON CONFLICT (environment, key) DO UPDATE SET document = excluded.document";
const REMOVE_OVERRIDE: &str =
    "DELETE FROM overrides WHERE environment = ?1 AND flag = ?2 AND level = ?3 AND subject = ?4";
const SET_OVERRIDE: &str = "INSERT INTO overrides (environment, flag, level, subject, variant)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (environment, flag, level, subject) DO UPDATE SET variant = excluded.variant";

// A receipt whose time is over makes room for the next of its key.
const RECEIPT: &str = "INSERT INTO receipts (environment, key, fingerprint, answer, at)
    VALUES (?1, ?2, ?3, ?4, unixepoch())
    ON CONFLICT (environment, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at
    WHERE receipts.at <= unixepoch() - ?5";
const REMOVE_RECEIPTS: &str = "DELETE FROM receipts WHERE (environment, key) IN (
    SELECT environment, key FROM receipts WHERE environment = ?1 AND at <= unixepoch() - ?2 ORDER BY at LIMIT ?3)";

/// Writes `batch`, all of it or nothing.
pub(crate) fn append(
    connection: &mut Connection,
    environment: &EnvironmentName,
    expected: Version,
    batch: &Batch,
) -> Result<Appended, StoreError> {
    let writing =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
    if advance(&writing, environment, expected, batch)? == Appended::Conflict {
        return Ok(Appended::Conflict);
    }
    log(&writing, environment, expected, batch)?;
    rows(&writing, environment, &batch.rows)?;
    if receipts(&writing, environment, &batch.receipts)? == Appended::Conflict {
        return Ok(Appended::Conflict);
    }
    commit(writing)?;
    Ok(Appended::Committed)
}

/// Moves the environment by as many revisions as the batch has entries, if it stands where it is expected.
fn advance(
    writing: &Transaction<'_>,
    environment: &EnvironmentName,
    expected: Version,
    batch: &Batch,
) -> Result<Appended, StoreError> {
    let Ok(revision) = i64::try_from(expected.revision) else { return Ok(Appended::Conflict) };
    let count = i64::try_from(batch.entries.len()).unwrap_or(i64::MAX);
    let parameters = (environment.as_str(), expected.epoch.to_string(), revision, count);
    let moved = writing.prepare_cached(ADVANCE).and_then(|mut statement| statement.execute(parameters));
    if moved.map_err(store_error)? == 1 {
        return Ok(Appended::Committed);
    }
    // An environment that does not exist stands nowhere, which is no conflict: trying again would not help.
    read::version(writing, environment).map(|_| Appended::Conflict)
}

fn log(
    writing: &Transaction<'_>,
    environment: &EnvironmentName,
    expected: Version,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut statement = writing.prepare_cached(LOG).map_err(store_error)?;
    for (due, entry) in (expected.revision.saturating_add(1)..).zip(&batch.entries) {
        let (found, key) = (entry.revision, entry.change.key());
        if found != due {
            return Err(StoreError::corrupt(format!("a batch with revision {found} where {due} is due")));
        }
        let written = EntryDocument::new(entry).and_then(|document| Ok(serde_json::to_string(&document)?));
        let text = written.map_err(|error| unwritable(&format!("revision {found}"), &error))?;
        statement
            .execute((environment.as_str(), read::number(found), key.as_str(), text))
            .map_err(store_error)?;
    }
    Ok(())
}

/// Brings the state to what the batch makes of it, in the order that [`Rows`] asks for.
fn rows(writing: &Transaction<'_>, environment: &EnvironmentName, rows: &Rows) -> Result<(), StoreError> {
    let environment = environment.as_str();
    // The overrides by name as well: those of a flag that cannot be read may have lost the row that they hang on.
    let mut overrides = writing.prepare_cached(REMOVE_OVERRIDES).map_err(store_error)?;
    let mut statement = writing.prepare_cached(REMOVE_FLAG).map_err(store_error)?;
    for key in &rows.removed_flags {
        overrides.execute((environment, key.as_str())).map_err(store_error)?;
        statement.execute((environment, key.as_str())).map_err(store_error)?;
    }
    let mut statement = writing.prepare_cached(SET_FLAG).map_err(store_error)?;
    for (key, flag) in &rows.flags {
        let written = serde_json::to_string(&FlagDocument::from(flag));
        let text = written.map_err(|error| unwritable(&format!("flag {key}"), &error.into()))?;
        statement.execute((environment, key.as_str(), text)).map_err(store_error)?;
    }
    let mut statement = writing.prepare_cached(REMOVE_OVERRIDE).map_err(store_error)?;
    for OverrideRow { flag, level, subject } in &rows.removed_overrides {
        let row = (environment, flag.as_str(), level.name(), subject.as_str());
        statement.execute(row).map_err(store_error)?;
    }
    let mut statement = writing.prepare_cached(SET_OVERRIDE).map_err(store_error)?;
    for (OverrideRow { flag, level, subject }, variant) in &rows.overrides {
        let row = (environment, flag.as_str(), level.name(), subject.as_str(), variant.name());
        statement.execute(row).map_err(store_error)?;
    }
    Ok(())
}

/// Keeps the receipts, unless one of them is there already: another node was first, though it may have changed nothing.
fn receipts(
    writing: &Transaction<'_>,
    environment: &EnvironmentName,
    receipts: &[Receipt],
) -> Result<Appended, StoreError> {
    if receipts.is_empty() {
        return Ok(Appended::Committed);
    }
    let (environment, life) = (environment.as_str(), read::number(RECEIPT_LIFE.as_secs()));
    let mut statement = writing.prepare_cached(RECEIPT).map_err(store_error)?;
    for Receipt { key, fingerprint, answer } in receipts {
        let row = (environment, key.as_str(), fingerprint.as_slice(), answer, life);
        if statement.execute(row).map_err(store_error)? == 0 {
            return Ok(Appended::Conflict);
        }
    }
    let mut statement = writing.prepare_cached(REMOVE_RECEIPTS).map_err(store_error)?;
    statement.execute((environment, life, RECEIPTS_REMOVED)).map_err(store_error)?;
    Ok(Appended::Committed)
}

fn unwritable(what: &str, error: &Unreadable) -> StoreError {
    StoreError::corrupt(format!("{what} cannot be written down: {error}"))
}

fn commit(writing: Transaction<'_>) -> Result<(), StoreError> {
    let Err(error) = writing.execute_batch("COMMIT") else { return Ok(()) };
    let busy = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    let rolled_back = writing.rollback().is_ok();
    if busy && rolled_back {
        return Err(StoreError::Unavailable(Box::new(error)));
    }
    // The disk failed half-way: what it holds shows only when the file is read again.
    Err(StoreError::Uncertain(Box::new(error)))
}
