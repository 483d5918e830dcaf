//! A network made ready: pictures in, feature vectors out.

mod native;

use std::collections::BTreeMap;

use super::onnx::{
    CostPlan, FeatureSource, Graph, LayerValue, ModelBytes, ModelError, Part, PictureInput, PooledAs, Pooling, Signal,
    VectorFrom,
};
use super::order::{Description, Disturbance, LayerDescription, LayerSet, NetworkPlan};
use super::picture::Rgb;
use super::preprocess;
use super::runtime::{Input, NetworkBytes, Runtime, Session, Tensor};
use crate::zoo::Form;
use crate::zoo::preprocessing::{Layout, Preprocessing, Size};

/// What the output of a model's own classifier is called among the layers.
pub const HEAD: &str = "head";
/// How the names of channels' means, of means of their squares and of their signs begin; the map's name follows. The
/// input of the network is the first map.
pub const MEAN: &str = "mean of ";
/// See [`MEAN`].
pub const MEAN_SQUARE: &str = "mean square of ";
/// See [`MEAN`].
pub const MEAN_SIGN: &str = "mean sign of ";
/// The edge of the blank picture that a network of open input size is tried on.
const OPEN_EDGE: usize = 224;

/// A network on one thread.
pub struct Network {
    session: Box<dyn Session>,
    preprocessing: Preprocessing,
    shape: [Option<usize>; 4],
    poolings: Vec<Pooling>,
}

/// Loads a network for several threads, runs it once on a blank picture, and says what it is.
pub fn load(
    plan: &NetworkPlan,
    preprocessing: &Preprocessing,
    disturbed: Option<Disturbance>,
    runtime: &dyn Runtime,
    threads: usize,
) -> Result<(Description, Vec<Network>), ModelError> {
    if let Form::Native { .. } = plan.form {
        return native::load(plan, preprocessing, disturbed, runtime, threads);
    }
    let mut bytes = ModelBytes::of(plan)?;
    if let Some(disturbance) = disturbed {
        bytes.disturb(disturbance)?;
    }
    let graph = Graph::parse(&bytes.model)?;
    let input = graph.picture_input()?;
    check_fit(preprocessing, &input)?;
    let source = source(plan, &graph)?;
    let blank = blank_picture(preprocessing, &input);
    let layers = layers_to(&source.value, plan.layers, &graph, &input.name);
    let trial = Trial { bytes: &bytes, graph: &graph, input: &input, runtime, blank: &blank };
    let costs = if plan.layers == LayerSet::Signals { None } else { trial.costs(&layers) };
    let layers = match plan.layers {
        LayerSet::Signals => trial.signals(layers, preprocessing.layout)?,
        LayerSet::Last | LayerSet::All | LayerSet::Head => trial.pooled(layers, preprocessing.layout)?,
    };

    let values: Vec<(&str, PooledAs)> = layers.iter().map(|(layer, how)| (layer.value.as_str(), *how)).collect();
    let edit = graph.pooled(&values);
    let network = NetworkBytes::Onnx(bytes.with_added(&edit.added)?);
    let outputs: Vec<&str> = edit.outputs.iter().map(String::as_str).collect();
    let mut sessions = runtime.load(&network, &[&input.name], &outputs, threads)?;
    let first = sessions.first_mut().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))?;
    let tried = whole(first.run(&[Input::Floats(&blank)])?)?;
    let pooling = |tensor: &Tensor| Pooling::of(&tensor.shape, channels_last(&tensor.shape, preprocessing.layout));
    let poolings = tried.iter().map(pooling).collect::<Result<Vec<Pooling>, ModelError>>()?;
    let is_vector =
        |(layer, how): (&(LayerValue, PooledAs), &Pooling)| layer.1 == PooledAs::Whole && *how == Pooling::None;
    if plan.layers == LayerSet::Head && !layers.iter().zip(&poolings).all(is_vector) {
        return Err(ModelError::Unfit(format!("{} is not one vector a picture", source.reason)));
    }
    let dims = tried.iter().zip(&poolings).map(|(found, how)| how.apply(&found.shape[1..], first_sample(found)).len());
    let describe = |((layer, _), dim): (&(LayerValue, PooledAs), usize)| LayerDescription {
        name: layer.name.clone(),
        dim,
        multiply_adds: costs.as_ref().and_then(|costs| costs.of(&layer.value)),
    };
    let described: Vec<LayerDescription> = layers.iter().zip(dims).map(describe).collect();
    let last = layers.last().map_or(PooledAs::Whole, |(_, how)| *how);
    let words =
        if last == PooledAs::Map { Pooling::MeanOfMap.words() } else { poolings.last().map_or("", |how| how.words()) };
    let description = Description {
        dim: described.iter().map(|layer| layer.dim).sum(),
        features_from: format!("{}{words}", source.reason),
        runtime: Some(runtime.name()),
        multiply_adds: costs.map(|costs| costs.whole),
        layers: described,
    };
    let network = |session| Network {
        session,
        preprocessing: preprocessing.clone(),
        shape: input.shape,
        poolings: poolings.clone(),
    };
    Ok((description, sessions.into_iter().map(network).collect()))
}

