//! The same samples done otherwise: prepared, resized, rounded, pooled.

use super::super::Error;
use super::super::features::Extracted;
use super::super::layers::View;
use super::super::samples::Job;
use super::gather::{Ground, Labelled, Looked, are_classes, no_network};
use crate::base::{Features, Values};
use crate::extract::network::{HEAD, MEAN, MEAN_SIGN, MEAN_SQUARE};
use crate::extract::{Extractor, LayerSet, NetworkPlan, Precision};
use crate::vet::{self, Candidate, Channels, Head, Mode, Probe, ProbedPooling, Resized, Rounded, Sample};
use crate::zoo::preprocessing::{Crop, CropRounding, Filter, Preprocessing, Resize, Size};
use crate::zoo::{self, Form, ModelInput, TokenPooling};

/// Samples that are prepared otherwise.
const FEW: usize = 64;

/// Adds what is to be compared with the features.
pub fn add(
    ground: &Ground,
    looked: &Looked,
    rows: &[usize],
    labelled: Option<&Labelled>,
    head: Option<&str>,
    sample: &mut Sample,
) -> Result<(), Error> {
    let few: Vec<usize> = rows.iter().copied().take(FEW).collect();
    let job = looked.job.first(few.last().map_or(0, |last| last + 1), &ground.machinery.store)?;
    let wants = |id: &str| ground.plan.selection.wants(id);
    // The probe is one on all rows where these are few.
    let labels = labelled.map(|labelled| labelled.first(few.len()));
    let few = Few { ground, job: &job, rows: &few, labels: labels.flatten() };
    match &ground.model.input {
        ModelInput::Pictures(how) => {
            let heads = ["label-permutation", "published-gap", "preprocessing-mismatch"];
            if heads.into_iter().any(wants) {
                few.prepared(how, sample)?;
                sample.head = whole_head(ground, looked, rows)?;
            }
            sample.is_of_size = is_of_size(ground, looked, how)?;
            if wants("resize-sensitivity") && !sample.is_of_size {
                few.resized(how, sample)?;
            }
        }
        ModelInput::Texts(settings) => {
            if ["label-permutation", "published-gap"].into_iter().any(wants) {
                sample.head = text_head(ground, looked, rows, head)?;
            }
            let compared = [TokenPooling::Cls, TokenPooling::Mean, TokenPooling::Last];
            let here = ground.model.form != Form::Static && compared.contains(&settings.pooling);
            if let (true, true, Some(labelled)) = (wants("pooling-mismatch"), here, labelled) {
                poolings(ground, looked, rows, labelled, &compared, sample)?;
            }
        }
    }
    if wants("low-precision-drift") && ground.model.form != Form::Static {
        few.rounded(sample)?;
    }
    Ok(())
}

/// Some of the samples, done otherwise.
struct Few<'a> {
    ground: &'a Ground<'a>,
    job: &'a Job,
    rows: &'a [usize],
    labels: Option<Labelled>,
}

