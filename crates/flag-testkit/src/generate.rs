//! Strategies that draw keys, ids, changes and contexts: few enough to collide, odd enough to break what is careless.

use flag_core::{Change, Context, Description, FlagKey, Level, Percentage, SubjectId, Variant};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Flag keys out of a handful, so that they collide; some differ only by case or by what SQL takes for a wildcard.
pub fn keys() -> impl Strategy<Value = FlagKey> {
    let long = "k".repeat(FlagKey::LIMIT);
    let texts = ["a", "A", "b", "a_b", "a.b", "a-b", "0", &long].map(|text| text.parse().unwrap());
    select(texts.to_vec())
}

/// Ids that have broken something somewhere: quotes, wildcards, slashes, look-alikes, the longest possible.
#[must_use]
pub fn odd_subjects() -> Vec<SubjectId> {
    let longest = [
        "x".repeat(SubjectId::LIMIT),
        "😀".repeat(SubjectId::LIMIT / "😀".len()),
        format!("{}y", "x".repeat(SubjectId::LIMIT - 1)),
    ];
    let odd = [
        "user123",
        "USER123",
        "user123 ",
        " user123",
        " ",
        "o'brien",
        "\"quoted\"",
        "back\\slash",
        "a/b",
        "../..",
        "100%",
        "%",
        "_",
        "%2F",
        "a,b",
        "{a}",
        "$1",
        "?",
        ";--",
        "NULL",
        "true",
        "0",
        "00",
        "1e3",
        "é",
        "e\u{301}",
        "ß",
        "İ",
        "😀",
        "👩‍👩‍👧",
        "\u{feff}bom",
        "\u{202e}backwards",
        "\u{a0}",
        "\u{e000}",
        "\u{fffd}",
        "\u{10ffff}",
    ];
    odd.into_iter()
        .chain(longest.iter().map(String::as_str))
        .map(|id| SubjectId::parse(id).unwrap())
        .collect()
}

/// Subject ids: mostly a few that collide, sometimes odd ones, sometimes any that are allowed.
pub fn subjects() -> impl Strategy<Value = SubjectId> {
    let few = select(vec!["u", "U", "v", "beta", "IN"]).prop_map(|id| SubjectId::parse(id).unwrap());
    let any = vec(any::<char>().prop_filter("control characters", |c| !c.is_control()), 1..40)
        .prop_map(|id| SubjectId::parse(&id.into_iter().collect::<String>()).unwrap());
    prop_oneof![4 => few, 2 => select(odd_subjects()), 1 => any]
}

/// Every percentage, the ends and their neighbours more often than others.
pub fn percentages() -> impl Strategy<Value = Percentage> {
    let ends = select(vec![0, 1, 999, 1_000, 33_333, 50_000, 99_999, 100_000]);
    prop_oneof![ends, 0..=100_000u32]
        .prop_map(|thousandths| Percentage::from_thousandths(thousandths).unwrap())
}

/// `on` or `off`.
pub fn variants() -> impl Strategy<Value = Variant> {
    any::<bool>().prop_map(Variant::from)
}

/// A user, a group or a region.
pub fn levels() -> impl Strategy<Value = Level> {
    select(Level::ALL.to_vec())
}

/// Descriptions, among them empty ones and ones of several lines.
pub fn descriptions() -> impl Strategy<Value = Description> {
    let odd =
        select(vec!["", "what it's for", "two\nlines\tand \"quotes\"", "{\"json\": null}", "😀 \u{2028}"]);
    odd.prop_map(|text| Description::parse(text).unwrap())
}

/// Changes of every kind. Whether they hold depends on what was before; with few keys, most often they do.
pub fn changes() -> impl Strategy<Value = Change> {
    let created = (keys(), option::of(descriptions()), variants(), option::of(percentages())).prop_map(
        |(key, description, global, rollout)| Change::FlagCreated { key, description, global, rollout },
    );
    let deleted = keys().prop_map(|key| Change::FlagDeleted { key });
    let global = (keys(), variants()).prop_map(|(key, variant)| Change::GlobalSet { key, variant });
    let rollout =
        (keys(), option::of(percentages())).prop_map(|(key, rollout)| Change::RolloutSet { key, rollout });
    let pinned = (keys(), levels(), subjects(), variants())
        .prop_map(|(key, level, subject, variant)| Change::OverrideSet { key, level, subject, variant });
    let released = (keys(), levels(), subjects()).prop_map(|(key, level, subject)| Change::OverrideRemoved {
        key,
        level,
        subject,
    });
    prop_oneof![4 => created, 2 => deleted, 2 => global, 2 => rollout, 5 => pinned, 2 => released]
}

/// Changes, one after another.
pub fn change_sequences(most: usize) -> impl Strategy<Value = Vec<Change>> {
    vec(changes(), 0..=most)
}

/// The members of a context, which only borrows its texts.
#[derive(Clone, Default, Debug)]
pub struct Asker {
    /// The user's id; empty is absent.
    pub user: Option<String>,
    /// The group's id; empty is absent.
    pub group: Option<String>,
    /// The region; empty is absent.
    pub region: Option<String>,
}

impl Asker {
    /// The context of this asker.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        // An empty member is an absent one.
        Context::new()
            .user(self.user.as_deref().unwrap_or_default())
            .group(self.group.as_deref().unwrap_or_default())
            .region(self.region.as_deref().unwrap_or_default())
    }
}

/// Contexts, whose members collide with the subjects of [`changes`]; some are absent, some empty.
pub fn askers() -> impl Strategy<Value = Asker> {
    let member = || {
        prop_oneof![
            4 => subjects().prop_map(|id| Some(id.as_str().to_owned())),
            1 => Just(Some(String::new())),
            2 => Just(None),
        ]
    };
    (member(), member(), member()).prop_map(|(user, group, region)| Asker { user, group, region })
}
