//! A whole snapshot as a document: written straight from the snapshot, and read straight into one.

use std::borrow::Cow;
use std::{fmt, io};

use flag_core::{Epoch, Flag, Level, Overrides, Snapshot, SubjectId, Variant, Version};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Unreadable;
use super::flag::FlagDocument;

/// The number of this shape. A reader refuses any other.
pub const FORMAT: u32 = 1;

/// `{format, epoch, revision, flags: [{flag, overrides: {user: {on: [ids], off: [ids]}, …}}]}`.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotDocument<'a>(pub &'a Snapshot);

impl Serialize for SnapshotDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Version { epoch, revision } = self.0.version();
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("format", &FORMAT)?;
        map.serialize_entry("epoch", &epoch.to_string())?;
        map.serialize_entry("revision", &revision)?;
        map.serialize_entry("flags", &FlagsWriter(self.0))?;
        map.end()
    }
}

struct FlagsWriter<'a>(&'a Snapshot);

impl Serialize for FlagsWriter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.flags().map(FlagWriter))
    }
}

struct FlagWriter<'a>(&'a Flag);

impl Serialize for FlagWriter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("flag", &FlagDocument::from(self.0))?;
        map.serialize_entry("overrides", &OverridesWriter(&self.0.overrides))?;
        map.end()
    }
}

struct OverridesWriter<'a>(&'a Overrides);

impl Serialize for OverridesWriter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for level in Level::ALL.into_iter().filter(|level| self.0.len(*level) > 0) {
            map.serialize_entry(level.name(), &LevelWriter(self.0, level))?;
        }
        map.end()
    }
}

struct LevelWriter<'a>(&'a Overrides, Level);

impl Serialize for LevelWriter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        for variant in [Variant::ON, Variant::OFF] {
            map.serialize_entry(variant.name(), &SubjectsWriter(self.0, self.1, variant))?;
        }
        map.end()
    }
}

struct SubjectsWriter<'a>(&'a Overrides, Level, Variant);

impl Serialize for SubjectsWriter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for pin in self.0.iter(self.1).filter(|pin| pin.variant == self.2) {
            seq.serialize_element(pin.subject)?;
        }
        seq.end()
    }
}

/// Reads a snapshot document. It is never held whole: what was read lies in the snapshot already.
///
/// # Errors
/// [`Unreadable`] if it is of another format, is cut short, or names what no snapshot can hold.
pub fn read_snapshot(source: impl io::Read) -> Result<Snapshot, Unreadable> {
    let reader: SnapshotReader = serde_json::from_reader(io::BufReader::new(source))?;
    if reader.format != FORMAT {
        return Err(Unreadable(format!(
            "format {} is not {FORMAT}, the one that is understood",
            reader.format
        )));
    }
    let epoch =
        u128::from_str_radix(&reader.epoch, 16).map_err(|error| Unreadable::member("epoch", error))?;
    let version = Version { epoch: Epoch(epoch), revision: reader.revision };
    let flags = reader.flags.into_iter().map(|reader| {
        let flag = reader.flag.into_flag()?;
        Ok(Flag { overrides: reader.overrides, ..flag })
    });
    Ok(Snapshot::new(version, flags.collect::<Result<Vec<_>, Unreadable>>()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotReader {
    format: u32,
    epoch: String,
    revision: u64,
    flags: Vec<FlagReader>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlagReader {
    flag: FlagDocument,
    #[serde(deserialize_with = "read_overrides")]
    overrides: Overrides,
}

fn read_overrides<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Overrides, D::Error> {
    let mut overrides = Overrides::default();
    Part::Levels.into(&mut overrides).deserialize(deserializer)?;
    Ok(overrides)
}

/// Which part of the overrides comes next. Each is read straight into the table: a million ids never lie in a list first.
#[derive(Clone, Copy)]
enum Part {
    Levels,
    Variants(Level),
    Subjects(Level, Variant),
}

impl Part {
    fn into(self, overrides: &mut Overrides) -> PartReader<'_> {
        PartReader { part: self, overrides }
    }

    /// The part below this one that has this name.
    fn below(self, name: &str) -> Option<Self> {
        match self {
            Self::Levels => Level::named(name).map(Self::Variants),
            Self::Variants(level) => Variant::named(name).map(|variant| Self::Subjects(level, variant)),
            Self::Subjects(..) => None,
        }
    }
}

struct PartReader<'a> {
    part: Part,
    overrides: &'a mut Overrides,
}

impl<'de> DeserializeSeed<'de> for PartReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.part {
            Part::Levels | Part::Variants(_) => deserializer.deserialize_map(self),
            Part::Subjects(..) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for PartReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("overrides as {level: {variant: [subjects]}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let part = self.part.below(&name);
            let part =
                part.ok_or_else(|| A::Error::custom(format_args!("{name:?} is no level or variant")))?;
            map.next_value_seed(part.into(self.overrides))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Part::Subjects(level, variant) = self.part else { return Ok(()) };
        while let Some(text) = seq.next_element::<Cow<'de, str>>()? {
            let subject = SubjectId::parse(&text).map_err(A::Error::custom)?;
            self.overrides.set(level, &subject, variant);
        }
        Ok(())
    }
}
