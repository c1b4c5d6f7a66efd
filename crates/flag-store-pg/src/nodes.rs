//! The heartbeats of nodes: a row for each, which it writes anew.

use std::time::Duration;

use flag_core::{Epoch, Revision, Version};
use flag_engine::{
    Digest, EnvironmentName, MOST_NODES, NODE_MEMORY, NODE_SILENCE, NodeId, NodeReport, SeenNode, StoreError,
};
use futures_util::future::try_join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::error::reason;
use crate::transaction;

const REPORT: &str = "INSERT INTO nodes (environment, id, name, epoch, revision, digest, seen) \
     VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) \
     ON CONFLICT (environment, id) DO UPDATE SET name = excluded.name, epoch = excluded.epoch, \
     revision = excluded.revision, digest = excluded.digest, seen = excluded.seen";
/// Rows that another node is about to forget are passed over: two nodes that forget at once must not wait for each other.
/// Rows of the future are what is left of dead nodes after the server's clock was set back.
const FORGET: &str = "DELETE FROM nodes WHERE (environment, id) IN (SELECT environment, id FROM nodes \
     WHERE seen < clock_timestamp() - make_interval(secs => $3) \
     OR seen > clock_timestamp() + make_interval(secs => $4) \
     OR (environment = $1 AND name = $2 AND seen < clock_timestamp() - make_interval(secs => $4)) \
     FOR UPDATE SKIP LOCKED)";
const WITHDRAW: &str = "DELETE FROM nodes WHERE environment = $1 AND id = $2";
const READ: &str = "SELECT id, name, epoch, revision, digest, age FROM (SELECT *, \
     greatest(0, extract(epoch FROM clock_timestamp() - seen))::float8 AS age FROM nodes WHERE environment = $1) AS known \
     WHERE age <= $2 ORDER BY id LIMIT $3";

pub(crate) async fn report(
    client: &Client,
    environment: &EnvironmentName,
    report: &NodeReport,
) -> Result<(), StoreError> {
    let NodeReport { node, version, digest } = report;
    let (id, epoch) = (Uuid::from_u128(node.id.0), Uuid::from_u128(version.epoch.0));
    let revision = i64::try_from(version.revision).unwrap_or(i64::MAX);
    let digest = digest.as_ref().map(|digest| digest.as_bytes().as_slice());
    let row: [(&(dyn ToSql + Sync), Type); 6] = [
        (&environment.as_str(), Type::TEXT),
        (&id, Type::UUID),
        (&node.name.as_str(), Type::TEXT),
        (&epoch, Type::UUID),
        (&revision, Type::INT8),
        (&digest, Type::BYTEA),
    ];
    let forgotten: [(&(dyn ToSql + Sync), Type); 4] = [
        (&environment.as_str(), Type::TEXT),
        (&node.name.as_str(), Type::TEXT),
        (&NODE_MEMORY.as_secs_f64(), Type::FLOAT8),
        (&NODE_SILENCE.as_secs_f64(), Type::FLOAT8),
    ];
    let change = try_join(client.execute_typed(REPORT, &row), client.execute_typed(FORGET, &forgotten));
    transaction::write(client, change).await.map(|_| ())
}

pub(crate) async fn withdraw(
    client: &Client,
    environment: &EnvironmentName,
    node: NodeId,
) -> Result<(), StoreError> {
    let row: [(&(dyn ToSql + Sync), Type); 2] =
        [(&environment.as_str(), Type::TEXT), (&Uuid::from_u128(node.0), Type::UUID)];
    transaction::write(client, client.execute_typed(WITHDRAW, &row)).await.map(|_| ())
}

pub(crate) async fn read(
    client: &Client,
    environment: &EnvironmentName,
) -> Result<Vec<SeenNode>, StoreError> {
    let (name, memory, most) = (environment.as_str(), NODE_MEMORY.as_secs_f64(), i64::from(MOST_NODES) + 1);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&memory, Type::FLOAT8), (&most, Type::INT8)];
    let rows = transaction::read(client, client.query_typed(READ, &parameters)).await?;
    rows.iter().map(node).collect()
}

fn node(row: &Row) -> Result<SeenNode, StoreError> {
    let read = || -> Result<SeenNode, tokio_postgres::Error> {
        let (id, epoch): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(2)?);
        let revision: i64 = row.try_get(3)?;
        let digest: Option<&[u8]> = row.try_get(4)?;
        Ok(SeenNode {
            id: NodeId(id.as_u128()),
            name: row.try_get(1)?,
            version: Version {
                epoch: Epoch(epoch.as_u128()),
                revision: Revision::try_from(revision).unwrap_or_default(),
            },
            digest: digest.and_then(|bytes| bytes.try_into().ok()).map(Digest::from_bytes),
            age: Duration::try_from_secs_f64(row.try_get(5)?).unwrap_or_default(),
        })
    };
    read().map_err(|error| StoreError::corrupt(format!("a node's heartbeat: {}", reason(&error))))
}
