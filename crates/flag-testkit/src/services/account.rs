//! The account that a server runs under when the caller is root: PostgreSQL refuses to run as root.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use super::ServiceError;

/// In the order of preference; the first one that exists is taken.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// An account without privileges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to change to, or `None` if this process is not root and stays what it is.
    pub(super) fn unprivileged() -> Result<Option<Self>, ServiceError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(ServiceError::io("read /etc/passwd"))?;
        NAMES.iter().find_map(|name| Self::parse(&passwd, name)).map(Some).ok_or_else(|| {
            ServiceError::failed(
                "PostgreSQL does not run as root, and there is no account postgres or nobody",
            )
        })
    }

    /// Makes the account the owner of a file or directory.
    pub(super) fn own(self, path: &Path) -> Result<(), ServiceError> {
        chown(path, Some(self.uid), Some(self.gid))
            .map_err(ServiceError::io(format!("change the owner of {}", path.display())))
    }

    /// Makes the command run under the account.
    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    fn parse(passwd: &str, name: &str) -> Option<Self> {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2);
        Some(Self { uid: numbers.next()?.parse().ok()?, gid: numbers.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "postgres2:x:7:8::/:/bin/sh\npostgres:x:101:104:Admin,,,:/var:/bin/sh\n";
        let account = Account::parse(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert!(Account::parse(passwd, "nobody").is_none());
    }
}
