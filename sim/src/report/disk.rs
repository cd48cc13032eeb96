//! The disk around the death of a process, as a table.

use super::counted;
use crate::disk::FileState;
use crate::run::DiskAtDeath;

/// Operations listed at most.
const FATES_SHOWN: usize = 30;

/// The disk before and after, and what became of what was pending.
pub fn disk_at_death(death: &DiskAtDeath) -> Vec<String> {
    let after = |path: &str| death.after.iter().find(|file| file.path == path);
    let back = death.after.iter().filter(|file| !death.before.iter().any(|b| b.path == file.path));
    let (calm, moved): (Vec<&FileState>, Vec<&FileState>) = death.before.iter().partition(|file| {
        file.note.is_empty()
            && file.size == Some(file.durable)
            && after(&file.path).is_some_and(|after| after.size == file.size)
    });
    let mut lines = vec![format!(
        "disk before and after the {} at point {} ({})",
        death.what, death.point, death.profile
    )];
    let width = moved.iter().map(|file| file.path.len()).max().unwrap_or(0).max(20);
    let number = |size: Option<u64>| size.map_or("-".to_owned(), |size| size.to_string());
    if !moved.is_empty() {
        lines.push(format!("  {:<width$} {:>9} {:>9} {:>9}", "file", "size", "durable", "after"));
    }
    for file in moved {
        let left = after(&file.path).and_then(|after| after.size);
        lines.push(format!(
            "  {:<width$} {:>9} {:>9} {:>9}  {}",
            file.path,
            number(file.size),
            file.durable,
            number(left),
            file.note
        ));
    }
    for file in back {
        let size = number(file.size);
        lines.push(format!("  {:<width$} {:>9} {:>9} {size:>9}", file.path, "-", "-"));
    }
    if !calm.is_empty() {
        let bytes: u64 = calm.iter().filter_map(|file| file.size).sum();
        let count = counted(calm.len(), "file");
        lines.push(format!("  {count}, {bytes} bytes, durable before and unchanged:"));
        let names = calm.iter().map(|file| file.path.rsplit('/').next().unwrap_or(&file.path));
        lines.extend(wrapped(names));
    }
    lines.push(
        "  (size: bytes that a process saw; durable: bytes that no crash takes; after: bytes left)"
            .to_owned(),
    );
    if !death.fates.is_empty() {
        lines.push(format!("what the {} made of what was pending", death.what));
        lines.extend(death.fates.iter().take(FATES_SHOWN).map(|fate| format!("  {fate}")));
        if death.fates.len() > FATES_SHOWN {
            lines.push(format!("  and {} more", death.fates.len() - FATES_SHOWN));
        }
    }
    lines
}

/// Words in lines of ordinary width.
fn wrapped<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut().filter(|line| line.len() + word.len() < 90) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(format!("    {word}")),
        }
    }
    lines
}
