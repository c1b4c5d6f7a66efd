//! What a node keeps on its own disk, looked at and damaged past the node.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::site::Site;
use crate::verdict::must;

/// The files that a node may start from, in the order in which it has to try them.
const GENERATIONS: [&str; 3] = ["default.snapshot", "default.snapshot.settling", "default.snapshot.older"];
/// The file that is being written.
const UNFINISHED: &str = "default.snapshot.unfinished";
/// Where the revision stands in a file, in eight bytes with the least significant first.
const REVISION: std::ops::Range<usize> = 60..68;
/// How long a node may take until what became live is on its disk: it saves once a second at most.
const SAVED_WITHIN: Duration = Duration::from_secs(10);

/// The folder in which a node keeps its flags, and which of its files were damaged.
pub(crate) struct Disk {
    folder: PathBuf,
    /// Digests of what damage has made of files.
    damaged: Vec<[u8; 32]>,
}

/// What was done to the files of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Damage {
    CutShort,
    BitFlipped,
    Removed,
}

impl Disk {
    /// That of a node which is started in `directory`.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { folder: directory.join("data"), damaged: Vec::new() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The revision of the newest file, as it says itself.
    pub(crate) fn newest(&self) -> Option<u64> {
        revision(&fs::read(self.folder.join(GENERATIONS[0])).ok()?)
    }

    /// Whether a save is under way: something lies there unfinished, beside its place or in it.
    pub(crate) fn is_saving(&self) -> bool {
        let newest = fs::read(self.folder.join(GENERATIONS[0]));
        self.folder.join(UNFINISHED).exists() || newest.is_ok_and(|newest| !newest.starts_with(b"flagsnap"))
    }

    /// The revision from which the node has to start: that of the first file that nobody has damaged.
    pub(crate) fn first_whole(&self) -> Option<u64> {
        let files = GENERATIONS.iter().filter_map(|name| fs::read(self.folder.join(name)).ok());
        files.into_iter().find(|content| !self.damaged.contains(&digest(content))).and_then(|content| {
            // One that was left half written says nothing, and should not be there.
            revision(&content).or(Some(0))
        })
    }

    /// Damages one of the files, if there is one; half of the times the newest, from which a node would start.
    pub(crate) fn damage(&mut self, chance: &mut Chance) -> Result<Option<Damage>> {
        let name = if chance.happens(50) { &GENERATIONS[0] } else { chance.pick(&GENERATIONS[1..]) };
        let path = self.folder.join(name);
        let damage = damage(&path, 108, chance)?;
        if matches!(damage, Some(Damage::CutShort | Damage::BitFlipped)) {
            self.damaged.push(digest(&fs::read(path)?));
        }
        Ok(damage)
    }
}

/// Damages the file, if there is one and it is not empty: a quarter of the bits that flip are among so many bytes at its
/// beginning, which are a small part of the file.
pub(crate) fn damage(path: &Path, header: usize, chance: &mut Chance) -> Result<Option<Damage>> {
    let Ok(mut content) = fs::read(path) else { return Ok(None) };
    if content.is_empty() {
        return Ok(None);
    }
    let damage = match chance.below(6) {
        0 => Damage::CutShort,
        1 => Damage::Removed,
        _ => Damage::BitFlipped,
    };
    match damage {
        Damage::Removed => {
            fs::remove_file(path)?;
            return Ok(Some(damage));
        }
        Damage::CutShort => content.truncate(chance.place(content.len()) / 512 * 512),
        Damage::BitFlipped => {
            let length = if chance.happens(25) { content.len().min(header) } else { content.len() };
            let place = chance.place(length);
            content[place] ^= 1 << chance.below(8);
        }
    }
    fs::write(path, content).with_context(|| format!("write {}", path.display()))?;
    Ok(Some(damage))
}

fn revision(content: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(content.get(REVISION)?.try_into().ok()?))
}

fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// Waits until every node has on its disk what the database holds.
pub(crate) async fn all_saved(site: &Site) -> Result<()> {
    let (began, revision) = (Instant::now(), site.database.state().await?.revision);
    for (number, recipe) in site.recipes.iter().enumerate() {
        let disk = Disk::of(&recipe.directory);
        while disk.newest() != Some(revision) {
            must!(
                began.elapsed() < SAVED_WITHIN,
                "node {number} has not revision {revision} on its disk within {SAVED_WITHIN:?}, but {:?}",
                disk.newest()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_is_not_damaged_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::of(folder.path());
        assert_eq!((disk.newest(), disk.first_whole()), (None, None));
        fs::create_dir(disk.folder()).unwrap();
        for (name, revision) in GENERATIONS.into_iter().zip([7_u64, 6, 3]) {
            let content = [vec![0; REVISION.start], revision.to_le_bytes().to_vec(), vec![7; 2_000]].concat();
            fs::write(disk.folder().join(name), content).unwrap();
        }
        assert_eq!((disk.newest(), disk.first_whole()), (Some(7), Some(7)));
        let mut chance = Chance::new(1, "damage");
        for _ in 0..200 {
            let before = disk.first_whole();
            assert!(disk.damage(&mut chance).is_ok());
            assert!(disk.first_whole() <= before);
        }
        assert_eq!(disk.first_whole(), None);
    }
}
