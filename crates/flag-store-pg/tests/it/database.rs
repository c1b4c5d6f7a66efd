//! What the tests need of a store and of the database below it.

use std::sync::Arc;

use flag_core::{Change, Snapshot, Variant};
use flag_engine::{Appended, EnvironmentName, Fetched, FlagSource, FlagStore, StoreError};
use flag_store_pg::PgStore;
use flag_testkit::planned::Planned;
use tokio_postgres::{Client, NoTls};

pub(crate) fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

/// A flag that comes into being.
pub(crate) fn created(key: &str) -> Change {
    Change::flag_created(key.parse().unwrap(), Variant::OFF)
}

pub(crate) async fn store(url: &str) -> Arc<PgStore> {
    let store = PgStore::new(url).unwrap();
    store.prepare().await.unwrap();
    Arc::new(store)
}

/// Everything, if the store gives it.
pub(crate) async fn whole(store: &PgStore) -> Result<Snapshot, StoreError> {
    match FlagSource::fetch(store, &environment(), None).await? {
        Fetched::Snapshot(snapshot) => Ok(snapshot),
        other => panic!("expected everything, found {other:?}"),
    }
}

/// Appends `changes` to what the store has now.
pub(crate) async fn commit(store: &PgStore, changes: impl IntoIterator<Item = Change>) -> Snapshot {
    let planned = Planned::new(&whole(store).await.unwrap(), changes);
    let expected = planned.after.version().revision - planned.batch.entries.len() as u64;
    let expected = flag_core::Version { revision: expected, ..planned.after.version() };
    let appended = FlagStore::append(store, &environment(), expected, &planned.batch).await.unwrap();
    assert_eq!(appended, Appended::Committed);
    planned.after
}

/// A connection beside the store's own.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
