//! What every request can reach: the engine, the clock, who may come in, and the meters.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use flag_core::{Snapshot, Timestamp};
use flag_engine::{CatchUpError, Engine};

use crate::access::Access;
use crate::connections::Connections;
use crate::input::MinRevision;
use crate::leaving::Leaving;
use crate::problem::{Code, Problem};
use crate::routes::pages::Pages;
use crate::telemetry::Telemetry;

/// One node of the service.
pub struct Node {
    /// The engine that answers.
    pub engine: Arc<Engine>,
    /// Who may ask.
    pub access: Access,
    /// Where the meters are read.
    pub telemetry: Telemetry,
    /// Where lists are made.
    pub pages: Pages,
    /// Who is connected.
    pub connections: Arc<Connections>,
    /// Whether it is about to stop.
    pub leaving: Leaving,
}

impl Node {
    /// The live snapshot, or the problem that there is none yet.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Problem> {
        self.engine.snapshot().ok_or_else(Self::not_ready)
    }

    /// The live snapshot, once it has come to the revision that the request names, if it names one.
    pub(crate) async fn snapshot_at(&self, minimum: MinRevision) -> Result<Arc<Snapshot>, Problem> {
        match minimum.0 {
            None => self.snapshot(),
            Some(revision) => self.engine.at_least(revision).await.map_err(|why| match why {
                CatchUpError::NotReady => Self::not_ready(),
                CatchUpError::Behind { found } => {
                    let detail =
                        format!("this node is at revision {found} and has not come to {revision} in time");
                    Problem::new(Code::Behind, detail).seen_at(found).retry_after(1)
                }
                CatchUpError::Overloaded => {
                    let detail = "too many requests wait for a revision; try again shortly";
                    Problem::new(Code::Overloaded, detail).retry_after(1)
                }
            }),
        }
    }

    /// The problem that there is no snapshot yet.
    pub(crate) fn not_ready() -> Problem {
        Problem::new(Code::NotReady, "this node has not loaded its flags yet").retry_after(1)
    }

    /// The instant that goes into the log.
    pub(crate) fn now() -> Timestamp {
        // A clock before 1970 or after the year 292 million is not worth a failed write.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
