//! Which crate may depend on which: the plan of the house, as a table.

use super::{
    Tree, Violation,
    manifest::{Dependency, Kind, Manifest, Place, manifests},
};

const RULE: &str = "edge";

/// Every crate of the workspace, and those of ours it may be built on.
const OURS: [(&str, &[&str]); 11] = [
    ("flag-core", &[]),
    ("flag-engine", &["flag-core"]),
    ("flag-store-sqlite", &["flag-core", "flag-engine"]),
    ("flag-store-pg", &["flag-core", "flag-engine"]),
    ("flag-cache-redis", &["flag-core", "flag-engine"]),
    ("flag-cache-disk", &["flag-core", "flag-engine"]),
    ("flag-http", &["flag-core", "flag-engine"]),
    (
        "flag",
        &[
            "flag-core",
            "flag-engine",
            "flag-store-sqlite",
            "flag-store-pg",
            "flag-cache-redis",
            "flag-cache-disk",
            "flag-http",
        ],
    ),
    ("flag-testkit", &["flag-core", "flag-engine"]),
    ("flag-faults", &["flag-testkit"]),
    ("xtask", &["flag-core", "flag-testkit"]),
];

/// What the tests of any crate may use besides.
const FOR_TESTS: &str = "flag-testkit";

/// Foreign crates that belong to one room, with their homes. Tests are free to use them.
const TECHNOLOGIES: [(&str, &[&str]); 9] = [
    ("actix-web", &["flag-http", "flag"]),
    ("actix-http", &["flag-http", "flag"]),
    ("rusqlite", &["flag-store-sqlite"]),
    ("postgres", &["flag-store-pg"]),
    ("tokio-postgres", &["flag-store-pg", "flag-testkit", "flag-faults"]),
    ("deadpool-postgres", &["flag-store-pg", "flag-testkit"]),
    ("redis", &["flag-cache-redis"]),
    ("deadpool-redis", &["flag-cache-redis"]),
    ("anyhow", &["flag", "flag-faults", "xtask"]),
];

/// The one crate that depends on nothing, unless it is asked for its strategies.
const WITHOUT_DEPENDENCIES: &str = "flag-core";

/// What it may bring in for those who ask for this feature, and for nobody else.
const FOR_THOSE_WHO_ASK: (&str, &str) = ("testing", "proptest");

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let manifests = manifests(tree);
    let ours: Vec<&str> = manifests.iter().map(|manifest| manifest.crate_name.as_str()).collect();
    // What stands outside the workspace is no part of the plan. Its name is known all the same, so that no crate of the
    // plan comes to depend on it.
    let planned = manifests.iter().filter(|manifest| manifest.place == Place::Workspace);
    planned.flat_map(|manifest| check_crate(manifest, &ours)).collect()
}

fn check_crate(manifest: &Manifest<'_>, ours: &[&str]) -> Vec<Violation> {
    let name = manifest.crate_name.as_str();
    let Some((_, allowed)) = OURS.iter().find(|(known, _)| *known == name) else {
        let message = format!("crate {name} has no row in the table of xtask/src/tidy/edges.rs");
        return vec![Violation::new(RULE, &manifest.file.path, 1, message)];
    };
    let faults = manifest.dependencies.iter().filter_map(|dependency| {
        let message = fault(name, allowed, dependency, ours)?;
        Some(Violation::new(RULE, &manifest.file.path, dependency.line, message))
    });
    faults.collect()
}

