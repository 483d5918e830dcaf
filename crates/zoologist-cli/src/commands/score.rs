//! `zoologist score`.

use zoologist::base::Seed;
use zoologist::rank::scorecard::{self, Request};
use zoologist::report;
use zoologist::score::{Asked, PERMUTATIONS, Settings};

use crate::end::{Outcome, Result, print};
use crate::options::{Global, Score};
use crate::progress::Bars;

/// Runs the command.
pub fn run(global: &Global, options: &Score) -> Result<Outcome> {
    let request = Request {
        features: options.features.clone(),
        labels: options.labels.clone(),
        metrics: options.metrics.split(',').map(|name| name.trim().to_owned()).collect(),
        task: options.task.task(),
        asked: Asked { interval: options.interval, permutations: if options.null { PERMUTATIONS } else { 0 } },
        settings: Settings {
            knn_ties: options.knn_ties.ties(),
            transrate_eps: options.transrate_eps,
            transrate_unit_trace: options.normalize.is_some(),
            seed: Seed(global.seed),
        },
        source_probabilities: options.source_probs.clone(),
        source_logits: options.source_logits,
        source_features: options.source_features.clone(),
        label_embeddings: options.label_embeddings.clone(),
    };
    let progress = Bars::new(global.quiet);
    let card = scorecard::score(&request, &progress)?;
    drop(progress);
    print(&if global.json {
        report::json::to_string(&card)
    } else {
        report::table::scores(&card.scores, card.task, super::terminal_width())
    })?;
    Ok(Outcome::Complete)
}
