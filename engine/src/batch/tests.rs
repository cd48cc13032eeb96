//! Counterparts of LevelDB's `write_batch_test`; golden bytes; every damage of a small batch.

use proptest::prelude::*;

use super::*;
use crate::key::MAX_SEQUENCE;

/// The operations of a batch with their sequence numbers, as LevelDB's test prints them.
fn print(batch: &WriteBatch) -> String {
    let ops = (batch.sequence()..).zip(batch);
    ops.map(|(sequence, op)| format!("{op:?}@{sequence}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn empty() {
    let batch = WriteBatch::new();
    assert_eq!(print(&batch), "");
    assert_eq!(batch.count(), 0);
    assert_eq!(batch.last_sequence(), None);
    assert_eq!(batch.contents(), [0; 12]);
}

#[test]
fn multiple() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"bar")?;
    batch.delete(b"box")?;
    batch.put(b"baz", b"boo")?;
    batch.set_sequence(100);
    assert_eq!(batch.sequence(), 100);
    assert_eq!(batch.last_sequence(), Some(102));
    assert_eq!(batch.count(), 3);
    assert_eq!(print(&batch), "Put(foo, bar)@100 Delete(box)@101 Put(baz, boo)@102");
    Ok(())
}

#[test]
fn corruption() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"bar")?;
    batch.delete(b"box")?;
    batch.set_sequence(200);
    let whole = batch.contents();
    // LevelDB applies the put and then complains; here nothing comes out.
    assert_eq!(
        WriteBatch::from_contents(&whole[..whole.len() - 1]),
        Err(BatchDefect::BadDelete { offset: 21 })
    );
    Ok(())
}

#[test]
fn append() -> Result<()> {
    let (mut first, mut second) = (WriteBatch::new(), WriteBatch::new());
    first.set_sequence(200);
    second.set_sequence(300);
    first.append(&second)?;
    assert_eq!(print(&first), "");
    second.put(b"a", b"va")?;
    first.append(&second)?;
    assert_eq!(print(&first), "Put(a, va)@200");
    second.clear();
    second.put(b"b", b"vb")?;
    first.append(&second)?;
    assert_eq!(print(&first), "Put(a, va)@200 Put(b, vb)@201");
    second.delete(b"foo")?;
    first.append(&second)?;
    assert_eq!(print(&first), "Put(a, va)@200 Put(b, vb)@201 Put(b, vb)@202 Delete(foo)@203");
    assert_eq!(first.count(), 4);
    Ok(())
}

#[test]
fn approximate_size() -> Result<()> {
    let mut batch = WriteBatch::new();
    let mut sizes = vec![batch.byte_size()];
    batch.put(b"foo", b"bar")?;
    sizes.push(batch.byte_size());
    batch.put(b"baz", b"boo")?;
    sizes.push(batch.byte_size());
    batch.delete(b"box")?;
    sizes.push(batch.byte_size());
    assert_eq!(sizes, [12, 21, 30, 35]);
    Ok(())
}

#[test]
fn golden_bytes() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"baz")?;
    batch.delete(b"box")?;
    batch.set_sequence(2);
    let expected = b"\x02\0\0\0\0\0\0\0\x02\0\0\0\x01\x03foo\x03baz\0\x03box";
    assert_eq!(batch.contents(), expected);
    assert_eq!(WriteBatch::from_contents(expected), Ok(batch));
    Ok(())
}

#[test]
fn overflow_leaves_the_batch_alone() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(b"k", b"v")?;
    let before = batch.clone();
    // Never touched, so the system need not find the memory.
    let huge = vec![0; 0xffff_ffff];
    assert!(matches!(batch.put(&huge, b""), Err(Error::InvalidArgument(_))));
    assert!(matches!(batch.put(b"", &huge), Err(Error::InvalidArgument(_))));
    assert!(matches!(batch.delete(&huge), Err(Error::InvalidArgument(_))));
    assert_eq!(batch, before);
    // A batch that claims all operations there can be has no room for one more.
    let mut full = batch.clone();
    full.contents[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let before = full.clone();
    assert!(matches!(full.put(b"k", b"v"), Err(Error::InvalidArgument(_))));
    assert!(matches!(full.delete(b"k"), Err(Error::InvalidArgument(_))));
    assert!(matches!(full.append(&batch), Err(Error::InvalidArgument(_))));
    assert_eq!(full.contents, before.contents);
    Ok(())
}

