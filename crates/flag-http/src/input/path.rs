//! Names in paths.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use flag_core::{FlagKey, SubjectId};

use super::percent;
use crate::problem::{Code, Place, Problem};

/// The flag that a path names.
pub(crate) struct FlagPath(pub(crate) FlagKey);

impl FromRequest for FlagPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl FlagPath {
    /// The flag that the path of `request` names, whether or not its route was looked up.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let text = request.match_info().get("key").or_else(|| asked_flag(request.uri().path()));
        let key = text.and_then(|text| text.parse().ok()).map(Self);
        // A name that no flag can have is not invalid input: there just is no such flag.
        key.ok_or_else(|| Problem::new(Code::FlagNotFound, "no flag can have the key that the path names"))
    }
}

/// The flag that is asked about by a path in which nothing is encoded; nothing if it is another path.
pub(crate) fn asked_flag(path: &str) -> Option<&str> {
    let key = path.strip_prefix("/features/")?.strip_suffix("/evaluate")?;
    (!key.is_empty() && !key.bytes().any(|byte| matches!(byte, b'/' | b'%'))).then_some(key)
}

/// The subject that is the last segment of the path. It is decoded here, from the bytes that were sent, because an id may
/// hold anything: slashes, percent signs, emoji.
pub(crate) fn subject_in_path(request: &HttpRequest, field: &str) -> Result<SubjectId, Problem> {
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    let text = percent::decode(segment);
    let text = text.ok_or_else(|| Problem::fault(Place::Path, field, percent::FAULT))?;
    SubjectId::parse(&text).map_err(|invalid| Problem::fault(Place::Path, field, invalid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_told_by_both_ends_of_its_path() {
        for (path, key) in [
            ("/features/a/evaluate", Some("a")),
            ("/features/evaluate/evaluate", Some("evaluate")),
            ("/features/a.b-c_d/evaluate", Some("a.b-c_d")),
            ("/features//evaluate", None),
            ("/features/evaluate", None),
            ("/features/a/b/evaluate", None),
            ("/features/a%2Db/evaluate", None),
            ("/features/a/evaluate/", None),
            ("/environments/default/features/a/evaluate", None),
        ] {
            assert_eq!(asked_flag(path), key, "{path}");
        }
    }
}
