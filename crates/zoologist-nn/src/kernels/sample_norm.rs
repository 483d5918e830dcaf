//! A norm over all channels and places of one sample, a factor and a summand for each channel, then the clamp: one pass
//! forwards, one backwards. No sample sees another one, and none sees what others have left behind.

use zoologist::base::vectorised;

use super::channels::Clamp;
use super::rows::sum;
use crate::operation::Operation;

/// clamp(norm(maps) · factor + summand): inputs are the maps, batch × channels × pixels, the factors and the summands, one
/// per channel. Each sample is brought to mean 0 and variance 1 over its channels and pixels first: the group norm of one
/// group (Wu and He, arXiv:1803.08494, §3.1).
#[derive(Debug, Clone, Copy)]
pub struct SampleNorm {
    /// Channels.
    pub channels: usize,
    /// Pixels of a map.
    pub pixels: usize,
    /// What is added to the variance.
    pub epsilon: f32,
    /// What follows.
    pub clamp: Clamp,
}

impl SampleNorm {
    /// What a sample's numbers are lowered by and then multiplied with.
    #[inline(always)]
    fn of_sample(self, sample: &[f32]) -> [f32; 2] {
        let count = sample.len() as f32;
        let mean = sum(sample, |value| value) / count;
        let variance = sum(sample, |value| (value - mean) * (value - mean)) / count;
        [mean, 1.0 / (variance + self.epsilon).sqrt()]
    }

    #[inline(always)]
    fn sample(self) -> usize {
        self.channels * self.pixels
    }
}

impl Operation<3> for SampleNorm {
    fn forward(&self, [maps, factors, summands]: [&[f32]; 3]) -> Vec<f32> {
        let (mut result, [low, high]) = (maps.to_vec(), self.clamp.bounds());
        vectorised(
            #[inline(always)]
            || {
                for sample in result.chunks_exact_mut(self.sample()) {
                    let [mean, scale] = self.of_sample(sample);
                    for ((map, factor), summand) in sample.chunks_exact_mut(self.pixels).zip(factors).zip(summands) {
                        let factor = scale * factor;
                        for value in map {
                            let normed = (*value - mean).mul_add(factor, *summand);
                            // A comparison with NaN keeps it: what is broken must be seen.
                            let floored = if normed < low { low } else { normed };
                            *value = if floored > high { high } else { floored };
                        }
                    }
                }
            },
        );
        result
    }

    fn backward(
        &self,
        [maps, factors, _]: [&[f32]; 3],
        output: &[f32],
        gradient: &[f32],
        _: [bool; 3],
    ) -> [Vec<f32>; 3] {
        let ([low, high], pixels) = (self.clamp.bounds(), self.pixels);
        let (mut of_maps, mut of_factors) = (gradient.to_vec(), vec![0.0; factors.len()]);
        let mut of_summands = of_factors.clone();
        vectorised(
            #[inline(always)]
            || {
                let samples = of_maps.chunks_exact_mut(self.sample()).zip(maps.chunks_exact(self.sample()));
                for ((found, sample), output) in samples.zip(output.chunks_exact(self.sample())) {
                    let [mean, scale] = self.of_sample(sample);
                    // Σ of the normed numbers' gradients, and of these times the numbers.
                    let (mut sums, mut products) = (0.0, 0.0);
                    let channels = found.chunks_exact_mut(pixels).zip(sample.chunks_exact(pixels));
                    for (channel, ((found, sample), output)) in channels.zip(output.chunks_exact(pixels)).enumerate() {
                        for (value, output) in found.iter_mut().zip(output) {
                            *value = if *output > low && *output < high { *value } else { 0.0 };
                        }
                        let of_channel = sum(found, |value| value);
                        let product = scale * dot_from(found, sample, mean);
                        of_summands[channel] += of_channel;
                        of_factors[channel] += product;
                        sums += of_channel * factors[channel];
                        products += product * factors[channel];
                    }
                    let count = self.sample() as f32;
                    let (shift, slope) = (sums / count, products / count * scale);
                    let channels = found.chunks_exact_mut(pixels).zip(sample.chunks_exact(pixels));
                    for ((found, sample), factor) in channels.zip(factors) {
                        for (value, input) in found.iter_mut().zip(sample) {
                            *value = scale * (value.mul_add(*factor, -shift) - (input - mean) * slope);
                        }
                    }
                }
            },
        );
        [of_maps, of_factors, of_summands]
    }
}

/// Σ a (b − from), in a fixed number of partial sums.
#[inline(always)]
fn dot_from(a: &[f32], b: &[f32], from: f32) -> f32 {
    let mut sums = [0.0; super::LANES];
    for (a, b) in a.chunks(super::LANES).zip(b.chunks(super::LANES)) {
        for ((a, b), sum) in a.iter().zip(b).zip(&mut sums) {
            *sum += a * (b - from);
        }
    }
    sums.iter().sum()
}
