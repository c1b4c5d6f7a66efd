//! The header by which whoever has seen a revision asks to be answered no earlier than that.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use flag_core::Revision;

use super::value::Read;
use crate::problem::{Place, Problem};

/// The revision that an answer must have come to, if the request names one in `Flag-Min-Revision`.
pub(crate) struct MinRevision(pub(crate) Option<Revision>);

impl FromRequest for MinRevision {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl MinRevision {
    /// The revision that `request` names.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let mut given = request.headers().get_all("flag-min-revision");
        let Some(value) = given.next() else { return Ok(Self(None)) };
        let fault = |message: String| Problem::fault(Place::Header, "Flag-Min-Revision", message);
        if given.next().is_some() {
            return Err(fault("is given more than once".to_owned()));
        }
        // What is no ASCII is no number.
        let revision = Revision::text(value.to_str().unwrap_or_default()).map_err(fault)?;
        Ok(Self(Some(revision)))
    }
}
