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
            "The output of `sim mutants --matrix`, swept at {}. Each\nmutant is swept with each \
             policy on each profile of the disk: the runs of its header, in its\nscenario, but not \
             more than a thousand. A rate is the share of runs, in percent, in which a\nchecker \
             fired that should; the best of a row is bold.\n",
            cells.commits(names).join(", ")
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
