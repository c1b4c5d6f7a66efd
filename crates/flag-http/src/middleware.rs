//! What every request passes, outermost first: [`trace`], [`rescue`], [`admission`].

pub(crate) mod admission;
pub(crate) mod environment;
pub(crate) mod rescue;
pub(crate) mod trace;
