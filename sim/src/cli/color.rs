//! Colour in what is printed: it marks what a reader looks for first, and changes no word.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// When there is colour. Each stream is looked at by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set; elsewhere if `CLICOLOR_FORCE` is.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// What a command line asks for: looked for before it is parsed, because the parser may have to
    /// complain in colour or without.
    pub fn asked_for(words: &[String], variable: Option<&str>) -> Self {
        let flags = words.iter().enumerate().rev().find_map(|(at, word)| match word.as_str() {
            "--color" => words.get(at + 1).map(String::as_str),
            word => word.strip_prefix("--color="),
        });
        let value = flags.or(variable).unwrap_or("auto");
        // Anything else is refused by the parser.
        Color::from_str(value, false).unwrap_or_default()
    }

    /// Has all streams of this process, and the parser's, follow it.
    pub fn apply(self) {
        self.choice().write_global();
    }

    /// As the parser knows it.
    pub fn of_parser(self) -> clap::ColorChoice {
        match self {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }

    fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const BOLD: Style = Style::new().bold();

/// How the lines of a report begin, and how much of each is marked.
const HEADS: [(&str, Extent, Style); 7] = [
    ("FAIL ", Extent::Word, RED),
    ("  promise    ", Extent::Head, BOLD),
    ("  expected   ", Extent::Head, BOLD),
    ("  got        ", Extent::Head, BOLD),
    ("  BROKEN     ", Extent::Head, RED),
    ("  reproduce  ", Extent::Head, BOLD),
    ("no promise was broken", Extent::Head, GREEN),
];

#[derive(Clone, Copy)]
enum Extent {
    /// How it begins.
    Head,
    /// That and the word behind it.
    Word,
}

/// `text` with its marks; taken off again where there is no colour.
pub(super) fn paint(text: &str) -> Cow<'_, str> {
    let has_head = |line: &str| HEADS.iter().any(|(head, ..)| line.starts_with(head));
    if !text.lines().any(has_head) {
        return Cow::Borrowed(text);
    }
    let painted: Vec<Cow<'_, str>> = text.split('\n').map(paint_line).collect();
    Cow::Owned(painted.join("\n"))
}

fn paint_line(line: &str) -> Cow<'_, str> {
    let Some((head, extent, style)) = HEADS.iter().find(|(head, ..)| line.starts_with(head)) else {
        return Cow::Borrowed(line);
    };
    let end = match extent {
        Extent::Head => head.len(),
        Extent::Word => {
            line[head.len()..].find(' ').map_or(line.len(), |length| head.len() + length)
        }
    };
    let (marked, rest) = line.split_at(end);
    Cow::Owned(format!("{style}{marked}{style:#}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_looks_for_is_marked_and_no_word_changes() {
        let text = "FAIL contents  here:7\n  promise    all\n\n  other\nno promise was broken: 3";
        let painted = paint(text);
        assert_eq!(
            painted,
            "\u{1b}[1m\u{1b}[31mFAIL contents\u{1b}[0m  here:7\n\
             \u{1b}[1m  promise    \u{1b}[0mall\n\n  other\n\
             \u{1b}[32mno promise was broken\u{1b}[0m: 3"
        );
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
        assert!(matches!(paint("a FAIL\nb"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_last_flag_counts_and_a_variable_behind_it() {
        let asked = |words: &str, variable| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            Color::asked_for(&words, variable)
        };
        assert_eq!(asked("sim run", None), Color::Auto);
        assert_eq!(asked("sim run", Some("never")), Color::Never);
        assert_eq!(asked("sim --color always run", Some("never")), Color::Always);
        assert_eq!(asked("sim run --color=always --color never", None), Color::Never);
        assert_eq!(asked("sim --color", None), Color::Auto);
        assert_eq!(asked("sim --color=pink", None), Color::Auto);
    }
}
