//! The database, asked and changed past the nodes: the oracle's rows, and foreign transactions that keep to the protocol of the
//! tables.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, IsolationLevel, NoTls};

use crate::state::{FlagState, Line, State};

/// One database of the server.
#[derive(Clone)]
pub(crate) struct Database {
    url: String,
}

/// A connection; dropping it ends it.
pub(crate) struct Session {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Moves the environment on by so many revisions, and says where it then stands. Locks it until the end of the transaction.
pub(crate) const MOVE_ON: &str =
    "UPDATE environments SET revision = revision + $1 WHERE name = 'default' RETURNING revision";

impl Database {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn session(&self) -> Result<Session> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        let driver = tokio::spawn(async move {
            // Whoever uses the client sees the error too.
            let _ = connection.await;
        });
        Ok(Session { client, driver })
    }

    /// Runs statements that give nothing back.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        self.session().await?.client.batch_execute(sql).await.with_context(|| sql.to_owned())
    }

    /// The only number that a question has for an answer.
    pub(crate) async fn number(&self, sql: &str) -> Result<i64> {
        let row = self.session().await?.client.query_one(sql, &[]).await.with_context(|| sql.to_owned())?;
        Ok(row.try_get(0)?)
    }

    /// What the rows say, as of one moment.
    pub(crate) async fn state(&self) -> Result<State> {
        let mut session = self.session().await?;
        let reading = session.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let reading = reading.read_only(true).start().await?;
        let environment = "SELECT replace(epoch::text, '-', ''), revision FROM environments \
                           WHERE name = 'default'";
        let row = reading.query_one(environment, &[]).await?;
        let revision = u64::try_from(row.try_get::<_, i64>(1)?)?;
        let mut state = State { epoch: row.try_get(0)?, revision, ..State::default() };
        for row in reading.query("SELECT key, document FROM flags WHERE environment = 'default'", &[]).await?
        {
            let flag = FlagState { document: row.try_get(1)?, ..FlagState::default() };
            state.flags.insert(row.try_get(0)?, flag);
        }
        let overrides = "SELECT flag, level, subject, variant FROM overrides WHERE environment = 'default'";
        for row in reading.query(overrides, &[]).await? {
            let flag: String = row.try_get(0)?;
            let flag = state.flags.get_mut(&flag).context("an override without its flag")?;
            let variant: String = row.try_get(3)?;
            flag.pins.insert((row.try_get(1)?, row.try_get(2)?), variant == "on");
        }
        Ok(state)
    }

    /// The whole log.
    pub(crate) async fn log(&self) -> Result<Vec<Line>> {
        self.session().await?.log_after(0).await
    }
}

impl Session {
    /// The lines that follow a revision.
    pub(crate) async fn log_after(&self, revision: u64) -> Result<Vec<Line>> {
        let sql = "SELECT revision, entry FROM changes WHERE environment = 'default' AND revision > $1 \
                   ORDER BY revision";
        let rows = self.client.query(sql, &[&i64::try_from(revision)?]).await?;
        let lines = rows.iter().map(|row| {
            let revision = u64::try_from(row.try_get::<_, i64>(0)?)?;
            Ok(Line { revision, entry: row.try_get(1)? })
        });
        lines.collect()
    }

    pub(crate) async fn begin(&self) -> Result<()> {
        Ok(self.client.batch_execute("BEGIN").await?)
    }

    pub(crate) async fn commit(&self) -> Result<()> {
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    pub(crate) async fn roll_back(&self) -> Result<()> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }

    /// Writes a line of the log, and the document of the flag that it leads to.
    pub(crate) async fn put(
        &self,
        revision: i64,
        author: &str,
        change: Value,
        document: Value,
    ) -> Result<()> {
        let key = change["key"].as_str().context("a change has a key")?.to_owned();
        let time = document["updatedAt"].clone();
        let entry = json!({"revision": revision, "time": time, "author": author, "change": change});
        let line = "INSERT INTO changes (environment, revision, flag, entry) VALUES ('default', $1, $2, $3)";
        self.client.execute(line, &[&revision, &key, &entry]).await?;
        let flag = "INSERT INTO flags (environment, key, document) VALUES ('default', $1, $2) \
                    ON CONFLICT (environment, key) DO UPDATE SET document = excluded.document";
        self.client.execute(flag, &[&key, &document]).await?;
        Ok(())
    }
}

/// The instant that foreign transactions write; it decides nothing.
pub(crate) const TIME: &str = "2026-01-31T12:00:00.000Z";

/// The document of a flag that a foreign transaction has created.
pub(crate) fn document(key: &str, enabled: Enabled, rollout: Option<u64>, revision: i64) -> Value {
    json!({
        "key": key, "description": null, "enabled": enabled == Enabled::Yes, "rolloutPct": rollout,
        "salt": key, "revision": revision, "createdAt": TIME, "updatedAt": TIME,
    })
}

/// The global state of a flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Enabled {
    Yes,
    No,
}

impl Enabled {
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
        }
    }
}
