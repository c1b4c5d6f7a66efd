//! Variants: the named values of a flag.

use core::fmt;

/// One of a flag's named values, by its place in the flag's list. A boolean flag has `off` and `on`, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Variant(u8);

impl Variant {
    /// A boolean flag's value `false`.
    pub const OFF: Self = Self(0);
    /// A boolean flag's value `true`.
    pub const ON: Self = Self(1);

    /// The variant of a boolean flag that has this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::OFF),
            "on" => Some(Self::ON),
            _ => None,
        }
    }

    /// The variant's name in a boolean flag.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self == Self::OFF { "off" } else { "on" }
    }

    /// Whether this is something else than a boolean flag's off variant.
    #[must_use]
    #[inline]
    pub fn enabled(self) -> bool {
        self != Self::OFF
    }
}

impl From<bool> for Variant {
    #[inline]
    fn from(enabled: bool) -> Self {
        if enabled { Self::ON } else { Self::OFF }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
