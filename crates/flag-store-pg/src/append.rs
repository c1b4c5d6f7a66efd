//! Writing a batch: the log and the state in one transaction, only if the environment stands where the batch expects it.
//!
//! Two journeys to the server and back: the beginning, sent together with the call of the function that writes everything, or
//! nothing if the environment stands elsewhere; and the end. Not one, because whoever hears nothing of the first still
//! knows that nothing was written.

use std::time::Duration;

use deadpool_postgres::Object;
use flag_core::{Entry, FlagKey, Version};
use flag_engine::document::{EntryDocument, FlagDocument};
use flag_engine::{
    Appended, Batch, EnvironmentName, OverrideRow, RECEIPT_LIFE, RECEIPTS_REMOVED, StoreError,
};
use futures_util::future::try_join;
use scopeguard::ScopeGuard;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::types::{Json, ToSql, Type};
use uuid::Uuid;

use crate::error::failed;
use crate::fetch;
use crate::transaction::{BEGIN_BATCH, closed_unless_done};

/// How long a commit may take. After that nobody knows what became of it.
const COMMIT: Duration = Duration::from_secs(2);

const APPEND: &str = "SELECT append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
     $18, $19, $20, make_interval(secs => $21), $22)";

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
    let Some(call) = Call::of(environment, expected, batch)? else {
        // No environment has come as far as that.
        return Ok(Written::Nothing);
    };
    // Polled in this order, and each is sent when it is first polled.
    let begin = client.batch_execute(BEGIN_BATCH);
    let parameters = call.parameters();
    let ((), answer) = try_join(begin, client.query_typed_one(APPEND, &parameters)).await.map_err(failed)?;
    let is_written: bool = answer.try_get(0).map_err(failed)?;
    Ok(if is_written { Written::All } else { Written::Nothing })
}

async fn commit(client: &Client) -> Result<Appended, StoreError> {
    match timeout(COMMIT, client.batch_execute("COMMIT")).await {
        Ok(Ok(())) => Ok(Appended::Committed),
        // Also what the server says is no proof: it may have been told to end just after it had committed.
        Ok(Err(error)) => Err(StoreError::Uncertain(Box::new(error))),
        Err(_) => Err(StoreError::Uncertain(format!("no answer to a commit within {COMMIT:?}").into())),
    }
}

/// The arguments of the function that writes a batch: columns of the rows that go and of those that come.
struct Call<'a> {
    environment: &'a str,
    epoch: Uuid,
    before: i64,
    after: i64,
    revisions: Vec<i64>,
    changed_flags: Vec<&'a str>,
    entries: Vec<Json<EntryDocument>>,
    removed_flags: Vec<&'a str>,
    put_flags: Vec<&'a str>,
    documents: Vec<Json<FlagDocument>>,
    removed_overrides: Subjects<'a>,
    put_overrides: Subjects<'a>,
    put_variants: Vec<&'static str>,
    receipt_keys: Vec<&'a str>,
    fingerprints: Vec<&'a [u8]>,
    answers: Vec<&'a [u8]>,
    receipt_life: f64,
    receipts_removed: i64,
}

impl<'a> Call<'a> {
    /// Nothing if revisions go further than this store counts.
    fn of(
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> Result<Option<Self>, StoreError> {
        let Batch { entries, rows, receipts } = batch;
        let Ok(before) = i64::try_from(expected.revision) else { return Ok(None) };
        let revisions = entries.iter().map(|entry| i64::try_from(entry.revision).ok());
        let (Some(revisions), Some(after)) = (
            revisions.collect(),
            i64::try_from(entries.len()).ok().and_then(|count| before.checked_add(count)),
        ) else {
            return Ok(None);
        };
        Ok(Some(Self {
            environment: environment.as_str(),
            epoch: Uuid::from_u128(expected.epoch.0),
            before,
            after,
            revisions,
            changed_flags: entries.iter().map(|entry| entry.change.key().as_str()).collect(),
            entries: entries.iter().map(document).collect::<Result<_, _>>()?,
            removed_flags: rows.removed_flags.iter().map(FlagKey::as_str).collect(),
            put_flags: rows.flags.keys().map(FlagKey::as_str).collect(),
            documents: rows.flags.values().map(|flag| Json(FlagDocument::from(flag))).collect(),
            removed_overrides: Subjects::of(rows.removed_overrides.iter()),
            put_overrides: Subjects::of(rows.overrides.keys()),
            put_variants: rows.overrides.values().map(|variant| variant.name()).collect(),
            receipt_keys: receipts.iter().map(|receipt| receipt.key.as_str()).collect(),
            fingerprints: receipts.iter().map(|receipt| receipt.fingerprint.as_slice()).collect(),
            answers: receipts.iter().map(|receipt| receipt.answer.as_slice()).collect(),
            receipt_life: RECEIPT_LIFE.as_secs_f64(),
            receipts_removed: i64::from(RECEIPTS_REMOVED),
        }))
    }

    /// In the order of the function.
    fn parameters(&self) -> [(&(dyn ToSql + Sync), Type); 22] {
        [
            (&self.environment, Type::TEXT),
            (&self.epoch, Type::UUID),
            (&self.before, Type::INT8),
            (&self.after, Type::INT8),
            (&self.revisions, Type::INT8_ARRAY),
            (&self.changed_flags, Type::TEXT_ARRAY),
            (&self.entries, Type::JSONB_ARRAY),
            (&self.removed_flags, Type::TEXT_ARRAY),
            (&self.put_flags, Type::TEXT_ARRAY),
            (&self.documents, Type::JSONB_ARRAY),
            (&self.removed_overrides.flags, Type::TEXT_ARRAY),
            (&self.removed_overrides.levels, Type::TEXT_ARRAY),
            (&self.removed_overrides.ids, Type::TEXT_ARRAY),
            (&self.put_overrides.flags, Type::TEXT_ARRAY),
            (&self.put_overrides.levels, Type::TEXT_ARRAY),
            (&self.put_overrides.ids, Type::TEXT_ARRAY),
            (&self.put_variants, Type::TEXT_ARRAY),
            (&self.receipt_keys, Type::TEXT_ARRAY),
            (&self.fingerprints, Type::BYTEA_ARRAY),
            (&self.answers, Type::BYTEA_ARRAY),
            (&self.receipt_life, Type::FLOAT8),
            (&self.receipts_removed, Type::INT8),
        ]
    }
}

/// The columns that say which overrides are meant.
struct Subjects<'a> {
    flags: Vec<&'a str>,
    levels: Vec<&'static str>,
    ids: Vec<&'a str>,
}

impl<'a> Subjects<'a> {
    fn of(rows: impl Iterator<Item = &'a OverrideRow> + Clone) -> Self {
        Self {
            flags: rows.clone().map(|row| row.flag.as_str()).collect(),
            levels: rows.clone().map(|row| row.level.name()).collect(),
            ids: rows.map(|row| row.subject.as_str()).collect(),
        }
    }
}

fn document(entry: &Entry) -> Result<Json<EntryDocument>, StoreError> {
    let document = EntryDocument::new(entry);
    document.map(Json).map_err(|why| StoreError::corrupt(format!("revision {}: {why}", entry.revision)))
}
