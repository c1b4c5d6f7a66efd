//! Bodies: JSON of a bounded size and depth, read in bounded time.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use garde::{Report, Validate};

use super::members::Members;
use crate::problem::{Code, Problem};
use crate::repeat::note_body;

/// How long the whole body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// How deep JSON may be nested.
const DEEPEST: usize = 64;

/// What a body can be read into.
pub(crate) trait Shape: Validate<Context = ()> {
    /// The largest body, in bytes.
    const LIMIT: usize = 1024 * 1024;

    /// Notes what a write is recognised by when it is repeated. A question has nothing to note.
    fn note(request: &HttpRequest, bytes: &[u8]) {
        note_body(request, bytes);
    }

    /// Takes every member that the shape knows.
    fn take(members: &mut Members<'_>) -> Self;
}

/// A body that was read and found valid.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: Shape + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { read(&request, payload).await.map(Self) })
    }
}

/// Reads the body of `request`, which `payload` brings.
pub(crate) async fn read<T: Shape>(request: &HttpRequest, payload: Payload) -> Result<T, Problem> {
    check_headers(request.headers(), T::LIMIT)?;
    let bytes = receive(payload, T::LIMIT).await?;
    T::note(request, &bytes);
    parse(&bytes)
}

pub(crate) fn check_headers(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let media_type = text(CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let found = if headers.contains_key(CONTENT_TYPE) { "names another type" } else { "is missing" };
        let detail = format!(
            "the header `Content-Type` {found}; send a JSON object, at least {{}}, with `Content-Type: application/json`"
        );
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    if text(CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Problem::new(Code::UnsupportedMediaType, "send the body without a `Content-Encoding`"));
    }
    match text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        _ => Ok(()),
    }
}

async fn receive(payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = pin!(join(payload, limit));
    // A small body comes with its head, and is handed on between the first time that it is asked for and the second. Only for
    // one that is on its way even then, a timer is worth its price and its room.
    let mut looked = 0;
    let at_hand = poll_fn(|context| match whole.as_mut().poll(context) {
        Poll::Ready(received) => Poll::Ready(Some(received)),
        Poll::Pending if looked == 1 => Poll::Ready(None),
        Poll::Pending => {
            looked += 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match at_hand.await {
        Some(received) => received,
        None => Box::pin(tokio::time::timeout(PATIENCE, whole)).await.unwrap_or_else(|_| {
            let detail = format!("no whole body within {} s", PATIENCE.as_secs());
            Err(Problem::new(Code::RequestTimeout, detail))
        }),
    }
}

/// Puts the portions together in which a body arrives. Nearly always there is one, which is then taken as it is:
/// `to_bytes_limited` of the framework would copy it into a buffer of 32 KiB.
async fn join(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let (mut first, mut joined) = (Bytes::new(), Vec::new());
    while let Some(portion) = payload.next().await {
        let portion = portion.map_err(|_| cut_short())?;
        if first.len() + joined.len() + portion.len() > limit {
            return Err(too_large(limit));
        }
        if first.is_empty() && joined.is_empty() {
            first = portion;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&portion);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.into() })
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("the body may have at most {limit} bytes"))
}

fn cut_short() -> Problem {
    Problem::new(Code::BadRequest, "the body broke off")
}

pub(crate) fn parse<T: Shape>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Problem::new(Code::MalformedJson, format!("the body is not UTF-8: byte {at} does not belong"))
    })?;
    if text.trim_ascii().is_empty() {
        let detail = "the body is empty; send a JSON object, at least {}";
        return Err(Problem::new(Code::MalformedJson, detail));
    }
    if is_too_deep(text) {
        return Err(Problem::new(Code::InvalidInput, format!("the body is nested more than {DEEPEST} deep")));
    }
    let mut members = Members::of_object(text)?;
    let shape = T::take(&mut members);
    members.finish(shape.validate().err().unwrap_or_else(Report::new))?;
    Ok(shape)
}

/// Counts brackets outside strings, before any parser recurses on them.
fn is_too_deep(text: &str) -> bool {
    // What has few brackets at all cannot be deep; this count takes many bytes at once, the one below does not.
    if text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() <= DEEPEST {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_only() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(&nested(64)));
        assert!(is_too_deep(&nested(65)));
        assert!(!is_too_deep(&format!("{:?}", "[".repeat(100))));
        assert!(!is_too_deep(&"[]".repeat(100)));
        assert!(is_too_deep(&format!(r#"["\"",{}"#, "[".repeat(64))));
    }
}
