//! How a network of pictures behaves.

use super::{Behaviour, BehaviourOrder, ITEMS, Measured, Seen, magnitude, measured, most_changed, unsound};
use crate::base::Seed;
use crate::data::PictureReader;
use crate::extract::SampleFiles;
use crate::extract::network::{self, Network, Prepared};
use crate::extract::onnx::{Graph, ModelBytes, ModelError};
use crate::extract::picture::Rgb;
use crate::extract::runtime::{Input, Runtime};
use crate::extract::sample_files::decoded;
use crate::zoo::preprocessing::Preprocessing;

/// The edge of a picture of noise.
const NOISE_EDGE: u32 = 256;

/// Pictures and their names.
struct Items {
    names: Vec<String>,
    prepared: Vec<Prepared>,
    synthetic: bool,
}

/// Runs the network on a few pictures and sees.
pub fn observe(order: &BehaviourOrder, how: &Preprocessing, runtime: &dyn Runtime) -> Result<Seen, ModelError> {
    let mut network = loaded(order, how, runtime)?;
    let items = items(order, &network)?;
    let alone = each_alone(&mut network, &items.prepared)?;
    let repeated = each_alone(&mut network, &items.prepared).map(|again| most_changed(&alone, &again));
    let not_finite = items.names.iter().zip(&alone).filter(|(_, row)| unsound(row)).map(|(name, _)| name.clone());
    let behaviour = Behaviour {
        items: items.prepared.len(),
        synthetic: items.synthetic,
        not_finite: not_finite.collect(),
        repeated: measured(repeated),
        neighbours: neighbours(&mut network, &items.prepared, &alone),
        padding: Measured::Impossible("pictures are not padded".to_owned()),
        largest: largest(order, &items.prepared, &network, runtime).ok().flatten(),
        other: None,
    };
    Ok(Seen { behaviour, alone })
}

/// Runs every picture that can be read.
pub fn count(order: &BehaviourOrder, how: &Preprocessing, runtime: &dyn Runtime) -> Result<Behaviour, ModelError> {
    let Some(SampleFiles::Pictures { root, pictures }) = &order.samples else {
        return Ok(Behaviour::unseen("there are no pictures", 0, vec![]));
    };
    let (mut network, reader) = (loaded(order, how, runtime)?, PictureReader::new(root));
    let (mut items, mut not_finite) = (0, vec![]);
    for source in pictures {
        let Ok(picture) = decoded(&reader, source) else { continue };
        items += 1;
        if unsound(&network.features(&picture)?) {
            not_finite.push(source.to_string());
        }
    }
    Ok(Behaviour::unseen("only counted", items, not_finite))
}

/// The features of each picture alone.
pub fn alone(order: &BehaviourOrder, how: &Preprocessing, runtime: &dyn Runtime) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut network = loaded(order, how, runtime)?;
    let items = items(order, &network)?;
    each_alone(&mut network, &items.prepared)
}

fn loaded(order: &BehaviourOrder, how: &Preprocessing, runtime: &dyn Runtime) -> Result<Network, ModelError> {
    let (_, networks) = network::load(&order.plan, how, None, runtime, 1)?;
    networks.into_iter().next().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))
}

/// The first pictures that can be read, all of one size as the network sees them.
fn items(order: &BehaviourOrder, network: &Network) -> Result<Items, ModelError> {
    let mut items = Items { names: vec![], prepared: vec![], synthetic: false };
    if let Some(SampleFiles::Pictures { root, pictures }) = &order.samples {
        let reader = PictureReader::new(root);
        for source in pictures {
            let Ok(prepared) = decoded(&reader, source)
                .and_then(|picture| network.prepare(&picture).map_err(|error| error.to_string()))
            else {
                continue;
            };
            if items.prepared.first().is_none_or(|first| first.size == prepared.size) {
                items.names.push(source.to_string());
                items.prepared.push(prepared);
            }
            if items.prepared.len() == ITEMS {
                return Ok(items);
            }
        }
    }
    if items.prepared.is_empty() {
        items.synthetic = true;
        for number in 0..ITEMS {
            items.names.push(format!("noise {number}"));
            items.prepared.push(network.prepare(&noise(number)?)?);
        }
    }
    Ok(items)
}

fn noise(number: usize) -> Result<Rgb, ModelError> {
    let mut stream = Seed(0).stream("noise", &number.to_string());
    let pixels = (0..3 * NOISE_EDGE * NOISE_EDGE).map(|_| stream.bits() as u8).collect();
    Rgb::new(NOISE_EDGE, NOISE_EDGE, pixels).ok_or_else(|| ModelError::Unfit("no picture of noise".to_owned()))
}

fn each_alone(network: &mut Network, prepared: &[Prepared]) -> Result<Vec<Vec<f32>>, ModelError> {
    let mut rows = vec![];
    for picture in prepared {
        rows.extend(network.batch(&[picture])?.into_iter().take(1));
    }
    Ok(rows)
}

/// The largest change of a picture's features: in pairs, in one batch, in the batch turned about, and beside copies of
/// one picture.
fn neighbours(network: &mut Network, prepared: &[Prepared], alone: &[Vec<f32>]) -> Measured {
    let fixed = network.fixed_batch();
    if fixed == Some(1) {
        return Measured::Impossible("its batch axis is fixed to 1: no sample has a neighbour".to_owned());
    }
    let most = fixed.unwrap_or(prepared.len()).min(prepared.len());
    let mut run = || -> Result<f64, ModelError> {
        let mut worst = 0.0_f64;
        for batch in batches(prepared.len(), most) {
            let pictures: Vec<&Prepared> = batch.iter().map(|&place| &prepared[place]).collect();
            let found = network.batch(&pictures)?;
            let first: Vec<Vec<f32>> = batch.iter().map(|&place| alone[place].clone()).collect();
            let changed = most_changed(&first, &found);
            worst = if changed.is_nan() { f64::INFINITY } else { worst.max(changed) };
        }
        Ok(worst)
    };
    match run() {
        Err(error) => Measured::Failed(format!("more than one picture at a time can't be run: {error}")),
        found => measured(found),
    }
}

/// Batches of places: pairs, all, all turned about, and each of the first two beside copies of the last.
fn batches(count: usize, most: usize) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..most).collect();
    let turned: Vec<usize> = (0..most).rev().collect();
    let pairs = (0..count / 2).map(|pair| vec![2 * pair, 2 * pair + 1]);
    let beside = |place: usize| std::iter::once(place).chain(std::iter::repeat(count - 1)).take(most).collect();
    let beside = (0..2.min(count)).map(beside);
    let found: Vec<Vec<usize>> = pairs.chain([all, turned]).chain(beside).collect();
    found.into_iter().filter(|batch| batch.len() > 1 && batch.len() <= most).collect()
}

fn largest(
    order: &BehaviourOrder,
    prepared: &[Prepared],
    network: &Network,
    runtime: &dyn Runtime,
) -> Result<Option<super::Largest>, ModelError> {
    let bytes = ModelBytes::of(&order.plan)?;
    let graph = Graph::parse(&bytes.model)?;
    let input = graph.picture_input()?;
    let tensors: Vec<_> = prepared.iter().map(|picture| network.tensor(&[picture])).collect();
    let feed = |run: usize| vec![Input::Floats(&tensors[run])];
    magnitude::largest(&bytes, &graph, &[&input.name], tensors.len(), &feed, runtime)
}
