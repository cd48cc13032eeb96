//! Trying every subset of the pieces, and what each shows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Model, Rules, What, dir_of, play};
use crate::program::{Act, runs};

/// All images of `acts` under the profile called `profile`, as text.
pub(crate) fn images(profile: &str, acts: &[Act]) -> BTreeSet<String> {
    let rules = Rules::of(profile);
    let model = play(rules, acts);
    // What would be durable had no sync lied is a promise.
    let honest = play(Rules { lies: false, ..Rules::of(profile) }, acts);
    let promised: Vec<bool> = honest.pieces.iter().map(|piece| piece.durable).collect();
    let open: Vec<usize> =
        (0..model.pieces.len()).filter(|index| !model.pieces[*index].durable).collect();
    assert!(open.len() <= 20, "too many pieces to try all subsets");
    let needs: Vec<Vec<usize>> =
        (0..model.pieces.len()).map(|index| model.needs(rules, index)).collect();
    let durable = model.durable();
    let mut images = BTreeSet::new();
    'subsets: for subset in 0..1_u32 << open.len() {
        let mut kept = durable.clone();
        for (bit, index) in open.iter().enumerate() {
            kept[*index] = subset >> bit & 1 == 1;
        }
        for index in 0..kept.len() {
            // What a sync has made durable ahead of the order waits for nothing any more.
            let waits = kept[index] && !durable[index];
            if waits && needs[index].iter().any(|needed| !kept[*needed]) {
                continue 'subsets;
            }
        }
        if rules.last_page() && !model.missing_ends(&kept, &durable).is_empty() {
            continue;
        }
        model.render(rules, &kept, &promised, &mut images);
    }
    images
}

impl Model {
    fn render(
        &self,
        rules: Rules,
        kept: &[bool],
        promised: &[bool],
        images: &mut BTreeSet<String>,
    ) {
        let mut names: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (piece, _) in self.pieces.iter().zip(kept).filter(|(_, kept)| **kept) {
            if let What::Entry { changes, .. } = &piece.what {
                for (path, to) in changes {
                    match to {
                        Some(ino) => names.insert(path, *ino),
                        None => names.remove(path),
                    };
                }
            }
        }
        let mut files: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for ino in names.values() {
            files.insert(*ino, self.contents(rules, kept, *ino));
        }
        // Every combination of the contents that each file may show.
        let mut texts = vec![Vec::new()];
        let mut chosen: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new()];
        for (path, ino) in &names {
            let parent = dir_of(path);
            if !parent.is_empty() && !names.contains_key(parent) {
                continue;
            }
            let (mut next_texts, mut next_chosen) = (Vec::new(), Vec::new());
            for (text, choice) in texts.iter().zip(&chosen) {
                for (at, content) in files[ino].iter().enumerate() {
                    if choice.get(ino).is_some_and(|other| *other != at) {
                        continue;
                    }
                    let path = path.trim_start_matches('/');
                    let mut text: Vec<String> = text.clone();
                    let mut choice = choice.clone();
                    choice.insert(*ino, at);
                    text.push(if self.directories.contains(ino) {
                        format!("{path}/")
                    } else {
                        format!("{path}={}", runs(content))
                    });
                    next_texts.push(text);
                    next_chosen.push(choice);
                }
            }
            (texts, chosen) = (next_texts, next_chosen);
        }
        let is_broken = (0..kept.len()).filter(|at| promised[*at] && !kept[*at]).any(|at| {
            let piece = &self.pieces[at];
            matches!(piece.what, What::Entry { .. }) || chosen[0].contains_key(&piece.ino)
        });
        for mut text in texts {
            if text.is_empty() {
                text.push("(nothing)".to_owned());
            }
            if is_broken {
                text.push("!".to_owned());
            }
            images.insert(text.join(" "));
        }
    }

    /// The contents that a file may show: one, or more where sectors may hold garbage.
    fn contents(&self, rules: Rules, kept: &[bool], ino: usize) -> Vec<Vec<u8>> {
        let mut bytes = vec![0_u8; 64 * 1024];
        let mut written: BTreeSet<u32> = BTreeSet::new();
        let mut size = 0;
        for (piece, kept) in self.pieces.iter().zip(kept) {
            if !kept || piece.ino != ino {
                continue;
            }
            match piece.what {
                What::Data { sector, offset, letter, len } => {
                    if !piece.void {
                        bytes[offset as usize..(offset + len) as usize].fill(letter);
                    }
                    written.insert(sector);
                }
                What::Size { to } => size = to,
                What::Cut { to } => {
                    size = to;
                    bytes[to as usize..].fill(0);
                    written.retain(|sector| sector * 512 < to);
                }
                What::Entry { .. } => {}
            }
        }
        bytes.truncate(size as usize);
        let mut contents = vec![bytes];
        if !rules.journal() {
            let unwritten = (0..size.div_ceil(512)).filter(|sector| !written.contains(sector));
            for sector in unwritten {
                for mut other in contents.clone() {
                    let end = other.len().min(sector as usize * 512 + 512);
                    other[sector as usize * 512..end].fill(b'?');
                    contents.push(other);
                }
            }
        }
        contents
    }
}
