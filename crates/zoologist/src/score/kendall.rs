//! The weighted Kendall correlation: do two orders agree, above all at the top?
//!
//! Each pair of items counts 1/(rank of one) + 1/(rank of the other), ranks by descending value. Source: Vigna (2015),
//! additive hyperbolic weights, the mean of ranking by either side: what `scipy.stats.weightedtau` computes.

/// The correlation of two lists of finite numbers, -1 to 1; `None` where one of them does not vary.
///
/// ```
/// use zoologist::score::kendall::weighted;
/// let found = weighted(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]).unwrap();
/// assert!((found - -0.566_949_681_536_827_2).abs() < 1e-15);
/// ```
pub fn weighted(x: &[f64], y: &[f64]) -> Option<f64> {
    Some(f64::midpoint(ranked_by_first(x, y)?, ranked_by_first(y, x)?))
}

fn ranked_by_first(p: &[f64], q: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]).then(q[b].total_cmp(&q[a])).then(b.cmp(&a)));
    let (mut agreement, mut varies_p, mut varies_q) = (0.0, 0.0, 0.0);
    for (first, &a) in order.iter().enumerate() {
        for (second, &b) in order.iter().enumerate().skip(first + 1) {
            let weight = 1.0 / (first as f64 + 1.0) + 1.0 / (second as f64 + 1.0);
            let (sign_p, sign_q) = (sign(p[a], p[b]), sign(q[a], q[b]));
            agreement += weight * sign_p * sign_q;
            varies_p += weight * sign_p.abs();
            varies_q += weight * sign_q.abs();
        }
    }
    let scale = (varies_p * varies_q).sqrt();
    (scale > 0.0).then(|| agreement / scale)
}

fn sign(a: f64, b: f64) -> f64 {
    f64::from(i8::from(a > b) - i8::from(a < b))
}
