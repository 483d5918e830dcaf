//! `zoologist cache ls|verify|gc`.

use std::time::SystemTime;

use zoologist::report;
use zoologist::store::Store;
use zoologist::store::cache::Request;

use crate::end::{Outcome, Result, print};
use crate::options::{Cache, Global};

/// Runs the command.
pub fn run(global: &Global, options: &Cache) -> Result<Outcome> {
    let store = Store::from_environment()?;
    match options {
        Cache::Ls => list(global, &store),
        Cache::Verify => verify(global, &store),
        Cache::Gc { max_size, all, dry_run } => {
            collect(global, &store, Request { limit: *max_size, newer_too: *all, dry_run: *dry_run })
        }
    }
}

fn list(global: &Global, store: &Store) -> Result<Outcome> {
    let survey = store.survey()?;
    print(&if global.json {
        report::json::to_string(&report::cache::listed(&survey))
    } else {
        report::cache::list(&survey, SystemTime::now())
    })?;
    Ok(Outcome::Complete)
}

fn verify(global: &Global, store: &Store) -> Result<Outcome> {
    let found = store.verify()?;
    print(&if global.json {
        report::json::to_string(&report::cache::verified(&found))
    } else {
        report::cache::verification(&found)
    })?;
    Ok(if found.faults.is_empty() { Outcome::Complete } else { Outcome::WithFailures })
}

fn collect(global: &Global, store: &Store, request: Request) -> Result<Outcome> {
    let collected = store.collect(request)?;
    print(&if global.json {
        report::json::to_string(&report::cache::collected(&collected))
    } else {
        report::cache::collection(&collected)
    })?;
    Ok(Outcome::Complete)
}
