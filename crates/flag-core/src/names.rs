//! The texts that the engine knows by name: keys, ids, descriptions, authors. Each has one fallible constructor, and is not
//! checked again behind it.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use crate::invalid::Invalid;
use crate::table_hash::table_hash;

/// The name of a flag: 1 to 128 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit.
#[derive(Clone)]
pub struct FlagKey {
    text: Box<str>,
    hash: u64,
}

impl FlagKey {
    /// The longest key, in characters.
    pub const LIMIT: usize = 128;

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the key lies in a snapshot's table.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl FromStr for FlagKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let first = text.chars().next().ok_or(Invalid::Empty)?;
        if let Some(found) =
            text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'))
        {
            return Err(Invalid::Character { found });
        }
        if !first.is_ascii_alphanumeric() {
            return Err(Invalid::FirstCharacter);
        }
        if text.len() > Self::LIMIT {
            return Err(Invalid::TooManyCharacters { limit: Self::LIMIT });
        }
        Ok(Self { text: text.into(), hash: table_hash(text) })
    }
}

impl PartialEq for FlagKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for FlagKey {}

impl PartialOrd for FlagKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FlagKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Debug for FlagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlagKey({:?})", self.text)
    }
}

impl fmt::Display for FlagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Checks that `text` has 1 to `limit` characters and no control character.
pub(crate) fn printable(text: &str, limit: usize) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::Empty);
    }
    if text.chars().nth(limit).is_some() {
        return Err(Invalid::TooManyCharacters { limit });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(Invalid::ControlCharacter { found }),
        None => Ok(()),
    }
}

/// The id of a user, a group or a region: 1 to 512 bytes of UTF-8 without control characters, compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubjectId(Box<str>);

impl SubjectId {
    /// The longest id, in bytes of UTF-8.
    pub const LIMIT: usize = 512;

    /// Takes an id.
    ///
    /// # Errors
    /// [`Invalid`] if it is empty, too long or holds a control character.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::Empty);
        }
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Says whether `text` may stand in a context, where an empty text means that the member is absent.
    ///
    /// # Errors
    /// [`Invalid`] if it is too long or holds a control character.
    pub fn check(text: &str) -> Result<(), Invalid> {
        if text.len() > Self::LIMIT {
            return Err(Invalid::TooManyBytes { limit: Self::LIMIT });
        }
        match text.chars().find(|c| c.is_control()) {
            Some(found) => Err(Invalid::ControlCharacter { found }),
            None => Ok(()),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a flag is for, in an operator's words: at most 1,000 characters; line breaks and tabs are the only control characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description(Box<str>);

impl Description {
    /// The longest description, in characters.
    pub const LIMIT: usize = 1_000;

    /// Takes a description, which may be empty.
    ///
    /// # Errors
    /// [`Invalid`] if it is too long or holds a control character other than line breaks and tabs.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.chars().nth(Self::LIMIT).is_some() {
            return Err(Invalid::TooManyCharacters { limit: Self::LIMIT });
        }
        match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            Some(found) => Err(Invalid::ControlCharacter { found }),
            None => Ok(Self(text.into())),
        }
    }

    /// The description as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who made a change, as the log shows it: 1 to 128 characters without control characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author(Box<str>);

impl Author {
    /// The longest name, in characters.
    pub const LIMIT: usize = 128;

    /// Takes a name.
    ///
    /// # Errors
    /// [`Invalid`] if it is empty, too long or holds a control character.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        printable(text, Self::LIMIT)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Author {
    /// `unknown`.
    fn default() -> Self {
        Self("unknown".into())
    }
}
