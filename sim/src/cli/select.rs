//! Which scenarios a command means, with the fields that `--set` and `--policy` change.

#![expect(clippy::disallowed_methods, reason = "reads scenario files that the user names")]

use std::path::Path;

use toml::{Table, Value};

use super::Failed;
use super::output::remark;
use crate::policy::PolicyName;
use crate::scenario::{EMBEDDED, Scenario};
use crate::token::Token;

/// A scenario as a token names it, and the flags that a replay needs beside the token.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) scenarios: Vec<Scenario>,
    pub(super) flags: String,
}

/// The scenarios that `patterns` name; all of the binary's if there are none.
pub(super) fn select(
    patterns: &[String],
    set: &[String],
    policy: Option<&PolicyName>,
) -> Result<Selection, Failed> {
    let mut texts: Vec<(String, String, String)> = Vec::new();
    if patterns.is_empty() {
        texts.extend(EMBEDDED.iter().map(|(name, text)| embedded(name, text)));
    }
    for pattern in patterns {
        if is_path(pattern) {
            let text = std::fs::read_to_string(pattern)
                .map_err(|error| Failed::usage(format!("{pattern}: {error}")))?;
            // The path is the name, so that a token finds the file again.
            texts.push((pattern.clone(), pattern.clone(), text));
            continue;
        }
        let glob = glob::Pattern::new(pattern)
            .map_err(|error| Failed::usage(format!("--scenario {pattern}: {error}")))?;
        let before = texts.len();
        for (name, text) in EMBEDDED {
            if glob.matches(name) && !texts.iter().any(|(known, ..)| known == name) {
                texts.push(embedded(name, text));
            }
        }
        if texts.len() == before {
            return Err(unknown(pattern));
        }
    }
    let scenarios = texts
        .iter()
        .map(|(name, file, text)| with_changes(name, file, text, set, policy))
        .collect::<Result<_, _>>()
        .map_err(Failed::usage)?;
    let policy = policy.map(|policy| format!(" --policy {policy}"));
    let set = set.iter().map(|change| format!(" --set '{change}'"));
    let flags = policy.into_iter().chain(set).collect();
    Ok(Selection { scenarios, flags })
}

/// The one scenario of this name or path.
pub(super) fn select_one(
    name: &str,
    set: &[String],
    policy: Option<&PolicyName>,
) -> Result<(Scenario, String), Failed> {
    let escaped = if is_path(name) { name.to_owned() } else { glob::Pattern::escape(name) };
    let mut selection = select(&[escaped], set, policy)?;
    let scenario = selection.scenarios.pop().ok_or_else(|| unknown(name))?;
    Ok((scenario, selection.flags))
}

/// Says so if `token` names another text of its scenario than there is now.
pub(super) fn remark_on_digest(token: &Token, scenario: &Scenario) {
    if let Some(digest) = token.digest.as_ref().filter(|digest| **digest != scenario.digest) {
        remark(format!(
            "note: the token names {}@{digest}, but the scenario is now {}: the run may differ",
            token.scenario, scenario.digest
        ));
    }
}

fn is_path(pattern: &str) -> bool {
    pattern.contains('/') || Path::new(pattern).extension().is_some_and(|ext| ext == "toml")
}

fn embedded(name: &str, text: &str) -> (String, String, String) {
    (name.to_owned(), format!("scenarios/{name}.toml"), text.to_owned())
}

fn unknown(pattern: &str) -> Failed {
    let likeness = |name: &str| strsim::jaro_winkler(pattern, name);
    let names = EMBEDDED.iter().map(|(name, _)| *name).filter(|name| likeness(name) > 0.7);
    let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest.map_or_else(String::new, |name| format!("did you mean `{name}`? "));
    Failed::usage(format!("no scenario is called `{pattern}`; {hint}`sim scenario list` shows all"))
}

/// Parses a scenario and puts the changes in. The digest stays that of the text, because the token
/// carries the changes as flags.
fn with_changes(
    name: &str,
    file: &str,
    text: &str,
    set: &[String],
    policy: Option<&PolicyName>,
) -> Result<Scenario, String> {
    let original = Scenario::parse(name, file, text).map_err(|error| error.to_string())?;
    if set.is_empty() && policy.is_none() {
        return Ok(original);
    }
    let table: Table = toml::from_str(text).map_err(|e| format!("{file}: {e}"))?;
    let mut changes: Vec<(String, String)> =
        set.iter().map(|change| (format!("--set {change}"), change.clone())).collect();
    if let Some(policy) = policy {
        changes.push((format!("--policy {policy}"), format!("policy=\"{policy}\"")));
    }
    let with = |changes: &[(String, String)]| {
        let mut table = table.clone();
        for (flag, change) in changes {
            apply(&mut table, change).map_err(|words| format!("{flag}: {words}"))?;
        }
        original.with_fields(table)
    };
    with(&changes).map_err(|words| {
        // To blame is the first flag with which it goes wrong; words of `apply` name it already.
        let wrong = (1..=changes.len()).find(|count| with(&changes[..*count]).is_err());
        match wrong.map(|count| &changes[count - 1].0) {
            Some(flag) if !words.starts_with(flag.as_str()) => format!("{flag}: {words}"),
            _ => words,
        }
    })
}

fn apply(table: &mut Table, change: &str) -> Result<(), String> {
    let (path, value) = change.split_once('=').ok_or("it has the form FIELD=VALUE")?;
    let value = match toml::from_str::<Table>(&format!("value = {value}")) {
        Ok(mut parsed) => parsed.remove("value").ok_or("the value is empty")?,
        // A bare word is text.
        Err(_) => Value::String(value.to_owned()),
    };
    let mut parts: Vec<&str> = path.split('.').collect();
    let field = parts.pop().ok_or("the field is empty")?;
    let mut at = table;
    for part in parts {
        let entry = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = entry.as_table_mut().ok_or_else(|| format!("`{part}` is no table"))?;
    }
    at.insert(field.to_owned(), value);
    Ok(())
}
