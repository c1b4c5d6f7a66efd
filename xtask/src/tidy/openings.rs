//! The rule that a file opens by saying what belongs in it.

use super::{Tree, Violation, tree::File};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let silent = tree.files().filter(|file| file.is_rust() && !says_what_belongs(file));
    silent.map(|file| Violation::new("opening", &file.path, 1, "must open with a `//!` line")).collect()
}

/// Attributes of the whole file may come first.
fn says_what_belongs(file: &File) -> bool {
    let mut lines = file.text.lines().skip_while(|line| line.starts_with("#!["));
    lines.next().is_some_and(|line| line.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(text: &str) -> bool {
        !check(&Tree::sample(&[("crates/a/tests/it/main.rs", text)])).is_empty()
    }

    #[test]
    fn a_file_opens_with_what_belongs_in_it() {
        assert!(!is_refused("//! Cases of evaluation.\nuse std::fs;\n"));
        assert!(!is_refused("#![no_std]\n#![forbid(unsafe_code)]\n//! The core.\n"));
        for text in ["", "use std::fs;\n//! Too late.\n", "// No.\n", "//!\n", "#![no_std]\nmod a;\n"] {
            assert!(is_refused(text), "{text:?}");
        }
    }
}