#[test]
fn one_byte_beyond_the_limit_is_too_much() -> Result<()> {
    let limit = u64::from(u32::MAX);
    let mut batch = WriteBatch::new();
    batch.reserve(1, limit - 12)?;
    assert!(matches!(batch.reserve(1, limit - 11), Err(Error::InvalidArgument(_))));
    assert_eq!(batch.count(), 1);
    // Behind the header: tag, 5 bytes for the length of the key, 1 for that of the empty value.
    let huge = vec![0; 0xffff_ffff];
    let mut batch = WriteBatch::new();
    assert!(batch.put(&huge[..0xffff_ffff - 18], b"").is_err());
    assert!(batch.delete(&huge[..0xffff_ffff - 17]).is_err());
    assert_eq!(batch, WriteBatch::new());
    Ok(())
}

#[test]
fn what_is_printed_is_the_sequence_and_the_operations() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"\xff")?;
    batch.delete(b"box")?;
    batch.set_sequence(9);
    assert_eq!(format!("{batch:?}"), r"@9 [Put(foo, \xff), Delete(box)]");
    assert_eq!(format!("{:?}", batch.as_view()), format!("{batch:?}"));
    Ok(())
}

#[test]
fn impossible_sequences_are_refused() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.set_sequence(MAX_SEQUENCE);
    assert!(BatchView::parse(batch.contents()).is_ok());
    batch.put(b"k", b"v")?;
    assert_eq!(
        BatchView::parse(batch.contents()).map(|view| view.last_sequence()),
        Ok(Some(MAX_SEQUENCE))
    );
    batch.put(b"k", b"v")?;
    let too_large = |sequence, count| Err(BatchDefect::SequenceTooLarge { sequence, count });
    assert_eq!(BatchView::parse(batch.contents()), too_large(MAX_SEQUENCE, 2));
    batch.set_sequence(u64::MAX);
    assert_eq!(BatchView::parse(batch.contents()), too_large(u64::MAX, 2));
    // LevelDB computes 0 + 0 - 1 for this one and goes on from sequence 2^64-1.
    let empty = WriteBatch::new();
    assert_eq!(BatchView::parse(empty.contents()).map(|view| view.last_sequence()), Ok(None));
    Ok(())
}

#[test]
fn every_truncation_and_bit_flip_is_exact_or_refused() -> Result<()> {
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"bar")?;
    batch.delete(b"box")?;
    batch.put(b"", b"")?;
    batch.set_sequence(7);
    let whole = batch.contents();
    for cut in 0..whole.len() {
        assert!(BatchView::parse(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Many flips are batches of their own: only the checksum around them can tell.
        if let Ok(view) = BatchView::parse(&bytes) {
            assert_eq!(view.iter().count(), 3);
            assert!(view.last_sequence().is_some_and(|last| last <= MAX_SEQUENCE));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn batches_survive_their_stored_form(
        ops in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200),
             proptest::collection::vec(any::<u8>(), 0..200)),
            0..20,
        ),
        sequence in 0..MAX_SEQUENCE - 20,
    ) {
        let mut batch = WriteBatch::new();
        for (put, key, value) in &ops {
            let done = if *put { batch.put(key, value) } else { batch.delete(key) };
            prop_assert_eq!(done, Ok(()));
        }
        batch.set_sequence(sequence);
        let again = WriteBatch::from_contents(batch.contents());
        prop_assert_eq!(again.as_ref(), Ok(&batch));
        prop_assert_eq!(batch.iter().count(), ops.len());
        for (op, (put, key, value)) in batch.iter().zip(&ops) {
            prop_assert_eq!(op.key(), &key[..]);
            prop_assert_eq!(op.value(), if *put { &value[..] } else { &[] });
            prop_assert_eq!(op.value_type() == ValueType::Value, *put);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(view) = BatchView::parse(&bytes) {
            prop_assert_eq!(view.byte_size(), bytes.len());
        }
    }
}
