//! The rule that golden vectors never change under one algorithm id: whoever evaluates by that id relies on them.
//!
//! Two things keep it. `spec/vectors/checksums.txt` has a line for each file of each id, to which `cargo xtask gen vectors`
//! only ever adds. And [`SEALS`] holds the checksum of those lines, in source that nothing generates, so that a record can
//! be neither altered nor recorded anew without somebody writing here that he does so.

use std::collections::BTreeSet;

use super::{Tree, Violation, migrations::checksum, tree::File};
use crate::vectors::Golden;

/// A line for each golden file of each algorithm id: checksum, id, path, two spaces between them.
pub(crate) const CHECKSUMS: &str = "spec/vectors/checksums.txt";
const RULE: &str = "vector";

/// For each algorithm id how many lines were recorded, and their checksum. Rows are added at the end, for a new id or for
/// more files under the last one. A row that stands here is never altered: that would be a promise broken in silence.
const SEALS: [Seal; 1] = [Seal {
    algorithm: "xxh64-100k/1",
    lines: 6,
    checksum: "273fa8333a81cd8921a1c84653f5da3c8f936784468719dbec2238d092a1455c",
}];

struct Seal {
    algorithm: &'static str,
    lines: usize,
    checksum: &'static str,
}

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    check_against(tree, flag_core::ALGORITHM, &SEALS)
}

fn check_against(tree: &Tree, algorithm: &str, seals: &[Seal]) -> Vec<Violation> {
    let mut violations = well_formed(tree);
    let current = || records(tree).filter(|record| record.algorithm == algorithm);
    for file in golden(tree) {
        let fault = match stated_algorithm(file) {
            Some(stated) if stated == algorithm => match current().find(|record| record.path == file.path) {
                None => "is not recorded: run `cargo xtask gen vectors`".to_owned(),
                Some(record) if record.checksum == checksum(&file.text) => continue,
                Some(_) => format!(
                    "was altered, though {algorithm} stands for what it was: undo that, or give \
                         flag_core::ALGORITHM another id"
                ),
            },
            stated => {
                format!("is written for the algorithm {stated:?}, and flag-core evaluates by {algorithm:?}")
            }
        };
        violations.push(Violation::new(RULE, &file.path, 1, fault));
    }
    for record in current().filter(|record| !golden(tree).any(|file| file.path == record.path)) {
        violations.push(Violation::new(RULE, CHECKSUMS, record.line, format!("{} is gone", record.path)));
    }
    violations.extend(sealed(tree, algorithm, seals));
    violations
}

/// Which of `files` are recorded otherwise under the id of the core, or recorded and no longer among them.
pub(crate) fn unlike_their_records(tree: &Tree, files: &[Golden]) -> Vec<String> {
    let current = records(tree).filter(|record| record.algorithm == flag_core::ALGORITHM);
    let unlike = current.filter(|record| {
        let file = files.iter().find(|file| file.path == record.path);
        file.is_none_or(|file| checksum(&file.text) != record.checksum)
    });
    unlike.map(|record| record.path.to_owned()).collect()
}

/// The recorded lines as they are, and after them a line for each of `files` that has none under the id of the core.
pub(crate) fn recorded_with_new(tree: &Tree, files: &[Golden]) -> String {
    let mut text = checksums(tree).map_or_else(String::new, |file| file.text.clone());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let algorithm = flag_core::ALGORITHM;
    for Golden { path, text: golden } in files {
        if !records(tree).any(|record| record.algorithm == algorithm && record.path == *path) {
            text.push_str(&format!("{}  {algorithm}  {path}\n", checksum(golden)));
        }
    }
    text
}

struct Record<'a> {
    line: usize,
    checksum: &'a str,
    algorithm: &'a str,
    path: &'a str,
}

/// The lines that are records.
fn records(tree: &Tree) -> impl Iterator<Item = Record<'_>> {
    checksums(tree).into_iter().flat_map(File::lines).filter_map(|(line, text)| record(line, text))
}

