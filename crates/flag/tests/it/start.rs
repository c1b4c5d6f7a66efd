//! How soon a server answers.

use std::time::{Duration, Instant};

use crate::server::{Server, Settings};
use crate::wire::Request;

#[test]
fn a_server_is_ready_within_a_second_of_its_start() {
    // The machine may be busy with something else during one start, but hardly during three.
    let times = [(); 3].map(|()| {
        let directory = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let server = Server::start(&Settings::sqlite(directory.path()));
        while Request::new("GET", "/readyz").send(&server.url).status != 200 {
            assert!(started.elapsed() < Duration::from_secs(30), "the server is never ready");
            std::thread::sleep(Duration::from_millis(1));
        }
        started.elapsed()
    });
    assert!(times.iter().any(|time| *time < Duration::from_secs(1)), "{times:?}");
}
