//! The log.

use serde_json::json;

use crate::client::Client;

pub async fn the_log_tells_what_happened_newest_first(client: Client) {
    client.post("/features", json!({"key": "a", "enabled": false, "rolloutPct": 0.5})).await.expect(201);
    let name = [("flag-author", "alice@example.com")];
    let body = Some(json!({"enabled": true}));
    client.send(reqwest::Method::PATCH, "/features/a/global", body, &name).await.expect(200);
    client.post("/features", json!({"key": "b", "enabled": true})).await.expect(201);
    client.post("/features/a/user-override", json!({"userId": "ü/1", "enabled": false})).await.expect(200);
    client.delete("/features/b").await.expect(204);

    let log = client.log().await;
    let lines: Vec<_> = log.iter().map(|line| (line["author"].as_str().unwrap(), &line["change"])).collect();
    assert_eq!(
        lines,
        [
            (
                "local",
                &json!({"type": "flag_created", "key": "a", "description": null, "enabled": false, "rolloutPct": 0.5})
            ),
            ("alice@example.com", &json!({"type": "global_set", "key": "a", "enabled": true})),
            (
                "local",
                &json!({"type": "flag_created", "key": "b", "description": null, "enabled": true, "rolloutPct": null})
            ),
            (
                "local",
                &json!({"type": "override_set", "key": "a", "level": "user", "subject": "ü/1", "enabled": false})
            ),
            ("local", &json!({"type": "flag_deleted", "key": "b"})),
        ]
    );
    let revisions: Vec<u64> = log.iter().map(|line| line["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5]);

    let page = client.get("/environments/default/changes?flag=b&limit=1").await.expect(200).json();
    assert_eq!((&page["changes"][0]["revision"], &page["nextCursor"]), (&json!(5), &json!("5")));
    let page = client.get("/environments/default/changes?flag=b&limit=1&cursor=5").await.expect(200).json();
    assert_eq!((&page["changes"][0]["revision"], &page["nextCursor"]), (&json!(3), &json!(null)));
    assert_eq!(client.get("/environments/other/changes").await.expect(404).code(), "environment_not_found");
}
