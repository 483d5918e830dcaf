//! How a network is trained: the numbers that a person may set.

use serde::{Deserialize, Serialize};

use super::{Alteration, Teachers};
use crate::extract::order::PortablePath;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// What the weights start from.
    pub start: Start,
    /// What is done to its blocks before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alteration: Option<Alteration>,
    /// Which of them learn.
    pub freeze: Freeze,
    /// How batch norms behave while the network learns.
    pub norms: Norms,
    /// A head to start from: a file with `weight`, outputs × dim, and `bias`; else a small random one.
    pub head: Option<PortablePath>,
    /// What turns gradients into steps.
    pub optimizer: Optimizer,
    /// The learning rate after the warm-up.
    pub learning_rate: f64,
    /// How much larger it is for the head.
    pub head_factor: f64,
    /// Decay of matrices and filters, times the learning rate, per step.
    pub weight_decay: f64,
    /// Samples of a step.
    pub batch: usize,
    /// Steps.
    pub steps: usize,
    /// The share of the steps in which the learning rate rises from 0; it then falls to 0 on a half cosine.
    pub warm_up: f64,
    /// The length that gradients are cut to.
    pub clip: f64,
    /// Steps between checkups on the validation rows.
    pub checkup: usize,
    /// Checkups in a row without progress after which the training ends.
    pub patience: usize,
    /// Whether pictures are mirrored at random.
    pub mirror: bool,
    /// Teachers to learn from beside the labels.
    pub teachers: Option<Teachers>,
}

/// What weights start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The model's own weights.
    Pretrained,
    /// Random weights: the architecture only.
    Random,
}

/// Which weights learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// All.
    Nothing,
    /// The last so many layers and the head.
    AllBut(usize),
    /// All but what stands before the blocks and the first so many of these.
    First(usize),
    /// The head alone.
    Everything,
}

/// How batch norms behave while the network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norms {
    /// They use the statistics of the file.
    Frozen,
    /// They use the statistics of each batch, and keep running ones.
    Training,
}

/// What turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with decoupled decay (Loshchilov and Hutter, arXiv:1711.05101): betas .9 and .999, epsilon 1e-8.
    Adamw,
    /// Gradient descent with Nesterov's momentum .9.
    Sgd,
}

impl Recipe {
    /// How many steps full fine-tuning makes, by the number of samples, as BiT's rule has it (Kolesnikov et al.,
    /// arXiv:1912.11370, §3.3).
    pub fn steps_for(samples: usize) -> usize {
        match samples {
            0..20_000 => 500,
            20_000..500_000 => 10_000,
            _ => 20_000,
        }
    }
}
