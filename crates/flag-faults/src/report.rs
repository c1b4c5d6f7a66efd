//! The table of docs/reliability.md, between its two markers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::scenarios::Scenario;
use crate::verdict::{Figures, NotRun};

const FILE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- written by `cargo xtask faults --long` from here -->";
const END: &str = "<!-- to here -->";

/// What became of a scenario.
pub(crate) struct Row {
    pub(crate) scenario: &'static Scenario,
    pub(crate) outcome: Result<Figures>,
}

impl Row {
    /// Whether nothing was tried, for want of what it needs.
    pub(crate) fn is_not_run(&self) -> bool {
        self.outcome.as_ref().is_err_and(anyhow::Error::is::<NotRun>)
    }
}

/// Puts the rows in the place of those that were there.
pub(crate) fn write(root: &Path, rows: &[Row]) -> Result<()> {
    let path = root.join(FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("read {FILE}"))?;
    fs::write(&path, replaced(&text, &table(rows))?).with_context(|| format!("write {FILE}"))
}

fn table(rows: &[Row]) -> String {
    let mut table =
        "| scenario | what must hold | target | seen | command |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let Row { scenario, outcome } = row;
        let Scenario { name, sentence, target, .. } = scenario;
        let seen = match outcome {
            Ok(figures) => figures.line(),
            Err(error) if row.is_not_run() => format!("not run: {error}"),
            Err(error) => format!("**broke**: {error}").replace(['\n', '|'], " "),
        };
        table +=
            &format!("| {name} | {sentence} | {target} | {seen} | `cargo xtask faults {name} --long` |\n");
    }
    table
}

fn replaced(text: &str, table: &str) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{FILE} has lost {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{FILE} has lost {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let expected = format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), expected);
        assert!(replaced("no markers", "new").is_err());
    }

    #[test]
    fn the_page_has_a_place_for_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(replaced(&fs::read_to_string(root.join(FILE)).unwrap(), "").is_ok());
    }
}
