//! The frozen ways: features of every layer from the store, and a head on some of them.

use std::ops::Range;
use std::time::Instant;

use super::result::Details;
use super::{Found, Product, Way, Work, folder, without};
use crate::base::{Fault, Features, Values};
use crate::extract::{Extractor, LayerSet, NetworkPlan};
use crate::rank::features::{self, Extracted, Wanted};
use crate::rank::layers::View;
use crate::rank::{Error, candidate};
use crate::score::linear_head::{self, Last, LinearHead};
use crate::score::perceptron;
use crate::zoo::{self, Form, Model};

/// Shares of all features that `head2toe` tries to read.
const SHARES: [f64; 6] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0];

/// A head and where it reads.
pub struct Head {
    /// The model.
    pub model: Model,
    /// How it is run.
    pub plan: NetworkPlan,
    /// The columns that are read, of all layers side by side; rising.
    pub columns: Vec<usize>,
    /// The columns of the last layer.
    pub last: Range<usize>,
    /// What is made of them.
    pub layers: Vec<perceptron::Layer>,
}

/// Fits a head to frozen features.
pub fn run(work: &Work) -> Result<Found, Error> {
    let model = zoo::model(&work.plan.model, work.access)?;
    model.notes.iter().for_each(|note| work.progress.say(note));
    if work.plan.output.is_some() {
        refuse_unwritable(&model, work.plan.way)?;
        if !folder::has_graph(&model) {
            return super::native::run(work);
        }
    }
    let layers = if folder::has_graph(&model) { LayerSet::All } else { LayerSet::Last };
    let plan = super::settings_of(candidate::plan(&model, layers, work.plan.pooling), &work.plan.settings);
    let found = extracted(&model.name, plan.clone(), work)?;
    let unreadable: Vec<(usize, String)> =
        found.failures.iter().map(|failure| (failure.row as usize, failure.reason.clone())).collect();
    work.progress.phase("fitting a head to the features");
    let begun = Instant::now();
    let fit = Fit {
        work,
        found: &found,
        views: View::each(&found.description),
        learned: without(&work.samples.learned, &unreadable),
        validation: without(&work.samples.validation, &unreadable),
        judged: without(&work.samples.judged, &unreadable),
    };
    let fitted = match work.plan.way {
        Way::Head2Toe => fit.head2toe()?,
        Way::Head => fit.perceptron()?,
        _ => fit.probe()?,
    };
    let dim = found.description.dim;
    let last = dim - found.description.layers.last().map_or(0, |layer| layer.dim)..dim;
    let Fitted { columns, layers, layer, outputs, validation } = fitted;
    let details = Details { layer, features: Some([columns.len(), dim]), ..Details::default() };
    let head = Head { model: model.clone(), plan, columns, last, layers };
    let seconds = found.timing.seconds + begun.elapsed().as_secs_f64();
    let product = Product::Head(Box::new(head));
    Ok(Found { name: model.name, outputs, validation, unreadable, details, seconds, product })
}

fn refuse_unwritable(model: &Model, way: Way) -> Result<(), Error> {
    let reasons = match (&model.form, way) {
        (Form::Static, _) => "a table of word vectors has no graph that a head could be added to",
        (Form::Native { .. }, Way::Head | Way::Head2Toe) => {
            "beside safetensors only a linear head on the last layer can be kept; use --how probe, or export the model to ONNX first"
        }
        _ => return Ok(()),
    };
    Err(Error::NoModel { path: model.name.clone(), reasons: reasons.to_owned(), fault: Fault::Input })
}

/// The features of all samples of the work.
pub fn extracted(name: &str, plan: NetworkPlan, work: &Work) -> Result<Extracted, Error> {
    let (extractor, job) = (Extractor::Network(plan), &work.samples.job);
    if let Err(reasons) = extractor.takes(job.dataset.inputs.noun()) {
        return Err(Error::NoModel { path: name.to_owned(), reasons, fault: Fault::Input });
    }
    let wanted = Wanted { name, extractor: &extractor, job, rows: job.len(), compute: true };
    features::extract(wanted, work.machinery, work.progress).map_err(|failure| failure.of(name))
}

struct Fit<'a> {
    work: &'a Work<'a>,
    found: &'a Extracted,
    views: Vec<View>,
    learned: Vec<usize>,
    validation: Vec<usize>,
    judged: Vec<usize>,
}

struct Fitted {
    columns: Vec<usize>,
    layers: Vec<perceptron::Layer>,
    layer: Option<String>,
    outputs: Vec<f64>,
    validation: f64,
}

