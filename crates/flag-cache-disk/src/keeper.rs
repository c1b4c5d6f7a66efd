//! The keeper: a thread that writes down what became live, as often as it may, and once more at the end. A thread of its own,
//! because a disk may take its time and nobody else should notice.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flag_core::Snapshot;
use flag_engine::{Bootstrap, EnvironmentName, with_causes};

use crate::file::StoreId;
use crate::generations::{Generations, SaveError};

/// How many times as long as a save took the keeper then rests: it works for a twentieth of the time at most.
const REST: u32 = 19;
/// How long it rests at least, to spare the disk.
const LEAST_REST: Duration = Duration::from_secs(1);
/// How long it rests after a failure at least.
const RETRY: Duration = Duration::from_secs(5);
/// How long a save may take before it is taken for one that hangs. The largest takes some seconds.
const LONG_SAVE: Duration = Duration::from_secs(30);
/// How long the end of the process waits for the last save.
const LAST_SAVE: Duration = Duration::from_secs(5);

type Unsaved = BTreeMap<String, (EnvironmentName, Arc<Snapshot>)>;

/// What is kept in one directory, and the thread that writes it there. Dropping it ends the thread, after the save that is
/// under way.
pub(crate) struct Keeper {
    kept: Arc<Kept>,
}

struct Kept {
    directory: PathBuf,
    store: StoreId,
    generations: Mutex<BTreeMap<String, Generations>>,
    work: Mutex<Work>,
    news: Condvar,
    is_up: AtomicBool,
    refused: AtomicU64,
}

#[derive(Default)]
struct Work {
    /// Of each environment the newest snapshot that is not on the disk yet.
    unsaved: Unsaved,
    /// The environments of which something was live in this process, or of which nothing on the disk could be used: what
    /// is damaged is not read, told of and counted again each time that a node without flags asks for some.
    past_start: BTreeSet<String>,
    end: End,
    /// Since when the save takes that is under way.
    saving: Option<Instant>,
}

/// Whether the thread goes on.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    NotYet,
    AfterLastSave,
    AtOnce,
    Reached,
}

impl Keeper {
    pub(crate) fn start(directory: PathBuf, store: StoreId) -> io::Result<Self> {
        let kept = Arc::new(Kept {
            directory,
            store,
            generations: Mutex::default(),
            work: Mutex::default(),
            news: Condvar::new(),
            is_up: AtomicBool::new(true),
            refused: AtomicU64::new(0),
        });
        let for_thread = Arc::clone(&kept);
        thread::Builder::new().name("flag-disk".to_owned()).spawn(move || for_thread.run())?;
        Ok(Self { kept })
    }

    /// Takes a snapshot that has just become live. Lets nobody wait.
    pub(crate) fn offer(&self, environment: &EnvironmentName, snapshot: &Arc<Snapshot>) {
        let name = environment.as_str();
        let mut work = self.kept.work();
        work.past_start.insert(name.to_owned());
        let before = work.unsaved.insert(name.to_owned(), (environment.clone(), Arc::clone(snapshot)));
        drop(work);
        // It may be large, and is freed outside the lock.
        drop(before);
        self.kept.news.notify_all();
    }

    /// Notes that the node has flags: whatever it asks for from now on, the disk has nothing better.
    pub(crate) fn pass_start(&self, environment: &EnvironmentName) {
        let mut work = self.kept.work();
        if !work.past_start.contains(environment.as_str()) {
            work.past_start.insert(environment.as_str().to_owned());
        }
    }

    /// Whether there is nothing to be had from the disk any more: either better was live, or there was nothing.
    pub(crate) fn is_past_start(&self, environment: &EnvironmentName) -> bool {
        self.kept.work().past_start.contains(environment.as_str())
    }

    /// Whether there is a file that may hold a snapshot of this environment.
    pub(crate) fn any(&self, environment: &EnvironmentName) -> bool {
        self.kept.with_generations(environment, |generations| generations.any())
    }

    /// A way to read what is kept of an environment, for a thread that may wait for the disk.
    pub(crate) fn reading(
        &self,
        environment: &EnvironmentName,
    ) -> impl FnOnce() -> Option<Snapshot> + Send + use<> {
        let (kept, environment) = (Arc::clone(&self.kept), environment.clone());
        move || kept.read(&environment)
    }

