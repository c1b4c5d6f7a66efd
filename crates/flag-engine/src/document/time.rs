//! Instants as RFC 3339 in UTC with milliseconds.

use flag_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, written as `2026-01-31T12:00:00.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeDocument(pub Timestamp);

impl Serialize for TimeDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = writable(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{instant:.3}"))
    }
}

impl<'de> Deserialize<'de> for TimeDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        if text.starts_with(['-', '+']) {
            return Err(serde::de::Error::custom("RFC 3339 knows no years with a sign"));
        }
        let instant: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        let instant = Timestamp(instant.as_millisecond());
        // Taken in, an instant that cannot be written would keep everything beside it from being written, too.
        writable(instant).map_err(serde::de::Error::custom)?;
        Ok(Self(instant))
    }
}

/// The first instant that RFC 3339 can write: the beginning of the year 0.
const EARLIEST: Timestamp = Timestamp(-62_167_219_200_000);

/// The instant, if RFC 3339 can write it. The last one is at 9999-12-30T22:00:00Z, so that every offset has its last day.
fn writable(instant: Timestamp) -> Result<jiff::Timestamp, String> {
    if instant < EARLIEST {
        return Err("RFC 3339 knows no instant before the year 0".to_owned());
    }
    jiff::Timestamp::from_millisecond(instant.0).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_that_is_read_can_be_written_again() {
        for (text, expected) in [
            ("2026-01-31T12:00:00.001Z", Some("2026-01-31T12:00:00.001Z")),
            ("2026-01-31T13:00:00.0019+01:00", Some("2026-01-31T12:00:00.001Z")),
            ("9999-12-30T22:00:00Z", Some("9999-12-30T22:00:00.000Z")),
            ("9999-12-30T22:00:00.001Z", None),
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00.000Z")),
            ("0000-01-01T00:00:00+00:01", None),
            ("-000001-12-31T23:59:59Z", None),
            ("-009999-01-02T01:59:58.999Z", None),
            ("+002026-01-31T12:00:00Z", None),
        ] {
            let read = serde_json::from_str::<TimeDocument>(&format!("{text:?}")).ok();
            let written = read.map(|instant| serde_json::to_value(instant).unwrap());
            assert_eq!(written.as_ref().and_then(|text| text.as_str()), expected, "{text}");
        }
        for beyond in [i64::MIN, EARLIEST.0 - 1, 253_402_207_200_001, i64::MAX] {
            assert!(serde_json::to_value(TimeDocument(Timestamp(beyond))).is_err(), "{beyond}");
        }
    }
}
