//! Progress on the error output: a bar with an estimate of the time left, and remarks.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zoologist::rank::Progress;

/// Shows progress, or stays silent.
pub struct Bars {
    quiet: bool,
    current: Mutex<ProgressBar>,
}

impl Bars {
    /// Progress for a terminal; remarks only where the error output is none; nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, current: Mutex::new(ProgressBar::hidden()) }
    }

    fn replace(&self, bar: ProgressBar) {
        // A poisoned lock only means that drawing once panicked.
        let mut current = self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        current.finish_and_clear();
        *current = bar;
    }

    fn with<T>(&self, act: impl FnOnce(&ProgressBar) -> T) -> T {
        act(&self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.replace(ProgressBar::hidden());
    }
}

impl Progress for Bars {
    fn say(&self, sentence: &str) {
        if !self.quiet {
            // Remarks must not be torn by the bar; nobody hears them if the error output is closed.
            self.with(|bar| {
                bar.suspend(|| {
                    let _ = std::io::Write::write_all(&mut anstream::stderr(), format!("{sentence}\n").as_bytes());
                });
            });
        }
    }

    fn begin(&self, name: &str, done: usize, rows: usize) {
        let bar = ProgressBar::with_draw_target(Some(rows as u64), self.target());
        let style = ProgressStyle::with_template("{msg:28!} {wide_bar} {pos}/{len}  {per_sec}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(zoologist::base::path_text::escape(name));
        bar.set_position(done as u64);
        bar.reset_eta();
        self.replace(bar);
    }

    fn advance(&self, rows: usize) {
        self.with(|bar| bar.inc(rows as u64));
    }

    fn end(&self) {
        self.replace(ProgressBar::hidden());
    }

    fn phase(&self, words: &str) {
        let bar = ProgressBar::with_draw_target(None, self.target());
        bar.set_message(words.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.replace(bar);
    }
}