    pub(crate) fn bootstrap(&self) -> Bootstrap {
        let hangs = self.kept.work().saving.is_some_and(|since| since.elapsed() > LONG_SAVE);
        Bootstrap {
            name: crate::source::NAME,
            is_up: self.kept.is_up.load(Ordering::Relaxed) && !hangs,
            refused: self.kept.refused.load(Ordering::Relaxed),
        }
    }

    /// Ends the thread after it has saved what is not saved yet; waits for that, but not for ever.
    pub(crate) fn finish(&self) {
        self.kept.end(End::AfterLastSave);
        let waiting =
            self.kept.news.wait_timeout_while(self.kept.work(), LAST_SAVE, |work| work.end != End::Reached);
        let (_work, waited) = waiting.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            tracing::warn!("the disk takes too long for the last snapshot; ending without it");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.kept.end(End::AtOnce);
    }
}

impl Kept {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End) {
        let mut work = self.work();
        if work.end != End::Reached {
            work.end = end;
        }
        drop(work);
        self.news.notify_all();
    }

    fn with_generations<T>(
        &self,
        environment: &EnvironmentName,
        act: impl FnOnce(&mut Generations) -> T,
    ) -> T {
        let mut all = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let generations = all
            .entry(environment.as_str().to_owned())
            .or_insert_with(|| Generations::new(self.directory.clone(), environment.clone(), self.store));
        act(generations)
    }

    fn read(&self, environment: &EnvironmentName) -> Option<Snapshot> {
        let (snapshot, passed_over) = self.with_generations(environment, Generations::read);
        for passed in passed_over {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let path = passed.path.display();
            tracing::warn!(%path, error = with_causes(&passed.why), "passing over a kept snapshot");
        }
        if snapshot.is_none() {
            self.work().past_start.insert(environment.as_str().to_owned());
        }
        snapshot
    }

    fn run(&self) {
        loop {
            let work =
                self.news.wait_while(self.work(), |work| work.unsaved.is_empty() && work.end == End::NotYet);
            let mut work = work.unwrap_or_else(PoisonError::into_inner);
            if work.end == End::AtOnce {
                break;
            }
            let (unsaved, end) = (std::mem::take(&mut work.unsaved), work.end);
            let started = Instant::now();
            work.saving = Some(started);
            drop(work);
            let outcome = self.save(unsaved);
            self.work().saving = None;
            let rest = started.elapsed().saturating_mul(REST);
            let rest = rest.max(if outcome.is_ok() { LEAST_REST } else { RETRY });
            self.tell(outcome);
            if end != End::NotYet {
                break;
            }
            let resting = self.news.wait_timeout_while(self.work(), rest, |work| work.end == End::NotYet);
            drop(resting.unwrap_or_else(PoisonError::into_inner));
        }
        self.end(End::Reached);
    }

    /// Saves what is not on the disk yet; of what fails the newest waits for the next attempt.
    fn save(&self, unsaved: Unsaved) -> Result<(), SaveError> {
        let mut outcome = Ok(());
        for (name, (environment, snapshot)) in unsaved {
            let saved = self.with_generations(&environment, |generations| {
                if generations.kept() == Some(snapshot.version()) {
                    return Ok(());
                }
                generations.save(&snapshot)
            });
            if saved.is_err() {
                self.work().unsaved.entry(name).or_insert((environment, snapshot));
            }
            outcome = outcome.and(saved);
        }
        outcome
    }

    /// Notes whether the disk takes what it is given, and logs when that changes.
    fn tell(&self, outcome: Result<(), SaveError>) {
        let was_up = self.is_up.swap(outcome.is_ok(), Ordering::Relaxed);
        let directory = self.directory.display();
        match outcome {
            Ok(()) if was_up => {}
            Ok(()) => tracing::info!(%directory, "the disk keeps the flags again"),
            Err(error) if was_up => {
                let error = with_causes(&error);
                tracing::warn!(error, %directory, "the flags cannot be kept on the disk; going on without");
            }
            Err(error) => {
                tracing::debug!(error = with_causes(&error), %directory, "the flags still cannot be kept on the disk");
            }
        }
    }
}

#[cfg(test)]
mod tests;
