//! As much of the protocol of Redis as it takes to publish a word, to hear it, and to ask what is there.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// One connection.
pub struct Redis(BufReader<TcpStream>);

impl Redis {
    pub fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to Redis")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command and waits for its reply.
    pub fn ask(&mut self, words: &[&str]) -> Result<Vec<String>> {
        self.send(words)?;
        self.reply()
    }

    pub fn send(&mut self, words: &[&str]) -> Result<()> {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.0.get_mut().write_all(text.as_bytes()).context("send to Redis")
    }

    /// The next reply, or the next word on a channel that was subscribed to: its texts, flat.
    pub fn reply(&mut self) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        let mut due = 1;
        while due > 0 {
            let mut line = String::new();
            if self.0.read_line(&mut line).context("receive from Redis")? == 0 {
                bail!("Redis closed the connection");
            }
            let (kind, rest) = line.trim_end().split_at(1);
            match kind {
                "*" => due += rest.parse::<usize>().context("a length")?,
                "$" if rest == "-1" => texts.push(String::new()),
                "$" => {
                    let mut text = vec![0; rest.parse::<usize>().context("a length")? + 2];
                    self.0.read_exact(&mut text)?;
                    text.truncate(text.len() - 2);
                    texts.push(String::from_utf8_lossy(&text).into_owned());
                }
                "-" => bail!("Redis refuses: {rest}"),
                _ => texts.push(rest.to_owned()),
            }
            due -= 1;
        }
        Ok(texts)
    }
}
