//! Bytes as the text of a percentage.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flag_fuzz::percentage::check(bytes));
