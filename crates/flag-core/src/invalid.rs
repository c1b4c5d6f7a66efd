//! Why a text is not a key, an id, a percentage or another word of the engine.

use core::fmt;

/// Why a value was refused. The text reads after the name of a field: "`key` must begin with a letter or a digit".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// Nothing was given where at least one character is needed.
    Empty,
    /// More characters than the limit.
    TooManyCharacters {
        /// The most that is allowed.
        limit: usize,
    },
    /// More bytes of UTF-8 than the limit.
    TooManyBytes {
        /// The most that is allowed.
        limit: usize,
    },
    /// A flag key begins with something else than `A-Z a-z 0-9`.
    FirstCharacter,
    /// A flag key holds something else than `A-Z a-z 0-9 . _ -`.
    Character {
        /// The first one that does not belong.
        found: char,
    },
    /// A control character, such as NUL or a line break.
    ControlCharacter {
        /// The first one.
        found: char,
    },
    /// Not a decimal number.
    NotANumber,
    /// A percentage below 0 or above 100.
    OutOfRange,
    /// A percentage with more than three decimals.
    TooPrecise,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "must not be empty"),
            Self::TooManyCharacters { limit } => write!(f, "must be at most {limit} characters long"),
            Self::TooManyBytes { limit } => write!(f, "must be at most {limit} bytes of UTF-8 long"),
            Self::FirstCharacter => write!(f, "must begin with a letter or a digit"),
            Self::Character { found } => {
                write!(f, "may hold only the characters A-Z a-z 0-9 . _ -, and {found:?} is none of them")
            }
            Self::ControlCharacter { found } => write!(f, "must not hold the control character {found:?}"),
            Self::NotANumber => write!(f, "must be a number"),
            Self::OutOfRange => write!(f, "must be between 0 and 100"),
            Self::TooPrecise => write!(f, "must have at most three decimals"),
        }
    }
}

impl core::error::Error for Invalid {}
