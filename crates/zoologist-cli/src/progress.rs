//! Progress on the error output: a bar with an estimate of the time left, and remarks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use zoologist::rank::Progress;

/// What a phase is called among what runs; no model has this name.
const PHASE: &str = "";

/// Shows progress, or stays silent.
pub struct Bars {
    quiet: bool,
    all: MultiProgress,
    /// Remarks that were made: the same one is made once.
    said: Mutex<BTreeSet<String>>,
    /// What runs, by name.
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    /// Progress for a terminal; remarks only where the error output is none; nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self { quiet, all: MultiProgress::with_draw_target(target), said: Mutex::default(), running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        // A poisoned lock only means that drawing once panicked.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, name: &str, bar: ProgressBar) -> ProgressBar {
        let bar = self.all.add(bar);
        if let Some(before) = self.running().insert(name.to_owned(), bar.clone()) {
            before.finish_and_clear();
        }
        bar
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        std::mem::take(&mut *self.running()).into_values().for_each(|bar| bar.finish_and_clear());
    }
}

impl Progress for Bars {
    fn say(&self, sentence: &str) {
        let is_new = self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(sentence.to_owned());
        if !self.quiet && is_new {
            // Remarks must not be torn by the bars; nobody hears them if the error output is closed.
            self.all.suspend(|| {
                let _ = std::io::Write::write_all(&mut anstream::stderr(), format!("{sentence}\n").as_bytes());
            });
        }
    }

    fn begin(&self, name: &str, done: usize, rows: usize) {
        self.end(PHASE);
        let bar = self.show(name, ProgressBar::new(rows as u64));
        let style = ProgressStyle::with_template("{msg:28!} {wide_bar} {pos}/{len}  {per_sec}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(zoologist::base::path_text::escape(name));
        bar.set_position(done as u64);
        bar.reset_eta();
    }

    fn advance(&self, name: &str, rows: usize) {
        if let Some(bar) = self.running().get(name) {
            bar.inc(rows as u64);
        }
    }

    fn end(&self, name: &str) {
        if let Some(bar) = self.running().remove(name) {
            bar.finish_and_clear();
        }
    }

    fn phase(&self, words: &str) {
        let bar = self.show(PHASE, ProgressBar::no_length());
        bar.set_message(words.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
    }
}
