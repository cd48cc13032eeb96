//! The table of the record: what the last sweep of each mutant came to, as Markdown.

use super::quiet::Quiet;
use super::row::{Record, Row};
use crate::mutant::Mutant;

/// The table of `mutants` by `record`, in their order, and a line that sums it up.
pub(super) fn page(mutants: &[Mutant], record: &Record) -> String {
    let mut lines = vec![
        "| mutant | hits/runs | 95 % of the rate | runs to the first | core s | quiet | found by | \
         commit |"
            .to_owned(),
        "|---|--:|--:|--:|--:|--:|---|---|".to_owned(),
    ];
    let rows: Vec<Option<&Row>> = mutants.iter().map(|mutant| record.get(&mutant.name)).collect();
    for (mutant, row) in mutants.iter().zip(&rows) {
        lines.push(match row {
            Some(row) => cells(row),
            None => format!("| {} | not on record ||||||| |", mutant.name),
        });
    }
    let found = rows.iter().flatten().filter(|row| row.is_found()).count();
    let runs = rows.iter().map(|row| row.and_then(|row| row.median_runs).map(|runs| runs as f64));
    let seconds = rows.iter().map(|row| row.and_then(Row::median_seconds));
    let median = match (middle(runs), middle(seconds)) {
        (Some(runs), Some(seconds)) => {
            format!(", the median one in {runs:.0} runs and {seconds:.2} s")
        }
        _ => String::new(),
    };
    lines.push(format!("\n{found} of {} were found{median}.", mutants.len()));
    let quiet: Vec<Quiet> = rows.iter().flatten().filter_map(|row| row.quiet).collect();
    let shown = quiet.iter().filter(|quiet| quiet.hits > 0).count();
    lines.push(format!("{shown} of {} show in quiet runs.\n", quiet.len()));
    lines.join("\n")
}

fn cells(row: &Row) -> String {
    let (low, high) = row.interval();
    let runs = row.median_runs.map_or_else(|| "-".to_owned(), |runs| runs.to_string());
    let seconds = row.median_seconds();
    let seconds = seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"));
    let quiet =
        row.quiet.map_or_else(|| "-".to_owned(), |Quiet { hits, runs }| format!("{hits}/{runs}"));
    format!(
        "| {} | {}/{} | {:.2} to {:.2} | {runs} | {seconds} | {quiet} | {} | {} |",
        row.name,
        row.hits,
        row.runs,
        low * 100.0,
        high * 100.0,
        row.found_by(),
        row.commit
    )
}

/// The median; a value that is not known counts as longer than any that is. `None` if that is it.
fn middle(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.map(|value| value.unwrap_or(f64::INFINITY)).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().filter(|median| median.is_finite())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_not_known_takes_longest() {
        let of = |values: &[Option<f64>]| middle(values.iter().copied());
        assert_eq!(of(&[None, Some(3.0), Some(1.0)]), Some(3.0));
        assert_eq!(of(&[None, None, Some(1.0)]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads a file of the repository")]
    fn the_table_of_the_readme_is_what_the_record_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let dir = root.join("corpus/mutants");
        let record = Record::load(&dir.join("record.jsonl")).expect("reads");
        let mutants = Mutant::all(&dir).expect("reads");
        let readme = std::fs::read_to_string(root.join("README.md")).expect("reads");
        let table = page(&mutants, &record);
        assert!(
            readme.contains(&table),
            "put the output of `sim mutants --recorded` into README.md"
        );
    }
}
