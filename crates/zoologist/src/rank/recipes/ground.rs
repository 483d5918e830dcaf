//! What recipes are made of and evaluated on: features of three layers of every model, and the samples in three parts.

use super::RecipePlan;
use super::result::ModelPrior;
use crate::base::{Classes, Fault, Features, Seed, Targets, Values};
use crate::extract::LayerSet;
use crate::extract::launch::Machinery;
use crate::rank::features::{self, Extracted, Failure, Wanted};
use crate::rank::layers::View;
use crate::rank::plan::Progress;
use crate::rank::samples::TuningSamples;
use crate::rank::searching::SearchedData;
use crate::rank::tuning::{self, Judgement};
use crate::rank::{Error, Skipped, candidate};
use crate::score::descent::{self, How};
use crate::score::{linear_head, logme};
use crate::search::{Choice, Distribution, Space};
use crate::stats::Shards;
use crate::zoo::Zoo;

/// Layers by the share of the way to them.
const DEPTHS: [(&str, f64); 3] = [("last layer", 1.0), ("three quarters", 0.75), ("half way", 0.5)];
/// What is done to features first.
const NORMALISATIONS: [&str; 3] = ["as they are", "length 1", "standardised"];
const HEADS: [(&str, bool); 2] = [("linear head", false), ("hidden layer", true)];
const RATES: [f64; 3] = [1e-3, 1e-2, 1e-1];
/// The parts of a recipe, in their order.
const FACTORS: [&str; 5] = ["model", "layer", "features", "head", "learning rate"];
/// Samples that judge, at most.
const MOST_JUDGED: usize = 2000;

/// Everything that an evaluation needs.
pub struct Ground {
    /// What is to be chosen.
    pub choices: Vec<Choice>,
    /// Models that could not be used.
    pub failed: Vec<Skipped>,
    /// Samples that could not be used.
    pub unreadable: Vec<(usize, String)>,
    /// For each model and depth the features of all rows; a depth whose layer an earlier depth has is `None`.
    features: Vec<Vec<Option<Features>>>,
    logme: Vec<Option<f64>>,
    targets: Targets,
    /// Rows to learn from, in the one order.
    learned: Vec<usize>,
    validation: Vec<usize>,
    judged: Vec<usize>,
    judged_on: String,
    seed: Seed,
}

impl Ground {
    /// Computes what is missing of the features.
    pub fn of(
        plan: &RecipePlan,
        zoo: &Zoo,
        samples: &TuningSamples,
        machinery: &Machinery,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let Targets::Classes(_) = &samples.targets else {
            let reasons = "recipes are compared by accuracy: the labels must be classes".to_owned();
            return Err(Error::NoModel {
                path: crate::base::path_text::show(&plan.data),
                reasons,
                fault: Fault::Input,
            });
        };
        let (mut models, mut failed) = (vec![], vec![]);
        for model in candidate::models(zoo, LayerSet::All, None) {
            let fail = |reason: String| Skipped { path: model.name.clone(), reason };
            if let Err(reason) = model.extractor.takes(samples.job.dataset.inputs.noun()) {
                failed.push(fail(reason));
                continue;
            }
            let (name, job) = (&model.name, &samples.job);
            let wanted = Wanted { name, extractor: &model.extractor, job, rows: job.len(), compute: true };
            match features::extract(wanted, machinery, progress) {
                Ok(found) => models.push((model.name.clone(), found)),
                Err(Failure::Run(error)) => return Err(error),
                Err(Failure::Candidate(unusable)) => failed.push(fail(unusable.reason.clone())),
            }
        }
        if models.is_empty() {
            let reasons = failed.iter().map(|it| format!("{}: {}", it.path, it.reason)).collect::<Vec<_>>().join("\n");
            let path = crate::base::path_text::show(&plan.zoo);
            return Err(Error::NoModel { path, reasons, fault: Fault::Input });
        }
        Self::with(plan, samples, &models, failed)
    }

