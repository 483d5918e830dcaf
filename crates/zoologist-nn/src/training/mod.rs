//! Training: sample, compare with what is right, follow the gradient, check on samples that are not learned from.
//!
//! A step cuts its batch into parts of [`passes::PART`] samples. Each part is a pass of its own on one thread, with a tape of
//! its own; gradients are summed in the order of the parts. So neither the threads nor an interruption change a bit of
//! the result: what a run needs to go on is its [`Checkpoint`], and everything random comes from the seed and the
//! step's number.
//!
//! ```text
//! rows of the step ─► parts ─► pass, loss, gradient (threads) ─► sum ─► cut to a length ─► optimizer ─► parameters
//!                                                                                              │
//!                                              checkup on validation rows ─► kept weights ◄────┘
//! ```

mod checkpoint;
mod frozen;
mod initial;
mod lessons;
mod loss;
mod optimizer;
mod parameters;
mod passes;
mod selection;
mod session;
mod start;
mod supernet;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub use initial::Initial;
#[cfg(test)]
pub use loss::Right;
pub use session::train;
pub use supernet::search;
