//! The plans that the database keeps of the statements that write a batch: made while tables are empty, used when they are large.

use flag_core::{Change, Level, SubjectId, Variant};
use flag_testkit::services::Postgres;

use crate::database::{commit, connect, created, store};

/// Rows of each table by the time that kept plans are looked at.
const ROWS: i64 = 20_000;

/// A batch that writes to every table, in a transaction that is left open.
fn batch(number: usize) -> String {
    format!(
        "BEGIN; SET LOCAL flag.is_writing = 'on'; \
        SELECT append_batch(name, epoch, revision, revision, '{{}}', '{{}}', '{{}}', \
            '{{gone}}', '{{a}}', ARRAY['{{}}'::jsonb], \
            '{{a,a}}', '{{user,group}}', '{{u,v}}', '{{a,a}}', '{{user,group}}', '{{u,v}}', '{{on,off}}', \
            '{{receipt-{number}}}', ARRAY[sha256('')], ARRAY[''::bytea], '1 day', 512) FROM environments;"
    )
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
        client.batch_execute(&format!("{} COMMIT", batch(number))).await.unwrap();
    }
    let grown = format!(
        "INSERT INTO flags SELECT 'default', 'flag-' || n, '{{}}' FROM generate_series(1, {ROWS}) n; \
        INSERT INTO overrides SELECT 'default', 'a', 'user', 'user-' || n, 'on' FROM generate_series(1, {ROWS}) n; \
        INSERT INTO receipts SELECT 'default', 'key-' || n, sha256(''), '' FROM generate_series(1, {ROWS}) n;"
    );
    client.batch_execute(&grown).await.unwrap();
    client.batch_execute(&batch(8)).await.unwrap();
    let read = "SELECT relname::text, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) \
        FROM pg_stat_xact_user_tables WHERE relname IN ('flags', 'overrides', 'receipts') ORDER BY relname";
    let read = client.query(read, &[]).await.unwrap();
    let read: Vec<(String, i64)> = read.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(read.len(), 3, "{read:?}");
    assert!(read.iter().all(|(_, rows)| *rows < 20), "{read:?}");
}
