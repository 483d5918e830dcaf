//! What selecting saves: every model of the zoo tuned on the same samples as the scores saw, and judged on the same others.
//!
//! Each tuning is a run of [`super::tuning`], kept in the store, so an interrupted comparison goes on where it was. Models
//! whose network is not built in have no such truth; they are listed with the reason.

use super::field::Ground;
use super::plan::TruthKind;
use super::truth::{agreements, selection_seconds};
use super::tuning::{self, TunePlan, Tuned, Way};
use super::{Error, RankedModel, Skipped, TrueAccuracy, Truth, TruthTiming};
use crate::base::Seed;
use crate::zoo::{Access, Model, Zoo};

/// Tunes every model that was ranked, and compares the order with the accuracies.
pub fn truth(
    ground: &Ground,
    zoo: &Zoo,
    kind: TruthKind,
    models: &[RankedModel],
    access: &Access,
) -> Result<Truth, Error> {
    let way = if kind == TruthKind::Full { Way::Full } else { Way::Head };
    let (mut accuracies, mut not_covered, mut seconds, mut judged) = (vec![], vec![], 0.0, None);
    let of_zoo = |ranked: &RankedModel| zoo.models.iter().find(|model| !ranked.baseline && model.name == ranked.name);
    for model in models.iter().filter_map(of_zoo) {
        let name = model.name.clone();
        match tuned(ground, model, way, ground.plan.seed, access) {
            Ok(tuned) => {
                seconds += tuned.timing.training_seconds;
                judged = Some((tuned.data.judged, tuned.data.judged_on, tuned.judgement.metric));
                accuracies.push(TrueAccuracy { name, accuracy: tuned.judgement.value });
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => not_covered.push(Skipped { path: name, reason: error.to_string() }),
        }
    }
    let (n, place, metric) = judged.unwrap_or((0, "nothing".to_owned(), "accuracy"));
    let selection = selection_seconds(models, &accuracies);
    let what = if kind == TruthKind::Full { "full fine-tuning" } else { "a head with one hidden layer" };
    Ok(Truth {
        kind: format!("{metric} of {what} on {place}"),
        n,
        agreement: agreements(models, &accuracies, n, ground.plan.seed),
        models: accuracies,
        not_covered,
        timing: TruthTiming {
            selection_seconds: selection,
            truth_seconds: Some(seconds),
            ratio: (selection > 0.0 && seconds > 0.0).then(|| seconds / selection),
        },
    })
}

/// Tunes a model of the ranking by one way, on the samples that it was ranked on.
pub fn tuned(ground: &Ground, model: &Model, way: Way, seed: Seed, access: &Access) -> Result<Tuned, Error> {
    let plan = ground.plan;
    let tuning = TunePlan {
        model: model.path(),
        data: plan.data.clone(),
        table: plan.table.clone(),
        way,
        samples: plan.samples,
        pooling: plan.pooling,
        settings: plan.training.clone(),
        alteration: None,
        teachers: None,
        output: None,
        graph: false,
        seed,
        training_seed: None,
    };
    tuning::run(&tuning, access, ground.machinery, ground.progress)
}
