//! `cargo xtask tidy`: the house rules that a program can check, and the report of those that are broken.
//!
//! The same check is a test of this crate, so that `cargo test` is enough to know that the house is in order.

mod edges;
mod lengths;
mod manifest;
pub(crate) mod migrations;
mod names;
mod openings;
mod phrases;
mod signatures;
mod tree;
pub(crate) mod vectors;

use std::{fmt, process::ExitCode};

use anyhow::Result;

pub(crate) use tree::Tree;

use crate::repository::Repository;

/// Every rule. Each looks at the tree alone, so that a test can show it a small one.
const RULES: [fn(&Tree) -> Vec<Violation>; 10] = [
    tree::check,
    edges::check,
    manifest::check,
    openings::check,
    lengths::check,
    names::check,
    migrations::check,
    phrases::check,
    signatures::check,
    vectors::check,
];

/// One place where one rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    file: String,
    /// Counted from 1.
    line: usize,
    rule: &'static str,
    message: String,
}

impl Violation {
    fn new(rule: &'static str, file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, rule, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}: {}", self.file, self.line, self.rule, self.message)
    }
}

/// What the check found.
pub(crate) struct Report {
    violations: Vec<Violation>,
    files: usize,
    median: usize,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(crate) fn print(&self) {
        for violation in &self.violations {
            println!("{violation}");
        }
        let verdict = match self.violations.len() {
            0 => "tidy".to_owned(),
            count => format!("{count} violations"),
        };
        println!("{verdict}: {} Rust files, median length {} lines", self.files, self.median);
    }
}

pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    let report = check(repository)?;
    report.print();
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn check(repository: &Repository) -> Result<Report> {
    let tree = Tree::read(repository)?;
    let mut violations: Vec<Violation> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    violations.sort();
    Ok(Report { violations, files: tree.rust().count(), median: lengths::median(&tree) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_in_order() {
        let report = check(&Repository::here()).unwrap();
        let list: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        assert!(report.is_clean(), "house rules are broken:\n{}", list.join("\n"));
    }

    #[test]
    fn a_violation_names_file_line_and_rule() {
        let violation = Violation::new("length", "a.rs", 7, "too long");
        assert_eq!(violation.to_string(), "a.rs:7: length: too long");
    }
}