impl Few<'_> {
    fn prepared(&self, declared: &Preprocessing, sample: &mut Sample) -> Result<(), Error> {
        for Mode { name, preprocessing } in vet::candidates(declared) {
            let mut plan = NetworkPlan::new(self.ground.model, LayerSet::Signals);
            plan.input = ModelInput::Pictures(preprocessing.clone());
            let label = format!("{}, prepared: {name}", self.ground.model.name);
            let Ok(found) = self.ground.extract(&label, &Extractor::Network(plan), self.job)? else { continue };
            sample.candidates.push(self.candidate(name, preprocessing, &found)?);
        }
        Ok(())
    }

    fn candidate(&self, name: String, preprocessing: Preprocessing, found: &Extracted) -> Result<Candidate, Error> {
        let mut maps: Vec<Channels> = vec![];
        let (mut head, mut features) = (None, None);
        for view in View::each(&found.description) {
            let values = found.features(self.rows, &view)?;
            let part = [MEAN_SQUARE, MEAN_SIGN, MEAN]
                .into_iter()
                .find_map(|part| Some((part, view.layer.strip_prefix(part)?)));
            match part {
                Some((part, value)) => {
                    let known = maps.iter().position(|map| map.value == value);
                    let map = known.unwrap_or_else(|| {
                        maps.push(Channels { value: value.to_owned(), ..Channels::default() });
                        maps.len() - 1
                    });
                    let mean = means(&values);
                    match part {
                        MEAN => maps[map].mean = mean,
                        MEAN_SQUARE => maps[map].square = mean,
                        _ => maps[map].sign = mean,
                    }
                }
                None if view.layer == HEAD => head = probabilities(&values),
                None => features = Some(values),
            }
        }
        let features = features.unwrap_or_else(|| Features::new(1, Values::F32(vec![])));
        // The first map is the network's input, where it is there.
        let has_input = maps.first().is_some_and(|map| map.mean.len() == 3 && !map.square.is_empty());
        let input = if has_input { maps.remove(0) } else { Channels::default() };
        let probe = self.probe(&features);
        Ok(Candidate { name, preprocessing, input, maps, head, probe, features })
    }

    fn probe(&self, features: &Features) -> Option<Probe> {
        self.labels.as_ref().and_then(|labels| labels.probe(features))
    }

    fn resized(&self, declared: &Preprocessing, sample: &mut Sample) -> Result<(), Error> {
        for (name, preprocessing) in resizings(declared) {
            let mut plan = NetworkPlan::new(self.ground.model, LayerSet::Last);
            plan.input = ModelInput::Pictures(preprocessing);
            let label = format!("{}, resized: {name}", self.ground.model.name);
            let Ok(found) = self.ground.extract(&label, &Extractor::Network(plan), self.job)? else { continue };
            let features = found.features(self.rows, &View::whole(&found.description))?;
            sample.resized.push(Resized { name: name.to_owned(), probe: self.probe(&features), features });
        }
        Ok(())
    }

    fn rounded(&self, sample: &mut Sample) -> Result<(), Error> {
        let model = self.ground.model;
        let plan = NetworkPlan::new(model, LayerSet::Last);
        let mut wanted = vec![
            ("half precision".to_owned(), Extractor::RoundedNetwork(plan.clone(), Precision::Half)),
            ("bfloat16".to_owned(), Extractor::RoundedNetwork(plan, Precision::Bfloat)),
        ];
        for variant in zoo::papers(&model.folder, &no_network())?.variants {
            if model.form == Form::Onnx && variant.precision == "int8" {
                let other = zoo::variant(model, &variant)?;
                let name = format!("int8 ({})", crate::base::path_text::show(&variant.file));
                wanted.push((name, Extractor::Network(NetworkPlan::new(&other, LayerSet::Last))));
            }
        }
        for (name, extractor) in wanted {
            let label = format!("{}, {name}", model.name);
            let found = match self.ground.extract(&label, &extractor, self.job)? {
                Ok(found) => Ok(found.features(self.rows, &View::whole(&found.description))?),
                Err(reason) => Err(reason),
            };
            let probe = found.as_ref().ok().and_then(|features| self.probe(features));
            sample.rounded.push(Rounded { name, features: found, probe });
        }
        Ok(())
    }
}

/// Other ways to bring a picture to the same size.
fn resizings(declared: &Preprocessing) -> Vec<(&'static str, Preprocessing)> {
    let with = |filter: Filter| Preprocessing { filter, ..declared.clone() };
    let size = match (declared.crop, declared.resize) {
        (Some(crop), _) => Some(crop.size),
        (None, Resize::Exact(size)) => Some(size),
        (None, Resize::Keep | Resize::ShortestEdge(_)) => None,
    };
    let mut ways = vec![("nearest neighbour", with(Filter::Nearest))];
    ways.push(("bilinear without antialiasing", with(Filter::BilinearWithoutAntialias)));
    if declared.filter != Filter::Bilinear {
        ways.push(("bilinear", with(Filter::Bilinear)));
    }
    if let Some(size) = size {
        let squash = Preprocessing { resize: Resize::Exact(size), crop: None, ..declared.clone() };
        let cropped = Preprocessing {
            resize: Resize::ShortestEdge(shorter(size)),
            crop: Some(Crop { size, rounding: CropRounding::Down }),
            ..declared.clone()
        };
        let is = |other: &Preprocessing| other == declared;
        ways.extend([("squashed", squash), ("cropped", cropped)].into_iter().filter(|(_, other)| !is(other)));
    }
    ways
}

