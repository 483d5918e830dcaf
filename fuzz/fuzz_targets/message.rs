//! A line of a worker.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zoologist::extract::worker::Message;

fuzz_target!(|line: &[u8]| {
    if let Ok(Message::Ready(found)) = serde_json::from_slice::<Message>(line) {
        let sum: usize = if found.is_sound() { found.layers.iter().map(|layer| layer.dim).sum() } else { found.dim };
        assert_eq!(sum, found.dim);
    }
});
