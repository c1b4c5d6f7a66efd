//! The rule that no function takes a bare `bool`: at the call, `true` does not say what it means.

use syn::{
    Attribute, FnArg, ImplItemFn, ItemFn, ItemImpl, ItemMod, Meta, Signature, TraitItemFn, Type,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{Tree, Violation};

/// Functions that may, with the reason: file, function, reason.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, syntax) in tree.rust().filter(|(file, _)| !file.is_test()) {
        let mut search = Search { file: &file.path, violations: &mut violations };
        search.visit_file(syntax);
    }
    violations
}

struct Search<'a> {
    file: &'a str,
    violations: &'a mut Vec<Violation>,
}

impl Search<'_> {
    fn look_at(&mut self, signature: &Signature) {
        let name = signature.ident.to_string();
        if EXCEPTIONS.iter().any(|(file, function, _)| *file == self.file && *function == name) {
            return;
        }
        for argument in &signature.inputs {
            if let FnArg::Typed(typed) = argument
                && is_bool(&typed.ty)
            {
                let line = typed.span().start().line;
                let message = format!("`{name}` takes a bare `bool`; an enum of two says what it means");
                self.violations.push(Violation::new("bool", self.file, line, message));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_for_tests(&function.attrs) {
            self.look_at(&function.sig);
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            self.look_at(&function.sig);
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        self.look_at(&function.sig);
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        // What the methods of a trait take is decided where the trait is.
        if block.trait_.is_none() && !is_for_tests(&block.attrs) {
            visit::visit_item_impl(self, block);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
}

/// `bool`, also behind a reference.
fn is_bool(kind: &Type) -> bool {
    match kind {
        Type::Path(path) => path.path.is_ident("bool"),
        Type::Reference(reference) => is_bool(&reference.elem),
        Type::Paren(inner) => is_bool(&inner.elem),
        _ => false,
    }
}

/// `#[test]`, `#[tokio::test]` and the like, and `#[cfg(test)]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::NameValue(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::sample(&[(path, text)])).iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_function_that_takes_a_bool_is_reported() {
        let text = "pub fn a(x: bool) {}\nfn b(y: u8,\n    z: &bool) {}\nimpl T { pub(crate) fn c(self, x: bool) {} }\n\
                    trait U { fn d(&self, x: bool); }\nmod m { async fn e(x: bool) { fn f(y: bool) {} } }\n";
        assert_eq!(lines("src/a.rs", text), [1, 3, 4, 5, 6, 6]);
    }

    #[test]
    fn results_fields_closures_and_options_may_be_bool() {
        let text = "struct S { on: bool }\nfn a() -> bool { [true].iter().any(|x: &bool| *x) }\nfn b(x: Option<bool>) {}\n";
        assert_eq!(lines("src/a.rs", text), [0; 0]);
    }

    #[test]
    fn a_method_of_a_trait_takes_what_the_trait_says() {
        assert_eq!(lines("src/a.rs", "impl Visitor for V { fn visit_bool(self, x: bool) {} }\n"), [0; 0]);
    }

    #[test]
    fn tests_may_take_a_bool() {
        let text = "#[cfg(test)]\nmod tests { fn check(x: bool) {} }\n#[cfg(test)]\nfn sample(x: bool) {}\n";
        assert_eq!(lines("src/a.rs", text), [0; 0]);
        assert_eq!(lines("crates/a/tests/it/main.rs", "fn check(x: bool) {}\n"), [0; 0]);
    }
}