    fn with(
        plan: &RecipePlan,
        samples: &TuningSamples,
        models: &[(String, Extracted)],
        failed: Vec<Skipped>,
    ) -> Result<Self, Error> {
        let mut unreadable: Vec<(usize, String)> = vec![];
        for failure in models.iter().flat_map(|(_, found)| &found.failures) {
            if unreadable.iter().all(|(row, _)| *row != failure.row as usize) {
                unreadable.push((failure.row as usize, failure.reason.clone()));
            }
        }
        let rows: Vec<usize> = (0..samples.job.len()).collect();
        let mut all = vec![];
        for (_, found) in models {
            let views = View::each(&found.description);
            let place = |share: f64| (share * (views.len() - 1) as f64).round() as usize;
            let mut of_model = vec![];
            for (number, &(_, share)) in DEPTHS.iter().enumerate() {
                let is_new = DEPTHS[..number].iter().all(|&(_, earlier)| place(earlier) != place(share));
                of_model.push(if is_new { Some(found.features(&rows, &views[place(share)])?) } else { None });
            }
            all.push(of_model);
        }
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
        let options = [
            models.iter().map(|(name, _)| name.clone()).collect(),
            names(&DEPTHS.map(|(name, _)| name)),
            names(&NORMALISATIONS),
            names(&HEADS.map(|(name, _)| name)),
            RATES.map(|rate| format!("{rate}")).to_vec(),
        ];
        let choices = FACTORS.iter().zip(options).map(|(name, options)| Choice { name: (*name).to_owned(), options });
        let mut judged = tuning::without(&samples.judged, &unreadable);
        judged.truncate(MOST_JUDGED);
        let mut ground = Self {
            choices: choices.collect(),
            failed,
            features: all,
            logme: vec![],
            targets: samples.targets.clone(),
            learned: tuning::without(&samples.learned, &unreadable),
            validation: tuning::without(&samples.validation, &unreadable),
            judged,
            judged_on: samples.judged_on.clone(),
            seed: plan.seed,
            unreadable,
        };
        if ground.learned.is_empty() || ground.validation.is_empty() || ground.judged.is_empty() {
            return Err(Error::NoRows);
        }
        ground.logme = (0..ground.features.len()).map(|model| ground.logme_of(model)).collect();
        Ok(ground)
    }

    fn classes(&self) -> &Classes {
        match &self.targets {
            Targets::Classes(classes) => classes,
            _ => unreachable!("recipes of other targets are refused"),
        }
    }

    fn logme_of(&self, model: usize) -> Option<f64> {
        let features = self.features[model][0].as_ref()?.select(&self.learned);
        let targets = self.targets.select(&self.learned).ok()?;
        let rows = features.rows();
        logme::logme(&Shards::of(&features, &targets, std::slice::from_ref(&(0..rows))).total()).value()
    }

    /// All recipes; layers that a model has under another name are left out.
    pub fn space(&self) -> Space {
        let mut excluded = vec![];
        for (model, depths) in self.features.iter().enumerate() {
            let missing = depths.iter().enumerate().filter(|(_, features)| features.is_none());
            excluded.extend(missing.map(|(depth, _)| vec![(0, model as u8), (1, depth as u8)]));
        }
        Space { choices: self.choices.clone(), limits: vec![], excluded, only: None }
    }

    /// Half of the probability goes to models by LogME, in units of its spread over the zoo; the other half is even, so that
    /// a wrong score excludes nothing. All other factors are even.
    pub fn prior(&self) -> Distribution {
        let mut prior = Distribution::uniform(&self.space());
        let known: Vec<f64> = self.logme.iter().copied().flatten().collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let spread = (known.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64).sqrt();
        if known.len() < 2 || spread <= 0.0 {
            return prior;
        }
        let weight = |logme: &Option<f64>| logme.map_or(0.0, |logme| ((logme - mean) / spread).exp());
        let weights: Vec<f64> = self.logme.iter().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let even = 0.5 / weights.len() as f64;
        prior.0[0] = weights.iter().map(|weight| 0.5 * weight / sum + even).collect();
        prior
    }

    /// The models with their LogME and their probability.
    pub fn named_prior(&self, prior: &Distribution) -> Vec<ModelPrior> {
        let all = self.choices[0].options.iter().zip(&self.logme).zip(&prior.0[0]);
        all.map(|((model, &logme), &probability)| ModelPrior { model: model.clone(), logme, probability }).collect()
    }

    /// The recipe of the model of highest LogME, its last layer, standardised, with a linear head at the middle rate.
    pub fn usual(&self) -> Vec<u8> {
        let height = |model: &usize| self.logme[*model].unwrap_or(f64::NEG_INFINITY);
        let best =
            (0..self.logme.len()).fold(0, |best, model| if height(&model) > height(&best) { model } else { best });
        vec![best as u8, 0, 2, 0, 1]
    }

