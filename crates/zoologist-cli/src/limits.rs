//! Options that limit what a worker process may use.

use std::time::Duration;

use clap::Args;
use zoologist::extract::Limits;

/// What a worker process may use.
#[derive(Args)]
pub struct LimitOptions {
    /// Memory of a worker process, for example 800MiB or 4GiB; a model that needs more fails [default: 80% of what is
    /// available; for a look at a model what its files justify, from 208 MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Longest time from one sign of progress of a worker to the next; a model that takes longer fails [default: 600; for
    /// a look at a model 10 and a second per 16 MiB]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,
}

impl LimitOptions {
    /// The same for the library.
    pub fn limits(&self) -> Limits {
        Limits { memory: self.memory, silence: self.timeout.map(|seconds| Duration::from_secs(seconds.into())) }
    }
}

/// A number of bytes, with or without a unit; units are powers of 1024, as memory is counted.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err("give a size such as 800MiB or 4GiB".to_owned()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|&bytes| bytes > 0).ok_or_else(|| "give a size such as 800MiB or 4GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units_or_none() {
        let sizes = ["1000", "800MiB", "2g", "3 GB", "1k"].map(size);
        assert_eq!(sizes, [1000, 800 << 20, 2 << 30, 3 << 30, 1 << 10].map(Ok));
        for wrong in ["", "0", "-1", "1.5GiB", "4 cats", "99999999999T", "GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
