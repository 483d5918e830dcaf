//! Work of which some is done at once.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Error;

/// Does pieces of work number 0 to `count`, `at_once` at a time, and gives what they made in that order. After a failure no
/// other piece is begun.
///
/// # Errors
/// The first failure.
pub fn side_by_side<T: Send>(
    count: usize,
    at_once: usize,
    work: impl Fn(usize) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = vec![];
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                return Ok(done);
            }
            let made = work(place).inspect_err(|_| next.store(count, Ordering::Relaxed))?;
            done.push((place, made));
        }
    };
    let done: Vec<Result<Vec<(usize, T)>, Error>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once.clamp(1, count.max(1))).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut made = done.into_iter().collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect::<Vec<_>>();
    made.sort_by_key(|(place, _)| *place);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_stands_in_order_and_a_failure_ends_it() {
        assert_eq!(side_by_side(50, 4, Ok).unwrap(), (0..50).collect::<Vec<_>>());
        assert!(side_by_side(0, 4, Ok).unwrap().is_empty());
        let begun = AtomicUsize::new(0);
        let fails = |place: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            if place == 3 { Err(Error::NoRows) } else { Ok(place) }
        };
        assert!(matches!(side_by_side(1000, 1, fails), Err(Error::NoRows)));
        assert_eq!(begun.load(Ordering::Relaxed), 4);
    }
}
