//! The words and numbers of every report: names of metrics, statuses, units, counts.

use crate::base::Task;
use crate::base::path_text::escape;
use crate::rank::usage::Confirmed;
use crate::score::Status;

/// What stands where there is no value.
pub const NOTHING: &str = "–";

/// What the values of a metric are, and so how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Log evidence per sample, in nats.
    Nats,
    /// A share of samples, 0 to 1, written as a percentage.
    Accuracy,
    /// A number without a unit.
    Plain,
}

impl Scale {
    /// The scale of this metric for this task.
    pub fn of(metric: &str, task: Task) -> Self {
        match metric {
            "logme" => Self::Nats,
            "ridge" | "knn" if task == Task::Classification => Self::Accuracy,
            _ => Self::Plain,
        }
    }

    /// A value as text: three decimals, or a percentage with one.
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Accuracy => format!("{:.1}%", 100.0 * value),
            Self::Nats | Self::Plain if value.abs() < 1e6 => format!("{value:.3}"),
            Self::Nats | Self::Plain => format!("{value:.3e}"),
        }
    }

    /// An interval as text.
    pub fn write_interval(self, [low, high]: [f64; 2]) -> String {
        format!("[{}, {}]", self.write(low), self.write(high))
    }

    /// What an axis of such values is called after the metric's name.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Nats => ", nats per sample",
            Self::Accuracy => ", % of samples",
            Self::Plain => "",
        }
    }
}

/// A metric's name for people.
pub fn metric_name(metric: &str) -> &str {
    match metric {
        "logme" => "LogME",
        "ridge" => "Ridge",
        "knn" => "kNN",
        other => other,
    }
}

/// A status for people.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::FeaturesUnused => "features unused",
        Status::Unbounded => "unbounded",
        Status::NoiseFreeLimit => "noise-free limit",
        Status::Saturated => "saturated",
        Status::NotApplicable => "not applicable",
        Status::NeedsInput => "needs input",
        Status::TooLarge => "too large",
    }
}

/// A count with a comma between thousands.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// Samples per second.
pub fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}") } else { count(per_second.round() as usize) }
}

/// Seconds, with three digits or so.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

/// Multiply-adds with a decimal prefix.
pub fn multiply_adds(number: u64) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let step = number.max(1).ilog10() / 3;
    let decimals = usize::from(step > 0);
    format!("{:.decimals$}{}", number as f64 / 1000_u64.pow(step) as f64, PREFIXES[step as usize])
}

/// A probability that is never rounded to certainty.
pub fn probability(probability: f64) -> String {
    match 100.0 * probability {
        percent if percent < 1.0 => "<1%".to_owned(),
        percent if percent > 99.0 => ">99%".to_owned(),
        percent => format!("{percent:.0}%"),
    }
}

/// A number of things: `1 model`, `1,200 models`.
pub fn things(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// The answer to a rule's question.
pub fn answer(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "yes",
        Some(false) => "no",
        None => "can't be told",
    }
}

/// What a way of using a model came to over its seeds, and how that differs from the advised way.
pub fn confirmed(run: &Confirmed) -> String {
    let less = run.less_advised.map_or(String::new(), |(less, [low, high])| {
        format!(", less the advised {less:+.3} [{low:+.3} to {high:+.3}]")
    });
    match (&run.error, run.mean) {
        (Some(error), _) => escape(error),
        (None, Some(mean)) => format!("{mean:.3} over {}{less}", things(run.values.len(), "seed")),
        (None, None) => "not run".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let cases = [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_234_567), "1,234,567"),
            (rate(0.333), "0.3"),
            (rate(1234.6), "1,235"),
            (seconds(0.123), "0.12 s"),
            (seconds(61.4), "61 s"),
            (seconds(600.0), "10 min"),
            (multiply_adds(0), "0"),
            (multiply_adds(999), "999"),
            (multiply_adds(390_000_000), "390.0 M"),
            (multiply_adds(u64::MAX), "18.4 E"),
            (probability(1.0), ">99%"),
            (probability(0.0), "<1%"),
            (probability(0.974), "97%"),
            (things(1, "model"), "1 model"),
            (things(1200, "sample"), "1,200 samples"),
            (Scale::Nats.write(-0.34081), "-0.341"),
            (Scale::Plain.write(-2.5e9), "-2.500e9"),
            (Scale::Accuracy.write_interval([0.9, 0.9314]), "[90.0%, 93.1%]"),
        ];
        for (written, expected) in cases {
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn an_accuracy_is_a_percentage_in_classification_alone() {
        assert_eq!(Scale::of("knn", Task::Classification), Scale::Accuracy);
        assert_eq!(Scale::of("knn", Task::Regression), Scale::Plain);
        assert_eq!(Scale::of("logme", Task::Regression), Scale::Nats);
    }
}
