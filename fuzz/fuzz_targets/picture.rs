//! A picture file of any format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zoologist::extract::picture::decode;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = decode(bytes) {
        assert_eq!(picture.pixels().len(), picture.width() as usize * picture.height() as usize * 3);
    }
});