fn record(line: usize, text: &str) -> Option<Record<'_>> {
    let (checksum, rest) = text.split_once("  ")?;
    let (algorithm, path) = rest.split_once("  ")?;
    Some(Record { line, checksum, algorithm, path })
}

/// Every line is a record, and no file is recorded twice under one id: a second line must not outdo the first.
fn well_formed(tree: &Tree) -> Vec<Violation> {
    let mut seen = BTreeSet::new();
    let fault = |(line, text): (usize, &str)| {
        let message = match record(line, text) {
            None => "must be a checksum, an algorithm id and a path, two spaces between them",
            Some(record) if !seen.insert((record.algorithm.to_owned(), record.path.to_owned())) => {
                "is recorded twice under this id"
            }
            Some(_) => return None,
        };
        Some(Violation::new(RULE, CHECKSUMS, line, message))
    };
    checksums(tree).into_iter().flat_map(File::lines).filter_map(fault).collect()
}

/// What is wrong with the records as far as they were sealed. As long as something is, nothing may be recorded.
pub(crate) fn broken_seals(tree: &Tree) -> Vec<String> {
    broken(tree, &SEALS)
}

fn broken(tree: &Tree, seals: &[Seal]) -> Vec<String> {
    let sealed = |seal: &&Seal| recorded_lines(tree, seal.algorithm, seal.lines);
    let broken = seals.iter().filter(|seal| sealed(seal) != (seal.lines, seal.checksum.to_owned()));
    let message = |seal: &Seal| {
        let Seal { algorithm, lines, .. } = seal;
        format!("the first {lines} lines of {algorithm} are not those that were sealed: undo that")
    };
    broken.map(message).collect()
}

/// How many of the lines of an id there are up to `most`, and their checksum.
fn recorded_lines(tree: &Tree, algorithm: &str, most: usize) -> (usize, String) {
    let lines = records(tree).filter(|record| record.algorithm == algorithm).take(most);
    let lines = lines.map(|record| format!("{}  {}  {}\n", record.checksum, record.algorithm, record.path));
    let lines: Vec<String> = lines.collect();
    (lines.len(), checksum(&lines.concat()))
}

/// The lines of every id are those that were sealed, and all lines of the core's id are.
fn sealed(tree: &Tree, algorithm: &str, seals: &[Seal]) -> Vec<Violation> {
    let mut messages = broken(tree, seals);
    let (lines, checksum) = recorded_lines(tree, algorithm, usize::MAX);
    if !seals.iter().any(|seal| seal.algorithm == algorithm && seal.lines >= lines) {
        messages.push(format!(
            "the {lines} lines of {algorithm} are not sealed: add to the end of SEALS in xtask/src/tidy/vectors.rs the row \
             {{ algorithm: {algorithm:?}, lines: {lines}, checksum: {checksum:?} }}"
        ));
    }
    messages.into_iter().map(|message| Violation::new(RULE, CHECKSUMS, 1, message)).collect()
}

fn golden(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files().filter(|file| file.path.starts_with("spec/vectors/") && file.path.ends_with(".json"))
}

/// The id in the header of a file, which has a line of its own.
fn stated_algorithm(file: &File) -> Option<&str> {
    file.text.lines().take(5).find_map(|line| line.strip_prefix("  \"algorithm\": \"")?.strip_suffix("\","))
}

