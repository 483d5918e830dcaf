//! A bias for each channel, then the activation: one pass over the maps, forwards and backwards.

use pulp::{Arch, Simd, WithSimd};

use crate::operation::Operation;

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clamp {
    /// Nothing.
    None,
    /// max(0, x).
    Relu,
    /// min(6, max(0, x)).
    Relu6,
}

/// clamp(map + bias): inputs are the maps, batch × channels × pixels, and the biases, one per channel.
#[derive(Debug, Clone, Copy)]
pub struct BiasClamp {
    /// Pixels of a map.
    pub pixels: usize,
    /// What follows.
    pub clamp: Clamp,
}

impl Clamp {
    /// The least and the largest number that it leaves as it is.
    #[inline(always)]
    pub fn bounds(self) -> [f32; 2] {
        match self {
            Self::None => [f32::NEG_INFINITY, f32::INFINITY],
            Self::Relu => [0.0, f32::INFINITY],
            Self::Relu6 => [0.0, 6.0],
        }
    }
}

impl Operation<2> for BiasClamp {
    fn forward(&self, [maps, biases]: [&[f32]; 2]) -> Vec<f32> {
        let mut result = maps.to_vec();
        Arch::new().dispatch(Forward { shape: *self, biases, result: &mut result });
        result
    }

    fn backward(&self, inputs: [&[f32]; 2], output: &[f32], gradient: &[f32], _: [bool; 2]) -> [Vec<f32>; 2] {
        let (mut of_maps, mut of_biases) = (gradient.to_vec(), vec![0.0; inputs[1].len()]);
        Arch::new().dispatch(Backward { shape: *self, output, of_maps: &mut of_maps, of_biases: &mut of_biases });
        [of_maps, of_biases]
    }
}

struct Forward<'a> {
    shape: BiasClamp,
    biases: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [low, high] = self.shape.clamp.bounds();
        for (map, bias) in self.result.chunks_exact_mut(self.shape.pixels).zip(self.biases.iter().cycle()) {
            for value in map {
                // A comparison with NaN keeps it: what is broken must be seen.
                let sum = *value + bias;
                let floored = if sum < low { low } else { sum };
                *value = if floored > high { high } else { floored };
            }
        }
    }
}

struct Backward<'a> {
    shape: BiasClamp,
    output: &'a [f32],
    of_maps: &'a mut [f32],
    of_biases: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ([low, high], pixels, channels) = (self.shape.clamp.bounds(), self.shape.pixels, self.of_biases.len());
        let maps = self.of_maps.chunks_exact_mut(pixels).zip(self.output.chunks_exact(pixels));
        for (place, (map, output)) in maps.enumerate() {
            let mut sums = [0.0; super::LANES];
            for (map, output) in map.chunks_mut(super::LANES).zip(output.chunks(super::LANES)) {
                for ((value, output), sum) in map.iter_mut().zip(output).zip(&mut sums) {
                    *value = if *output > low && *output < high { *value } else { 0.0 };
                    *sum += *value;
                }
            }
            self.of_biases[place % channels] += sums.iter().sum::<f32>();
        }
    }
}