/// The vectors that stand side by side as the features of a plan, from the first layer to the last, and the value of the
/// last: where in the graph a head takes them.
pub fn parts(
    plan: &NetworkPlan,
    preprocessing: &Preprocessing,
    bytes: &ModelBytes,
    graph: &Graph,
    runtime: &dyn Runtime,
) -> Result<(String, Vec<Part>), ModelError> {
    let input = graph.picture_input()?;
    check_fit(preprocessing, &input)?;
    let (source, blank) = (source(plan, graph)?, blank_picture(preprocessing, &input));
    let trial = Trial { bytes, graph, input: &input, runtime, blank: &blank };
    let layers = trial.pooled(layers_to(&source.value, plan.layers, graph, &input.name), preprocessing.layout)?;
    let shapes = trial.shapes(layers.iter().map(|(layer, _)| layer.value.as_str()).collect())?;
    let part = |(layer, _): (LayerValue, PooledAs)| {
        let shape = shapes.get(&layer.value).map_or(&[][..], Vec::as_slice);
        let pooling = Pooling::of(shape, channels_last(shape, preprocessing.layout))?;
        Ok(Part {
            value: layer.value,
            vector: VectorFrom::Tensor(pooling),
            width: pooling.width(shape),
            rank: shape.len(),
        })
    };
    Ok((source.value, layers.into_iter().map(part).collect::<Result<Vec<Part>, ModelError>>()?))
}

/// Where in the graph the last of what is wanted is.
fn source(plan: &NetworkPlan, graph: &Graph) -> Result<FeatureSource, ModelError> {
    let features = graph.features(plan.features.as_deref());
    if plan.layers != LayerSet::Head {
        return features;
    }
    let features = features.ok().map(|source| source.value);
    graph.head_source(plan.head.as_deref(), features.as_deref())
}

/// The layers of a set, from an input of the graph to the value `last`.
pub fn layers_to(last: &str, set: LayerSet, graph: &Graph, input: &str) -> Vec<LayerValue> {
    let (mut layers, alone) = match set {
        LayerSet::All => (graph.layers(input, last), "last"),
        LayerSet::Last | LayerSet::Signals => (vec![], "last"),
        LayerSet::Head => (vec![], HEAD),
    };
    let name = layers.pop().map_or_else(|| alone.to_owned(), |last| last.name);
    layers.push(LayerValue { value: last.to_owned(), name });
    layers
}

/// Whether a map's channels stand last: as the input has them, or, in a network that keeps its maps otherwise, where its
/// first two axes are the equal ones.
fn channels_last(shape: &[usize], layout: Layout) -> bool {
    match shape {
        [_, a, b, c] if b == c && a != b => false,
        [_, a, b, c] if a == b && b != c => true,
        _ => layout == Layout::Nhwc,
    }
}

/// A graph that is run once on a blank picture, to see the shapes of its values.
struct Trial<'a> {
    bytes: &'a ModelBytes,
    graph: &'a Graph,
    input: &'a PictureInput,
    runtime: &'a dyn Runtime,
    blank: &'a Tensor,
}

/// Multiply-adds of one picture.
struct Costs {
    whole: u64,
    until: Vec<(String, u64)>,
}

impl Costs {
    fn of(&self, value: &str) -> Option<u64> {
        self.until.iter().find(|(name, _)| name == value).map(|(_, cost)| *cost)
    }
}

