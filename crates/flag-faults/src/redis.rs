//! A look into Redis, in its own protocol and past every link.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ANSWER: Duration = Duration::from_secs(2);

/// Asks the server one thing at a time, on a connection for each.
#[derive(Clone)]
pub(crate) struct RedisProbe {
    port: u16,
    prefix: String,
}

impl RedisProbe {
    pub(crate) fn new(port: u16, prefix: &str) -> Self {
        Self { port, prefix: prefix.to_owned() }
    }

    /// Epoch and revision of the snapshot that nodes share; nothing if there is none.
    pub(crate) async fn shared(&self) -> Result<Option<(String, u64)>> {
        let key = format!("{{{}:default}}:snapshot:1", self.prefix);
        let answer = self.ask(&format!("HMGET {key} epoch revision")).await?;
        // An array of two: each a length and a text, or `$-1`.
        let words: Vec<&str> = answer.split("\r\n").collect();
        match words.as_slice() {
            ["*2", _, epoch, _, revision, ""] => {
                Ok(Some(((*epoch).to_owned(), revision.parse().context("the revision of the head")?)))
            }
            ["*2", "$-1", "$-1", ""] => Ok(None),
            _ => bail!("Redis says {answer:?} of the shared snapshot"),
        }
    }

    /// Tells every node of a version, as a node that has just committed does.
    pub(crate) async fn announce(&self, epoch: &str, revision: u64) -> Result<()> {
        let channel = format!("{}:changes", self.prefix);
        self.ask(&format!("PUBLISH {channel} \"default {epoch} {revision}\"")).await.map(|_| ())
    }

    /// Lets Redis hold so many bytes, and refuse what needs more; 0 is without a limit.
    pub(crate) async fn limit_memory(&self, bytes: &str) -> Result<()> {
        self.ask(&format!("CONFIG SET maxmemory {bytes}")).await.map(|_| ())
    }

    async fn ask(&self, command: &str) -> Result<String> {
        let asking = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(ANSWER, asking).await.context("Redis does not answer")??;
        let answer = answer.strip_suffix("+OK\r\n").context("Redis closed before it said everything")?;
        if let Some(refusal) = answer.strip_prefix('-') {
            bail!("Redis refuses {command:?}: {refusal}");
        }
        Ok(answer.to_owned())
    }
}
