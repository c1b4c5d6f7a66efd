//! Parameters of lists.

use super::row::{Row, delete, get, patch, post};

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for list in [
        "/features",
        "/features/f/overrides",
        "/environments/default/changes",
        "/environments/default/features",
    ] {
        for limit in
            ["0", "-1", "501", "abc", "1.5", "", "%20", "1e2", "65536", "18446744073709551616", "0x10", "%00"]
        {
            rows.push(get(format!("{list}?limit={limit}")).invalid(&["query limit"]));
        }
        rows.push(get(format!("{list}?limit")).invalid(&["query limit"]));
        rows.push(get(format!("{list}?limit=1&limit=1")).invalid(&["query limit"]));
        rows.push(get(format!("{list}?limit=1&limi%74=2")).invalid(&["query limit"]));
        for name in ["limt", "Limit", "page", "offset", "sort", "%27", "limit[]"] {
            let fault = format!("query {}", name.replace("%27", "'"));
            rows.push(get(format!("{list}?{name}=1")).invalid(&[&fault]));
        }
        rows.push(get(format!("{list}?limit=0&limt=1&x=y")).invalid(&[
            "query limit",
            "query limt",
            "query x",
        ]));
        rows.push(get(format!("{list}?cursor={}", "c".repeat(1_025))).invalid(&["query cursor"]));
        for cursor in ["%ff", "%C3", "%", "%zz"] {
            rows.push(get(format!("{list}?cursor={cursor}")).invalid(&["query cursor"]));
        }
    }
    rows.extend(of_features());
    rows.extend(of_overrides());
    rows.extend(of_changes());
    rows.extend(of_convergence());
    rows.extend(of_routes_without_parameters());
    rows
}

fn of_features() -> Vec<Row> {
    vec![
        get(format!("/features?q={}", "q".repeat(1_025))).invalid(&["query q"]),
        get("/features?q=a&q=b").invalid(&["query q"]),
        get("/features?q=%ff").invalid(&["query q"]),
        get("/features?cursor=!!!").invalid(&["query cursor"]),
        get("/features?cursor=").invalid(&["query cursor"]),
        get("/features?level=user").invalid(&["query level"]),
    ]
}

fn of_overrides() -> Vec<Row> {
    let mut rows = Vec::new();
    for level in ["", "users", "User", "all", "user,group", "%00"] {
        rows.push(get(format!("/features/f/overrides?level={level}")).invalid(&["query level"]));
    }
    for cursor in ["", "x", "u", "team:u", "User:u", ":u", "user%00:u"] {
        rows.push(get(format!("/features/f/overrides?cursor={cursor}")).invalid(&["query cursor"]));
    }
    rows.push(get("/features/f/overrides?prefix=%ff").invalid(&["query prefix"]));
    rows.push(get("/features/f/overrides?level=x&cursor=x").invalid(&["query level", "query cursor"]));
    rows
}

fn of_changes() -> Vec<Row> {
    let mut rows = Vec::new();
    for cursor in ["", "x", "-1", "1.5", "18446744073709551616", "%001"] {
        rows.push(get(format!("/environments/default/changes?cursor={cursor}")).invalid(&["query cursor"]));
    }
    for flag in ["", "-f", "a/b", "%00", "'%20OR%201=1"] {
        rows.push(get(format!("/environments/default/changes?flag={flag}")).invalid(&["query flag"]));
    }
    rows
}

fn of_convergence() -> Vec<Row> {
    let path = "/environments/default/convergence";
    let mut rows = Vec::new();
    for revision in ["", "x", "-1", "1.5", "18446744073709551616"] {
        rows.push(get(format!("{path}?revision={revision}")).invalid(&["query revision"]));
    }
    for wait in ["", "x", "-1", "31", "1.5", "256"] {
        rows.push(get(format!("{path}?wait={wait}")).invalid(&["query wait"]));
    }
    rows.push(get(format!("{path}?wiat=1")).invalid(&["query wiat"]));
    for seconds in ["", "x", "-1", "86401", "1.5"] {
        rows.push(get(format!("/readyz?max_stale={seconds}")).invalid(&["query max_stale"]));
    }
    rows.push(get("/readyz?maxStale=1").invalid(&["query maxStale"]));
    rows
}

fn of_routes_without_parameters() -> Vec<Row> {
    let requests = [
        get("/features/f?verbose=1"),
        delete("/features/f?verbose=1"),
        post("/features?verbose=1", r#"{"key":"new","enabled":true}"#),
        patch("/features/f/global?verbose=1", r#"{"enabled":true}"#),
        patch("/features/f/rollout?verbose=1", r#"{"rolloutPct":1}"#),
        post("/features/f/evaluate?verbose=1", "{}"),
        post("/features/f/group-override?verbose=1", r#"{"groupId":"g","enabled":true}"#),
        delete("/features/f/user-override/u?verbose=1"),
    ];
    requests.map(|request| request.invalid(&["query verbose"])).to_vec()
}
