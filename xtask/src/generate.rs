//! `cargo xtask gen`: files that are derived from others.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};

use crate::{
    repository::Repository,
    tidy::{Tree, migrations},
};

/// Records new migrations. One that was recorded before keeps its line, whatever its file holds now.
pub(crate) fn migrations(repository: &Repository) -> Result<ExitCode> {
    let tree = Tree::read(repository)?;
    let text = migrations::recorded_with_new(&tree);
    fs::write(repository.root().join(migrations::CHECKSUMS), text)
        .with_context(|| format!("write {}", migrations::CHECKSUMS))?;
    let violations = migrations::check(&Tree::read(repository)?);
    for violation in &violations {
        println!("{violation}");
    }
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
