//! Loops compiled for the vector units of the machine that runs them.

use pulp::{Arch, Simd, WithSimd};

/// Runs a closure in the widest vector instructions that this machine has.
///
/// The closure must be `#[inline(always)]`, and so must what it calls. It is called through `FnMut`, not `FnOnce`: the
/// compiler's step from `FnOnce` to the closure's own code is a function that need not be inlined, and then the loop
/// runs without the instructions, and each multiply-add is a call of the C library.
#[inline]
pub fn vectorised<R>(work: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Work(work))
}

struct Work<F>(F);

impl<F: FnMut() -> R, R> WithSimd for Work<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
