//! What the rows of the state mean, so that no store has to know it: the snapshot that they make up, and which flags cannot
//! be read. The counterpart of [`Rows`](crate::Rows).

use std::collections::BTreeMap;
use std::fmt::Display;

use flag_core::{Flag, FlagKey, Level, Quarantine, Snapshot, SubjectId, Variant, Version};

use crate::document::{FlagDocument, Unreadable};

/// A column as its store has it: a text, or why it is none.
pub type Column<'a> = Result<&'a str, Unreadable>;

/// How long the cause may be that is kept of a flag which cannot be read: it may repeat what the row holds.
const LONGEST_CAUSE: usize = 200;

/// The rows of one environment on their way into a snapshot: first those of all flags, then those of all overrides, in
/// whatever order. No row is kept: what was read lies in its flag already.
///
/// A row that cannot be read costs the flag that it belongs to, and no other.
#[derive(Default)]
pub struct LoadedRows {
    flags: Vec<Loaded>,
    places: BTreeMap<FlagKey, usize>,
    /// Flags that a row claims to be which is filed under another name: missing unless they have a row of their own.
    claims: BTreeMap<FlagKey, String>,
    nameless: usize,
    /// Where the flag of the last override lies. Overrides mostly come flag by flag.
    last: usize,
}

struct Loaded {
    key: FlagKey,
    flag: Result<Flag, String>,
}

impl LoadedRows {
    /// Takes a row of the flags.
    pub fn flag(&mut self, key: Column<'_>, document: Column<'_>) {
        let filed = key.and_then(parse_key);
        let flag = document.and_then(read_flag);
        match (filed, flag) {
            (Ok(filed), Ok(flag)) if flag.key == filed => self.put(filed, Ok(flag)),
            (Ok(filed), Ok(flag)) => {
                self.claim(flag.key.clone(), &format_args!("its document is filed under {filed}"));
                let cause = format!("its document is that of {}", flag.key);
                self.put(filed, Err(cause));
            }
            (Ok(filed), Err(why)) => self.put(filed, Err(cause(&why))),
            (Err(why), Ok(flag)) => self.claim(flag.key, &format_args!("its row has no key: {why}")),
            (Err(_), Err(_)) => self.nameless += 1,
        }
    }

    /// Takes a row of the overrides.
    pub fn pin(&mut self, flag: Column<'_>, level: Column<'_>, subject: Column<'_>, variant: Column<'_>) {
        let last = self.flags.get(self.last).map(|loaded| loaded.key.as_str());
        if last.is_none() || last != flag.as_ref().ok().copied() {
            let Ok(key) = flag.and_then(parse_key) else {
                self.nameless += 1;
                return;
            };
            match self.places.get(&key) {
                Some(place) => self.last = *place,
                None => {
                    self.last = self.flags.len();
                    self.put(key, Err("it has overrides and no row of its own".to_owned()));
                }
            }
        }
        let Some(Loaded { flag: slot, .. }) = self.flags.get_mut(self.last) else { return };
        let Ok(flag) = slot else { return };
        if let Err(why) = hang(flag, level, subject, variant) {
            *slot = Err(cause(&format_args!("an override: {why}")));
        }
    }

    /// The snapshot that the rows make up. Takes as long as putting every flag into a table.
    #[must_use]
    pub fn finish(self, version: Version) -> Snapshot {
        let Self { mut flags, places, claims, nameless, .. } = self;
        for loaded in &mut flags {
            if let Ok(flag) = &loaded.flag
                && let Some(cause) = untimely(flag, version)
            {
                loaded.flag = Err(cause);
            }
        }
        let mut quarantine = Quarantine::default();
        (0..nameless).for_each(|_| quarantine.add_nameless());
        for (key, cause) in &claims {
            let own = places.get(key).and_then(|place| flags.get(*place));
            if own.is_some_and(|own| own.flag.is_ok()) {
                // Nothing is missing, but the row that claims to be it belongs to nobody.
                quarantine.add_nameless();
            } else {
                quarantine.add(key, cause);
            }
        }
        let readable = flags
            .into_iter()
            .filter_map(|Loaded { key, flag }| flag.inspect_err(|cause| quarantine.add(&key, cause)).ok());
        let snapshot = Snapshot::new(version, readable);
        snapshot.without(quarantine)
    }

    fn put(&mut self, key: FlagKey, flag: Result<Flag, String>) {
        if let Some(loaded) = self.places.get(&key).and_then(|place| self.flags.get_mut(*place)) {
            loaded.flag = Err("it stands there twice".to_owned());
            return;
        }
        self.places.insert(key.clone(), self.flags.len());
        self.flags.push(Loaded { key, flag });
    }

    fn claim(&mut self, key: FlagKey, why: &dyn Display) {
        self.claims.entry(key).or_insert_with(|| cause(why));
    }
}

/// What is wrong with the revision of a flag, if something is: it is no change that its environment has come to. Whoever is
/// shown such a revision could take a later state of the flag for this one.
fn untimely(flag: &Flag, version: Version) -> Option<String> {
    let (own, latest) = (flag.revision, version.revision);
    (!(1..=latest).contains(&own)).then(|| format!("`revision` is {own}, and must be from 1 to {latest}"))
}

fn parse_key(text: &str) -> Result<FlagKey, Unreadable> {
    text.parse().map_err(|invalid| Unreadable::member("key", invalid))
}

fn read_flag(text: &str) -> Result<Flag, Unreadable> {
    FlagDocument::read(text)?.into_flag()
}

fn hang(
    flag: &mut Flag,
    level: Column<'_>,
    subject: Column<'_>,
    variant: Column<'_>,
) -> Result<(), Unreadable> {
    let level = Level::named(level?).ok_or_else(|| Unreadable::member("level", "is unknown"))?;
    let variant = Variant::named(variant?).ok_or_else(|| Unreadable::member("variant", "is unknown"))?;
    let subject = SubjectId::parse(subject?).map_err(|invalid| Unreadable::member("subject", invalid))?;
    match flag.overrides.set(level, &subject, variant) {
        None => Ok(()),
        // Which of the two counts would follow from the order of rows, which means nothing.
        Some(_) => Err(Unreadable::member("subject", "is pinned twice")),
    }
}

fn cause(why: &dyn Display) -> String {
    let mut text = why.to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST_CAUSE) {
        text.truncate(end);
        text.push('…');
    }
    text
}
