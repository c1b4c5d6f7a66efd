//! A flag as a document, without its overrides: there may be a million of those, and they have places of their own.

use std::fmt;

use flag_core::{Description, Flag, FlagKey, Overrides, Percentage, Revision, Salt, Variant};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Unreadable;
use super::object::Object;
use super::time::TimeDocument;

/// `{key, description, enabled, rolloutPct, salt, revision, createdAt, updatedAt}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlagDocument {
    /// The flag's name.
    pub key: String,
    /// What it is for.
    pub description: Option<String>,
    /// The global state.
    pub enabled: bool,
    /// The rollout; `null` if there is none.
    pub rollout_pct: Option<PercentageDocument>,
    /// What its buckets are drawn with.
    pub salt: String,
    /// The revision of its last change.
    pub revision: Revision,
    /// When it was created.
    pub created_at: TimeDocument,
    /// When it was last changed.
    pub updated_at: TimeDocument,
}

impl From<&Flag> for FlagDocument {
    fn from(flag: &Flag) -> Self {
        Self {
            key: flag.key.as_str().to_owned(),
            description: flag.description.as_ref().map(|text| text.as_str().to_owned()),
            enabled: flag.global.enabled(),
            rollout_pct: flag.rollout.map(PercentageDocument),
            salt: flag.salt.as_str().to_owned(),
            revision: flag.revision,
            created_at: TimeDocument(flag.created_at),
            updated_at: TimeDocument(flag.updated_at),
        }
    }
}

impl FlagDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// [`Unreadable`] if it is not one JSON object of this shape.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let Object(document) = serde_json::from_str(text)?;
        Ok(document)
    }

    /// The flag that is written down here, as yet without overrides.
    ///
    /// # Errors
    /// [`Unreadable`] names the member that no flag can have.
    pub fn into_flag(self) -> Result<Flag, Unreadable> {
        let key: FlagKey = self.key.parse().map_err(|invalid| Unreadable::member("key", invalid))?;
        let description = self.description.as_deref().map(Description::parse).transpose();
        Ok(Flag {
            key,
            description: description.map_err(|invalid| Unreadable::member("description", invalid))?,
            global: Variant::from(self.enabled),
            rollout: self.rollout_pct.map(|percentage| percentage.0),
            salt: Salt::parse(&self.salt).map_err(|invalid| Unreadable::member("salt", invalid))?,
            overrides: Overrides::default(),
            revision: self.revision,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        })
    }
}

/// A percentage as a JSON number with at most three decimals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PercentageDocument(pub Percentage);

impl Serialize for PercentageDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let thousandths = self.0.thousandths();
        if thousandths.is_multiple_of(1_000) {
            serializer.serialize_u32(thousandths / 1_000)
        } else {
            // The quotient is the float nearest to the decimal, and the shortest text of that float is the decimal again.
            serializer.serialize_f64(f64::from(thousandths) / 1_000.0)
        }
    }
}

impl<'de> Deserialize<'de> for PercentageDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = PercentageDocument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage from 0 to 100 with at most three decimals")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                number.to_string().parse().map(PercentageDocument).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                number.to_string().parse().map(PercentageDocument).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                number.to_string().parse().map(PercentageDocument).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentage_survives_its_document() {
        for thousandths in 0..=100_000 {
            let document = PercentageDocument(Percentage::from_thousandths(thousandths).unwrap());
            let text = serde_json::to_string(&document).unwrap();
            assert_eq!(text, document.0.to_string());
            assert_eq!(serde_json::from_str::<PercentageDocument>(&text).unwrap(), document);
        }
    }

    #[test]
    fn a_member_that_nobody_knows_makes_a_flag_unreadable() {
        let known = r#"{"key":"a","description":null,"enabled":true,"rolloutPct":33.333,"salt":"a","revision":7,
            "createdAt":"2026-01-31T12:00:00.001Z","updatedAt":"2026-01-31T12:00:00.000Z""#;
        let flag = serde_json::from_str::<FlagDocument>(&format!("{known}}}")).unwrap();
        assert_eq!(flag.clone().into_flag().unwrap().created_at.0 % 1_000, 1);
        assert_eq!(FlagDocument::from(&flag.clone().into_flag().unwrap()), flag);
        assert!(serde_json::from_str::<FlagDocument>(&format!(r#"{known},"rules":[]}}"#)).is_err());
    }

    #[test]
    fn the_values_of_a_flag_without_their_names_are_no_flag() {
        let values = r#"["a",null,true,null,"a",7,"2026-01-31T12:00:00.001Z","2026-01-31T12:00:00.000Z"]"#;
        assert!(FlagDocument::read(values).is_err());
    }
}
