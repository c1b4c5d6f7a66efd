//! What each fuzzing target holds its input against. A target is one line; what it checks is here, where it can be tested and
//! read without a fuzzer.
#![allow(clippy::unwrap_used, reason = "a broken promise should stop the fuzzer where it was broken")]

pub mod announcement;
pub mod disk_file;
pub mod entry_document;
pub mod evaluation;
pub mod http_input;
pub mod ladder;
pub mod percentage;
pub mod snapshot_document;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};

    use super::*;

    /// Runs a check on every file of the corpus of a target.
    fn replay(target: &str, check: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut inputs = 0;
        for entry in fs::read_dir(folder).unwrap() {
            check(&fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{target} has no corpus");
    }

    #[test]
    fn every_input_of_the_corpus_keeps_the_promises() {
        replay("snapshot_document", snapshot_document::check);
        replay("disk_file", disk_file::check);
        replay("entry_document", entry_document::check);
        replay("percentage", percentage::check);
        replay("announcement", announcement::check);
        replay("http_input", http_input::check);
        replay("evaluation", |bytes| {
            if let Ok(story) = evaluation::Story::arbitrary_take_rest(Unstructured::new(bytes)) {
                evaluation::check(&story);
            }
        });
    }
}
