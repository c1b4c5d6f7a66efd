//! Bytes as a snapshot document.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flag_fuzz::snapshot_document::check(bytes));
