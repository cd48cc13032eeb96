//! The weights of a portfolio: those for which the worst mutant is found best.

/// Rounds of the game; the value is then within about 0.005 of the best.
const ROUNDS: u32 = 200_000;

/// Weights of the columns, which add up to 1, for which the least row of `rows * weights` is as
/// large as can be; and that least value. Values are from 0 to 1.
///
/// A game for two: one picks a column, the other weighs rows, raising those in which the columns
/// picked so far did badly (multiplicative weights: Freund and Schapire, "Adaptive game playing
/// using multiplicative weights", 1999). The shares of the picks come to the best weights.
pub(super) fn max_min(rows: &[Vec<f64>]) -> (Vec<f64>, f64) {
    let columns = rows.first().map_or(0, Vec::len);
    let mut picked = vec![0u32; columns];
    // What the picks so far have found of each row.
    let mut found = vec![0.0; rows.len()];
    let step = (8.0 * (rows.len().max(2) as f64).ln() / f64::from(ROUNDS)).sqrt();
    for _ in 0..ROUNDS {
        let worst = found.iter().copied().fold(f64::INFINITY, f64::min);
        let weighed: Vec<f64> = found.iter().map(|f| (-step * (f - worst)).exp()).collect();
        let value = |column: usize| -> f64 {
            rows.iter().zip(&weighed).map(|(row, weight)| row[column] * weight).sum()
        };
        let Some(best) = (0..columns).max_by(|a, b| value(*a).total_cmp(&value(*b))) else {
            break;
        };
        picked[best] += 1;
        for (found, row) in found.iter_mut().zip(rows) {
            *found += row[best];
        }
    }
    let weights: Vec<f64> = picked.iter().map(|n| f64::from(*n) / f64::from(ROUNDS)).collect();
    let least = least(rows, &weights).map_or(0.0, |(_, value)| value);
    (weights, least)
}

/// The row that does worst with `weights`, and how well it does.
pub(super) fn least(rows: &[Vec<f64>], weights: &[f64]) -> Option<(usize, f64)> {
    let value = |row: &Vec<f64>| row.iter().zip(weights).map(|(a, w)| a * w).sum::<f64>();
    rows.iter().map(value).enumerate().min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_about(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 0.01
    }

    #[test]
    fn the_worst_row_gets_what_it_can() {
        // Each row is found by a column of its own: all get the same.
        let (weights, least) = max_min(&[vec![1.0, 0.0], vec![0.0, 1.0]]);
        assert!(is_about(weights[0], 0.5) && is_about(least, 0.5), "{weights:?} {least}");
        // 1 * w = 0.25 * (1 - w) where both rows do equally well.
        let (weights, least) = max_min(&[vec![1.0, 0.0], vec![0.0, 0.25]]);
        assert!(is_about(weights[0], 0.2) && is_about(least, 0.2), "{weights:?} {least}");
        // A column that is never better than another has no weight.
        let (weights, least) = max_min(&[vec![0.5, 1.0, 0.9], vec![0.1, 0.3, 0.8]]);
        assert!(is_about(weights[0], 0.0) && is_about(least, 0.8), "{weights:?} {least}");
    }

    #[test]
    fn what_nobody_finds_is_worth_nothing() {
        let (weights, least) = max_min(&[vec![0.0, 0.0], vec![1.0, 0.5]]);
        assert!(is_about(weights.iter().sum(), 1.0) && is_about(least, 0.0));
        assert_eq!(max_min(&[]), (vec![], 0.0));
    }

    #[test]
    fn the_least_row_is_the_one_that_does_worst() {
        let rows = [vec![1.0, 0.5], vec![0.2, 0.4], vec![0.9, 0.9]];
        let (row, value) = least(&rows, &[0.5, 0.5]).expect("there are rows");
        assert!(row == 1 && is_about(value, 0.3), "{row} {value}");
    }
}
