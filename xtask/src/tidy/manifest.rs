//! Manifests of crates as the rules see them, and the rule that every crate takes the lints of the workspace, or forbids
//! `unsafe` itself where it is a workspace of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::{Tree, Violation, tree::File};

type Entries = BTreeMap<Spanned<String>, Value>;
/// Features, each with what it switches on.
type Features = BTreeMap<String, Vec<String>>;

/// The manifest of one crate.
pub(super) struct Manifest<'a> {
    pub(super) file: &'a File,
    pub(super) crate_name: String,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) place: Place,
    lints: Table,
}

/// Where a package stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Workspace,
    /// It is a workspace of its own, with its own lock file, so that what it depends on never reaches the product.
    Outside,
}

/// One line of a dependency table.
pub(super) struct Dependency {
    /// The name of the package, also where the manifest gives it another.
    pub(super) package: String,
    pub(super) line: usize,
    pub(super) kind: Kind,
    /// The features of this package without which it is not there; none if it always is.
    pub(super) behind: BTreeSet<String>,
    /// The features of the dependency that are asked for here.
    pub(super) features: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is part of the crate, or of its build.
    Normal,
    /// It is part of the tests only.
    Development,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    package: Package,
    workspace: Option<Table>,
    #[serde(default)]
    lints: Table,
    #[serde(default)]
    features: Features,
    // Not flattened: that would lose the places of the keys.
    #[serde(default)]
    dependencies: Entries,
    #[serde(default)]
    build_dependencies: Entries,
    #[serde(default)]
    dev_dependencies: Entries,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Tables {
    dependencies: Entries,
    build_dependencies: Entries,
    dev_dependencies: Entries,
}

/// The manifest of every crate; that of the workspace has no package and is not among them.
pub(super) fn manifests(tree: &Tree) -> Vec<Manifest<'_>> {
    let renamed = renamed_by_workspace(tree);
    let crates = tree.files().filter(|file| file.path.ends_with("/Cargo.toml"));
    crates.filter_map(|file| parse(file, &renamed).ok()).collect()
}

/// Every crate takes the lints of the workspace that it is in, and every manifest can be read.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let renamed = renamed_by_workspace(tree);
    let crates = tree.files().filter(|file| file.path.ends_with("/Cargo.toml"));
    let fault = |file: &File| match parse(file, &renamed) {
        Err(error) => Some(Violation::new("manifest", &file.path, 1, error.message())),
        Ok(manifest) => manifest.lacks().map(|message| Violation::new("lints", &file.path, 1, message)),
    };
    crates.filter_map(fault).collect()
}

fn parse<'a>(file: &'a File, renamed: &BTreeMap<String, String>) -> Result<Manifest<'a>, toml::de::Error> {
    let raw: Raw = toml::from_str(&file.text)?;
    let mut dependencies = Vec::new();
    let Raw { dependencies: normal, build_dependencies, dev_dependencies, .. } = raw;
    let own = Tables { dependencies: normal, build_dependencies, dev_dependencies };
    for tables in [own].into_iter().chain(raw.target.into_values()) {
        for (kind, entries) in [
            (Kind::Normal, tables.dependencies),
            (Kind::Normal, tables.build_dependencies),
            (Kind::Development, tables.dev_dependencies),
        ] {
            dependencies.extend(entries.into_iter().map(|(name, value)| {
                let line = file.text.get(..name.span().start).map_or(1, |before| before.lines().count() + 1);
                let name = name.into_inner();
                let (behind, features) = (behind(&name, &value, &raw.features), features_of(&value));
                let package = package_of(&value).or_else(|| renamed.get(&name).cloned()).unwrap_or(name);
                Dependency { package, line, kind, behind, features }
            }));
        }
    }
    let place = if raw.workspace.is_some() { Place::Outside } else { Place::Workspace };
    Ok(Manifest { file, crate_name: raw.package.name, dependencies, place, lints: raw.lints })
}

impl Manifest<'_> {
    /// What its table of lints lacks.
    fn lacks(&self) -> Option<&'static str> {
        let (missing, message) = match self.place {
            Place::Workspace => {
                let taken = self.lints.get("workspace").and_then(Value::as_bool);
                (taken != Some(true), "must hold `[lints] workspace = true`")
            }
            Place::Outside => {
                let level = self.lints.get("rust").and_then(|lints| lints.get("unsafe_code")?.as_str());
                (level != Some("forbid"), "must hold `[lints.rust] unsafe_code = \"forbid\"`")
            }
        };
        missing.then_some(message)
    }
}

