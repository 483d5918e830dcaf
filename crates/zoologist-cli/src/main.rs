//! The command line of zoologist: parse, compose, call, print. No logic.
//!
//! Results go to standard output, progress and warnings to standard error. The exit code says what kind of end it was
//! (see `docs/map.md`).

mod commands;
mod end;
mod interrupt;
mod limits;
mod options;
mod progress;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::Options::of_command_line() {
        Ok(options) => options,
        Err(error) => return end::of_parsing(&error),
    };
    end::of(commands::run(options))
}
