//! Bytes as what is heard on the channel of a feed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flag_fuzz::announcement::check(bytes));
