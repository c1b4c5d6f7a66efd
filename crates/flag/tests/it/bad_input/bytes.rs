//! Bodies that are no JSON, no UTF-8, no object, too deep or too large, and those that do not say what they are.

use super::row::{Row, patch, post};
use crate::wire::Request;

pub fn rows() -> Vec<Row> {
    let mut rows = not_json();
    rows.extend(not_an_object());
    rows.extend(too_deep());
    rows.extend(too_large());
    rows.extend(media_types());
    rows
}

fn not_json() -> Vec<Row> {
    let bodies: [&[u8]; 22] = [
        b"",
        b" ",
        b"\0",
        b"{",
        b"{\"enabled\"",
        b"{\"enabled\":",
        b"{\"enabled\":tru",
        b"{\"enabled\":true",
        b"{\"enabled\":true,}",
        b"{\"enabled\":true}x",
        b"{\"enabled\":true}{\"enabled\":false}",
        b"{'enabled':true}",
        b"{enabled:true}",
        b"{\"enabled\":True}",
        b"{\"enabled\":true/**/}",
        b"enabled=true",
        b"<enabled>true</enabled>",
        b"\xef\xbb\xbf{\"enabled\":true}",
        // Raw control characters, names that are no Unicode, and bytes that are no UTF-8.
        b"{\"enabled\":true,\"a\0b\":1}",
        b"{\"enabled\":true,\"\\ud800\":1}",
        b"{\"enabled\":true,\"\xff\":1}",
        b"{\"enabled\":true}\xc0\xaf",
    ];
    let mut rows: Vec<Row> =
        bodies.iter().map(|body| patch("/features/f/global", *body).malformed()).collect();
    let ids: [&[u8]; 7] = [b"\0", b"a\nb", b"\x1f", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\\x"];
    for id in ids {
        let body = [b"{\"userId\":\"", id, b"\",\"enabled\":true}"].concat();
        rows.push(post("/features/f/user-override", body).malformed());
        rows.push(post("/features/f/evaluate", [b"{\"userId\":\"", id, b"\"}"].concat()).malformed());
        rows.push(post("/features", [b"{\"enabled\":true,\"key\":\"", id, b"\"}"].concat()).malformed());
    }
    rows.push(post("/features/f/evaluate", "").malformed());
    rows
}

fn not_an_object() -> Vec<Row> {
    let mut rows = Vec::new();
    for body in ["[]", "[{}]", "\"x\"", "0", "true", "null", " null "] {
        for path in ["/features", "/features/f/evaluate", "/features/f/user-override"] {
            rows.push(post(path, body).gets(400, "invalid_input"));
        }
    }
    rows
}

fn too_deep() -> Vec<Row> {
    let nested =
        |depth: usize| format!(r#"{{"attributes":{{"a":{}{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    vec![
        post("/features/f/evaluate", nested(63)).gets(400, "invalid_input"),
        post("/features/f/evaluate", nested(10_000)).gets(400, "invalid_input"),
        post("/features/f/evaluate", "[".repeat(10_000)).gets(400, "invalid_input"),
        post("/features", objects).gets(400, "invalid_input"),
        patch("/features/f/global", "[".repeat(10_000) + &"]".repeat(10_000)).gets(400, "invalid_input"),
        patch("/features/f/rollout", "{\"rolloutPct\":".repeat(10_000)).gets(400, "invalid_input"),
    ]
}

fn too_large() -> Vec<Row> {
    // Valid JSON up to the last byte, so that nothing but its size can be wrong with it.
    let padded = |length: usize| format!(r#"{{"enabled":true{}}}"#, " ".repeat(length - 16));
    let context = |length: usize| format!(r#"{{"userId":"u"{}}}"#, " ".repeat(length - 14));
    let (kib, mb) = (1024, 1_000_000);
    vec![
        post("/features/f/evaluate", context(64 * kib + 1)).gets(413, "body_too_large"),
        post("/features/f/evaluate", context(64 * kib + 1)).chunked().gets(413, "body_too_large"),
        post("/features/f/evaluate", context(10 * mb)).gets(413, "body_too_large"),
        post("/features/f/evaluate", context(10 * mb)).chunked().gets(413, "body_too_large"),
        patch("/features/f/global", padded(1024 * kib + 1)).gets(413, "body_too_large"),
        patch("/features/f/global", padded(1024 * kib + 1)).chunked().gets(413, "body_too_large"),
        patch("/features/f/global", padded(10 * mb)).gets(413, "body_too_large"),
        patch("/features/f/global", padded(10 * mb)).chunked().gets(413, "body_too_large"),
        post("/features", padded(10 * mb)).gets(413, "body_too_large"),
        post("/features", padded(10 * mb)).header("expect", "100-continue").gets(413, "body_too_large"),
        post("/features/f/user-override", padded(10 * mb)).chunked().gets(413, "body_too_large"),
        // Routes that want no body, or do not exist, need not read one.
        post("/nothing", padded(10 * mb)).gets(404, "route_not_found"),
        post("/features/f", padded(10 * mb)).not_allowed("DELETE, GET"),
    ]
}

fn media_types() -> Vec<Row> {
    let right = r#"{"enabled":true}"#;
    let mut rows = Vec::new();
    for media_type in [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/json5",
        "application/merge-patch+json",
        "application",
        "json",
        "text/plain; application/json",
        "*/*",
    ] {
        let request = patch("/features/f/global", right).without("content-type");
        rows.push(request.header("content-type", media_type).gets(415, "unsupported_media_type"));
    }
    for path in [
        "/features",
        "/features/f/evaluate",
        "/features/f/user-override",
        "/features/f/group-override",
        "/features/f/region-override",
    ] {
        rows.push(post(path, right).without("content-type").gets(415, "unsupported_media_type"));
    }
    for path in ["/features/f/global", "/features/f/rollout"] {
        rows.push(patch(path, right).without("content-type").gets(415, "unsupported_media_type"));
    }
    rows.push(Request::new("POST", "/features/f/evaluate").gets(415, "unsupported_media_type"));
    for encoding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
        let request = patch("/features/f/global", right).header("content-encoding", encoding);
        rows.push(request.gets(415, "unsupported_media_type"));
    }
    let zipped: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
    let request = post("/features/f/evaluate", zipped).header("content-encoding", "gzip");
    rows.push(request.gets(415, "unsupported_media_type"));
    rows
}
