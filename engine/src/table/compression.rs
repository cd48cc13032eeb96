//! [`Compression`]: how the contents of a block are stored.
//!
//! ```text
//! type 0   as they are
//! type 1   Snappy, raw block format: varint32 size of the contents, then elements; no framing
//! type 2   zstd, which LevelDB has since 1.23; not read and not written here
//! ```
//!
//! Source: LevelDB `TableBuilder::WriteBlock` and `ReadBlock` in `table/format.cc`. Differs: a
//! size that the stored bytes cannot unfold to is refused before memory is taken for it.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

/// How blocks are stored. Each block says it of itself, so tables of any kind can be read.
///
/// What Snappy makes of a block differs between its versions, and so between LevelDB and this
/// engine; what a block unfolds to does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compression {
    /// As they are.
    None,
    /// With Snappy, where that saves more than an eighth. LevelDB's default.
    #[default]
    Snappy,
}

/// The compression types.
// Never change: written to disk.
pub(super) const TYPE_NONE: u8 = 0;
pub(super) const TYPE_SNAPPY: u8 = 1;
pub(super) const TYPE_ZSTD: u8 = 2;

/// A Snappy element of 3 bytes stands for at most 64, so nothing grows by more than this.
const SNAPPY_GROWTH_MAX: usize = 32;

/// Compresses blocks, with memory that it keeps from one to the next.
pub(super) struct Compressor {
    compression: Compression,
    snappy: snap::raw::Encoder,
    compressed: Vec<u8>,
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Self {
        Compressor { compression, snappy: snap::raw::Encoder::new(), compressed: Vec::new() }
    }

    /// Replaces `contents` by their compressed form if that is worth it. Returns the type.
    pub(super) fn compress(&mut self, contents: &mut Vec<u8>) -> u8 {
        if self.compression == Compression::None {
            return TYPE_NONE;
        }
        self.compressed.resize(snap::raw::max_compress_len(contents.len()), 0);
        // Contents of 4 GiB are all that Snappy refuses.
        let Ok(size) = self.snappy.compress(contents, &mut self.compressed) else {
            return TYPE_NONE;
        };
        if size >= contents.len() - contents.len() / 8 {
            return TYPE_NONE;
        }
        contents.clear();
        contents.extend_from_slice(self.compressed.get(..size).unwrap_or_default());
        TYPE_SNAPPY
    }
}

/// Undoes Snappy. `None` if `stored` is not what Snappy makes of anything.
pub(super) fn unfold_snappy(stored: &[u8]) -> Option<Vec<u8>> {
    let size = snap::raw::decompress_len(stored).ok()?;
    if size > stored.len().saturating_mul(SNAPPY_GROWTH_MAX) {
        return None;
    }
    let mut contents = vec![0; size];
    let written = snap::raw::Decoder::new().decompress(stored, &mut contents).ok()?;
    (written == size).then_some(contents)
}
