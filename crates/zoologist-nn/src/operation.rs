//! Operations with loops of our own on burn's tape: where its CPU backend takes a detour, forwards or backwards.
//!
//! An [`Operation`] sees flat rows of float32 numbers. [`apply`] runs it on tensors, and puts it on the tape where any of
//! them is tracked.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, BackendTypes, Flex};
use burn::tensor::{Shape, Tensor, TensorData};

/// An operation on N flat inputs, with its gradient.
pub trait Operation<const N: usize>: Debug + Clone + Send + 'static {
    /// The output.
    fn forward(&self, inputs: [&[f32]; N]) -> Vec<f32>;

    /// The gradients of the inputs, from that of the output; `wanted` says which are used, the others may be empty.
    fn backward(&self, inputs: [&[f32]; N], output: &[f32], gradient: &[f32], wanted: [bool; N]) -> [Vec<f32>; N];
}

/// Runs an operation on flat tensors; the output has this shape.
///
/// # Panics
/// If a tensor is not on burn's CPU backend: no other device is ever made in this crate.
pub fn apply<O: Operation<N>, const N: usize, const D: usize>(
    operation: &O,
    inputs: [Tensor<1>; N],
    shape: [usize; D],
) -> Tensor<D> {
    if inputs.iter().any(Tensor::is_autodiff) {
        let inputs = inputs.map(|input| {
            let tracked = if input.is_autodiff() { input } else { input.autodiff() };
            tracked.try_into_primitive::<Autodiff<Flex>>().expect("networks run on the CPU backend")
        });
        return on_tape(operation, inputs, shape);
    }
    let inputs = inputs.map(|input| input.try_into_primitive::<Flex>().expect("networks run on the CPU backend"));
    let inputs = inputs.map(|input| input.to_contiguous());
    Tensor::from_primitive::<Flex>(flex(operation.forward(inputs.each_ref().map(numbers)), shape))
}

type Tracked = <Autodiff<Flex> as BackendTypes>::FloatTensorPrimitive;

fn on_tape<O: Operation<N>, const N: usize, const D: usize>(
    operation: &O,
    inputs: [Tracked; N],
    shape: [usize; D],
) -> Tensor<D> {
    let guards = inputs.each_ref().map(Tracked::node);
    let inputs = inputs.map(|input| input.into_primitive().to_contiguous());
    let output = flex(operation.forward(inputs.each_ref().map(numbers)), shape);
    let step = Step { operation: operation.clone() };
    let tracked = match step.prepare::<NoCheckpointing>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(State { inputs, output: output.clone() }, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(tracked)
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct State<const N: usize> {
    inputs: [FlexTensor; N],
    output: FlexTensor,
}

#[derive(Debug)]
struct Step<O> {
    operation: O,
}

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Step<O> {
    type State = State<N>;

    fn backward(self, ops: Ops<State<N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let State { inputs, output } = &ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found =
            self.operation.backward(inputs.each_ref().map(numbers), numbers(output), numbers(&gradient), wanted);
        for ((parent, values), input) in ops.parents.into_iter().zip(found).zip(inputs) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, flex(values, [numbers(input).len()]));
            }
        }
    }
}

fn flex<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, Shape::from(shape)))
}

fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("it was made contiguous, and networks are float32")
}
