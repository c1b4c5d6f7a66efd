//! A server that is gone, or silent, and comes back: nobody waits long, and nobody has to restart.

use std::time::{Duration, Instant};

use flag_engine::{Appended, Batch, Fetched, FlagSource, FlagStore, StoreError};
use flag_store_pg::PgStore;
use flag_testkit::planned::Planned;
use flag_testkit::services::{Postgres, private_missing};

use crate::database::{commit, connect, created, environment, store, whole};

/// Longer than any answer may take, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(8);

async fn within_bound<T>(work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let done = work.await;
    assert!(started.elapsed() < BOUND, "took {:?}", started.elapsed());
    done
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
}

/// Asks until it answers; a node does the same.
async fn assert_heals(store: &PgStore) {
    let started = Instant::now();
    while let Err(error) = whole(store).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{error:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_server_is_down_at_the_start_works_once_it_is_up() {
    if private_missing() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    server.stop().unwrap();
    let store = PgStore::new(&server.url()).unwrap();
    assert_unavailable(&within_bound(whole(&store)).await);
    server.start_again().unwrap();
    assert_heals(&store).await;
    commit(&store, [created("a")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_is_noticed_at_once_and_so_is_its_return() {
    if private_missing() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let store = store(&server.url()).await;
    let before = commit(&store, [created("a")]).await;
    let next = Planned::new(&before, [created("b")]);
    for kill in [Postgres::stop, Postgres::kill] {
        kill(&mut server).unwrap();
        assert_unavailable(&within_bound(whole(&store)).await);
        assert_unavailable(&within_bound(store.append(&environment(), before.version(), &next.batch)).await);
        assert_unavailable(
            &within_bound(store.append(&environment(), before.version(), &Batch::default())).await,
        );
        server.start_again().unwrap();
        assert_heals(&store).await;
        assert_eq!(whole(&store).await.unwrap(), before);
    }
    let appended = store.append(&environment(), before.version(), &next.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_lets_nobody_wait_and_is_used_again_when_it_speaks() {
    if private_missing() {
        return;
    }
    let server = Postgres::start().unwrap();
    let store = store(&server.url()).await;
    let before = commit(&store, [created("a")]).await;
    let next = Planned::new(&before, [created("b")]);
    server.freeze().unwrap();
    for _ in 0..2 {
        assert_unavailable(&within_bound(whole(&store)).await);
        assert_unavailable(&within_bound(store.append(&environment(), before.version(), &next.batch)).await);
    }
    server.thaw().unwrap();
    assert_heals(&store).await;
    assert_eq!(whole(&store).await.unwrap(), before);
    let appended = store.append(&environment(), before.version(), &next.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_uncertain_and_whatever_was_acknowledged_is_there() {
    if private_missing() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let store = store(&server.url()).await;
    let mut acknowledged = whole(&store).await.unwrap();
    for round in 0..4 {
        let writer = async {
            let mut newest = acknowledged.clone();
            for number in 0.. {
                let planned = Planned::new(&newest, [created(&format!("flag-{round}-{number}"))]);
                match store.append(&environment(), newest.version(), &planned.batch).await {
                    Ok(Appended::Committed) => newest = planned.after,
                    Ok(Appended::Conflict) => panic!("nobody else writes"),
                    Err(StoreError::Unavailable(_)) => return (newest, None),
                    Err(StoreError::Uncertain(_)) => return (newest, Some(planned.after)),
                    Err(corrupt) => panic!("{corrupt}"),
                }
            }
            unreachable!()
        };
        let killer = async {
            tokio::time::sleep(Duration::from_millis(100 + 37 * round)).await;
            tokio::task::block_in_place(|| server.kill().unwrap());
        };
        let ((newest, uncertain), ()) = tokio::join!(writer, killer);
        server.start_again().unwrap();
        assert_heals(&store).await;
        let found = whole(&store).await.unwrap();
        assert!(found == newest || Some(&found) == uncertain.as_ref(), "{found:?} after {newest:?}");
        acknowledged = found;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_locks_the_log_keeps_nobody_from_knowing_that_nothing_has_changed() {
    let url = Postgres::shared().fresh_database();
    let (store, operator) = (store(&url).await, connect(&url).await);
    let old = whole(&store).await.unwrap().version();
    let new = commit(&store, [created("a")]).await.version();
    operator.batch_execute("BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let unchanged = within_bound(store.fetch(&environment(), Some(new))).await.unwrap();
    assert!(matches!(unchanged, Fetched::Unchanged), "{unchanged:?}");
    assert_unavailable(&within_bound(store.fetch(&environment(), Some(old))).await);
    operator.batch_execute("ROLLBACK").await.unwrap();
    let changes = within_bound(store.fetch(&environment(), Some(old))).await.unwrap();
    assert!(matches!(changes, Fetched::Changes(_)), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_stands_in_line_behind_an_operator_leaves_nothing_behind() {
    let url = Postgres::shared().fresh_database();
    let (store, operator) = (store(&url).await, connect(&url).await);
    let before = whole(&store).await.unwrap();
    let next = Planned::new(&before, [created("a")]);
    operator.batch_execute("BEGIN; LOCK TABLE environments IN EXCLUSIVE MODE").await.unwrap();
    assert_unavailable(&within_bound(store.append(&environment(), before.version(), &next.batch)).await);
    operator.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(whole(&store).await.unwrap(), before);
    let appended = store.append(&environment(), before.version(), &next.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
}
