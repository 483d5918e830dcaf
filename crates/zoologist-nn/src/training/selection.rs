//! Which checkup's weights are kept, and when a training no longer helps.

use zoologist::extract::training::{Answers, Checkup};

/// Whether the weights of a checkup are to be kept: not fewer right ones than at the best checkup before it by more than the
/// standard error of their number. Of weights that can't be told apart the last are kept, for which the learning rate was
/// let fall: the one-standard-error rule of Breiman et al. (1984, section 3.4.3), turned towards the end of the training.
/// The loss has no say: it rises with the confidence in the wrong ones while the right ones grow.
pub fn is_as_good(new: &Checkup, before: &[Checkup], answers: &Answers, samples: usize) -> bool {
    let highest = before.iter().map(|checkup| checkup.validation_score).fold(f64::NEG_INFINITY, f64::max);
    let share = highest.clamp(0.0, 1.0);
    let chance = match answers {
        Answers::Classes { .. } | Answers::Labels { .. } => (share * (1.0 - share) / samples as f64).sqrt(),
        Answers::Numbers { .. } => 0.0,
    };
    new.validation_score >= highest - chance
}

/// Whether the training still helps: more right ones, or a lower loss, than at any checkup before.
pub fn is_progress(new: &Checkup, before: &[Checkup]) -> bool {
    before.iter().all(|old| new.validation_score > old.validation_score)
        || before.iter().all(|old| new.validation_loss < old.validation_loss)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkups(of: &[(f64, f64)]) -> Vec<Checkup> {
        let checkup = |(step, &(validation_score, validation_loss))| Checkup {
            step,
            training_loss: None,
            validation_loss,
            validation_score,
        };
        of.iter().enumerate().map(checkup).collect()
    }

    /// The checkup that is kept of these.
    fn kept(answers: &Answers, of: &[(f64, f64)]) -> usize {
        let all = checkups(of);
        (0..all.len()).rfind(|&place| is_as_good(&all[place], &all[..place], answers, 100)).unwrap()
    }

    #[test]
    fn of_weights_that_cannot_be_told_apart_the_last_are_kept() {
        let classes = Answers::Classes { index: vec![], count: 2 };
        // The standard error of 80 of 100 is 4.
        assert_eq!(kept(&classes, &[(0.5, 0.7), (0.80, 0.5), (0.77, 0.9)]), 2);
        assert_eq!(kept(&classes, &[(0.5, 0.7), (0.80, 0.5), (0.75, 0.4)]), 1);
        // A slow slide does not lead away from the best.
        assert_eq!(kept(&classes, &[(0.80, 0.5), (0.77, 0.5), (0.75, 0.5), (0.73, 0.5)]), 1);
    }

    #[test]
    fn of_numbers_the_best_are_kept() {
        let numbers = Answers::Numbers { values: vec![], width: 1 };
        assert_eq!(kept(&numbers, &[(-2.0, 2.0), (-1.0, 1.0), (-1.01, 1.01)]), 1);
    }

    #[test]
    fn progress_is_more_right_ones_or_a_lower_loss_than_ever() {
        let before = checkups(&[(0.8, 0.6), (0.7, 0.5)]);
        let of = |score, loss| is_progress(&checkups(&[(score, loss)])[0], &before);
        assert!(of(0.81, 0.9) && of(0.1, 0.49));
        assert!(!of(0.8, 0.5) && !of(0.75, 0.55));
    }
}