impl Trial<'_> {
    fn shapes(&self, mut values: Vec<&str>) -> Result<BTreeMap<String, Vec<usize>>, ModelError> {
        values.sort_unstable();
        values.dedup();
        let hidden: Vec<&str> = values.iter().copied().filter(|name| !self.graph.output_named(name)).collect();
        let shown = NetworkBytes::Onnx(self.bytes.with_outputs(&hidden)?);
        let mut sessions = self.runtime.load(&shown, &[&self.input.name], &values, 1)?;
        let session = sessions.first_mut().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))?;
        let found = session.run(&[Input::Floats(self.blank)])?;
        Ok(values.into_iter().map(str::to_owned).zip(found.into_iter().map(|tensor| tensor.shape)).collect())
    }

    /// `None` where the graph holds values that can't be shown.
    fn costs(&self, layers: &[LayerValue]) -> Option<Costs> {
        let plan = CostPlan::of(self.graph);
        let shapes = self.shapes(plan.values()).ok()?;
        let shape_of = |value: &str| shapes.get(value).cloned();
        let batch = self.blank.shape[0] as u64;
        let until = |layer: &LayerValue| {
            (layer.value.clone(), plan.multiply_adds_until(self.graph, &layer.value, shape_of) / batch)
        };
        Some(Costs { whole: plan.multiply_adds(shape_of) / batch, until: layers.iter().map(until).collect() })
    }

    /// Maps whose channels tell of the preprocessing, the output of the head, and the features.
    fn signals(&self, features: Vec<LayerValue>, layout: Layout) -> Result<Vec<(LayerValue, PooledAs)>, ModelError> {
        let maps = self.graph.signals();
        let shapes = self.shapes(maps.iter().map(|map| map.value.as_str()).collect())?;
        let is_map = |map: &&Signal| {
            let shape = shapes.get(&map.value).map_or(&[][..], Vec::as_slice);
            shape.len() == 4 && shape.first() == self.blank.shape.first() && !channels_last(shape, layout)
        };
        let input = Signal { value: self.input.name.clone(), moments: true, sign: false };
        let input = Some(&input).filter(|_| layout == Layout::Nchw);
        let mut signals = vec![];
        for map in input.into_iter().chain(maps.iter().filter(is_map)) {
            for (wanted, name, how) in [
                (map.moments, MEAN, PooledAs::Map),
                (map.moments, MEAN_SQUARE, PooledAs::SquaredMap),
                (map.sign, MEAN_SIGN, PooledAs::SignOfMap),
            ] {
                let layer = LayerValue { value: map.value.clone(), name: format!("{name}{}", map.value) };
                signals.extend(wanted.then_some((layer, how)));
            }
        }
        let source = features.last().map(|features| features.value.as_str());
        let head = self.graph.head(source).map(|value| LayerValue { value, name: HEAD.to_owned() });
        signals.extend(head.map(|head| (head, PooledAs::Whole)));
        signals.extend(self.pooled(features, layout)?);
        Ok(signals)
    }

    /// How each layer is pooled in the graph. Earlier layers of a form that can't be pooled are left out.
    fn pooled(&self, layers: Vec<LayerValue>, layout: Layout) -> Result<Vec<(LayerValue, PooledAs)>, ModelError> {
        let shapes = self.shapes(layers.iter().map(|layer| layer.value.as_str()).collect())?;
        let last = layers.len().saturating_sub(1);
        let pooled = |(place, layer): (usize, LayerValue)| {
            let shape = shapes.get(&layer.value)?;
            let is_map = shape.len() == 4 && shape[2..] != [1, 1] && !channels_last(shape, layout);
            let how = if is_map { PooledAs::Map } else { PooledAs::Whole };
            let usable = shape.first() == self.blank.shape.first() && (2..=4).contains(&shape.len());
            (usable || place == last).then_some((layer, how))
        };
        Ok(layers.into_iter().enumerate().filter_map(pooled).collect())
    }
}

/// A picture as the network takes it in.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its height and width.
    pub size: Size,
    /// 3 × height × width numbers, in the layout of the input.
    pub values: Vec<f32>,
}

impl Network {
    /// The features of one picture.
    pub fn features(&mut self, picture: &Rgb) -> Result<Vec<f32>, ModelError> {
        let prepared = self.prepare(picture)?;
        let found = self.batch(&[&prepared])?.into_iter().next();
        found.ok_or_else(|| ModelError::Unfit("there are no features".to_owned()))
    }

    /// Resizes, crops and normalises a picture.
    pub fn prepare(&self, picture: &Rgb) -> Result<Prepared, ModelError> {
        prepared(picture, &self.preprocessing)
    }

    /// The features of pictures of one size that go through the network together.
    pub fn batch(&mut self, pictures: &[&Prepared]) -> Result<Vec<Vec<f32>>, ModelError> {
        let input = self.tensor(pictures);
        let found = whole(self.session.run(&[Input::Floats(&input)])?)?;
        let row = |place: usize| {
            let pooled = |(found, how): (&Tensor, &Pooling)| how.apply(&found.shape[1..], sample(found, place));
            found.iter().zip(&self.poolings).flat_map(pooled).collect()
        };
        let rows = pictures.len().min(found.iter().map(|tensor| tensor.shape[0]).min().unwrap_or(0));
        Ok((0..rows).map(row).collect())
    }

