//! Networks whose batch norms were folded into the convolutions: what the pictures do to the first of these.
//!
//! The folded bias keeps the scale of training. So the deviation of what the first convolution makes, by its bias, is the
//! gain of the input: values of 0 to 255 blow it up, values that are too small leave nothing but the bias. Between 0..1
//! and the usual normalisations, channels tell that fall silent under one way and live under another: a channel of a
//! strong filter was not silent in training, because without a gradient its filter would have decayed. After a smooth
//! activation silence proves little, and far more of it is asked for.
//!
//! Measured on six networks and three data sets (docs/vet.md): the true way was never accused, 0..255 always, 0..1
//! always, but with different certainty. Usual normalisations can't be told from each other here, nor the order of
//! channels.

use super::super::evidence::{Candidate, Channels};
use super::super::finding::{Confidence, Severity};
use super::super::measure::median;
use super::{Objection, PHOTOGRAPHS, deviations};
use crate::extract::anatomy::Anatomy;
use crate::zoo::preprocessing::ChannelOrder;

/// A channel with fewer positive numbers is silent, one with more lives.
const SILENT: f64 = 0.001;
const ALIVE: f64 = 0.01;
/// A filter whose response deviates by so many medians is strong.
const STRONG: f64 = 1.8;
/// A gain above is too large, one below too small; in between lies what is sound, and the step that is too much.
const TOO_LARGE: f64 = 6.0;
const TOO_SMALL: f64 = 0.03;
const SOUND: std::ops::RangeInclusive<f64> = 0.1..=3.0;
const STEP: f64 = 8.0;
/// Below this gain, the bias drowns what the picture says.
const DROWNED: f64 = 0.125;
/// Pixels of less deviation, or fewer activated maps, say too little.
const LEAST_CONTRAST: f64 = 45.0;
const LEAST_MAPS: usize = 4;
/// A declared way of more deviation, at the contrast of photographs, is never called too small.
const NORMALISED: f64 = 0.4;

/// What the first convolutions make of one way.
struct Response {
    /// The deviation of the numbers that go in.
    input: f64,
    /// The deviation of what the first convolution makes, by its bias, at the contrast of photographs.
    gain: f64,
    /// The share of positive numbers of each channel of each activated map.
    positive: Vec<Vec<f64>>,
    /// The deviation of each channel of the first convolution, where it is activated.
    stem: Vec<f64>,
    /// Whether it may be proposed: what is usual for networks of convolutions, in RGB.
    is_usual: bool,
}

/// How two ways differ in channels.
struct Revival {
    /// Channels of strong filters of the first convolution.
    strong: usize,
    /// Channels of all maps, less those that fall silent.
    net: i64,
    /// These, by all channels.
    share: f64,
}

/// Whether the declared way is far too large, far too small, or of too little contrast.
pub fn objections(candidates: &[Candidate], anatomy: &Anatomy) -> Vec<Objection> {
    let Some((pixels, _)) = candidates.first().and_then(deviations) else { return vec![] };
    let responses: Option<Vec<Response>> =
        candidates.iter().map(|candidate| response(candidate, anatomy, pixels)).collect();
    let Some(responses) = responses.filter(|responses| responses[0].positive.len() >= LEAST_MAPS) else {
        return vec![];
    };
    let field = Field { responses, smooth: anatomy.smooth_stem, pixels };
    field.too_large().or_else(|| field.too_small()).or_else(|| field.too_weak()).into_iter().collect()
}

