//! Input: from bytes to words of the core. Whatever is wrong with a body or a query is found in one pass and told in one answer.

mod body;
mod members;
mod path;
mod percent;
mod query;
mod value;

pub(crate) use body::{Body, Shape};
pub(crate) use members::{Members, Optional, Required};
pub(crate) use path::{FlagPath, subject_in_path};
pub(crate) use query::{NoParameters, Query, Search};
pub(crate) use value::{Attributes, ContextId, Limit, Read};
