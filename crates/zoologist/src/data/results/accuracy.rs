//! Accuracies as fractions, however they were written.

use super::{Results, some_of};

/// Divides percentages by 100 and says so. Data sets are told apart: within [0, 1] all are fractions, within [0, 100]
/// percentages, anything else is no accuracy and stays as it is.
pub(super) fn to_fractions(results: &mut Results) {
    let (mut percent, mut mixed, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for dataset in &mut results.datasets {
        let accuracies = || dataset.models.iter().filter_map(|model| model.accuracy);
        let least = accuracies().fold(f64::INFINITY, f64::min);
        let most = accuracies().fold(f64::NEG_INFINITY, f64::max);
        if least < 0.0 || most > 100.0 {
            other.push(dataset.name.clone());
        } else if most > 1.0 {
            percent.push(dataset.name.clone());
            mixed.extend((least > 0.0 && least < 1.0).then(|| dataset.name.clone()));
            dataset.models.iter_mut().filter_map(|model| model.accuracy.as_mut()).for_each(|value| *value /= 100.0);
        }
    }
    let all = results.datasets.len();
    let mut say = |names: &[String], what: &str| {
        let which = if names.len() == all { "all data sets".to_owned() } else { some_of(names) };
        results.notes.extend((!names.is_empty()).then(|| format!("accuracies of {which} {what}")));
    };
    say(&percent, "are read as percentages");
    say(&mixed, "go from below 1 to above 1: if some are fractions and some percentages, write all alike");
    say(&other, "are outside 0 to 100: regrets are in their own unit");
}
