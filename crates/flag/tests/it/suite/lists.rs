//! Lists: pages, order, search.

use serde_json::{Value, json};

use crate::client::Client;

/// Reads every page of a list.
async fn pages(client: &Client, path: &str, list: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{cursor}")).await.expect(200).json();
        let found = page[list].as_array().expect("a list");
        assert!(found.len() <= 3, "{page}");
        items.extend(found.iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", next.replace('%', "%25").replace('+', "%2B")),
            None => return items,
        }
    }
}

pub async fn flags_are_listed_in_pages_and_found_by_text(client: Client) {
    for key in ["delta", "Alpha", "charlie", "bravo", "echo", "foxtrot", "golf"] {
        let body = json!({"key": key, "enabled": false, "description": format!("About {key}: UPPER")});
        client.post("/features", body).await.expect(201);
    }
    let keys = |flags: &[Value]| {
        flags.iter().map(|flag| flag["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = pages(&client, "/features?limit=3", "features").await;
    assert_eq!(keys(&all), ["Alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"]);
    let found = client.get("/features?q=AL").await.expect(200).json();
    assert_eq!(
        (keys(found["features"].as_array().unwrap()), &found["total"]),
        (vec!["Alpha".to_owned()], &json!(1))
    );
    assert_eq!(pages(&client, "/features?limit=3&q=upper", "features").await.len(), 7);
    assert_eq!(client.get("/features?q=nothing").await.expect(200).json()["total"], 0);
    assert_eq!(client.get("/features").await.expect(200).json()["nextCursor"], Value::Null);
}

pub async fn overrides_are_listed_in_pages_by_level_and_prefix(client: Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for number in 0..4 {
        for (level, member) in [("user", "userId"), ("group", "groupId"), ("region", "region")] {
            let body = json!({member: format!("{level} {number}%+"), "enabled": number % 2 == 0});
            client.post(&format!("/features/f/{level}-override"), body).await.expect(200);
        }
    }
    let shown = |pins: &[Value]| {
        pins.iter()
            .map(|pin| format!("{}/{}", pin["level"].as_str().unwrap(), pin["id"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let all = pages(&client, "/features/f/overrides?limit=3", "overrides").await;
    let expected: Vec<String> = ["user", "group", "region"]
        .iter()
        .flat_map(|level| (0..4).map(move |number| format!("{level}/{level} {number}%+")))
        .collect();
    assert_eq!(shown(&all), expected);
    let groups = pages(&client, "/features/f/overrides?limit=3&level=group", "overrides").await;
    assert_eq!(shown(&groups), expected[4..8]);
    let some = client.get("/features/f/overrides?prefix=region%202").await.expect(200).json();
    assert_eq!(some["overrides"], json!([{"level": "region", "id": "region 2%+", "enabled": true}]));
    assert_eq!(some["counts"], json!({"user": 4, "group": 4, "region": 4}));
}
