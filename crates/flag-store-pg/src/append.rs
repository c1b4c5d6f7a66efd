//! Writing a batch: the log and the state in one transaction, only if the environment stands where the batch expects it.
//!
//! Two journeys to the server and back: the beginning, the compare-and-set, which takes the lock of the environment, and
//! everything that is to be written, sent together and without effect if the environment stands elsewhere; the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deadpool_postgres::Object;
use flag_core::{Entry, Flag, FlagKey, Variant, Version};
use flag_engine::document::{EntryDocument, FlagDocument};
use flag_engine::{
    Appended, Batch, EnvironmentName, OverrideRow, RECEIPT_LIFE, RECEIPTS_REMOVED, Receipt, StoreError,
};
use futures_util::TryFutureExt;
use futures_util::future::{try_join, try_join3, try_join5};
use scopeguard::ScopeGuard;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::types::{Json, ToSql, Type};

use crate::error::failed;
use crate::fetch;
use crate::transaction::closed_unless_done;

/// How long a commit may take. After that nobody knows what became of it.
const COMMIT: Duration = Duration::from_secs(2);

// Said aloud, because a role or a database may have other defaults: in a stricter isolation a lost race is an error.
const BEGIN: &str = "START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE";
/// What holds for the transaction of a write. An acknowledged change survives the loss of power, so a server that was
/// told not to wait for its disk is told otherwise here; a stricter setting, such as a wait for a standby, stays.
/// `flag.is_writing` is on until the end of the transaction, and nowhere where there is none.
const TERMS: &str = "SELECT set_config('statement_timeout', '2000', true), \
     set_config('idle_in_transaction_session_timeout', '5000', true), set_config('flag.is_writing', 'on', true), \
     set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
     ELSE current_setting('synchronous_commit') END, true)";

/// `$sql` with the condition that this very transaction has moved the environment on, which is then locked. Without it, what
/// is written on a base that is not the newest would run into what others have written.
macro_rules! if_moved_on {
    ($sql:literal) => {
        concat!(
            $sql,
            " EXISTS (SELECT FROM environments WHERE name = $1 AND xmin = pg_current_xact_id_if_assigned()::xid)"
        )
    };
    ($sql:literal, $rest:literal) => {
        concat!(if_moved_on!($sql), " ", $rest)
    };
}

/// Whether the environment stands at `expected`: all that an empty batch asks.
pub(crate) async fn stands_at(
    client: &Client,
    environment: &EnvironmentName,
    expected: Version,
) -> Result<Appended, StoreError> {
    let now = fetch::version(client, environment).await?;
    Ok(if now == expected { Appended::Committed } else { Appended::Conflict })
}

/// Writes `batch`; until `deadline`, the commit not counted.
pub(crate) async fn append(
    client: Object,
    environment: &EnvironmentName,
    expected: Version,
    batch: &Batch,
    deadline: Instant,
) -> Result<Appended, StoreError> {
    let client = closed_unless_done(client);
    let late = |_| StoreError::Unavailable("no answer in time".into());
    let written = write(&client, environment, expected, batch);
    let outcome = match timeout_at(deadline, written).await.map_err(late)?? {
        Written::All => commit(&client).await?,
        Written::Nothing => {
            // Whatever becomes of this: that nothing was written is known.
            let Ok(Ok(())) = timeout_at(deadline, client.batch_execute("ROLLBACK")).await else {
                return Ok(Appended::Conflict);
            };
            Appended::Conflict
        }
    };
    drop(ScopeGuard::into_inner(client));
    Ok(outcome)
}

/// What a transaction holds that is not committed yet.
enum Written {
    All,
    /// Another node was first.
    Nothing,
}

/// Everything but the end of the transaction.
async fn write(
    client: &Client,
    environment: &EnvironmentName,
    expected: Version,
    batch: &Batch,
) -> Result<Written, StoreError> {
    let writer = Writer { client, environment: environment.as_str() };
    // Each of these sends its statement when it is first polled, and they are polled in this order.
    let begin = try_join3(
        client.batch_execute(BEGIN).map_err(failed),
        execute(client, TERMS, &[]),
        writer.compare_and_set(expected, batch.entries.len()),
    );
    let flags = try_join(writer.remove_flags(&batch.rows.removed_flags), writer.put_flags(&batch.rows.flags));
    let overrides = try_join(
        writer.remove_overrides(&batch.rows.removed_overrides),
        writer.put_overrides(&batch.rows.overrides),
    );
    let (((), _, stood), kept, ..) =
        try_join5(begin, writer.receipts(&batch.receipts), writer.log(&batch.entries), flags, overrides)
            .await?;
    // The environment stands as expected where another node has made the same writes just now and they changed nothing.
    let is_first = stood == 1 && kept == batch.receipts.len() as u64;
    Ok(if is_first { Written::All } else { Written::Nothing })
}

