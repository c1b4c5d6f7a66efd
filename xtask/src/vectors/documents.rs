//! Cases of reading: snapshot documents that are as they should be, and ones that must not be taken.

use flag_core::ALGORITHM;

use super::cases::{Cases, quote};

/// What is to be put in the place of what.
type Change = (&'static str, &'static str, String);

pub(super) fn file() -> String {
    let mut cases = Cases::new(
        "Whether a snapshot document is read or refused.",
        &[
            ("what", "what is special about the document"),
            ("document", "the text of the document"),
            ("read", "true if it is read, false if it is refused"),
        ],
    );
    let base = base();
    let mut add = |(what, place, text): Change, verdict: &str| {
        // A place that is not there would make a case of nothing.
        let document = if base.contains(place) { base.replacen(place, &text, 1) } else { String::new() };
        cases.push(&[quote(what), quote(&document), verdict.to_owned()]);
    };
    for change in read() {
        add(change, "true");
    }
    for change in refused_headers().into_iter().chain(refused_flags()).chain(refused_overrides()) {
        add(change, "false");
    }
    // What some readers take for the members in their order.
    let flags = format!("[{{\"flag\":{FLAG},\"overrides\":{OVERRIDES}}}]");
    for (what, document) in [
        ("an array of the values", format!("[1,\"{ALGORITHM}\",\"{EPOCH}\",7,{flags}]")),
        ("an entry that is an array of the values", base.replace(&flags, &format!("[[{FLAG},{OVERRIDES}]]"))),
        ("a flag that is an array of the values", base.replace(FLAG, FLAG_VALUES)),
    ] {
        cases.push(&[quote(what), quote(&document), "false".to_owned()]);
    }
    cases.finish()
}

fn base() -> String {
    format!(
        "{{\"format\":1,\"algorithm\":\"{ALGORITHM}\",\"epoch\":\"{EPOCH}\",\"revision\":7,\
         \"flags\":[{{\"flag\":{FLAG},\"overrides\":{OVERRIDES}}}]}}"
    )
}

const FLAG: &str = r#"{"key":"a","description":null,"enabled":true,"rolloutPct":33.333,"salt":"b","revision":3,"createdAt":"2026-01-31T12:00:00.000Z","updatedAt":"2026-02-01T12:00:00.000Z"}"#;
const FLAG_VALUES: &str =
    r#"["a",null,true,33.333,"b",3,"2026-01-31T12:00:00.000Z","2026-02-01T12:00:00.000Z"]"#;
const EPOCH: &str = "0123456789abcdef0123456789abcdef";
const OVERRIDES: &str = r#"{"user":{"on":["ann"],"off":["eve"]}}"#;

fn plain(rows: &[(&'static str, &'static str, &str)]) -> Vec<Change> {
    rows.iter().map(|(what, place, text)| (*what, *place, (*text).to_owned())).collect()
}

