//! `hscore`: how much of the features' variance, in units of their covariance, lies between the classes.
//!
//! ```text
//! H = tr( pinv(cov F) cov(E[F | y]) ) = sum_c n_c d_c' M2^+ d_c = sum_c C_c' M2^+ C_c / n_c
//! ```
//!
//! with M2 the centred Gram matrix (d × d), d_c the class mean less the mean, C_c = n_c d_c. Between 0 and the lesser
//! of k - 1 and the rank. Undefined but for classes. With n - 1 independent dimensions or more it is k - 1 whatever the
//! features: `saturated`. Source: Bao et al., ICIP 2019, eq. 3. Cost: the reduction that LogME needs too, then O(d) per
//! class.
//!
//! ```
//! use zoologist::base::{Classes, Features, Targets, Values};
//! use zoologist::{score::{hscore, Prepared}, stats::Shards};
//! let features = Features::new(1, Values::F64(vec![-1.0, -2.0, 1.0, 2.0]));
//! let targets = Targets::Classes(Classes::from_names(&["cat", "cat", "dog", "dog"])?);
//! let moments = Shards::of(&features, &targets, &[0..4]).total();
//! // Nine tenths of the variance lie between the classes.
//! assert!((hscore::evaluate(&Prepared::of(&moments).problem()).value.unwrap() - 0.9).abs() < 1e-12);
//! # Ok::<(), zoologist::base::TargetsError>(())
//! ```

use super::prepared::Problem;
use super::{Score, Status};

/// The registry's entry.
pub fn evaluate(problem: &Problem) -> Score {
    let Some(value) = between_over_total(problem, 0.0) else {
        return Score::without_value("hscore", Status::NotApplicable).noted(Some(ONLY_CLASSES.to_owned()));
    };
    let score = Score::of("hscore", value);
    // With a column per row the classes are told apart by chance alone.
    if problem.rows() <= problem.dim() + 1 && problem.reduction().eigenvalues.len() + 1 >= problem.rows() {
        let note = "as many independent dimensions as rows: the value is the number of classes less one; \
                    hscore_regularized can tell models apart";
        return Score { status: Status::Saturated, ..score }.noted(Some(note.to_owned()));
    }
    score
}

/// Why there is no value for other tasks.
pub(super) const ONLY_CLASSES: &str = "it is defined for classes alone";

/// sum_c C_c' (M2 + tI)^-1 C_c / n_c; `None` unless the targets are classes.
pub(super) fn between_over_total(problem: &Problem, t: f64) -> Option<f64> {
    let counts = problem.counts()?;
    let energies =
        if t == 0.0 { problem.cross_energies() } else { problem.reduction().energies(problem.response(), t) };
    let terms = energies.iter().zip(counts).filter(|(_, count)| **count > 0);
    Some(terms.map(|(energy, &count)| energy / count as f64).sum())
}
