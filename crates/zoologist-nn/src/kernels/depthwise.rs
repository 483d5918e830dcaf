//! Convolution of each channel by a filter of its own. With stride 1 maps stand in a frame of zeros ([`Framed`]); else a
//! filter's taps are taken one after the other, each over whole rows.

use pulp::{Arch, Simd, WithSimd};

use super::framed::Framed;
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

    /// The frame of the maps, where one will do.
    fn framed(&self) -> Option<Framed> {
        let Self { size, before, out, kernel, dilation, stride, .. } = *self;
        let reach = (kernel - 1) * dilation;
        let fits = |axis: usize| before[axis] <= reach && (1..=size[axis] + before[axis]).contains(&out[axis]);
        let framed = Framed { size, before, out, kernel, dilation };
        (stride == 1 && fits(0) && fits(1)).then_some(framed)
    }

    /// The way that knows every stride.
    fn by_rows(&self, maps: &[f32], filters: &[f32]) -> Vec<f32> {
        let mut result = vec![0.0; self.planes * self.output()];
        Arch::new().dispatch(Forward { shape: self, maps, filters, result: &mut result });
        result
    }

    /// The gradients; those that are not wanted are empty.
    fn back_by_rows(&self, [maps, filters]: [&[f32]; 2], gradient: &[f32], wanted: [bool; 2]) -> [Vec<f32>; 2] {
        let zeros = |of: &[f32], wanted: bool| if wanted { vec![0.0; of.len()] } else { vec![] };
        let (mut of_maps, mut of_filters) = (zeros(maps, wanted[0]), zeros(filters, wanted[1]));
        let pass =
            Backward { shape: self, maps, filters, gradient, of_maps: &mut of_maps, of_filters: &mut of_filters };
        Arch::new().dispatch(pass);
        [of_maps, of_filters]
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
        match self.framed() {
            Some(framed) => framed.correlated(maps, filters, false),
            None => self.by_rows(maps, filters),
        }
    }

    fn backward(&self, inputs: [&[f32]; 2], _: &[f32], gradient: &[f32], wanted: [bool; 2]) -> [Vec<f32>; 2] {
        let ([maps, filters], [of_maps, of_filters]) = (inputs, wanted);
        let Some(framed) = self.framed() else { return self.back_by_rows(inputs, gradient, wanted) };
        [
            if of_maps { framed.of_maps(gradient, filters) } else { vec![] },
            if of_filters { framed.of_filters(maps, gradient, self.channels) } else { vec![] },
        ]
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

#[cfg(test)]
mod tests {
    use zoologist::base::Seed;

    use super::*;

    #[test]
    fn maps_in_frames_give_what_rows_give() {
        let mut stream = Seed(1).stream("depthwise", "frames");
        let mut numbers = |count: usize| (0..count).map(|_| stream.unit() as f32 - 0.5).collect::<Vec<f32>>();
        let near = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        for (size, kernel, dilation, before, after) in [
            ([7, 7], 3, 1, [1, 1], [1, 1]),
            ([28, 5], 5, 1, [2, 2], [2, 2]),
            ([4, 9], 3, 2, [2, 2], [2, 2]),
            ([1, 1], 5, 1, [2, 2], [2, 2]),
            ([6, 8], 3, 1, [0, 2], [1, 0]),
            ([3, 3], 1, 1, [0, 0], [0, 0]),
            ([33, 40], 3, 1, [0, 0], [0, 0]),
        ] {
            let reach = (kernel - 1) * dilation;
            let out = [0, 1].map(|axis| size[axis] + before[axis] + after[axis] - reach);
            let shape = Depthwise { planes: 6, channels: 3, size, kernel, stride: 1, dilation, before, out };
            assert!(shape.framed().is_some());
            let (maps, filters) = (numbers(6 * size[0] * size[1]), numbers(3 * kernel * kernel));
            assert!(near(&shape.forward([&maps, &filters]), &shape.by_rows(&maps, &filters)), "{shape:?}");
            let gradient = numbers(6 * out[0] * out[1]);
            let found = shape.backward([&maps, &filters], &[], &gradient, [true; 2]);
            let expected = shape.back_by_rows([&maps, &filters], &gradient, [true; 2]);
            assert!(near(&found[0], &expected[0]) && near(&found[1], &expected[1]), "{shape:?}");
        }
    }
}
