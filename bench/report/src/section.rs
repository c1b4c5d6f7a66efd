//! `docs/benchmarks.md`: each benchmark owns the section between two markers, and leaves the others alone.

use std::{fs, path::Path};

use anyhow::{Context, Result};

const OPENING: &str = "# Benchmarks\n\nEvery section below is written by the command that it names.\n";

/// Writes the section `name` of the document in the folder `docs`.
pub fn write(docs: &Path, name: &str, text: &str) -> Result<()> {
    let path = docs.join("benchmarks.md");
    let before = fs::read_to_string(&path).unwrap_or_else(|_| OPENING.to_owned());
    fs::write(&path, with_section(&before, name, text)).context("write benchmarks.md")?;
    eprintln!("wrote section `{name}` of {}", path.display());
    Ok(())
}

/// The document with one section exchanged, or added at its end.
fn with_section(before: &str, name: &str, text: &str) -> String {
    let [begin, end] = [format!("<!-- begin {name} -->"), format!("<!-- end {name} -->")];
    let section = format!("{begin}\n{}\n{end}", text.trim());
    match (before.find(&begin), before.find(&end)) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{section}{}", &before[..from], &before[to + end.len()..])
        }
        _ => format!("{}\n\n{section}\n", before.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_exchanged_and_the_rest_stays() {
        let first = with_section("# Head\n", "one", "first");
        assert_eq!(first, "# Head\n\n<!-- begin one -->\nfirst\n<!-- end one -->\n");
        let both = with_section(&first, "two", "second") + "\ntail\n";
        let again = with_section(&both, "one", "changed");
        assert_eq!(again, both.replace("first", "changed"));
    }
}
