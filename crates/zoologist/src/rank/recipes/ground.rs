//! What recipes are made of and evaluated on: features of three layers of every model, and the samples in three parts.

use super::RecipePlan;
use super::finetuning::{Networks, Share, Tuning, Workers};
use super::result::ModelPrior;
use crate::base::{Classes, Fault, Features, Seed, Targets, Values};
use crate::extract::LayerSet;
use crate::extract::launch::Machinery;
use crate::rank::features::{self, Extracted, Failure, Wanted};
use crate::rank::layers::View;
use crate::rank::samples::TuningSamples;
use crate::rank::searching::SearchedData;
use crate::rank::tuning::{self, Judgement};
use crate::rank::{Error, Skipped, candidate};
use crate::score::descent::{self, How};
use crate::score::{linear_head, logme};
use crate::search::{Choice, Distribution, Space};
use crate::stats::Shards;
use crate::zoo::{Access, Zoo};

/// Layers by the share of the way to them.
const DEPTHS: [(&str, f64); 3] = [("last layer", 1.0), ("three quarters", 0.75), ("half way", 0.5)];
/// What is done to features first.
const NORMALISATIONS: [&str; 3] = ["as they are", "length 1", "standardised"];
/// Ways of using a model; those that train the network come last.
const WAYS: [Way; 4] = [
    Way::Head { hidden: false },
    Way::Head { hidden: true },
    Way::FineTuned(Share::TopHalf),
    Way::FineTuned(Share::All),
];
/// How many of these are heads.
const HEADS: usize = 2;
/// Learning rates: three of heads, then three of networks.
const RATES: [f64; 6] = [1e-3, 1e-2, 1e-1, 3e-5, 1e-4, 3e-4];
/// How many of these are of heads.
const RATES_OF_HEADS: usize = 3;
/// The parts of a recipe, in their order.
const FACTORS: [&str; 5] = ["model", "layer", "features", "way", "learning rate"];
/// The place of [`WAYS`] in a recipe.
const WAY: usize = 3;
/// The place of [`RATES`].
const RATE: usize = 4;
/// Samples that judge, at most.
const MOST_JUDGED: usize = 2000;

/// What is done with a model.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A head on features of the network as it is.
    Head {
        /// Whether it has a hidden layer.
        hidden: bool,
    },
    /// The network learns, and a new linear head on its last layer.
    FineTuned(Share),
}

impl Way {
    fn name(self) -> String {
        match self {
            Self::Head { hidden: false } => "linear head".to_owned(),
            Self::Head { hidden: true } => "hidden layer".to_owned(),
            Self::FineTuned(share) => share.to_string(),
        }
    }
}

/// Whether a recipe trains the network.
pub fn finetunes(recipe: &[u8]) -> bool {
    matches!(WAYS[usize::from(recipe[WAY])], Way::FineTuned(_))
}

/// Everything that an evaluation needs.
pub struct Ground<'a> {
    /// What is to be chosen.
    pub choices: Vec<Choice>,
    /// Models that could not be used.
    pub failed: Vec<Skipped>,
    /// Samples that could not be used.
    pub unreadable: Vec<(usize, String)>,
    /// For each model and depth the features of all rows; a depth whose layer an earlier depth has is `None`.
    features: Vec<Vec<Option<Features>>>,
    logme: Vec<Option<f64>>,
    /// What can be fine-tuned, if that is wanted.
    networks: Option<Networks>,
    workers: Workers<'a>,
    targets: Targets,
    /// Rows to learn from, in the one order.
    learned: Vec<usize>,
    validation: Vec<usize>,
    judged: Vec<usize>,
    judged_on: String,
    seed: Seed,
}

