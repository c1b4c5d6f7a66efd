//! A thread that owns a connection, or what stands for one, and does jobs with it, one after another.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use flag_engine::{Bound, BoundHits, StoreError};
use tokio::sync::oneshot;

/// How many jobs may wait. Whoever comes then would not be answered in time.
const QUEUE: usize = 256;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// The thread. Dropping it ends it, after the job that is under way.
pub(crate) struct Worker<T> {
    /// Taken when the worker is dropped, which is how the thread learns of it.
    jobs: Option<SyncSender<Job<T>>>,
    thread: Option<JoinHandle<()>>,
    queue: Bound,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread `name`, which owns `tool`. Jobs that find its queue full are counted under `queue`.
    pub(crate) fn start(name: &str, tool: T, queue: &'static str) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(QUEUE);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(tool, &waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), queue: Bound::new(queue) })
    }

    /// How often a job found the queue full.
    pub(crate) fn turned_away(&self) -> BoundHits {
        self.queue.hits()
    }

    /// Does `job` on the thread. A job that nobody waits for any more when its turn comes is not begun; one that has begun
    /// is finished.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job<T> = Box::new(move |tool| {
            if !reply.is_closed() {
                let _ = reply.send(job(tool));
            }
        });
        let gone = || StoreError::Unavailable("its thread has ended".into());
        match self.jobs.as_ref().ok_or_else(gone)?.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.queue.hit();
                return Err(StoreError::Unavailable("too many questions are waiting".into()));
            }
            Err(TrySendError::Disconnected(_)) => return Err(gone()),
        }
        // Without an answer the job was begun and broke off.
        answer.await.unwrap_or_else(|_| Err(StoreError::Uncertain("its thread broke off".into())))
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // The process may be about to end, and what is being written should be written.
            let _ = thread.join();
        }
    }
}

fn work<T>(mut tool: T, waiting: &Receiver<Job<T>>) {
    while let Ok(job) = waiting.recv() {
        // A panic has been reported and its transaction rolled back by the time it is caught here; the store must not be
        // gone for ever because of it.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut tool)));
    }
}