    /// Pictures of one size as one batch; a graph with a fixed batch gets them as often as it takes.
    pub fn tensor(&self, pictures: &[&Prepared]) -> Tensor {
        let batch = self.shape[0].unwrap_or(pictures.len());
        let size = pictures.first().map_or(Size { height: 0, width: 0 }, |first| first.size);
        let values = pictures.iter().cycle().take(batch).flat_map(|picture| picture.values.iter().copied()).collect();
        Tensor { shape: shape_of(batch, size, self.preprocessing.layout), values }
    }

    /// The batch that the graph is fixed to.
    pub fn fixed_batch(&self) -> Option<usize> {
        self.shape[0]
    }
}

/// A picture resized, cropped and normalised.
pub fn prepared(picture: &Rgb, how: &Preprocessing) -> Result<Prepared, ModelError> {
    let unfit = |error: super::picture::PictureError| ModelError::Unfit(error.to_string());
    let resized = preprocess::resized(picture, how).map_err(unfit)?;
    let size = Size { height: resized.height(), width: resized.width() };
    let mut values = vec![];
    preprocess::tensor(&resized, how, &mut values);
    Ok(Prepared { size, values })
}

/// One picture as a batch; a graph with a fixed batch gets the picture that often.
fn batch_of(values: Vec<f32>, batch: Option<usize>, size: Size, layout: Layout) -> Tensor {
    let batch = batch.unwrap_or(1);
    Tensor { shape: shape_of(batch, size, layout), values: if batch == 1 { values } else { values.repeat(batch) } }
}

fn shape_of(batch: usize, size: Size, layout: Layout) -> Vec<usize> {
    let (height, width) = (size.height as usize, size.width as usize);
    match layout {
        Layout::Nchw => vec![batch, 3, height, width],
        Layout::Nhwc => vec![batch, height, width, 3],
    }
}

/// Tensors that are batches of something.
fn whole(found: Vec<Tensor>) -> Result<Vec<Tensor>, ModelError> {
    let whole = |tensor: &Tensor| {
        tensor.shape.len() > 1
            && tensor.shape.iter().product::<usize>() == tensor.values.len()
            && !tensor.values.is_empty()
    };
    match found.iter().find(|tensor| !whole(tensor)) {
        Some(tensor) => Err(ModelError::Unfit(format!("features of shape {:?} are no batch of vectors", tensor.shape))),
        None => Ok(found),
    }
}

fn first_sample(tensor: &Tensor) -> &[f32] {
    sample(tensor, 0)
}

fn sample(tensor: &Tensor, place: usize) -> &[f32] {
    let size = tensor.values.len() / tensor.shape[0];
    &tensor.values[place * size..(place + 1) * size]
}

/// The picture axes of an input: channel, height, width.
fn axes(layout: Layout) -> [usize; 3] {
    match layout {
        Layout::Nchw => [1, 2, 3],
        Layout::Nhwc => [3, 1, 2],
    }
}

/// Refuses a graph that can't take what the preprocessing makes.
fn check_fit(how: &Preprocessing, input: &PictureInput) -> Result<(), ModelError> {
    let [channel, height, width] = axes(how.layout).map(|axis| input.shape[axis]);
    if channel.is_some_and(|channels| channels != 3) {
        let (shape, layout) = (in_brackets(&input.shape), how.layout);
        return Err(ModelError::Unfit(format!(
            "input `{}` has the shape {shape}; {layout:?} pictures have 3 channels",
            input.name
        )));
    }
    let Some(size) = preprocess::input_size(how) else { return Ok(()) };
    let differs = |fixed: Option<usize>, made: u32| fixed.is_some_and(|fixed| fixed != made as usize);
    if differs(height, size.height) || differs(width, size.width) {
        let shape = in_brackets(&input.shape);
        let made = format!("{} × {}", size.height, size.width);
        return Err(ModelError::Unfit(format!(
            "the preprocessing makes {made} pictures, the model takes {shape}: mend the preprocessing"
        )));
    }
    Ok(())
}

fn in_brackets(shape: &[Option<usize>; 4]) -> String {
    format!("[{}]", shape.map(|length| length.map_or("any".to_owned(), |length| length.to_string())).join(", "))
}

fn blank_picture(how: &Preprocessing, input: &PictureInput) -> Tensor {
    let [_, height, width] = axes(how.layout).map(|axis| input.shape[axis].unwrap_or(OPEN_EDGE) as u32);
    let size = preprocess::input_size(how).unwrap_or(Size { height, width });
    batch_of(vec![0.0; 3 * (size.height * size.width) as usize], input.shape[0], size, how.layout)
}