impl<'a> Ground<'a> {
    /// Computes what is missing of the features.
    pub fn of(
        plan: &RecipePlan,
        zoo: &Zoo,
        access: &Access,
        samples: &TuningSamples,
        workers: Workers<'a>,
    ) -> Result<Self, Error> {
        let Workers { machinery, progress } = workers;
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
        let layers = |(name, found): &(String, Extracted)| (name.clone(), found.description.layers.len());
        let layers: Vec<(String, usize)> = models.iter().map(layers).collect();
        let networks = plan.finetunes.then(|| Networks::of(&layers, zoo, access, samples, plan.seed));
        let (networks, refused) = networks.unzip();
        refused.iter().flatten().for_each(|it| progress.say(&format!("{}: {}", it.path, it.reason)));
        Self::with(plan, samples, &models, failed, networks, workers)
    }

    fn with(
        plan: &RecipePlan,
        samples: &TuningSamples,
        models: &[(String, Extracted)],
        failed: Vec<Skipped>,
        networks: Option<Networks>,
        workers: Workers<'a>,
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
        let [ways, rates] = if networks.is_some() { [WAYS.len(), RATES.len()] } else { [HEADS, RATES_OF_HEADS] };
        let options = [
            models.iter().map(|(name, _)| name.clone()).collect(),
            names(&DEPTHS.map(|(name, _)| name)),
            names(&NORMALISATIONS),
            WAYS[..ways].iter().map(|way| way.name()).collect(),
            RATES[..rates].iter().map(|rate| format!("{rate}")).collect(),
        ];
        let choices = FACTORS.iter().zip(options).map(|(name, options)| Choice { name: (*name).to_owned(), options });
        let mut judged = tuning::without(&samples.judged, &unreadable);
        judged.truncate(MOST_JUDGED);
        let mut ground = Self {
            choices: choices.collect(),
            failed,
            features: all,
            logme: vec![],
            networks,
            workers,
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

    /// All recipes; layers that a model has under another name are left out, and what does not go together: a network is
    /// fine-tuned from its last layer, with features as they are, at rates of its own, if it is built in.
    pub fn space(&self) -> Space {
        let mut excluded = vec![];
        for (model, depths) in self.features.iter().enumerate() {
            let missing = depths.iter().enumerate().filter(|(_, features)| features.is_none());
            excluded.extend(missing.map(|(depth, _)| vec![(0, model as u8), (1, depth as u8)]));
        }
        excluded.extend(self.networks.iter().flat_map(|networks| self.apart(networks)));
        Space { choices: self.choices.clone(), limits: vec![], excluded, only: None }
    }

    /// What does not go together where networks are fine-tuned.
    fn apart(&self, networks: &Networks) -> Vec<Vec<(usize, u8)>> {
        let mut excluded = vec![];
        for number in 0..WAYS.len() {
            let way = |place: usize, option: usize| vec![(WAY, number as u8), (place, option as u8)];
            let is_head = number < HEADS;
            excluded
                .extend((0..RATES.len()).filter(|&rate| is_head != (rate < RATES_OF_HEADS)).map(|it| way(RATE, it)));
            if !is_head {
                excluded.extend((1..DEPTHS.len()).map(|depth| way(1, depth)));
                excluded.extend((1..NORMALISATIONS.len()).map(|how| way(2, how)));
                excluded.extend((0..self.features.len()).filter(|&it| !networks.has(it)).map(|it| way(0, it)));
            }
        }
        excluded
    }

    /// A distribution that prefers nothing. What does not go together is never drawn, and most that is drawn with a way that
    /// trains the network does not go together: such a way is more probable by so much that each way is drawn equally often.
    pub fn even(&self) -> Distribution {
        let space = self.space();
        let mut even = Distribution::uniform(&space);
        let mut allowed = vec![0.0; even.0[WAY].len()];
        for recipe in space.all() {
            allowed[usize::from(recipe[WAY])] += 1.0;
        }
        let weights: Vec<f64> = allowed.iter().map(|count| if *count > 0.0 { 1.0 / count } else { 0.0 }).collect();
        let sum: f64 = weights.iter().sum();
        even.0[WAY] = weights.iter().map(|weight| weight / sum).collect();
        even
    }

    /// Half of the probability goes to models by LogME, in units of its spread over the zoo; the other half is even, so that
    /// a wrong score excludes nothing. All other factors are as in [`Ground::even`].
    pub fn prior(&self) -> Distribution {
        let mut prior = self.even();
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

    /// Who makes several trainings at once.
    pub fn at_once(&self, count: usize) -> Machinery {
        let bytes = self.networks.as_ref().map_or(0, Networks::bytes);
        self.workers.machinery.for_trainings(count, bytes)
    }

    /// The share of right validation samples, after training on the first share of the others.
    pub fn evaluate(&self, recipe: &[u8], fidelity: f64) -> Result<f64, Error> {
        self.evaluate_by(recipe, fidelity, self.workers.machinery)
    }

    /// The same, by these workers.
    pub fn evaluate_by(&self, recipe: &[u8], fidelity: f64, machinery: &Machinery) -> Result<f64, Error> {
        let count = ((fidelity * self.learned.len() as f64).round() as usize).max(1);
        let classes = self.predicted(recipe, &self.learned[..count], &self.validation, machinery)?;
        Ok(self.right(&classes, &self.validation))
    }

    /// A full evaluation: the share of right validation samples, and of right judged ones, by these workers.
    pub fn evaluate_and_judge(&self, recipe: &[u8], machinery: &Machinery) -> Result<[f64; 2], Error> {
        let both = [&self.validation[..], &self.judged].concat();
        let classes = self.predicted(recipe, &self.learned, &both, machinery)?;
        let (validation, judged) = classes.split_at(self.validation.len());
        Ok([self.right(validation, &self.validation), self.right(judged, &self.judged)])
    }

    /// What a recipe is worth on the judged samples, after training on all others.
    pub fn judged(&self, recipe: &[u8]) -> Result<Judgement, Error> {
        let all: Vec<usize> = self.learned.iter().chain(&self.validation).copied().collect();
        let classes = self.predicted(recipe, &all, &self.judged, self.workers.machinery)?;
        let width = self.classes().names().len();
        let outputs: Vec<f64> = classes
            .iter()
            .flat_map(|&class| (0..width).map(move |other| f64::from(u8::from(other == class as usize))))
            .collect();
        Ok(tuning::judge(&self.targets, &self.judged, &outputs))
    }

    /// Samples that judge.
    pub fn judges(&self) -> usize {
        self.judged.len()
    }

    /// The share of rows whose class is right.
    fn right(&self, classes: &[u32], rows: &[usize]) -> f64 {
        let index = self.classes().index();
        classes.iter().zip(rows).filter(|&(&class, &row)| class == index[row]).count() as f64 / rows.len() as f64
    }

    fn predicted(
        &self,
        recipe: &[u8],
        learned: &[usize],
        others: &[usize],
        machinery: &Machinery,
    ) -> Result<Vec<u32>, Error> {
        let [model, depth, normalisation, way, rate] = [0, 1, 2, WAY, RATE].map(|place| usize::from(recipe[place]));
        let nothing = || vec![u32::MAX; others.len()];
        let (hidden, rate) = match (WAYS[way], RATES[rate]) {
            (Way::Head { hidden }, rate) => (hidden, rate),
            (Way::FineTuned(share), rate) => {
                let tuning = Tuning { model, share, rate, learned, others };
                let Some(networks) = &self.networks else { return Ok(nothing()) };
                let workers = Workers { machinery, ..self.workers };
                return Ok(networks.predicted(&tuning, workers)?.unwrap_or_else(nothing));
            }
        };
        let Some(features) = &self.features[model][depth] else { return Ok(nothing()) };
        let (train, test) = (features.select(learned), features.select(others));
        let [train, test] = normalised(normalisation, train, test);
        let labels: Vec<u32> = learned.iter().map(|&row| self.classes().index()[row]).collect();
        let how = How { hidden, rate };
        Ok(descent::train(&train, &labels, self.classes().names().len(), how, self.seed).classes(&test))
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
