//! Mutants: the bugs that scenarios are there to catch. Each is an edit of the product's sources, made in a copy of them, or a
//! twist that the scenario puts in by itself; so that nothing in the product knows of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::site::Twist;

/// A bug, and what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mutant {
    pub(crate) what: &'static str,
    pub(crate) bug: Bug,
}

/// How the bug gets in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bug {
    /// By these edits.
    Source(&'static [Edit]),
    /// By the scenario.
    Twist(Twist),
}

/// One text of one file in the place of another that occurs there exactly once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
    pub(crate) replacement: &'static str,
}

impl Edit {
    /// What the file comes to.
    ///
    /// # Errors
    /// If the text does not occur exactly once: the mutant has to follow the product.
    pub(crate) fn apply(&self, content: &str) -> Result<String> {
        match content.matches(self.text).count() {
            1 => Ok(content.replacen(self.text, self.replacement, 1)),
            count => bail!("{} holds {:?} {count} times, and should once", self.file, self.text),
        }
    }
}

/// A copy of the sources, in which one bug at a time is built.
pub(crate) struct Workshop {
    root: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

/// Folders that hold nothing that is built.
const LEFT_OUT: [&str; 4] = [".git", "target", "data", "node_modules"];

impl Workshop {
    /// The workshop of the repository at `root`, inside its `target` folder.
    pub(crate) fn new(root: &Path) -> Self {
        let folder = root.join("target/faults");
        Self { root: root.to_owned(), copy: folder.join("source"), target: folder.join("build") }
    }

    /// Builds the server with these edits, and says where it is.
    pub(crate) fn build(&self, edits: &[Edit]) -> Result<PathBuf> {
        mirror(&self.root, &self.copy)?;
        for edit in edits {
            let path = self.copy.join(edit.file);
            let content = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            fs::write(&path, edit.apply(&content)?)?;
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "--package", "flag", "--target-dir"]).arg(&self.target);
        let status = cargo.current_dir(&self.copy).status().context("cannot start cargo")?;
        if !status.success() {
            bail!("the mutant does not build ({status})");
        }
        Ok(self.target.join("debug/flag"))
    }
}

/// Makes `copy` the same as `original`. What is the same already is not touched, so that cargo sees no change there.
fn mirror(original: &Path, copy: &Path) -> Result<()> {
    fs::create_dir_all(copy).with_context(|| format!("create {}", copy.display()))?;
    for entry in fs::read_dir(original).with_context(|| format!("list {}", original.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                mirror(&from, &to)?;
            }
            continue;
        }
        let content = fs::read(&from).with_context(|| format!("read {}", from.display()))?;
        if !fs::read(&to).is_ok_and(|present| present == content) {
            fs::write(&to, content).with_context(|| format!("write {}", to.display()))?;
        }
    }
    for entry in fs::read_dir(copy)? {
        let entry = entry?;
        if !original.join(entry.file_name()).exists() {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::ALL;

    #[test]
    fn every_mutant_applies_to_the_sources_as_they_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut stale = Vec::new();
        for scenario in ALL {
            assert!(
                !scenario.mutants.is_empty(),
                "{} has no mutant: who says that it can fail?",
                scenario.name
            );
            for mutant in scenario.mutants {
                let Bug::Source(edits) = mutant.bug else { continue };
                for edit in edits {
                    let content = fs::read_to_string(root.join(edit.file)).unwrap();
                    match edit.apply(&content) {
                        Ok(edited) => assert_ne!(edited, content, "{}", mutant.what),
                        Err(error) => stale.push(format!("{}: {error:#}", mutant.what)),
                    }
                }
            }
        }
        assert!(stale.is_empty(), "{stale:#?}");
    }

    #[test]
    fn a_copy_follows_its_original_and_leaves_alone_what_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (original, copy) = (folder.path().join("original"), folder.path().join("copy"));
        fs::create_dir_all(original.join("inner")).unwrap();
        fs::create_dir_all(original.join("target")).unwrap();
        fs::write(original.join("same"), "same").unwrap();
        fs::write(original.join("inner/other"), "one").unwrap();
        fs::write(original.join("target/built"), "large").unwrap();
        mirror(&original, &copy).unwrap();
        let before = fs::metadata(copy.join("same")).unwrap().modified().unwrap();
        fs::write(original.join("inner/other"), "two").unwrap();
        fs::write(copy.join("stray"), "stray").unwrap();
        mirror(&original, &copy).unwrap();
        assert_eq!(fs::metadata(copy.join("same")).unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_to_string(copy.join("inner/other")).unwrap(), "two");
        assert!(!copy.join("stray").exists() && !copy.join("target").exists());
    }
}