fn read() -> Vec<Change> {
    let mut rows = plain(&[
        ("nothing", "{", "{"),
        ("white space", ",", " ,\n\t"),
        (
            "another order of members",
            "\"format\":1,\"algorithm\":\"xxh64-100k/1\"",
            "\"algorithm\":\"xxh64-100k/1\",\"format\":1",
        ),
        ("the longest revision", "\"revision\":7", "\"revision\":18446744073709551615"),
        ("no description", "\"description\":null,", ""),
        ("a description of two lines", "null", "\"two\\nlines\""),
        ("no rollout", "\"rolloutPct\":33.333,", ""),
        ("the rollout null", "33.333", "null"),
        ("a rollout of none", "33.333", "0"),
        ("a rollout of less than nothing, which is none", "33.333", "-0"),
        ("a rollout of all", "33.333", "100"),
        ("a rollout with zeros at its end", "33.333", "33.3330"),
        ("a rollout with an exponent", "33.333", "5e1"),
        ("no pins", OVERRIDES, "{}"),
        ("a level without pins", OVERRIDES, "{\"user\":{}}"),
        ("empty lists", OVERRIDES, "{\"user\":{\"on\":[],\"off\":[]},\"region\":{\"off\":[]}}"),
        (
            "one id at every level",
            OVERRIDES,
            "{\"region\":{\"on\":[\"a\"]},\"user\":{\"on\":[\"a\"]},\"group\":{\"off\":[\"a\"]}}",
        ),
        (
            "an escaped member and an escaped id",
            "\"user\":{\"on\":[\"ann\"]",
            "\"us\\u0065r\":{\"on\":[\"\\u0061nn\"]",
        ),
        ("an id composed and decomposed", "\"ann\"", "\"\u{e9}\",\"e\u{301}\""),
        ("a space before an id", "\"ann\"", "\"eve\\u0020\",\" eve\""),
    ]);
    rows.push(("the longest key", "\"key\":\"a\"", format!("\"key\":\"{}\"", "k".repeat(128))));
    rows.push(("the longest salt", "\"salt\":\"b\"", format!("\"salt\":\"{}\"", "\u{1f600}".repeat(128))));
    rows.push(("the longest id", "\"ann\"", format!("\"{}\"", "\u{1f600}".repeat(128))));
    rows.push(("the longest description", "null", format!("\"{}\"", "\u{1f600}".repeat(1_000))));
    rows
}

fn refused_headers() -> Vec<Change> {
    plain(&[
        ("an array that is not closed", "{\"format\"", "[{\"format\""),
        ("text before it", "{", "x{"),
        ("a brace too few", "}]}", "}]"),
        ("a comma too many", "\"revision\":7,", "\"revision\":7,,"),
        ("another format", "\"format\":1", "\"format\":2"),
        ("the format as a string", "\"format\":1", "\"format\":\"1\""),
        ("no format", "\"format\":1,", ""),
        ("another algorithm", "xxh64-100k/1", "xxh64-100k/2"),
        ("another case of the algorithm", "xxh64-100k/1", "XXH64-100k/1"),
        ("no algorithm", "\"algorithm\":\"xxh64-100k/1\",", ""),
        ("no epoch", "\"epoch\":\"0123456789abcdef0123456789abcdef\",", ""),
        ("an epoch that is too short", "0123456789abcdef0", "0123456789abcdef"),
        ("an epoch that is too long", "0123456789abcdef0", "00123456789abcdef0"),
        ("an epoch with a sign", "0123456789abcdef0", "+123456789abcdef0"),
        ("an epoch with a letter too high", "0123456789abcdef0", "0123456789abcdeg0"),
        ("no revision", "\"revision\":7,", ""),
        ("a revision below 0", "\"revision\":7", "\"revision\":-1"),
        ("a revision with a fraction", "\"revision\":7", "\"revision\":7.5"),
        ("a revision of more than 64 bits", "\"revision\":7", "\"revision\":18446744073709551616"),
        ("a revision as a string", "\"revision\":7", "\"revision\":\"7\""),
        ("a member more", "\"revision\":7", "\"revision\":7,\"segments\":[]"),
        ("a member twice", "\"revision\":7", "\"revision\":7,\"revision\":7"),
        ("flags that are null", "[{\"flag\"", "null,\"more\":[{\"flag\""),
    ])
}

