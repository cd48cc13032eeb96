//! Whether a reader of damaged bytes can know that they are damaged.
//!
//! A checksum covers a block or a record, and not the place where it lies: one that comes from
//! elsewhere whole, and fits, passes for the one that should be there.

use super::bytes::Rest;
use super::table::{block, each_entry, handle, handles};
use super::{Batch, decode_log};

/// Whether whoever reads a table that should hold the bytes `whole`, and shows `shown`, can tell
/// where the two differ: each block that can be read of `shown` is the block of `whole`.
///
/// True as well if `whole` is no table: then nobody takes it for one.
pub fn table_tells(whole: &[u8], shown: &[u8]) -> bool {
    let (Ok(ours), Ok(theirs)) = (handles(whole), handles(shown)) else { return true };
    // The filters that the metaindex names, and the data that the index names.
    ours.into_iter().zip(theirs).all(|(ours, theirs)| {
        let (Ok(names), Ok(shown_names)) = (block(whole, ours), block(shown, theirs)) else {
            return true;
        };
        let mut is_told = names == shown_names;
        let each = each_entry(names, &mut |_, value| {
            let at = handle(&mut Rest(&value)).ok_or("a bad handle")?;
            is_told &= block(shown, at).is_err() || block(shown, at) == block(whole, at);
            Ok(())
        });
        each.is_err() || is_told
    })
}

/// Whether whoever reads a log that should hold the bytes `whole`, and shows `shown`, can tell
/// where the two differ: each batch that is found in `shown` stands in `whole`, at the same place.
///
/// One whose sequence number goes back is not found. Of the first batch no log tells what its
/// number should be, so a whole log of earlier numbers, and the first record of one, passes for
/// another.
pub fn log_tells(whole: &[u8], shown: &[u8]) -> bool {
    let ours = decode_log(whole);
    let mut expected = 0;
    let found = decode_log(shown).into_iter().take_while(|batch| {
        let is_next = expected <= batch.sequence;
        expected = batch.end();
        is_next
    });
    let is_ours = |batch: &Batch<'_>| ours.iter().any(|own| own == batch);
    found.into_iter().all(|batch| is_ours(&batch))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{batch, fragment, table_with};
    use super::*;

    /// The data block of a table: three entries of one letter each, all values alike.
    fn block_of(keys: [u8; 3], value: u8) -> Vec<u8> {
        let mut block = Vec::new();
        for (key, sequence) in keys.iter().zip(1_u8..) {
            block.extend([0, 9, 1, *key, 1, sequence, 0, 0, 0, 0, 0, 0, value]);
        }
        block.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        block
    }

    #[test]
    fn a_block_of_another_table_passes_for_one_of_the_same_size() {
        let whole = table_with(&block_of(*b"bcd", b'x'), 0);
        assert!(table_tells(&whole, &whole));
        for other in [block_of(*b"bcd", b'y'), block_of(*b"bce", b'x')] {
            assert!(!table_tells(&whole, &table_with(&other, 0)), "the whole of another table");
            let trailer = other.len() + 5;
            let mut shown = whole.clone();
            shown[..trailer].copy_from_slice(&table_with(&other, 0)[..trailer]);
            assert!(!table_tells(&whole, &shown), "its block alone");
            shown[trailer - 1] = whole[trailer - 1];
            assert!(table_tells(&whole, &shown), "with the checksum of the right one");
        }
    }

    #[test]
    fn any_flipped_bit_of_a_table_is_told() {
        let whole = table_with(&block_of(*b"bcd", b'x'), 0);
        for at in 0..whole.len() {
            let mut shown = whole.clone();
            shown[at] ^= 1;
            assert!(table_tells(&whole, &shown), "byte {at}");
        }
        assert!(table_tells(&whole, &whole[..whole.len() - 1]));
        assert!(table_tells(&whole, &[]) && table_tells(&[], &whole), "no table at all");
    }

    #[test]
    fn a_footer_that_leads_to_another_good_block_passes() {
        let whole = table_with(&block_of(*b"bcd", b'x'), 0);
        let start = whole.len() - 48;
        let mut shown = whole.clone();
        // To the metaindex, which is a block without entries, as index.
        let (metaindex, index) = (start, start + 2);
        shown.copy_within(metaindex..index, index);
        assert!(!table_tells(&whole, &shown), "a table without entries");
    }

    fn log(sequences: &[u64], key: &[u8]) -> Vec<u8> {
        sequences.iter().flat_map(|sequence| fragment(1, &batch(*sequence, &[key]))).collect()
    }

    #[test]
    fn a_record_of_another_log_passes_where_its_number_does_not_go_back() {
        let whole = log(&[5, 6, 7], b"k");
        let len = whole.len() / 3;
        assert!(log_tells(&whole, &whole));
        for (nth, sequence, is_told) in
            [(0, 4, false), (0, 9, false), (1, 4, true), (1, 9, false), (2, 6, true)]
        {
            let mut shown = whole.clone();
            shown[nth * len..(nth + 1) * len].copy_from_slice(&log(&[sequence], b"k"));
            assert_eq!(log_tells(&whole, &shown), is_told, "{sequence} as number {nth}");
        }
        assert!(!log_tells(&whole, &log(&[5], b"j")), "the right number and another key");
        assert!(!log_tells(&[], &whole), "nothing was written there");
    }

    #[test]
    fn an_end_that_is_missing_is_told_and_so_is_a_wrong_checksum() {
        let whole = log(&[5, 6, 7], b"k");
        for at in 0..whole.len() {
            let mut shown = whole.clone();
            shown[at] ^= 1;
            assert!(log_tells(&whole, &shown), "byte {at}");
            shown[at..].fill(0);
            assert!(log_tells(&whole, &shown), "zeros from byte {at} on");
            assert!(log_tells(&whole, &whole[..at]), "cut to {at} bytes");
        }
    }
}
