//! Which store a URL names, and how it is shown without its secrets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The store of whoever names none.
pub(crate) const DEFAULT: &str = "sqlite:data/flags.db";

/// A store by its URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file of embedded SQLite.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(String),
}

impl FromStr for Database {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        // `sqlite://path` is common elsewhere; both forms name a path, absolute if it begins with a slash.
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
        match path {
            Some("" | ":memory:") => Err("name a file, as in sqlite:data/flags.db".to_owned()),
            Some(path) => Ok(Self::Sqlite(path.into())),
            None if is_path(url) => Err(format!(
                "{url:?} names no store; for a file write sqlite:{url}, for a server postgres://user:password@host:5432/name"
            )),
            None => Err("begin with postgres:// or sqlite:".to_owned()),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_secrets(url)),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Whether a text can be nothing else than a path, and thus holds no secret: it may be repeated.
fn is_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    text.contains(['.', '/']) && text.bytes().all(is_plain)
}

/// `url` with its password hidden and its parameters, which may hold one, left out.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return "…".to_owned() };
    // The last `@` ends the credentials: a password that was not encoded may hold others, and slashes.
    match rest.rsplit_once('@') {
        None => url.to_owned(),
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            let hidden = if credentials.contains(':') { ":***" } else { "" };
            format!("{scheme}://{user}{hidden}@{host}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_no_secret_is_repeated() {
        for (text, repeated) in [
            ("data/flags.db", true),
            ("/var/lib/flags.db", true),
            ("hushhush", false),
            ("host=h password=hushhush", false),
            ("mysql://u:hushhush@h/d", false),
            ("u:hushhush@h/d.db", false),
        ] {
            let advice = text.parse::<Database>().unwrap_err();
            assert_eq!(advice.contains(text), repeated, "{text}: {advice}");
        }
    }

    #[test]
    fn a_url_names_a_store_or_says_how_to() {
        for (url, shown) in [
            ("sqlite:data/flags.db", "sqlite:data/flags.db"),
            ("sqlite:///var/lib/flags.db", "sqlite:/var/lib/flags.db"),
            ("postgres://flag:secret@db:5432/flags?password=secret", "postgres://flag:***@db:5432/flags"),
            ("postgresql://flag:s@/cret@db/flags", "postgresql://flag:***@db/flags"),
            ("postgres://localhost/flags", "postgres://localhost/flags"),
        ] {
            assert_eq!(url.parse::<Database>().unwrap().to_string(), shown);
        }
        assert!(DEFAULT.parse::<Database>().is_ok());
        for url in ["", "mysql://db/flags", "sqlite:", "sqlite::memory:", "data/flags.db"] {
            assert!(url.parse::<Database>().is_err(), "{url}");
        }
    }
}
