//! What teachers say beside the labels: the term of B-Tuning.

use burn::tensor::{Device, Tensor, TensorData};
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::Teachers;

use super::parameters::tensors_of;
use crate::design::Design;

/// What teachers say (B-Tuning).
pub struct Lessons {
    /// Outputs × dim.
    projection: Tensor<2>,
    /// Samples × outputs.
    predictions: Vec<f32>,
    weight: f64,
}

impl Lessons {
    /// Reads what the teachers predict for every sample.
    pub fn read(
        teachers: &Teachers,
        outputs: usize,
        design: &Design,
        predicts_numbers: bool,
    ) -> Result<Self, ModelError> {
        let [projection, predictions] = tensors_of(&teachers.file.0, ["projection", "predictions"])?;
        let (width, dim) = (outputs, design.dim());
        if projection.len() != width * dim || predicts_numbers {
            return Err(ModelError::Unfit(
                "what the teachers say does not fit the network, or predicts numbers".to_owned(),
            ));
        }
        let projection = Tensor::from_data(TensorData::new(projection, [width, dim]), &Device::flex());
        Ok(Self { projection, predictions, weight: teachers.weight })
    }

    /// The summed squares of what the student's features predict, less what the teachers do, over the outputs' mean.
    pub fn term(&self, features: Tensor<2>, rows: &[usize]) -> Tensor<1> {
        let [width, _] = self.projection.dims();
        let wanted: Vec<f32> =
            rows.iter().flat_map(|&row| self.predictions[row * width..(row + 1) * width].to_vec()).collect();
        let device = features.device();
        let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [rows.len(), width]), &device);
        let found = features.matmul(self.projection.clone().autodiff().transpose());
        (found - wanted).square().sum() * (self.weight / width as f64)
    }
}
