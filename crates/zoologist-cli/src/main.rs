//! The command line of zoologist.
fn main() {}
