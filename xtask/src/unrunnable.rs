//! The tests that need programs this machine lacks: they are counted and named, never skipped in silence.

use anyhow::Result;
use syn::visit::{self, Visit};

use crate::{repository::Repository, tidy::Tree};

/// Something that a machine may lack, and what the tests that need it do with it.
#[derive(Clone, Copy)]
pub(crate) struct Lack {
    what: &'static str,
    use_of_it: &'static str,
    /// What such a test asks before anything else; see `flag_testkit`.
    question: &'static str,
}

/// Programs of PostgreSQL and Redis.
pub(crate) const SERVERS: Lack = Lack {
    what: "PostgreSQL or Redis programs are",
    use_of_it: "stop or kill a server of their own",
    question: "private_missing",
};

/// Python 3.
pub(crate) const PYTHON: Lack = Lack {
    what: "Python 3 (python3) is",
    use_of_it: "ask the second implementation",
    question: "python_missing",
};

/// Prints how many tests will not run for the lack of something, and their names.
pub(crate) fn announce(repository: &Repository, lack: Lack) -> Result<()> {
    let names = find(&Tree::read(repository)?, lack.question);
    eprintln!("      {} missing on this machine.", lack.what);
    eprintln!("      {} tests that {} cannot run:", names.len(), lack.use_of_it);
    for name in names {
        eprintln!("        {name}");
    }
    Ok(())
}

/// Prints which scenario of the fault bench will not run for the lack of PgBouncer, which stands before PostgreSQL there.
pub(crate) fn announce_pooler() {
    eprintln!("      PgBouncer (pgbouncer) is missing on this machine.");
    eprintln!("      1 scenario of the fault bench that needs it cannot run: T07-pooler");
}

fn find(tree: &Tree, question: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (file, syntax) in tree.rust() {
        let mut search = Search { file: &file.path, question, names: &mut names };
        search.visit_file(syntax);
    }
    names
}

struct Search<'a> {
    file: &'a str,
    question: &'a str,
    names: &'a mut Vec<String>,
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let is_test = function
            .attrs
            .iter()
            .any(|attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "test"));
        let mut asks = Asks { question: self.question, found: false };
        asks.visit_block(&function.block);
        if is_test && asks.found {
            self.names.push(format!("{}: {}", self.file, function.sig.ident));
        }
        visit::visit_item_fn(self, function);
    }
}

struct Asks<'a> {
    question: &'a str,
    found: bool,
}

impl<'ast> Visit<'ast> for Asks<'_> {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.found |= segment.ident == self.question;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_this_repository_that_ask_are_found() {
        let tree = Tree::read(&Repository::here()).unwrap();
        for lack in [SERVERS, PYTHON] {
            assert!(find(&tree, lack.question).len() >= 2, "{}", lack.what);
        }
    }

    #[test]
    fn a_test_that_asks_for_what_may_be_missing_is_named() {
        let source = "//! Sample.\n\
            #[test]\nfn breaks() { if services::private_missing() { return; } }\n\
            #[tokio::test]\nasync fn breaks_too() { if private_missing() { return; } }\n\
            #[test]\nfn harmless() {}\n\
            #[test]\nfn compares() { if python_missing() { return; } }\n\
            fn no_test() { private_missing(); }\n";
        let tree = Tree::sample(&[("tests/it/outage.rs", source)]);
        let servers = ["tests/it/outage.rs: breaks", "tests/it/outage.rs: breaks_too"];
        assert_eq!(find(&tree, SERVERS.question), servers);
        assert_eq!(find(&tree, PYTHON.question), ["tests/it/outage.rs: compares"]);
    }
}
