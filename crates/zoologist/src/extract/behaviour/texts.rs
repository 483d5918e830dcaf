//! How a text encoder behaves.

use super::{Behaviour, BehaviourOrder, ITEMS, Measured, Seen, measured, most_changed, unsound};
use crate::base::Seed;
use crate::extract::SampleFiles;
use crate::extract::onnx::ModelError;
use crate::extract::runtime::Runtime;
use crate::extract::text::{Encoder, TokenIds, load_encoder};
use crate::store::Texts;
use crate::zoo::TextSettings;

/// Texts that are looked at to find some of enough tokens.
const LOOKED_AT: usize = 64;
/// Tokens of a made-up text.
const MADE_UP: usize = 12;
/// The fewest tokens of a text that is used, if there are such.
const ENOUGH: usize = 5;
/// Longer texts are cut.
const MOST_TOKENS: usize = 64;

/// The texts as token ids, and their names.
struct Items {
    names: Vec<String>,
    ids: Vec<TokenIds>,
    synthetic: bool,
}

/// Runs the encoder on a few texts and sees.
pub fn observe(order: &BehaviourOrder, settings: &TextSettings, runtime: &dyn Runtime) -> Result<Seen, ModelError> {
    let mut encoder = loaded(order, settings, runtime)?;
    let items = items(order, &encoder)?;
    let alone = each_alone(&mut encoder, &items.ids)?;
    let repeated = each_alone(&mut encoder, &items.ids).map(|again| most_changed(&alone, &again));
    let not_finite = items.names.iter().zip(&alone).filter(|(_, row)| unsound(row)).map(|(name, _)| name.clone());
    let behaviour = Behaviour {
        items: items.ids.len(),
        synthetic: items.synthetic,
        not_finite: not_finite.collect(),
        repeated: measured(repeated),
        neighbours: neighbours(&mut encoder, &items.ids),
        padding: padding(&mut encoder, &items.ids, &alone),
        largest: encoder.largest(order, &items.ids, runtime).ok().flatten(),
        other: None,
    };
    Ok(Seen { behaviour, alone })
}

/// Runs every text.
pub fn count(order: &BehaviourOrder, settings: &TextSettings, runtime: &dyn Runtime) -> Result<Behaviour, ModelError> {
    let Some(SampleFiles::Texts { file, origin, .. }) = &order.samples else {
        return Ok(Behaviour::unseen("there are no texts", 0, vec![]));
    };
    let mut encoder = loaded(order, settings, runtime)?;
    let texts = Texts::open(file).map_err(|error| ModelError::Unfit(error.to_string()))?;
    let mut not_finite = vec![];
    for place in 0..texts.len() {
        let text = texts.read(place).map_err(|error| ModelError::Unfit(error.to_string()))?;
        let found = encoder.features(std::slice::from_ref(&text))?.features;
        if found.iter().any(|row| unsound(row)) {
            not_finite.push(format!("{origin}, sample {place} of the order"));
        }
    }
    Ok(Behaviour::unseen("only counted", texts.len(), not_finite))
}

/// The features of each text alone.
pub fn alone(
    order: &BehaviourOrder,
    settings: &TextSettings,
    runtime: &dyn Runtime,
) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut encoder = loaded(order, settings, runtime)?;
    let items = items(order, &encoder)?;
    each_alone(&mut encoder, &items.ids)
}

fn loaded(order: &BehaviourOrder, settings: &TextSettings, runtime: &dyn Runtime) -> Result<Encoder, ModelError> {
    let (_, encoders) = load_encoder(&order.plan, settings, None, runtime, 1)?;
    encoders.into_iter().next().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))
}

