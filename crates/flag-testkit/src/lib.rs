//! Generators, models, contract suites and private datastores for tests.

pub mod services;
