//! The REST interface: requests become changes and questions, answers become JSON, and every failure a problem document.
//!
//! A request passes `middleware` (request id and log, problems, access), is read by `input` into words of the core, and
//! answered by one function in `routes`. This crate knows neither a database nor a cache: it speaks to the engine.

mod access;
mod answer;
mod conditional;
mod connections;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod leaving;
mod meters;
mod middleware;
mod node;
mod openapi;
mod problem;
mod repeat;
mod request_id;
mod route_meters;
mod routes;
mod server;
mod telemetry;
mod worker;

pub use access::{Access, AdminToken, InvalidToken};
pub use connections::Connections;
pub use leaving::Leaving;
pub use node::Node;
pub use openapi::document as openapi;
pub use routes::pages::Pages;
pub use server::{Limits, serve};
pub use telemetry::Telemetry;
