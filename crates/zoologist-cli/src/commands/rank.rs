//! `zoologist rank`.

use zoologist::base::Seed;
use zoologist::extract::launch::Machinery;
use zoologist::rank::race::Rule;
use zoologist::rank::{self, ModelStatus, Plan, Progress, Ranking};
use zoologist::report;
use zoologist::store::{Store, write_whole};

use super::{machinery, outcome};
use crate::end::{Failure, Outcome, Result, print};
use crate::options::{Global, PoolingName, Rank, TruthName};
use crate::progress::Bars;

/// What to do without a zoo.
const NO_ZOO: &str = "rank needs models: --zoo ZOO, a folder of model folders.\n\
    Make one: `python tools/export.py timm resnet50.a1_in1k -o zoo/resnet50` exports a model with its preprocessing,\n\
    `zoologist zoo add FILE.onnx --preprocess imagenet` makes an .onnx file usable,\n\
    and `make demo` in the sources builds demo/zoo with six real models.";

/// Runs the command.
pub fn run(global: &Global, options: &Rank) -> Result<Outcome> {
    let zoo = options.zoo.clone().ok_or_else(|| Failure::usage(NO_ZOO))?;
    let plan = Plan {
        data: options.data.clone(),
        table: options.table.table().map_err(Failure::usage)?,
        zoo,
        metric: options.metric.clone(),
        samples: options.samples.map(|count| count as usize),
        baselines: !options.no_baselines,
        layers: options.layers.layers(),
        pooling: options.pooling.map(PoolingName::pooling),
        knn_ties: options.knn_ties.ties(),
        budget: options.budget.budget(),
        rule: Rule { top: options.top as usize, confidence: options.confidence },
        seed: Seed(global.seed),
        from_store: options.from_store,
        vets: !options.no_vet,
        truth: options.truth.map(TruthName::kind),
        advises: !options.no_advice,
        confirm: options.confirm,
        expects_shift: options.expect_shift,
        training: options.training.settings(),
    };
    let machinery = machinery::machinery(global, options.runtime, &options.limits, Store::from_environment()?)?;
    let machinery = Machinery { jobs: options.jobs.into(), ..machinery };
    let progress = Bars::new(global.quiet);
    let say = |sentence: &str| progress.say(sentence);
    let ranking = rank::run(&plan, &machinery::access(global, &say), &machinery, &progress)?;
    drop(progress);
    if let Some(path) = &options.report {
        let page = report::html::ranking(&ranking).map_err(Failure::internal)?;
        write_whole(path, |into| into.write_all(page.as_bytes()))?;
    }
    print(&if global.json {
        report::json::to_string(&ranking)
    } else {
        report::table::ranking(&ranking, super::terminal_width())
    })?;
    if ranking.interrupted {
        return Ok(Outcome::Interrupted);
    }
    Ok(outcome(global, has_failures(&ranking)))
}

fn has_failures(ranking: &Ranking) -> bool {
    !ranking.skipped.is_empty() || ranking.models.iter().any(|model| model.status == ModelStatus::Failed)
}
