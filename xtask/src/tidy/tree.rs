//! The files that the rules look at, read and parsed once.

use anyhow::Result;

use super::Violation;
use crate::repository::Repository;

/// What the rules read; everything else (images, lock files) is known by its name only.
const TEXT: [&str; 6] = [".rs", ".sql", ".md", ".toml", ".json", "checksums.txt"];

/// A file of the repository.
pub(crate) struct File {
    /// Relative to the root, with slashes.
    pub(crate) path: String,
    /// Empty for files that no rule reads.
    pub(crate) text: String,
    syntax: Option<Result<syn::File, syn::Error>>,
}

impl File {
    /// The line numbers, from 1, and the lines.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file holds nothing but tests or benchmarks.
    pub(crate) fn is_test(&self) -> bool {
        let folder = |name| self.path.contains(name);
        folder("/tests/") || folder("/benches/") || self.path.ends_with("/tests.rs")
    }
}

/// Every file of the repository.
pub(crate) struct Tree(Vec<File>);

impl Tree {
    pub(crate) fn read(repository: &Repository) -> Result<Self> {
        let read = |path: String| {
            let read = TEXT.iter().any(|ending| path.ends_with(ending));
            let text = if read { repository.read(&path)? } else { String::new() };
            Ok(parse(path, text))
        };
        Ok(Self(repository.files()?.into_iter().map(read).collect::<Result<_>>()?))
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.0.iter()
    }

    /// The Rust files that parse, with their syntax.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &syn::File)> {
        self.0.iter().filter_map(|file| match &file.syntax {
            Some(Ok(syntax)) => Some((file, syntax)),
            _ => None,
        })
    }

    /// A small tree to show a rule: paths and texts.
    #[cfg(test)]
    pub(crate) fn sample(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| parse((*path).to_owned(), (*text).to_owned())).collect())
    }
}

/// A file that does not parse is a violation, since no rule can look into it.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let broken = |file: &File| match &file.syntax {
        Some(Err(error)) => {
            Some(Violation::new("syntax", &file.path, error.span().start().line, error.to_string()))
        }
        _ => None,
    };
    tree.files().filter_map(broken).collect()
}

fn parse(path: String, text: String) -> File {
    let syntax = path.ends_with(".rs").then(|| syn::parse_file(&text));
    File { path, text, syntax }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_parse_is_a_violation() {
        let tree = Tree::sample(&[("good.rs", "fn f() {}\n"), ("bad.rs", "\nfn {\n"), ("no.md", "fn {\n")]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1);
        assert!(found.concat().starts_with("bad.rs:2: syntax: "), "{found:?}");
    }

    #[test]
    fn files_of_tests_are_told_by_their_place() {
        let is_test = |path: &str| parse(path.to_owned(), String::new()).is_test();
        assert!(is_test("crates/a/tests/it/main.rs") && is_test("crates/a/src/b/tests.rs"));
        assert!(is_test("crates/a/benches/b.rs"));
        assert!(!is_test("crates/a/src/test.rs") && !is_test("crates/a/src/contests.rs"));
    }
}
