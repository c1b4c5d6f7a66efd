//! What holds of requests and answers in general.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;

pub async fn a_write_with_if_match_happens_once(client: Client) {
    let created = client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    let tag = created.header("etag").to_owned();
    let patch = |enabled: bool, condition: String| {
        let client = &client;
        async move {
            let headers = [("if-match", condition.as_str())];
            client
                .send(Method::PATCH, "/features/f/global", Some(json!({"enabled": enabled})), &headers)
                .await
        }
    };
    assert_eq!(patch(true, tag.clone()).await.expect(200).header("etag"), "\"2\"");
    let late = patch(false, tag.clone()).await.expect(412);
    assert_eq!(late.code(), "precondition_failed");
    patch(false, "*".to_owned()).await.expect(200);
    patch(true, "\"1\", \"3\"".to_owned()).await.expect(200);
    assert_eq!(patch(true, "W/\"4\"".to_owned()).await.expect(412).code(), "precondition_failed");
    assert_eq!(patch(true, "4".to_owned()).await.expect(400).code(), "invalid_input");

    let stale = [("if-match", tag.as_str())];
    client.send(Method::DELETE, "/features/f", None, &stale).await.expect(412);
    let body = Some(json!({"userId": "u", "enabled": true}));
    client.send(Method::POST, "/features/f/user-override", body, &stale).await.expect(412);
    let body = Some(json!({"key": "g", "enabled": true}));
    client.send(Method::POST, "/features", body, &[("if-match", "*")]).await.expect(412);

    let known = [("if-none-match", "\"4\"")];
    let unchanged = client.send(Method::GET, "/features/f", None, &known).await.expect(304);
    assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", "\"4\""));
    assert_eq!(unchanged.header("cache-control"), "no-cache");
    client.send(Method::GET, "/features/f", None, &[("if-none-match", "\"3\"")]).await.expect(200);
    client.send(Method::GET, "/features/f", None, &[("if-match", "\"3\"")]).await.expect(412);
    client.send(Method::GET, "/features/f", None, &[("if-match", "\"4\"")]).await.expect(200);
    let body = Some(json!({"enabled": false}));
    for condition in ["*", "\"4\""] {
        let headers = [("if-none-match", condition)];
        client.send(Method::PATCH, "/features/f/global", body.clone(), &headers).await.expect(412);
    }
    let body = Some(json!({"key": "h", "enabled": true}));
    client.send(Method::POST, "/features", body, &[("if-none-match", "*")]).await.expect(201);
    client.delete("/features/h").await.expect(204);
    client.send(Method::DELETE, "/features/f", None, &[("if-match", "\"4\"")]).await.expect(204);
}

pub async fn every_write_gives_the_tag_for_the_next(client: Client) {
    let mut tag = client
        .post("/features", json!({"key": "f", "enabled": false}))
        .await
        .expect(201)
        .header("etag")
        .to_owned();
    let rows = [
        (Method::PATCH, "/features/f/global", Some(json!({"enabled": true})), 200),
        (Method::POST, "/features/f/user-override", Some(json!({"userId": "u", "enabled": true})), 200),
        // Changes nothing: the tag stays.
        (Method::POST, "/features/f/user-override", Some(json!({"userId": "u", "enabled": true})), 200),
        (Method::POST, "/features/f/group-override", Some(json!({"groupId": "g", "enabled": true})), 200),
        (Method::DELETE, "/features/f/group-override/g", None, 204),
        (Method::PATCH, "/features/f/rollout", Some(json!({"rolloutPct": 5})), 200),
        (Method::DELETE, "/features/f/user-override/u", None, 204),
    ];
    for (round, (method, path, body, status)) in rows.into_iter().enumerate() {
        let late = [("if-match", "\"1000\"")];
        let late = client.send(method.clone(), path, body.clone(), &late).await.expect(412);
        assert_eq!(late.header("etag"), tag, "{method} {path}");
        let key = round.to_string();
        let headers = [("if-match", tag.as_str()), ("idempotency-key", key.as_str())];
        let answer = client.send(method.clone(), path, body.clone(), &headers).await.expect(status);
        let replayed = client.send(method.clone(), path, body, &headers).await.expect(status);
        assert_eq!(replayed.header("idempotent-replayed"), "true");
        assert_eq!(replayed.header("etag"), answer.header("etag"), "{method} {path}");
        let read = client.get("/features/f").await.expect(200);
        assert_eq!(answer.header("etag"), read.header("etag"), "{method} {path}");
        tag = answer.header("etag").to_owned();
    }
    let late = [("if-match", "\"1\"")];
    let late = client.send(Method::GET, "/features/f", None, &late).await.expect(412);
    assert_eq!(late.header("etag"), tag);
    let nothing = [("if-match", "*")];
    let body = Some(json!({"key": "g", "enabled": true}));
    let nothing = client.send(Method::POST, "/features", body, &nothing).await.expect(412);
    assert_eq!(nothing.header("etag"), "");
}