fn response(candidate: &Candidate, anatomy: &Anatomy, pixels: f64) -> Option<Response> {
    let stem = candidate.maps.iter().find(|map| !map.mean.is_empty() && !map.square.is_empty())?;
    let bias = mean(anatomy.stem_bias.iter().map(|&bias| f64::from(bias).powi(2)));
    let variances = stem.variances();
    if anatomy.stem_bias.is_empty() || bias <= 1e-12 || variances.is_empty() {
        return None;
    }
    let gain = (mean(variances.iter().copied()) / bias).sqrt() * PHOTOGRAPHS / pixels;
    let deviation = |variance: &f64| variance.sqrt();
    Some(Response {
        input: deviations(candidate)?.1,
        gain,
        positive: candidate.maps.iter().filter(|map| !map.sign.is_empty()).map(Channels::positive).collect(),
        stem: if stem.sign.is_empty() { vec![] } else { variances.iter().map(deviation).collect() },
        is_usual: candidate.preprocessing.channel_order == ChannelOrder::Rgb && !candidate.name.starts_with("CLIP"),
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

struct Field {
    responses: Vec<Response>,
    smooth: bool,
    pixels: f64,
}

impl Field {
    fn declared(&self) -> &Response {
        &self.responses[0]
    }

    /// Other ways of a sound gain.
    fn sound(&self) -> impl Iterator<Item = (usize, &Response)> {
        self.responses.iter().enumerate().skip(1).filter(|(_, response)| SOUND.contains(&response.gain))
    }

    fn too_large(&self) -> Option<Objection> {
        let gain = self.declared().gain;
        let larger = self.sound().any(|(_, other)| gain >= STEP * other.gain);
        (gain >= TOO_LARGE && larger)
            .then(|| self.objection(Severity::High, Confidence::High, self.climbed(None), TOO_LARGE))
    }

    fn too_small(&self) -> Option<Objection> {
        let declared = self.declared();
        let channels = self.channels();
        let speaks = |other: &Response| {
            let revived = self.revival(declared, other).net.max(0) as f64 >= 0.02 * channels;
            other.gain >= STEP * declared.gain && (revived || switching(other) >= 2.0 * switching(declared))
        };
        let speaking = self.sound().any(|(_, other)| speaks(other));
        (declared.gain < TOO_SMALL && speaking)
            .then(|| self.objection(Severity::High, Confidence::High, self.climbed(None), TOO_SMALL))
    }

    /// Too little contrast: only ways like 0..1 are asked.
    fn too_weak(&self) -> Option<Objection> {
        let declared = self.declared();
        let contrast = PHOTOGRAPHS * declared.input / self.pixels;
        if contrast >= NORMALISED || self.pixels < LEAST_CONTRAST {
            return None;
        }
        let others = self.responses.iter().skip(1).filter(|other| other.is_usual);
        let found: Vec<(bool, f64)> = others.filter_map(|other| self.speaks_against(declared, other)).collect();
        let silent = found.iter().filter(|(silent, _)| *silent).map(|(_, share)| *share).fold(0.0, f64::max);
        let sure = silent >= 0.01 && !self.smooth;
        let (severity, confidence) =
            if sure { (Severity::High, Confidence::High) } else { (Severity::Medium, Confidence::Medium) };
        (!found.is_empty()).then(|| self.objection(severity, confidence, self.climbed(Some(0)), NORMALISED))
    }

    fn channels(&self) -> f64 {
        self.declared().positive.iter().map(Vec::len).sum::<usize>() as f64
    }

    /// Channels that are silent under one way and live under another.
    fn revival(&self, one: &Response, other: &Response) -> Revival {
        let revived = |from: &Response, to: &Response| {
            let pairs = from.positive.iter().zip(&to.positive).flat_map(|(from, to)| from.iter().zip(to));
            pairs.filter(|(from, to)| **from < SILENT && **to > ALIVE).count().cast_signed() as i64
        };
        let net = revived(one, other) - revived(other, one);
        Revival { strong: strong(one, other), net, share: net as f64 / self.channels().max(1.0) }
    }

    /// Whether another way shows that one is of too little contrast: by silent channels (true), or because its bias drowns
    /// it (false); with the share of channels that come back.
    fn speaks_against(&self, one: &Response, other: &Response) -> Option<(bool, f64)> {
        if other.input < 1.2 * one.input || other.gain > TOO_LARGE {
            return None;
        }
        let Revival { strong: revived, net, share } = self.revival(one, other);
        let lost = strong(other, one);
        let least = (0.004 * self.channels()).max(4.0);
        let silent =
            if self.smooth { share >= 0.035 && lost == 0 } else { revived >= 1 && lost == 0 && net as f64 >= least };
        let drowned = one.gain < DROWNED && other.gain >= 1.8 * one.gain && net >= 4 && share >= 0.005;
        (silent || drowned).then_some((silent, share))
    }

    /// From the weakest usable way, or this one, upwards as long as stronger ones speak against it.
    fn climbed(&self, from: Option<usize>) -> usize {
        let usable = |place: &usize| {
            let response = &self.responses[*place];
            response.is_usual && (TOO_SMALL..=TOO_LARGE).contains(&response.gain)
        };
        let mut places: Vec<usize> = (0..self.responses.len()).filter(usable).collect();
        places.sort_by(|&a, &b| self.responses[a].input.total_cmp(&self.responses[b].input).then(a.cmp(&b)));
        let Some(mut current) = from.or(places.first().copied()) else { return 0 };
        for _ in 0..places.len() {
            let net = |place: usize| self.revival(&self.responses[current], &self.responses[place]).net;
            let speaks =
                |place: &&usize| self.speaks_against(&self.responses[current], &self.responses[**place]).is_some();
            let against: Vec<usize> = places.iter().filter(speaks).copied().collect();
            let most = against.iter().map(|&place| net(place)).max().unwrap_or(0);
            match against.into_iter().find(|&place| net(place) as f64 >= 0.4 * most as f64) {
                Some(next) if next != current => current = next,
                _ => break,
            }
        }
        current
    }

    fn objection(&self, severity: Severity, confidence: Confidence, proposed: usize, threshold: f64) -> Objection {
        let (declared, other) = (self.declared(), &self.responses[proposed]);
        let revived = self.revival(declared, other).net;
        let words = format!(
            "the deviation behind the first convolution is {:.2} of its bias instead of {:.2}, and {revived} channels that \
             are silent come to life",
            other.gain, declared.gain
        );
        Objection { severity, confidence, proposed, measured: (declared.gain, threshold), words }
    }
}

/// Channels of strong filters of the first convolution that are silent under one way and live under another.
fn strong(one: &Response, other: &Response) -> usize {
    let middle = median(other.stem.clone());
    let (Some(from), Some(to)) = (one.positive.first(), other.positive.first()) else { return 0 };
    let channels = from.iter().zip(to).zip(&other.stem);
    channels.filter(|((from, to), deviation)| **from < SILENT && **to > ALIVE && **deviation >= STRONG * middle).count()
}

/// The share of channels that are neither always silent nor always alive.
fn switching(response: &Response) -> f64 {
    mean(response.positive.iter().flatten().map(|positive| f64::from(u8::from((0.02..0.98).contains(positive)))))
}
