//! Options that limit what a worker process may use.

use std::time::Duration;

use clap::Args;
use zoologist::base::parse_size;
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

/// A number of bytes above 0, with or without a unit.
fn size(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text)?;
    if bytes > 0 { Ok(bytes) } else { Err("give a size such as 800MiB or 4GiB".to_owned()) }
}
