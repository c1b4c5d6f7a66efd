//! The tables behind a server, for tests that meddle with them: SQL on either database, also against its constraints.

use std::path::PathBuf;

use flag_testkit::services::Postgres;
use tempfile::TempDir;

use crate::server::Settings;

/// A database and its kind.
pub enum Tables {
    Sqlite(PathBuf, TempDir),
    Postgres(String),
}

/// Lets the rows of the state be anything.
const LOOSE_SQLITE: &str = "
    CREATE TABLE loose_flags AS SELECT * FROM flags;
    CREATE TABLE loose_overrides AS SELECT * FROM overrides;
    DROP TABLE overrides; DROP TABLE flags;
    ALTER TABLE loose_flags RENAME TO flags; ALTER TABLE loose_overrides RENAME TO overrides;
    CREATE UNIQUE INDEX one_flag ON flags (environment, key);
    CREATE UNIQUE INDEX one_override ON overrides (environment, flag, level, subject);
    DROP TRIGGER changes_are_never_rewritten; DROP TRIGGER changes_are_never_deleted;";
const LOOSE_POSTGRES: &str = "
    ALTER TABLE overrides DROP CONSTRAINT overrides_environment_flag_fkey, DROP CONSTRAINT overrides_pkey,
        DROP CONSTRAINT overrides_level_check, DROP CONSTRAINT overrides_variant_check;
    ALTER TABLE flags DROP CONSTRAINT flags_pkey, DROP CONSTRAINT flags_environment_fkey;
    ALTER TABLE flags ALTER environment DROP NOT NULL, ALTER key DROP NOT NULL, ALTER document DROP NOT NULL;
    ALTER TABLE overrides ALTER environment DROP NOT NULL, ALTER flag DROP NOT NULL, ALTER level DROP NOT NULL,
        ALTER subject DROP NOT NULL, ALTER variant DROP NOT NULL;
    CREATE UNIQUE INDEX one_flag ON flags (environment, key);
    CREATE UNIQUE INDEX one_override ON overrides (environment, flag, level, subject);
    ALTER TABLE changes DISABLE TRIGGER ALL;";

impl Tables {
    /// A file of SQLite that is not there yet.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::Sqlite(directory.path().join("flags.db"), directory)
    }

    /// An empty database of PostgreSQL.
    pub fn postgres() -> Self {
        Self::Postgres(Postgres::shared().fresh_database())
    }

    /// A server on it.
    pub fn settings(&self) -> Settings {
        match self {
            Self::Sqlite(_, directory) => Settings::sqlite(directory.path()),
            Self::Postgres(url) => Settings::postgres(url, None),
        }
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs statements, as one transaction.
    pub async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(path, _) => {
                let connection = rusqlite::Connection::open(path).expect("the file opens");
                connection.busy_timeout(std::time::Duration::from_secs(5)).expect("a timeout");
                let ignoring = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";
                let ran = connection.execute_batch(&format!("{ignoring} BEGIN IMMEDIATE; {sql}; COMMIT"));
                ran.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            Self::Postgres(url) => {
                let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("PostgreSQL answers");
                let connection = tokio::spawn(connection);
                let ran = client.batch_execute(&format!("BEGIN; {sql}; COMMIT")).await;
                ran.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                connection.abort();
            }
        }
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> u32 {
        let sql = format!("SELECT count(*) FROM {table}");
        match self {
            Self::Sqlite(path, _) => {
                let connection = rusqlite::Connection::open(path).expect("the file opens");
                connection.query_row(&sql, [], |row| row.get(0)).expect("a number")
            }
            Self::Postgres(url) => {
                let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("PostgreSQL answers");
                let connection = tokio::spawn(connection);
                let count: i64 = client.query_one(&sql, &[]).await.expect("a number").get(0);
                connection.abort();
                u32::try_from(count).expect("not that many")
            }
        }
    }

    /// From now on the rows may be anything; as they are now they are kept beside.
    pub async fn loosen(&self) {
        self.run(if self.is_postgres() { LOOSE_POSTGRES } else { LOOSE_SQLITE }).await;
        let kept = "CREATE TABLE kept_flags AS SELECT * FROM flags; CREATE TABLE kept_overrides AS SELECT * FROM overrides";
        self.run(kept).await;
    }
}
