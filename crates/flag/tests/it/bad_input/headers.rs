//! Headers: conditions, authors, hosts.

use super::row::{Row, delete, get, patch, post};
use crate::wire::Request;

pub fn rows() -> Vec<Row> {
    let mut rows = conditions();
    rows.extend(authors());
    rows.extend(hosts());
    rows.extend(minima());
    rows
}

/// A write of each kind that would change something if it were let through.
fn writes() -> Vec<Request> {
    vec![
        post("/features", r#"{"key":"new","enabled":true}"#),
        delete("/features/f"),
        patch("/features/f/global", r#"{"enabled":true}"#),
        patch("/features/f/rollout", r#"{"rolloutPct":5}"#),
        post("/features/f/user-override", r#"{"userId":"new","enabled":true}"#),
        delete("/features/f/user-override/u"),
    ]
}

fn conditions() -> Vec<Row> {
    let values: [&[u8]; 10] =
        [b",", b"4", b"\"4", b"4\"", b"", b"\"4\" \"5\"", b"\"a\"b\"", b"x\"4\"", b"w/\"4\"", b"\"\xff\""];
    let mut rows = Vec::new();
    for write in writes() {
        for value in values {
            rows.push(write.clone().header("if-match", value).invalid(&["header If-Match"]));
        }
        for value in
            ["\"999\"", "W/\"4\"", "\"\"", "\"-1\"", "\"04x\"", "\"999\", \"1000\"", "\"04\",", "\"4,5\""]
        {
            rows.push(write.clone().header("if-match", value).gets(412, "precondition_failed"));
        }
    }
    for write in writes() {
        rows.push(write.clone().header("if-none-match", "4").invalid(&["header If-None-Match"]));
    }
    rows.push(get("/features/f").header("if-none-match", "4").invalid(&["header If-None-Match"]));
    rows
}

fn authors() -> Vec<Row> {
    let long = "a".repeat(129);
    let values: [&[u8]; 5] = [b"", b"\xff", b"a\tb", b"\xc2\x85", long.as_bytes()];
    let mut rows = Vec::new();
    for write in writes() {
        for value in values {
            rows.push(write.clone().header("flag-author", value).invalid(&["header Flag-Author"]));
        }
    }
    rows
}

/// Revisions that are none, on everything that reads.
fn minima() -> Vec<Row> {
    let values: [&[u8]; 8] = [b"", b"-1", b"x", b"1.5", b"18446744073709551616", b"0x4", b"4, 4", b"\xff"];
    let reads = || {
        [
            get("/features"),
            get("/features/f"),
            get("/features/f/overrides"),
            get("/environments/default/changes"),
            post("/features/f/evaluate", "{}"),
        ]
    };
    let mut rows = Vec::new();
    for value in values {
        rows.extend(
            reads()
                .map(|read| read.header("flag-min-revision", value).invalid(&["header Flag-Min-Revision"])),
        );
    }
    rows.extend(reads().map(|read| {
        let twice = read.header("flag-min-revision", "1").header("flag-min-revision", "1");
        twice.invalid(&["header Flag-Min-Revision"])
    }));
    rows
}

fn hosts() -> Vec<Row> {
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "localhost:3000:x"]
        .iter()
        .map(|host| patch("/features/f/global", r#"{"enabled":true}"#).without("host").header("host", *host))
        .map(|request| request.gets(403, "host_not_allowed"))
        .collect()
}