async fn commit(client: &Client) -> Result<Appended, StoreError> {
    match timeout(COMMIT, client.batch_execute("COMMIT")).await {
        Ok(Ok(())) => Ok(Appended::Committed),
        // Also what the server says is no proof: it may have been told to end just after it had committed.
        Ok(Err(error)) => Err(StoreError::Uncertain(Box::new(error))),
        Err(_) => Err(StoreError::Uncertain(format!("no answer to a commit within {COMMIT:?}").into())),
    }
}

/// One statement for each kind of row, however many rows there are, and none if there are none.
struct Writer<'a> {
    client: &'a Client,
    environment: &'a str,
}

impl Writer<'_> {
    /// Moves the environment on, and keeps it locked until the end of the transaction. Says how many rows stood as expected.
    async fn compare_and_set(&self, expected: Version, entries: usize) -> Result<u64, StoreError> {
        let before = i64::try_from(expected.revision).ok();
        let after = before.and_then(|before| before.checked_add(i64::try_from(entries).ok()?));
        let (Some(before), Some(after)) = (before, after) else {
            // No environment has come as far as that.
            return Ok(0);
        };
        // Sent before it is known that the transaction has begun: without one, this alone would be made, and last.
        let sql = "UPDATE environments SET revision = $4 WHERE name = $1 AND epoch = $2 AND revision = $3 \
                   AND current_setting('flag.is_writing', true) = 'on'";
        let epoch = uuid::Uuid::from_u128(expected.epoch.0);
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.environment, Type::TEXT),
            (&epoch, Type::UUID),
            (&before, Type::INT8),
            (&after, Type::INT8),
        ];
        execute(self.client, sql, &parameters).await
    }

    async fn log(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut revisions = Vec::with_capacity(entries.len());
        let mut flags = Vec::with_capacity(entries.len());
        let mut documents = Vec::with_capacity(entries.len());
        for entry in entries {
            let document = EntryDocument::new(entry);
            let document =
                document.map_err(|why| StoreError::corrupt(format!("revision {}: {why}", entry.revision)))?;
            // The last of them fitted when the environment was moved on.
            revisions.push(i64::try_from(entry.revision).unwrap_or(i64::MAX));
            flags.push(entry.change.key().as_str());
            documents.push(Json(document));
        }
        let sql = if_moved_on!(
            "INSERT INTO changes (environment, revision, flag, entry) \
             SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::jsonb[]) WHERE"
        );
        self.rows(
            sql,
            &[(&revisions, Type::INT8_ARRAY), (&flags, Type::TEXT_ARRAY), (&documents, Type::JSONB_ARRAY)],
        )
        .await
    }

    async fn remove_flags(&self, keys: &BTreeSet<FlagKey>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = keys.iter().map(FlagKey::as_str).collect();
        // The overrides by name as well: those of a flag that cannot be read may have lost the row that they hang on.
        let sql = concat!(
            "WITH hung AS (",
            if_moved_on!("DELETE FROM overrides WHERE environment = $1 AND flag = ANY($2::text[]) AND", ") "),
            if_moved_on!("DELETE FROM flags WHERE environment = $1 AND key = ANY($2::text[]) AND")
        );
        self.rows(sql, &[(&keys, Type::TEXT_ARRAY)]).await
    }

    async fn put_flags(&self, flags: &BTreeMap<FlagKey, Flag>) -> Result<(), StoreError> {
        if flags.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = flags.keys().map(FlagKey::as_str).collect();
        let documents: Vec<_> = flags.values().map(|flag| Json(FlagDocument::from(flag))).collect();
        let sql = if_moved_on!(
            "INSERT INTO flags (environment, key, document) \
             SELECT $1, * FROM unnest($2::text[], $3::jsonb[]) WHERE",
            "ON CONFLICT (environment, key) DO UPDATE SET document = excluded.document"
        );
        self.rows(sql, &[(&keys, Type::TEXT_ARRAY), (&documents, Type::JSONB_ARRAY)]).await
    }

    async fn remove_overrides(&self, rows: &BTreeSet<OverrideRow>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (flags, levels, subjects) = columns(rows.iter());
        let sql = if_moved_on!(
            "DELETE FROM overrides \
             USING unnest($2::text[], $3::text[], $4::text[]) AS gone (flag, level, subject) \
             WHERE overrides.environment = $1 AND overrides.flag = gone.flag \
             AND overrides.level = gone.level AND overrides.subject = gone.subject AND"
        );
        let text = Type::TEXT_ARRAY;
        self.rows(sql, &[(&flags, text.clone()), (&levels, text.clone()), (&subjects, text)]).await
    }

    async fn put_overrides(&self, rows: &BTreeMap<OverrideRow, Variant>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (flags, levels, subjects) = columns(rows.keys());
        let variants: Vec<&str> = rows.values().map(|variant| variant.name()).collect();
        let sql = if_moved_on!(
            "INSERT INTO overrides (environment, flag, level, subject, variant) \
             SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WHERE",
            "ON CONFLICT (environment, flag, level, subject) DO UPDATE SET variant = excluded.variant"
        );
        let text = Type::TEXT_ARRAY;
        let parameters: [(&(dyn ToSql + Sync), Type); 4] =
            [(&flags, text.clone()), (&levels, text.clone()), (&subjects, text.clone()), (&variants, text)];
        self.rows(sql, &parameters).await
    }

    /// Keeps the receipts that are not there already, and says how many those are. One whose time is over makes room for the
    /// next of its key.
    async fn receipts(&self, receipts: &[Receipt]) -> Result<u64, StoreError> {
        if receipts.is_empty() {
            return Ok(0);
        }
        let keys: Vec<&str> = receipts.iter().map(|receipt| receipt.key.as_str()).collect();
        let fingerprints: Vec<&[u8]> =
            receipts.iter().map(|receipt| receipt.fingerprint.as_slice()).collect();
        let answers: Vec<&[u8]> = receipts.iter().map(|receipt| receipt.answer.as_slice()).collect();
        let life = RECEIPT_LIFE.as_secs_f64();
        let keep = if_moved_on!(
            "INSERT INTO receipts (environment, key, fingerprint, answer) \
             SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bytea[]) WHERE",
            "ON CONFLICT (environment, key) DO UPDATE \
             SET fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at \
             WHERE receipts.at <= now() - make_interval(secs => $5)"
        );
        let kept: [(&(dyn ToSql + Sync), Type); 5] = [
            (&self.environment, Type::TEXT),
            (&keys, Type::TEXT_ARRAY),
            (&fingerprints, Type::BYTEA_ARRAY),
            (&answers, Type::BYTEA_ARRAY),
            (&life, Type::FLOAT8),
        ];
        let limit = i64::from(RECEIPTS_REMOVED);
        let remove = if_moved_on!(
            "DELETE FROM receipts WHERE (environment, key) IN (SELECT environment, key FROM receipts \
             WHERE environment = $1 AND at <= now() - make_interval(secs => $2) ORDER BY at LIMIT $3) AND"
        );
        let removed: [(&(dyn ToSql + Sync), Type); 3] =
            [(&self.environment, Type::TEXT), (&life, Type::FLOAT8), (&limit, Type::INT8)];
        let (kept, _) =
            try_join(execute(self.client, keep, &kept), execute(self.client, remove, &removed)).await?;
        Ok(kept)
    }

    /// Runs a statement whose first parameter is the environment.
    async fn rows(&self, sql: &str, rest: &[(&(dyn ToSql + Sync), Type)]) -> Result<(), StoreError> {
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&self.environment, Type::TEXT)];
        parameters.extend(rest.iter().map(|(value, kind)| (*value, kind.clone())));
        execute(self.client, sql, &parameters).await.map(|_| ())
    }
}

fn columns<'a>(rows: impl Iterator<Item = &'a OverrideRow>) -> (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>) {
    let (mut flags, mut levels, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        flags.push(row.flag.as_str());
        levels.push(row.level.name());
        subjects.push(row.subject.as_str());
    }
    (flags, levels, subjects)
}

async fn execute(
    client: &Client,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<u64, StoreError> {
    client.execute_typed(sql, parameters).await.map_err(failed)
}