fn shorter(size: Size) -> u32 {
    size.height.max(size.width)
}

/// Whether resizing changes nothing: nearest neighbour gives the same as the declared filter.
fn is_of_size(ground: &Ground, looked: &Looked, how: &Preprocessing) -> Result<bool, Error> {
    if how.resize == Resize::Keep {
        return Ok(true);
    }
    let Resize::Exact(size) = how.resize else { return Ok(false) };
    super::copies::all_of_size(looked, size, ground)
}

/// What the head says of all rows.
fn whole_head(ground: &Ground, looked: &Looked, rows: &[usize]) -> Result<Option<Head>, Error> {
    let labelled = looked.labelled.as_ref().is_some_and(|samples| are_classes(&samples.targets));
    let names = zoo::papers(&ground.model.folder, &no_network())?.classes;
    if !labelled || names.is_empty() {
        return Ok(None);
    }
    let plan = NetworkPlan::new(ground.model, LayerSet::Signals);
    let label = format!("{}, its head", ground.model.name);
    let Ok(found) = ground.extract(&label, &Extractor::Network(plan), &looked.job)? else { return Ok(None) };
    let Some(view) = View::each(&found.description).into_iter().find(|view| view.layer == HEAD) else {
        return Ok(None);
    };
    Ok(probabilities(&found.features(rows, &view)?))
}

/// What the head of a text model, an output of its graph, says of all rows.
fn text_head(ground: &Ground, looked: &Looked, rows: &[usize], head: Option<&str>) -> Result<Option<Head>, Error> {
    let labelled = looked.labelled.as_ref().is_some_and(|samples| are_classes(&samples.targets));
    let names = zoo::papers(&ground.model.folder, &no_network())?.classes;
    let Some(head) = head.filter(|_| labelled && !names.is_empty()) else { return Ok(None) };
    let mut plan = NetworkPlan::new(ground.model, LayerSet::Last);
    plan.features = Some(head.to_owned());
    let label = format!("{}, its head", ground.model.name);
    let Ok(found) = ground.extract(&label, &Extractor::Network(plan), &looked.job)? else { return Ok(None) };
    let features = found.features(rows, &View::whole(&found.description))?;
    // Anything else is no row of classes.
    Ok(if features.dim() == names.len() { probabilities(&features) } else { None })
}

/// The mean of each column.
fn means(features: &Features) -> Vec<f64> {
    let mut means = vec![0.0; features.dim()];
    let rows = features.rows().max(1) as f64;
    features.visit(0..features.rows(), |_, column, value| means[column] += value / rows);
    means
}

/// Probabilities, whether the head gives these or logits.
fn probabilities(features: &Features) -> Option<Head> {
    let classes = features.dim();
    let mut rows = vec![0.0; features.rows() * classes];
    features.visit(0..features.rows(), |row, column, value| rows[row * classes + column] = value);
    if classes < 2 || !rows.iter().all(|value| value.is_finite()) {
        return None;
    }
    let is_one = |row: &[f64]| row.iter().all(|value| *value >= 0.0) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3;
    if !rows.chunks_exact(classes).all(is_one) {
        for row in rows.chunks_exact_mut(classes) {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|value| *value = (*value - most).exp());
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|value| *value /= sum);
        }
    }
    Some(Head { classes, probabilities: rows })
}

/// Probes on other poolings of the same token states.
fn poolings(
    ground: &Ground,
    looked: &Looked,
    rows: &[usize],
    labelled: &Labelled,
    compared: &[TokenPooling],
    sample: &mut Sample,
) -> Result<(), Error> {
    for &pooling in compared {
        let plan = super::super::candidate::plan(ground.model, LayerSet::Last, Some(pooling));
        let label = format!("{}, {} pooling", ground.model.name, pooling.word());
        let Ok(found) = ground.extract(&label, &Extractor::Network(plan), &looked.job)? else { continue };
        let features = found.features(rows, &View::whole(&found.description))?;
        sample.poolings.extend(labelled.probe(&features).map(|probe| ProbedPooling { pooling, probe }));
    }
    Ok(())
}