/// Why this dependency is not allowed, if it is not.
fn fault(name: &str, allowed: &[&str], dependency: &Dependency, ours: &[&str]) -> Option<String> {
    let package = dependency.package.as_str();
    let for_tests = dependency.kind == Kind::Development;
    let (feature, asked_for) = FOR_THOSE_WHO_ASK;
    if name == WITHOUT_DEPENDENCIES && !for_tests {
        let behind = &dependency.behind;
        let fine = package == asked_for && behind.len() == 1 && behind.contains(feature);
        return (!fine).then(|| format!("{name} must not depend on anything, and depends on {package}"));
    }
    let asks = package == WITHOUT_DEPENDENCIES && dependency.features.iter().any(|asked| asked == feature);
    if asks && !for_tests && name != FOR_TESTS {
        return Some(format!("{name} must not ask {package} for `{feature}`, which is for tests"));
    }
    if package == name {
        // Its own tests ask it for a feature.
        return None;
    }
    if ours.contains(&package) {
        let fine = allowed.contains(&package) || (for_tests && package == FOR_TESTS);
        return (!fine).then(|| format!("{name} must not depend on {package}"));
    }
    let (_, homes) = TECHNOLOGIES.iter().find(|(technology, _)| *technology == package)?;
    let fine = for_tests || homes.contains(&name);
    (!fine).then(|| format!("{name} must not depend on {package}, which belongs to {}", homes.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_manifest(name: &str, dependencies: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{dependencies}");
        let others: Vec<(String, String)> = OURS
            .iter()
            .filter(|(other, _)| *other != name)
            .map(|(other, _)| {
                (format!("crates/{other}/Cargo.toml"), format!("[package]\nname = \"{other}\"\n"))
            })
            .collect();
        let mut files: Vec<(&str, &str)> =
            others.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.push(("a/Cargo.toml", &manifest));
        check(&Tree::sample(&files)).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn allowed(name: &str, dependencies: &str) {
        assert_eq!(check_manifest(name, dependencies), [""; 0]);
    }

    #[track_caller]
    fn refused(name: &str, dependencies: &str, message: &str) {
        assert_eq!(check_manifest(name, dependencies), [format!("a/Cargo.toml:4: edge: {message}")]);
    }

    #[test]
    fn the_core_depends_on_nothing() {
        refused(
            "flag-core",
            "[dependencies]\nserde = \"1\"\n",
            "flag-core must not depend on anything, and depends on serde",
        );
        refused(
            "flag-core",
            "[build-dependencies]\ncc = \"1\"\n",
            "flag-core must not depend on anything, and depends on cc",
        );
        allowed("flag-core", "[dev-dependencies]\nproptest = \"1\"\nflag-testkit.workspace = true\n");
    }

    #[test]
    fn the_core_offers_strategies_to_those_who_ask_and_to_nobody_else() {
        let optional = |package: &str, features: &str| {
            format!(
                "[dependencies]\n{package} = {{ version = \"1\", optional = true }}\n[features]\n{features}"
            )
        };
        let (asked, message) =
            ("testing = [\"dep:proptest\"]\n", "flag-core must not depend on anything, and depends on");
        allowed("flag-core", &optional("proptest", asked));
        for features in [
            "",
            "other = [\"dep:proptest\"]\n",
            &format!("{asked}default = [\"testing\"]\n"),
            &format!("{asked}other = [\"proptest/std\"]\n"),
        ] {
            refused("flag-core", &optional("proptest", features), &format!("{message} proptest"));
        }
        refused("flag-core", &optional("serde", "testing = [\"dep:serde\"]\n"), &format!("{message} serde"));

        let asks = "flag-core = { path = \"b\", features = [\"testing\"] }\n";
        let refusal = "must not ask flag-core for `testing`, which is for tests";
        refused("flag-engine", &format!("[dependencies]\n{asks}"), &format!("flag-engine {refusal}"));
        allowed("flag-testkit", &format!("[dependencies]\n{asks}"));
        allowed("flag-engine", &format!("[dev-dependencies]\n{asks}"));
        allowed("flag-core", &format!("[dev-dependencies]\n{asks}"));
    }

    #[test]
    fn crates_of_the_rim_do_not_know_one_another() {
        refused(
            "flag-http",
            "[dependencies]\nflag-store-pg.workspace = true\n",
            "flag-http must not depend on flag-store-pg",
        );
        refused(
            "flag-http",
            "[dev-dependencies]\nflag-store-pg.workspace = true\n",
            "flag-http must not depend on flag-store-pg",
        );
        allowed("flag-http", "[dependencies]\nflag-core.workspace = true\nflag-engine.workspace = true\n");
    }

    #[test]
    fn the_testkit_is_for_tests() {
        refused(
            "flag",
            "[dependencies]\nflag-testkit.workspace = true\n",
            "flag must not depend on flag-testkit",
        );
        allowed("flag", "[dev-dependencies]\nflag-testkit.workspace = true\n");
        allowed("xtask", "[dependencies]\nflag-testkit.workspace = true\n");
    }

    #[test]
    fn a_technology_stays_in_its_room() {
        refused(
            "flag-engine",
            "[dependencies]\nactix-web = \"4\"\n",
            "flag-engine must not depend on actix-web, which belongs to flag-http and flag",
        );
        refused(
            "flag-http",
            "[dependencies]\nsql = { package = \"rusqlite\", version = \"1\" }\n",
            "flag-http must not depend on rusqlite, which belongs to flag-store-sqlite",
        );
        allowed("flag-store-pg", "[dependencies]\ntokio-postgres = \"1\"\n");
        allowed("flag-http", "[dev-dependencies]\ntokio-postgres = \"1\"\n");
    }

    #[test]
    fn what_stands_outside_the_workspace_may_depend_on_anything_and_nothing_on_it() {
        let outside =
            "[workspace]\n[package]\nname = \"a-bench\"\n[dependencies]\nflag-core = \"1\"\nanyhow = \"1\"\n";
        let core = "[package]\nname = \"flag-core\"\n";
        let engine = "[package]\nname = \"flag-engine\"\n[dev-dependencies]\na-bench = \"1\"\n";
        let files = [("bench/Cargo.toml", outside), ("core/Cargo.toml", core), ("engine/Cargo.toml", engine)];
        let found: Vec<String> = check(&Tree::sample(&files)).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["engine/Cargo.toml:4: edge: flag-engine must not depend on a-bench"]);
    }

    #[test]
    fn a_crate_without_a_row_is_reported() {
        let message = "a/Cargo.toml:1: edge: crate stray has no row in the table of xtask/src/tidy/edges.rs";
        assert_eq!(check_manifest("stray", ""), [message]);
    }
}
