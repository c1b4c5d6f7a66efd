//! Routes that there are not, methods that a route does not know, and names in paths that nothing can have.

use super::row::{Row, delete, get, patch, post};
use crate::wire::Request;

pub fn rows() -> Vec<Row> {
    let mut rows = unknown_routes();
    rows.extend(unknown_methods());
    rows.extend(keys());
    rows.extend(ids());
    rows
}

fn unknown_routes() -> Vec<Row> {
    let mut rows = Vec::new();
    for path in [
        "/nothing",
        "/Features",
        "/features/",
        "//features",
        "/features//evaluate",
        "/features/f/",
        "/features/f/nothing",
        "/features/f/evaluate/",
        "/features/f/evaluate/x",
        "/features/f/user-override/",
        "/features/f/user-override/a/b",
        "/features/f/user_override",
        "/features/../features",
        "/features/../../etc/passwd",
        "/environments",
        "/environments/default",
        "/environments/default/",
        "/healthz/",
        "/docs/../../etc/passwd",
        "/%66eatures/f/nothing",
        "/a%00b",
        "/%ff",
        "/%",
    ] {
        rows.push(get(path).gets(404, "route_not_found"));
    }
    for environment in ["production", "Default", "default%20", "..", "%00", "%ff"] {
        let path = format!("/environments/{environment}/features");
        rows.push(get(path).gets(404, "environment_not_found"));
    }
    rows.push(
        post("/environments/staging/features", r#"{"key":"new","enabled":true}"#)
            .gets(404, "environment_not_found"),
    );
    rows
}

fn unknown_methods() -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, allow) in [
        ("/features", "GET, POST"),
        ("/features/f", "DELETE, GET"),
        ("/features/f/global", "PATCH"),
        ("/features/f/rollout", "PATCH"),
        ("/features/f/evaluate", "POST"),
        ("/features/f/overrides", "GET"),
        ("/features/f/user-override", "POST"),
        ("/features/f/user-override/u", "DELETE"),
        ("/features/f/group-override", "POST"),
        ("/features/f/group-override/g", "DELETE"),
        ("/features/f/region-override", "POST"),
        ("/features/f/region-override/r", "DELETE"),
        ("/environments/default/features", "GET, POST"),
        ("/environments/default/features/f/global", "PATCH"),
        ("/environments/default/changes", "GET"),
        ("/healthz", "GET"),
        ("/readyz", "GET"),
        ("/metrics", "GET"),
        ("/openapi.json", "GET"),
        ("/docs", "GET"),
        ("/", "GET"),
    ] {
        let known = |method: &str| allow.split(", ").any(|known| known == method);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"] {
            if !known(method) {
                let request =
                    Request::new(method, path).json(r#"{"enabled":true,"key":"new","userId":"new"}"#);
                rows.push(request.not_allowed(allow));
            }
        }
    }
    rows
}

/// Keys, as the path spells them, that no flag has or can have.
fn keys() -> Vec<Row> {
    let long = "k".repeat(129);
    let far_too_long = "k".repeat(10_000);
    let mut rows = Vec::new();
    for key in [
        "nothing",
        "F",
        "f%20",
        "%20f",
        "f%00",
        "%00",
        "f%2F",
        "%2F",
        "f%2f..",
        "%2e%2e",
        "..",
        ".",
        "%ff",
        "f%ff",
        "%",
        "%zz",
        "f%",
        "f%6",
        "%2566",
        "%C3%A9",
        "%F0%9F%98%80",
        "'",
        "f'--",
        "'%3B%20DROP%20TABLE%20flags%3B%20--",
        "f'%20OR%20'1'='1",
        "f%0D%0AFLUSHALL",
        "*",
        "f*",
        "%7Bf%7D",
        "f:snapshot",
        "-f",
        "$f",
        &long,
        &far_too_long,
    ] {
        let path = format!("/features/{key}");
        let refused = |request: Request| request.gets(404, "flag_not_found");
        rows.push(refused(get(&path)));
        rows.push(refused(delete(&path)));
        rows.push(refused(get(format!("{path}/overrides"))));
        rows.push(refused(patch(format!("{path}/global"), r#"{"enabled":true}"#)));
        rows.push(refused(patch(format!("{path}/rollout"), r#"{"rolloutPct":5}"#)));
        rows.push(refused(post(format!("{path}/evaluate"), r#"{"userId":"u"}"#)));
        rows.push(refused(post(format!("{path}/user-override"), r#"{"userId":"u","enabled":true}"#)));
        rows.push(refused(delete(format!("{path}/user-override/u"))));
    }
    rows
}

/// Ids, as the path spells them: some could be pinned and are not, some cannot be.
fn ids() -> Vec<Row> {
    let (long, wide) = ("i".repeat(513), "%C3%A9".repeat(257));
    let mut rows = Vec::new();
    for (level, member) in [("user", "userId"), ("group", "groupId"), ("region", "region")] {
        let fault = format!("path {member}");
        let path = |id: &str| format!("/features/f/{level}-override/{id}");
        for id in [
            "nobody",
            "U",
            "u%20",
            "%2F",
            "u%2F",
            "%2E%2E",
            "..",
            ".",
            "%25",
            "%2575",
            "u%2500",
            "%27%3B%20DROP%20TABLE%20flags%3B--",
            "u'%20OR%20'1'='1",
            "*",
            "%2A",
            "{u}",
            "u:u",
            "%F0%9F%98%80",
            "e%CC%81",
            "%EF%BB%BFu",
        ] {
            rows.push(delete(path(id)).gets(404, "override_not_found"));
        }
        for id in [
            "%00",
            "u%00",
            "%0A",
            "u%0D%0AFLUSHALL",
            "%7F",
            "%C2%85",
            "%1B[31m",
            "%ff",
            "u%ff",
            "%C3",
            "%ED%A0%80",
            "%C0%AF",
            "%",
            "%zz",
            "u%",
            "u%7",
            "%u0041",
            &long,
            &wide,
        ] {
            rows.push(delete(path(id)).invalid(&[&fault]));
        }
    }
    rows
}
