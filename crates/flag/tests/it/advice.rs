//! Refusals that name the way out: the words of a problem, for requests that people get wrong.

use crate::fleet::Fleet;
use crate::wire::Request;

#[test]
fn a_refusal_says_what_to_send_instead() {
    let fleet = Fleet::sqlite();
    let node = &fleet.nodes[0].url;
    Request::new("POST", "/features").json(r#"{"key":"f","enabled":true}"#).send(node).expect(201);
    let post = |path: &str| Request::new("POST", path);
    let rows = [
        (post("/features/f/evaluate").json(""), 400, "the body is empty; send a JSON object, at least {}"),
        (post("/features").json(" "), 400, "the body is empty; send a JSON object, at least {}"),
        (
            post("/features/f/evaluate"),
            415,
            "the header `Content-Type` is missing; send a JSON object, at least {}, with \
             `Content-Type: application/json`",
        ),
        (
            post("/features/f/evaluate").header("content-type", "text/plain"),
            415,
            "the header `Content-Type` names another type; send a JSON object, at least {}, with \
             `Content-Type: application/json`",
        ),
        (
            post("/features/f/evaluate").json(r#"{"user_id":"u"}"#),
            400,
            "`user_id` is unknown; did you mean `userId`?",
        ),
        (
            post("/features/f/evaluate").json(r#"{"grupId":"g"}"#),
            400,
            "`grupId` is unknown; did you mean `groupId`?",
        ),
        (
            post("/features/f/evaluate").json(r#"{"tenant":"t"}"#),
            400,
            "`tenant` is unknown; known are `userId`, `groupId`, `region`, `attributes`",
        ),
        (Request::new("GET", "/features?Limit=1"), 400, "`Limit` is unknown; did you mean `limit`?"),
        (
            Request::new("GET", "/features?offset=1"),
            400,
            "`offset` is unknown; known are `limit`, `cursor`, `q`",
        ),
        (Request::new("GET", "/features/f?x=1"), 400, "`x` is unknown; there are none here"),
        (
            Request::new("DELETE", "/features/f/user-override"),
            405,
            "name the user: DELETE …/user-override/{userId}",
        ),
        (
            Request::new("DELETE", "/environments/default/features/f/group-override/"),
            404,
            "name the group: DELETE …/group-override/{groupId}",
        ),
        (
            Request::new("DELETE", "/features/f/region-override"),
            405,
            "name the region: DELETE …/region-override/{region}",
        ),
    ];
    for (request, status, detail) in rows {
        let answer = request.send(node).expect(status);
        assert_eq!(answer.json()["detail"], detail, "{}", request.in_short());
    }
}
