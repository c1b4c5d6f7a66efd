//! Which versions were compared.

use serde::Deserialize;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// The version of a crate in the lock file that this program was built with.
pub fn version(name: &str) -> Option<String> {
    let lock: Lock = toml::from_str(include_str!("../Cargo.lock")).ok()?;
    // The last of several is the newest, which is the one that this package names.
    lock.package.into_iter().rev().find(|package| package.name == name).map(|package| package.version)
}
