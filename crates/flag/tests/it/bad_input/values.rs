//! Values of the right type that no percentage, key, id or description can have.

use super::row::{Row, patch, post};

pub fn rows() -> Vec<Row> {
    let mut rows = percentages();
    rows.extend(keys());
    rows.extend(ids());
    rows.extend(descriptions());
    rows.extend(attributes());
    rows
}

fn percentages() -> Vec<Row> {
    let mut rows = Vec::new();
    for value in [
        "-1",
        "-0.0001",
        "-1e-400",
        "100.0001",
        "100.5",
        "101",
        "1e400",
        "1e99999999999999999999",
        "1e3",
        "33.3333",
        "0.0001",
        "1e-4",
        "50.00000000000000000001",
        "99.9999",
        "4294967296",
        "18446744073709551616",
    ] {
        rows.push(
            patch("/features/f/rollout", format!(r#"{{"rolloutPct":{value}}}"#))
                .invalid(&["body rolloutPct"]),
        );
        let body = format!(r#"{{"key":"new","enabled":true,"rolloutPct":{value}}}"#);
        rows.push(post("/features", body).invalid(&["body rolloutPct"]));
    }
    for value in
        ["NaN", "Infinity", "-Infinity", "-", "+5", ".5", "5.", "05", "0x10", "1e", "1_000", "50%", "5,0"]
    {
        rows.push(patch("/features/f/rollout", format!(r#"{{"rolloutPct":{value}}}"#)).malformed());
    }
    rows
}

fn keys() -> Vec<Row> {
    let long = "k".repeat(129);
    let keys = [
        "",
        " ",
        "-f",
        ".f",
        "_f",
        "a b",
        "a/b",
        "a%2Fb",
        "..",
        "a:b",
        "a*",
        "é",
        "😀",
        "\\u0000",
        "a\\u0000b",
        "a\\n",
        "\\ud83d\\ude00",
        "'; DROP TABLE flags; --",
        "x' OR '1'='1",
        "{flag}:snapshot",
        "a\\r\\nFLUSHALL\\r\\n",
        &long,
    ];
    let body = |key: &str| format!(r#"{{"key":"{key}","enabled":true}}"#);
    keys.iter().map(|key| post("/features", body(key)).invalid(&["body key"])).collect()
}

fn ids() -> Vec<Row> {
    let (long, wide) = ("i".repeat(513), "é".repeat(257));
    let ids = [
        "\\u0000",
        "a\\u0000b",
        "\\n",
        "a\\tb",
        "\\u001b[31m",
        "\\u007f",
        "\\u0085",
        "\\ud800",
        "\\udc00",
        "\\ud800x",
        "\\ud800\\ud800",
        &long,
        &wide,
    ];
    let mut rows = Vec::new();
    for (level, member) in [("user", "userId"), ("group", "groupId"), ("region", "region")] {
        let fault = format!("body {member}");
        let path = format!("/features/f/{level}-override");
        for id in ids {
            let body = format!(r#"{{"{member}":"{id}","enabled":true}}"#);
            rows.push(post(&path, body).invalid(&[&fault]));
            let body = format!(r#"{{"{member}":"{id}"}}"#);
            rows.push(post("/features/f/evaluate", body).invalid(&[&fault]));
        }
        // In a context an empty id is an absent one; nobody can be pinned by it.
        rows.push(post(&path, format!(r#"{{"{member}":"","enabled":true}}"#)).invalid(&[&fault]));
    }
    rows
}

fn descriptions() -> Vec<Row> {
    let long = "d".repeat(1_001);
    let body = |text: &str| format!(r#"{{"key":"new","enabled":true,"description":"{text}"}}"#);
    ["\\u0000", "a\\u0007", "\\u001b[2J", "\\ud800", &long]
        .iter()
        .map(|text| post("/features", body(text)).invalid(&["body description"]))
        .collect()
}

/// Attributes decide nothing yet, but what cannot be read is refused already.
fn attributes() -> Vec<Row> {
    [r#""\ud800""#, r#"{"b":["\udc00"]}"#, "1e400"]
        .iter()
        .map(|value| post("/features/f/evaluate", format!(r#"{{"attributes":{{"a":{value}}}}}"#)))
        .map(|request| request.invalid(&["body attributes"]))
        .collect()
}
