//! Instants as RFC 3339 in UTC with milliseconds.

use flag_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, written as `2026-01-31T12:00:00.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeDocument(pub Timestamp);

impl Serialize for TimeDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = jiff::Timestamp::from_millisecond(self.0.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{instant:.3}"))
    }
}

impl<'de> Deserialize<'de> for TimeDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp(instant.as_millisecond())))
    }
}
