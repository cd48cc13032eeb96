//! What each piece needs to be in an image.

use super::{Model, Piece, Rules, What};

impl Model {
    /// The pieces that have to be in every image that has the piece at `index`.
    pub(super) fn needs(&self, rules: Rules, index: usize) -> Vec<usize> {
        let piece = &self.pieces[index];
        let is_data = |piece: &Piece| matches!(piece.what, What::Data { .. });
        let is_meta = |piece: &Piece| matches!(piece.what, What::Entry { .. } | What::Cut { .. });
        let needed = |earlier: &usize| {
            let other = &self.pieces[*earlier];
            if *earlier < index && share_register(rules, other, piece) {
                return true;
            }
            if rules.cow() && piece.time == other.time && share_register(rules, other, piece) {
                return true;
            }
            if !rules.ordered() {
                return false;
            }
            if rules.whole() {
                return other.is_before(piece);
            }
            if rules.cow() && *earlier < index && is_meta(other) && is_data(piece) {
                return true;
            }
            let size = matches!(piece.what, What::Size { .. });
            let same_file = piece.ino == other.ino;
            let journal = *earlier < index && is_meta(other) && (is_meta(piece) || size);
            let block = rules.ext4()
                && size
                && same_file
                && other.time == piece.time
                && other.new_block
                && other.failed.is_empty();
            let replaces = matches!(piece.what, What::Entry { replaces: true, .. });
            let carried = rules.ext4()
                && replaces
                && same_file
                && *earlier < index
                && matches!(other.what, What::Size { .. } | What::Cut { .. });
            journal || block || carried
        };
        (0..self.pieces.len()).filter(needed).collect()
    }
}

/// Whether two pieces change the same sector, the same size or the same name; or the same page, if
/// pages go as one.
fn share_register(rules: Rules, a: &Piece, b: &Piece) -> bool {
    if let (What::Entry { changes: a, .. }, What::Entry { changes: b, .. }) = (&a.what, &b.what) {
        return a.iter().any(|(path, _)| b.iter().any(|(other, _)| path == other));
    }
    if a.ino != b.ino {
        return false;
    }
    let unit = if rules.cow() { 8 } else { 1 };
    let cuts = |to: u32, sector: u32| to < (sector / unit + 1) * unit * 512;
    match (&a.what, &b.what) {
        (What::Data { sector: a, .. }, What::Data { sector: b, .. }) => a / unit == b / unit,
        (What::Data { sector, .. }, What::Cut { to })
        | (What::Cut { to }, What::Data { sector, .. }) => cuts(*to, *sector),
        (What::Size { .. } | What::Cut { .. }, What::Size { .. } | What::Cut { .. }) => true,
        _ => false,
    }
}
