//! A network made ready: pictures in, feature vectors out.

use super::onnx::{CostPlan, FeatureSource, Graph, ModelBytes, ModelError, PictureInput, Pooling};
use super::order::{Description, NetworkPlan};
use super::picture::Rgb;
use super::preprocess;
use super::runtime::{Input, NetworkBytes, Runtime, Session, Tensor};
use crate::base::Seed;
use crate::zoo::preprocessing::{Layout, Preprocessing, Size};

/// The edge of the blank picture that a network of open input size is tried on.
const OPEN_EDGE: usize = 224;

/// A network on one thread.
pub struct Network {
    session: Box<dyn Session>,
    preprocessing: Preprocessing,
    shape: [Option<usize>; 4],
    pooling: Pooling,
}

/// Loads a network for several threads, runs it once on a blank picture, and says what it is.
pub fn load(
    plan: &NetworkPlan,
    preprocessing: &Preprocessing,
    permuted: Option<Seed>,
    runtime: &dyn Runtime,
    threads: usize,
) -> Result<(Description, Vec<Network>), ModelError> {
    let external: Vec<_> = plan.external.iter().map(|path| path.0.clone()).collect();
    let mut bytes = ModelBytes::read(&plan.folder, &plan.weights, &external)?;
    if let Some(seed) = permuted {
        bytes.permute_weights(seed)?;
    }
    let graph = Graph::parse(&bytes.model)?;
    let input = graph.picture_input()?;
    check_fit(preprocessing, &input)?;
    let source = graph.features(plan.features.as_deref())?;
    let blank = blank_picture(preprocessing, &input);
    let multiply_adds = count_multiply_adds(&bytes, &graph, &input, runtime, &blank);

    let shown = if source.is_output { bytes } else { bytes.with_outputs(&[&source.value])? };
    let mut sessions = runtime.load(&NetworkBytes::Onnx(shown), &[&input.name], &[&source.value], threads)?;
    let first = sessions.first_mut().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))?;
    let tried = only(first.run(&[Input::Floats(&blank)])?)?;
    let pooling = Pooling::of(&tried.shape, preprocessing.layout == Layout::Nhwc)?;
    let dim = pooling.apply(&tried.shape[1..], first_sample(&tried)).len();

    let words = in_words(&source, pooling);
    let description = Description::of_last(dim, words, Some(runtime.name()), multiply_adds);
    let network = |session| Network { session, preprocessing: preprocessing.clone(), shape: input.shape, pooling };
    Ok((description, sessions.into_iter().map(network).collect()))
}

fn in_words(source: &FeatureSource, pooling: Pooling) -> String {
    format!("{}{}", source.reason, pooling.words())
}

impl Network {
    /// The features of one picture.
    pub fn features(&mut self, picture: &Rgb) -> Result<Vec<f32>, ModelError> {
        let unfit = |error: super::picture::PictureError| ModelError::Unfit(error.to_string());
        let resized = preprocess::resized(picture, &self.preprocessing).map_err(unfit)?;
        let size = Size { height: resized.height(), width: resized.width() };
        let mut values = vec![];
        preprocess::tensor(&resized, &self.preprocessing, &mut values);
        let input = batch_of(values, self.shape[0], size, self.preprocessing.layout);
        let found = only(self.session.run(&[Input::Floats(&input)])?)?;
        Ok(self.pooling.apply(&found.shape[1..], first_sample(&found)))
    }
}

/// One picture as a batch; a graph with a fixed batch gets the picture that often.
fn batch_of(values: Vec<f32>, batch: Option<usize>, size: Size, layout: Layout) -> Tensor {
    let (height, width) = (size.height as usize, size.width as usize);
    let batch = batch.unwrap_or(1);
    let shape = match layout {
        Layout::Nchw => vec![batch, 3, height, width],
        Layout::Nhwc => vec![batch, height, width, 3],
    };
    Tensor { shape, values: if batch == 1 { values } else { values.repeat(batch) } }
}

fn only(found: Vec<Tensor>) -> Result<Tensor, ModelError> {
    let whole = |tensor: &Tensor| {
        tensor.shape.len() > 1
            && tensor.shape.iter().product::<usize>() == tensor.values.len()
            && !tensor.values.is_empty()
    };
    let [tensor] = <[Tensor; 1]>::try_from(found).map_err(|_| ModelError::Damaged)?;
    if whole(&tensor) {
        Ok(tensor)
    } else {
        Err(ModelError::Unfit(format!("features of shape {:?} are no batch of vectors", tensor.shape)))
    }
}

fn first_sample(tensor: &Tensor) -> &[f32] {
    &tensor.values[..tensor.values.len() / tensor.shape[0]]
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

/// Multiply-adds of one picture; `None` where the graph holds values that can't be shown.
fn count_multiply_adds(
    bytes: &ModelBytes,
    graph: &Graph,
    input: &PictureInput,
    runtime: &dyn Runtime,
    blank: &Tensor,
) -> Option<u64> {
    let plan = CostPlan::of(graph);
    let values = plan.values();
    let hidden: Vec<&str> = values.iter().copied().filter(|name| !graph.output_named(name)).collect();
    let shown = NetworkBytes::Onnx(bytes.with_outputs(&hidden).ok()?);
    let mut sessions = runtime.load(&shown, &[&input.name], &values, 1).ok()?;
    let found = sessions.first_mut()?.run(&[Input::Floats(blank)]).ok()?;
    let shape_of = |name: &str| values.iter().position(|value| *value == name).map(|place| found[place].shape.clone());
    Some(plan.multiply_adds(shape_of) / blank.shape[0] as u64)
}
