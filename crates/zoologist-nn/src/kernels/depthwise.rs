//! Convolution of each channel by a filter of its own: a filter's taps one after the other, each over whole rows.

use pulp::{Arch, Simd, WithSimd};

use crate::operation::Operation;

/// A depthwise convolution: inputs are the maps, batch × channels × height × width, and the filters, channels × kernel ×
/// kernel.
#[derive(Debug, Clone, Copy)]
pub struct Depthwise {
    /// Batch × channels.
    pub planes: usize,
    /// Channels.
    pub channels: usize,
    /// Height and width of a map.
    pub size: [usize; 2],
    /// Edge of a filter.
    pub kernel: usize,
    /// Steps between the places of a filter.
    pub stride: usize,
    /// Steps between the taps of a filter; 1: they are neighbours.
    pub dilation: usize,
    /// Zeros before the first row, and before the first column.
    pub before: [usize; 2],
    /// Height and width of the result.
    pub out: [usize; 2],
}

/// Places along one axis that a tap of a filter reads: for results `first..end`, from input `start` on.
struct Span {
    first: usize,
    end: usize,
    start: usize,
}

impl Depthwise {
    fn span(&self, axis: usize, tap: usize) -> Span {
        let (before, stride, tap) = (self.before[axis], self.stride, tap * self.dilation);
        let first = before.saturating_sub(tap).div_ceil(stride);
        let end = (self.size[axis] + before).saturating_sub(tap).div_ceil(stride).min(self.out[axis]);
        Span { first: first.min(end), end, start: (first * stride + tap).saturating_sub(before) }
    }

    fn input(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn output(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Every pair of a row of the result and the row of the input that a tap reads for it, with the tap's place.
    #[inline(always)]
    fn rows(&self, mut visit: impl FnMut(usize, usize, &Span, usize)) {
        for down in 0..self.kernel {
            let vertical = self.span(0, down);
            for across in 0..self.kernel {
                let horizontal = self.span(1, across);
                if horizontal.first == horizontal.end {
                    // A tap that reaches beyond the map wherever it stands.
                    continue;
                }
                for row in vertical.first..vertical.end {
                    let read = vertical.start + (row - vertical.first) * self.stride;
                    visit(row * self.out[1], read * self.size[1], &horizontal, down * self.kernel + across);
                }
            }
        }
    }
}

impl Operation<2> for Depthwise {
    fn forward(&self, [maps, filters]: [&[f32]; 2]) -> Vec<f32> {
        let mut result = vec![0.0; self.planes * self.output()];
        Arch::new().dispatch(Forward { shape: self, maps, filters, result: &mut result });
        result
    }

    fn backward(&self, inputs: [&[f32]; 2], _: &[f32], gradient: &[f32], wanted: [bool; 2]) -> [Vec<f32>; 2] {
        let [maps, filters] = inputs;
        let mut of_maps = if wanted[0] { vec![0.0; maps.len()] } else { vec![] };
        let mut of_filters = if wanted[1] { vec![0.0; filters.len()] } else { vec![] };
        let pass =
            Backward { shape: self, maps, filters, gradient, of_maps: &mut of_maps, of_filters: &mut of_filters };
        Arch::new().dispatch(pass);
        [of_maps, of_filters]
    }
}

struct Forward<'a> {
    shape: &'a Depthwise,
    maps: &'a [f32],
    filters: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (shape, taps) = (self.shape, self.shape.kernel * self.shape.kernel);
        let planes = self.maps.chunks_exact(shape.input()).zip(self.result.chunks_exact_mut(shape.output()));
        for (plane, (map, result)) in planes.enumerate() {
            let filter = &self.filters[plane % shape.channels * taps..][..taps];
            shape.rows(|into, from, span, tap| {
                let (count, weight) = (span.end - span.first, filter[tap]);
                let into = &mut result[into + span.first..][..count];
                if shape.stride == 1 {
                    for (into, value) in into.iter_mut().zip(&map[from + span.start..][..count]) {
                        *into += weight * value;
                    }
                } else {
                    for (into, value) in into.iter_mut().zip(map[from + span.start..].iter().step_by(shape.stride)) {
                        *into += weight * value;
                    }
                }
            });
        }
    }
}

struct Backward<'a> {
    shape: &'a Depthwise,
    maps: &'a [f32],
    filters: &'a [f32],
    gradient: &'a [f32],
    of_maps: &'a mut [f32],
    of_filters: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (shape, taps) = (self.shape, self.shape.kernel * self.shape.kernel);
        for plane in 0..shape.planes {
            let filter = plane % shape.channels * taps;
            let gradient = &self.gradient[plane * shape.output()..][..shape.output()];
            let map = plane * shape.input();
            if !self.of_maps.is_empty() {
                let into = &mut self.of_maps[map..][..shape.input()];
                spread(shape, &self.filters[filter..][..taps], gradient, into);
            }
            if !self.of_filters.is_empty() {
                gather(shape, &self.maps[map..][..shape.input()], gradient, &mut self.of_filters[filter..][..taps]);
            }
        }
    }
}

/// Adds the gradient of a map.
#[inline(always)]
fn spread(shape: &Depthwise, filter: &[f32], gradient: &[f32], of_map: &mut [f32]) {
    shape.rows(|from, into, span, tap| {
        let (count, weight) = (span.end - span.first, filter[tap]);
        let gradient = &gradient[from + span.first..][..count];
        if shape.stride == 1 {
            for (into, value) in of_map[into + span.start..][..count].iter_mut().zip(gradient) {
                *into += weight * value;
            }
        } else {
            for (into, value) in of_map[into + span.start..].iter_mut().step_by(shape.stride).zip(gradient) {
                *into += weight * value;
            }
        }
    });
}

/// Adds the gradient of a filter.
#[inline(always)]
fn gather(shape: &Depthwise, map: &[f32], gradient: &[f32], of_filter: &mut [f32]) {
    shape.rows(|from, into, span, tap| {
        let gradient = &gradient[from + span.first..][..span.end - span.first];
        let map = &map[into + span.start..];
        of_filter[tap] += if shape.stride == 1 {
            dot(gradient, map)
        } else {
            gradient.iter().zip(map.iter().step_by(shape.stride)).map(|(a, b)| a * b).sum()
        };
    });
}

/// The inner product, in a fixed number of partial sums.
#[inline(always)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0; super::LANES];
    let (chunks, rest) = left.as_chunks::<{ super::LANES }>();
    let (others, _) = right[..left.len()].as_chunks::<{ super::LANES }>();
    for (chunk, other) in chunks.iter().zip(others) {
        for lane in 0..super::LANES {
            sums[lane] += chunk[lane] * other[lane];
        }
    }
    let tail = &right[left.len() - rest.len()..];
    for (lane, (a, b)) in rest.iter().zip(tail).enumerate() {
        sums[lane] += a * b;
    }
    sums.iter().sum()
}
