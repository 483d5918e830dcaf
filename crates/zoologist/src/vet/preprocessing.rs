//! Preprocessing by triangulation: the declared way against others that are usual, judged by signs that no label enters.
//!
//! Label evidence is shown and never decides: on photographs, LogME and probes rank wrong ways first and expose only
//! gross errors of scale. What decides: the statistics that batch norms kept from training; where they were folded away,
//! the gain of the first convolution over its own bias and channels that a wrong contrast silences; and the confidence of
//! the model's own head, picture by picture.

mod folded;
mod head;
mod statistics;

use super::evidence::{Candidate, Evidence, Sample};
use super::finding::{Confidence, Finding, Severity};
use crate::extract::anatomy::Anatomy;
use crate::zoo::preprocessing::{ChannelOrder, Preprocessing};

/// One way to prepare pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Mode {
    /// In words.
    pub name: String,
    /// The way.
    pub preprocessing: Preprocessing,
}

/// ImageNet's mean and deviation, of values from 0 to 1.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// The same of CLIP.
const CLIP: ([f32; 3], [f32; 3]) =
    ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]);
/// The means that Caffe's networks subtract, blue first.
const CAFFE: [f32; 3] = [103.939, 116.779, 123.68];
/// What is done with values from 0 to 255 to bring them to 0 to 1.
const UNIT: f32 = 1.0 / 255.0;

/// The declared way, and the others that are tried.
pub fn candidates(declared: &Preprocessing) -> Vec<Mode> {
    let with = |scale: f32, mean: [f32; 3], std: [f32; 3]| Preprocessing {
        scale,
        offset: 0.0,
        mean,
        std,
        channel_order: ChannelOrder::Rgb,
        ..declared.clone()
    };
    let swapped = Preprocessing { channel_order: other_order(declared.channel_order), ..declared.clone() };
    let unscaled = Preprocessing { scale: 1.0, offset: 0.0, ..declared.clone() };
    let caffe = Preprocessing { channel_order: ChannelOrder::Bgr, ..with(1.0, CAFFE, [1.0; 3]) };
    let exchanged = Preprocessing { mean: declared.std, std: declared.mean, ..declared.clone() };
    let imagenet_swapped = Preprocessing { channel_order: ChannelOrder::Bgr, ..with(UNIT, IMAGENET.0, IMAGENET.1) };
    let all = [
        ("declared", declared.clone()),
        ("the other order of channels", swapped),
        ("mean and deviation exchanged", exchanged),
        ("0..1", with(UNIT, [0.0; 3], [1.0; 3])),
        ("-1..1 (mean .5, deviation .5)", with(UNIT, [0.5; 3], [0.5; 3])),
        ("ImageNet's mean and deviation", with(UNIT, IMAGENET.0, IMAGENET.1)),
        ("ImageNet's mean and deviation, BGR", imagenet_swapped),
        ("CLIP's mean and deviation", with(UNIT, CLIP.0, CLIP.1)),
        ("0..255", with(1.0, [0.0; 3], [1.0; 3])),
        ("BGR less Caffe's mean", caffe),
        ("declared, without the division by 255", unscaled),
    ];
    let mut modes: Vec<Mode> = vec![];
    for (name, preprocessing) in all {
        let possible = preprocessing.std.iter().all(|&std| std.abs() > 1e-3);
        if possible && !modes.iter().any(|known| same(&known.preprocessing, &preprocessing)) {
            modes.push(Mode { name: name.to_owned(), preprocessing });
        }
    }
    modes
}

fn other_order(order: ChannelOrder) -> ChannelOrder {
    match order {
        ChannelOrder::Rgb => ChannelOrder::Bgr,
        ChannelOrder::Bgr => ChannelOrder::Rgb,
    }
}

/// Whether two ways give the same numbers, to within what no network would notice.
fn same(one: &Preprocessing, other: &Preprocessing) -> bool {
    let line = |how: &Preprocessing, channel: usize| {
        let gain = how.scale / how.std[channel];
        (gain, (how.offset - how.mean[channel]) / how.std[channel])
    };
    let near = |(a, b): ((f32, f32), (f32, f32))| {
        (a.0 / b.0 - 1.0).abs() < 0.02 && (a.1 - b.1).abs() < 0.02 * 255.0 * a.0.abs()
    };
    one.channel_order == other.channel_order && (0..3).all(|channel| near((line(one, channel), line(other, channel))))
}

/// What speaks against the declared way.
struct Objection {
    severity: Severity,
    confidence: Confidence,
    /// The place of the way that is proposed.
    proposed: usize,
    /// The number that decided, and what it was held against.
    measured: (f64, f64),
    /// What happens with the proposed way, in words.
    words: String,
}

/// The numbers that go into a network should have a deviation in here, seen at the contrast of photographs.
const USUAL_DEVIATION: (f64, f64) = (0.15, 4.0);
/// The deviation of the pixels of photographs, of values from 0 to 255.
const PHOTOGRAPHS: f64 = 64.0;
/// Pixels of less deviation say too little about contrast.
const LEAST_DEVIATION: f64 = 5.0;

/// What the signs say of the declared way, which is the first candidate.
pub fn decide(check: &'static str, evidence: &Evidence, sample: &Sample, anatomy: &Anatomy) -> Vec<Finding> {
    let (candidates, running) = (&sample.candidates, &anatomy.running);
    if let Some(objection) = objection(evidence, sample, anatomy) {
        return vec![finding(check, candidates, &objection)];
    }
    let scrambled = statistics::scrambled(candidates, running).map(|words| {
        let fix =
            "check the weights before the preprocessing: were they converted by name and shape, strides honoured?";
        Finding::new(check, Severity::Medium, words, fix).sure(Confidence::Medium)
    });
    scrambled.or_else(|| unusual(check, &candidates[0], anatomy)).into_iter().collect()
}

