//! The table of the record: what the last sweep of each mutant came to, as Markdown.

use std::fmt::Write;

use super::row::{Record, Row};
use crate::mutant::Mutant;

const HEAD: &str = "\
| mutant | hits/runs | 95 % of the rate | runs to the first | core s | found by | commit |
|---|--:|--:|--:|--:|---|---|
";

/// The table of `mutants` by `record`, in their order, and a line that sums it up.
pub(super) fn page(mutants: &[Mutant], record: &Record) -> String {
    let mut text = HEAD.to_owned();
    let mut rows = Vec::new();
    for mutant in mutants {
        match record.get(&mutant.name) {
            Some(row) => {
                write_row(&mut text, row);
                rows.push(row);
            }
            None => put(&mut text, format_args!("| {} | not on record |||||| |\n", mutant.name)),
        }
    }
    let found = rows.iter().filter(|row| row.is_found()).count();
    put(&mut text, format_args!("\n{found} of {} were found", mutants.len()));
    let mut runs: Vec<u64> = rows.iter().filter_map(|row| row.median_runs).collect();
    let mut seconds: Vec<f64> = rows.iter().filter_map(|row| row.median_seconds()).collect();
    runs.sort_unstable();
    seconds.sort_unstable_by(f64::total_cmp);
    if let (Some(runs), Some(seconds)) = (runs.get(runs.len() / 2), seconds.get(seconds.len() / 2))
    {
        put(&mut text, format_args!(", the median one in {runs} runs and {seconds:.2} s"));
    }
    text.push_str(".\n");
    text
}

fn write_row(text: &mut String, row: &Row) {
    let (low, high) = row.interval();
    let runs = row.median_runs.map_or_else(|| "-".to_owned(), |runs| runs.to_string());
    let seconds =
        row.median_seconds().map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}"));
    let by: Vec<String> =
        row.checkers.iter().map(|(name, hits)| format!("{name} {hits}")).collect();
    put(
        text,
        format_args!(
            "| {} | {}/{} | {:.2} to {:.2} | {runs} | {seconds} | {} | {} |\n",
            row.name,
            row.hits,
            row.runs,
            low * 100.0,
            high * 100.0,
            by.join(", "),
            row.commit
        ),
    );
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

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
