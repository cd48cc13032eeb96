//! The matrix as a picture: a field for each mutant, policy and profile, the darker the oftener.

use super::cells::Cells;
use super::profiles;
use crate::policy::PolicyName;

/// Sizes in pixels: of a field, of the column of names, of the head.
const FIELD: usize = 14;
const NAMES: usize = 290;
const HEAD: usize = 112;

/// An SVG image. A field is the darker, the closer its rate comes to the best of its mutant; one
/// without a hit is empty, one that was not swept is missing.
pub(super) fn plot(names: &[&str], cells: &Cells) -> String {
    let columns: Vec<(PolicyName, &str)> = profiles()
        .flat_map(|profile| PolicyName::EACH.map(|policy| (policy, profile.name)))
        .collect();
    let gap = |column: usize| column / PolicyName::EACH.len() * FIELD / 2;
    let left = |column: usize| NAMES + column * FIELD + gap(column);
    let (width, height) = (left(columns.len()) + FIELD, HEAD + names.len() * FIELD + FIELD);
    let mut lines = vec![
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             font-family=\"monospace\" font-size=\"10\">"
        ),
        format!("<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"),
    ];
    for (column, (policy, profile)) in columns.iter().enumerate() {
        let x = left(column) + FIELD - 4;
        let (y, from) = (HEAD - 6, HEAD - 100);
        lines.push(format!("<text transform=\"translate({x},{y}) rotate(-90)\">{policy}</text>"));
        if column % PolicyName::EACH.len() == 0 {
            lines.push(format!("<text x=\"{}\" y=\"{from}\">{profile}</text>", left(column)));
        }
    }
    for (row, name) in names.iter().enumerate() {
        let y = HEAD + row * FIELD;
        let (x, base) = (NAMES - 6, y + FIELD - 4);
        lines.push(format!("<text x=\"{x}\" y=\"{base}\" text-anchor=\"end\">{name}</text>"));
        let rate = |policy: &PolicyName, profile: &str| {
            cells.get(name, policy, profile).map(|cell| cell.tally().rate())
        };
        let best = columns.iter().filter_map(|(policy, on)| rate(policy, on)).fold(0.0, f64::max);
        for (column, (policy, profile)) in columns.iter().enumerate() {
            let Some(rate) = rate(policy, profile) else { continue };
            lines.push(format!(
                "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" fill=\"{}\" \
                 stroke=\"#cccccc\" stroke-width=\"0.5\"><title>{name}, {policy} on {profile}: \
                 {:.2} %</title></rect>",
                left(column),
                FIELD - 1,
                FIELD - 1,
                shade(rate, best),
                rate * 100.0
            ));
        }
    }
    lines.push("</svg>".to_owned());
    lines.join("\n") + "\n"
}

/// White for nothing; from a light to a dark blue for what there is.
fn shade(rate: f64, best: f64) -> String {
    if rate <= 0.0 {
        return "#ffffff".to_owned();
    }
    let share = rate / best.max(rate);
    #[expect(clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
    let percent = (share * 100.0) as u32;
    let mix = |light: u32, dark: u32| light - (light - dark) * percent / 100;
    format!("#{:02x}{:02x}{:02x}", mix(222, 8), mix(235, 48), mix(247, 107))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_darkest_and_nothing_is_white() {
        assert_eq!(shade(0.5, 0.5), "#08306b");
        assert_eq!(shade(0.0, 0.5), "#ffffff");
        assert!(shade(0.1, 0.5) > shade(0.4, 0.5));
    }
}
