//! How wrong outputs are, and the share of right ones.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Tensor, TensorData};
use zoologist::extract::training::Answers;

use crate::design::one_hot;

/// What is right for the rows of a part, as tensors.
pub enum Right {
    /// One row of zeros and a one per sample.
    Classes(Tensor<2>),
    /// Zeros and ones.
    Labels(Tensor<2>),
    /// Numbers.
    Numbers(Tensor<2>),
}

impl Right {
    /// Of these rows.
    pub fn of(answers: &Answers, rows: &[usize], device: &Device) -> Self {
        let table = |values: &[f32], width: usize| {
            let values: Vec<f32> =
                rows.iter().flat_map(|&row| values[row * width..(row + 1) * width].to_vec()).collect();
            Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
        };
        match answers {
            Answers::Classes { index, count } => {
                let classes: Vec<u32> = rows.iter().map(|&row| index[row]).collect();
                Self::Classes(one_hot(&classes, *count, device))
            }
            Answers::Labels { values, width } => Self::Labels(table(values, *width)),
            Answers::Numbers { values, width } => Self::Numbers(table(values, *width)),
        }
    }

    /// The loss of each sample, summed: cross entropy; for labels the mean over them of the binary one; for numbers the
    /// mean square.
    pub fn loss(&self, outputs: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Classes(right) => (log_softmax(outputs, 1) * right.clone()).sum().neg(),
            Self::Labels(right) => {
                let width = right.dims()[1] as f64;
                let (yes, no) = (log_sigmoid(outputs.clone()), log_sigmoid(outputs.neg()));
                (yes * right.clone() + no * (right.clone().neg() + 1.0)).sum().neg() / width
            }
            Self::Numbers(right) => {
                let width = right.dims()[1] as f64;
                (outputs - right.clone()).square().sum() / width
            }
        }
    }
}

/// The loss of one sample and how right its outputs are, in plain numbers.
pub fn judged(answers: &Answers, row: usize, outputs: &[f32]) -> (f64, f64) {
    let outputs: Vec<f64> = outputs.iter().map(|&value| f64::from(value)).collect();
    match answers {
        Answers::Classes { index, .. } => {
            let (largest, best) =
                outputs.iter().enumerate().fold((f64::NEG_INFINITY, 0), |(largest, best), (place, &value)| {
                    if value > largest { (value, place) } else { (largest, best) }
                });
            let sum: f64 = outputs.iter().map(|value| (value - largest).exp()).sum();
            let right = index[row] as usize;
            (sum.ln() + largest - outputs[right], f64::from(u8::from(best == right)))
        }
        Answers::Labels { values, width } => {
            let right = &values[row * width..(row + 1) * width];
            let (mut loss, mut hits) = (0.0, 0.0);
            for (output, &label) in outputs.iter().zip(right) {
                let signed = if label > 0.5 { *output } else { -output };
                loss += (-signed.abs()).exp().ln_1p() - signed.min(0.0);
                hits += f64::from(u8::from(signed > 0.0));
            }
            (loss / *width as f64, hits / *width as f64)
        }
        Answers::Numbers { values, width } => {
            let right = &values[row * width..(row + 1) * width];
            let loss = outputs.iter().zip(right).map(|(a, &b)| (a - f64::from(b)).powi(2)).sum::<f64>() / *width as f64;
            (loss, -loss)
        }
    }
}
