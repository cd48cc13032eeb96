//! The matrix as Markdown: rates by policy and by profile, and what they say of the portfolio.

use super::cells::{Cells, Tally};
use super::profiles;
use super::weights::{least, max_min};
use crate::policy::PolicyName;
use crate::report::counted;

/// A mutant with fewer hits in all says nothing about weights.
const HITS_MIN: u64 = 20;

/// The page for the mutants called `names`.
pub(super) fn page(names: &[&str], cells: &Cells) -> String {
    let policies: Vec<String> = PolicyName::EACH.iter().map(ToString::to_string).collect();
    let profiles: Vec<String> = profiles().map(|profile| profile.name.to_owned()).collect();
    let by_policy = |name: &str, policy: &str| cells.tally(name, |cell| cell.policy == policy);
    let by_profile = |name: &str, on: &str| cells.tally(name, |cell| cell.profile == on);
    [
        "# How often each policy finds each mutant\n".to_owned(),
        format!(
            "The output of `sim mutants --matrix`, swept at\n{}.\nEach mutant is swept with each \
             policy on two profiles of the disk, in its scenario, with {} runs\nat most. A rate is \
             the share of runs, in percent, in which a checker fired that should;\nthe best of a \
             row is bold.\n",
            cells.commits(names),
            cells.most_runs(names)
        ),
        "![The same, drawn](matrix.svg)\n".to_owned(),
        "## By policy\n".to_owned(),
        table(names, &policies, by_policy),
        "## The portfolio\n".to_owned(),
        portfolio(names, cells),
        "## By profile\n".to_owned(),
        table(names, &profiles, by_profile),
    ]
    .join("\n")
}

fn table(names: &[&str], columns: &[String], tally: impl Fn(&str, &str) -> Tally) -> String {
    let mut lines = vec![
        format!("| mutant | {} |", columns.join(" | ")),
        format!("|---|{}", "--:|".repeat(columns.len())),
    ];
    for name in names {
        let row: Vec<Tally> = columns.iter().map(|column| tally(name, column)).collect();
        let best = row.iter().map(|tally| tally.rate()).fold(0.0, f64::max);
        let shown = row.iter().map(|tally| match tally.rate() * 100.0 {
            _ if tally.runs == 0 => "-".to_owned(),
            rate if tally.hits > 0 && tally.rate() >= best => format!("**{rate:.2}**"),
            rate => format!("{rate:.2}"),
        });
        lines.push(format!("| `{name}` | {} |", shown.collect::<Vec<_>>().join(" | ")));
    }
    lines.join("\n") + "\n"
}

/// Runs that a seed takes: some policies count in a run of their own before.
fn cost(policy: &PolicyName) -> f64 {
    if policy.wants_profile() { 2.0 } else { 1.0 }
}

/// For each mutant that is found often enough: by policy, how often it is found in the time of
/// one run, as a share of the best one.
fn shares<'a>(names: &[&'a str], cells: &Cells) -> Vec<(&'a str, Vec<f64>)> {
    let mut shares = Vec::new();
    for name in names {
        let rates = PolicyName::EACH.map(|policy| {
            let by = policy.to_string();
            cells.tally(name, |cell| cell.policy == by).rate() / cost(&policy)
        });
        let best = rates.iter().copied().fold(0.0, f64::max);
        if cells.tally(name, |_| true).hits >= HITS_MIN {
            shares.push((*name, rates.iter().map(|rate| rate / best).collect()));
        }
    }
    shares
}

/// From shares of the seeds to shares of the time, by `factor`; or back, by its inverse.
fn convert(weights: &[f64], factor: impl Fn(&PolicyName) -> f64) -> Vec<f64> {
    let scaled = PolicyName::EACH.iter().zip(weights).map(|(policy, w)| w * factor(policy));
    let scaled: Vec<f64> = scaled.collect();
    let sum: f64 = scaled.iter().sum();
    scaled.into_iter().map(|w| w / sum).collect()
}

