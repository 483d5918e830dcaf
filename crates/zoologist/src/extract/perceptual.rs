//! A perceptual hash of pictures: which of two sets are nearly the same?
//!
//! A picture becomes grey, is averaged down to 32 x 32, and goes through a discrete cosine transform (DCT-II). Of the
//! 8 x 8 lowest frequencies each gives one bit: whether it is above the median of all but the constant one. Resizing,
//! compressing and small changes of brightness leave nearly all bits; other pictures differ in about half of them.
//! After the DCT hash of Zauner (2010), "Implementation and benchmarking of perceptual image hash functions".

use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Width and height of the picture that is transformed.
const SIDE: usize = 32;

/// Frequencies per axis that give bits.
const KEPT: usize = 8;

/// A picture whose low frequencies together vary less, in grey levels of 0 to 255, is flat.
const LEAST_DEVIATION: f64 = 0.5;

/// A frequency must be so far above the median, in grey levels, that rounding cannot set its bit.
const ROUNDING: f64 = 1e-6;

/// The hash of a picture, three bytes (red, green, blue) per pixel, row after row from the top.
///
/// The lowest bit stands for the constant frequency and is never set; the next ones follow the columns' frequencies.
/// `None` for a flat picture, since all flat pictures would seem to be the same, and where there are not
/// 3 x width x height bytes.
pub fn hash(width: u32, height: u32, pixels: &[u8]) -> Option<u64> {
    let (width, height) = (width as usize, height as usize);
    let bytes = width.checked_mul(height)?.checked_mul(3)?;
    if bytes == 0 || bytes != pixels.len() {
        return None;
    }
    let frequencies = low_frequencies(&reduced(width, height, pixels));
    let varying = &frequencies[1..];
    let power = varying.iter().map(|amplitude| amplitude * amplitude).sum::<f64>();
    let median = median(varying.to_vec());
    let bit = |(place, &amplitude): (usize, &f64)| u64::from(amplitude > median + ROUNDING) << (place + 1);
    (power.sqrt() >= LEAST_DEVIATION).then(|| varying.iter().enumerate().map(bit).sum())
}

/// With how many that follow it a hash is compared among those that share a band.
pub const CROWD: usize = 256;

/// In how many bits two hashes differ: the Hamming distance, 0 to 64.
pub fn distance(one: u64, other: u64) -> u32 {
    (one ^ other).count_ones()
}

