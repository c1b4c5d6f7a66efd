//! Writes that may be repeated: the key that a client gives them, what tells two requests apart, and how an answer is kept.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use flag_core::Snapshot;
use flag_engine::{Fingerprint, IdempotencyKey, Repeatable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::problem::{Code, Place, Problem};

/// The header that names a write.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The digest of a body, beside a request that bears a key. A request without a body has none.
struct BodyDigest([u8; 32]);

/// Notes what the body of a write is, if the write bears a key: nobody sees its bytes later.
pub(crate) fn note_body(request: &HttpRequest, body: &[u8]) {
    if request.headers().contains_key(IDEMPOTENCY_KEY) {
        request.extensions_mut().insert(BodyDigest(Sha256::digest(body).into()));
    }
}

/// What makes the write that `request` asks for repeatable, if it bears a key.
pub(crate) fn repeatable(
    request: &HttpRequest,
    answer: &Arc<dyn Fn(&Snapshot) -> HttpResponse + Send + Sync>,
) -> Result<Option<Repeatable>, Problem> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    let fault = |message: &dyn std::fmt::Display| Problem::fault(Place::Header, "Idempotency-Key", message);
    if values.next().is_some() {
        return Err(fault(&"must be given once"));
    }
    let key = IdempotencyKey::parse(value.as_bytes()).map_err(|invalid| fault(&invalid))?;
    let answer = Arc::clone(answer);
    let answering = Arc::new(move |after: &Snapshot| write_down(answer(after)));
    Ok(Some(Repeatable { key, fingerprint: fingerprint(request), answering }))
}

/// A digest of method, path and body.
fn fingerprint(request: &HttpRequest) -> Fingerprint {
    let mut digest = Sha256::new();
    for part in [request.method().as_str(), request.uri().path()] {
        // Neither can hold a line break, so that no two requests have the same text.
        digest.update(part);
        digest.update("\n");
    }
    if let Some(BodyDigest(body)) = request.extensions().get() {
        digest.update(body);
    }
    digest.finalize().into()
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn write_down(response: HttpResponse) -> Vec<u8> {
    let status = response.status().as_u16();
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = response.headers().iter().filter_map(header).collect();
    // Answers to writes are made whole and are JSON or nothing: there is always a body to take, and it is text.
    let body = response.into_body().try_into_bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    serde_json::to_vec(&Kept { status, headers, body }).unwrap_or_default()
}

/// The answer that was kept, marked as one of an earlier request.
pub(crate) fn replay(kept: &[u8]) -> Result<HttpResponse, Problem> {
    let unreadable = || Problem::new(Code::Internal, "the answer that was kept cannot be read");
    let Kept { status, headers, body } = serde_json::from_slice(kept).map_err(|_| unreadable())?;
    let mut response = HttpResponse::build(StatusCode::from_u16(status).map_err(|_| unreadable())?);
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    response.insert_header((REPLAYED, "true"));
    Ok(if body.is_empty() { response.finish() } else { response.body(body) })
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn method_path_and_body_tell_requests_apart_and_headers_do_not() {
        let request = |request: TestRequest, body: Option<&str>| {
            let request = request.insert_header((IDEMPOTENCY_KEY, "k")).to_http_request();
            body.inspect(|body| note_body(&request, body.as_bytes()));
            fingerprint(&request)
        };
        let one = request(TestRequest::post().uri("/features"), Some("{}"));
        let with_header = TestRequest::post().uri("/features").insert_header(("flag-author", "ann"));
        assert_eq!(request(with_header, Some("{}")), one);
        for other in [
            request(TestRequest::patch().uri("/features"), Some("{}")),
            request(TestRequest::post().uri("/features/a"), Some("{}")),
            request(TestRequest::post().uri("/features"), Some("{ }")),
            request(TestRequest::post().uri("/features"), None),
        ] {
            assert_ne!(other, one);
        }
    }

    #[actix_web::test]
    async fn what_is_kept_is_answered_again_and_marked() {
        let first = || {
            let mut response = HttpResponse::Created();
            response.insert_header(("flag-revision", "7")).insert_header(("location", "/features/a"));
            response.json(serde_json::json!({"key": "ü"}))
        };
        let again = replay(&write_down(first())).unwrap();
        assert_eq!(again.status(), 201);
        for (name, value) in first().headers() {
            assert_eq!(again.headers().get(name), Some(value));
        }
        assert_eq!(again.headers().get(REPLAYED).unwrap(), "true");
        assert_eq!(to_bytes(again.into_body()).await.unwrap(), "{\"key\":\"ü\"}");
        assert_eq!(replay(&write_down(HttpResponse::NoContent().finish())).unwrap().status(), 204);
        for kept in ["", "{}", r#"{"status":1,"headers":[],"body":""}"#] {
            assert_eq!(replay(kept.as_bytes()).unwrap_err().code, Code::Internal, "{kept}");
        }
    }
}
