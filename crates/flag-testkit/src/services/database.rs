//! Databases inside a server that is known by its URL only.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::ServiceError;

const PREFIX: &str = "flag_test_";
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than any test run, so that nobody's database is taken away in the middle of it.
const ABANDONED: Duration = Duration::from_secs(6 * 60 * 60);

/// Creates an empty database whose name holds the time, so that [`remove_abandoned`] knows its age.
pub(super) fn create_fresh(server: &str) -> Result<String, ServiceError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (now, number) = (seconds_now(), NUMBER.fetch_add(1, Ordering::Relaxed));
    create(server, &format!("{PREFIX}{now}_{}_{number}", process::id()))
}

/// Creates an empty database, and returns its URL.
pub(super) fn create(server: &str, name: &str) -> Result<String, ServiceError> {
    let url = with_database(server, name)?;
    // Nobody can be connected to template0, which would make the server refuse.
    query(server, &format!("CREATE DATABASE {} TEMPLATE template0", quoted(name)))?;
    Ok(url)
}

/// Removes databases that test runs of the past have left in a server which outlives them.
pub(super) fn remove_abandoned(server: &str) -> Result<(), ServiceError> {
    let limit = seconds_now().saturating_sub(ABANDONED.as_secs());
    for name in query(server, "SELECT datname FROM pg_database")? {
        if created(&name).is_some_and(|created| created < limit) {
            // Another process may be at the same work, and be first.
            let _ = query(server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&name)));
        }
    }
    Ok(())
}

/// The URL of another database of the same server.
fn with_database(server: &str, name: &str) -> Result<String, ServiceError> {
    let unknown = || ServiceError::failed(format!("{server} is not of the form postgres://host/database"));
    let (scheme, rest) = server.split_once("://").ok_or_else(unknown)?;
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(unknown());
    }
    let (before, parameters) = rest.split_once('?').map_or((rest, ""), |(before, after)| (before, after));
    let authority = before.split('/').next().unwrap_or_default();
    let mark = if parameters.is_empty() { "" } else { "?" };
    Ok(format!("{scheme}://{authority}/{name}{mark}{parameters}"))
}

/// When a database of ours was created, in seconds since 1970; `None` for anybody else's.
fn created(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.split('_').next()?.parse().ok()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Runs one statement, and returns the first column of its rows.
pub(super) fn query(server: &str, statement: &str) -> Result<Vec<String>, ServiceError> {
    // A thread of its own: the caller may be inside an asynchronous runtime, where blocking on another panics.
    let answer = thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(ServiceError::io("start an asynchronous runtime"))?;
                runtime
                    .block_on(async { tokio::time::timeout(LIMIT, query_async(server, statement)).await })
                    .map_err(|_| ServiceError::failed(format!("{statement}: no answer within {LIMIT:?}")))
            })
            .join()
            .map_err(|_| ServiceError::failed(format!("{statement}: the client panicked")))?
    })?;
    answer.map_err(|error| {
        let cause = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        ServiceError::failed(format!("{statement}: {cause}"))
    })
}

async fn query_async(server: &str, statement: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(statement).await?;
    drop(client);
    // The answer is complete; how the connection ends is of no interest.
    let _ = connection.await;
    let column = |message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_another_database_keeps_everything_else() {
        let check = |server, expected| assert_eq!(with_database(server, "new").unwrap(), expected);
        check("postgres://postgres@127.0.0.1:5432/postgres", "postgres://postgres@127.0.0.1:5432/new");
        check("postgresql://u:p@h/old?sslmode=disable", "postgresql://u:p@h/new?sslmode=disable");
        check("postgres://h", "postgres://h/new");
        assert!(with_database("host=localhost", "new").is_err());
        assert!(with_database("mysql://h/d", "new").is_err());
    }

    #[test]
    fn only_our_own_databases_have_an_age() {
        assert_eq!(created("flag_test_1700000000_12_3"), Some(1_700_000_000));
        assert_eq!(created("flag_test_results"), None);
        assert_eq!(created("production"), None);
    }

    #[test]
    fn a_name_is_quoted_as_an_identifier() {
        assert_eq!(quoted("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}
