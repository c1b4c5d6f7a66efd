//! Pages of lists: searched and written off the workers, and only a few at a time, so that whoever lists a hundred thousand
//! flags holds up nobody's evaluation.

use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use flag_core::Revision;
use flag_engine::{Bound, BoundHits};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::answer;
use crate::problem::{Code, Problem};

/// How long a list may wait for its turn.
const WAIT: Duration = Duration::from_secs(2);

/// How many lists are made at once: half of the cores, so that the other half goes on answering.
pub struct Pages {
    turns: Semaphore,
    wait: Bound,
}

impl Default for Pages {
    fn default() -> Self {
        let turns = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        Self { turns: Semaphore::new(turns), wait: Bound::new("lists") }
    }
}

impl Pages {
    /// How often a list waited too long for its turn.
    pub(crate) fn waited_in_vain(&self) -> BoundHits {
        self.wait.hits()
    }

    /// The answer that `make` gives, when it is its turn.
    pub(crate) async fn answer<T: Serialize>(
        &self,
        revision: Revision,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<HttpResponse, Problem> {
        let interrupted = || Problem::new(Code::Internal, "the list was interrupted");
        let turn = timeout(WAIT, self.turns.acquire()).await.map_err(|_| {
            self.wait.hit();
            Problem::new(Code::Overloaded, "too many lists are being made; try again shortly").retry_after(1)
        })?;
        let _turn = turn.map_err(|_| interrupted())?;
        let body = web::block(move || serde_json::to_vec(&make())).await.map_err(|_| interrupted())?;
        let body = body.map_err(|_| interrupted())?;
        Ok(answer::without_store(StatusCode::OK, revision).content_type(ContentType::json()).body(body))
    }
}