fn checksums(tree: &Tree) -> Option<&File> {
    tree.files().find(|file| file.path == CHECKSUMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = flag_core::ALGORITHM;
    const PATH: &str = "spec/vectors/a.json";

    fn golden_text(cases: &str) -> String {
        format!("{{\n  \"format\": 1,\n  \"algorithm\": \"{ID}\",\n  \"cases\": {cases}\n}}\n")
    }

    fn generated(cases: &str) -> Vec<Golden> {
        vec![Golden { path: PATH, text: golden_text(cases) }]
    }

    /// What is recorded of these cases, and the seal of it.
    fn recorded(cases: &str) -> (String, Seal) {
        let lines = recorded_with_new(&Tree::sample(&[]), &generated(cases));
        let seal = Seal { algorithm: ID, lines: 1, checksum: checksum(&lines).leak() };
        (lines, seal)
    }

    #[track_caller]
    fn expect(files: &[(&str, &str)], algorithm: &str, seals: &[Seal], expected: &[&str]) {
        let found: Vec<String> =
            check_against(&Tree::sample(files), algorithm, seals).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found:?} does not say {expected:?}");
        }
    }

    #[test]
    fn a_file_that_is_as_recorded_and_sealed_is_fine() {
        let (lines, seal) = recorded("[1]");
        expect(&[(PATH, &golden_text("[1]")), (CHECKSUMS, &lines)], ID, &[seal], &[]);
    }

    #[test]
    fn a_golden_file_that_changes_without_a_new_id_is_refused() {
        let (lines, seal) = recorded("[1]");
        let altered = golden_text("[2]");
        expect(
            &[(PATH, &altered), (CHECKSUMS, &lines)],
            ID,
            &[seal],
            &["a.json:1: vector: was altered, though"],
        );
    }

    #[test]
    fn a_record_that_changes_with_its_file_is_refused_by_its_seal() {
        let ((_, seal), (lines, _)) = (recorded("[1]"), recorded("[2]"));
        let altered = golden_text("[2]");
        let found = ["the first 1 lines of"];
        expect(&[(PATH, &altered), (CHECKSUMS, &lines)], ID, &[seal], &found);
    }

    #[test]
    fn a_record_that_is_gone_is_refused_by_its_seal_even_if_its_file_is_gone_too() {
        let (_, seal) = recorded("[1]");
        expect(&[], ID, &[seal], &["the first 1 lines of"]);
        let (lines, seal) = recorded("[1]");
        expect(&[(CHECKSUMS, &lines)], ID, &[seal], &["spec/vectors/a.json is gone"]);
    }

    #[test]
    fn a_second_record_does_not_outdo_the_first() {
        let ((first, seal), (second, _)) = (recorded("[1]"), recorded("[2]"));
        let files = [(PATH, &*golden_text("[2]")), (CHECKSUMS, &*(first + &second))];
        expect(&files, ID, &[seal], &["twice under this id", "was altered", "the 2 lines of"]);
    }

    #[test]
    fn a_new_file_must_be_recorded_and_sealed() {
        let text = golden_text("[1]");
        expect(&[(PATH, &text)], ID, &[], &["is not recorded", "the 0 lines of"]);
        let (lines, seal) = recorded("[1]");
        let row = format!("the row {{ algorithm: {ID:?}, lines: 1, checksum: {:?} }}", seal.checksum);
        expect(&[(PATH, &text), (CHECKSUMS, &lines)], ID, &[], &[&row]);
    }

    #[test]
    fn a_new_id_needs_new_files_and_keeps_the_old_records() {
        let (lines, seal) = recorded("[1]");
        let stale = "is written for the algorithm Some(\"";
        let files = [(PATH, &*golden_text("[1]")), (CHECKSUMS, &*lines)];
        expect(&files, "other/2", &[seal], &[stale, "the 0 lines of other/2 are not sealed"]);
    }

    #[test]
    fn a_line_that_is_no_record_is_refused() {
        let (lines, seal) = recorded("[1]");
        let files = [(PATH, &*golden_text("[1]")), (CHECKSUMS, &*(lines + "# a note\n"))];
        expect(&files, ID, &[seal], &["checksums.txt:2: vector: must be a checksum"]);
    }

    #[test]
    fn generating_names_what_would_be_altered_and_adds_lines_only() {
        let (lines, _) = recorded("[1]");
        let tree = Tree::sample(&[(CHECKSUMS, &lines)]);
        assert_eq!(unlike_their_records(&tree, &generated("[1]")), [""; 0]);
        assert_eq!(unlike_their_records(&tree, &generated("[2]")), [PATH]);
        assert_eq!(unlike_their_records(&tree, &[]), [PATH]);
        assert_eq!(recorded_with_new(&tree, &generated("[2]")), lines);
        let more = recorded_with_new(&tree, &[Golden { path: "spec/vectors/b.json", text: String::new() }]);
        assert!(more.starts_with(&lines) && more.lines().count() == 2);
    }
}
