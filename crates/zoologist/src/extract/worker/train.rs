//! A worker that trains: samples that can't be read are left out, the trainer does the rest.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::{Message, OpenRuntime, WorkerError, unfit};
use crate::extract::RuntimeChoice;
use crate::extract::onnx::ModelError;
use crate::extract::text;
use crate::extract::training::{self, SupernetOrder, TrainingOrder};
use crate::zoo::ModelInput;

/// What several threads may say in turn.
type SharedSay<'a> = &'a mut (dyn FnMut(&Message) -> Result<(), WorkerError> + Send);

/// Why nothing can be trained.
const WITHOUT: &str = "this program was built without networks that can be trained";

/// Trains a network as an order says, and says what came of it.
pub fn train(
    order: &TrainingOrder,
    open_runtime: OpenRuntime,
    say: SharedSay,
    stop: &AtomicBool,
) -> Result<(), WorkerError> {
    let runtime = open_runtime(&RuntimeChoice::Native)?;
    let trainer = runtime.trainer().ok_or_else(|| unfit(WITHOUT))?;
    let network = text::read_native(&order.plan)?;
    let positions = match &order.plan.input {
        ModelInput::Texts(_) => Some(runtime.encoder(&network, 1)?.positions),
        ModelInput::Pictures(_) => None,
    };
    let (examples, mut order) = (training::prepare(order, positions)?, order.clone());
    let unreadable = leave_out_unreadable([&mut order.training, &mut order.validation, &mut order.judged], &examples);
    let say = Mutex::new(say);
    let watch = Learned { say: &say };
    let outcome = trainer.train(&order, &network, &examples, &watch, stop);
    let mut outcome = outcome.map_err(ended)?;
    outcome.unreadable = unreadable;
    outcome.usual_tokens = examples.usual_tokens(&order.training);
    let say = say.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&Message::Trained(Box::new(outcome)))
}

/// Searches among architectures as an order says, and says what came of it.
pub fn search(
    order: &SupernetOrder,
    open_runtime: OpenRuntime,
    say: SharedSay,
    stop: &AtomicBool,
) -> Result<(), WorkerError> {
    let runtime = open_runtime(&RuntimeChoice::Native)?;
    let trainer = runtime.trainer().ok_or_else(|| unfit(WITHOUT))?;
    let (examples, mut order) = (training::prepare_pictures(&order.samples, &order.preprocessing)?, order.clone());
    let unreadable = leave_out_unreadable([&mut order.training, &mut order.validation], &examples);
    let say = Mutex::new(say);
    let watch = Learned { say: &say };
    let outcome = trainer.search(&order, &examples, &watch, stop);
    let mut outcome = outcome.map_err(ended)?;
    outcome.unreadable = unreadable;
    let say = say.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&Message::Searched(Box::new(outcome)))
}

/// Takes samples that can't be read out of all rows, and says which.
fn leave_out_unreadable<const N: usize>(
    lists: [&mut Vec<usize>; N],
    examples: &training::Prepared,
) -> Vec<(usize, String)> {
    let all: Vec<usize> = lists.iter().flat_map(|rows| rows.iter().copied()).collect();
    let faults = all.into_iter().filter_map(|row| Some((row, examples.fault(row)?)));
    let unreadable: Vec<(usize, String)> = faults.collect();
    for rows in lists {
        rows.retain(|row| unreadable.iter().all(|(bad, _)| bad != row));
    }
    unreadable
}

/// A trainer's end that was asked for is none of the model's faults.
fn ended(error: ModelError) -> WorkerError {
    match error {
        ModelError::Stopped => WorkerError::Stopped,
        other => other.into(),
    }
}

/// Tells the parent how many samples were learned from.
struct Learned<'a, 'b> {
    say: &'a Mutex<SharedSay<'b>>,
}

impl training::Watch for Learned<'_, '_> {
    fn learned(&self, samples: usize) {
        let mut say = self.say.lock().unwrap_or_else(PoisonError::into_inner);
        // A parent that is gone ends the worker by its leash.
        let _ = say(&Message::Rows(samples));
    }
}
