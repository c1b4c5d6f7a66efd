//! A client of the interface that sends each request to the next node, and reads no node that has not come as far as its own
//! last write.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

/// A client of one or several nodes.
pub struct Client {
    http: reqwest::Client,
    nodes: Vec<String>,
    next: AtomicUsize,
    written: AtomicU64,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` if there is none.
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&self.text).expect("the body is JSON")
        }
    }

    /// The `Flag-Revision` header.
    pub fn revision(&self) -> u64 {
        self.header("flag-revision").parse().expect("every answer carries its revision")
    }

    /// A header as text; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// The `code` of a problem document.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json()["code"].as_str().expect("problems have a code").to_owned()
    }

    /// The answer, if its status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Client {
    /// A client that takes the nodes in turn.
    pub fn new(nodes: Vec<String>) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
        Self { http, nodes, next: AtomicUsize::new(0), written: AtomicU64::new(0) }
    }

    /// Sends a request to the next node.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(5);
        let node = self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len();
        let url = format!("{}{path}", self.nodes[node]);
        let is_question = method == Method::GET || path.ends_with("/evaluate");
        loop {
            let mut request = self.http.request(method.clone(), &url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = &body {
                request = request.json(body);
            }
            let answer = read(request).await.expect("the node answers");
            let behind = is_question && answer.revision() < self.written.load(Ordering::Relaxed);
            if behind && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(2)).await;
                continue;
            }
            assert!(!behind, "node {node} does not catch up");
            if !is_question {
                self.written.fetch_max(answer.revision(), Ordering::Relaxed);
            }
            return answer;
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// What a context gets of a flag: the answer's `enabled` and `source`.
    pub async fn evaluate(&self, key: &str, context: Value) -> (bool, String) {
        let answer = self.post(&format!("/features/{key}/evaluate"), context).await.expect(200).json();
        assert_eq!(answer["key"], key);
        assert_eq!(answer.as_object().expect("an object").len(), 3, "{answer}");
        (
            answer["enabled"].as_bool().expect("a boolean"),
            answer["source"].as_str().expect("a text").to_owned(),
        )
    }

    /// Every item of a list, page by page.
    pub async fn pages(&self, path: &str, list: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}?limit=500{cursor}")).await.expect(200).json();
            items.append(page[list].as_array_mut().expect("a list"));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={}", percent_encoded(next)),
                None => return items,
            }
        }
    }

    /// The whole log, oldest first.
    pub async fn log(&self) -> Vec<Value> {
        self.log_after(0).await
    }

    /// The lines of the log that follow a revision, oldest first.
    pub async fn log_after(&self, revision: u64) -> Vec<Value> {
        let (mut lines, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self
                .get(&format!("/environments/default/changes?limit=500{cursor}"))
                .await
                .expect(200)
                .json();
            lines.append(page["changes"].as_array_mut().expect("a list"));
            let known = lines.iter().position(|line| line["revision"].as_u64() <= Some(revision));
            match page["nextCursor"].as_str() {
                Some(next) if known.is_none() => cursor = format!("&cursor={next}"),
                _ => {
                    lines.truncate(known.unwrap_or(lines.len()));
                    lines.reverse();
                    return lines;
                }
            }
        }
    }

    /// From now on reads no node that has not come to `revision`.
    pub fn read_from(&self, revision: u64) {
        self.written.fetch_max(revision, Ordering::Relaxed);
    }

    /// Waits until the next node has flags, and gives what it then says of itself.
    pub async fn ready(&self, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let answer = self.get("/readyz").await;
            if answer.status == 200 {
                return answer.text;
            }
            assert!(Instant::now() < deadline, "not ready within {limit:?}: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Every byte that is not a letter or a digit as `%XX`.
pub fn percent_encoded(id: &str) -> String {
    id.bytes().fold(String::new(), |path, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => path + &char::from(byte).to_string(),
        _ => path + &format!("%{byte:02X}"),
    })
}

/// Sends a request and reads the whole answer.
pub async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}
