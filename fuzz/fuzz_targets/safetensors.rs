//! A .safetensors as features, as labels and as statistics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| zoologist_fuzz::array("f.safetensors", bytes));
