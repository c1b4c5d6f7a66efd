//! Entity tags and the conditions on them (RFC 9110, section 13): a flag's tag is the revision of its last change.

use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use flag_core::Revision;
use flag_engine::Precondition;

use crate::problem::{Place, Problem};

/// The tag of a flag at `revision`.
pub(crate) fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// What `If-Match` asks for, if it is there.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Precondition>, Problem> {
    Ok(tags(headers, &IF_MATCH)?.map(|tags| match tags {
        Tags::Any => Precondition::Exists,
        // A weak tag never matches strongly, and a tag that is no revision is the tag of nothing.
        Tags::Listed(tags) => Precondition::RevisionIn(tags.iter().filter_map(Tag::strong).collect()),
    }))
}

/// Whether `If-None-Match` says that the client already has the flag at `revision`.
pub(crate) fn is_known(headers: &HeaderMap, revision: Revision) -> Result<bool, Problem> {
    Ok(match tags(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Listed(tags)) => tags.iter().any(|tag| tag.text.parse() == Ok(revision)),
    })
}

enum Tags<'a> {
    Any,
    Listed(Vec<Tag<'a>>),
}

struct Tag<'a> {
    text: &'a str,
    strength: Strength,
}

#[derive(PartialEq)]
enum Strength {
    Strong,
    Weak,
}

impl Tag<'_> {
    fn strong(&self) -> Option<Revision> {
        if self.strength == Strength::Strong { self.text.parse().ok() } else { None }
    }
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Tags<'a>>, Problem> {
    let bad = || {
        let title = if *name == IF_MATCH { "If-Match" } else { "If-None-Match" };
        Problem::fault(
            Place::Header,
            title,
            "must be `*` or a list of entity tags, such as \"7\" with its quotes",
        )
    };
    let mut listed = Vec::new();
    let mut given = false;
    for value in headers.get_all(name) {
        given = true;
        let value = value.to_str().map_err(|_| bad())?.trim();
        if value == "*" {
            return Ok(Some(Tags::Any));
        }
        for item in value.split(',').map(str::trim) {
            let (strength, quoted) = match item.strip_prefix("W/") {
                Some(rest) => (Strength::Weak, rest),
                None => (Strength::Strong, item),
            };
            let text = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let text = text.filter(|text| !text.contains('"')).ok_or_else(bad)?;
            listed.push(Tag { text, strength });
        }
    }
    Ok(given.then_some(Tags::Listed(listed)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn condition(value: &'static str) -> Result<Option<Precondition>, Problem> {
        if_match(&[(IF_MATCH, HeaderValue::from_static(value))].into_iter().collect())
    }

    #[test]
    fn if_match_is_read_as_the_standard_says() {
        let any_of = |revisions: &[Revision]| Some(Precondition::RevisionIn(revisions.to_vec()));
        for (value, expected) in [
            ("*", Some(Precondition::Exists)),
            ("\"7\"", any_of(&[7])),
            (" \"7\" , \"8\"", any_of(&[7, 8])),
            ("W/\"7\"", any_of(&[])),
            ("\"abc\"", any_of(&[])),
        ] {
            assert_eq!(condition(value).unwrap(), expected, "{value}");
        }
        for value in ["7", "\"7", "\"7\" \"8\"", "", "\"7\",", "x\"7\""] {
            assert!(condition(value).is_err(), "{value}");
        }
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
    }
}
