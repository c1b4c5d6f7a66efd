//! The checkout that is acted on: where it is, and which files belong to it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

/// Folders that hold nothing that belongs to the repository, for when git cannot be asked.
const NOT_OURS: [&str; 4] = [".git", "target", "data", "node_modules"];

/// The repository that this program was built from.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    pub(crate) fn here() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: manifest.parent().unwrap_or(manifest).to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// `cargo` in the root of the repository, the one that runs this program if it was started by one.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Every file that is tracked or could be, relative to the root and in order.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(&self.root)
            .output();
        let mut files: Vec<String> = match listed {
            Ok(output) if output.status.success() => {
                let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
                names.split_terminator('\0').map(str::to_owned).collect()
            }
            // An unpacked archive has no git; it has no stray files either.
            _ => walk(&self.root, &self.root)?,
        };
        // A file that was deleted but is still tracked is listed as well.
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    pub(crate) fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| format!("read {file}"))
    }
}

fn walk(root: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if !entry.file_type()?.is_dir() {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            files.push(relative.to_str().context("a file name is not UTF-8")?.to_owned());
        } else if !NOT_OURS.iter().any(|other| name == *other) {
            files.extend(walk(root, &path)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_this_file_and_nothing_that_was_built() {
        let repository = Repository::here();
        let walked = walk(repository.root(), repository.root()).unwrap();
        for files in [repository.files().unwrap(), walked] {
            assert!(files.iter().any(|file| file == "xtask/src/repository.rs"));
            assert!(!files.iter().any(|file| file.starts_with("target/") || file.starts_with(".git/")));
        }
    }
}
