//! A write with an author of its own, as it is sent and as it was answered: by its author it is found again in the log.

use flag_core::{Change, Variant};
use flag_engine::document::PercentageDocument;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, percent_encoded};

/// A change, and the name under which it is asked for. No other write has this name.
#[derive(Clone, Debug)]
pub struct Write {
    pub author: String,
    pub change: Change,
    /// The value of `If-Match`, if the write has one.
    pub condition: Option<String>,
}

/// What the writer was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done; the environment came to this revision.
    Acknowledged(u64),
    /// Nothing was changed, says this status.
    Refused(u16),
    /// That nobody knows.
    Unknown,
    /// Nothing: the connection broke.
    Silence,
}

impl Write {
    pub fn new(author: impl Into<String>, change: Change) -> Self {
        Self { author: author.into(), change, condition: None }
    }

    /// The same, but only if the flag still has this tag.
    pub fn only_if(self, tag: &str) -> Self {
        Self { condition: Some(tag.to_owned()), ..self }
    }

    /// Sends it to a node.
    pub async fn send(&self, http: &reqwest::Client, node: &str) -> Outcome {
        let (method, path, body) = self.request();
        let mut request = http.request(method, format!("{node}{path}")).header("flag-author", &self.author);
        if let Some(condition) = &self.condition {
            request = request.header("if-match", condition);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        crate::client::read(request).await.map_or(Outcome::Silence, |answer| Outcome::of(&answer))
    }

    fn request(&self) -> (Method, String, Option<Value>) {
        let flag = format!("/features/{}", self.change.key());
        match &self.change {
            Change::FlagCreated { key, description, global, rollout } => {
                let mut body = json!({"key": key.as_str(), "enabled": global.enabled()});
                if let Some(text) = description {
                    body["description"] = json!(text.as_str());
                }
                if let Some(share) = rollout {
                    body["rolloutPct"] = json!(PercentageDocument(*share));
                }
                (Method::POST, "/features".to_owned(), Some(body))
            }
            Change::FlagDeleted { .. } => (Method::DELETE, flag, None),
            Change::GlobalSet { variant, .. } => {
                (Method::PATCH, format!("{flag}/global"), Some(json!({"enabled": variant.enabled()})))
            }
            Change::RolloutSet { rollout, .. } => {
                let body = json!({"rolloutPct": rollout.map(PercentageDocument)});
                (Method::PATCH, format!("{flag}/rollout"), Some(body))
            }
            Change::OverrideSet { level, subject, variant, .. } => {
                let member = match level.name() {
                    "user" => "userId",
                    "group" => "groupId",
                    level => level,
                };
                let body = json!({member: subject.as_str(), "enabled": *variant == Variant::ON});
                (Method::POST, format!("{flag}/{level}-override"), Some(body))
            }
            Change::OverrideRemoved { level, subject, .. } => {
                let id = percent_encoded(subject.as_str());
                (Method::DELETE, format!("{flag}/{level}-override/{id}"), None)
            }
            other => panic!("{other:?} has no route"),
        }
    }
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        match answer.status {
            200 | 201 | 204 => Self::Acknowledged(answer.revision()),
            503 if answer.code() == "outcome_unknown" => Self::Unknown,
            404 | 409 | 412 | 503 => Self::Refused(answer.status),
            _ => panic!("an answer that no such write should get: {answer:?}"),
        }
    }
}
