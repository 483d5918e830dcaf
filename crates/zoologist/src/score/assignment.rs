//! The assignment of rows to columns with the largest sum of weights.
//!
//! The Hungarian method (Kuhn 1955) in the form of shortest augmenting paths (Jonker & Volgenant 1987). Rows enter one
//! by one. Each takes the cheapest path to a free column, where other rows may move over to another column. Prices of
//! rows and columns keep all reduced costs at 0 or above, so every path is found as in Dijkstra's algorithm. It takes
//! k^3 time and k memory for k rows and columns.

/// An entry of the diagonal counts this part of the largest weight more, so that ties keep a row at its own place. It
/// is far above rounding and far below any difference of counts or shares.
const TIE: f64 = 1e-10;

/// The column of each row in the assignment with the largest sum of weights.
///
/// `weights` are k x k finite numbers, row after row. Among assignments of equal sum, up to k parts in 10^10 of the
/// largest absolute weight, one wins that leaves the most rows at the column of their own number; further ties depend
/// on the order of rows alone.
///
/// ```
/// use zoologist::score::assignment::best;
/// assert_eq!(best(&[0.1, 0.9, 0.0, 0.8, 0.1, 0.0, 0.0, 0.0, 0.0], 3), [1, 0, 2]);
/// ```
pub fn best(weights: &[f64], k: usize) -> Vec<usize> {
    let bonus = TIE * weights.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
    let cost = |row: usize, column: usize| -weights[row * k + column] - if row == column { bonus } else { 0.0 };
    let mut matching = Matching { row_of: vec![None; k], row_prices: vec![0.0; k], column_prices: vec![0.0; k] };
    (0..k).for_each(|row| matching.add(row, &cost));
    let mut columns = vec![0; k];
    for (column, row) in matching.row_of.iter().enumerate() {
        row.iter().for_each(|&row| columns[row] = column);
    }
    columns
}

/// An assignment of the rows so far that is the cheapest for them.
struct Matching {
    /// The row of each column that is taken.
    row_of: Vec<Option<usize>>,
    row_prices: Vec<f64>,
    column_prices: Vec<f64>,
}

/// The cheapest known path from the new row to a column.
#[derive(Clone, Copy)]
struct Path {
    length: f64,
    /// The column before, or `None` where the path comes straight from the new row.
    before: Option<usize>,
    /// Whether no shorter path can be found any more.
    is_final: bool,
}

impl Matching {
    /// Brings in one more row.
    fn add(&mut self, row: usize, cost: &impl Fn(usize, usize) -> f64) {
        let mut paths = vec![Path { length: f64::INFINITY, before: None, is_final: false }; self.row_of.len()];
        let (mut from, mut before, mut length) = (row, None, 0.0);
        let free = loop {
            self.extend(&mut paths, (from, before, length), cost);
            let Some(column) = nearest(&paths) else { return };
            paths[column].is_final = true;
            length = paths[column].length;
            let Some(taken_by) = self.row_of[column] else { break column };
            (from, before) = (taken_by, Some(column));
        };
        self.reprice(row, &paths, length);
        self.shift(row, &paths, free);
    }

    /// Takes in the edges of a row that is reached by its column over a path of this length.
    fn extend(
        &self,
        paths: &mut [Path],
        (row, before, length): (usize, Option<usize>, f64),
        cost: &impl Fn(usize, usize) -> f64,
    ) {
        for (column, path) in paths.iter_mut().enumerate().filter(|(_, path)| !path.is_final) {
            let reduced = cost(row, column) - self.row_prices[row] - self.column_prices[column];
            if length + reduced < path.length {
                *path = Path { length: length + reduced, before, is_final: false };
            }
        }
    }

    /// Keeps reduced costs at 0 or above, and at 0 along the path that was found.
    fn reprice(&mut self, row: usize, paths: &[Path], length: f64) {
        self.row_prices[row] += length;
        for (column, path) in paths.iter().enumerate().filter(|(_, path)| path.is_final) {
            self.column_prices[column] += path.length - length;
            if let Some(row) = self.row_of[column] {
                self.row_prices[row] += length - path.length;
            }
        }
    }

    /// Moves every row on the path one column on.
    fn shift(&mut self, row: usize, paths: &[Path], free: usize) {
        let mut column = free;
        while let Some(before) = paths[column].before {
            self.row_of[column] = self.row_of[before];
            column = before;
        }
        self.row_of[column] = Some(row);
    }
}

/// The column of the shortest path that is not final, the first of several.
fn nearest(paths: &[Path]) -> Option<usize> {
    let open = paths.iter().enumerate().filter(|(_, path)| !path.is_final);
    open.min_by(|(_, one), (_, other)| one.length.total_cmp(&other.length)).map(|(column, _)| column)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order of the numbers below k.
    fn orders(k: usize) -> Vec<Vec<usize>> {
        let mut found = vec![vec![]];
        for _ in 0..k {
            let longer = |order: &Vec<usize>| {
                let rest = (0..k).filter(|column| !order.contains(column));
                rest.map(|column| [&order[..], &[column]].concat()).collect::<Vec<_>>()
            };
            found = found.iter().flat_map(longer).collect();
        }
        found
    }

    fn sum(weights: &[f64], columns: &[usize]) -> f64 {
        columns.iter().enumerate().map(|(row, column)| weights[row * columns.len() + column]).sum()
    }

    fn stays(columns: &[usize]) -> usize {
        columns.iter().enumerate().filter(|(row, column)| row == *column).count()
    }

    /// Whole numbers from -levels/2, from a linear congruential generator.
    fn drawn(state: &mut u64, levels: u64, count: usize) -> Vec<f64> {
        let mut draw = || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) % levels
        };
        (0..count).map(|_| draw() as f64 - (levels / 2) as f64).collect()
    }

    #[test]
    fn no_other_assignment_is_heavier_or_as_heavy_and_nearer_to_the_identity() {
        let mut state = 7;
        for (k, levels) in (0..=6).flat_map(|k| [2, 4, 1 << 30].map(|levels| (k, levels))) {
            let orders = orders(k);
            for _ in 0..20 {
                let weights = drawn(&mut state, levels, k * k);
                let key = |columns: &[usize]| (sum(&weights, columns) as i64, stays(columns));
                let expected = orders.iter().map(|order| key(order)).max().unwrap();
                assert_eq!(key(&best(&weights, k)), expected, "{weights:?}");
            }
        }
    }

    #[test]
    fn a_hidden_order_of_many_classes_is_found() {
        let k = 150;
        let hidden = |row: usize| (row * 7 + 3) % k;
        let mut weights = drawn(&mut 1, 100, k * k);
        (0..k).for_each(|row| weights[row * k + hidden(row)] += 120.0);
        assert_eq!(best(&weights, k), (0..k).map(hidden).collect::<Vec<_>>());
    }

    #[test]
    fn equal_weights_give_the_identity() {
        assert_eq!(best(&[0.25; 100], 10), (0..10).collect::<Vec<_>>());
    }
}
