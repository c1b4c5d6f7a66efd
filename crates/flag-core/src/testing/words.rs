//! Strategies for the texts, numbers and names that flags and contexts are made of.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Description, FlagKey, Level, Percentage, Salt, SubjectId, Variant};

/// Flag keys of 1 to 128 characters out of a handful, so that they collide; some differ only by case or by what SQL takes
/// for a wildcard.
pub fn keys() -> impl Strategy<Value = FlagKey> {
    let long = "k".repeat(FlagKey::LIMIT);
    let texts = ["a", "A", "b", "a_b", "a.b", "a-b", "0", &long].map(|text| text.parse().unwrap());
    select(texts.to_vec())
}

/// The ids that collide: [`subjects`] draws them most often.
pub(super) const FEW: [&str; 5] = ["u", "U", "v", "beta", "IN"];

/// Ids that have broken something somewhere: quotes, wildcards, slashes, look-alikes, the longest possible.
#[must_use]
pub fn odd_subjects() -> Vec<SubjectId> {
    let longest = [
        "x".repeat(SubjectId::LIMIT),
        "😀".repeat(SubjectId::LIMIT / "😀".len()),
        "x".repeat(SubjectId::LIMIT - 1) + "y",
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

/// Subject ids of 1 to 512 bytes: mostly a few that collide, sometimes odd ones, sometimes any that are allowed.
pub fn subjects() -> impl Strategy<Value = SubjectId> {
    let few = select(FEW.to_vec()).prop_map(|id| SubjectId::parse(id).unwrap());
    let any = printable(1..40).prop_map(|id| SubjectId::parse(&id).unwrap());
    prop_oneof![4 => few, 2 => select(odd_subjects()), 1 => any]
}

/// Every percentage from 0 to 100, the ends and their neighbours more often than others.
pub fn percentages() -> impl Strategy<Value = Percentage> {
    let ends = select(vec![0, 1, 999, 1_000, 33_333, 50_000, 99_999, 100_000]);
    prop_oneof![ends, 0..=100_000u32]
        .prop_map(|thousandths| Percentage::from_thousandths(thousandths).unwrap())
}

/// Salts of 1 to 128 characters: a few that look alike, or any.
pub fn salts() -> impl Strategy<Value = Salt> {
    let odd = select(vec!["a", "A", "é", "e\u{301}", "😀", " ", "a b"]).prop_map(String::from);
    prop_oneof![odd, printable(1..129)].prop_map(|salt| Salt::parse(&salt).unwrap())
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

/// Any text of so many characters without control characters.
fn printable(length: core::ops::Range<usize>) -> impl Strategy<Value = String> {
    collection::vec(any::<char>().prop_filter("control characters", |c| !c.is_control()), length)
        .prop_map(|characters| characters.into_iter().collect())
}
