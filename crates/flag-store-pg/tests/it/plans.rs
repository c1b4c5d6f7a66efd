//! The plans that the database keeps of the statements that write a batch: made while tables are empty, used when they are large.

use flag_core::{Change, Level, SubjectId, Variant};
use flag_testkit::services::Postgres;
use tokio_postgres::Client;

use crate::database::{commit, connect, created, store};

/// Rows of each table by the time that kept plans are looked at.
const ROWS: i64 = 20_000;

/// A batch that writes to every table.
fn batch(number: usize) -> String {
    format!(
        "SET LOCAL flag.is_writing = 'on'; \
        SELECT append_batch(name, epoch, revision, revision, '{{}}', '{{}}', '{{}}', \
            '{{gone}}', '{{a}}', ARRAY['{{}}'::jsonb], \
            '{{a,a}}', '{{user,group}}', '{{u,v}}', '{{a,a}}', '{{user,group}}', '{{u,v}}', '{{on,off}}', \
            '{{receipt-{number}}}', ARRAY[sha256('')], ARRAY[''::bytea], '1 day', 512) FROM environments;"
    )
}

/// The tables that grow, and how many of their rows this connection has read of late.
///
/// Of this transaction and perhaps of some before it: the database carries the counts over at most once a second, and never
/// within a transaction. So only the difference of two answers of one transaction is that transaction's own.
async fn rows_read(client: &Client) -> Vec<(String, i64)> {
    let counts = "SELECT relname::text, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) \
        FROM pg_stat_xact_user_tables WHERE relname IN ('flags', 'overrides', 'receipts') ORDER BY relname";
    let counts = client.query(counts, &[]).await.unwrap();
    counts.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn a_plan_that_is_kept_reads_no_more_of_a_large_table_than_of_a_small_one() {
    let url = Postgres::shared().fresh_database();
    let store = store(&url).await;
    let subject = SubjectId::parse("u").unwrap();
    let pinned =
        Change::OverrideSet { key: "a".parse().unwrap(), level: Level::User, subject, variant: Variant::ON };
    commit(&store, [created("a"), pinned]).await;
    let client = connect(&url).await;
    // As often as it takes until the database makes no further plans.
    for number in 0..8 {
        client.batch_execute(&format!("BEGIN; {} COMMIT", batch(number))).await.unwrap();
    }
    let grown = format!(
        "INSERT INTO flags SELECT 'default', 'flag-' || n, '{{}}' FROM generate_series(1, {ROWS}) n; \
        INSERT INTO overrides SELECT 'default', 'a', 'user', 'user-' || n, 'on' FROM generate_series(1, {ROWS}) n; \
        INSERT INTO receipts SELECT 'default', 'key-' || n, sha256(''), '' FROM generate_series(1, {ROWS}) n;"
    );
    client.batch_execute(&grown).await.unwrap();

    client.batch_execute("BEGIN").await.unwrap();
    let before = rows_read(&client).await;
    client.batch_execute(&batch(8)).await.unwrap();
    let after = rows_read(&client).await;

    assert_eq!((before.len(), after.len()), (3, 3), "{before:?} {after:?}");
    for ((table, before), (_, after)) in before.into_iter().zip(after) {
        assert!((0..20).contains(&(after - before)), "{table}: from {before} to {after}");
    }
}
