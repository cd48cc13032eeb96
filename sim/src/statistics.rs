//! Rates of rare events: how sure one is, and whether two differ.

use statrs::distribution::{Beta, ContinuousCDF as _, DiscreteCDF as _, Hypergeometric};

/// The 95 % interval of Clopper and Pearson for the rate behind `hits` of `runs`.
pub(crate) fn interval(hits: u64, runs: u64) -> (f64, f64) {
    let (h, n) = (hits as f64, runs as f64);
    let quantile = |a: f64, b: f64, at: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(at));
    let low = if hits == 0 { Ok(0.0) } else { quantile(h, n - h + 1.0, 0.025) };
    let high = if hits == runs { Ok(1.0) } else { quantile(h + 1.0, n - h, 0.975) };
    // Without a run anything is possible.
    (low.unwrap_or(0.0), high.unwrap_or(1.0))
}

/// Fisher's exact test, one-sided: how likely at most `now.0` hits of `now.1` runs were, if `now`
/// and `before` had the same rate.
pub(crate) fn p_of_so_few(now: (u64, u64), before: (u64, u64)) -> f64 {
    let all = Hypergeometric::new(now.1 + before.1, now.0 + before.0, now.1);
    all.map_or(1.0, |all| all.cdf(now.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To four places, from published tables.
    #[test]
    fn intervals_are_those_of_the_tables() {
        for (hits, runs, low, high) in [
            (0, 10, 0.0, 0.3085),
            (1, 10, 0.0025, 0.4450),
            (5, 10, 0.1871, 0.8129),
            (10, 10, 0.6915, 1.0),
            (10, 100, 0.0490, 0.1762),
            (0, 0, 0.0, 1.0),
        ] {
            let (l, h) = interval(hits, runs);
            assert!((l - low).abs() < 6e-5 && (h - high).abs() < 6e-5, "{hits}/{runs}: {l} to {h}");
        }
    }

    #[test]
    fn a_weaker_detector_is_told_from_chance() {
        // The lady tasting tea: at most 1 of 4 where 3 of 4 were met.
        assert!((p_of_so_few((1, 4), (3, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!(p_of_so_few((100, 600), (300, 600)) < 1e-9);
        assert!(p_of_so_few((290, 600), (300, 600)) > 0.2);
        assert!(p_of_so_few((0, 600), (0, 600)) > 0.99);
        assert!(p_of_so_few((0, 0), (3, 4)) > 0.99);
    }
}
