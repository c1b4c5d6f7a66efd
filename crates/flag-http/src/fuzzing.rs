//! The door for the fuzzer in this repository: how input is read, without a server around it. No part of the interface, and
//! closed unless the feature `fuzzing` is on.

use actix_web::ResponseError;
use actix_web::body::MessageBody;
use actix_web::http::Uri;
use actix_web::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH,
};
use flag_core::{Description, FlagKey, Level, Percentage, Revision, SubjectId};
use flag_engine::Precondition;
use garde::Validate;

use crate::access::Access;
use crate::conditional;
use crate::input::{
    self, Attributes, ContextId, Limit, Members, Optional, Required, Search, Shape, check_headers,
};
use crate::problem::Problem;

/// A refusal as a client would get it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The problem document.
    pub document: Vec<u8>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let response = problem.error_response();
        let status = response.status().as_u16();
        let document = response.into_body().try_into_bytes().unwrap_or_default();
        Self { status, document: document.to_vec() }
    }
}

/// A body or a query with a member of every kind that routes read.
#[derive(Validate)]
struct Everything {
    #[garde(dive)]
    key: Required<FlagKey>,
    #[garde(dive)]
    enabled: Required<bool>,
    #[garde(dive)]
    description: Optional<Description>,
    #[garde(dive)]
    rollout_pct: Optional<Percentage>,
    #[garde(dive)]
    user_id: Optional<SubjectId>,
    #[garde(dive)]
    group_id: Optional<ContextId>,
    #[garde(dive)]
    attributes: Optional<Attributes>,
    #[garde(dive)]
    level: Optional<Level>,
    #[garde(dive)]
    limit: Optional<Limit>,
    #[garde(dive)]
    cursor: Optional<Revision>,
    #[garde(dive)]
    q: Optional<String>,
}

impl Shape for Everything {
    fn take(members: &mut Members<'_>) -> Self {
        Self {
            key: members.required("key"),
            enabled: members.required("enabled"),
            description: members.optional("description"),
            rollout_pct: members.optional("rolloutPct"),
            user_id: members.optional("userId"),
            group_id: members.optional("groupId"),
            attributes: members.optional("attributes"),
            level: members.optional("level"),
            limit: members.optional("limit"),
            cursor: members.optional("cursor"),
            q: members.optional("q"),
        }
    }
}

impl Search for Everything {
    fn take(members: &mut Members<'_>) -> Self {
        Shape::take(members)
    }
}

/// What was read, each member in words of the core; absent ones are left out.
pub type Found = Vec<(&'static str, String)>;

impl Everything {
    fn found(self) -> Result<Found, Problem> {
        let required =
            [("key", self.key.get()?.as_str().to_owned()), ("enabled", self.enabled.get()?.to_string())];
        let optional = [
            ("description", self.description.get().map(|text| text.as_str().to_owned())),
            ("rolloutPct", self.rollout_pct.get().map(|share| share.to_string())),
            ("userId", self.user_id.get().map(|id| id.as_str().to_owned())),
            ("groupId", self.group_id.get().map(|id| id.0)),
            ("attributes", self.attributes.get().map(|_| String::new())),
            ("level", self.level.get().map(|level| level.name().to_owned())),
            ("limit", self.limit.get().map(|limit| limit.0.to_string())),
            ("cursor", self.cursor.get().map(|revision| revision.to_string())),
            ("q", self.q.get()),
        ];
        let optional = optional.into_iter().filter_map(|(name, text)| Some((name, text?)));
        Ok(required.into_iter().chain(optional).collect())
    }
}

/// Reads a body with a member of every kind.
///
/// # Errors
/// [`Refusal`] with every fault.
pub fn body(bytes: &[u8]) -> Result<Found, Refusal> {
    Ok(input::parse_body::<Everything>(bytes).and_then(Everything::found)?)
}

/// Reads a query with a parameter of every kind.
///
/// # Errors
/// [`Refusal`] with every fault.
pub fn query(text: &str) -> Result<Found, Refusal> {
    Ok(input::parse_query::<Everything>(text).and_then(Everything::found)?)
}

/// Reads what is percent-encoded, as in a path.
#[must_use]
pub fn percent_decode(encoded: &str) -> Option<String> {
    input::decode(encoded)
}

/// Reads `If-Match` and `If-None-Match`; a value that no header can have counts as absent.
///
/// # Errors
/// [`Refusal`] of a header that cannot be read.
pub fn conditions(if_match: &[u8], if_none_match: &[u8]) -> Result<Vec<Precondition>, Refusal> {
    let headers = headers(&[(IF_MATCH, if_match), (IF_NONE_MATCH, if_none_match)]);
    // What a reader would do with them must not fail otherwise.
    let reading = conditional::of_reading(&headers, 7).map(|_| ());
    let found = conditional::conditions(&headers);
    debug_assert_eq!(reading.is_ok(), found.is_ok(), "{headers:?}");
    Ok(found?)
}

/// Judges `Content-Type` and `Content-Length` before a body.
///
/// # Errors
/// [`Refusal`] of what is no JSON or too long.
pub fn body_headers(content_type: &[u8], content_length: &[u8]) -> Result<(), Refusal> {
    let headers = headers(&[(CONTENT_TYPE, content_type), (CONTENT_LENGTH, content_length)]);
    Ok(check_headers(&headers, <Everything as Shape>::LIMIT)?)
}

/// Judges `Host` where there is no token.
///
/// # Errors
/// [`Refusal`] of a name that is not this machine's.
pub fn host(host: &[u8]) -> Result<(), Refusal> {
    Ok(Access::Loopback.check(&Uri::default(), &headers(&[(HOST, host)]))?)
}

fn headers(rows: &[(HeaderName, &[u8])]) -> HeaderMap {
    let row =
        |(name, value): &(HeaderName, &[u8])| Some((name.clone(), HeaderValue::from_bytes(value).ok()?));
    rows.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_leads_to_what_routes_read() {
        let rest = r#""enabled":true,"rolloutPct":5e1,"groupId":"","attributes":{}"#;
        let found = body(format!(r#"{{"key":"a",{rest}}}"#).as_bytes()).unwrap();
        let text = |name| found.iter().find(|(found, _)| *found == name).map(|(_, text)| text.as_str());
        assert_eq!((text("key"), text("rolloutPct"), text("userId")), (Some("a"), Some("50"), None));
        assert_eq!(query("key=a&enabled=true&key=b").unwrap_err().status, 400);
        assert_eq!(percent_decode("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(conditions(b"*", b"\n").unwrap(), [Precondition::Exists]);
        assert_eq!(body_headers(b"text/plain", b"1").unwrap_err().status, 415);
        assert_eq!(host(b"example.com").unwrap_err().status, 403);
    }
}
