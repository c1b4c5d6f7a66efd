//! Overrides, of any id.

use serde_json::json;

use crate::client::{Client, percent_encoded};

const LEVELS: [(&str, &str); 3] = [("user", "userId"), ("group", "groupId"), ("region", "region")];

pub async fn pinning_and_releasing_work_at_every_level(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for (level, member) in LEVELS {
        let path = format!("/features/f/{level}-override");
        for enabled in [true, false, true] {
            let body = json!({member: "x", "enabled": enabled});
            assert_eq!(client.post(&path, body.clone()).await.expect(200).json(), body);
            let source = format!("{}_OVERRIDE", level.to_uppercase());
            assert_eq!(client.evaluate("f", json!({member: "x"})).await, (enabled, source));
        }
        client.delete(&format!("{path}/x")).await.expect(204);
        assert_eq!(client.evaluate("f", json!({member: "x"})).await, (false, "GLOBAL_DEFAULT".to_owned()));
        assert_eq!(client.delete(&format!("{path}/x")).await.expect(404).code(), "override_not_found");
        let body = json!({member: "x", "enabled": true});
        let missing = client.post(&format!("/features/g/{level}-override"), body).await.expect(404);
        assert_eq!(missing.code(), "flag_not_found");
    }
}

pub async fn any_id_can_be_pinned_and_released(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    let long = "x".repeat(512);
    let ids = [
        "a/b",
        "/",
        "//",
        "a b",
        " ",
        "100%",
        "%2F",
        "%",
        "%25%",
        "...",
        "a?b=c#d",
        "a+b",
        "\"quoted\"",
        "it's",
        "\\",
        "😀",
        "👩‍👩‍👧",
        "é",
        "e\u{301}",
        "用户",
        "'; DROP TABLE flags; --",
        "*3$",
        "{{key}}",
        "user@example.com",
        "null",
        "true",
        "0",
        "-1",
        "a:b",
        "user:x",
        ";",
        "<script>",
        &long,
    ];
    for id in ids {
        for (level, member) in LEVELS {
            let path = format!("/features/f/{level}-override");
            client.post(&path, json!({member: id, "enabled": true})).await.expect(200);
            assert!(client.evaluate("f", json!({member: id})).await.0, "{id:?}");
            client.delete(&format!("{path}/{}", percent_encoded(id))).await.expect(204);
            assert!(!client.evaluate("f", json!({member: id})).await.0, "{id:?}");
        }
    }
}

pub async fn ids_are_compared_byte_by_byte(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for (level, member) in LEVELS {
        let path = format!("/features/f/{level}-override");
        client.post(&path, json!({member: "Zoé", "enabled": true})).await.expect(200);
        for (id, enabled) in
            [("Zoé", true), ("zoé", false), (" Zoé", false), ("Zoé ", false), ("Zoe\u{301}", false)]
        {
            assert_eq!(client.evaluate("f", json!({member: id})).await.0, enabled, "{id:?}");
        }
    }
}

pub async fn a_flag_that_is_created_again_starts_clean(client: Client) {
    for round in 0..2 {
        client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
        let answer = client.evaluate("f", json!({"userId": "u"})).await;
        assert_eq!(answer, (false, "GLOBAL_DEFAULT".to_owned()), "round {round}");
        client.post("/features/f/user-override", json!({"userId": "u", "enabled": true})).await.expect(200);
        client.delete("/features/f").await.expect(204);
    }
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    let page = client.get("/features/f/overrides").await.expect(200).json();
    assert_eq!(page["counts"], json!({"user": 0, "group": 0, "region": 0}));
    let history: Vec<String> =
        client.log().await.iter().map(|line| line["change"]["type"].to_string()).collect();
    assert_eq!(history.join(" ").matches("flag_created").count(), 3);
    assert_eq!(history.len(), 7);
}
