//! The names under which things lie in Redis, so that several clusters can share one server.

use std::fmt;
use std::str::FromStr;

use flag_engine::EnvironmentName;

/// What the names of all keys and channels of one cluster begin with: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix(String);

/// The prefix is empty, too long, or holds another character.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must be 1 to {} of the characters A-Z a-z 0-9 . _ : -", Prefix::LIMIT)]
pub struct InvalidPrefix;

impl Prefix {
    /// The longest prefix, in characters.
    pub const LIMIT: usize = 64;

    /// The channel on which versions are announced.
    pub(crate) fn channel(&self) -> String {
        format!("{self}:changes")
    }

    /// The key of the entry that says which snapshot of `environment` is shared, and where it lies. The number is that of
    /// the document's format, so that releases which do not understand one another's snapshots do not meet.
    ///
    /// The part in braces is the same for all keys of an environment: a Redis Cluster keeps them on one node, where a
    /// script can reach them all.
    pub(crate) fn head(&self, environment: &EnvironmentName) -> String {
        format!("{{{self}:{environment}}}:snapshot:{}", flag_engine::document::FORMAT)
    }

    /// The key of the pieces of one snapshot.
    pub(crate) fn body(&self, environment: &EnvironmentName, id: impl fmt::Display) -> String {
        format!("{}:{id}", self.head(environment))
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if (1..=Self::LIMIT).contains(&text.len()) && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPrefix)
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_short_and_plain() {
        for text in ["flag", "a", "team-1:flags.v2_x", &"x".repeat(64)] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "a{b", "a*", "ä", "a\n", &"x".repeat(65)] {
            assert_eq!(text.parse::<Prefix>(), Err(InvalidPrefix), "{text:?}");
        }
    }
}