    /// The names of a recipe's parts.
    pub fn names(&self, recipe: &[u8]) -> Vec<String> {
        recipe.iter().zip(&self.choices).map(|(&part, choice)| choice.options[usize::from(part)].clone()).collect()
    }

    /// The share of right validation samples, after training on the first share of the others.
    pub fn evaluate(&self, recipe: &[u8], fidelity: f64) -> f64 {
        let count = ((fidelity * self.learned.len() as f64).round() as usize).max(1);
        let right = self.right(recipe, &self.learned[..count], &self.validation);
        right.iter().filter(|right| **right).count() as f64 / right.len() as f64
    }

    /// What a recipe is worth on the judged samples, after training on all others.
    pub fn judged(&self, recipe: &[u8]) -> Judgement {
        let all: Vec<usize> = self.learned.iter().chain(&self.validation).copied().collect();
        let classes = self.predicted(recipe, &all, &self.judged);
        let width = self.classes().names().len();
        let outputs: Vec<f64> = classes
            .iter()
            .flat_map(|&class| (0..width).map(move |other| f64::from(u8::from(other == class as usize))))
            .collect();
        tuning::judge(&self.targets, &self.judged, &outputs)
    }

    /// The share of right judged samples, after training on those to learn from.
    pub fn judged_share(&self, recipe: &[u8]) -> f64 {
        let right = self.right(recipe, &self.learned, &self.judged);
        right.iter().filter(|right| **right).count() as f64 / right.len() as f64
    }

    /// Samples that judge.
    pub fn judges(&self) -> usize {
        self.judged.len()
    }

    fn right(&self, recipe: &[u8], learned: &[usize], others: &[usize]) -> Vec<bool> {
        let index = self.classes().index();
        self.predicted(recipe, learned, others).iter().zip(others).map(|(&class, &row)| class == index[row]).collect()
    }

    fn predicted(&self, recipe: &[u8], learned: &[usize], others: &[usize]) -> Vec<u32> {
        let [model, depth, normalisation, head, rate] = [0, 1, 2, 3, 4].map(|place| usize::from(recipe[place]));
        let Some(features) = &self.features[model][depth] else { return vec![u32::MAX; others.len()] };
        let (train, test) = (features.select(learned), features.select(others));
        let [train, test] = normalised(normalisation, train, test);
        let labels: Vec<u32> = learned.iter().map(|&row| self.classes().index()[row]).collect();
        let how = How { hidden: HEADS[head].1, rate: RATES[rate] };
        descent::train(&train, &labels, self.classes().names().len(), how, self.seed).classes(&test)
    }

    /// The samples, for whoever reads the result.
    pub fn summary(&self, plan: &RecipePlan) -> SearchedData {
        SearchedData {
            path: plan.data.clone(),
            learned: self.learned.len(),
            validation: self.validation.len(),
            judged: self.judged.len(),
            judged_on: self.judged_on.clone(),
            classes: self.classes().names().to_vec(),
        }
    }
}

/// Features to learn from and others, normalised by what is seen of the first.
fn normalised(how: usize, train: Features, test: Features) -> [Features; 2] {
    let rows: Vec<usize> = (0..train.rows()).collect();
    match NORMALISATIONS[how] {
        "length 1" => [train, test].map(|features| {
            let dim = features.dim();
            let mut values = values(&features);
            for row in values.chunks_exact_mut(dim) {
                let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
                row.iter_mut().for_each(|value| *value /= length.max(f64::MIN_POSITIVE));
            }
            Features::new(dim, Values::F64(values))
        }),
        "standardised" => {
            let (means, factors) = linear_head::scaling(&train, &rows);
            [train, test].map(|features| {
                let dim = features.dim();
                let mut values = values(&features);
                for row in values.chunks_exact_mut(dim) {
                    row.iter_mut()
                        .zip(&means)
                        .zip(&factors)
                        .for_each(|((value, mean), by)| *value = (*value - mean) * by);
                }
                Features::new(dim, Values::F64(values))
            })
        }
        _ => [train, test],
    }
}

fn values(features: &Features) -> Vec<f64> {
    let mut values = vec![0.0; features.rows() * features.dim()];
    features.visit(0..features.rows(), |row, column, value| values[row * features.dim() + column] = value);
    values
}
