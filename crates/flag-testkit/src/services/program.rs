//! Where programs are on this machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::ServiceError;

/// Folders that hold PostgreSQL and are rarely on the path. A star stands for one version.
const POSTGRES_FOLDERS: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/local/pgsql/bin",
    "/usr/local/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
];
const PGBOUNCER_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
const REDIS_FOLDERS: [&str; 3] = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/sbin"];

/// The folder that holds `initdb` and `postgres`.
pub(super) fn postgres() -> Result<PathBuf, ServiceError> {
    folders("FLAG_POSTGRES_BIN", &POSTGRES_FOLDERS)
        .into_iter()
        .find(|folder| is_program(&folder.join("postgres")) && is_program(&folder.join("initdb")))
        .ok_or(ServiceError::Missing {
            program: "PostgreSQL (postgres and initdb)",
            hint: "install PostgreSQL 14 or later, or set FLAG_POSTGRES_BIN to the folder of its programs",
        })
}

/// The Redis server, or Valkey, which speaks the same protocol.
pub(super) fn redis() -> Result<PathBuf, ServiceError> {
    folders("FLAG_REDIS_BIN", &REDIS_FOLDERS)
        .iter()
        .flat_map(|folder| [folder.join("redis-server"), folder.join("valkey-server")])
        .find(|program| is_program(program))
        .ok_or(ServiceError::Missing {
            program: "Redis (redis-server or valkey-server)",
            hint: "install Redis 7 or Valkey, or set FLAG_REDIS_BIN to the folder of its programs",
        })
}

/// The pooler.
pub(super) fn pgbouncer() -> Result<PathBuf, ServiceError> {
    folders("FLAG_PGBOUNCER_BIN", &PGBOUNCER_FOLDERS)
        .iter()
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| is_program(program))
        .ok_or(ServiceError::Missing {
            program: "PgBouncer (pgbouncer)",
            hint: "install PgBouncer, or set FLAG_PGBOUNCER_BIN to the folder of its program",
        })
}

/// Every folder to look in, best first: the caller's, those on the path, the usual ones.
fn folders(variable: &str, usual: &[&str]) -> Vec<PathBuf> {
    let chosen = env::var_os(variable).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = usual.iter().flat_map(|pattern| expand(pattern));
    chosen.into_iter().chain(env::split_paths(&path)).chain(usual).collect()
}

/// The folders that a pattern with at most one star stands for, newest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let Some((parent, prefix)) = before.rsplit_once('/') else { return Vec::new() };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.to_owned();
            let version = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((version, PathBuf::from(format!("{parent}/{name}{after}"))))
        })
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers_with_the_newest_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["postgresql@9", "postgresql@17", "postgresql@15", "postgresql", "other"] {
            fs::create_dir(root.path().join(version)).unwrap();
        }
        let found = expand(&format!("{}/postgresql@*/bin", root.path().display()));
        let folders = ["postgresql@17/bin", "postgresql@15/bin", "postgresql@9/bin"];
        assert_eq!(found, folders.map(|folder| root.path().join(folder)));
    }

    #[test]
    fn a_file_that_cannot_be_run_is_no_program() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("postgres");
        fs::write(&file, "").unwrap();
        assert!(!is_program(&file));
        assert!(!is_program(root.path()));
        assert!(is_program(Path::new("/bin/sh")));
    }
}
