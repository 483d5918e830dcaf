//! The program without `zoologist-nn`: frozen ways work, and what needs a network that is built in is refused by name. Only
//! `make test-ranking` builds it so.
#![cfg(not(feature = "native"))]
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;
#[path = "tuning/models.rs"]
#[allow(dead_code, reason = "one of its models is enough here")]
mod models;

use common::Fixture;

#[test]
fn ranking_and_frozen_ways_need_no_native_networks() {
    let fixture = Fixture::new();
    fixture.rank(&["--truth", "head"]).well();
    fixture.run(&["tune", "zoo/classifier", "data", "--how", "probe", "-o", "tuned", "--runtime", "rten"]).well();
    fixture.run(&["predict", "tuned", "data", "--runtime", "rten"]).well();
}

#[test]
fn what_needs_them_is_refused_with_the_reason() {
    let fixture = Fixture::new();
    models::mobilenet(&fixture.path("mobile"));
    for arguments in
        [&["tune", "mobile", "data", "--how", "full", "-o", "out"][..], &["rank", "data", "--zoo", "mobile"]]
    {
        let message = fixture.run(arguments).message(3);
        assert!(message.contains("built without") || message.contains("feature `native`"), "{message}");
    }
}
