//! The tests that need programs this machine lacks: they are counted and named, never skipped in silence.

use anyhow::Result;
use syn::visit::{self, Visit};

use crate::{repository::Repository, tidy::Tree};

/// What such a test asks before anything else; see `flag_testkit::services`.
const QUESTION: &str = "private_missing";

/// Prints how many tests will not run, and their names.
pub(crate) fn announce(repository: &Repository) -> Result<()> {
    let names = find(&Tree::read(repository)?);
    eprintln!("      PostgreSQL or Redis programs are missing on this machine.");
    eprintln!("      {} tests that stop or kill a server of their own cannot run:", names.len());
    for name in names {
        eprintln!("        {name}");
    }
    Ok(())
}

fn find(tree: &Tree) -> Vec<String> {
    let mut names = Vec::new();
    for (file, syntax) in tree.rust() {
        let mut search = Search { file: &file.path, names: &mut names };
        search.visit_file(syntax);
    }
    names
}

struct Search<'a> {
    file: &'a str,
    names: &'a mut Vec<String>,
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let is_test = function
            .attrs
            .iter()
            .any(|attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "test"));
        let mut asks = Asks(false);
        asks.visit_block(&function.block);
        if is_test && asks.0 {
            self.names.push(format!("{}: {}", self.file, function.sig.ident));
        }
        visit::visit_item_fn(self, function);
    }
}

struct Asks(bool);

impl<'ast> Visit<'ast> for Asks {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0 |= segment.ident == QUESTION;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_asks_for_private_servers_is_named() {
        let source = "//! Sample.\n\
            #[test]\nfn breaks() { if services::private_missing() { return; } }\n\
            #[tokio::test]\nasync fn breaks_too() { if private_missing() { return; } }\n\
            #[test]\nfn harmless() {}\n\
            fn no_test() { private_missing(); }\n";
        let tree = Tree::sample(&[("tests/it/outage.rs", source)]);
        assert_eq!(find(&tree), ["tests/it/outage.rs: breaks", "tests/it/outage.rs: breaks_too"]);
    }
}
