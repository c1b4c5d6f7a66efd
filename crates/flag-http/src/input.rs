//! Input: from bytes to words of the core. Whatever is wrong with a body or a query is found in one pass and told in one answer.

mod body;
mod known;
mod members;
mod minimum;
mod path;
mod percent;
mod query;
mod value;

pub(crate) use body::{Body, Shape, read as read_body};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use body::{check_headers, parse as parse_body};
pub(crate) use members::{Members, Optional, Required};
pub(crate) use minimum::MinRevision;
pub(crate) use path::{FlagPath, asked_flag, subject_in_path};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use percent::decode;
pub(crate) use query::{NoParameters, Query, Search, parse as parse_query};
pub(crate) use value::{Attributes, ContextId, Limit, Read, Seconds};
