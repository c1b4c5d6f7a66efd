//! Databases full of flags, written by SQL in seconds. Where a row says more than its shape, it says what `question` expects:
//! flags with even numbers are rolled out to everybody, the others are on; even users are pinned on, odd ones off.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::question::{MILLION, PINNED};

/// A flag that nobody asks about, to be written while others are asked about.
pub const WRITTEN: &str = "written";

/// What a database holds.
#[derive(Clone, Copy)]
pub struct Content {
    /// Flags with numbers, besides two with names.
    pub flags: u32,
    /// Users that are pinned on the flag `pinned`.
    pub pinned: u32,
}

impl Content {
    /// `flags` flags, and nobody pinned.
    pub fn flags(flags: u32) -> Self {
        Self { flags, pinned: 0 }
    }

    /// `flags` flags, and a million users pinned on one more.
    pub fn with_the_million(flags: u32) -> Self {
        Self { flags, pinned: MILLION }
    }
}

/// Fills a migrated file of SQLite.
pub fn sqlite(path: &Path, content: Content) -> Result<()> {
    let connection = Connection::open(path)?;
    let numbers =
        "WITH RECURSIVE series (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n + 1 < ?1)";
    connection.execute_batch("BEGIN")?;
    let document = |key: &str, enabled: &str, rollout: &str| {
        format!(
            "json_object('key', {key}, 'description', NULL, 'enabled', json({enabled}), 'rolloutPct', {rollout}, \
            'salt', {key}, 'revision', 1, 'createdAt', {AT}, 'updatedAt', {AT})"
        )
    };
    let key = "printf('flag-%06d', n)";
    let flag =
        document(key, "CASE n % 2 WHEN 0 THEN 'false' ELSE 'true' END", "CASE n % 2 WHEN 0 THEN 100 END");
    connection.execute(
        &format!("{numbers} INSERT INTO flags SELECT 'default', {key}, {flag} FROM series WHERE n < ?1"),
        [content.flags],
    )?;
    for name in [PINNED, WRITTEN] {
        let quoted = format!("'{name}'");
        let flag = document(&quoted, "'false'", "NULL");
        connection.execute(&format!("INSERT INTO flags SELECT 'default', {quoted}, {flag}"), [])?;
    }
    if content.pinned > 0 {
        connection.execute(
            &format!(
                "{numbers} INSERT INTO overrides SELECT 'default', '{PINNED}', 'user', printf('user-%07d', n), \
                CASE n % 2 WHEN 0 THEN 'on' ELSE 'off' END FROM series"
            ),
            [content.pinned],
        )?;
    }
    connection.execute("UPDATE environments SET revision = 1", [])?;
    connection.execute_batch("COMMIT").context("fill the database")
}

/// Fills a migrated database of PostgreSQL.
pub async fn postgres(client: &tokio_postgres::Client, content: Content) -> Result<()> {
    let document = |key: &str, enabled: &str, rollout: &str| {
        format!(
            "jsonb_build_object('key', {key}, 'description', NULL, 'enabled', {enabled}, 'rolloutPct', {rollout}, \
            'salt', {key}, 'revision', 1, 'createdAt', {AT}, 'updatedAt', {AT})"
        )
    };
    let key = "'flag-' || lpad(n::text, 6, '0')";
    let flag = document(key, "n % 2 = 1", "CASE n % 2 WHEN 0 THEN 100 END");
    let (flags, pinned) = (content.flags, content.pinned);
    let mut sql = format!(
        "BEGIN; INSERT INTO flags SELECT 'default', {key}, {flag} FROM generate_series(0, {flags} - 1) AS n;"
    );
    for name in [PINNED, WRITTEN] {
        let quoted = format!("'{name}'::text");
        let flag = document(&quoted, "false", "NULL::int");
        sql += &format!("INSERT INTO flags SELECT 'default', {quoted}, {flag};");
    }
    sql += &format!(
        "INSERT INTO overrides SELECT 'default', '{PINNED}', 'user', 'user-' || lpad(n::text, 7, '0'), \
        CASE n % 2 WHEN 0 THEN 'on' ELSE 'off' END FROM generate_series(0, {pinned} - 1) AS n; \
        UPDATE environments SET revision = 1; COMMIT; ANALYZE;"
    );
    client.batch_execute(&sql).await.context("fill the database")
}

/// When all of them were made, as SQL.
const AT: &str = "'2026-01-31T12:00:00.000Z'";
