//! A JSONL table.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| zoologist_fuzz::table("t.jsonl", bytes));