pub async fn every_answer_has_a_revision_and_a_request_id(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for (method, path, status) in [
        (Method::GET, "/features", 200),
        (Method::GET, "/features/f", 200),
        (Method::GET, "/features/nothing", 404),
        (Method::GET, "/nothing", 404),
        (Method::PUT, "/features", 405),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/readyz", 200),
        (Method::GET, "/metrics", 200),
        (Method::GET, "/openapi.json", 200),
        (Method::GET, "/", 200),
    ] {
        let answer = client.send(method, path, None, &[("x-request-id", "abc-1")]).await.expect(status);
        assert_eq!((answer.revision(), answer.header("x-request-id")), (1, "abc-1"), "{path}");
        let answer = client.get("/features").await;
        assert_eq!(answer.header("x-request-id").len(), 36);
    }
}

pub async fn a_reader_that_names_a_revision_is_answered_no_earlier(client: Client) {
    for number in 1..20_u64 {
        let revision = client
            .post("/features", json!({"key": format!("f{number}"), "enabled": true}))
            .await
            .expect(201)
            .revision();
        let minimum = [("flag-min-revision", revision.to_string())];
        let minimum: Vec<(&str, &str)> =
            minimum.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for (method, path) in [
            (Method::GET, format!("/features/f{number}")),
            (Method::GET, "/features".to_owned()),
            (Method::GET, format!("/features/f{number}/overrides")),
            (Method::GET, "/environments/default/changes".to_owned()),
            (Method::POST, format!("/features/f{number}/evaluate")),
        ] {
            let body = (method == Method::POST).then(|| json!({}));
            let answer = client.send(method, &path, body, &minimum).await.expect(200);
            assert!(answer.revision() >= revision, "{path}: {answer:?}");
        }
    }
}

pub async fn the_nodes_say_when_a_change_has_landed_on_all_of_them(client: Client) {
    let revision =
        client.post("/features", json!({"key": "f", "enabled": true})).await.expect(201).revision();
    let path = format!("/environments/default/convergence?revision={revision}&wait=20");
    let found = client.get(&path).await.expect(200).json();
    assert_eq!((&found["environment"], &found["revision"]), (&json!("default"), &json!(revision)), "{found}");
    assert_eq!((&found["converged"], &found["disagreement"]), (&json!(true), &json!(false)), "{found}");
    let nodes = found["nodes"].as_array().expect("nodes");
    assert!(!nodes.is_empty() && nodes.iter().all(|node| node["reached"] == true), "{found}");
    assert!(nodes.iter().all(|node| node["epoch"] == found["epoch"]), "{found}");
    let path = format!("/environments/default/convergence?revision={}&wait=1", revision + 1);
    let found = client.get(&path).await.expect(200).json();
    assert_eq!(
        (&found["converged"], &found["nodes"][0]["reached"]),
        (&json!(false), &json!(false)),
        "{found}"
    );
}

