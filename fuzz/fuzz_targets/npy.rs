//! A .npy as features and as labels.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| zoologist_fuzz::array("f.npy", bytes));
