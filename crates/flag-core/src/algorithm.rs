//! The name of everything that an answer follows from.

/// The id of the algorithm that this crate evaluates by: hashing, bucketing, the reading of percentages and the ladder, as
/// `docs/evaluation.md` writes them down.
///
/// Snapshots carry it when they are written down, so that a reader which evaluates otherwise refuses them instead of
/// answering differently. Whatever moves a single answer needs another id and other golden vectors.
pub const ALGORITHM: &str = "xxh64-100k/1";
