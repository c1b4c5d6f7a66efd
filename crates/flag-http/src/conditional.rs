//! Entity tags and the conditions on them (RFC 9110, section 13): a flag's tag is the revision of its last change.

use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use flag_core::Revision;
use flag_engine::Precondition;

use crate::problem::{Place, Problem};

/// The tag of a flag at `revision`.
pub(crate) fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// What `If-Match` and `If-None-Match` ask for before a write.
pub(crate) fn conditions(headers: &HeaderMap) -> Result<Vec<Precondition>, Problem> {
    let wanted = tags(headers, &IF_MATCH)?.map(|tags| match tags {
        Tags::Any => Precondition::Exists,
        // A weak tag never matches strongly, and a tag that is no revision is the tag of nothing.
        Tags::Listed(tags) => Precondition::RevisionIn(tags.iter().filter_map(Tag::strong).collect()),
    });
    let unwanted = tags(headers, &IF_NONE_MATCH)?.map(|tags| match tags {
        Tags::Any => Precondition::Absent,
        Tags::Listed(tags) => Precondition::RevisionNotIn(tags.iter().filter_map(Tag::revision).collect()),
    });
    Ok(wanted.into_iter().chain(unwanted).collect())
}

/// What the conditions say of reading a flag at `revision`.
pub(crate) fn of_reading(headers: &HeaderMap, revision: Revision) -> Result<Reading, Problem> {
    Ok(match (tags(headers, &IF_MATCH)?, tags(headers, &IF_NONE_MATCH)?) {
        (Some(Tags::Listed(tags)), _) if tags.iter().all(|tag| tag.strong() != Some(revision)) => {
            Reading::Changed
        }
        (_, Some(Tags::Any)) => Reading::Known,
        (_, Some(Tags::Listed(tags))) if tags.iter().any(|tag| tag.revision() == Some(revision)) => {
            Reading::Known
        }
        _ => Reading::Wanted,
    })
}

/// What a client that reads a flag wants, by its conditions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// The flag.
    Wanted,
    /// Nothing: it already has the flag as it is.
    Known,
    /// Only the flag as it was.
    Changed,
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
        if self.strength == Strength::Strong { self.revision() } else { None }
    }

    /// The revision whose tag this is. Tags are compared as texts: `007` is the tag of nothing.
    fn revision(&self) -> Option<Revision> {
        self.text.parse().ok().filter(|revision: &Revision| revision.to_string() == self.text)
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
        let value = value.to_str().map_err(|_| bad())?;
        if value.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        listed.extend(list(value).ok_or_else(bad)?);
    }
    match (given, listed.is_empty()) {
        (false, _) => Ok(None),
        (true, true) => Err(bad()),
        (true, false) => Ok(Some(Tags::Listed(listed))),
    }
}

/// The tags of one header, separated by commas; empty elements are passed over (section 5.6.1.2).
fn list(mut rest: &str) -> Option<Vec<Tag<'_>>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags);
        }
        let (strength, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (Strength::Weak, quoted),
            None => (Strength::Strong, rest),
        };
        let (text, behind) = quoted.strip_prefix('"')?.split_once('"')?;
        tags.push(Tag { text, strength });
        rest = behind.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with(',')) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(rows: &[(HeaderName, &'static str)]) -> HeaderMap {
        rows.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn if_match_is_read_as_the_standard_says() {
        let any_of = |revisions: &[Revision]| Precondition::RevisionIn(revisions.to_vec());
        for (value, expected) in [
            ("*", Precondition::Exists),
            ("\"7\"", any_of(&[7])),
            (" \"7\" , \"8\"", any_of(&[7, 8])),
            ("\"7\",,\t\"8\" ,", any_of(&[7, 8])),
            ("W/\"7\"", any_of(&[])),
            ("\"abc\"", any_of(&[])),
            ("\"a,b\", \"7\"", any_of(&[7])),
            ("\"007\", \"+7\", \"7 \"", any_of(&[])),
        ] {
            assert_eq!(conditions(&headers(&[(IF_MATCH, value)])).unwrap(), [expected], "{value}");
        }
        for value in ["7", "\"7", "\"7\" \"8\"", "", ",", "x\"7\"", "w/\"7\"", "*, \"7\""] {
            assert!(conditions(&headers(&[(IF_MATCH, value)])).is_err(), "{value}");
        }
        assert_eq!(conditions(&HeaderMap::new()).unwrap(), []);
    }

    #[test]
    fn both_conditions_of_a_write_have_to_hold() {
        let rows = [(IF_MATCH, "*"), (IF_NONE_MATCH, "\"7\", W/\"8\"")];
        let expected = [Precondition::Exists, Precondition::RevisionNotIn(vec![7, 8])];
        assert_eq!(conditions(&headers(&rows)).unwrap(), expected);
        assert_eq!(conditions(&headers(&[(IF_NONE_MATCH, "*")])).unwrap(), [Precondition::Absent]);
    }

    #[test]
    fn whoever_reads_gets_what_it_lacks() {
        for (name, value, expected) in [
            (IF_NONE_MATCH, "\"6\"", Reading::Wanted),
            (IF_NONE_MATCH, "\"7\"", Reading::Known),
            (IF_NONE_MATCH, "W/\"7\"", Reading::Known),
            (IF_NONE_MATCH, "*", Reading::Known),
            (IF_MATCH, "\"7\"", Reading::Wanted),
            (IF_MATCH, "*", Reading::Wanted),
            (IF_MATCH, "\"6\"", Reading::Changed),
            (IF_MATCH, "W/\"7\"", Reading::Changed),
        ] {
            assert_eq!(of_reading(&headers(&[(name, value)]), 7).unwrap(), expected, "{value}");
        }
        assert_eq!(of_reading(&HeaderMap::new(), 7).unwrap(), Reading::Wanted);
        let both = headers(&[(IF_MATCH, "\"6\""), (IF_NONE_MATCH, "\"7\"")]);
        assert_eq!(of_reading(&both, 7).unwrap(), Reading::Changed);
    }
}
