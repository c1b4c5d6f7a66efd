//! The flags that cases ask: built for the core, and written down as the snapshot document that everybody else reads.

use anyhow::{Result, anyhow};
use flag_core::{
    ALGORITHM, Context, Evaluation, Flag, Invalid, Level, Overrides, Percentage, Salt, SubjectId, Timestamp,
    Variant,
};

use super::cases::quote;

/// A flag, and its pins in the order in which they were set.
pub(super) struct Drawn {
    pub(super) flag: Flag,
    pins: Vec<(Level, String, Variant)>,
}

impl Drawn {
    /// A flag that is off for everybody, with its key as its salt.
    pub(super) fn new(key: &str) -> Result<Self> {
        let key: flag_core::FlagKey = key.parse().map_err(|invalid| refused(key, invalid))?;
        let flag = Flag {
            salt: Salt::from(&key),
            key,
            description: None,
            global: Variant::OFF,
            rollout: None,
            overrides: Overrides::default(),
            revision: 1,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        Ok(Self { flag, pins: Vec::new() })
    }

    pub(super) fn key(&self) -> &str {
        self.flag.key.as_str()
    }

    pub(super) fn global(mut self, variant: Variant) -> Self {
        self.flag.global = variant;
        self
    }

    pub(super) fn salt(mut self, salt: &str) -> Result<Self> {
        self.flag.salt = Salt::parse(salt).map_err(|invalid| refused(salt, invalid))?;
        Ok(self)
    }

    pub(super) fn rollout(mut self, thousandths: u32) -> Result<Self> {
        let share = Percentage::from_thousandths(thousandths);
        self.flag.rollout = Some(share.map_err(|invalid| refused(&thousandths.to_string(), invalid))?);
        Ok(self)
    }

    pub(super) fn pin(mut self, level: Level, id: &str, variant: Variant) -> Result<Self> {
        let subject = SubjectId::parse(id).map_err(|invalid| refused(id, invalid))?;
        self.flag.overrides.set(level, &subject, variant);
        self.pins.push((level, id.to_owned(), variant));
        Ok(self)
    }

    /// What a user, a group and a region get.
    pub(super) fn answer(&self, [user, group, region]: [Option<&str>; 3]) -> Evaluation {
        let context = Context::new().user(user.unwrap_or_default()).group(group.unwrap_or_default());
        self.flag.evaluate(&context.region(region.unwrap_or_default()))
    }

    fn json(&self) -> String {
        let Flag { global, rollout, salt, .. } = &self.flag;
        let levels: Vec<String> = Level::ALL.into_iter().filter_map(|level| self.level(level)).collect();
        format!(
            "{{\"flag\": {{\"key\": {}, \"description\": null, \"enabled\": {}, \"rolloutPct\": {}, \"salt\": {}, \
             \"revision\": 1, \"createdAt\": \"{EARLY}\", \"updatedAt\": \"{EARLY}\"}}, \"overrides\": {{{}}}}}",
            quote(self.key()),
            global.enabled(),
            rollout.map_or_else(|| "null".to_owned(), |share| share.to_string()),
            quote(salt.as_str()),
            levels.join(", ")
        )
    }

    fn level(&self, level: Level) -> Option<String> {
        let ids = |variant| {
            let pins = self.pins.iter().filter(|(at, _, to)| *at == level && *to == variant);
            pins.map(|(_, id, _)| quote(id)).collect::<Vec<_>>().join(", ")
        };
        let (on, off) = (ids(Variant::ON), ids(Variant::OFF));
        (!on.is_empty() || !off.is_empty())
            .then(|| format!("\"{level}\": {{\"on\": [{on}], \"off\": [{off}]}}"))
    }
}

const EARLY: &str = "1970-01-01T00:00:00.000Z";

/// The snapshot document of these flags, a line each.
pub(super) fn document(flags: &[Drawn]) -> String {
    let lines: Vec<String> = flags.iter().map(|flag| format!("      {}", flag.json())).collect();
    format!(
        "{{\n    \"format\": 1,\n    \"algorithm\": {},\n    \"epoch\": \"{:032x}\",\n    \"revision\": 1,\n    \"flags\": [\n{}\n    ]\n  }}",
        quote(ALGORITHM),
        0,
        lines.join(",\n")
    )
}

fn refused(text: &str, invalid: Invalid) -> anyhow::Error {
    anyhow!("{text:?} {invalid}")
}
