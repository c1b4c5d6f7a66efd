//! The shared snapshot of an environment, as it lies in Redis: a head that says which version it is and where its pieces
//! are, and a list of pieces that is never altered once the head names it.
//!
//! Only a script moves the head, and only forward within an epoch: a node that was slow to write cannot put an older
//! snapshot over a newer one, however the writes of many nodes interleave.

use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Script, cmd};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, TimeoutType};
use flag_core::{Epoch, Revision, Snapshot, Version};
use flag_engine::document::{SnapshotDocument, Unreadable, read_snapshot};
use flag_engine::{Bound, BoundHits, EnvironmentName};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{CacheError, ConfigError};
use crate::pieces::{self, PIECE};
use crate::prefix::Prefix;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long Redis may take to answer one command; none carries more than a piece.
const ANSWER: Duration = Duration::from_secs(2);
/// How long to wait for a connection that is in use.
const WAIT: Duration = Duration::from_millis(500);
/// How long a whole snapshot may take on its way.
const TRANSFER: Duration = Duration::from_secs(60);
/// How many connections there are: one writes, one reads.
const CONNECTIONS: usize = 2;
/// How many pieces a snapshot may have: half a gigabyte.
const MOST_PIECES: usize = 512;
/// How many seconds the pieces live that no head names yet, or no longer: as long as somebody may be writing or reading them.
const UNNAMED: i64 = 120;

/// Moves the head (first key) to a version whose pieces are complete (second key), unless it is there already or further
/// on in the same epoch. Revisions are compared as texts of one length, because numbers of Lua lose digits.
const PUBLISH: &str = "
local head = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'body')
local is_newer = head[1] ~= ARGV[1] or not head[2] or head[2] < ARGV[2]
if not is_newer then
    redis.call('UNLINK', KEYS[2])
    return 1
end
if redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[3]) then
    redis.call('UNLINK', KEYS[2])
    return 0
end
redis.call('PERSIST', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], 'pieces', ARGV[3], 'body', KEYS[2])
if head[3] and head[3] ~= KEYS[2] then
    redis.call('EXPIRE', head[3], ARGV[4])
end
return 1";

/// Takes the head away if it still names these pieces, which cannot be read.
const FORGET: &str = "
if redis.call('HGET', KEYS[1], 'body') == ARGV[1] then
    redis.call('UNLINK', KEYS[1], ARGV[1])
end
return 1";

/// Which snapshot is shared, and where it lies.
pub(crate) struct Head {
    pub(crate) version: Version,
    pieces: usize,
    body: String,
}

/// The snapshots that the nodes of a cluster share.
pub(crate) struct SharedSnapshots {
    pool: Pool,
    prefix: Prefix,
    /// How often somebody waited too long for a connection.
    wait: Bound,
    /// How often a snapshot was too large to be shared, or to be read.
    size: Bound,
}

