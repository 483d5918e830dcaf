//! How a feature tensor becomes one vector a sample.

use crate::extract::onnx::ModelError;

/// How a tensor of one sample becomes a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// It is a vector.
    None,
    /// The mean over all positions of a map, channels first.
    MeanOfMap,
    /// The mean over all positions of a map, channels last.
    MeanOfMapChannelsLast,
    /// The first token, which stands before a square of patches.
    FirstToken,
    /// The mean over all tokens.
    MeanOfTokens,
}

impl Pooling {
    /// How to pool a feature tensor of this shape (the first axis is the batch).
    pub fn of(shape: &[usize], channels_last: bool) -> Result<Self, ModelError> {
        match shape {
            [_, _] | [_, _, 1, 1] => Ok(Self::None),
            [_, _, _, _] if channels_last => Ok(Self::MeanOfMapChannelsLast),
            [_, _, _, _] => Ok(Self::MeanOfMap),
            [_, tokens, _] if *tokens > 1 && is_square(tokens - 1) => Ok(Self::FirstToken),
            [_, _, _] => Ok(Self::MeanOfTokens),
            _ => Err(ModelError::Unfit(format!("features of shape {shape:?} can't be pooled to one vector a picture"))),
        }
    }

    /// In words, empty if nothing is pooled.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::MeanOfMap | Self::MeanOfMapChannelsLast => ", mean over positions",
            Self::FirstToken => ", first token",
            Self::MeanOfTokens => ", mean over tokens",
        }
    }

    /// How many numbers the vector of one sample has, given the shape of the whole tensor.
    pub fn width(self, shape: &[usize]) -> usize {
        match (self, shape) {
            (Self::None, [_, sample @ ..]) => sample.iter().product(),
            (Self::MeanOfMap, [_, channels, ..]) => *channels,
            _ => shape.last().copied().unwrap_or(0),
        }
    }

    /// The feature vector of one sample, given its tensor without the batch axis.
    pub fn apply(self, shape: &[usize], values: &[f32]) -> Vec<f32> {
        let mean = |length: usize, value: &dyn Fn(usize) -> f32| (0..length).map(value).sum::<f32>() / length as f32;
        match (self, shape) {
            (Self::MeanOfMap, &[channels, height, width]) => {
                let area = height * width;
                (0..channels).map(|channel| mean(area, &|place| values[channel * area + place])).collect()
            }
            (Self::MeanOfMapChannelsLast, &[height, width, dim]) => {
                (0..dim).map(|channel| mean(height * width, &|place| values[place * dim + channel])).collect()
            }
            (Self::MeanOfTokens, &[tokens, dim]) => {
                (0..dim).map(|channel| mean(tokens, &|place| values[place * dim + channel])).collect()
            }
            (Self::FirstToken, &[_, dim]) => values[..dim].to_vec(),
            _ => values.to_vec(),
        }
    }
}

fn is_square(number: usize) -> bool {
    number.isqrt().pow(2) == number
}
