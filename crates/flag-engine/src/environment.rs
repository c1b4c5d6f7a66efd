//! The names of environments.

use std::fmt;

use flag_core::{FlagKey, Invalid};

/// The name of a set of flags with its own revision; written as a flag key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvironmentName(FlagKey);

impl EnvironmentName {
    /// Takes a name of 1 to 128 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit.
    ///
    /// # Errors
    /// [`Invalid`] says which of these does not hold.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
