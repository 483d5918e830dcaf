//! Numbers by their order alone.

/// The place of each number among the distinct numbers, from the least, and how often each of these occurs.
pub(super) struct Places {
    /// One place per number, from 0; equal numbers have equal places.
    pub of: Vec<usize>,
    /// How many numbers have each place.
    pub counts: Vec<usize>,
}

impl Places {
    /// The places of finite numbers; 0 and -0 are equal.
    pub fn of(numbers: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..numbers.len()).collect();
        order.sort_by(|&a, &b| (numbers[a] + 0.0).total_cmp(&(numbers[b] + 0.0)));
        let (mut of, mut counts) = (vec![0; numbers.len()], Vec::new());
        for group in order.chunk_by(|&a, &b| (numbers[a] + 0.0).total_cmp(&(numbers[b] + 0.0)).is_eq()) {
            group.iter().for_each(|&item| of[item] = counts.len());
            counts.push(group.len());
        }
        Self { of, counts }
    }

    /// The rank of each number, from 1 for the least; equal numbers have the mean of theirs.
    pub fn ranks(&self) -> Vec<f64> {
        let mut below = 0;
        let mean = |&count: &usize| {
            below += count;
            (below - count) as f64 + (count + 1) as f64 / 2.0
        };
        let means: Vec<f64> = self.counts.iter().map(mean).collect();
        self.of.iter().map(|&place| means[place]).collect()
    }
}
