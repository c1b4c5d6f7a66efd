//! How single values are read, from JSON and from the text of a query, through the constructors of the core.

use std::borrow::Cow;
use std::time::Duration;

use flag_core::{Description, FlagKey, Level, Percentage, Revision, SubjectId};

/// A value that can stand in a request.
pub(crate) trait Read: Sized {
    /// Reads the text of one JSON value. The message reads after the name of the field.
    fn json(raw: &str) -> Result<Self, String> {
        Self::text(&string(raw)?)
    }

    /// Reads a text.
    fn text(text: &str) -> Result<Self, String>;
}

/// What kind of JSON value `raw` is; its syntax has been checked before.
fn kind(raw: &str) -> &'static str {
    match raw.bytes().next() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn expected(wanted: &str, raw: &str) -> String {
    format!("must be {wanted}, not {}", kind(raw))
}

fn string(raw: &str) -> Result<Cow<'_, str>, String> {
    let Some(quoted) = raw.strip_prefix('"') else { return Err(expected("a string", raw)) };
    match quoted.strip_suffix('"') {
        // Without an escape sequence it stands for itself, and most do.
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        _ => serde_json::from_str(raw)
            .map(Cow::Owned)
            .map_err(|_| "holds an invalid escape sequence".to_owned()),
    }
}

impl Read for bool {
    fn json(raw: &str) -> Result<Self, String> {
        Self::text(raw).map_err(|_| expected("true or false", raw))
    }

    fn text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be true or false".to_owned())
    }
}

impl Read for FlagKey {
    fn text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|invalid: flag_core::Invalid| invalid.to_string())
    }
}

impl Read for SubjectId {
    fn text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|invalid| invalid.to_string())
    }
}

impl Read for Description {
    fn text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|invalid| invalid.to_string())
    }
}

impl Read for Level {
    fn text(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| "must be user, group or region".to_owned())
    }
}

impl Read for Percentage {
    /// Reads the digits that were sent, not a float that came near them.
    fn json(raw: &str) -> Result<Self, String> {
        if kind(raw) == "a number" { Self::text(raw) } else { Err(expected("a number", raw)) }
    }

    fn text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|invalid: flag_core::Invalid| invalid.to_string())
    }
}

impl Read for Revision {
    fn text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be a revision, a whole number".to_owned())
    }
}

impl Read for String {
    fn text(text: &str) -> Result<Self, String> {
        if text.len() > 1_024 {
            Err("must be at most 1024 bytes long".to_owned())
        } else {
            Ok(text.to_owned())
        }
    }
}

/// An id in a context, where an empty one means that the member is absent.
pub(crate) struct ContextId(pub(crate) String);

impl Read for ContextId {
    fn text(text: &str) -> Result<Self, String> {
        SubjectId::check(text).map_err(|invalid| invalid.to_string())?;
        Ok(Self(text.to_owned()))
    }
}

/// The free attributes of a context: an object. No rung of the ladder asks for them yet.
pub(crate) struct Attributes;

impl Read for Attributes {
    fn json(raw: &str) -> Result<Self, String> {
        if kind(raw) != "an object" {
            return Err(expected("an object", raw));
        }
        // Read although nobody asks for them yet, so that what is taken today will not be refused tomorrow.
        serde_json::from_str::<serde_json::Value>(raw)
            .map(|_| Self)
            .map_err(|_| "holds an invalid escape sequence or a number that is too large".to_owned())
    }

    fn text(_: &str) -> Result<Self, String> {
        Err("must be an object".to_owned())
    }
}

/// A number of seconds: 0 to 86,400, which is a day.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(u32);

impl Seconds {
    const MOST: u32 = 86_400;

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl Read for Seconds {
    fn text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(seconds @ 0..=Self::MOST) => Ok(Self(seconds)),
            _ => Err(format!("must be a whole number of seconds from 0 to {}", Self::MOST)),
        }
    }
}

/// How many items a page holds at most: 1 to 500.
#[derive(Clone, Copy)]
pub(crate) struct Limit(pub(crate) u16);

impl Limit {
    const MOST: u16 = 500;
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl Read for Limit {
    fn text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(limit @ 1..=Self::MOST) => Ok(Self(limit)),
            _ => Err(format!("must be a whole number from 1 to {}", Self::MOST)),
        }
    }
}