/// Every feature that brings in the dependency `name`, itself or through another feature.
fn behind(name: &str, dependency: &Value, features: &Features) -> BTreeSet<String> {
    if dependency.get("optional").and_then(Value::as_bool) != Some(true) {
        return BTreeSet::new();
    }
    let by_name = format!("dep:{name}");
    let mut behind = BTreeSet::new();
    // A feature of the dependency's own name is there unless some other one names the dependency.
    if !features.values().flatten().any(|switched| *switched == by_name) {
        behind.insert(name.to_owned());
    }
    let brings_in = |switched: &String, behind: &BTreeSet<String>| {
        let before_slash = switched.split_once('/').map(|(dependency, _)| dependency);
        *switched == by_name || before_slash == Some(name) || behind.contains(switched)
    };
    // Each round finds the features that are one step further away.
    for _ in 0..=features.len() {
        let more = features.iter().filter(|(_, list)| list.iter().any(|item| brings_in(item, &behind)));
        let more: Vec<String> = more.map(|(feature, _)| feature.clone()).collect();
        behind.extend(more);
    }
    behind
}

fn features_of(dependency: &Value) -> Vec<String> {
    let listed = dependency.get("features").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|feature| feature.as_str().map(str::to_owned)).collect()
}

/// Dependencies that the manifest of the workspace lists under another name than their own.
fn renamed_by_workspace(tree: &Tree) -> BTreeMap<String, String> {
    let root = tree.files().find(|file| file.path == "Cargo.toml");
    let table: Table = root.and_then(|file| toml::from_str(&file.text).ok()).unwrap_or_default();
    let listed = table.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table());
    let entries = listed.into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), package_of(value)?))).collect()
}

fn package_of(dependency: &Value) -> Option<String> {
    dependency.get("package")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(manifest: &str) -> Vec<String> {
        check(&Tree::sample(&[("crates/a/Cargo.toml", manifest)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_without_the_lints_of_the_workspace_is_reported() {
        assert_eq!(messages("[package]\nname = \"a\"\n[lints]\nworkspace = true\n"), [""; 0]);
        let lacks = ["crates/a/Cargo.toml:1: lints: must hold `[lints] workspace = true`"];
        assert_eq!(messages("[package]\nname = \"a\"\n"), lacks);
        assert_eq!(messages("[package]\nname = \"a\"\n[lints.rust]\nunsafe_code = \"allow\"\n"), lacks);
    }

    #[test]
    fn a_package_outside_the_workspace_forbids_unsafe_itself() {
        let outside = |lints: &str| messages(&format!("[workspace]\n[package]\nname = \"a\"\n{lints}"));
        assert_eq!(outside("[lints.rust]\nunsafe_code = \"forbid\"\n"), [""; 0]);
        let lacks = ["crates/a/Cargo.toml:1: lints: must hold `[lints.rust] unsafe_code = \"forbid\"`"];
        assert_eq!(outside(""), lacks);
        assert_eq!(outside("[lints]\nworkspace = true\n"), lacks);
        assert_eq!(outside("[lints.rust]\nunsafe_code = \"warn\"\n"), lacks);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_reported() {
        assert_eq!(messages("[package\n").len(), 1);
    }

    #[test]
    fn dependencies_are_known_by_their_own_name_and_line() {
        let tree = Tree::sample(&[
            (
                "Cargo.toml",
                "[workspace.dependencies]\ndatabase = { package = \"rusqlite\", version = \"1\" }\n",
            ),
            (
                "crates/a/Cargo.toml",
                "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\ndatabase.workspace = true\n\
                 [target.'cfg(unix)'.dev-dependencies]\nhttp = { package = \"actix-web\", version = \"4\" }\n",
            ),
        ]);
        let manifests = manifests(&tree);
        let found: Vec<(&str, usize, bool)> = manifests
            .iter()
            .flat_map(|manifest| &manifest.dependencies)
            .map(|entry| (entry.package.as_str(), entry.line, entry.kind == Kind::Development))
            .collect();
        assert_eq!(found, [("rusqlite", 5, false), ("serde", 4, false), ("actix-web", 7, true)]);
    }

    #[test]
    fn an_optional_dependency_is_known_by_every_feature_that_brings_it_in() {
        let behind = |optional: &str, features: &str| {
            let text = format!(
                "[package]\nname = \"a\"\n[dependencies]\nb = {{ version = \"1\"{optional} }}\n[features]\n{features}"
            );
            let tree = Tree::sample(&[("crates/a/Cargo.toml", &text)]);
            let manifests = manifests(&tree);
            manifests[0].dependencies[0].behind.iter().cloned().collect::<Vec<_>>().join(" ")
        };
        let optional = ", optional = true";
        assert_eq!(behind("", "x = [\"b/y\"]"), "");
        assert_eq!(behind(", optional = false", ""), "");
        assert_eq!(behind(optional, ""), "b");
        assert_eq!(behind(optional, "x = [\"dep:b\"]"), "x");
        assert_eq!(behind(optional, "default = [\"z\"]\nx = [\"dep:b\"]\nz = [\"x\"]"), "default x z");
        assert_eq!(behind(optional, "default = [\"b\"]\ny = []"), "b default");
        assert_eq!(behind(optional, "x = [\"dep:b\"]\ny = [\"b/y\"]\nw = [\"b?/y\"]"), "x y");
    }
}
