//! Bodies that are taken, however they arrive.

use crate::fleet::Fleet;
use crate::wire::Request;

#[test]
fn a_body_up_to_its_limit_is_read_whole_however_it_arrives() {
    let fleet = Fleet::sqlite();
    let node = &fleet.nodes[0].url;
    // What counts stands at the beginning and at the end, so that no portion can be lost or change places.
    let of_length = |length: usize, begin: &str, end: &str| {
        format!("{begin}{}{end}", " ".repeat(length - begin.len() - end.len()))
    };
    for (round, length) in [60, 7_999, 8_001, 20_000, 1024 * 1024].into_iter().enumerate() {
        let (begin, end) = (format!(r#"{{"key":"f{round}","#), r#""enabled":false}"#);
        let created = Request::new("POST", "/features").json(of_length(length, &begin, end));
        let pinned = format!("/features/f{round}/user-override");
        let pinned = Request::new("POST", pinned).json(of_length(
            1024 * 1024,
            r#"{"userId":"u","#,
            r#""enabled":true}"#,
        ));
        let asked = format!("/features/f{round}/evaluate");
        let asked =
            Request::new("POST", asked).json(of_length(64 * 1024, r#"{"groupId":"g","#, r#""userId":"u"}"#));
        created.chunked().send(node).expect(201);
        assert_eq!(asked.send(node).expect(200).json()["source"], "GLOBAL_DEFAULT");
        pinned.send(node).expect(200);
        assert_eq!(asked.chunked().send(node).expect(200).json()["source"], "USER_OVERRIDE");
    }
}
