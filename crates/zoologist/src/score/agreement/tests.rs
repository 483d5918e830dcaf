//! Against `scipy.stats` 1.17: weightedtau, kendalltau, pearsonr, spearmanr; regrets by going through all choices.
#![allow(clippy::unreadable_literal, reason = "expected values as scipy printed them")]

use super::{Draws, agreement, interval, regret, resample};
use crate::base::Seed;

type Case = (&'static [f64], &'static [f64], [f64; 6]);

#[rustfmt::skip]
#[allow(clippy::unreadable_literal, reason = "as scipy prints them")]
const CASES: [Case; 4] = [
    (&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0],
     [-0.5669496815368272, -0.4714045207910316, -0.5566399985665696, -0.5407380704358752, 6.0, 4.5]),
    (&[0.25, 0.5, -1.0, 0.5, -0.25, 0.0, 0.25], &[0.71875, 1.25, 0.53125, 0.703125, 0.796875, 0.9375, 0.8125],
     [0.3688633980507584, 0.2503130871608794, 0.5904299968233245, 0.3455116595403213, 0.2734375, 0.0]),
    (&[-18.5, -22.75, -25.0, -22.75, -17.75, 24.75, -15.5, 7.5, 12.5, -13.5], &[0.515625, 0.53125, 0.515625, 0.5625, 0.5, 0.5625, 0.546875, 0.5625, 0.5, 0.515625],
     [0.29487283900654393, 0.07336739820667779, 0.2770277425658742, 0.10003126465607108, 0.0, 0.0]),
    (&[0.0, -0.25, 0.0, 0.25, 0.0, -0.75, 0.5, 0.0, 0.5, -0.5, -0.25, 0.5], &[0.5, 0.5, 0.515625, 0.53125, 0.5, 0.53125, 0.515625, 0.5, 0.515625, 0.53125, 0.53125, 0.53125],
     [0.12387786238194401, -0.05847608816890879, -0.1265755182322172, -0.10331867984367059, 0.01041666666666663, 0.0]),
];

#[test]
fn every_figure_is_that_of_scipy_with_and_without_ties() {
    for (scores, accuracies, expected) in CASES {
        for (value, expected) in agreement(scores, accuracies).list().into_iter().zip(expected) {
            let value = value.unwrap();
            assert!((value - expected).abs() < 1e-13, "{value} is not {expected} for {scores:?}");
        }
    }
}

#[test]
fn a_constant_list_has_regrets_but_no_correlations() {
    let found = agreement(&[0.3; 3], &[0.1, 0.2, 0.6]);
    assert_eq!((found.weighted_kendall, found.kendall, found.pearson, found.spearman), (None, None, None, None));
    assert!((found.regret_top1.unwrap() - 0.3).abs() < 1e-15);
    assert_eq!(agreement(&[1.0, 2.0], &[0.0, -0.0]).kendall, None);
}

#[test]
fn no_models_have_no_figures_and_one_has_no_correlation() {
    assert!(agreement(&[], &[]).list().into_iter().all(Option::is_none));
    assert_eq!(agreement(&[1.0], &[0.5]).regret_top3, Some(0.0));
    assert_eq!(agreement(&[1.0], &[0.5]).weighted_kendall, None);
}

#[test]
fn numbers_of_any_size_have_a_correlation() {
    let accuracies = [0.1, 0.2, 0.4, 0.3];
    let expected = agreement(&[1.0, 2.0, 3.0, 5.0], &accuracies);
    for scale in [1e-300, 1e-30, 1e30, 1e307] {
        let scores = [1.0, 2.0, 3.0, 5.0].map(|score| score * scale);
        let found = agreement(&scores, &accuracies);
        assert!((found.pearson.unwrap() - expected.pearson.unwrap()).abs() < 1e-14);
        assert_eq!(found.weighted_kendall, expected.weighted_kendall);
    }
}

#[test]
fn numbers_far_from_0_have_the_correlation_of_their_differences() {
    let unit = 1.0 / f64::from(1 << 24);
    let scores = [1.0, 2.0, 3.0, 5.0, 8.0];
    let accuracies = [0.1, 0.2, 0.4, 0.3, 0.7];
    let far = scores.map(|score| 1000.0 + score * unit);
    let (expected, found) = (agreement(&scores, &accuracies), agreement(&far, &accuracies));
    assert!((found.pearson.unwrap() - expected.pearson.unwrap()).abs() < 1e-14);
}

#[test]
fn a_tie_for_the_last_places_is_drawn_from_fairly() {
    // Of the five tied ones two are taken: the mean of the better of the two over the ten pairs.
    let accuracies = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5];
    let scores = [9.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let pairs: f64 = (1..6).map(|better| f64::from(better) / 10.0 * f64::from(better - 1)).sum();
    assert!((regret(&scores, &accuracies, 3).unwrap() - (0.5 - pairs / 10.0)).abs() < 1e-15);
}

#[test]
fn resamples_depend_on_seed_and_name_and_skip_what_has_no_value() {
    let draws = |seed| Draws { count: 50, seed: Seed(seed) };
    let firsts = |seed, name| resample(9, draws(seed), ("test", name), |items| [Some(items[0] as f64)]);
    assert_eq!(firsts(1, "a"), firsts(1, "a"));
    assert_ne!(firsts(1, "a"), firsts(2, "a"));
    assert_ne!(firsts(1, "a"), firsts(1, "b"));
    let [all, some] = resample(2, draws(0), ("test", ""), |items| [Some(1.0), (items[0] != items[1]).then_some(2.0)]);
    assert!(all.len() == 50 && !some.is_empty() && some.len() < 50);
    assert_eq!(interval(vec![]), None);
    assert_eq!(interval(vec![3.0]), Some([3.0, 3.0]));
}
