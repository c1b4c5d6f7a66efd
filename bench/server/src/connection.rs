//! One connection that asks and waits for the answer: for setting up, for writing, for watching.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::answer::{self, Answer};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that stays open between requests.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    pub fn get(&mut self, path: &str) -> Result<Answer<'_>> {
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
    }

    /// Makes a change; fails unless it was acknowledged.
    pub fn change(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let answer = self.ask(&request(method, path, body))?;
        let is_success = (200..300).contains(&answer.status);
        ensure!(is_success, "{method} {path}: {} {}", answer.status, String::from_utf8_lossy(answer.body));
        Ok(())
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).context("send")?;
        self.received.clear();
        let mut portion = [0; 4096];
        while answer::parse(&self.received)?.is_none() {
            match self.stream.read(&mut portion).context("receive")? {
                0 => bail!("the server closed the connection"),
                length => self.received.extend_from_slice(&portion[..length]),
            }
        }
        Ok(answer::parse(&self.received)?.expect("it was whole a moment ago"))
    }
}

/// The bytes of a request with a JSON body.
pub fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
        content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
