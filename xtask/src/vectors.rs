//! The golden cases of `spec/vectors`: which there are, how they are written down, and when they may be written.
//!
//! The answers are those of `flag-core`. What makes them right is that a second implementation, written from
//! `docs/evaluation.md` alone, gives the same; what makes them golden is that a recorded file is never altered.

mod bucket;
mod cases;
mod documents;
mod evaluation;
mod flags;
mod hash;
mod people;
mod percentage;

use std::{fs, process::ExitCode};

use anyhow::{Context, Result, bail};

use crate::{
    repository::Repository,
    tidy::{Tree, vectors as rules},
};

/// A golden file: its path and its text.
pub(crate) struct Golden {
    pub(crate) path: &'static str,
    pub(crate) text: String,
}

/// Every golden file, the same at each call.
pub(crate) fn files() -> Result<Vec<Golden>> {
    Ok(vec![
        Golden { path: "spec/vectors/bucket.json", text: bucket::file() },
        Golden { path: "spec/vectors/documents.json", text: documents::file() },
        Golden { path: "spec/vectors/evaluation.json", text: evaluation::file()? },
        Golden { path: "spec/vectors/hash.json", text: hash::file() },
        Golden { path: "spec/vectors/percentage.json", text: percentage::file() },
        Golden { path: "spec/vectors/salts.json", text: evaluation::salts_file()? },
    ])
}

/// Writes the files and records those that are new under this algorithm id. If one would differ from its record, or the
/// records are not as they were sealed, nothing is written at all: an answer has moved, and only another id may move it.
pub(crate) fn generate(repository: &Repository) -> Result<ExitCode> {
    let tree = Tree::read(repository)?;
    let broken = rules::broken_seals(&tree);
    if !broken.is_empty() {
        bail!("{}: {}. Nothing was written", rules::CHECKSUMS, broken.join("; "));
    }
    let files = files()?;
    let altered = rules::unlike_their_records(&tree, &files);
    if !altered.is_empty() {
        bail!(
            "{} would not be as recorded for {}. Nothing was written. If answers are meant to move, give \
             flag_core::ALGORITHM another id; if not, undo what moved them",
            altered.join(", "),
            flag_core::ALGORITHM
        );
    }
    for Golden { path, text } in &files {
        let target = repository.root().join(path);
        fs::write(&target, text).with_context(|| format!("write {path}"))?;
        println!("{path}: {} cases, {} bytes", cases::count(text), text.len());
    }
    let records = rules::recorded_with_new(&tree, &files);
    fs::write(repository.root().join(rules::CHECKSUMS), records)
        .with_context(|| format!("write {}", rules::CHECKSUMS))?;
    let violations = rules::check(&Tree::read(repository)?);
    for violation in &violations {
        println!("{violation}");
    }
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_there_byte_for_byte() {
        let repository = Repository::here();
        for (first, second) in files().unwrap().into_iter().zip(files().unwrap()) {
            assert_eq!(first.text, second.text, "{} differs from one call to the next", first.path);
            assert!(repository.read(first.path).unwrap() == first.text, "{} is not as generated", first.path);
        }
    }

    #[test]
    fn there_are_at_least_ten_thousand_cases_in_less_than_three_megabytes() {
        let files = files().unwrap();
        let cases: usize = files.iter().map(|file| cases::count(&file.text)).sum();
        let bytes: usize = files.iter().map(|file| file.text.len()).sum();
        assert!(cases >= 10_000 && bytes < 3_000_000, "{cases} cases, {bytes} bytes");
    }

    #[test]
    fn files_are_plain_ascii_so_that_nothing_on_the_way_normalises_them() {
        for file in files().unwrap() {
            assert!(file.text.is_ascii() && file.text.ends_with("}\n"), "{}", file.path);
        }
    }
}
