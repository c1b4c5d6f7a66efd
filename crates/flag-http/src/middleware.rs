//! What every request passes, outermost first: [`trace`], [`rescue`], [`admission`], [`head`].

pub(crate) mod admission;
pub(crate) mod environment;
pub(crate) mod head;
pub(crate) mod rescue;
pub(crate) mod trace;
