//! The program's arguments, its refusals, and who may come in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::server::{Server, Settings};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Runs the program to its end: exit code, standard output, standard error.
fn run(settings: &Settings, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = settings.command().args(arguments).stdin(Stdio::null()).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_teaches() {
    let directory = tempfile::tempdir().unwrap();
    let (code, help, _) = run(&Settings::sqlite(directory.path()), &["--help"]);
    assert_eq!(code, Some(0));
    for word in [
        "serve",
        "migrate",
        "--database-url",
        "DATABASE_URL",
        "REDIS_URL",
        "REDIS_PREFIX",
        "DATA_DIR",
        "HOST",
        "PORT",
        "LOG",
        "curl",
        "Examples",
    ] {
        assert!(help.contains(word), "{word} in {help}");
    }
}

#[test]
fn a_setting_that_cannot_be_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::sqlite(directory.path());
    let rows: [(Settings, &[&str], &str); 9] = [
        (settings.clone(), &["--host", "0.0.0.0"], "openssl rand -hex 32"),
        (settings.clone(), &["--admin-token", "short"], "at least 32"),
        (settings.clone(), &["--database-url", "mysql://x"], "postgres:// or sqlite:"),
        (settings.clone(), &["--port", "70000"], "70000"),
        (settings.clone(), &["--log", "no=such=filter"], "LOG"),
        (settings.clone().with("DATABASE_URL", "mysql://x"), &[], "postgres:// or sqlite:"),
        (settings.clone(), &["--redis-prefix", "a b"], "1 to 64 of the characters"),
        (
            Settings::postgres("postgres://127.0.0.1:1/flags", Some("rediss://cache")),
            &[],
            "does not speak yet",
        ),
        (Settings { database_url: "sqlite:/proc/none/flags.db".to_owned(), ..settings }, &[], "/proc/none"),
    ];
    for (settings, arguments, expected) in rows {
        let (code, _, error) = run(&settings, arguments);
        assert!(code.is_some_and(|code| code != 0), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{expected} in {error}");
    }
}

#[test]
fn a_log_that_would_say_nothing_by_mistake_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let advice = "write error, warn, info, debug, trace or off, or target=level";
    for (filter, word) in [
        ("warning", "warning"),
        ("verbose", "verbose"),
        ("info,flag_http", "flag_http"),
        ("flag_http=verbose", "flag_http=verbose"),
        ("nonsense=x=y", "nonsense=x=y"),
    ] {
        let (code, _, error) = run(&Settings::sqlite(directory.path()).with("LOG", filter), &["migrate"]);
        let expected = format!("flag: LOG={word:?} is no level: {advice}\n");
        assert_eq!((code, error.as_str()), (Some(1), expected.as_str()), "{filter}");
    }
    for filter in ["", "WARN", "off", "info,flag_http=debug", "info, actix_http::h1=trace"] {
        let (code, _, error) = run(&Settings::sqlite(directory.path()).with("LOG", filter), &["migrate"]);
        assert_eq!(code, Some(0), "{filter}: {error}");
    }
}

#[test]
fn an_address_that_was_left_empty_is_refused_and_not_taken_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::sqlite(directory.path());
    for name in ["DATABASE_URL", "REDIS_URL"] {
        let (code, _, error) = run(&settings.clone().with(name, ""), &["migrate"]);
        assert!(code.is_some_and(|code| code != 0), "{name}");
        assert!(error.contains(&format!("{name} is empty")) && error.contains("unset it"), "{error}");
    }
    for (value, advice) in [
        ("flags.db", "DATABASE_URL: \"flags.db\" names no store; for a file write sqlite:flags.db"),
        ("/var/lib/flags.db", "for a file write sqlite:/var/lib/flags.db"),
    ] {
        let (code, _, error) = run(&settings, &["--database-url", value, "migrate"]);
        assert_eq!(code, Some(1));
        assert!(error.contains(advice), "{error}");
    }
    let (_, _, error) = run(&settings.with("PORT", "abc"), &[]);
    assert!(error.contains("PORT must be a number from 0 to 65535"), "{error}");
}

