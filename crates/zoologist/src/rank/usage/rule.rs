//! From measured figures to a way of using a model. Thresholds are in standard errors of paired differences; they are
//! choices of design (docs/transfer.md says how often they were right).

use serde::Serialize;

use super::{Figure, Inputs};
use crate::base::path_text::escape;
use crate::rank::tuning::Way;

/// Standard errors from which a difference counts as one.
const SURE: f64 = 2.0;
/// Standard errors below which there is no difference to speak of.
const LEVEL: f64 = 1.0;
/// A gain of accuracy or of R² that is not worth an effort: only what lies below it with a standard error to spare is called
/// level. That nothing is seen with few samples does not say that nothing is there.
const LITTLE: f64 = 0.02;
/// Samples from which training from scratch may be worth a thought.
const MANY: usize = 100_000;

/// A rule and what it said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// What is asked.
    pub question: &'static str,
    /// What was measured, in words.
    pub measured: String,
    /// Whether the answer is yes; `None` where it can't be told.
    pub holds: Option<bool>,
}

/// The way, the advice in words, and the rules in their order.
pub fn decide(inputs: &Inputs) -> (Option<String>, String, Vec<Rule>) {
    let rules = rules(inputs);
    let holds = |place: usize| rules[place].holds == Some(true);
    let layer = inputs.best_layer.as_deref().map_or(String::new(), escape);
    let read = if holds(2) { format!(" on {layer}, which is better than the last layer") } else { String::new() };
    let without = "its network is not built in here, so the weights stay as they are";
    let (way, advice) = if holds(0) {
        (None, format!("First mend what vet found: {}.", inputs.findings.join("; ")))
    } else if holds(1) {
        let scratch = if inputs.n > MANY {
            " With so many samples, training the architecture from scratch is worth a try."
        } else {
            ""
        };
        (None, format!("Try another model: this one is no better than a baseline that has learned nothing.{scratch}"))
    } else if holds(3) && !(holds(5) && inputs.trainable) {
        (Some(Way::Head2Toe), "Read all layers, not one: together they say more (head2toe).".to_owned())
    } else if holds(4) {
        (
            Some(Way::Probe),
            format!("Keep the model as it is and fit a linear head{read}: neither more samples nor more layers help."),
        )
    } else if holds(5) && inputs.trainable {
        let (way, how) = training(inputs);
        (Some(way), format!("{how}: more samples still help."))
    } else if holds(5) {
        (Some(Way::Head), format!("Fit a head with a hidden layer{read}: more samples still help, and {without}."))
    } else if inputs.trainable {
        let (way, how) = training(inputs);
        let advice = format!(
            "What was measured can't tell whether training pays. Where it was tried, full fine-tuning did on three of four sets \
             (docs/transfer.md). {how}."
        );
        (Some(way), advice)
    } else {
        (Some(Way::Probe), format!("Fit a linear head{read}; nothing here says that more would help beyond chance."))
    };
    let advice = if way.is_some() {
        format!("{advice} --confirm runs this and its neighbours on held-out samples.")
    } else {
        advice
    };
    (way.map(|way| way.to_string()), advice, rules)
}

/// How to train, where training is the advice: all weights at once did better on average wherever both ways were tried
/// (docs/transfer.md); beginning with a fitted head keeps more of what the network knows of other samples (Kumar et al.,
/// arXiv:2202.10054).
fn training(inputs: &Inputs) -> (Way, &'static str) {
    if inputs.shift_expected {
        (
            Way::LpFt,
            "Fit a head, then train all weights from there (lp-ft), which keeps most of what it knows of other data",
        )
    } else {
        (Way::Full, "Train all weights (full)")
    }
}

