//! What the threads of a worker take their work from.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Units of work in order, each a part of a block.
pub(super) struct Queue<'a> {
    units: Vec<Range<usize>>,
    blocks: &'a [Range<usize>],
    next: AtomicUsize,
    closed: AtomicBool,
    stop: &'a AtomicBool,
    stopped: AtomicBool,
}

impl<'a> Queue<'a> {
    /// Units that lie in these blocks, whose starts rise.
    pub fn new(units: Vec<Range<usize>>, blocks: &'a [Range<usize>], stop: &'a AtomicBool) -> Self {
        let (next, closed, stopped) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Self { units, blocks, next, closed, stop, stopped }
    }

    /// The next unit. Once the worker is asked to stop, blocks that are begun are finished, and no other is begun.
    pub fn take(&self) -> Option<&Range<usize>> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let unit = self.units.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        let begins = self.blocks.binary_search_by_key(&unit.start, |block| block.start).is_ok();
        if begins && self.stop.load(Ordering::Relaxed) {
            self.stopped.store(true, Ordering::Relaxed);
            self.close();
            return None;
        }
        Some(unit)
    }

    /// Gives out nothing any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether work was left because the worker was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_begun_is_finished_and_no_other_is_begun() {
        let (blocks, stop) = ([0..3, 5..8], AtomicBool::new(false));
        let queue = Queue::new((0..3).chain(5..8).map(|row| row..row + 1).collect(), &blocks, &stop);
        assert_eq!(queue.take(), Some(&(0..1)));
        stop.store(true, Ordering::Relaxed);
        let rest: Vec<usize> = std::iter::from_fn(|| queue.take()).map(|unit| unit.start).collect();
        assert_eq!((rest, queue.is_stopped(), queue.take()), (vec![1, 2], true, None));
    }

    #[test]
    fn work_that_is_done_is_not_stopped() {
        let (blocks, stop) = ([0..1, 1..2], AtomicBool::new(false));
        let queue = Queue::new(blocks.to_vec(), &blocks, &stop);
        assert_eq!((queue.take(), queue.take()), (Some(&(0..1)), Some(&(1..2))));
        stop.store(true, Ordering::Relaxed);
        assert_eq!((queue.take(), queue.is_stopped()), (None, false));
    }
}