impl SharedSnapshots {
    pub(crate) fn new(client: &Client, prefix: Prefix) -> Result<Self, ConfigError> {
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let manager = Manager::new_with_config(client.get_connection_info().clone(), config);
        let pool = Pool::builder(manager.map_err(|_| ConfigError::Unreadable)?)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(CONNECT))
            .runtime(Runtime::Tokio1)
            .build();
        let (wait, size) = (Bound::new("redis_connections"), Bound::new("redis_snapshot_size"));
        Ok(Self { pool: pool.map_err(|_| ConfigError::Unreadable)?, prefix, wait, size })
    }

    /// How often each bound was hit.
    pub(crate) fn bounds(&self) -> Vec<BoundHits> {
        vec![self.wait.hits(), self.size.hits()]
    }

    /// Asks whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), CacheError> {
        let _pong: String = self.link().await?.ask(&cmd("PING")).await?;
        Ok(())
    }

    /// Which snapshot is shared at present, if any.
    pub(crate) async fn head(&self, environment: &EnvironmentName) -> Result<Option<Head>, CacheError> {
        let mut link = self.link().await?;
        let fields = ["epoch", "revision", "pieces", "body"];
        let head = cmd("HMGET").arg(self.prefix.head(environment)).arg(&fields).to_owned();
        let (epoch, revision, pieces, body): (Option<String>, Option<String>, Option<usize>, Option<String>) =
            link.ask(&head).await?;
        let (Some(epoch), Some(revision), Some(pieces), Some(body)) = (epoch, revision, pieces, body) else {
            return Ok(None);
        };
        let unreadable = |what| Unreadable(format!("the {what} of the shared snapshot's head"));
        let epoch = Epoch(u128::from_str_radix(&epoch, 16).map_err(|_| unreadable("epoch"))?);
        let revision: Revision = revision.parse().map_err(|_| unreadable("revision"))?;
        Ok(Some(Head { version: Version { epoch, revision }, pieces, body }))
    }

    /// The snapshot that `head` names.
    pub(crate) async fn read(&self, head: &Head) -> Result<Snapshot, CacheError> {
        if head.pieces > MOST_PIECES {
            self.size.hit();
            return Err(CacheError::TooLarge(MOST_PIECES * PIECE));
        }
        let mut link = self.link().await?;
        let (sender, reader) = pieces::reading();
        let parsing = spawn_blocking(move || read_snapshot(reader));
        let fetching = async {
            let fetched = fetch_pieces(&mut link, head, sender).await;
            let parsed = parsing.await.map_err(|error| Unreadable(error.to_string()))?;
            // A piece that is missing explains better than the text that ended too early.
            fetched?;
            Ok::<_, CacheError>(parsed?)
        };
        let snapshot = timeout(TRANSFER, fetching).await.map_err(|_| CacheError::Silent(TRANSFER))??;
        if snapshot.version() == head.version {
            Ok(snapshot)
        } else {
            Err(Unreadable(format!("it says that it is {:?}", snapshot.version())).into())
        }
    }

    /// Shares `snapshot`, unless a newer one of its epoch is shared already.
    pub(crate) async fn write(
        &self,
        environment: &EnvironmentName,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(), CacheError> {
        let mut link = self.link().await?;
        let body = self.prefix.body(environment, uuid::Uuid::new_v4());
        let (writer, written) = pieces::writing();
        let document = Arc::clone(snapshot);
        let writing = spawn_blocking(move || {
            // Documents are written in portions of a few bytes.
            let mut writer = BufWriter::new(writer);
            serde_json::to_writer(&mut writer, &SnapshotDocument(&document))?;
            Ok::<_, Unreadable>(writer.flush().map_err(serde_json::Error::io)?)
        });
        let storing = async {
            let stored = store_pieces(&mut link, &body, written).await;
            let written = writing.await.map_err(|error| Unreadable(error.to_string()))?;
            // If storing failed, the writer only noticed that nobody takes its pieces.
            let complete = stored.and_then(|count| written.map(|()| count).map_err(CacheError::from));
            if matches!(complete, Err(CacheError::TooLarge(_))) {
                self.size.hit();
            }
            if complete.is_err() {
                // They would go by themselves in a while, but may be what fills Redis.
                let _: Result<u8, _> = link.ask(cmd("UNLINK").arg(&body)).await;
            }
            complete
        };
        let pieces = timeout(TRANSFER, storing).await.map_err(|_| CacheError::Silent(TRANSFER))??;
        let Version { epoch, revision } = snapshot.version();
        let script = Script::new(PUBLISH);
        let mut publish = script.key(self.prefix.head(environment));
        publish.key(&body).arg(epoch.to_string()).arg(format!("{revision:020}")).arg(pieces).arg(UNNAMED);
        match publish.invoke_async::<u8>(link.connection()).await? {
            0 => Err(CacheError::Torn),
            _ => Ok(()),
        }
    }

    /// Takes away what `head` names, because it cannot be read, so that the next node writes it anew.
    pub(crate) async fn forget(&self, environment: &EnvironmentName, head: &Head) -> Result<(), CacheError> {
        let mut link = self.link().await?;
        let script = Script::new(FORGET);
        let mut forget = script.key(self.prefix.head(environment));
        let _done: u8 = forget.arg(&head.body).invoke_async(link.connection()).await?;
        Ok(())
    }

    async fn link(&self) -> Result<Link, CacheError> {
        let link = self.pool.get().await.inspect_err(|error| {
            if matches!(error, PoolError::Timeout(TimeoutType::Wait)) {
                self.wait.hit();
            }
        });
        Ok(Link(link?))
    }
}