fn portfolio(names: &[&str], cells: &Cells) -> String {
    let shares = shares(names, cells);
    let rows: Vec<Vec<f64>> = shares.iter().map(|(_, row)| row.clone()).collect();
    let (time, guaranteed) = max_min(&rows);
    let total: u32 = PolicyName::PORTFOLIO.iter().map(|(_, weight)| weight).sum();
    let present = PolicyName::EACH.map(|policy| {
        let held = PolicyName::PORTFOLIO.iter().find(|(member, _)| *member == policy);
        held.map_or(0.0, |(_, weight)| f64::from(*weight) / f64::from(total))
    });
    let Some((worst, kept)) = least(&rows, &convert(&present, cost)) else {
        return "No mutant was found often enough to say anything about weights.\n".to_owned();
    };
    let best = convert(&time, |policy| 1.0 / cost(policy));
    let mut lines = vec![
        format!(
            "Of {} with at least {HITS_MIN} hits: a mixture of policies finds a mutant so often in \
             a given\ntime, compared with the one policy that finds it best. (A seed under `urw` \
             or `surw` takes the\ntime of two.) The best weights are those for which this share \
             is largest where it is smallest\n(max-min); they give every mutant at least {:.0} %. \
             Those of `portfolio` give every one\nat least {:.0} %; the worst is `{}`.\n",
            counted(rows.len(), "mutant"),
            guaranteed * 100.0,
            kept * 100.0,
            shares[worst].0
        ),
        "| policy | best share of seeds | share in `portfolio` | alone, the worst gets |"
            .to_owned(),
        "|---|--:|--:|--:|".to_owned(),
    ];
    for (index, policy) in PolicyName::EACH.iter().enumerate() {
        let alone = rows.iter().map(|row| row[index]).fold(1.0, f64::min);
        lines.push(format!(
            "| `{policy}` | {:.0} % | {:.0} % | {:.0} % |",
            best[index] * 100.0,
            present[index] * 100.0,
            alone * 100.0
        ));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::cells::Cell;
    use super::*;

    /// Hits of 100 runs of mutant `name`, by policy, the same on every profile.
    fn sweep(cells: &mut Cells, name: &str, hits: [u64; PolicyName::EACH.len()]) {
        for profile in profiles() {
            for (policy, hits) in PolicyName::EACH.iter().zip(hits) {
                cells.insert(Cell {
                    name: name.to_owned(),
                    policy: policy.to_string(),
                    profile: profile.name.to_owned(),
                    commit: "c0ffee".to_owned(),
                    runs: 100,
                    hits,
                });
            }
        }
    }

    #[test]
    fn the_page_has_the_rates_and_the_weights_that_they_call_for() {
        let mut cells = Cells::default();
        // One is found by `crash-adjacent` alone, one by `pct:2` alone, half as often; one hardly.
        sweep(&mut cells, "first", [0, 0, 0, 0, 20, 0, 0]);
        sweep(&mut cells, "second", [0, 10, 0, 0, 0, 0, 0]);
        sweep(&mut cells, "third", [0, 0, 1, 0, 0, 0, 0]);
        let page = page(&["first", "second", "third", "fourth"], &cells);
        for line in [
            "| `first` | 0.00 | 0.00 | 0.00 | 0.00 | **20.00** | 0.00 | 0.00 |",
            "| `third` | 0.00 | 0.00 | **1.00** | 0.00 | 0.00 | 0.00 | 0.00 |",
            "| `fourth` | - | - | - | - | - | - | - |",
            "| `pct:2` | 50 % | 34 % | 0 % |",
            "| `pct:3` | 0 % | 20 % | 0 % |",
            "| `crash-adjacent` | 50 % | 40 % | 0 % |",
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line} is not in\n{page}");
        }
        assert!(page.contains("swept at\nc0ffee"), "{page}");
        assert!(page.contains("with 100 runs\nat most"), "{page}");
        assert!(page.contains("Of 2 mutants with at least 20 hits"), "{page}");
        assert!(page.contains("at least 32 %; the worst is `second`"), "{page}");
    }

    #[test]
    fn a_seed_that_takes_two_runs_counts_half() {
        let mut cells = Cells::default();
        sweep(&mut cells, "only", [30, 0, 0, 0, 0, 60, 40]);
        let shares = shares(&["only"], &cells);
        let (random, urw, surw) = (shares[0].1[0], shares[0].1[5], shares[0].1[6]);
        assert!((random - 1.0).abs() < 1e-9 && (urw - 1.0).abs() < 1e-9, "{random} {urw}");
        assert!((surw - 2.0 / 3.0).abs() < 1e-9, "{surw}");
        let seeds = convert(&[0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0], |policy| 1.0 / cost(policy));
        assert!((seeds[0] - 2.0 / 3.0).abs() < 1e-9, "{seeds:?}");
    }
}