#[test]
fn migrate_prepares_a_database_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::sqlite(directory.path());
    let (code, output, error) = run(&settings, &["migrate"]);
    assert_eq!((code, output.contains("applied")), (Some(0), true), "{output}{error}");
    let (code, output, _) = run(&settings, &["migrate"]);
    assert_eq!((code, output.contains("up to date")), (Some(0), true), "{output}");
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_is_under_way_and_keeps_it() {
    for signal in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings::sqlite(directory.path());
        let mut server = Server::start(&settings);
        let mut link = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        let body = r#"{"key":"f","enabled":true}"#;
        let head = "POST /features HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        write!(link, "{head}content-length: {}\r\n\r\n{}", body.len(), &body[..10]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        server.signal(signal);
        std::thread::sleep(Duration::from_millis(200));
        link.write_all(&body.as_bytes()[10..]).unwrap();
        let mut answer = String::new();
        link.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{signal}: {answer}");
        assert_eq!(server.ended(), Some(0), "{signal}");
        let server = Server::start(&settings);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client = Client::new(vec![server.url.clone()]);
            assert_eq!(client.get("/features/f").await.expect(200).json()["enabled"], true);
        });
    }
}

#[test]
fn a_server_that_is_told_twice_stops_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(&Settings::sqlite(directory.path()));
    let mut link = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head = "POST /features HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    write!(link, "{head}content-length: 100\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let started = Instant::now();
    for _ in 0..2 {
        server.signal("TERM");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(server.ended(), Some(0));
    // The body that never comes would be waited for five seconds.
    assert!(started.elapsed() < Duration::from_secs(4), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn with_a_token_every_route_but_the_health_checks_wants_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&Settings::sqlite(directory.path()).with("FLAG_ADMIN_TOKEN", TOKEN));
    let client = Client::new(vec![server.url.clone()]);
    let right = format!("Bearer {TOKEN}");
    let wrong = format!("Bearer {}x", &TOKEN[..31]);
    for path in [
        "/features",
        "/features/f",
        "/environments/default/changes",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/nothing",
        "//features",
    ] {
        for headers in [
            &[][..],
            &[("authorization", wrong.as_str())],
            &[("authorization", TOKEN)],
            &[("authorization", "Bearer ")],
        ] {
            let answer = client.send(reqwest::Method::GET, path, None, headers).await.expect(401);
            assert_eq!(
                (answer.code().as_str(), answer.header("www-authenticate")),
                ("unauthorized", "Bearer")
            );
        }
        let answer = client.send(reqwest::Method::GET, path, None, &[("authorization", &right)]).await;
        assert_ne!(answer.status, 401, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        client.get(path).await.expect(200);
    }
    let headers = [("authorization", right.as_str())];
    let body = Some(json!({"key": "f", "enabled": true}));
    client.send(reqwest::Method::POST, "/features", body.clone(), &[]).await.expect(401);
    client.send(reqwest::Method::POST, "/features", body, &headers).await.expect(201);
    let log = client.send(reqwest::Method::GET, "/environments/default/changes", None, &headers).await.json();
    assert_eq!(log["changes"][0]["author"], "admin");
}

#[tokio::test]
async fn without_a_token_only_loopback_names_are_served() {
    let fleet = Fleet::sqlite();
    let client = fleet.client();
    for (host, status) in [
        ("localhost:3000", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("evil.example", 403),
        ("10.0.0.1", 403),
    ] {
        let answer =
            client.send(reqwest::Method::GET, "/features", None, &[("host", host)]).await.expect(status);
        if status == 403 {
            assert_eq!(answer.code(), "host_not_allowed");
        }
    }
    client.send(reqwest::Method::GET, "/healthz", None, &[("host", "evil.example")]).await.expect(200);
}

#[test]
fn a_setting_that_is_refused_is_not_repeated_if_it_may_hold_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::sqlite(directory.path());
    for url in ["POSTGRES://u:hushhush@h/d", "mysql://u:hushhush@h/d", "host=h password=hushhush"] {
        for (settings, arguments) in [
            (settings.clone(), &["--database-url", url][..]),
            (settings.clone().with("DATABASE_URL", url), &[]),
        ] {
            let (code, output, error) = run(&settings, arguments);
            assert_eq!(code, Some(1));
            assert!(
                error.contains("postgres:// or sqlite:") && !(output + &error).contains("hushhush"),
                "{error}"
            );
        }
    }
    std::fs::write(directory.path().join(".env"), "FLAG_ADMIN_TOKEN='hushhush\n").unwrap();
    let output = settings.command().current_dir(directory.path()).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(".env") && !error.contains("hushhush"), "{error}");
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::postgres("postgres://flag:hushhush@127.0.0.1:1/flags", None);
    let settings = settings.with("FLAG_ADMIN_TOKEN", &format!("{TOKEN}hushhush")).with("LOG", "trace");
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let mut process = settings.command().stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let running = process.try_wait().unwrap().is_none();
    let _ = process.kill();
    process.wait().unwrap();
    let text = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(running, "a node starts while its stores are down: {text}");
    assert!(text.contains("***") && text.contains("listens on"), "{text}");
    assert!(!text.contains("hushhush") && !text.contains(TOKEN), "{text}");
}