pub async fn head_is_answered_like_get_without_a_body(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for (path, status) in
        [("/features", 200), ("/features/f", 200), ("/features/nothing", 404), ("/features/f/global", 405)]
    {
        // Two requests in a row, because a body that nobody expects would be taken for the next answer.
        for _ in 0..2 {
            let got = client.get(path).await.expect(status);
            let head = client.send(Method::HEAD, path, None, &[]).await.expect(status);
            assert_eq!(head.text, "", "{path}");
            for name in ["content-length", "content-type", "etag", "flag-revision", "allow"] {
                assert_eq!(head.header(name), got.header(name), "{name} of {path}");
            }
        }
    }
    for path in ["/healthz", "/readyz", "/metrics", "/"] {
        client.send(Method::HEAD, path, None, &[]).await.expect(200);
    }
}

pub async fn unknown_routes_and_methods_are_problems(client: Client) {
    for (method, path, status, code, allow) in [
        (Method::GET, "/nothing", 404, "route_not_found", ""),
        (Method::GET, "/features/", 404, "route_not_found", ""),
        (Method::POST, "/features/f/nothing", 404, "route_not_found", ""),
        (Method::PUT, "/features", 405, "method_not_allowed", "GET, POST"),
        (Method::POST, "/features/f", 405, "method_not_allowed", "DELETE, GET"),
        (Method::GET, "/features/f/evaluate", 405, "method_not_allowed", "POST"),
        (Method::OPTIONS, "/features/f/global", 405, "method_not_allowed", "PATCH"),
    ] {
        let answer = client.send(method, path, None, &[]).await.expect(status);
        let mut methods: Vec<&str> = answer.header("allow").split(", ").collect();
        methods.sort_unstable();
        assert_eq!((answer.code().as_str(), methods.join(", ").as_str()), (code, allow), "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
}

pub async fn the_interface_describes_itself(client: Client) {
    let api = client.get("/openapi.json").await.expect(200).json();
    let paths = api["paths"].as_object().expect("paths");
    for (path, methods) in [
        ("/features", &["get", "post"][..]),
        ("/features/{key}", &["delete", "get"]),
        ("/features/{key}/global", &["patch"]),
        ("/features/{key}/rollout", &["patch"]),
        ("/features/{key}/evaluate", &["post"]),
        ("/features/{key}/overrides", &["get"]),
        ("/features/{key}/user-override", &["post"]),
        ("/features/{key}/user-override/{userId}", &["delete"]),
        ("/features/{key}/group-override", &["post"]),
        ("/features/{key}/group-override/{groupId}", &["delete"]),
        ("/features/{key}/region-override", &["post"]),
        ("/features/{key}/region-override/{region}", &["delete"]),
        ("/environments/{environment}/changes", &["get"]),
        ("/environments/{environment}/convergence", &["get"]),
    ] {
        let found: Vec<&String> = paths[path].as_object().expect(path).keys().collect();
        assert_eq!(found, methods, "{path}");
    }
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    client.post("/features/f/user-override", json!({"userId": "u", "enabled": true})).await.expect(200);
    // What clients are generated from is what is answered.
    for (schema, path) in [
        ("Flag", "/features/f"),
        ("FeaturePage", "/features"),
        ("OverridePage", "/features/f/overrides"),
        ("ChangePage", "/environments/default/changes"),
        ("Convergence", "/environments/default/convergence"),
    ] {
        let members = |value: &Value| value.as_object().expect(schema).keys().cloned().collect::<Vec<_>>();
        let mut said = members(&api["components"]["schemas"][schema]["properties"]);
        // Here every flag can be read.
        said.retain(|member| member != "unreadable");
        assert_eq!(members(&client.get(path).await.expect(200).json()), said, "{schema}");
    }
    for (path, methods) in paths {
        for (method, route) in methods.as_object().expect("methods") {
            let parameters = route["parameters"].as_array().into_iter().flatten();
            let is_repeatable =
                parameters.into_iter().any(|parameter| parameter["name"] == "Idempotency-Key");
            let is_write = method != "get" && !path.ends_with("/evaluate");
            assert_eq!(is_repeatable, is_write, "{method} {path}");
        }
    }
    let members = |value: &Value| value.as_object().expect("a node").keys().cloned().collect::<Vec<_>>();
    let found = client.get("/environments/default/convergence").await.expect(200).json();
    assert_eq!(members(&found["nodes"][0]), members(&api["components"]["schemas"]["Node"]["properties"]));
    // Whatever reads can be told from which revision on.
    for (path, method) in [
        ("/features", "get"),
        ("/features/{key}", "get"),
        ("/features/{key}/overrides", "get"),
        ("/features/{key}/evaluate", "post"),
        ("/environments/{environment}/changes", "get"),
    ] {
        assert!(paths[path][method]["parameters"].to_string().contains("\"Flag-Min-Revision\""), "{path}");
    }
    assert!(paths["/readyz"]["get"]["parameters"].to_string().contains("\"max_stale\""));
    let page = client.get("/docs").await.expect(200);
    for part in ["/docs/page.css", "/docs/page.js"] {
        assert!(page.text.contains(part));
        let text = client.get(part).await.expect(200).text;
        assert!(!text.contains("http://") && !text.contains("https://"), "{part} loads from elsewhere");
    }
    assert!(!page.text.contains("http"));
}

pub async fn health_and_meters_can_be_read(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    client.evaluate("f", json!({"userId": "u"})).await;
    client.evaluate("f", json!({"userId": "u"})).await;
    assert_eq!(client.get("/healthz").await.expect(200).text, "ok\n");
    let ready = client.get("/readyz").await.expect(200).text;
    let parts: Vec<&str> = ready.lines().map(|line| line.split(':').next().unwrap()).collect();
    let expected = ["ready", "store", "cache", "bootstrap", "feed", "snapshot", "epoch", "age", "digest"];
    assert_eq!(parts, expected, "{ready}");
    assert!(ready.contains("store: up") && ready.contains("revision 1, 1 flags"), "{ready}");
    let meters = client.get("/metrics").await.expect(200).text;
    for name in [
        "flag_revision 1",
        "flag_flags 1",
        "flag_ready 1",
        "flag_store_up 1",
        "flag_feed_up 1",
        "flag_cache_up 1",
        "flag_bootstrap_up 1",
        "flag_bootstrap_refused_total 0",
        "flag_store_confirmed_age_seconds",
        "flag_snapshot_age_seconds ",
        "flag_nodes ",
        "flag_nodes_behind ",
        "flag_nodes_disagree ",
        "flag_connections ",
        "flag_bound_hits_total{bound=\"waiting_writes\"} 0",
        "flag_bound_hits_total{bound=\"write_deadline\"} 0",
        "flag_bound_hits_total{bound=\"commit_attempts\"} 0",
        "flag_bound_hits_total{bound=\"history_deadline\"} 0",
        "flag_bound_hits_total{bound=\"waiting_reads\"} 0",
        "flag_bound_hits_total{bound=\"read_deadline\"} 0",
        "flag_bound_hits_total{bound=\"convergence_requests\"} 0",
        "flag_bound_hits_total{bound=\"lists\"} 0",
        "flag_bound_hits_total{bound=\"connections\"} 0",
        "http_requests_total{method=\"POST\",route=\"/features/{key}/evaluate\",status=\"200\"} ",
        "http_request_duration_seconds_bucket{",
        "flag_evaluations_total{source=\"GLOBAL_DEFAULT\"} ",
    ] {
        assert!(meters.contains(name), "{name} in {meters}");
    }
    // The nodes of this version all tell the same name.
    let welcome: Value = client.get("/").await.expect(200).json();
    assert_eq!(welcome["name"], "flag");
}