/// The pairs of places, the smaller first, whose hashes differ in `most` bits at the most, ascending.
///
/// The bits are cut into one band more than may differ, so one band at least is the same in both hashes of a pair. Only
/// hashes with a band in common are compared: for small `most` far fewer than all. In a crowd of more than [`CROWD`] each
/// is compared with as many that follow it and no more: of many pictures that look alike not every pair is wanted.
pub fn pairs_within(hashes: &[Option<u64>], most: u32) -> Vec<(usize, usize)> {
    let bands = most.min(u64::BITS) + 1;
    let mut pairs: Vec<(usize, usize)> =
        (0..bands).flat_map(|band| pairs_in_band(hashes, most, mask(band, bands))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// The pairs within the distance that have these bits in common.
fn pairs_in_band(hashes: &[Option<u64>], most: u32, mask: u64) -> Vec<(usize, usize)> {
    let mut alike: BTreeMap<u64, Vec<(usize, u64)>> = BTreeMap::new();
    for (place, hash) in present(hashes) {
        alike.entry(hash & mask).or_default().push((place, hash));
    }
    let near = |bucket: Vec<(usize, u64)>| -> Vec<(usize, usize)> {
        let after = |place: usize| bucket.iter().skip(place + 1).take(CROWD);
        let pairs = bucket.iter().enumerate().flat_map(|(place, one)| after(place).map(move |other| (*one, *other)));
        pairs.filter(|(one, other)| distance(one.1, other.1) <= most).map(|(one, other)| (one.0, other.0)).collect()
    };
    alike.into_values().flat_map(near).collect()
}

fn present(hashes: &[Option<u64>]) -> impl Iterator<Item = (usize, u64)> {
    hashes.iter().enumerate().filter_map(|(place, hash)| hash.map(|hash| (place, hash)))
}

/// The bits of one of several bands of nearly equal width. With 65 bands one of them has no bits.
fn mask(band: u32, bands: u32) -> u64 {
    let start = |band: u32| u64::BITS * band / bands;
    (start(band)..start(band + 1)).map(|bit| 1 << bit).sum()
}

/// The picture in grey levels, 32 x 32, each the mean over its part of the picture.
fn reduced(width: usize, height: usize, pixels: &[u8]) -> Vec<f64> {
    let (columns, rows) = (overlaps(width), overlaps(height));
    let mut cells = vec![0.0; SIDE * SIDE];
    for (row, shares) in pixels.chunks(3 * width).zip(&rows) {
        let mut line = [0.0; SIDE];
        for (pixel, shares) in row.chunks(3).zip(&columns) {
            let grey = grey(pixel);
            shares.iter().for_each(|&(cell, share)| line[cell] += share * grey);
        }
        for &(cell, share) in shares {
            cells[cell * SIDE..].iter_mut().zip(line).for_each(|(sum, grey)| *sum += share * grey);
        }
    }
    cells
}

/// For each of `length` pixels the cells that it falls into, with the share of the cell that it covers.
fn overlaps(length: usize) -> Vec<Vec<(usize, f64)>> {
    // In units of 1 / (32 length) of the side, where pixels and cells begin at whole numbers.
    let covered = |pixel: usize| {
        let (start, end) = (pixel * SIDE, (pixel + 1) * SIDE);
        let share = move |cell: usize| end.min((cell + 1) * length) - start.max(cell * length);
        (start / length..end.div_ceil(length)).map(move |cell| (cell, share(cell) as f64 / length as f64)).collect()
    };
    (0..length).map(covered).collect()
}

/// Luma of ITU-R BT.601.
fn grey(pixel: &[u8]) -> f64 {
    pixel.iter().zip([0.299, 0.587, 0.114]).map(|(&level, weight)| f64::from(level) * weight).sum()
}

/// The 8 x 8 lowest frequencies of 32 x 32 cells, the constant one first. They are scaled so that their squares add up
/// to the mean square of the cells, if there are no others.
fn low_frequencies(cells: &[f64]) -> Vec<f64> {
    let waves = waves();
    let along_row = |row: &[f64]| -> Vec<f64> { waves.iter().map(|wave| product(wave, row)).collect() };
    let lines: Vec<Vec<f64>> = cells.chunks(SIDE).map(along_row).collect();
    let amplitude = |row_wave: &[f64; SIDE], column: usize| {
        row_wave.iter().zip(&lines).map(|(weight, line)| weight * line[column]).sum()
    };
    waves.iter().flat_map(|wave| (0..KEPT).map(move |column| amplitude(wave, column))).collect()
}

/// The cosines of the transform, by the number of cells: mean squares stay as they are.
fn waves() -> [[f64; SIDE]; KEPT] {
    let side = SIDE as f64;
    std::array::from_fn(|frequency| {
        let scale = if frequency == 0 { 1.0 / side } else { 2.0_f64.sqrt() / side };
        std::array::from_fn(|cell| scale * (PI * frequency as f64 * (cell as f64 + 0.5) / side).cos())
    })
}

fn product(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// The middle one of an odd number of values.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A linear congruential generator.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }
    }

    /// A picture of coloured blobs at places that follow from the seed; the same at every size.
    fn picture(seed: u64, width: u32, height: u32) -> Vec<u8> {
        let mut random = Random(seed);
        let mut part = || random.below(1000) as f64 / 1000.0;
        let blobs: Vec<[f64; 6]> = (0..12).map(|_| std::array::from_fn(|_| part())).collect();
        let level = |x: f64, y: f64, channel: usize| {
            let near = |blob: &[f64; 6]| (-30.0 * ((x - blob[0]).powi(2) + (y - blob[1]).powi(2))).exp();
            blobs.iter().map(|blob| near(blob) * blob[2 + channel] * 255.0).sum::<f64>().min(255.0) as u8
        };
        let place = |step: u32, steps: u32| (f64::from(step) + 0.5) / f64::from(steps);
        let pixel = |y: u32, x: u32| [0, 1, 2].map(|channel| level(place(x, width), place(y, height), channel));
        (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(y, x)).collect::<Vec<_>>()).collect()
    }

    fn nearest(pixels: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
        let source = |x: u32, y: u32| 3 * (y * from.1 / to.1 * from.0 + x * from.0 / to.0) as usize;
        let places = (0..to.1).flat_map(|y| (0..to.0).map(move |x| (x, y)));
        places.flat_map(|(x, y)| pixels[source(x, y)..][..3].to_vec()).collect()
    }

    #[test]
    fn a_resized_or_noisy_picture_keeps_its_hash_nearly() {
        for seed in 0..20 {
            let pixels = picture(seed, 160, 120);
            let original = hash(160, 120, &pixels).unwrap();
            let resized = nearest(&pixels, (160, 120), (100, 90));
            let mut random = Random(seed + 100);
            let noisy: Vec<u8> = pixels.iter().map(|&level| level.saturating_add(random.below(9) as u8)).collect();
            assert!(distance(original, hash(100, 90, &resized).unwrap()) <= 4);
            assert!(distance(original, hash(160, 120, &noisy).unwrap()) <= 4);
            assert!(distance(original, hash(160, 120, &picture(seed + 1, 160, 120)).unwrap()) >= 12);
        }
    }

    #[test]
    fn flat_pictures_and_wrong_sizes_have_no_hash() {
        assert_eq!(hash(50, 40, &[200; 6000]), None);
        let pixels = picture(1, 50, 40);
        assert_eq!(hash(50, 41, &pixels), None);
        assert_eq!(hash(0, 0, &[]), None);
        assert!(hash(50, 40, &pixels).is_some());
    }

    #[test]
    fn cells_are_means_over_their_part_of_the_picture() {
        for length in [1, 7, 32, 33, 100] {
            let mut covered = [0.0; SIDE];
            overlaps(length).iter().flatten().for_each(|&(cell, share)| covered[cell] += share);
            assert!(covered.iter().all(|share: &f64| (share - 1.0).abs() < 1e-12));
        }
        let halves: Vec<u8> = [0, 0, 0, 255, 255, 255].repeat(5);
        let cells = reduced(2, 5, &halves);
        assert!(cells.chunks(SIDE).all(|row| row[..16] == [0.0; 16] && (row[16..].iter().all(|grey| *grey > 254.9))));
    }

    #[test]
    fn pairs_are_those_that_all_comparisons_find() {
        let mut random = Random(5);
        let mut flipped = |hash: u64, bits: u64| (0..bits).fold(hash, |hash, _| hash ^ 1 << random.below(64));
        let hashes: Vec<Option<u64>> = (0..40).map(|place| (place % 7 > 0).then(|| flipped(0, 40))).collect();
        let others = (0..200).map(|place| hashes[place % 40].map(|hash| flipped(hash, place as u64 % 9)));
        let hashes: Vec<Option<u64>> = hashes.iter().copied().chain(others.collect::<Vec<_>>()).collect();
        for most in [0, 1, 4, 10, 63, 64, u32::MAX] {
            let near = |(one, other): &(usize, usize)| {
                hashes[*one].zip(hashes[*other]).is_some_and(|(one, other)| distance(one, other) <= most)
            };
            let all = (0..240).flat_map(|one| (one + 1..240).map(move |other| (one, other)));
            assert_eq!(pairs_within(&hashes, most), all.filter(near).collect::<Vec<_>>(), "{most}");
        }
    }

    #[test]
    fn in_a_crowd_not_every_pair_is_made() {
        let pairs = pairs_within(&vec![Some(7); 2000], 4);
        assert_eq!(pairs.len(), (0..2000).map(|place: usize| CROWD.min(1999 - place)).sum::<usize>());
    }
}
