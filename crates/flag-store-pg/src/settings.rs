//! How connections are made: what the url says, and bounds on everything that it leaves open.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Connection, NoTls, Socket, tls::NoTlsStream};

use crate::error::{ConfigError, reason};

/// How long making a connection may take, from the first packet to the last word of the handshake.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);
/// How long sent data may stay unacknowledged before the peer counts as gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Reads `url`. No I/O: whether anybody answers there is seen later.
pub(crate) fn read(url: &str) -> Result<Config, ConfigError> {
    let mut config: Config = url.parse().map_err(|error| ConfigError::Unreadable(reason(&error)))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(ConfigError::Tls);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(ConfigError::Unreadable("it names no host".to_owned()));
    }
    if config.get_application_name().is_none() {
        config.application_name("flag");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    // The defaults of most systems find a dead peer after two hours.
    config.keepalives(true).keepalives_idle(Duration::from_secs(10));
    config.keepalives_interval(Duration::from_secs(3)).keepalives_retries(3);
    Ok(config)
}

/// Where the database is: neither who asks nor how, which may change while it stays the same database.
pub(crate) fn place(config: &Config) -> String {
    let mut parts = Vec::new();
    for host in config.get_hosts() {
        parts.push(match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
    }
    parts.extend(config.get_hostaddrs().iter().map(ToString::to_string));
    parts.extend(config.get_ports().iter().map(ToString::to_string));
    // The server takes the name of the user if none is given.
    parts.extend(config.get_dbname().or(config.get_user()).map(str::to_owned));
    parts.join(" ")
}

/// A connection outside the pools, driven by a task that ends with it.
pub(crate) struct Link {
    pub(crate) client: Client,
    driver: JoinHandle<()>,
}

impl Link {
    /// Connects, within [`CONNECT`].
    pub(crate) async fn open(config: &Config) -> Result<Self, LinkError> {
        let (client, connection) = connect(config).await?;
        let driver = tokio::spawn(async move {
            // Whoever uses the client sees the error too.
            let _ = connection.await;
        });
        Ok(Self { client, driver })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Connects, within [`CONNECT`]: the timeout of the driver ends with the TCP handshake, and a halted server accepts that.
pub(crate) async fn connect(config: &Config) -> Result<(Client, Connection<Socket, NoTlsStream>), LinkError> {
    Ok(timeout(CONNECT, config.connect(NoTls)).await.map_err(|_| LinkError::Silent)??)
}

/// Why a connection outside the pools is not, or no longer, of use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The server did not answer in time.
    #[error("the server does not answer")]
    Silent,
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server refused, or the connection is lost.
    #[error(transparent)]
    Failed(#[from] tokio_postgres::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_insists_on_tls_is_refused_before_anything_is_asked() {
        let refused = read("postgres://flag:hush@db.example/flag?sslmode=require").unwrap_err();
        assert!(matches!(refused, ConfigError::Tls), "{refused}");
    }

    #[test]
    fn neither_an_error_nor_a_debug_form_shows_the_password() {
        let config = read("postgres://flag:hush@db.example/flag").unwrap();
        assert!(!format!("{config:?}").contains("hush"));
        for url in [
            "postgres://flag:hush@db.example:port/flag",
            "postgres://flag:hush@db.example/flag?hush=hush2",
            "hush",
            "",
        ] {
            let error = read(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(":hush"), "{error}");
        }
    }

    #[test]
    fn the_place_of_a_database_is_its_hosts_ports_and_name_however_they_are_written() {
        let rows = [
            ("postgres://db:5432/flags", "db 5432 flags"),
            ("postgresql://db:5432/flags?connect_timeout=1", "db 5432 flags"),
            ("postgres://other:secret@db:5432/flags?application_name=x", "db 5432 flags"),
            ("postgres:///flags?host=db&port=5432", "db 5432 flags"),
            ("postgres://db:5432?dbname=flags", "db 5432 flags"),
            ("postgres:///flags?host=db&port=5433", "db 5433 flags"),
            ("postgres://one:1,two:2/flags", "one two 1 2 flags"),
            ("postgres:///flags?host=/run/postgresql", "/run/postgresql flags"),
            ("postgres://db/flags?hostaddr=10.0.0.1", "db 10.0.0.1 5432 flags"),
            ("postgres://flag@db", "db 5432 flag"),
        ];
        for (url, expected) in rows {
            assert_eq!(place(&read(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn what_the_url_leaves_open_gets_a_bound() {
        let config = read("postgres://flag@db.example/flag?application_name=mine").unwrap();
        assert_eq!(config.get_application_name(), Some("mine"));
        assert_eq!(config.get_connect_timeout(), Some(&CONNECT));
        assert_eq!(config.get_tcp_user_timeout(), Some(&UNACKNOWLEDGED));
    }
}
