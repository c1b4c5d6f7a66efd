//! Requests as bytes on a connection: what no well-behaved client would send.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::client::Answer;

/// Who has no answer after this time is taken to get none.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a body says where it ends.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    /// By `Content-Length`.
    Length,
    /// By chunks, the last of which is empty.
    Chunked,
}

/// A request, of which every byte can be chosen.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub framing: Framing,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.into(),
            headers: vec![("host".to_owned(), b"localhost".to_vec())],
            body: Vec::new(),
            framing: Framing::Length,
        }
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// The same with this body, which calls itself JSON.
    pub fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// The same with its body in chunks.
    pub fn chunked(self) -> Self {
        Self { framing: Framing::Chunked, ..self }
    }

    /// The request in short, for the message of a test that fails.
    pub fn in_short(&self) -> String {
        let body = &self.body[..self.body.len().min(200)];
        format!("{} {} {}", self.method, self.path.escape_debug(), String::from_utf8_lossy(body))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        match self.framing {
            Framing::Length => {
                bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).into_bytes());
                bytes.extend(&self.body);
            }
            Framing::Chunked => {
                bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(8_000) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend([chunk, b"\r\n"].concat());
                }
                bytes.extend(b"0\r\n\r\n");
            }
        }
        bytes
    }

    /// Sends the request and reads the answer.
    pub fn send(&self, node: &str) -> Answer {
        let answer = exchange(node, &self.bytes());
        answer.unwrap_or_else(|error| panic!("{}: no answer: {error}", self.in_short()))
    }
}

/// Sends `bytes` to a node and reads one answer. An answer may come before all is sent.
pub fn exchange(node: &str, bytes: &[u8]) -> io::Result<Answer> {
    let mut connection = TcpStream::connect(node.trim_start_matches("http://"))?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut sender = connection.try_clone()?;
    std::thread::scope(|threads| {
        // A server that has answered need not take the rest.
        threads.spawn(move || sender.write_all(bytes));
        let answer = answer(&mut connection);
        let _ = connection.shutdown(Shutdown::Both);
        answer
    })
}

fn answer(connection: &mut TcpStream) -> io::Result<Answer> {
    let mut received = Vec::new();
    loop {
        let head = line_after(&mut received, connection, b"\r\n\r\n")?;
        let (status, headers) = head_of(&head).ok_or(io::ErrorKind::InvalidData)?;
        if status == 100 {
            continue;
        }
        let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        while received.len() < length.unwrap_or(0) {
            more(&mut received, connection)?;
        }
        return Ok(Answer { status, headers, text: String::from_utf8_lossy(&received).into_owned() });
    }
}

/// Reads up to and with `end`, which is cut off.
fn line_after(received: &mut Vec<u8>, connection: &mut TcpStream, end: &[u8]) -> io::Result<Vec<u8>> {
    loop {
        if let Some(at) = received.windows(end.len()).position(|window| window == end) {
            let rest = received.split_off(at + end.len());
            let mut head = std::mem::replace(received, rest);
            head.truncate(at);
            return Ok(head);
        }
        more(received, connection)?;
    }
}

fn more(received: &mut Vec<u8>, connection: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    match connection.read(&mut buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            received.extend(&buffer[..length]);
            Ok(())
        }
    }
}

fn head_of(head: &[u8]) -> Option<(u16, HeaderMap)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        headers.append(name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?);
    }
    Some((status, headers))
}
