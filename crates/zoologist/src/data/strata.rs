//! Strata: which samples the seeded order spreads evenly, and the merge of their shuffled members into one order.
//!
//! Samples are kept as `u32`, all strata in one list, so that 10 million samples take 40 MB here.

use std::borrow::Cow;

use crate::base::{Classes, Columns, Seed, Targets};

/// Bins that a number to predict is cut into, to be stratified like a class.
const BINS: usize = 20;
/// A combination of labels that occurs this often or less is pooled with the other rare ones.
const RARE: usize = 2;
/// Labels whose combination is compared as one number; the others are compared one by one.
const PACKED: usize = 64;
/// Samples that are sorted together, about.
const PART: usize = 1 << 16;

/// The members of each stratum, by the name that its random stream has. Names stand in the order of their bytes.
pub(super) struct Strata<'t> {
    /// The name of each stratum and where its members end.
    ends: Vec<(Cow<'t, str>, usize)>,
    /// All samples, stratum after stratum.
    members: Vec<u32>,
}

/// The members of a stratum that are still to be placed.
struct Waiting {
    begin: usize,
    end: usize,
    placed: usize,
    offset: f64,
}

impl Waiting {
    /// Where the next member wants to stand, in [0, 1): positions compare like their bits.
    fn position(&self) -> Option<u64> {
        let n = self.end - self.begin;
        (self.placed < n).then(|| ((self.placed as f64 + self.offset) / n as f64).to_bits())
    }
}

impl<'t> Strata<'t> {
    /// The strata of these targets.
    ///
    /// # Panics
    /// If there are 2^32 samples or more.
    pub fn of(targets: &'t Targets) -> Self {
        assert!(u32::try_from(targets.len()).is_ok(), "fewer than 2^32 samples are supported");
        match targets {
            Targets::Classes(classes) => Self::of_classes(classes),
            Targets::Multilabel(columns) => Self::of_combinations(columns, targets.len()),
            Targets::Regression(columns) => Self::of_bins(columns, targets.len()),
        }
    }

    fn of_classes(classes: &'t Classes) -> Self {
        let (names, counts) = (classes.names(), classes.counts());
        let mut by_name: Vec<usize> = (0..names.len()).collect();
        by_name.sort_unstable_by_key(|&class| &names[class]);
        let (mut next, mut ends, mut end) = (vec![0; names.len()], Vec::with_capacity(names.len()), 0);
        for class in by_name {
            next[class] = end;
            end += counts[class];
            ends.push((Cow::Borrowed(names[class].as_str()), end));
        }
        let mut members = vec![0; end];
        for (sample, &class) in (0..).zip(classes.index()) {
            members[next[class as usize]] = sample;
            next[class as usize] += 1;
        }
        Self { ends, members }
    }

    fn of_combinations(columns: &Columns, rows: usize) -> Self {
        let packed = |row: u32| {
            let first = columns.row(row as usize).iter().take(PACKED);
            first.fold(0_u64, |bits, &set| bits << 1 | u64::from(set != 0.0))
        };
        let others = |row: u32| columns.row(row as usize).iter().skip(PACKED).map(|&set| set != 0.0);
        let mut sorted: Vec<(u64, u32)> = (0..rows as u32).map(|row| (packed(row), row)).collect();
        sorted.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| others(a.1).cmp(others(b.1))).then_with(|| a.1.cmp(&b.1))
        });
        let alike = |a: &(u64, u32), b: &(u64, u32)| a.0 == b.0 && others(a.1).eq(others(b.1));
        let (mut ends, mut members, mut rare) = (Vec::new(), Vec::with_capacity(rows), Vec::new());
        for combination in sorted.chunk_by(alike) {
            let rows = combination.iter().map(|&(_, row)| row);
            if combination.len() <= RARE {
                rare.extend(rows);
            } else {
                members.extend(rows);
                ends.push((Cow::Owned(spelled(columns, combination[0].1)), members.len()));
            }
        }
        if !rare.is_empty() {
            rare.sort_unstable();
            members.append(&mut rare);
            ends.push(("rare".into(), members.len()));
        }
        Self { ends, members }
    }

    fn of_bins(columns: &Columns, rows: usize) -> Self {
        let mut by_value: Vec<(f64, u32)> = (0..rows as u32).map(|row| (columns.row(row as usize)[0], row)).collect();
        by_value.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let end = |bin: usize| ((bin + 1) * rows).div_ceil(BINS);
        Self {
            ends: (0..BINS).map(|bin| (format!("{bin:02}").into(), end(bin))).collect(),
            members: by_value.into_iter().map(|(_, row)| row).collect(),
        }
        .with(|_| true)
    }

    /// The strata with those samples alone that `keep` chooses; strata without samples are dropped.
    #[must_use]
    pub fn with(self, mut keep: impl FnMut(u32) -> bool) -> Self {
        let Self { ends, mut members } = self;
        let (mut begin, mut kept) = (0, 0);
        let mut left = Vec::with_capacity(ends.len());
        for (name, end) in ends {
            let before = kept;
            for place in begin..end {
                if keep(members[place]) {
                    members[kept] = members[place];
                    kept += 1;
                }
            }
            begin = end;
            if kept > before {
                left.push((name, kept));
            }
        }
        members.truncate(kept);
        Self { ends: left, members }
    }

    /// Calls `take` with every sample in the stratified order. Samples whose positions are in the same small part of
    /// [0, 1) are sorted together, so that neither all positions nor a heap of all strata are kept.
    pub fn in_order(mut self, seed: Seed, mut take: impl FnMut(u32)) {
        let mut strata = self.shuffled(seed);
        let parts = self.members.len() / PART + 1;
        let mut near: Vec<(u64, u32, u32)> = Vec::new();
        for part in 1..=parts {
            let end = if part == parts { u64::MAX } else { (part as f64 / parts as f64).to_bits() };
            for (place, waiting) in (0..).zip(&mut strata) {
                while let Some(position) = waiting.position().filter(|&position| position < end) {
                    near.push((position, place, self.members[waiting.begin + waiting.placed]));
                    waiting.placed += 1;
                }
            }
            near.sort_unstable();
            near.drain(..).for_each(|(_, _, sample)| take(sample));
        }
    }

    /// Puts the members of each stratum into random order.
    fn shuffled(&mut self, seed: Seed) -> Vec<Waiting> {
        let count = self.ends.len();
        let mut common = seed.stream("offsets", "");
        let mut places: Vec<usize> = (0..count).collect();
        common.shuffle(&mut places);
        let shift = common.unit();
        let mut begin = 0;
        let stratum = |((name, end), place): (&(Cow<'_, str>, usize), usize)| {
            let span = std::mem::replace(&mut begin, *end)..*end;
            seed.stream("order", name).shuffle(&mut self.members[span.clone()]);
            Waiting { begin: span.start, end: span.end, placed: 0, offset: (place as f64 + shift) / count as f64 }
        };
        self.ends.iter().zip(places).map(stratum).collect()
    }
}

fn spelled(columns: &Columns, row: u32) -> String {
    columns.row(row as usize).iter().map(|&set| if set == 0.0 { '0' } else { '1' }).collect()
}