fn refused_flags() -> Vec<Change> {
    let mut rows = plain(&[
        ("an entry without pins", ",\"overrides\":{\"user\":{\"on\":[\"ann\"],\"off\":[\"eve\"]}}", ""),
        ("an entry with a member more", "{\"flag\"", "{\"rules\":[],\"flag\""),
        ("a flag with a member more", "\"salt\":\"b\"", "\"salt\":\"b\",\"killed\":true"),
        ("a flag with a member twice", "\"salt\":\"b\"", "\"salt\":\"b\",\"salt\":\"b\""),
        ("no key", "\"key\":\"a\",", ""),
        ("an empty key", "\"key\":\"a\"", "\"key\":\"\""),
        ("a key with a wrong beginning", "\"key\":\"a\"", "\"key\":\"-a\""),
        ("a key with a wrong letter", "\"key\":\"a\"", "\"key\":\"\u{e9}\""),
        ("a key as a number", "\"key\":\"a\"", "\"key\":1"),
        ("a description with a control character", "null", "\"a\\u0000\""),
        ("no global state", "\"enabled\":true,", ""),
        ("the global state as a string", "true", "\"true\""),
        ("the global state as a number", "true", "1"),
        ("the global state null", "true", "null"),
        ("a rollout with four decimals", "33.333", "33.3333"),
        ("a rollout above 100", "33.333", "100.001"),
        ("a rollout below 0", "33.333", "-0.001"),
        ("a rollout beyond every float", "33.333", "1e400"),
        ("a rollout as a string", "33.333", "\"33.333\""),
        ("a rollout that is not JSON", "33.333", "NaN"),
        ("no salt", "\"salt\":\"b\",", ""),
        ("an empty salt", "\"salt\":\"b\"", "\"salt\":\"\""),
        ("a salt with a control character", "\"salt\":\"b\"", "\"salt\":\"\\u0085\""),
        ("a flag without a revision", "\"revision\":3,", ""),
        ("no instant", "\"createdAt\":\"2026-01-31T12:00:00.000Z\",", ""),
        ("an instant as a number", "\"2026-01-31T12:00:00.000Z\"", "1769860800000"),
        ("an instant in words", "\"2026-01-31T12:00:00.000Z\"", "\"yesterday\""),
    ]);
    let again = format!("[{{\"flag\":{FLAG},\"overrides\":{{}}}},{{\"flag\"");
    rows.push(("a flag twice", "[{\"flag\"", again));
    rows.push(("a key of 129 characters", "\"key\":\"a\"", format!("\"key\":\"{}\"", "k".repeat(129))));
    rows.push(("a salt of 129 characters", "\"salt\":\"b\"", format!("\"salt\":\"{}\"", "b".repeat(129))));
    rows.push(("a description of 1001 characters", "null", format!("\"{}\"", "d".repeat(1_001))));
    rows
}

fn refused_overrides() -> Vec<Change> {
    let mut rows = plain(&[
        ("pins that are null", OVERRIDES, "null"),
        ("pins as an array", OVERRIDES, "[]"),
        ("an unknown level", "\"user\"", "\"team\""),
        ("a level in capitals", "\"user\"", "\"USER\""),
        ("a level that is null", "{\"on\":[\"ann\"],\"off\":[\"eve\"]}", "null"),
        ("a level twice", OVERRIDES, "{\"user\":{\"on\":[\"a\"]},\"user\":{\"on\":[\"b\"]}}"),
        ("an unknown variant", "\"on\"", "\"blue\""),
        ("a variant twice", "\"off\"", "\"on\""),
        ("ids that are no array", "[\"ann\"]", "\"ann\""),
        ("an id in on and in off", "\"eve\"", "\"ann\""),
        ("an id twice in on", "\"ann\"", "\"ann\",\"eva\",\"\\u0061nn\""),
        ("an empty id", "\"ann\"", "\"\""),
        ("an id as a number", "\"ann\"", "7"),
        ("an id that is null", "\"ann\"", "null"),
        ("an id with NUL", "\"ann\"", "\"a\\u0000\""),
        ("an id with a line feed", "\"ann\"", "\"a\\nb\""),
        ("an id with a control character of two bytes", "\"ann\"", "\"\\u009f\""),
        ("an id with half a character", "\"ann\"", "\"\\ud83d\""),
    ]);
    rows.push(("an id of 513 bytes", "\"ann\"", format!("\"{}\"", "x".repeat(513))));
    rows.push((
        "an id of 129 characters and 516 bytes",
        "\"ann\"",
        format!("\"{}\"", "\u{1f600}".repeat(129)),
    ));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_changes_something_that_is_there() {
        let rows = [read(), refused_headers(), refused_flags(), refused_overrides()].concat();
        for (what, place, text) in rows {
            assert!(base().contains(place), "{what}: {place} is not in the document");
            assert_ne!(base().replacen(place, &text, 1) == base(), what != "nothing", "{what}");
        }
    }
}
