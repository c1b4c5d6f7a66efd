//! Queries: the parameters of lists.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use garde::{Report, Validate};

use super::members::Members;
use crate::problem::Problem;

/// What a query can be read into.
pub(crate) trait Search: Validate<Context = ()> {
    /// Takes every parameter that the search knows.
    fn take(members: &mut Members<'_>) -> Self;
}

/// A query that was read and found valid.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Search> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

/// The search of a route that knows no parameter: a misspelt one must not be passed over in silence.
#[derive(Validate)]
pub(crate) struct NoParameters {}

impl Search for NoParameters {
    fn take(_: &mut Members<'_>) -> Self {
        Self {}
    }
}

pub(crate) fn parse<T: Search>(text: &str) -> Result<T, Problem> {
    let mut members = Members::of_query(text);
    let search = T::take(&mut members);
    members.finish(search.validate().err().unwrap_or_else(Report::new))?;
    Ok(search)
}
