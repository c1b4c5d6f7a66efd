//! The ladder once more, too simple to be wrong: linear searches, and buckets from the reference crate by division.

use flag_core::{BUCKETS, Context, Evaluation, Flag, Level, Source, Variant};
use xxhash_rust::xxh64::xxh64;

/// Who asks; an empty text is absent.
#[derive(Clone, Copy, Default, Debug)]
pub struct Asker<'a> {
    /// The user.
    pub user: &'a str,
    /// The group.
    pub group: &'a str,
    /// The region.
    pub region: &'a str,
}

impl<'a> Asker<'a> {
    /// The asker as the core knows it.
    #[must_use]
    pub fn context(&self) -> Context<'a> {
        Context::new().user(self.user).group(self.group).region(self.region)
    }

    /// The asker who is nothing but this subject.
    #[must_use]
    pub fn only(level: Level, subject: &'a str) -> Self {
        match level {
            Level::User => Self { user: subject, ..Self::default() },
            Level::Group => Self { group: subject, ..Self::default() },
            Level::Region => Self { region: subject, ..Self::default() },
        }
    }
}

/// What decides an answer, wherever it is kept.
pub trait Rungs {
    /// What a subject is pinned to.
    fn pinned(&self, level: Level, subject: &str) -> Option<Variant>;
    /// The thousandths of the rollout.
    fn rollout(&self) -> Option<u32>;
    /// The salt.
    fn salt(&self) -> &str;
    /// The global state.
    fn global(&self) -> Variant;
}

impl Rungs for Flag {
    fn pinned(&self, level: Level, subject: &str) -> Option<Variant> {
        self.overrides.iter(level).find(|pin| pin.subject == subject).map(|pin| pin.variant)
    }

    fn rollout(&self) -> Option<u32> {
        self.rollout.map(|share| share.thousandths())
    }

    fn salt(&self) -> &str {
        self.salt.as_str()
    }

    fn global(&self) -> Variant {
        self.global
    }
}

/// What the ladder says.
#[must_use]
pub fn answer(flag: &impl Rungs, asker: Asker<'_>) -> Evaluation {
    let pins = [
        (Level::User, asker.user, Source::UserOverride),
        (Level::Group, asker.group, Source::GroupOverride),
        (Level::Region, asker.region, Source::RegionOverride),
    ];
    for (level, subject, source) in pins {
        if let Some(variant) = flag.pinned(level, subject) {
            return Evaluation { variant, source };
        }
    }
    match flag.rollout() {
        Some(thousandths) if !asker.user.is_empty() => {
            let variant = Variant::from(bucket(asker.user, flag.salt()) < u128::from(thousandths));
            Evaluation { variant, source: Source::PercentageRollout }
        }
        _ => Evaluation { variant: flag.global(), source: Source::GlobalDefault },
    }
}

fn bucket(user: &str, salt: &str) -> u128 {
    let (unit, seed) = (xxh64(user.as_bytes(), 0), xxh64(salt.as_bytes(), 0));
    u128::from(xxh64(&unit.to_le_bytes(), seed)) * u128::from(BUCKETS) / (1 << 64)
}
