//! The interface as a client sees it: answers that may be failures, and everything that a node shows.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::Value;

use crate::state::{Answer, Question, Shown};

/// How long a client waits: longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of any node.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
}

/// What a node answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {}", self.text))
    }

    /// The revision that the answer carries.
    pub(crate) fn revision(&self) -> Result<u64> {
        let header = self.headers.get("flag-revision").context("an answer without Flag-Revision")?;
        header.to_str()?.parse().context("Flag-Revision is no number")
    }

    /// The `code` of a problem document.
    pub(crate) fn code(&self) -> String {
        self.json().ok().and_then(|body| body["code"].as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// What a node says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) is_ready: bool,
    /// The revision of its snapshot, if it has one.
    pub(crate) revision: Option<u64>,
    pub(crate) text: String,
}

impl Api {
    pub(crate) fn new() -> Self {
        // Only what cannot happen here makes a client fail to be built: TLS that is missing.
        let http = Client::builder().timeout(PATIENCE).pool_max_idle_per_host(64).build();
        Self { http: http.unwrap_or_default() }
    }

    /// Sends a request. An error means that there was no whole answer.
    pub(crate) async fn send(
        &self,
        node: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
        author: Option<&str>,
    ) -> reqwest::Result<Reply> {
        let mut request = self.http.request(method, format!("{node}{path}"));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(author) = author {
            request = request.header("flag-author", author);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, text: response.text().await? })
    }

    pub(crate) async fn get(&self, node: &str, path: &str) -> Result<Reply> {
        self.send(node, Method::GET, path, None, None).await.with_context(|| format!("GET {path}"))
    }

    /// `/readyz`.
    pub(crate) async fn report(&self, node: &str) -> Result<Report> {
        let reply = self.get(node, "/readyz").await?;
        let line = reply.text.lines().find_map(|line| line.strip_prefix("snapshot: revision "));
        let revision = line.and_then(|line| line.split([',', ' ']).next()?.parse().ok());
        Ok(Report { is_ready: reply.status == 200, revision, text: reply.text })
    }

    pub(crate) async fn evaluate(&self, node: &str, question: &Question) -> Result<Answer> {
        let path = format!("/features/{}/evaluate", question.key);
        let body = question.body();
        let reply = self.send(node, Method::POST, &path, Some(&body), None).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let json = reply.json()?;
        match (json["enabled"].as_bool(), json["source"].as_str()) {
            (Some(enabled), Some(source)) if reply.status == 200 => Ok(Some((enabled, source.to_owned()))),
            _ => bail!("{} answers {} to an evaluation: {}", node, reply.status, reply.text),
        }
    }

    /// Everything that a node shows, page by page, as its pages come: while changes are made it may be of several moments.
    pub(crate) async fn shown(&self, node: &str) -> Result<Shown> {
        let mut shown = Shown::new();
        for flag in self.pages(node, "/features", "features").await? {
            let key = flag["key"].as_str().context("a flag without a key")?.to_owned();
            let pins = match self.pages(node, &format!("/features/{key}/overrides"), "overrides").await {
                Ok(pins) => pins,
                // Deleted between the two questions.
                Err(_) => continue,
            };
            shown.insert(key, (flag, pins));
        }
        Ok(shown)
    }

    async fn pages(&self, node: &str, path: &str, list: &str) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let reply = self.get(node, &format!("{path}?limit=500{cursor}")).await?;
            if reply.status != 200 {
                bail!("{path} answers {}: {}", reply.status, reply.text);
            }
            let mut page = reply.json()?;
            items.append(page[list].as_array_mut().context("a page without its list")?);
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={}", percent_encoded(next)),
                None => return Ok(items),
            }
        }
    }
}

/// Every byte that is not a letter or a digit as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |path, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => path + &char::from(byte).to_string(),
        _ => path + &format!("%{byte:02X}"),
    })
}
