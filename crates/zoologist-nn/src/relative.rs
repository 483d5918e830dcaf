//! MPNet's buckets of relative positions, those of T5 (Raffel et al., arXiv:1910.10683, section 2.1).
//!
//! Half of the buckets are for keys before the query, half for those after it; of each half the first half hold one
//! distance each, the others distances that grow by equal factors up to [`FURTHEST`].

/// All distances from here on share the last bucket.
const FURTHEST: f64 = 128.0;

/// The bucket of a key that stands `distance` tokens after the query. `buckets` is a multiple of 4.
pub fn bucket(distance: isize, buckets: usize) -> usize {
    let half = buckets / 2;
    let side = if distance > 0 { half } else { 0 };
    let (near, distance) = (half / 2, distance.unsigned_abs());
    if distance < near {
        return side + distance;
    }
    let share = (distance as f64 / near as f64).ln() / (FURTHEST / near as f64).ln();
    side + near + ((share * near as f64) as usize).min(half - near - 1)
}

/// The buckets of all pairs of a sequence by distance: entry `length - 1 + distance`.
pub fn by_distance(length: usize, buckets: usize) -> Vec<usize> {
    let furthest = length.cast_signed() - 1;
    (-furthest..=furthest).map(|distance| bucket(distance, buckets)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_published_code() {
        // transformers' MPNetEncoder.relative_position_bucket, evaluated in PyTorch.
        let expected = [
            (0, 0),
            (-1, 1),
            (1, 17),
            (-7, 7),
            (7, 23),
            (-8, 8),
            (8, 24),
            (-11, 8),
            (-12, 9),
            (-15, 9),
            (-16, 10),
            (-22, 10),
            (-23, 11),
            (-31, 11),
            (-32, 12),
            (-45, 12),
            (-46, 13),
            (-63, 13),
            (-64, 14),
            (-90, 14),
            (-91, 15),
            (-500, 15),
            (64, 30),
            (127, 31),
            (500, 31),
        ];
        for (distance, wanted) in expected {
            assert_eq!(bucket(distance, 32), wanted, "distance {distance}");
        }
    }

    #[test]
    fn few_buckets_stay_in_range() {
        for buckets in [4, 8, 256, 1024] {
            assert!((-600..600).all(|distance| bucket(distance, buckets) < buckets), "{buckets} buckets");
        }
    }
}
