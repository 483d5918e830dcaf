//! How well outputs meet what is right.

use super::Judgement;
use crate::base::Targets;
use crate::score::agreement::pearson;

/// The quantile of the normal distribution for 95%.
const NORMAL: f64 = 1.959_964;

/// The figure for some rows and their outputs, which stand in the order of the rows.
pub fn judge(targets: &Targets, rows: &[usize], outputs: &[f64]) -> Judgement {
    match targets {
        Targets::Classes(classes) => {
            let width = classes.names().len();
            let hit = |(row, outputs): (&usize, &[f64])| largest(outputs) == classes.index()[*row] as usize;
            let hits = rows.iter().zip(outputs.chunks(width)).filter(|pair| hit((pair.0, pair.1))).count();
            let mut counts = vec![0_usize; width];
            rows.iter().for_each(|&row| counts[classes.index()[row] as usize] += 1);
            let commonest = counts.into_iter().max().unwrap_or(0);
            accuracy(hits as f64, commonest as f64, rows.len(), rows.len())
        }
        Targets::Multilabel(columns) => {
            let width = columns.names().len();
            let mut hits = 0;
            let mut set = vec![0_usize; width];
            for (&row, outputs) in rows.iter().zip(outputs.chunks(width)) {
                let right = columns.row(row);
                hits += outputs.iter().zip(right).filter(|(output, right)| (**output > 0.0) == (**right > 0.5)).count();
                set.iter_mut().zip(right).for_each(|(set, right)| *set += usize::from(*right > 0.5));
            }
            let commonest: usize = set.into_iter().map(|set| set.max(rows.len() - set)).sum();
            // Labels of one sample are not independent: the interval goes by samples.
            accuracy(hits as f64, commonest as f64, rows.len() * width, rows.len())
        }
        Targets::Regression(columns) => {
            let width = columns.names().len();
            let one = |column: usize| {
                let truth: Vec<f64> = rows.iter().map(|&row| columns.row(row)[column]).collect();
                let found: Vec<f64> = outputs.iter().skip(column).step_by(width).copied().collect();
                pearson(&found, &truth).unwrap_or(0.0)
            };
            let value = (!rows.is_empty()).then(|| (0..width).map(one).sum::<f64>() / width as f64);
            let interval = value.filter(|_| rows.len() > 3).map(|value| fisher(value, rows.len()));
            Judgement { metric: "pearson", value, interval, chance: None }
        }
    }
}

/// Matthews' correlation of classes with what was predicted (of more than two classes Gorodkin's, 2004, eq. 8): 0 for
/// whoever always names the same class. `None` where it is not about classes.
pub fn matthews(targets: &Targets, rows: &[usize], outputs: &[f64]) -> Option<Judgement> {
    let Targets::Classes(classes) = targets else { return None };
    let width = classes.names().len();
    let (mut hits, mut right, mut named) = (0.0, vec![0.0; width], vec![0.0; width]);
    for (&row, outputs) in rows.iter().zip(outputs.chunks(width)) {
        let (truth, found) = (classes.index()[row] as usize, largest(outputs));
        hits += f64::from(u8::from(truth == found));
        right[truth] += 1.0;
        named[found] += 1.0;
    }
    let count = rows.len() as f64;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = |counts: &[f64]| count * count - product(counts, counts);
    let below = (spread(&right) * spread(&named)).sqrt();
    let value = if below > 0.0 { (hits * count - product(&right, &named)) / below } else { 0.0 };
    let interval = (rows.len() > 3).then(|| fisher(value, rows.len()));
    Some(Judgement { metric: "matthews", value: Some(value), interval, chance: Some(0.0) })
}

/// The same where the outputs are named, and the targets may hold only some of these names.
pub fn judge_named(targets: &Targets, names: &[String], rows: &[usize], outputs: &[f64]) -> Judgement {
    let Targets::Classes(classes) = targets else { return judge(targets, rows, outputs) };
    let place = |name: &String| names.iter().position(|other| other == name).unwrap_or(usize::MAX);
    let places: Vec<usize> = classes.names().iter().map(place).collect();
    let hit = |(row, outputs): (&usize, &[f64])| largest(outputs) == places[classes.index()[*row] as usize];
    let hits = rows.iter().zip(outputs.chunks(names.len())).filter(|pair| hit((pair.0, pair.1))).count();
    let commonest = classes.counts().into_iter().max().unwrap_or(0);
    accuracy(hits as f64, commonest as f64, rows.len(), rows.len())
}

/// A share of hits with Wilson's interval for so many samples.
fn accuracy(hits: f64, commonest: f64, of: usize, samples: usize) -> Judgement {
    if of == 0 {
        return Judgement { metric: "accuracy", value: None, interval: None, chance: None };
    }
    let (share, count) = (hits / of as f64, samples as f64);
    let square = NORMAL * NORMAL;
    let middle = (share + square / (2.0 * count)) / (1.0 + square / count);
    let half =
        NORMAL / (1.0 + square / count) * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    Judgement {
        metric: "accuracy",
        value: Some(share),
        interval: Some([(middle - half).max(0.0), (middle + half).min(1.0)]),
        chance: Some(commonest / of as f64),
    }
}

/// The interval of a correlation by Fisher's transformation.
fn fisher(value: f64, count: usize) -> [f64; 2] {
    let (centre, half) = (value.clamp(-0.999_999, 0.999_999).atanh(), NORMAL / ((count - 3) as f64).sqrt());
    [(centre - half).tanh(), (centre + half).tanh()]
}

/// The place of the largest number, the first of equals.
pub fn largest(values: &[f64]) -> usize {
    values
        .iter()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (place, &value)| if value > best.1 { (place, value) } else { best })
        .0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Classes, Columns};

    #[test]
    fn figures_of_each_task() {
        let classes = Targets::Classes(Classes::from_names(&["a", "b", "a", "a"]).unwrap());
        let found = judge(&classes, &[0, 1, 2, 3], &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 1.0]);
        assert_eq!((found.value, found.chance), (Some(0.75), Some(0.75)));
        // Wilson's interval of 3 of 4.
        let [low, high] = found.interval.unwrap();
        assert!((low - 0.3006).abs() < 1e-3 && (high - 0.9544).abs() < 1e-3, "{low} {high}");
        let columns = Columns::new(vec!["x".to_owned(), "y".to_owned()], vec![1.0, 0.0, 0.0, 0.0]).unwrap();
        let found = judge(&Targets::Multilabel(columns), &[0, 1], &[1.0, 1.0, -1.0, -1.0]);
        assert_eq!((found.value, found.chance), (Some(0.75), Some(0.75)));
        // Three of four right, one a named b: (3 · 4 - (3 · 2 + 1 · 2)) / sqrt((16 - 10) · (16 - 8)).
        let found = matthews(&classes, &[0, 1, 2, 3], &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 1.0]).unwrap();
        assert!((found.value.unwrap() - 4.0 / 48_f64.sqrt()).abs() < 1e-12, "{found:?}");
        let columns = Columns::new(vec!["z".to_owned()], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let found = judge(&Targets::Regression(columns), &[0, 1, 2, 3], &[2.0, 4.0, 6.0, 8.0]);
        assert!((found.value.unwrap() - 1.0).abs() < 1e-9);
    }
}
