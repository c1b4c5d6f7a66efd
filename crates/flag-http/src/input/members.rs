//! The members of a body or the parameters of a query: each is taken by name, and what is wrong is kept until all are taken.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use garde::error::Path;
use garde::{Report, Validate};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::known::Known;
use super::percent;
use super::value::Read;
use crate::problem::{Code, Fault, Place, Problem};

/// What was sent, by name.
pub(crate) struct Members<'a> {
    place: Place,
    left: Vec<Member<'a>>,
    repeated: Vec<String>,
    /// The names that were asked for, to tell whoever misspelt one.
    known: Known,
}

type Member<'a> = (Cow<'a, str>, Value<'a>);

enum Value<'a> {
    Json(&'a str),
    Text(String),
    /// A text that is not well encoded.
    Unreadable,
}

impl<'a> Members<'a> {
    /// The members of a JSON object.
    pub(crate) fn of_object(text: &'a str) -> Result<Self, Problem> {
        if !text.trim_start().starts_with('{') {
            // Broken JSON that is no object either is called broken.
            serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| malformed(&error))?;
            return Err(Problem::new(Code::InvalidInput, "the body must be a JSON object"));
        }
        let Object(members) = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        Ok(Self::new(Place::Body, members))
    }

    /// The parameters of a query.
    pub(crate) fn of_query(text: &'a str) -> Self {
        let read = |text: &str| percent::decode(&text.replace('+', " "));
        let members = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name that cannot be read is nobody's name, and is told as it was sent.
            let name = read(name).map_or(Cow::Borrowed(name), Cow::Owned);
            (name, read(value).map_or(Value::Unreadable, Value::Text))
        });
        Self::new(Place::Query, members.collect())
    }

    fn new(place: Place, mut left: Vec<Member<'a>>) -> Self {
        let mut repeated = Vec::new();
        if !are_few_and_unlike(&left) {
            let mut seen = HashSet::new();
            let taken_out = left.extract_if(.., |(name, _)| !seen.insert(name.clone()));
            repeated.extend(taken_out.map(|(name, _)| name.into_owned()));
        }
        Self { place, left, repeated, known: Known::default() }
    }

    /// Takes a member that must be there.
    pub(crate) fn required<T: Read>(&mut self, name: &'static str) -> Required<T> {
        Required(match self.take(name) {
            None => Err("is required".to_owned()),
            Some(value) => value.read(),
        })
    }

    /// Takes a member that may be missing or `null`.
    pub(crate) fn optional<T: Read>(&mut self, name: &'static str) -> Optional<T> {
        Optional(match self.take(name) {
            None | Some(Value::Json("null")) => Ok(None),
            Some(value) => value.read().map(Some),
        })
    }

    /// Takes a member that must be there, but may be `null`.
    pub(crate) fn nullable<T: Read>(&mut self, name: &'static str) -> Required<Option<T>> {
        Required(match self.take(name) {
            None => Err("is required".to_owned()),
            Some(Value::Json("null")) => Ok(None),
            Some(value) => value.read().map(Some),
        })
    }

    fn take(&mut self, name: &'static str) -> Option<Value<'a>> {
        self.known.note(name);
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// Every fault: those that `report` found in what was taken, then what was sent twice, then what nobody took.
    pub(crate) fn finish(self, report: Report) -> Result<(), Problem> {
        let place = self.place;
        // Members of bodies are written as JSON has it, parameters of queries as they stand here.
        let name = |path: &Path| if place == Place::Body { camel(path) } else { path.to_string() };
        let found = report.into_inner().into_iter().map(|(path, error)| (name(&path), error.to_string()));
        let repeated = self.repeated.into_iter().map(|name| (name, "is given more than once".to_owned()));
        let known = self.known;
        let unknown = self.left.into_iter().map(|(name, _)| {
            let message = known.instead_of(&name);
            (name.into_owned(), message)
        });
        let faults: Vec<Fault> = found
            .chain(repeated)
            .chain(unknown)
            .map(|(field, message)| Fault { place, field: shorten(field), message })
            .take(Self::MOST_FAULTS)
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
    }

    /// Nobody reads more, and a body of 60,000 unknown members should not be answered at length.
    const MOST_FAULTS: usize = 32;
}

impl Value<'_> {
    fn read<T: Read>(&self) -> Result<T, String> {
        match self {
            Self::Json(raw) => T::json(raw),
            Self::Text(text) => T::text(text),
            Self::Unreadable => Err(percent::FAULT.to_owned()),
        }
    }
}

/// Whether there are so few that to compare each with each is faster than to hash them, and no name is there twice. A megabyte
/// holds a hundred thousand names: to compare each of them with each would keep a worker for minutes.
fn are_few_and_unlike(members: &[Member<'_>]) -> bool {
    const FEW: usize = 8;
    let is_new =
        |(at, (name, _)): (usize, &Member<'_>)| members.iter().take(at).all(|(other, _)| other != name);
    members.len() <= FEW && members.iter().enumerate().all(is_new)
}

/// A member that must be there, or what is wrong with it.
pub(crate) struct Required<T>(Result<T, String>);

/// A member that may be missing, or what is wrong with it.
pub(crate) struct Optional<T>(Result<Option<T>, String>);

impl<T> Required<T> {
    /// The value. After validation there always is one.
    pub(crate) fn get(self) -> Result<T, Problem> {
        self.0.map_err(|fault| Problem::new(Code::InvalidInput, fault))
    }
}

impl<T> Optional<T> {
    /// The value, if it was sent.
    pub(crate) fn get(self) -> Option<T> {
        self.0.ok().flatten()
    }
}

impl<T> Validate for Required<T> {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        if let Err(fault) = &self.0 {
            report.append(parent(), garde::Error::new(fault));
        }
    }
}

impl<T> Validate for Optional<T> {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> Path, report: &mut Report) {
        if let Err(fault) = &self.0 {
            report.append(parent(), garde::Error::new(fault));
        }
    }
}

/// The name of a member as it is sent: `rollout_pct` is `rolloutPct`.
fn camel(path: &Path) -> String {
    let mut upper = false;
    path.to_string().chars().fold(String::new(), |mut name, c| {
        match (c, std::mem::take(&mut upper)) {
            ('_', _) => upper = true,
            (c, true) => name.push(c.to_ascii_uppercase()),
            (c, false) => name.push(c),
        }
        name
    })
}

/// Names that nobody chose are not repeated at any length.
fn shorten(name: String) -> String {
    match name.char_indices().nth(64) {
        None => name,
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    Problem::new(Code::MalformedJson, format!("the body is not valid JSON: {text}"))
}

/// The members of an object in their order, repeated ones included.
struct Object<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    members.push((name.0, Value::Json(map.next_value::<&RawValue>()?.get())));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A member's name, borrowed where it holds no escape sequence.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
