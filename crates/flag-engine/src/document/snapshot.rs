//! A whole snapshot as a document: written straight from the snapshot, and read straight into one.

use std::borrow::Cow;
use std::{fmt, io};

use flag_core::{ALGORITHM, Epoch, Flag, Level, Overrides, Snapshot, SubjectId, Variant, Version};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Unreadable;
use super::flag::FlagDocument;
use super::object::Object;

/// The number of this shape. A reader refuses any other.
pub const FORMAT: u32 = 1;

/// `{format, algorithm, epoch, revision, flags: [{flag, overrides: {user: {on: [ids], off: [ids]}, …}}]}`.
///
/// A snapshot that lacks flags, because they could not be read, is not written down: a reader would take them for deleted.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotDocument<'a>(pub &'a Snapshot);

impl Serialize for SnapshotDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.quarantine().is_some() {
            return Err(serde::ser::Error::custom("a snapshot that lacks flags is not written down"));
        }
        let Version { epoch, revision } = self.0.version();
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("format", &FORMAT)?;
        map.serialize_entry("algorithm", ALGORITHM)?;
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
/// [`Unreadable`] if it is of another format or algorithm, is cut short, names something twice, or names what no snapshot
/// can hold.
pub fn read_snapshot(source: impl io::Read) -> Result<Snapshot, Unreadable> {
    let Object(reader): Object<SnapshotReader> = serde_json::from_reader(io::BufReader::new(source))?;
    let version = Version { epoch: Epoch(read_epoch(&reader.epoch)?), revision: reader.revision };
    let written = reader.flags.len();
    let flags = reader.flags.into_iter().map(|Object(reader)| {
        let flag = reader.flag.0.into_flag()?;
        Ok(Flag { overrides: reader.overrides, ..flag })
    });
    let snapshot = Snapshot::new(version, flags.collect::<Result<Vec<_>, Unreadable>>()?);
    if snapshot.len() < written {
        return Err(Unreadable::member("flags", "names a flag twice"));
    }
    Ok(snapshot)
}

fn read_epoch(text: &str) -> Result<u128, Unreadable> {
    let exact = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let epoch = u128::from_str_radix(text, 16).ok().filter(|_| exact);
    epoch.ok_or_else(|| Unreadable::member("epoch", "must be 32 hexadecimal digits"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotReader {
    // These two come first, and are judged when they are read: what is to be said of a later shape is that it is later, and
    // not which of its members is unknown.
    #[expect(dead_code, reason = "reading it is what it is for")]
    format: KnownFormat,
    #[expect(dead_code, reason = "reading it is what it is for")]
    algorithm: KnownAlgorithm,
    epoch: String,
    revision: u64,
    flags: Vec<Object<FlagReader>>,
}

/// The number of the one format that is understood.
struct KnownFormat;

impl<'de> Deserialize<'de> for KnownFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            FORMAT => Ok(Self),
            format => Err(D::Error::custom(format_args!(
                "format {format} is not {FORMAT}, the one that is understood"
            ))),
        }
    }
}

/// The id of the one algorithm by which this program evaluates.
struct KnownAlgorithm;

impl<'de> Deserialize<'de> for KnownAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let algorithm = Cow::<str>::deserialize(deserializer)?;
        if algorithm == ALGORITHM {
            return Ok(Self);
        }
        Err(D::Error::custom(format_args!(
            "the flags are written for the algorithm {algorithm:?}; this program evaluates by {ALGORITHM:?}, and would \
             answer differently"
        )))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlagReader {
    flag: Object<FlagDocument>,
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
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("{name:?} stands twice")));
            }
            let part = self.part.below(&name);
            let part =
                part.ok_or_else(|| A::Error::custom(format_args!("{name:?} is no level or variant")))?;
            map.next_value_seed(part.into(self.overrides))?;
            names.push(name);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Part::Subjects(level, variant) = self.part else { return Ok(()) };
        while let Some(text) = seq.next_element::<Cow<'de, str>>()? {
            let subject = SubjectId::parse(&text).map_err(A::Error::custom)?;
            if self.overrides.set(level, &subject, variant).is_some() {
                // Which of the two counts would follow from the order of members, which means nothing.
                return Err(A::Error::custom(format_args!("the {level} {text:?} is pinned twice")));
            }
        }
        Ok(())
    }
}
