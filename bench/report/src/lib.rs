//! What every benchmark needs to write down what it measured.

pub mod machine;
pub mod number;
pub mod section;
