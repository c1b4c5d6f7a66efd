//! Short transactions: their beginning, what they ask and their end are sent together and answered together, so that each is
//! one journey to the server and back, however far away that is.

use deadpool_postgres::Object;
use flag_engine::StoreError;
use futures_util::future::try_join3;
use scopeguard::{ScopeGuard, guard};
use tokio_postgres::{Client, Error};

use crate::error::failed;

// A statement that waits for a lock does not notice that nobody waits for its answer any more: without a limit of its own,
// each question to a locked table would leave a session behind.
macro_rules! with_short_terms {
    ($begin:literal $(, $term:literal)?) => {
        concat!(
            $begin,
            "; SET LOCAL statement_timeout = '2s'; SET LOCAL idle_in_transaction_session_timeout = '5s'"
            $(, "; ", $term)?
        )
    };
}

/// Begins a transaction that only reads and sees one moment.
pub(crate) const BEGIN_READING: &str =
    with_short_terms!("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
// Said aloud, because a role or a database may have other defaults: in a stricter isolation a lost race is an error.
macro_rules! begin_writing {
    ($($term:literal)?) => {
        with_short_terms!("START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE" $(, $term)?)
    };
}

const BEGIN_WRITING: &str = begin_writing!();
/// Begins a transaction in which a batch may be written: `flag.is_writing` is on until its end, and nowhere where there is
/// none.
pub(crate) const BEGIN_BATCH: &str = begin_writing!("SET LOCAL flag.is_writing = 'on'");

/// Asks `question` of one moment.
///
/// It must send its statements, of types that every server has, when it is first polled, as `query_typed` does and as those
/// do that join such futures, and must not fail then. Given up later, it leaves no transaction open: the end has been sent.
pub(crate) async fn read<T>(
    client: &Client,
    question: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    journey(client, BEGIN_READING, question, "ROLLBACK").await
}

/// Makes a `change` that nobody makes a second time, or that does no harm if it is made twice; sent as in [`read`].
pub(crate) async fn write<T>(
    client: &Client,
    change: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    // After a statement that failed, the server takes this for a rollback.
    journey(client, BEGIN_WRITING, change, "COMMIT").await
}

/// A connection that is closed unless it is taken out again: after a failure, or where the work was given up, nobody else shall
/// come into the middle of a transaction.
pub(crate) fn closed_unless_done(client: Object) -> ScopeGuard<Object, impl FnOnce(Object)> {
    guard(client, |client| drop(Object::take(client)))
}

async fn journey<T>(
    client: &Client,
    begin: &str,
    work: impl Future<Output = Result<T, Error>>,
    end: &str,
) -> Result<T, StoreError> {
    // Polled in this order.
    let ((), answer, ()) =
        try_join3(client.batch_execute(begin), work, client.batch_execute(end)).await.map_err(failed)?;
    Ok(answer)
}
