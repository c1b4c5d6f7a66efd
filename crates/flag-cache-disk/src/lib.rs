//! What a node keeps on its own disk: [`DiskSource`] keeps the last snapshot that the store confirmed, and starts from it
//! while the store cannot be asked.
//!
//! A file of its own holds each snapshot, sealed with a checksum ([`mod@file`]). They are never asked to answer an evaluation and
//! need not be backed up: what is missing there is written anew, and what is damaged is passed over.

pub mod file;
mod generations;
mod keeper;
mod source;

pub use source::DiskSource;
