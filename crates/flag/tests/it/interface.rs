//! The OpenAPI document, walked: what holds of every operation in it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fleet::Fleet;
use crate::wire::Request;

#[test]
fn every_operation_has_a_name_of_its_own_its_headers_and_problems_as_they_are_sent() {
    let fleet = Fleet::sqlite();
    let api = Request::new("GET", "/openapi.json").send(&fleet.nodes[0].url).expect(200).json();
    let mut names = BTreeSet::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} is the name of two operations");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");

            let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let headers: BTreeSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "header")
                .filter_map(|parameter| parameter["name"].as_str())
                .filter(|name| *name != "Flag-Min-Revision")
                .collect();
            let is_write = method != "get" && !path.ends_with("/evaluate");
            let due: &[&str] = match (is_write, path == "/features/{key}") {
                (true, _) => &["Flag-Author", "Idempotency-Key", "If-Match", "If-None-Match"],
                (false, true) => &["If-Match", "If-None-Match"],
                (false, false) => &[],
            };
            assert_eq!(headers, due.iter().copied().collect(), "{method} {path}");

            let responses = operation["responses"].as_object().expect("responses");
            assert_eq!(responses.contains_key("412"), due.contains(&"If-Match"), "{method} {path}");
            for (status, response) in responses {
                let schemas = response["content"].as_object();
                let types: Vec<&String> = schemas.into_iter().flat_map(serde_json::Map::keys).collect();
                let speaks_problem = types.iter().any(|kind| *kind == "application/problem+json");
                let is_problem = response["content"].to_string().contains("schemas/Problem\"");
                assert_eq!(
                    (speaks_problem, types.len() <= 1),
                    (is_problem, true),
                    "{status} {method} {path}"
                );
                let tag: &Value = &response["headers"]["ETag"];
                if status == "412" {
                    assert!(is_problem && tag.is_object(), "{method} {path}");
                }
            }
        }
    }
    assert!(
        names.len() >= 19 && names.contains("listFeatures") && names.contains("readFeature"),
        "{names:?}"
    );
}
