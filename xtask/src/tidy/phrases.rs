//! Words and macros that may be on a desk but not in the repository, and lint exceptions without a reason.

use syn::{
    Attribute, Macro,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{Tree, Violation, tree::File};

/// Notes to oneself. Each is written in two parts, so that this file does not break its own rule.
const NOTES: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
const FILES_WITH_NOTES: [&str; 3] = [".rs", ".sql", ".md"];
const MACROS: [&str; 2] = ["todo", "dbg"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let written =
        tree.files().filter(|file| FILES_WITH_NOTES.iter().any(|ending| file.path.ends_with(ending)));
    let mut violations: Vec<Violation> = written.flat_map(notes).collect();
    for (file, syntax) in tree.rust() {
        let mut search = Search { file: &file.path, violations: &mut violations };
        search.visit_file(syntax);
    }
    violations
}

fn notes(file: &File) -> Vec<Violation> {
    let lines = file.lines().filter_map(|(line, text)| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let note = words.find(|word| NOTES.contains(word))?;
        let message = format!("`{note}` belongs in the issue tracker");
        Some(Violation::new("note", &file.path, line, message))
    });
    lines.collect()
}

struct Search<'a> {
    file: &'a str,
    violations: &'a mut Vec<Violation>,
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let exception = attribute.path().is_ident("allow") || attribute.path().is_ident("expect");
        let reasoned =
            matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string().contains("reason"));
        if exception && !reasoned {
            let line = attribute.span().start().line;
            let message = "a lint is switched off only with a `reason`";
            self.violations.push(Violation::new("exception", self.file, line, message));
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_macro(&mut self, used: &'ast Macro) {
        if let Some(name) = MACROS.iter().find(|name| used.path.is_ident(name)) {
            let line = used.span().start().line;
            self.violations.push(Violation::new(
                "macro",
                self.file,
                line,
                format!("`{name}!` is for the desk"),
            ));
        }
        visit::visit_macro(self, used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect(path: &str, text: &str, expected: &[&str]) {
        let found = check(&Tree::sample(&[(path, text)]));
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_note_to_oneself_is_refused_in_code_sql_and_prose() {
        for note in NOTES {
            let message = |path: &str| format!("{path}:2: note: `{note}` belongs in the issue tracker");
            expect("a.rs", &format!("fn f() {{}}\n// {note}: later\n"), &[&message("a.rs")]);
            expect("a.sql", &format!("\n-- {note}\n"), &[&message("a.sql")]);
            expect("a.md", &format!("\n{note}(me)\n"), &[&message("a.md")]);
            expect("a.toml", &format!("\n# {note}\n"), &[]);
            expect("a.rs", &format!("// {}\n// A{note}S\n", note.to_lowercase()), &[]);
        }
    }

    #[test]
    fn macros_for_the_desk_are_refused() {
        expect("a.rs", "fn f() {\n    todo!()\n}\n", &["a.rs:2: macro: `todo!` is for the desk"]);
        expect("a.rs", "fn f() {\n    g(dbg!(1));\n}\n", &["a.rs:2: macro: `dbg!` is for the desk"]);
        expect("a.rs", "// Without todo!() and dbg!().\nfn todo() {}\n", &[]);
    }

    #[test]
    fn a_lint_is_switched_off_only_with_a_reason() {
        let message = "exception: a lint is switched off only with a `reason`";
        expect("a.rs", "#[allow(dead_code)]\nfn f() {}\n", &[&format!("a.rs:1: {message}")]);
        expect(
            "a.rs",
            "fn f() {\n    #[expect(unused)]\n    let x = 1;\n}\n",
            &[&format!("a.rs:2: {message}")],
        );
        expect("a.rs", "#[allow(dead_code, reason = \"a sample\")]\nfn f() {}\n", &[]);
        expect("a.rs", "// #[allow(dead_code)] is not in use.\n", &[]);
    }
}
