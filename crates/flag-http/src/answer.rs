//! Answers: JSON with the revision that they speak of.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName};
use flag_core::{Flag, Revision};
use flag_engine::document::FlagDocument;
use serde::Serialize;

use crate::conditional;

/// The header that says at which revision an answer was given.
pub(crate) const FLAG_REVISION: HeaderName = HeaderName::from_static("flag-revision");

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, revision: Revision, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((FLAG_REVISION, revision))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}

/// A flag, with its revision as its entity tag.
pub(crate) fn flag(status: StatusCode, revision: Revision, flag: &Flag) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((FLAG_REVISION, revision));
    // A client may keep the answer, but has to ask whether it still holds.
    response.insert_header((CACHE_CONTROL, "no-cache"));
    response.insert_header((ETAG, conditional::etag(flag.revision)));
    response.json(FlagDocument::from(flag))
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode, revision: Revision) -> HttpResponse {
    HttpResponse::build(status).insert_header((FLAG_REVISION, revision)).finish()
}
