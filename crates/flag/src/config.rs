//! Arguments, environment and `.env`: the same settings by three ways, in this order of precedence.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use flag_cache_redis::Prefix;
use flag_engine::NodeName;

use crate::database::{DEFAULT, Database};
use crate::log;
use crate::system::host_name;

/// A feature flag engine: define features, switch them for everybody, a user, a group, a region or a percentage of users,
/// and ask what a context gets and why.
#[derive(Parser, Debug)]
#[command(name = "flag", version, after_long_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Subcommand, Clone, Copy, Debug)]
pub(crate) enum Command {
    /// Run the server (the default).
    Serve,
    /// Bring the database to the schema that this program needs, and exit. `serve` does so by itself at its start.
    Migrate,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Where flags are stored: `postgres://user:password@host:5432/name` or `sqlite:path/to/file.db`.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        default_value = DEFAULT,
        value_parser = database_url
    )]
    database_url: String,
    /// The cache that nodes share, and the channel by which they hear of changes: `redis://host:6379`. Without it nodes
    /// hear of changes through PostgreSQL.
    #[arg(
        long,
        global = true,
        env = "REDIS_URL",
        value_name = "URL",
        hide_env_values = true,
        value_parser = redis_url
    )]
    pub(crate) redis_url: Option<String>,
    /// What the names of everything in Redis begin with: clusters that share a Redis each take their own.
    #[arg(long, global = true, env = "REDIS_PREFIX", value_name = "PREFIX", default_value = "flag")]
    pub(crate) redis_prefix: Prefix,
    /// Where a node of PostgreSQL keeps its last flags, to start from while every store is down. Each node needs a directory
    /// of its own.
    #[arg(long, global = true, env = "DATA_DIR", value_name = "DIRECTORY", default_value = DATA)]
    data_dir: OsString,
    /// The address to listen on. Beyond this machine only with an access token.
    #[arg(long, global = true, env = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// The port to listen on; 0 picks a free one.
    #[arg(long, global = true, env = "PORT", default_value_t = 3000, value_parser = port)]
    pub(crate) port: u16,
    /// What this node is called where nodes are listed; otherwise the address that it listens on, or if that is every
    /// address the name of the machine, and the port.
    #[arg(long, global = true, env = "NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    /// The access token that every request but health checks must bear: at least 32 characters. Make one with `openssl
    /// rand -hex 32`.
    #[arg(long, global = true, env = "FLAG_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, `off`, or a list such as `info,flag_http=debug`.
    #[arg(long, global = true, env = "LOG", default_value = log::DEFAULT, value_name = "FILTER")]
    pub(crate) log: String,
}

impl Settings {
    /// The store that was named. Read here and not with the arguments, whose errors repeat what they were given.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        self.database_url.parse().map_err(|advice: String| anyhow::anyhow!("DATABASE_URL: {advice}"))
    }

    /// Where this node keeps its last flags. An empty name leaves the choice to the program.
    pub(crate) fn data_dir(&self) -> PathBuf {
        if self.data_dir.is_empty() { DATA.into() } else { self.data_dir.clone().into() }
    }

    /// What the node is called that listens on `address`: if that is every address, as the machine is. An empty name is none.
    pub(crate) fn node_name(&self, address: SocketAddr) -> anyhow::Result<NodeName> {
        let given = self.node_name.as_deref().filter(|name| !name.is_empty());
        let name = match given {
            Some(name) => name.to_owned(),
            None if address.ip().is_unspecified() => format!("{}:{}", host_name(), address.port()),
            None => address.to_string(),
        };
        name.parse().map_err(|invalid| anyhow::anyhow!("NODE_NAME {invalid}"))
    }
}

/// Takes what names a store. An empty text is what a file of settings makes of a variable that somebody forgot to set: to take
/// another store for it would lose flags.
fn database_url(text: &str) -> Result<String, String> {
    let way_out = format!("unset it to keep flags in {DEFAULT}, or name a store");
    not_empty(text).ok_or_else(|| format!("DATABASE_URL is empty; {way_out}"))
}

fn redis_url(text: &str) -> Result<String, String> {
    not_empty(text).ok_or_else(|| "REDIS_URL is empty; unset it to do without Redis, or name one".to_owned())
}

/// Takes a port, and says the name of the variable: the argument alone would not be found in a file of settings.
fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "PORT must be a number from 0 to 65535".to_owned())
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The directory of whoever names none.
const DATA: &str = "data";

const EXAMPLES: &str = "\
Examples:
  flag
      Serve on http://127.0.0.1:3000, with flags in data/flags.db.

  flag --database-url postgres://flag:secret@db/flags --redis-url redis://cache:6379
      Serve as one node of many over one PostgreSQL and one Redis.

  FLAG_ADMIN_TOKEN=$(openssl rand -hex 32) flag --host 0.0.0.0
      Serve beyond this machine; requests bear the token.

Every setting is also read from the environment and from a file .env in the working directory or above it.
Try it:
  curl localhost:3000/features -H 'content-type: application/json' -d '{\"key\":\"new_dashboard\",\"enabled\":false}'
  curl localhost:3000/features/new_dashboard/evaluate -H 'content-type: application/json' -d '{\"userId\":\"user123\"}'";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
