//! The rule that files stay short: each below a cap, and half of them below a much lower one.

use super::{Tree, Violation, tree::File};

const RULE: &str = "length";
/// Lines of one file, without the tests at its end.
const CAP: usize = 400;
/// Lines of the file in the middle, when all are ordered by length.
const MEDIAN_CAP: usize = 150;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations: Vec<Violation> = rust(tree).filter_map(too_long).collect();
    let median = median(tree);
    if median > MEDIAN_CAP {
        let message = format!("the median length of Rust files is {median} lines, more than {MEDIAN_CAP}");
        violations.push(Violation::new(RULE, "Cargo.toml", 1, message));
    }
    violations
}

/// The median length of the Rust files, without their tests.
pub(super) fn median(tree: &Tree) -> usize {
    let mut lengths: Vec<usize> = rust(tree).map(length).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or_default()
}

fn rust(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files().filter(|file| file.is_rust())
}

fn too_long(file: &File) -> Option<Violation> {
    let length = length(file);
    let message = format!("{length} lines without tests, more than {CAP}");
    (length > CAP).then(|| Violation::new(RULE, &file.path, CAP + 1, message))
}

/// Lines outside the module of tests, which is formatted so that its end is a brace in the first column.
fn length(file: &File) -> usize {
    let mut count = 0;
    let mut in_tests = false;
    let mut lines = file.text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied().unwrap_or_default();
        if line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            in_tests = true;
        }
        if !in_tests {
            count += 1;
        } else if line == "}" {
            in_tests = false;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: usize, tests: usize) -> String {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // test\n".repeat(tests));
        "// code\n".repeat(lines) + &tests
    }

    #[test]
    fn a_file_over_the_cap_is_reported_and_its_tests_do_not_count() {
        let messages = |lines, tests| {
            let (long, short) = (file(lines, tests), file(1, 0));
            let tree = Tree::sample(&[("long.rs", &long), ("a.rs", &short), ("b.rs", &short)]);
            check(&tree).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(messages(400, 1000), [""; 0]);
        assert_eq!(messages(401, 0), ["long.rs:401: length: 401 lines without tests, more than 400"]);
    }

    #[test]
    fn code_after_the_tests_counts() {
        let text = file(3, 5) + "fn more() {}\n";
        assert_eq!(median(&Tree::sample(&[("a.rs", &text)])), 4);
    }

    #[test]
    fn a_module_of_tests_in_another_file_hides_nothing() {
        let text = "#[cfg(test)]\nmod tests;\nfn code() {\n}\n";
        assert_eq!(median(&Tree::sample(&[("a.rs", text)])), 4);
    }

    #[test]
    fn the_median_has_a_cap_of_its_own() {
        let (long, short) = (file(151, 0), file(150, 0));
        assert!(check(&Tree::sample(&[("a.rs", &short), ("b.rs", &short), ("c.rs", &long)])).is_empty());
        assert_eq!(check(&Tree::sample(&[("a.rs", &short), ("b.rs", &long), ("c.rs", &long)])).len(), 1);
    }
}