fn items(order: &BehaviourOrder, encoder: &Encoder) -> Result<Items, ModelError> {
    let mut items = Items { names: vec![], ids: vec![], synthetic: false };
    if let Some(SampleFiles::Texts { file, origin, .. }) = &order.samples {
        let texts = Texts::open(file).map_err(|error| ModelError::Unfit(error.to_string()))?;
        let mut found = vec![];
        for place in 0..texts.len().min(LOOKED_AT) {
            let text = texts.read(place).map_err(|error| ModelError::Unfit(error.to_string()))?;
            found.push((format!("{origin}, sample {place} of the order"), encoder.ids(&text)?.cut_to(MOST_TOKENS)));
        }
        // Texts of enough tokens first, in their order.
        found.sort_by_key(|(_, ids)| ids.ids.len() < ENOUGH);
        (items.names, items.ids) = found.into_iter().filter(|(_, ids)| !ids.ids.is_empty()).take(ITEMS).unzip();
    }
    if items.ids.is_empty() {
        items.synthetic = true;
        let mut stream = Seed(0).stream("tokens", "made up");
        let size = encoder.known_ids().max(1);
        for number in 0..ITEMS {
            let ids = (0..MADE_UP + number).map(|_| i64::try_from(stream.below(size)).unwrap_or(0)).collect();
            items.names.push(format!("random tokens {number}"));
            items.ids.push(TokenIds::of(ids));
        }
    }
    Ok(items)
}

fn each_alone(encoder: &mut Encoder, ids: &[TokenIds]) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut rows = vec![];
    for text in ids {
        rows.extend(encoder.padded(std::slice::from_ref(text), text.ids.len(), None)?);
    }
    Ok(rows)
}

/// The largest change of a text's features: in pairs, in one batch, in the batch turned about, and beside copies of one
/// text. All texts are cut to one length, so that no padding comes in.
fn neighbours(encoder: &mut Encoder, ids: &[TokenIds]) -> Measured {
    let length = ids.iter().map(|text| text.ids.len()).min().unwrap_or(0);
    if ids.len() < 2 || length == 0 {
        return Measured::Impossible("there are no two texts".to_owned());
    }
    let cut: Vec<TokenIds> = ids.iter().map(|text| text.clone().cut_to(length)).collect();
    let mut run = || -> Result<f64, ModelError> {
        let alone = each_alone(encoder, &cut)?;
        let mut worst = 0.0_f64;
        for batch in batches(cut.len()) {
            let texts: Vec<TokenIds> = batch.iter().map(|&place| cut[place].clone()).collect();
            let found = encoder.padded(&texts, length, None)?;
            let first: Vec<Vec<f32>> = batch.iter().map(|&place| alone[place].clone()).collect();
            let changed = most_changed(&first, &found);
            worst = if changed.is_nan() { f64::INFINITY } else { worst.max(changed) };
        }
        Ok(worst)
    };
    match run() {
        Err(error) => Measured::Failed(format!("more than one text at a time can't be run: {error}")),
        found => measured(found),
    }
}

fn batches(count: usize) -> Vec<Vec<usize>> {
    let pairs = (0..count / 2).map(|pair| vec![2 * pair, 2 * pair + 1]);
    let copies = std::iter::once(0).chain(std::iter::repeat_n(count - 1, count - 1)).collect();
    pairs.chain([(0..count).collect(), (0..count).rev().collect(), copies]).collect()
}

/// The largest change of a text's features when it is padded to 1.5 and 2 times its length, with the padding token and
/// with another one.
fn padding(encoder: &mut Encoder, ids: &[TokenIds], alone: &[Vec<f32>]) -> Measured {
    let limit = encoder.longest();
    let mut run = || -> Result<f64, ModelError> {
        let mut worst = 0.0_f64;
        for (text, alone) in ids.iter().zip(alone) {
            let length = text.ids.len();
            for padded in
                [length + length.div_ceil(2), 2 * length].map(|length| limit.map_or(length, |limit| length.min(limit)))
            {
                // A graph that makes the mask of the ids itself can only know the padding token.
                let real = text.ids.get(length / 2).copied().filter(|_| encoder.has_mask()).map(Some);
                for with in std::iter::once(None).chain(real) {
                    let found = encoder.padded(std::slice::from_ref(text), padded.max(length), with)?;
                    let changed = most_changed(std::slice::from_ref(alone), &found);
                    worst = if changed.is_nan() { f64::INFINITY } else { worst.max(changed) };
                }
            }
        }
        Ok(worst)
    };
    measured(run())
}
