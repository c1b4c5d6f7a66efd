//! Bytes as a file that a node keeps on its disk.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flag_fuzz::disk_file::check(bytes));
