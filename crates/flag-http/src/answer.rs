//! Answers: JSON with the revision that they speak of.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use flag_core::{Flag, Revision};
use flag_engine::document::FlagDocument;
use serde::Serialize;

use crate::conditional;

/// The header that says at which revision an answer was given.
pub(crate) const FLAG_REVISION: HeaderName = HeaderName::from_static("flag-revision");

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, revision: Revision, body: &impl Serialize) -> HttpResponse {
    without_store(status, revision).json(body)
}

/// The beginning of an answer that nobody may keep.
pub(crate) fn without_store(status: StatusCode, revision: Revision) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((FLAG_REVISION, HeaderValue::from(revision)));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response
}

/// The beginning of an answer about a part of `flag`. A part has no tag of its own: conditions on it are conditions on its flag.
pub(crate) fn part(status: StatusCode, revision: Revision, flag: &Flag) -> HttpResponseBuilder {
    let mut response = without_store(status, revision);
    response.insert_header((ETAG, conditional::etag(flag.revision)));
    response
}

/// A flag, with its revision as its entity tag.
pub(crate) fn flag(status: StatusCode, revision: Revision, flag: &Flag) -> HttpResponse {
    tagged(status, revision, flag).json(FlagDocument::from(flag))
}

/// The answer to whoever already has the flag as it is.
pub(crate) fn known(revision: Revision, flag: &Flag) -> HttpResponse {
    tagged(StatusCode::NOT_MODIFIED, revision, flag).finish()
}

fn tagged(status: StatusCode, revision: Revision, flag: &Flag) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((FLAG_REVISION, revision));
    // A client may keep the answer, but has to ask whether it still holds.
    response.insert_header((CACHE_CONTROL, "no-cache"));
    response.insert_header((ETAG, conditional::etag(flag.revision)));
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode, revision: Revision) -> HttpResponse {
    HttpResponse::build(status).insert_header((FLAG_REVISION, revision)).finish()
}
