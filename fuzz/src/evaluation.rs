//! A history of changes beside a model of ordered maps: each change has the same outcome in both, and whoever asks at the end,
//! or asks an earlier snapshot, gets the same answer from both.

use std::collections::BTreeMap;

use flag_core::{
    Applied, Change, Entry, FlagKey, Level, Percentage, Rejection, Snapshot, SubjectId, Timestamp, Variant,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

use crate::ladder::{Asker, Rungs, answer};

/// What happens, and who asks afterwards.
#[derive(Arbitrary, Debug)]
pub struct Story {
    steps: Vec<Step>,
    askers: Vec<[Subject; 3]>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Create(u8, bool, Option<u32>),
    Delete(u8),
    Global(u8, bool),
    Rollout(u8, Option<u32>),
    Pin(u8, Rank, Subject, bool),
    Release(u8, Rank, Subject),
    /// Enough of one kind to split tables and to fill them again.
    PinMany(u8, Rank, u16, u16, bool),
    ReleaseMany(u8, Rank, u16, u16),
    CreateMany(u16),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Rank {
    User,
    Group,
    Region,
}

#[derive(Arbitrary, Clone, Debug)]
enum Subject {
    Absent,
    Numbered(u16),
    Named(String),
}

/// More than one leaf holds.
const MANY: u16 = 700;
/// More would only make the fuzzer slow.
const MOST_CHANGES: usize = 1_000;
const MOST_ASKERS: usize = 16;

#[derive(Clone, Default)]
struct Model {
    flags: BTreeMap<FlagKey, Kept>,
    revision: u64,
}

#[derive(Clone)]
struct Kept {
    key: String,
    global: Variant,
    rollout: Option<u32>,
    pins: BTreeMap<(Level, String), Variant>,
}

impl Rungs for Kept {
    fn pinned(&self, level: Level, subject: &str) -> Option<Variant> {
        self.pins.get(&(level, subject.to_owned())).copied()
    }

    fn rollout(&self) -> Option<u32> {
        self.rollout
    }

    fn salt(&self) -> &str {
        &self.key
    }

    fn global(&self) -> Variant {
        self.global
    }
}

/// Tells the story to both, and asks both.
pub fn check(story: &Story) {
    let (mut snapshot, mut model) = (Snapshot::default(), Model::default());
    let changes: Vec<Change> = story.steps.iter().flat_map(Step::changes).take(MOST_CHANGES).collect();
    let middle = changes.len() / 2;
    let mut earlier = None;
    for (number, change) in changes.into_iter().enumerate() {
        if number == middle {
            earlier = Some((snapshot.clone(), model.clone()));
        }
        apply(&mut snapshot, &mut model, change);
    }
    for (snapshot, model) in earlier.into_iter().chain([(snapshot, model)]) {
        compare(&snapshot, &model, story);
    }
}

fn apply(snapshot: &mut Snapshot, model: &mut Model, change: Change) {
    let entry = Entry { at: Timestamp(1), ..Entry::next(snapshot, change) };
    match (snapshot.apply(&entry), model.apply(&entry.change)) {
        (Ok(Applied::Changed(after)), Ok(Outcome::Changed)) => {
            *snapshot = after;
            model.revision += 1;
        }
        (Ok(Applied::Unchanged), Ok(Outcome::Unchanged)) => {}
        (Err(found), Err(expected)) => assert_eq!(found, expected),
        (found, _) => panic!("{:?} gave {found:?}", entry.change),
    }
}

fn compare(snapshot: &Snapshot, model: &Model, story: &Story) {
    assert_eq!((snapshot.len(), snapshot.version().revision), (model.flags.len(), model.revision));
    assert_eq!(snapshot.flags().count(), model.flags.len());
    for (key, kept) in &model.flags {
        let flag = snapshot.flag(key.as_str()).unwrap();
        let mut found = BTreeMap::new();
        for level in Level::ALL {
            let pins = flag.overrides.iter(level).map(|pin| ((level, pin.subject.to_owned()), pin.variant));
            found.extend(pins);
            assert_eq!(flag.overrides.iter(level).count(), flag.overrides.len(level));
        }
        assert_eq!(found, kept.pins);
    }
    for members in story.askers.iter().take(MOST_ASKERS) {
        let texts = members.clone().map(Subject::text);
        let [user, group, region] = texts.each_ref().map(String::as_str);
        let asker = Asker { user, group, region };
        let context = asker.context();
        let mut answers = 0;
        for (flag, evaluation) in snapshot.evaluate_all(&context) {
            let expected = answer(&model.flags[&flag.key], asker);
            assert_eq!(evaluation, expected, "{} {asker:?}", flag.key);
            assert_eq!(snapshot.evaluate(flag.key.as_str(), &context), Some(expected));
            answers += 1;
        }
        assert_eq!(answers, model.flags.len());
    }
}

enum Outcome {
    Changed,
    Unchanged,
}

impl Model {
    /// Does what the change asks; the words of the rejections are the only ones that are the core's.
    fn apply(&mut self, change: &Change) -> Result<Outcome, Rejection> {
        let key = change.key();
        if let Change::FlagCreated { global, rollout, .. } = change {
            if self.flags.contains_key(key) {
                return Err(Rejection::FlagExists(key.clone()));
            }
            let (global, rollout) = (*global, rollout.map(Percentage::thousandths));
            let text = key.as_str().to_owned();
            self.flags.insert(key.clone(), Kept { key: text, global, rollout, pins: BTreeMap::new() });
            return Ok(Outcome::Changed);
        }
        let kept = self.flags.get_mut(key).ok_or_else(|| Rejection::FlagNotFound(key.clone()))?;
        let same = match change {
            Change::GlobalSet { variant, .. } => std::mem::replace(&mut kept.global, *variant) == *variant,
            Change::RolloutSet { rollout, .. } => {
                let rollout = rollout.map(Percentage::thousandths);
                std::mem::replace(&mut kept.rollout, rollout) == rollout
            }
            Change::OverrideSet { level, subject, variant, .. } => {
                kept.pins.insert((*level, subject.as_str().to_owned()), *variant) == Some(*variant)
            }
            Change::OverrideRemoved { level, subject, .. } => {
                if kept.pins.remove(&(*level, subject.as_str().to_owned())).is_none() {
                    let (key, level, subject) = (key.clone(), *level, subject.clone());
                    return Err(Rejection::OverrideNotFound { key, level, subject });
                }
                false
            }
            _ => {
                self.flags.remove(key);
                false
            }
        };
        Ok(if same { Outcome::Unchanged } else { Outcome::Changed })
    }
}

impl Step {
    fn changes(&self) -> Vec<Change> {
        match *self {
            Self::Create(flag, global, rollout) => vec![created(few(flag), global.into(), rollout)],
            Self::Delete(flag) => vec![Change::FlagDeleted { key: few(flag) }],
            Self::Global(flag, variant) => {
                vec![Change::GlobalSet { key: few(flag), variant: variant.into() }]
            }
            Self::Rollout(flag, rollout) => {
                vec![Change::RolloutSet { key: few(flag), rollout: rollout.map(share) }]
            }
            Self::Pin(flag, rank, ref subject, variant) => {
                subject.id().map(|id| pinned(flag, rank, id, variant.into())).into_iter().collect()
            }
            Self::Release(flag, rank, ref subject) => {
                subject.id().map(|id| released(flag, rank, id)).into_iter().collect()
            }
            Self::PinMany(flag, rank, first, count, variant) => {
                ids(first, count).map(|id| pinned(flag, rank, id, variant.into())).collect()
            }
            Self::ReleaseMany(flag, rank, first, count) => {
                ids(first, count).map(|id| released(flag, rank, id)).collect()
            }
            Self::CreateMany(count) => {
                (0..count % MANY).map(|number| created(key(number), Variant::OFF, None)).collect()
            }
        }
    }
}

impl Rank {
    fn level(self) -> Level {
        match self {
            Self::User => Level::User,
            Self::Group => Level::Group,
            Self::Region => Level::Region,
        }
    }
}

impl Subject {
    fn text(self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Numbered(number) => format!("user-{number}"),
            Self::Named(text) => text,
        }
    }

    fn id(&self) -> Option<SubjectId> {
        SubjectId::parse(&self.clone().text()).ok()
    }
}

fn created(key: FlagKey, global: Variant, rollout: Option<u32>) -> Change {
    Change::FlagCreated { key, description: None, global, rollout: rollout.map(share) }
}

fn pinned(flag: u8, rank: Rank, subject: SubjectId, variant: Variant) -> Change {
    Change::OverrideSet { key: few(flag), level: rank.level(), subject, variant }
}

fn released(flag: u8, rank: Rank, subject: SubjectId) -> Change {
    Change::OverrideRemoved { key: few(flag), level: rank.level(), subject }
}

/// One of few flags, so that steps meet.
fn few(flag: u8) -> FlagKey {
    key(u16::from(flag % 8))
}

fn key(number: u16) -> FlagKey {
    format!("flag-{number}").parse().unwrap()
}

fn ids(first: u16, count: u16) -> impl Iterator<Item = SubjectId> {
    let numbers = first..first.saturating_add(count % MANY);
    numbers.map(|number| SubjectId::parse(&format!("user-{number}")).unwrap())
}

fn share(number: u32) -> Percentage {
    Percentage::from_thousandths(number % 100_001).unwrap()
}
