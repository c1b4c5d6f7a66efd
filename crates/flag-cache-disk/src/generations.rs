//! The generations of an environment's snapshot on the disk: which files there are, and in which order they take one another's
//! place, so that at every moment a whole one can be read.
//!
//! The newest is written beside its place and then moved there. The one before it settles for a while, and only then takes
//! the place of the older one: what the older one holds has been on the disk for that long at least, and has been lived with.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flag_core::{Snapshot, Version};
use flag_engine::EnvironmentName;

use crate::file::{self, Refused, StoreId};

/// How long a generation settles.
const SETTLES: Duration = Duration::from_secs(60);
/// The file whose lock says who may write in a directory. The lock is of the process, and ends with it, however it ends.
const LOCK: &str = "snapshots.lock";
/// What the names of the files end with, from the newest generation to the oldest.
const NEWEST: &str = "snapshot";
const SETTLING: &str = "snapshot.settling";
const OLDER: &str = "snapshot.older";
/// What the name of a file ends with that is being written.
const UNFINISHED: &str = "snapshot.unfinished";

/// Why a snapshot was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// Two nodes that write over one another would each have what the other is about to take away.
    #[error("another process keeps its snapshots there; give each node a directory of its own")]
    InUse,
    /// The disk does not take it.
    #[error("the disk does not take it")]
    Io(#[from] io::Error),
}

/// A generation that was passed over, and why.
#[derive(Debug)]
pub(crate) struct PassedOver {
    pub(crate) path: PathBuf,
    pub(crate) why: Refused,
}

/// The generations of one environment in one directory. Reading needs no lock: whoever writes replaces whole files.
pub(crate) struct Generations {
    directory: PathBuf,
    environment: EnvironmentName,
    store: StoreId,
    settles: Duration,
    /// Held from the first save to the first failure.
    lock: Option<File>,
    /// What the newest file holds, and since when; nothing if that is not known to be good.
    newest: Option<(Version, Instant)>,
    /// Since when the settling file has been what it is; nothing if it is not known to be good.
    settling: Option<Instant>,
}

impl Generations {
    pub(crate) fn new(directory: PathBuf, environment: EnvironmentName, store: StoreId) -> Self {
        let (lock, newest, settling) = (None, None, None);
        Self { directory, environment, store, settles: SETTLES, lock, newest, settling }
    }

    #[cfg(test)]
    pub(crate) fn settling_for(self, settles: Duration) -> Self {
        Self { settles, ..self }
    }

    /// Whether there is a file that may hold a snapshot.
    pub(crate) fn any(&self) -> bool {
        [NEWEST, SETTLING, OLDER].into_iter().any(|ending| self.path(ending).is_file())
    }

    /// The version of the newest snapshot that is known to lie there.
    pub(crate) fn kept(&self) -> Option<Version> {
        self.newest.map(|(version, _)| version)
    }

    /// The newest generation that is whole, and those that had to be passed over on the way to it.
    pub(crate) fn read(&mut self) -> (Option<Snapshot>, Vec<PassedOver>) {
        let mut passed_over = Vec::new();
        for ending in [NEWEST, SETTLING, OLDER] {
            let path = self.path(ending);
            match self.read_file(&path) {
                Ok(Some(snapshot)) => {
                    if ending == NEWEST {
                        self.newest = Some((snapshot.version(), Instant::now()));
                    }
                    return (Some(snapshot), passed_over);
                }
                Ok(None) => {}
                Err(why) => passed_over.push(PassedOver { path, why }),
            }
        }
        (None, passed_over)
    }

    /// The snapshot in a file; nothing if there is none.
    fn read_file(&self, path: &Path) -> Result<Option<Snapshot>, Refused> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // To open a pipe would mean to wait for somebody who writes into it.
            Ok(metadata) if !metadata.is_file() => return Err(Refused::Foreign),
            Ok(_) | Err(_) => {}
        }
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file::read(file?, self.store).map(Some),
        }
    }

    /// Writes `snapshot` down as the newest generation. When it returns, that survives the loss of power.
    pub(crate) fn save(&mut self, snapshot: &Snapshot) -> Result<(), SaveError> {
        let unfinished = self.path(UNFINISHED);
        let saved = self.try_save(snapshot, &unfinished);
        if saved.is_err() && self.lock.is_some() {
            // It may be what fills the disk.
            let _ = fs::remove_file(&unfinished);
            // The directory may be another one by the time of the next attempt.
            self.lock = None;
        }
        saved
    }

    fn try_save(&mut self, snapshot: &Snapshot, unfinished: &Path) -> Result<(), SaveError> {
        self.lock()?;
        // What a process left that was killed is not written on: it may have other rights.
        unless_missing(fs::remove_file(unfinished))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished)?;
        file::write(&mut file, self.store, snapshot)?;
        file.sync_all()?;
        self.make_room()?;
        fs::rename(unfinished, self.path(NEWEST))?;
        File::open(&self.directory)?.sync_all()?;
        self.newest = Some((snapshot.version(), Instant::now()));
        Ok(())
    }

    /// Moves the generations on. Only those move that are known to be good, so that a damaged one never takes the place of
    /// one that may not be.
    fn make_room(&mut self) -> io::Result<()> {
        if self.settling.is_some_and(|since| since.elapsed() >= self.settles) {
            unless_missing(fs::rename(self.path(SETTLING), self.path(OLDER)))?;
            self.settling = None;
        }
        if self.settling.is_none()
            && let Some((_, since)) = self.newest
        {
            unless_missing(fs::rename(self.path(NEWEST), self.path(SETTLING)))?;
            (self.newest, self.settling) = (None, Some(since));
        }
        Ok(())
    }

    /// Sees to it that no other process writes here.
    fn lock(&mut self) -> Result<(), SaveError> {
        if self.lock.is_some() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let path = self.directory.join(LOCK);
        // To open a pipe would wait for ever, and what a link leads to is not ours.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let error = format!("{} is no file", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error).into());
        }
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match lock.try_lock() {
            Ok(()) => {
                self.lock = Some(lock);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(SaveError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", self.environment))
    }
}

/// The outcome of something that is as good if there was nothing to do it with: somebody may have tidied up.
fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests;
