//! The rule that files and crates are named after what they hold: a name for leftovers collects leftovers.

use super::{Tree, Violation, manifest::manifests};

const RULE: &str = "name";
const FORBIDDEN: [&str; 9] =
    ["utils", "util", "common", "helper", "helpers", "manager", "misc", "shared", "types"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let files = tree.files().filter(|file| file.is_rust()).flat_map(|file| {
        let words = file.path.trim_end_matches(".rs").split('/');
        let bad = words.filter(|word| FORBIDDEN.contains(word) || *word == "mod");
        bad.map(|word| Violation::new(RULE, &file.path, 1, format!("`{word}` does not say what is inside")))
    });
    let manifests = manifests(tree);
    let crates = manifests.iter().filter(|manifest| manifest.crate_name.split('-').any(is_forbidden));
    let crates = crates.map(|manifest| {
        let message = format!("crate name `{}` does not say what is inside", manifest.crate_name);
        Violation::new(RULE, &manifest.file.path, 1, message)
    });
    files.chain(crates).collect()
}

fn is_forbidden(word: &str) -> bool {
    FORBIDDEN.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(path: &str, text: &str) -> bool {
        !check(&Tree::sample(&[(path, text)])).is_empty()
    }

    #[test]
    fn a_file_or_folder_for_leftovers_is_refused() {
        for path in ["a/src/utils.rs", "a/tests/common/world.rs", "a/src/evaluate/types.rs", "a/src/b/mod.rs"]
        {
            assert!(is_refused(path, ""), "{path}");
        }
        assert!(!is_refused("a/src/sharded.rs", "") && !is_refused("a/src/lib.rs", ""));
        assert!(!is_refused("docs/common.md", ""));
    }

    #[test]
    fn a_crate_for_leftovers_is_refused() {
        assert!(is_refused("crates/a/Cargo.toml", "[package]\nname = \"flag-common\"\n"));
        assert!(!is_refused("crates/a/Cargo.toml", "[package]\nname = \"flag-core\"\n"));
    }
}
