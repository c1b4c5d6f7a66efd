//! Failures as RFC 9457 problem documents: a stable code, what happened, and every fault of the input with its place.

mod code;

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use flag_core::{FlagKey, Rejection, Revision};
use flag_engine::{ApplyError, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use code::Code;

use crate::answer::FLAG_REVISION;
use crate::conditional::etag;

/// The type of a problem document.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Where a fault lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    Body,
    Query,
    Path,
    Header,
}

/// One thing that is wrong with the input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Where it lies.
    #[serde(rename = "in")]
    pub(crate) place: Place,
    /// The name of the member, parameter or header.
    #[schema(example = "rolloutPct")]
    pub(crate) field: String,
    /// What is wrong with it; reads after the name.
    #[schema(example = "must be between 0 and 100")]
    pub(crate) message: String,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: Box<str>,
    errors: Box<[Fault]>,
    retry_after: Option<u32>,
    allow: Option<HeaderValue>,
    /// The revision of the flag as it is, where a condition on it did not hold.
    found: Option<Revision>,
    /// The revision that was looked at, where the flags decided.
    seen: Option<Revision>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Box<str>>) -> Self {
        let (errors, retry_after, allow, found, seen) = (Box::default(), None, None, None, None);
        Self { code, detail: detail.into(), errors, retry_after, allow, found, seen }
    }

    /// The problem with all of `errors`.
    pub(crate) fn invalid(errors: Vec<Fault>) -> Self {
        let texts: Vec<String> =
            errors.iter().map(|fault| format!("`{}` {}", fault.field, fault.message)).collect();
        Self { errors: errors.into(), ..Self::new(Code::InvalidInput, texts.join("; ")) }
    }

    /// The problem with one field.
    pub(crate) fn fault(place: Place, field: &str, message: impl fmt::Display) -> Self {
        Self::invalid(vec![Fault { place, field: field.to_owned(), message: message.to_string() }])
    }

    /// The problem with a flag whose rows cannot be read. Why, the log of the node tells: it may repeat what the rows hold.
    pub(crate) fn unreadable(key: &FlagKey) -> Self {
        let detail = format!("what the store holds of flag {key} cannot be read; an operator has to look");
        Self::new(Code::FlagUnreadable, detail)
    }

    /// Says after how many seconds it is worth trying again.
    pub(crate) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Says at which revision it is so.
    pub(crate) fn seen_at(self, revision: Revision) -> Self {
        Self { seen: Some(revision), ..self }
    }

    /// Says which methods the route knows.
    pub(crate) fn allow(self, methods: Option<HeaderValue>) -> Self {
        Self { allow: methods, ..self }
    }
}

/// A problem document.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// Identifies the kind of problem.
    #[schema(example = "urn:flag:problem:invalid_input")]
    r#type: String,
    /// What the kind of problem is, for people.
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What happened here, for people.
    detail: &'a str,
    /// The kind of problem, for programs.
    #[schema(example = "invalid_input")]
    code: &'a str,
    /// Every fault of the input.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let document = ProblemDocument {
            r#type: format!("urn:flag:problem:{}", self.code.name()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.name(),
            errors: &self.errors,
        };
        let mut response = HttpResponse::build(self.code.status());
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((ALLOW, methods.clone()));
        }
        if let Some(revision) = self.found {
            response.insert_header((ETAG, etag(revision)));
        }
        if let Some(revision) = self.seen {
            response.insert_header((FLAG_REVISION, revision));
        }
        if self.code == Code::Unauthorized {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        response.insert_header((CONTENT_TYPE, MEDIA_TYPE));
        // Texts and numbers only: there is nothing in it that cannot be written.
        let mut response = response.body(serde_json::to_string(&document).unwrap_or_default());
        // For the log, which does not read bodies.
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let code = match &rejection {
            Rejection::FlagUnreadable(key) => return Self::unreadable(key),
            Rejection::FlagNotFound(_) => Code::FlagNotFound,
            Rejection::FlagExists(_) => Code::FlagExists,
            Rejection::OverrideNotFound { .. } => Code::OverrideNotFound,
            Rejection::OutOfOrder { .. } | Rejection::NoEffect(_) => Code::Internal,
        };
        Self::new(code, rejection.to_string())
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Rejected(rejection) => rejection.into(),
            ApplyError::PreconditionFailed { found: Some(revision) } => {
                let problem =
                    Self::new(Code::PreconditionFailed, format!("the flag is at revision {revision}"));
                Self { found: Some(revision), ..problem }
            }
            ApplyError::PreconditionFailed { found: None } => {
                Self::new(Code::PreconditionFailed, "there is no such flag yet")
            }
            ApplyError::Unavailable => {
                Self::new(Code::StoreUnavailable, "nothing was changed; try again shortly").retry_after(1)
            }
            ApplyError::Uncertain => Self::new(
                Code::OutcomeUnknown,
                "the store went silent during the commit, so the change may have been made; look before trying again",
            )
            .retry_after(1),
            ApplyError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "this `Idempotency-Key` was given to a request with another method, path or body",
            ),
            ApplyError::ReceiptsFull => Self::new(
                Code::IdempotencyKeysExhausted,
                "nothing was changed; write without an `Idempotency-Key`, or wait until older ones are 24 hours old",
            )
            .retry_after(60),
            ApplyError::Overloaded => Self::new(Code::Overloaded, "nothing was changed; try again shortly").retry_after(1),
        }
    }
}

impl From<StoreError> for Problem {
    /// The cause was logged by the engine; a client learns only that it is not its own fault.
    fn from(_: StoreError) -> Self {
        Self::new(Code::StoreUnavailable, "the log cannot be read at present").retry_after(1)
    }
}
