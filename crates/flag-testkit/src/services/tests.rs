//! What the private servers promise, tried on real ones.

use std::{
    env, fs,
    io::{self, Read},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    Postgres, Redis, Standing,
    database::query,
    port::free_port,
    private_missing,
    process::{children, is_alive, wait_until},
    watchdog::Watchdog,
};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn what_postgres_acknowledged_survives_a_kill() {
    if private_missing() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let database = server.fresh_database().unwrap();
    query(&database, "CREATE TABLE kept (n int)").unwrap();
    query(&database, "INSERT INTO kept VALUES (7)").unwrap();
    let processes = [children(server.pid().unwrap()), vec![server.pid().unwrap()]].concat();
    assert!(processes.len() > 3, "the postmaster has workers");

    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(!processes.into_iter().any(is_alive));
    assert!(query(&database, "SELECT n FROM kept").is_err());

    server.start_again().unwrap();
    assert_eq!(query(&database, "SELECT n FROM kept").unwrap(), ["7"]);
    assert_eq!(query(&database, "SHOW fsync").unwrap(), ["on"]);
}

#[test]
fn a_stopped_postgres_comes_back_under_the_same_url() {
    if private_missing() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let url = server.url();
    server.stop().unwrap();
    server.stop().unwrap();
    assert!(query(&url, "SELECT 1").is_err());
    server.start_again().unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(query(&url, "SELECT 1").unwrap(), ["1"]);
}

#[test]
fn a_frozen_postgres_answers_only_after_it_is_thawed() {
    if private_missing() {
        return;
    }
    let server = Postgres::start().unwrap();
    let url = server.url();
    server.freeze().unwrap();
    let asked = thread::spawn(move || query(&url, "SELECT 1"));
    thread::sleep(Duration::from_millis(500));
    assert!(!asked.is_finished());
    server.thaw().unwrap();
    assert_eq!(asked.join().unwrap().unwrap(), ["1"]);
}

#[test]
fn a_frozen_server_can_be_dropped_stopped_and_killed() {
    if private_missing() {
        return;
    }
    for end in [Postgres::stop, Postgres::kill, |_: &mut Postgres| Ok(())] {
        let mut server = Postgres::start().unwrap();
        let pid = server.pid().unwrap();
        server.freeze().unwrap();
        end(&mut server).unwrap();
        drop(server);
        assert!(!is_alive(pid));
    }
}

#[test]
fn redis_can_be_stopped_killed_frozen_and_flushed() {
    if private_missing() {
        return;
    }
    let mut server = Redis::start().unwrap();
    let (url, first) = (server.url(), server.pid().unwrap());
    server.flush().unwrap();
    server.stop().unwrap();
    assert!(server.flush().is_err());
    server.start_again().unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), Some(first));

    server.freeze().unwrap();
    assert!(server.flush().is_err(), "the connection is accepted and nothing is answered");
    server.thaw().unwrap();
    server.flush().unwrap();
}

#[test]
fn every_fresh_database_is_another_one() {
    let server = Postgres::shared();
    let (one, other) = (server.fresh_database(), server.fresh_database());
    assert_ne!(one, other);
    query(&one, "CREATE TABLE mine (n int)").unwrap();
    assert!(query(&other, "SELECT n FROM mine").is_err());
}

#[tokio::test]
async fn a_database_can_be_had_inside_an_asynchronous_test() {
    assert!(Postgres::shared().fresh_database().starts_with("postgres"));
    assert!(Redis::shared().starts_with("redis"));
}

#[test]
fn a_standing_server_is_found_again_until_it_is_stopped() {
    if private_missing() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("redis");
    fs::create_dir(&directory).unwrap();
    let _watchdog = Watchdog::over(&directory, Signal::TERM).unwrap();
    assert!(Standing::find_redis(&directory).is_none());
    let started = Standing::redis(&directory, free_port().unwrap()).unwrap();
    let found = Standing::redis(&directory, free_port().unwrap()).unwrap();
    assert_eq!((found.pid(), found.url()), (started.pid(), started.url()));
    found.stop().unwrap();
    assert!(Standing::find_redis(&directory).is_none());
}

#[test]
fn a_killed_test_process_leaves_no_server_behind() {
    if private_missing() {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let note = temporary.path().join("note");
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "services::tests::owner_of_servers"])
        .env("OWNER_NOTE", &note)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait_until(SOON, || fs::read_to_string(&note).is_ok_and(|note| note.ends_with('\n'))));
    let note = fs::read_to_string(&note).unwrap();
    let mut pids: Vec<u32> = note.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 2 && pids.iter().all(|&pid| is_alive(pid)));
    pids.extend(children(pids[0]));

    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(wait_until(SOON, || !pids.iter().any(|&pid| is_alive(pid))), "the watchdogs end both servers");
}

#[test]
#[ignore = "not a test: the process that the test above kills"]
fn owner_of_servers() {
    let Some(note) = env::var_os("OWNER_NOTE") else { return };
    let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
    // The worst case: stopped processes do not notice that they should end.
    postgres.freeze().unwrap();
    fs::write(note, format!("{} {}\n", postgres.pid().unwrap(), redis.pid().unwrap())).unwrap();
    // Until it is killed, or the test that started it is.
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
