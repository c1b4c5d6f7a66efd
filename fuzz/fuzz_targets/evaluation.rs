//! A history of changes, and who asks after it.
#![no_main]

use flag_fuzz::evaluation::{Story, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|story: Story| check(&story));