impl Fit<'_> {
    /// Features of the rows to learn from, then of those that validate, then of the judged ones.
    fn features(&self, view: &View) -> Result<Features, Error> {
        let mut rows: Vec<(usize, usize)> =
            self.learned.iter().chain(&self.validation).chain(&self.judged).copied().zip(0..).collect();
        // The store is read in the order of its rows.
        rows.sort_unstable();
        let places: Vec<usize> = rows.iter().map(|(row, _)| *row).collect();
        let read = self.found.features(&places, view)?;
        let mut back = vec![0; rows.len()];
        rows.iter().enumerate().for_each(|(place, (_, wanted))| back[*wanted] = place);
        Ok(read.select(&back))
    }

    /// Targets in that order.
    fn targets(&self) -> Result<crate::base::Targets, Error> {
        let rows: Vec<usize> = self.learned.iter().chain(&self.validation).chain(&self.judged).copied().collect();
        let path = crate::base::path_text::show(&self.work.plan.data);
        self.work.samples.targets.select(&rows).map_err(|source| Error::Targets { path, source })
    }

    fn parts(&self) -> [Vec<usize>; 3] {
        let (learned, validation) = (self.learned.len(), self.learned.len() + self.validation.len());
        let end = validation + self.judged.len();
        [(0..learned).collect(), (learned..validation).collect(), (validation..end).collect()]
    }

    fn nothing(&self) -> Error {
        let reasons = "there are too few samples to fit a head: give more than --samples does".to_owned();
        let path = crate::base::path_text::show(&self.work.plan.data);
        Error::NoModel { path, reasons, fault: Fault::Input }
    }

    /// The linear head of the layer that does best on the validation rows, the last of equals.
    fn best_layer(&self) -> Result<(usize, linear_head::Fitted, Features), Error> {
        let (targets, [learned, validation, _]) = (self.targets()?, self.parts());
        let mut best: Option<(usize, linear_head::Fitted, Features)> = None;
        for (place, view) in self.views.iter().enumerate() {
            let features = self.features(view)?;
            let Some(fitted) = linear_head::fit(&features, &targets, &learned, &validation, Last::WithValidation)
            else {
                continue;
            };
            if best.as_ref().is_none_or(|(_, best, _)| fitted.validation >= best.validation) {
                best = Some((place, fitted, features));
            }
        }
        best.ok_or_else(|| self.nothing())
    }

    fn columns_of(&self, place: usize) -> Vec<usize> {
        let start: usize = self.views[..place].iter().map(|view| view.dim).sum();
        (start..start + self.views[place].dim).collect()
    }

    fn probe(&self) -> Result<Fitted, Error> {
        let (place, fitted, features) = self.best_layer()?;
        let outputs = fitted.head.apply(&features.select(&self.parts()[2]));
        Ok(Fitted {
            columns: self.columns_of(place),
            layers: vec![layer(&fitted.head)],
            layer: Some(self.views[place].layer.clone()),
            outputs,
            validation: fitted.validation,
        })
    }

    fn perceptron(&self) -> Result<Fitted, Error> {
        let (place, _, features) = self.best_layer()?;
        let (targets, [learned, validation, judged]) = (self.targets()?, self.parts());
        let fitted = perceptron::fit(&features, &targets, &learned, &validation, self.work.plan.seed);
        Ok(Fitted {
            columns: self.columns_of(place),
            layer: Some(self.views[place].layer.clone()),
            outputs: fitted.apply(&features.select(&judged)),
            validation: fitted.validation,
            layers: vec![fitted.hidden, fitted.output],
        })
    }

    /// All layers side by side, each column scaled; features are ranked by the length of their weights in a head on all,
    /// and the share of them that does best on the validation rows is kept.
    fn head2toe(&self) -> Result<Fitted, Error> {
        let whole = self.features(&View::whole(&self.found.description))?;
        let (targets, [learned, validation, judged]) = (self.targets()?, self.parts());
        let (means, factors) = linear_head::scaling(&whole, &learned);
        let scaled = scaled(&whole, &means, &factors);
        let all = linear_head::fit(&scaled, &targets, &learned, &validation, Last::WithValidation)
            .ok_or_else(|| self.nothing())?;
        let relevance = all.head.relevance();
        let mut order: Vec<usize> = (0..relevance.len()).collect();
        order.sort_by(|&a, &b| relevance[b].total_cmp(&relevance[a]).then(a.cmp(&b)));
        let mut best: Option<(Vec<usize>, linear_head::Fitted)> = None;
        for share in SHARES {
            let count = ((share * order.len() as f64).ceil() as usize).clamp(1, order.len());
            let mut columns = order[..count].to_vec();
            columns.sort_unstable();
            let chosen = some_columns(&scaled, &columns);
            let Some(fitted) = linear_head::fit(&chosen, &targets, &learned, &validation, Last::WithValidation) else {
                continue;
            };
            if best.as_ref().is_none_or(|(_, best)| fitted.validation > best.validation) {
                best = Some((columns, fitted));
            }
        }
        let (columns, fitted) = best.ok_or_else(|| self.nothing())?;
        let of = |values: &[f64]| columns.iter().map(|&column| values[column]).collect::<Vec<f64>>();
        let head = fitted.head.before_scaling(&of(&means), &of(&factors));
        let outputs = head.apply(&some_columns(&whole, &columns).select(&judged));
        Ok(Fitted { columns, layers: vec![layer(&head)], layer: None, outputs, validation: fitted.validation })
    }
}

fn layer(head: &LinearHead) -> perceptron::Layer {
    perceptron::Layer { into: head.dim, out: head.outputs, weight: head.weight.clone(), bias: head.bias.clone() }
}

fn scaled(features: &Features, means: &[f64], factors: &[f64]) -> Features {
    let mut values = Vec::with_capacity(features.rows() * features.dim());
    features
        .visit(0..features.rows(), |_, column, value| values.push(((value - means[column]) * factors[column]) as f32));
    Features::new(features.dim(), Values::F32(values))
}

fn some_columns(features: &Features, columns: &[usize]) -> Features {
    let mut kept = vec![false; features.dim()];
    columns.iter().for_each(|&column| kept[column] = true);
    let mut values = Vec::with_capacity(features.rows() * columns.len());
    features.visit(0..features.rows(), |_, column, value| values.extend(kept[column].then_some(value as f32)));
    Features::new(columns.len(), Values::F32(values))
}
