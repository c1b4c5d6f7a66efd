//! Members of bodies that are missing, unknown, misspelt, repeated or of a wrong type, on every route that takes a body.

use super::row::{Row, patch, post};
use crate::wire::Request;

/// What a member may be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Boolean,
    Text,
    Percentage,
    Attributes,
}

/// Whether a member has to be there, and whether `null` stands for its absence.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Required,
    Nullable,
    Optional,
}

type Member = (&'static str, Kind, Need, &'static str);

const ENABLED: Member = ("enabled", Kind::Boolean, Need::Required, "true");

/// Every route that takes a body, and its members: name, kind, need, and a value that is right.
fn routes() -> Vec<(&'static str, &'static str, Vec<Member>)> {
    use Kind::{Attributes, Percentage, Text};
    use Need::{Nullable, Optional, Required};
    vec![
        (
            "POST",
            "/features",
            vec![
                ("key", Text, Required, r#""new""#),
                ENABLED,
                ("description", Text, Optional, r#""words""#),
                ("rolloutPct", Percentage, Optional, "5"),
            ],
        ),
        ("PATCH", "/features/f/global", vec![ENABLED]),
        ("PATCH", "/features/f/rollout", vec![("rolloutPct", Percentage, Nullable, "5")]),
        (
            "POST",
            "/features/f/evaluate",
            vec![
                ("userId", Text, Optional, r#""u""#),
                ("groupId", Text, Optional, r#""g""#),
                ("region", Text, Optional, r#""r""#),
                ("attributes", Attributes, Optional, r#"{"plan":"pro"}"#),
            ],
        ),
        ("POST", "/features/f/user-override", vec![("userId", Text, Required, r#""new""#), ENABLED]),
        ("POST", "/features/f/group-override", vec![("groupId", Text, Required, r#""new""#), ENABLED]),
        ("POST", "/features/f/region-override", vec![("region", Text, Required, r#""new""#), ENABLED]),
        ("PATCH", "/environments/default/features/f/global", vec![ENABLED]),
    ]
}

/// Values of other types than the one that is due.
fn wrong_values(kind: Kind, need: Need) -> Vec<&'static str> {
    let mut values = match kind {
        Kind::Boolean => vec!["0", "1", r#""true""#, r#""""#, "[]", "[true]", "{}"],
        Kind::Text => vec!["0", "1.5", "true", "[]", r#"["x"]"#, "{}"],
        Kind::Percentage => vec![r#""50""#, r#""""#, "true", "false", "[]", "[50]", "{}"],
        Kind::Attributes => vec!["0", "true", "[]", r#""x""#],
    };
    if need == Need::Required {
        values.push("null");
    }
    values
}

fn request(method: &str, path: &str, members: &[(&str, &str)]) -> Request {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    Request::new(method, path).json(format!("{{{}}}", members.join(",")))
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (method, path, members) in routes() {
        let right: Vec<(&str, &str)> = members.iter().map(|(name, _, _, value)| (*name, *value)).collect();
        for name in ["extra", "enabeld", "userid", "rolloutPct ", "rollout_pct", "__proto__", ""] {
            let body = [&right[..], &[(name, "null")]].concat();
            rows.push(request(method, path, &body).invalid(&[&format!("body {name}")]));
        }
        for (at, (name, kind, need, value)) in members.iter().enumerate() {
            let (fault, misspelt) = (format!("body {name}"), name.to_uppercase());
            let with = |name, value| {
                let mut body = right.clone();
                body[at] = (name, value);
                request(method, path, &body)
            };
            let mut missing = right.clone();
            missing.remove(at);
            if *need == Need::Optional {
                rows.push(with(&misspelt, value).invalid(&[&format!("body {misspelt}")]));
            } else {
                rows.push(request(method, path, &missing).invalid(&[&fault]));
                rows.push(with(&misspelt, value).invalid(&[&fault, &format!("body {misspelt}")]));
            }
            for value in wrong_values(*kind, *need) {
                rows.push(with(name, value).invalid(&[&fault]));
            }
            let twice = [&right[..], &[(*name, *value)]].concat();
            rows.push(request(method, path, &twice).invalid(&[&fault]));
        }
    }
    rows.extend(repeated());
    rows.extend(many_at_once());
    rows
}

fn repeated() -> Vec<Row> {
    vec![
        patch("/features/f/global", r#"{"enabled":false,"enabled":true}"#).invalid(&["body enabled"]),
        patch("/features/f/global", r#"{"enabled":true,"\u0065nabled":true}"#).invalid(&["body enabled"]),
        patch("/features/f/rollout", r#"{"rolloutPct":null,"rolloutPct":5}"#).invalid(&["body rolloutPct"]),
        // What is repeated and unknown has two faults.
        patch("/features/f/global", r#"{"enabled":true,"x":1,"x":2}"#).invalid(&["body x", "body x"]),
    ]
}

/// All that is wrong with a body comes in one answer.
fn many_at_once() -> Vec<Row> {
    // A megabyte of members is read in one pass, and of the faults only the first 32 are told.
    let crowd: Vec<String> = (0..100_000).map(|number| format!("\"{number:x}\":0")).collect();
    let told: Vec<String> = (0..31).map(|number| format!("body {number:x}")).collect();
    let told: Vec<&str> = std::iter::once("body enabled").chain(told.iter().map(String::as_str)).collect();
    vec![
        patch("/features/f/global", format!("{{{}}}", crowd.join(","))).invalid(&told),
        post("/features", "{}").invalid(&["body enabled", "body key"]),
        post("/features", r#"{"key":"-x","rolloutPct":33.3333,"enabeld":true}"#).invalid(&[
            "body key",
            "body enabled",
            "body rolloutPct",
            "body enabeld",
        ]),
        post(
            "/features",
            r#"{"key":7,"key":8,"enabled":"yes","description":[],"rolloutPct":101,"a":1,"b":2}"#,
        )
        .invalid(&[
            "body key",
            "body key",
            "body enabled",
            "body description",
            "body rolloutPct",
            "body a",
            "body b",
        ]),
        post("/features/f/user-override", r#"{"userId":"\u0000","enabled":null,"groupId":"g"}"#).invalid(&[
            "body userId",
            "body enabled",
            "body groupId",
        ]),
        post("/features/f/evaluate", r#"{"userId":1,"groupId":true,"region":[],"attributes":"x","user":1}"#)
            .invalid(&["body userId", "body groupId", "body region", "body attributes", "body user"]),
    ]
}
