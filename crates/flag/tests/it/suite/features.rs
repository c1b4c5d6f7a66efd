//! Flags and their answers.

use serde_json::json;

use crate::client::Client;

pub async fn a_flag_is_created_read_changed_and_deleted(client: Client) {
    let body =
        json!({"key": "checkout-v2", "enabled": false, "description": "New checkout", "rolloutPct": 33.333});
    let created = client.post("/features", body).await.expect(201);
    assert_eq!(created.header("location"), "/features/checkout-v2");
    assert_eq!(created.header("etag"), "\"1\"");
    let flag = created.json();
    for (member, value) in [
        ("key", json!("checkout-v2")),
        ("description", json!("New checkout")),
        ("enabled", json!(false)),
        ("rolloutPct", json!(33.333)),
        ("salt", json!("checkout-v2")),
        ("revision", json!(1)),
    ] {
        assert_eq!(flag[member], value, "{member}");
    }
    assert_eq!(flag["createdAt"], flag["updatedAt"]);
    assert_eq!(client.get("/features/checkout-v2").await.expect(200).json(), flag);
    assert_eq!(
        client.post("/features", json!({"key": "checkout-v2", "enabled": true})).await.code(),
        "flag_exists"
    );

    let switched =
        client.patch("/features/checkout-v2/global", json!({"enabled": true})).await.expect(200).json();
    assert_eq!((switched["enabled"].clone(), switched["revision"].clone()), (json!(true), json!(2)));
    let rolled =
        client.patch("/features/checkout-v2/rollout", json!({"rolloutPct": 50})).await.expect(200).json();
    assert_eq!((rolled["rolloutPct"].clone(), rolled["revision"].clone()), (json!(50), json!(3)));
    let rolled =
        client.patch("/features/checkout-v2/rollout", json!({"rolloutPct": null})).await.expect(200).json();
    assert_eq!(rolled["rolloutPct"], json!(null));

    client.delete("/features/checkout-v2").await.expect(204);
    assert_eq!(client.get("/features/checkout-v2").await.expect(404).code(), "flag_not_found");
    assert_eq!(client.delete("/features/checkout-v2").await.expect(404).code(), "flag_not_found");
}

pub async fn a_flag_answers_by_the_rung_that_the_ladder_says(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    let context = json!({"userId": "u", "groupId": "g", "region": "r"});
    let answer = |enabled: bool, source: &str| (enabled, source.to_owned());

    assert_eq!(client.evaluate("f", context.clone()).await, answer(false, "GLOBAL_DEFAULT"));
    client.patch("/features/f/global", json!({"enabled": true})).await.expect(200);
    assert_eq!(client.evaluate("f", context.clone()).await, answer(true, "GLOBAL_DEFAULT"));
    client.patch("/features/f/rollout", json!({"rolloutPct": 0})).await.expect(200);
    assert_eq!(client.evaluate("f", context.clone()).await, answer(false, "PERCENTAGE_ROLLOUT"));
    assert_eq!(client.evaluate("f", json!({"groupId": "g"})).await, answer(true, "GLOBAL_DEFAULT"));
    assert_eq!(
        client.evaluate("f", json!({"userId": "", "groupId": "g"})).await,
        answer(true, "GLOBAL_DEFAULT")
    );
    client.post("/features/f/region-override", json!({"region": "r", "enabled": true})).await.expect(200);
    assert_eq!(client.evaluate("f", context.clone()).await, answer(true, "REGION_OVERRIDE"));
    client.post("/features/f/group-override", json!({"groupId": "g", "enabled": false})).await.expect(200);
    assert_eq!(client.evaluate("f", context.clone()).await, answer(false, "GROUP_OVERRIDE"));
    client.post("/features/f/user-override", json!({"userId": "u", "enabled": true})).await.expect(200);
    assert_eq!(client.evaluate("f", context.clone()).await, answer(true, "USER_OVERRIDE"));
    assert_eq!(
        client.evaluate("f", json!({"userId": null, "region": "r"})).await,
        answer(true, "REGION_OVERRIDE")
    );
    assert_eq!(
        client.evaluate("f", json!({"attributes": {"plan": "pro"}})).await,
        answer(true, "GLOBAL_DEFAULT")
    );
    assert_eq!(client.post("/features/g/evaluate", json!({})).await.expect(404).code(), "flag_not_found");
}

pub async fn a_rollout_holds_its_share_and_never_lets_anyone_go_when_raised(client: Client) {
    client.post("/features", json!({"key": "r", "enabled": false})).await.expect(201);
    let mut before: Vec<bool> = vec![false; 200];
    for share in [json!(0), json!(10), json!(33.333), json!(80), json!(100)] {
        client.patch("/features/r/rollout", json!({"rolloutPct": share})).await.expect(200);
        let mut now = Vec::new();
        for number in 0..before.len() {
            let (enabled, source) = client.evaluate("r", json!({"userId": format!("user-{number}")})).await;
            assert_eq!(source, "PERCENTAGE_ROLLOUT");
            now.push(enabled);
        }
        assert!(before.iter().zip(&now).all(|(before, now)| !before || *now), "at {share}");
        before = now;
    }
    assert!(before.iter().all(|enabled| *enabled), "a hundred per cent is everybody");
}

pub async fn a_write_that_asks_for_what_is_changes_nothing(client: Client) {
    let body = json!({"key": "f", "enabled": true, "rolloutPct": 5});
    assert_eq!(client.post("/features", body).await.expect(201).revision(), 1);
    client.post("/features/f/user-override", json!({"userId": "u", "enabled": true})).await.expect(200);
    for (path, body) in [("/features/f/user-override", json!({"userId": "u", "enabled": true}))] {
        assert_eq!(client.post(path, body).await.expect(200).revision(), 2);
    }
    for (path, body) in [
        ("/features/f/global", json!({"enabled": true})),
        ("/features/f/rollout", json!({"rolloutPct": 5.000})),
    ] {
        assert_eq!(client.patch(path, body).await.expect(200).revision(), 2);
    }
    assert_eq!(client.log().await.len(), 2);
}
