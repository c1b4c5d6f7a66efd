//! Evaluation: down the ladder until a rung answers. It cannot fail, and it allocates nothing.

use core::fmt;

use crate::bucket::Bucket;
use crate::context::Context;
use crate::flag::Flag;
use crate::overrides::Overrides;
use crate::percentage::Percentage;
use crate::variant::Variant;

/// The rung that gave an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Source {
    /// The context's user is pinned.
    UserOverride,
    /// The context's group is pinned.
    GroupOverride,
    /// The context's region is pinned.
    RegionOverride,
    /// The user's bucket decided, for or against.
    PercentageRollout,
    /// Nothing more special answered.
    GlobalDefault,
}

impl Source {
    /// Every source, top rung first.
    pub const ALL: [Self; 5] = [
        Self::UserOverride,
        Self::GroupOverride,
        Self::RegionOverride,
        Self::PercentageRollout,
        Self::GlobalDefault,
    ];

    /// The name that answers, documents and metrics use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserOverride => "USER_OVERRIDE",
            Self::GroupOverride => "GROUP_OVERRIDE",
            Self::RegionOverride => "REGION_OVERRIDE",
            Self::PercentageRollout => "PERCENTAGE_ROLLOUT",
            Self::GlobalDefault => "GLOBAL_DEFAULT",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a context gets, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evaluation {
    /// The variant.
    pub variant: Variant,
    /// The rung that chose it.
    pub source: Source,
}

impl Evaluation {
    /// Whether the variant is something else than the flag's off variant.
    #[must_use]
    #[inline]
    pub fn enabled(self) -> bool {
        self.variant.enabled()
    }
}

impl Flag {
    /// What `context` gets of this flag. Allocates nothing.
    #[must_use]
    #[inline]
    pub fn evaluate(&self, context: &Context<'_>) -> Evaluation {
        Plan::of(self).evaluate(&self.overrides, context)
    }
}

/// All that an evaluation reads of a flag but its tables of overrides: small enough to lie beside others in one run of
/// memory.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    seed: u64,
    /// Of no meaning unless there is a rollout. That this stands apart spares the room that an [`Option`] takes.
    rollout: Percentage,
    is_rolled_out: bool,
    global: Variant,
    /// Whether anybody is pinned at all.
    is_pinning: bool,
}

impl Plan {
    #[inline]
    pub(crate) fn of(flag: &Flag) -> Self {
        let Flag { salt, rollout, global, overrides, .. } = flag;
        Self {
            seed: salt.seed(),
            rollout: rollout.unwrap_or(Percentage::NONE),
            is_rolled_out: rollout.is_some(),
            global: *global,
            is_pinning: !overrides.is_empty(),
        }
    }

    /// The answer to every context, if there is one.
    #[inline]
    pub(crate) fn plain(&self) -> Option<Evaluation> {
        let is_plain = !self.is_pinning && !self.is_rolled_out;
        is_plain.then_some(Evaluation { variant: self.global, source: Source::GlobalDefault })
    }

    /// Goes down the ladder. `overrides` are those of the same flag, and are not touched if nobody is pinned.
    #[inline]
    pub(crate) fn evaluate(&self, overrides: &Overrides, context: &Context<'_>) -> Evaluation {
        if self.is_pinning
            && let Some(evaluation) = pinned(overrides, context)
        {
            return evaluation;
        }
        if self.is_rolled_out
            && let Some(unit) = context.unit()
        {
            let bucket = Bucket::under(unit, self.seed);
            return Evaluation {
                variant: self.rollout.holds(bucket).into(),
                source: Source::PercentageRollout,
            };
        }
        Evaluation { variant: self.global, source: Source::GlobalDefault }
    }
}

#[inline]
fn pinned(overrides: &Overrides, context: &Context<'_>) -> Option<Evaluation> {
    let [users, groups, regions] = overrides.tables();
    let user = || users.ask(|| context.user_subject()).map(|variant| (variant, Source::UserOverride));
    let group = || groups.ask(|| context.group_subject()).map(|variant| (variant, Source::GroupOverride));
    let region = || regions.ask(|| context.region_subject()).map(|variant| (variant, Source::RegionOverride));
    let (variant, source) = user().or_else(group).or_else(region)?;
    Some(Evaluation { variant, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, Entry};
    use crate::overrides::Level;
    use crate::snapshot::Snapshot;

    #[test]
    fn a_plan_is_plain_if_no_rung_above_the_global_state_can_answer() {
        let empty = Snapshot::default();
        let created = Change::flag_created("key".parse().unwrap(), Variant::ON);
        let snapshot = empty.with(&Entry::next(&empty, created)).unwrap();
        let flag = snapshot.flag("key").unwrap();
        let plain = Evaluation { variant: Variant::ON, source: Source::GlobalDefault };
        assert_eq!(Plan::of(flag).plain(), Some(plain));

        let rolled_out = Flag { rollout: Some("0".parse().unwrap()), ..flag.clone() };
        assert_eq!(Plan::of(&rolled_out).plain(), None);
        let mut pinning = flag.clone();
        pinning.overrides.set(Level::Region, &crate::names::SubjectId::parse("IN").unwrap(), Variant::OFF);
        assert_eq!(Plan::of(&pinning).plain(), None);
    }
}