/// Hands on the pieces, each when the one before has been taken.
async fn fetch_pieces(link: &mut Link, head: &Head, sender: Sender<Vec<u8>>) -> Result<(), CacheError> {
    for place in 0..head.pieces {
        let piece: Option<Vec<u8>> = link.ask(cmd("LINDEX").arg(&head.body).arg(place)).await?;
        if sender.send(piece.ok_or(CacheError::Torn)?).await.is_err() {
            // The reader has seen enough to know that it cannot go on; it says why.
            return Ok(());
        }
    }
    Ok(())
}

/// Stores the pieces as they come, and says how many there were.
async fn store_pieces(
    link: &mut Link,
    body: &str,
    mut written: Receiver<Vec<u8>>,
) -> Result<usize, CacheError> {
    let mut count = 0;
    while let Some(piece) = written.recv().await {
        count += 1;
        if count > MOST_PIECES {
            return Err(CacheError::TooLarge(MOST_PIECES * PIECE));
        }
        let mut push = deadpool_redis::redis::pipe();
        // Together, so that nothing stays for ever if this node ends in between.
        push.atomic().rpush(body, piece).expire(body, UNNAMED).ignore();
        let (length,): (usize,) = push.query_async(link.connection()).await?;
        if length != count {
            return Err(CacheError::Torn);
        }
    }
    Ok(count)
}

/// A connection of the pool.
struct Link(Connection);

impl Link {
    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, CacheError> {
        Ok(command.query_async(self.connection()).await?)
    }

    fn connection(&mut self) -> &mut MultiplexedConnection {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use flag_testkit::services::Redis;
    use tokio::task::JoinSet;

    use super::*;

    fn shared() -> (Arc<SharedSnapshots>, EnvironmentName) {
        let client = Client::open(Redis::shared()).unwrap();
        let prefix = format!("test-{}", uuid::Uuid::new_v4()).parse().unwrap();
        let shared = SharedSnapshots::new(&client, prefix).unwrap();
        (Arc::new(shared), EnvironmentName::parse("default").unwrap())
    }

    fn at(epoch: u128, revision: Revision) -> Arc<Snapshot> {
        Arc::new(Snapshot::new(Version { epoch: Epoch(epoch), revision }, []))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn however_writes_interleave_the_newest_of_an_epoch_stays() {
        let (one, environment) = shared();
        let (wait, size) = (Bound::new("redis_connections"), Bound::new("redis_snapshot_size"));
        let other = SharedSnapshots { pool: one.pool.clone(), prefix: one.prefix.clone(), wait, size };
        let nodes = [one, Arc::new(other)];
        // Revisions whose texts would compare wrongly, and beyond what a float can tell apart.
        let start = [8, 98, (1 << 53) - 1, Revision::MAX - 400];
        for (epoch, start) in (1_u128..).zip(start) {
            for round in 0..75 {
                let revision = start + round;
                let mut writers = JoinSet::new();
                for offset in [1, 0, 2] {
                    let node = Arc::clone(&nodes[offset % 2]);
                    let (environment, snapshot) = (environment.clone(), at(epoch, revision + offset as u64));
                    writers.spawn(async move { node.write(&environment, &snapshot).await.unwrap() });
                }
                writers.join_all().await;
                let head = nodes[0].head(&environment).await.unwrap().unwrap();
                assert_eq!(head.version, at(epoch, revision + 2).version());
                assert_eq!(nodes[1].read(&head).await.unwrap().version(), head.version);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_can_still_be_read_after_a_newer_one_has_taken_its_place() {
        let (shared, environment) = shared();
        shared.write(&environment, &at(1, 1)).await.unwrap();
        let before = shared.head(&environment).await.unwrap().unwrap();
        shared.write(&environment, &at(1, 2)).await.unwrap();
        assert_eq!(shared.read(&before).await.unwrap().version().revision, 1);
        // But not for ever: nothing is left behind.
        let mut link = shared.link().await.unwrap();
        let seconds: i64 = link.ask(cmd("TTL").arg(&before.body)).await.unwrap();
        assert!((1..=UNNAMED).contains(&seconds), "{seconds}");
    }
}
