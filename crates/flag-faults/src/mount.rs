//! A small disk that only the nodes started on it have: a mount in a namespace of its own, which needs no rights on the
//! machine and leaves nothing behind.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::node::Recipe;
use crate::verdict::NotRun;

/// The disk. Dropping it ends it, with everything that lies on it; nodes that use it have to be ended before.
pub(crate) struct Mount {
    /// Keeps the namespace while it runs, and runs until its input ends, which it does even if this bench is killed.
    keeper: Child,
    /// Where the disk is, for whoever is in the namespace; to all others it is an empty folder.
    inside: PathBuf,
    directory: TempDir,
}

/// Whether files on a disk can be changed.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

impl Mount {
    /// A disk that holds so many bytes.
    ///
    /// # Errors
    /// [`NotRun`] where the machine lets nobody mount anything.
    pub(crate) fn of_bytes(size: u64) -> Result<Self> {
        let directory = TempDir::with_prefix("flag-faults-")?;
        let inside = directory.path().join("disk");
        fs::create_dir(&inside)?;
        let script = r#"mount -t tmpfs -o "size=$1" tmpfs "$2" && echo mounted && exec cat"#;
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(size.to_string()).arg(&inside);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(NotRun("there is no unshare(1) to mount a disk with".to_owned()).into());
            }
            spawned => spawned.context("start unshare")?,
        };
        let mut line = String::new();
        let output = keeper.stdout.take().context("the output of the keeper")?;
        BufReader::new(output).read_line(&mut line)?;
        if line != "mounted\n" {
            let mut why = String::new();
            keeper.stderr.take().context("the errors of the keeper")?.read_to_string(&mut why)?;
            keeper.wait()?;
            return Err(NotRun(format!("no disk can be mounted here: {}", why.trim())).into());
        }
        Ok(Self { keeper, inside, directory })
    }

    /// The disk as it is reached from outside.
    fn outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        self.inside.strip_prefix("/").map_or(root.clone(), |path| root.join(path))
    }

    /// The same node with the disk for its directory.
    pub(crate) fn bear(&self, mut recipe: Recipe) -> Result<Recipe> {
        let script = self.directory.path().join("start");
        let text = format!(
            "#!/bin/sh\nexec nsenter --target {} --user --mount --preserve-credentials \
             sh -c 'cd \"$0\" && exec \"$@\"' '{}' '{}' \"$@\"\n",
            self.keeper.id(),
            self.inside.display(),
            recipe.program.display()
        );
        fs::write(&script, text)?;
        fs::set_permissions(&script, Permissions::from_mode(0o700))?;
        recipe.program = script;
        recipe.directory = self.outside();
        Ok(recipe)
    }

    /// Fills the disk to its last byte.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut ballast = fs::File::create(self.ballast())?;
        for portion in [&[0; 4_096][..], &[0]] {
            loop {
                match ballast.write(portion) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("fill the disk"),
                }
            }
        }
        Ok(())
    }

    /// Takes away what [`Mount::fill`] laid there.
    pub(crate) fn make_room(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("make room on the disk")
    }

    fn ballast(&self) -> PathBuf {
        self.outside().join("ballast")
    }

    /// Lets nobody change a file from now on, or everybody. A disk cannot become read-only while a node has a file open.
    pub(crate) fn remount(&self, access: Access) -> Result<()> {
        let options = match access {
            Access::ReadOnly => "remount,ro",
            Access::ReadWrite => "remount,rw",
        };
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.keeper.id().to_string()]);
        command.args(["--user", "--mount", "--preserve-credentials", "mount", "-o", options]);
        let output = command.arg(&self.inside).output().context("start nsenter")?;
        if !output.status.success() {
            bail!("mount -o {options}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // One that has ended already is no loss.
        let _ = self.keeper.wait();
    }
}
