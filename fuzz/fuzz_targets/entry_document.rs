//! Bytes as a line of the log.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flag_fuzz::entry_document::check(bytes));
