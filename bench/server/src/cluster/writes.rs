//! How many changes are acknowledged in a second, beside single rows that are committed to the same store.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{Cluster, client};
use crate::{
    connection::Connection,
    node::{Program, sqlite, wait_until_ready},
    process::Process,
    question::key,
    seed::{self, Content},
};

/// How many write at once.
pub const WRITERS: usize = 64;

/// Acknowledged in a second, by round.
pub struct Rates {
    pub store: &'static str,
    /// Changes by as many writers.
    pub changes: Vec<f64>,
    /// Rows, each committed by itself, over one connection.
    pub one: Vec<f64>,
    /// The same over as many connections as there are writers; nothing where a store has one writer at a time.
    pub many: Vec<f64>,
}

pub fn on_postgres(cluster: &Cluster, rounds: usize, turn: Duration) -> Result<Rates> {
    let database = cluster.database(Content::flags(WRITERS as u32))?;
    let nodes = cluster.nodes(&database, 1)?;
    let rows = cluster.postgres.fresh_database()?;
    let mut found = Rates { store: "PostgreSQL", changes: Vec::new(), one: Vec::new(), many: Vec::new() };
    let table = async { anyhow::Ok(client(&rows).await?.batch_execute(TABLE).await?) };
    cluster.runtime.block_on(table).context("a table of rows")?;
    for round in 0..rounds {
        found.one.push(cluster.runtime.block_on(rows_per_second(&rows, 1, turn))?);
        found.changes.push(changes_per_second(&nodes[0], round, turn)?);
        found.many.push(cluster.runtime.block_on(rows_per_second(&rows, WRITERS, turn))?);
    }
    Ok(found)
}

pub fn on_sqlite(program: &Program, rounds: usize, turn: Duration) -> Result<Rates> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("flags.db");
    program.migrate(&sqlite(&file))?;
    seed::sqlite(&file, Content::flags(WRITERS as u32))?;
    let node = program.start(&sqlite(&file), None)?;
    wait_until_ready(&node)?;
    let mut found = Rates { store: "SQLite", changes: Vec::new(), one: Vec::new(), many: Vec::new() };
    for round in 0..rounds {
        found.one.push(sqlite_rows_per_second(&directory.path().join("rows.db"), turn)?);
        found.changes.push(changes_per_second(&node, round, turn)?);
    }
    Ok(found)
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS single (id INTEGER, subject TEXT)";

/// Every writer adds overrides to a flag of its own, one after the other's answer.
fn changes_per_second(node: &Process, round: usize, turn: Duration) -> Result<f64> {
    let began = Instant::now();
    let count = std::thread::scope(|scope| {
        let writers = (0..WRITERS).map(|writer| {
            scope.spawn(move || -> Result<usize> {
                let mut connection = Connection::open(node.address)?;
                let path = format!("/features/{}/user-override", key(writer as u32));
                let mut count = 0;
                while began.elapsed() < turn {
                    let body = format!(r#"{{"userId":"writer-{round}-{count}","enabled":true}}"#);
                    connection.change("POST", &path, &body)?;
                    count += 1;
                }
                Ok(count)
            })
        });
        // All are started before the first is waited for.
        let writers: Vec<_> = writers.collect();
        writers.into_iter().map(|writer| writer.join().expect("writers do not panic")).sum::<Result<usize>>()
    })?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

async fn rows_per_second(database: &str, connections: usize, turn: Duration) -> Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(client(database).await?);
    }
    let began = Instant::now();
    let mut writers = Vec::new();
    for client in clients {
        writers.push(tokio::spawn(async move {
            let insert = client.prepare("INSERT INTO single VALUES ($1, 'somebody')").await?;
            let mut count = 0;
            while began.elapsed() < turn {
                client.execute(&insert, &[&count]).await?;
                count += 1;
            }
            Ok::<i32, tokio_postgres::Error>(count)
        }));
    }
    let mut count = 0;
    for writer in writers {
        count += writer.await??;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn sqlite_rows_per_second(file: &Path, turn: Duration) -> Result<f64> {
    let connection = rusqlite::Connection::open(file)?;
    // As the product opens its own.
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;";
    connection.execute_batch(settings)?;
    connection.execute_batch(TABLE)?;
    let mut insert = connection.prepare("INSERT INTO single VALUES (?1, 'somebody')")?;
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < turn {
        insert.execute([count])?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
