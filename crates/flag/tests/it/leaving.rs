//! A node that is told to stop takes its leave: whoever distributes requests turns away before nobody is there to take them.

use std::time::Duration;

use crate::server::{Server, Settings};
use crate::wire::Request;

#[test]
fn a_node_that_leaves_is_not_ready_and_still_answers_on_connections_that_it_then_closes() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(&Settings::sqlite(directory.path()));
    let ask = |server: &Server, path| Request::new("GET", path).send(&server.url);
    assert_eq!(ask(&server, "/readyz").status, 200);
    assert_eq!(ask(&server, "/features").header("connection"), "");
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    for (path, status) in [("/readyz", 503), ("/features", 200), ("/features/none", 404), ("/healthz", 200)] {
        let answer = ask(&server, path);
        assert_eq!((answer.status, answer.header("connection")), (status, "close"), "{path}");
    }
    assert_eq!(server.ended(), Some(0));
}
