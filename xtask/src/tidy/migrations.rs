//! The rule that migrations are only ever added: a database that ran one never runs it again.

use std::{collections::BTreeMap, fmt::Write};

use sha2::{Digest, Sha256};

use super::{Tree, Violation, tree::File};

/// A line for each migration, as `sha256sum` writes it: checksum, two spaces, path.
pub(crate) const CHECKSUMS: &str = "migrations/checksums.txt";
const RULE: &str = "migration";

pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let recorded = recorded(tree);
    let mut violations: Vec<Violation> =
        migrations(tree).filter_map(|file| unlike_its_record(file, &recorded)).collect();
    for (path, record) in &recorded {
        if !migrations(tree).any(|file| file.path == *path) {
            violations.push(Violation::new(RULE, CHECKSUMS, record.line, format!("{path} is gone")));
        }
    }
    violations.extend(numbering(tree));
    violations
}

/// The recorded lines as they are, and after them a line for each migration that has none.
pub(crate) fn recorded_with_new(tree: &Tree) -> String {
    let recorded = recorded(tree);
    let mut text = checksums(tree).map_or_else(String::new, |file| file.text.clone());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for file in migrations(tree).filter(|file| !recorded.contains_key(file.path.as_str())) {
        text.push_str(&format_line(file));
    }
    text
}

struct Record<'a> {
    line: usize,
    checksum: &'a str,
}

fn recorded(tree: &Tree) -> BTreeMap<&str, Record<'_>> {
    let lines = checksums(tree).into_iter().flat_map(File::lines);
    let records = lines.filter_map(|(line, text)| {
        let (checksum, path) = text.split_once("  ")?;
        Some((path, Record { line, checksum }))
    });
    records.collect()
}

fn unlike_its_record(file: &File, recorded: &BTreeMap<&str, Record<'_>>) -> Option<Violation> {
    let message = match recorded.get(file.path.as_str()) {
        None => "is not recorded: run `cargo xtask gen migrations`",
        Some(record) if record.checksum == checksum(&file.text) => return None,
        Some(_) => "was altered after it was recorded: undo that, and add a new migration",
    };
    Some(Violation::new(RULE, &file.path, 1, message))
}

/// In each folder the numbers are 1, 2, 3 … in the form that refinery reads: `V1__name.sql`.
fn numbering(tree: &Tree) -> Vec<Violation> {
    let mut folders: BTreeMap<&str, Vec<(u32, &str)>> = BTreeMap::new();
    let mut violations = Vec::new();
    for file in migrations(tree) {
        match place(&file.path) {
            Some((folder, number)) => folders.entry(folder).or_default().push((number, &file.path)),
            None => violations.push(Violation::new(RULE, &file.path, 1, "must be named like V1__name.sql")),
        }
    }
    for mut numbered in folders.into_values() {
        numbered.sort_unstable();
        for ((number, path), expected) in numbered.into_iter().zip(1..) {
            if number != expected {
                let message = format!("has number {number} where {expected} comes next");
                violations.push(Violation::new(RULE, path, 1, message));
                break;
            }
        }
    }
    violations
}

/// Folder and number of a migration, if it is named as it must be.
fn place(path: &str) -> Option<(&str, u32)> {
    let (folder, name) = path.rsplit_once('/')?;
    let (number, rest) = name.strip_prefix('V')?.split_once("__")?;
    let named = rest.len() > ".sql".len() && !number.starts_with('0');
    Some((folder, number.parse().ok().filter(|_| named)?))
}

fn migrations(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files().filter(|file| {
        let parts: Vec<&str> = file.path.split('/').collect();
        matches!(parts.as_slice(), ["migrations", _, name] if name.ends_with(".sql"))
    })
}

fn checksums(tree: &Tree) -> Option<&File> {
    tree.files().find(|file| file.path == CHECKSUMS)
}

fn format_line(file: &File) -> String {
    format!("{}  {}\n", checksum(&file.text), file.path)
}

pub(super) fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: (&str, &str) = ("migrations/sqlite/V1__first.sql", "CREATE TABLE a (n);\n");
    const SECOND: (&str, &str) = ("migrations/sqlite/V2__second.sql", "CREATE TABLE b (n);\n");

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::sample(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_new_migration_must_be_recorded_and_then_stays_as_it_is() {
        let unrecorded = "is not recorded: run `cargo xtask gen migrations`";
        assert_eq!(messages(&[FIRST]), [format!("{}:1: migration: {unrecorded}", FIRST.0)]);

        let recorded = recorded_with_new(&Tree::sample(&[FIRST]));
        assert_eq!(messages(&[FIRST, (CHECKSUMS, &recorded)]), [""; 0]);

        let altered = "was altered after it was recorded: undo that, and add a new migration";
        let found = messages(&[(FIRST.0, "DROP TABLE a;\n"), (CHECKSUMS, &recorded)]);
        assert_eq!(found, [format!("{}:1: migration: {altered}", FIRST.0)]);

        assert_eq!(
            messages(&[(CHECKSUMS, &recorded)]),
            [format!("{CHECKSUMS}:1: migration: {} is gone", FIRST.0)]
        );
    }

    #[test]
    fn recording_adds_lines_and_alters_none() {
        let one = recorded_with_new(&Tree::sample(&[FIRST]));
        let altered = (FIRST.0, "DROP TABLE a;\n");
        let two = recorded_with_new(&Tree::sample(&[altered, SECOND, (CHECKSUMS, &one)]));
        assert_eq!(two.strip_prefix(&one).unwrap().lines().count(), 1);
        assert!(two.ends_with(&format!("  {}\n", SECOND.0)));
        assert_eq!(recorded_with_new(&Tree::sample(&[FIRST, SECOND, (CHECKSUMS, &two)])), two);
    }

    #[test]
    fn the_checksum_is_that_of_sha256sum() {
        assert_eq!(checksum("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn numbers_are_dense_in_each_folder() {
        let numbered = |paths: &[&str]| {
            let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "")).collect();
            numbering(&Tree::sample(&files)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            numbered(&["migrations/a/V1__x.sql", "migrations/a/V2__y.sql", "migrations/b/V1__z.sql"]),
            [""; 0]
        );
        let gap = ["migrations/a/V3__y.sql:1: migration: has number 3 where 2 comes next"];
        assert_eq!(numbered(&["migrations/a/V1__x.sql", "migrations/a/V3__y.sql"]), gap);
        let twice = ["migrations/a/V1__y.sql:1: migration: has number 1 where 2 comes next"];
        assert_eq!(numbered(&["migrations/a/V1__x.sql", "migrations/a/V1__y.sql"]), twice);
        for name in ["first.sql", "V1_x.sql", "V01__x.sql", "Vx__x.sql", "V1__.sql"] {
            let path = format!("migrations/a/{name}");
            assert_eq!(numbered(&[&path]), [format!("{path}:1: migration: must be named like V1__name.sql")]);
        }
    }
}
