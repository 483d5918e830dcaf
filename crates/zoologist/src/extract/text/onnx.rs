//! Text encoders as ONNX graphs.

use super::encoder::Ready;
use crate::base::Seed;
use crate::extract::onnx::ModelError;
use crate::extract::order::NetworkPlan;
use crate::extract::runtime::Runtime;
use crate::zoo::TokenPooling;

/// Reads the graph, finds its inputs and its layers.
pub fn ready(
    _plan: &NetworkPlan,
    _pooling: TokenPooling,
    _permuted: Option<Seed>,
    _runtime: &dyn Runtime,
) -> Result<Ready, ModelError> {
    Err(ModelError::Unfit("text graphs come next".to_owned()))
}