fn rules(inputs: &Inputs) -> Vec<Rule> {
    let rule = |question, measured: String, holds| Rule { question, measured, holds };
    let above =
        |figure: Option<Figure>, errors: f64| figure.and_then(|figure| Some(figure.value > errors * figure.error?));
    let below = |figure: Option<Figure>| figure.and_then(|figure| Some(figure.value + LEVEL * figure.error? < LITTLE));
    let flat = below(inputs.last_doubling);
    // Where there is one layer only, all of them say no more.
    let one_layer = inputs.all.is_none() && inputs.best.is_some();
    let no_more = if one_layer { Some(true) } else { below(inputs.all_less_best) };
    let steep = above(inputs.last_doubling, SURE);
    let gap = above(inputs.all_less_best, SURE);
    let confidence = inputs
        .own_head_confidence
        .map_or("no head of its own".to_owned(), |it| format!("its own head is {:.0}% sure", 100.0 * it));
    vec![
        rule(
            "is anything wrong with the model?",
            if inputs.findings.is_empty() {
                "no finding that is high or fatal".to_owned()
            } else {
                inputs.findings.join("; ")
            },
            Some(!inputs.findings.is_empty()),
        ),
        rule(
            "is it no better than the best baseline?",
            format!(
                "{} against {}",
                shown(inputs.best_less_baseline),
                inputs.baseline.as_deref().map_or("none".to_owned(), escape)
            ),
            above(inputs.best_less_baseline, LEVEL).map(|better| !better),
        ),
        rule(
            "is the best layer better than the last?",
            shown(inputs.best_less_last),
            above(inputs.best_less_last, SURE),
        ),
        rule("do all layers together say more than the best?", shown(inputs.all_less_best), gap),
        rule(
            "do neither more samples nor more layers gain two points?",
            format!("last doubling {}, all layers {}", shown(inputs.last_doubling), shown(inputs.all_less_best)),
            flat.zip(no_more).map(|(a, b)| a && b),
        ),
        rule(
            "do more samples help, or more layers, so that training may?",
            format!("last doubling {}; {} samples; {confidence}", shown(inputs.last_doubling), inputs.n),
            match (steep, gap) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), _) => Some(false),
                _ => None,
            },
        ),
    ]
}

fn shown(figure: Option<Figure>) -> String {
    match figure {
        None => "not measured".to_owned(),
        Some(Figure { value, error: None }) => format!("{value:+.3}"),
        Some(Figure { value, error: Some(error) }) => format!("{value:+.3} (standard error {error:.3})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, error: f64) -> Figure {
        Figure { value, error: Some(error) }
    }

    /// A good model on which nothing more helps.
    fn plain() -> Inputs {
        Inputs {
            n: 400,
            n_of_rarest: Some(40),
            n_seen: 400,
            last: Some(figure(0.8, 0.02)),
            best_layer: Some("block 5".to_owned()),
            best: Some(figure(0.81, 0.02)),
            all: Some(figure(0.81, 0.02)),
            best_less_last: Some(figure(0.01, 0.01)),
            all_less_best: Some(figure(0.0, 0.01)),
            curve: vec![],
            last_doubling: Some(figure(0.005, 0.01)),
            baseline: Some("TF-IDF".to_owned()),
            best_less_baseline: Some(figure(0.2, 0.02)),
            own_head_confidence: None,
            findings: vec![],
            trainable: true,
            shift_expected: false,
        }
    }

    fn way(inputs: &Inputs) -> Option<String> {
        decide(inputs).0
    }

    #[test]
    fn each_rule_decides_in_its_turn() {
        let unclear = Inputs { last_doubling: Some(figure(0.03, 0.04)), ..plain() };
        assert_eq!(way(&unclear).as_deref(), Some("full"));
        assert_eq!(way(&Inputs { shift_expected: true, ..unclear.clone() }).as_deref(), Some("lp-ft"));
        assert_eq!(way(&Inputs { trainable: false, ..unclear }).as_deref(), Some("probe"));
        let (found, advice, rules) = decide(&plain());
        assert_eq!((found.as_deref(), rules.len()), (Some("probe"), 6));
        assert!(advice.contains("linear head:"), "{advice}");
        assert_eq!(way(&Inputs { findings: vec!["high: stem".to_owned()], ..plain() }), None);
        assert_eq!(way(&Inputs { best_less_baseline: Some(figure(0.01, 0.02)), ..plain() }), None);
        let layer = decide(&Inputs { best_less_last: Some(figure(0.05, 0.01)), ..plain() });
        assert!(layer.1.contains("on block 5"), "{}", layer.1);
        let all = Inputs { all_less_best: Some(figure(0.05, 0.01)), ..plain() };
        assert_eq!(way(&Inputs { trainable: false, ..all.clone() }).as_deref(), Some("head2toe"));
        assert_eq!(way(&all).as_deref(), Some("full"));
        let steep = Inputs { last_doubling: Some(figure(0.05, 0.01)), ..plain() };
        assert_eq!(way(&steep).as_deref(), Some("full"));
        assert_eq!(way(&Inputs { trainable: false, ..steep }).as_deref(), Some("head"));
    }

    #[test]
    fn what_was_not_measured_decides_nothing() {
        let blank = Inputs {
            last_doubling: None,
            all_less_best: None,
            all: None,
            best_less_last: None,
            trainable: false,
            ..plain()
        };
        let (found, _, rules) = decide(&blank);
        assert_eq!(found.as_deref(), Some("probe"));
        assert_eq!(rules[2].holds, None);
    }
}
