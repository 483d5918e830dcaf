//! A depthwise convolution of stride 1. Each map stands in a frame of zeros, so that what a tap reads for all results is
//! one piece of memory, however narrow the map; a few results at a time stay in registers while all taps are added.
//!
//! ```text
//! 0 0 0 0 0
//! 0 a b c 0      results in rows of the same pitch:  r s t · ·
//! 0 d e f 0                                          u v w · ·     what stands at a dot belongs to no place
//! 0 0 0 0 0
//! ```

use zoologist::base::vectorised;

use super::LANES;

/// Results that are summed at once.
const BLOCK: usize = 2 * LANES;

/// Maps in their frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Framed {
    /// Height and width of a map.
    pub size: [usize; 2],
    /// Zeros before the first row, and before the first column.
    pub before: [usize; 2],
    /// Height and width of the result.
    pub out: [usize; 2],
    /// Edge of a filter.
    pub kernel: usize,
    /// Steps between the taps of a filter.
    pub dilation: usize,
}

impl Framed {
    /// Places that a filter reaches beyond its first one, along an axis.
    fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation
    }

    /// From a row to the next one.
    fn pitch(&self) -> usize {
        self.out[1] + self.reach()
    }

    /// Numbers from the first result to the last, filled up to whole blocks.
    fn results(&self) -> usize {
        ((self.out[0] - 1) * self.pitch() + self.out[1]).next_multiple_of(BLOCK)
    }

    /// A frame without its map. Blocks beyond the last result read beyond the last row.
    fn empty(&self) -> Vec<f32> {
        vec![0.0; (self.out[0] + self.reach()) * self.pitch() + BLOCK]
    }

    /// Where the taps read for the first result.
    fn offsets(&self) -> Vec<usize> {
        let taps = 0..self.kernel * self.kernel;
        taps.map(|tap| (tap / self.kernel * self.pitch() + tap % self.kernel) * self.dilation).collect()
    }

    /// The frame of the way back: gradients of the results in, those of the maps out, the taps the other way round.
    fn reversed(self) -> Self {
        let before = self.before.map(|before| self.reach() - before);
        Self { size: self.out, out: self.size, before, ..self }
    }

    /// Puts a map into its frame.
    #[inline(always)]
    fn place(&self, map: &[f32], frame: &mut [f32]) {
        let first = &mut frame[self.before[0] * self.pitch() + self.before[1]..];
        rows_from(map, self.size[1], first, self.pitch());
    }

    /// The results of every map with the filter of its channel: planes × height × width.
    pub fn correlated(&self, maps: &[f32], filters: &[f32], backwards: bool) -> Vec<f32> {
        let (taps, mut offsets) = (self.kernel * self.kernel, self.offsets());
        if backwards {
            offsets.reverse();
        }
        let (mut frame, mut sums) = (self.empty(), vec![0.0; self.results()]);
        let [height, width] = self.out;
        let planes = maps.len() / (self.size[0] * self.size[1]);
        let mut found = vec![0.0; planes * height * width];
        vectorised(
            #[inline(always)]
            || {
                let planes = maps.chunks_exact(self.size[0] * self.size[1]).zip(found.chunks_exact_mut(height * width));
                for ((map, result), filter) in planes.zip(filters.chunks_exact(taps).cycle()) {
                    self.place(map, &mut frame);
                    correlate(&frame, &offsets, filter, &mut sums);
                    for (row, sums) in result.chunks_exact_mut(width).zip(sums.chunks(self.pitch())) {
                        row.copy_from_slice(&sums[..width]);
                    }
                }
            },
        );
        found
    }

    /// The gradient of the maps, from that of the results.
    pub fn of_maps(self, gradient: &[f32], filters: &[f32]) -> Vec<f32> {
        self.reversed().correlated(gradient, filters, true)
    }

    /// The gradient of the filters, from that of the results.
    pub fn of_filters(&self, maps: &[f32], gradient: &[f32], channels: usize) -> Vec<f32> {
        let (taps, offsets) = (self.kernel * self.kernel, self.offsets());
        let mut found = vec![0.0; channels * taps];
        let (mut frame, mut spread) = (self.empty(), vec![0.0; self.results()]);
        let [height, width] = self.out;
        vectorised(
            #[inline(always)]
            || {
                let planes = maps.chunks_exact(self.size[0] * self.size[1]).zip(gradient.chunks_exact(height * width));
                for (plane, (map, gradient)) in planes.enumerate() {
                    self.place(map, &mut frame);
                    // Zeros stay between the rows: what belongs to no place has no gradient.
                    rows_from(gradient, width, &mut spread, self.pitch());
                    let filter = &mut found[plane % channels * taps..][..taps];
                    for (into, &offset) in filter.iter_mut().zip(&offsets) {
                        *into += inner(&spread, &frame[offset..]);
                    }
                }
            },
        );
        found
    }
}

/// Copies rows to places that stand further apart.
#[inline(always)]
fn rows_from(values: &[f32], width: usize, into: &mut [f32], pitch: usize) {
    for (row, into) in values.chunks_exact(width).zip(into.chunks_mut(pitch)) {
        into[..width].copy_from_slice(row);
    }
}

/// Σ over the taps, for every result.
#[inline(always)]
fn correlate(frame: &[f32], offsets: &[usize], filter: &[f32], results: &mut [f32]) {
    for (block, into) in results.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let from = &frame[block * BLOCK..];
        let mut sums = [0.0; BLOCK];
        for (&offset, &weight) in offsets.iter().zip(filter) {
            let read = &from[offset..][..BLOCK];
            for lane in 0..BLOCK {
                sums[lane] = read[lane].mul_add(weight, sums[lane]);
            }
        }
        *into = sums;
    }
}

/// The inner product of whole blocks, in a fixed number of partial sums.
#[inline(always)]
fn inner(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0; BLOCK];
    for (left, right) in left.as_chunks::<BLOCK>().0.iter().zip(right.as_chunks::<BLOCK>().0) {
        for lane in 0..BLOCK {
            sums[lane] = left[lane].mul_add(right[lane], sums[lane]);
        }
    }
    sums.iter().sum()
}