/// The way that is proposed instead of the declared one, if there is an objection to that.
pub fn proposed(evidence: &Evidence) -> Option<Preprocessing> {
    let (sample, anatomy) = (evidence.sample.as_ref()?, evidence.anatomy.as_ref()?);
    let objection = objection(evidence, sample, anatomy)?;
    sample.candidates.get(objection.proposed).map(|candidate| candidate.preprocessing.clone())
}

/// The gravest objection to the declared way.
fn objection(evidence: &Evidence, sample: &Sample, anatomy: &Anatomy) -> Option<Objection> {
    let (candidates, running) = (&sample.candidates, &anatomy.running);
    let objections = if running.is_empty() {
        folded::objections(candidates, anatomy)
    } else {
        statistics::objections(candidates, running)
    };
    let by_head = head::objections(evidence, sample, if running.is_empty() { None } else { Some(running) });
    let mut all: Vec<Objection> = objections.into_iter().chain(by_head).collect();
    all.sort_by_key(|objection| std::cmp::Reverse(objection.severity));
    all.into_iter().next()
}

fn finding(check: &'static str, candidates: &[Candidate], objection: &Objection) -> Finding {
    let (declared, other) = (&candidates[0], &candidates[objection.proposed]);
    let message = format!("the pictures are probably prepared wrongly: with {} {}.", other.name, objection.words);
    let fix = format!(
        "edit these keys of preprocessor_config.json: {}; compare with the model's publication",
        keys(&other.preprocessing)
    );
    let finding = Finding::new(check, objection.severity, message, fix).sure(objection.confidence);
    let probe = |candidate: &Candidate| candidate.probe.as_ref().and_then(super::Probe::value);
    let shown =
        candidates.iter().filter_map(|candidate| Some(format!("{}: probe {:.3}", candidate.name, probe(candidate)?)));
    let finding = finding.measured(objection.measured.0, objection.measured.1);
    finding.seen([format!("declared: {}", keys(&declared.preprocessing))]).seen(shown)
}

/// The keys that make up a way.
fn keys(how: &Preprocessing) -> String {
    let three = |values: [f32; 3]| format!("[{}, {}, {}]", values[0], values[1], values[2]);
    let order = if how.channel_order == ChannelOrder::Rgb { "RGB" } else { "BGR" };
    let scale = if (how.scale - UNIT).abs() < 1e-6 { "1/255".to_owned() } else { how.scale.to_string() };
    format!(
        "rescale_factor {scale}, image_mean {}, image_std {}, channel_order {order}",
        three(how.mean),
        three(how.std)
    )
}

/// The deviation of the pixels, of values from 0 to 255, and that of the numbers that go in; `None` where the network's
/// input could not be looked at.
fn deviations(candidate: &Candidate) -> Option<(f64, f64)> {
    let variances = candidate.input.variances();
    let how = &candidate.preprocessing;
    let pixel = |channel: usize| (f64::from(how.std[channel]) / f64::from(how.scale)).powi(2) * variances[channel];
    let mean = |values: [f64; 3]| (values.iter().sum::<f64>() / 3.0).sqrt();
    (variances.len() == 3)
        .then(|| (mean([0, 1, 2].map(pixel)).max(LEAST_DEVIATION), mean([variances[0], variances[1], variances[2]])))
}

/// A scale that hardly any network is trained with, where nothing else tells.
fn unusual(check: &'static str, declared: &Candidate, anatomy: &Anatomy) -> Option<Finding> {
    let (pixels, input) = deviations(declared).filter(|_| !anatomy.scales_its_input)?;
    let deviation = input * PHOTOGRAPHS / pixels;
    let (least, most) = USUAL_DEVIATION;
    let message = format!(
        "the numbers that go into the network have a deviation of {deviation:.2} (at the contrast of photographs), and the \
         graph does not scale them: networks are trained with about 1."
    );
    let fix =
        "compare rescale_factor, image_mean and image_std with the model's publication; few networks take 0 to 255";
    let finding = Finding::new(check, Severity::Medium, message, fix).sure(Confidence::Medium);
    let threshold = if deviation > most { most } else { least };
    (deviation > most || deviation < least).then(|| finding.measured(deviation, threshold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::preprocessing::{Filter, Layout, Resize};

    fn declared(mean: f32, std: f32) -> Preprocessing {
        Preprocessing {
            resize: Resize::Keep,
            filter: Filter::Bilinear,
            crop: None,
            scale: UNIT,
            offset: 0.0,
            mean: [mean; 3],
            std: [std; 3],
            channel_order: ChannelOrder::Rgb,
            layout: Layout::Nchw,
        }
    }

    #[test]
    fn every_way_is_tried_once_and_the_declared_one_first() {
        let names = |how: &Preprocessing| candidates(how).into_iter().map(|mode| mode.name).collect::<Vec<_>>();
        assert_eq!(names(&declared(0.4, 0.3)).len(), 11);
        // 0.498 and 0.502 are .5 and .5.
        assert!(!names(&declared(0.498, 0.502)).iter().any(|name| name.starts_with("-1..1")));
        assert_eq!(names(&declared(0.0, 1.0))[0], "declared");
        assert!(!names(&declared(0.0, 1.0)).contains(&"0..1".to_owned()));
    }
}
