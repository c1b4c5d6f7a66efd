//! Evaluation: down the ladder until a rung answers. It cannot fail, and it allocates nothing.

use core::fmt;

use crate::bucket::Bucket;
use crate::context::Context;
use crate::flag::Flag;
use crate::overrides::Level;
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
    pub fn enabled(self) -> bool {
        self.variant.enabled()
    }
}

impl Flag {
    /// What `context` gets of this flag.
    #[must_use]
    pub fn evaluate(&self, context: &Context<'_>) -> Evaluation {
        let pins = [
            (Level::User, context.user_subject(), Source::UserOverride),
            (Level::Group, context.group_subject(), Source::GroupOverride),
            (Level::Region, context.region_subject(), Source::RegionOverride),
        ];
        for (level, subject, source) in pins {
            if let Some(variant) = subject.and_then(|subject| self.overrides.pinned(level, subject)) {
                return Evaluation { variant, source };
            }
        }
        if let (Some(rollout), Some(user)) = (self.rollout, context.user_subject()) {
            let bucket = Bucket::of(user.unit(), &self.salt);
            return Evaluation { variant: rollout.holds(bucket).into(), source: Source::PercentageRollout };
        }
        Evaluation { variant: self.global, source: Source::GlobalDefault }
    }
}
