//! Round trips, boundaries and published vectors of the codec.

use proptest::prelude::*;

use super::*;

fn varint(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint64(&mut out, value);
    out
}

#[test]
fn fixed_integers_are_little_endian() {
    let mut out = Vec::new();
    put_fixed32(&mut out, 0x0403_0201);
    put_fixed64(&mut out, 0x0807_0605_0403_0201);
    assert_eq!(out, [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn varints_change_size_at_powers_of_128() {
    for power in 0..64 {
        let value = 1_u64 << power;
        for near in [value - 1, value, value + 1] {
            let bytes = varint(near);
            assert_eq!(bytes.len(), varint_size(near));
            let mut decoder = Decoder::new(&bytes);
            assert_eq!(decoder.varint64(), Some(near));
            assert!(decoder.is_empty());
        }
    }
    assert_eq!(varint(127), [0x7f]);
    assert_eq!(varint(128), [0x80, 0x01]);
    assert_eq!(varint_size(u64::MAX), VARINT64_SIZE_MAX);
    assert_eq!(varint_size(u64::from(u32::MAX)), VARINT32_SIZE_MAX);
}

#[test]
fn varint_overflow_is_refused() {
    assert_eq!(Decoder::new(&[0x81, 0x82, 0x83, 0x84, 0x85, 0x11]).varint32(), None);
    let eleven = [0x81, 0x82, 0x83, 0x84, 0x85, 0x81, 0x82, 0x83, 0x84, 0x85, 0x11];
    assert_eq!(Decoder::new(&eleven).varint64(), None);
}

#[test]
fn fifth_byte_keeps_only_the_bits_of_32() {
    assert_eq!(Decoder::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).varint32(), Some(u32::MAX));
    assert_eq!(Decoder::new(&[0x80, 0x80, 0x80, 0x80, 0x70]).varint32(), Some(0));
}

#[test]
fn truncated_varints_are_refused_and_take_nothing() {
    let whole = varint(u64::MAX);
    for cut in 0..whole.len() {
        let mut decoder = Decoder::new(&whole[..cut]);
        assert_eq!(decoder.varint64(), None);
        assert_eq!(decoder.rest(), &whole[..cut]);
    }
}

#[test]
fn strings_keep_their_bounds() {
    let mut out = Vec::new();
    let long = vec![b'x'; 200];
    for text in [&b""[..], b"foo", b"bar", &long] {
        put_length_prefixed(&mut out, text);
    }
    let mut decoder = Decoder::new(&out);
    for text in [&b""[..], b"foo", b"bar", &long] {
        assert_eq!(decoder.length_prefixed(), Some(text));
    }
    assert_eq!(decoder.length_prefixed(), None);
    // A length that runs past the end takes nothing, not even the length.
    let mut short = Decoder::new(&[3, b'a', b'b']);
    assert_eq!(short.length_prefixed(), None);
    assert_eq!(short.rest(), [3, b'a', b'b']);
}

#[test]
fn crc32c_standard_vectors() {
    let ascending: Vec<u8> = (0..32).collect();
    let descending: Vec<u8> = (0..32).rev().collect();
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    assert_eq!(crc32c(&ascending), 0x46dd_794e);
    assert_eq!(crc32c(&descending), 0x113f_db5c);
    // An iSCSI SCSI Read (10) command PDU, RFC 3720 B.4.
    let pdu = [
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00,
        0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00,
    ];
    assert_eq!(crc32c(&pdu), 0xd996_3a56);
}

#[test]
fn crc32c_is_that_of_another_implementation_at_every_length() {
    let byte = |i: u32| i.wrapping_mul(0x9e37_79b9).to_le_bytes()[3];
    let bytes: Vec<u8> = (0..6000).map(byte).collect();
    for start in [0, 1, 7] {
        for end in start..bytes.len() {
            let bytes = &bytes[start..end];
            assert_eq!(crc32c(bytes), ::crc32c::crc32c(bytes), "{start}..{end}");
        }
    }
}

#[test]
fn crc32c_masks() {
    assert_ne!(crc32c(b"a"), crc32c(b"foo"));
    let crc = crc32c(b"foo");
    assert_ne!(crc, mask(crc));
    assert_ne!(crc, mask(mask(crc)));
    assert_eq!(crc, unmask(mask(crc)));
    assert_eq!(crc, unmask(unmask(mask(mask(crc)))));
}

proptest! {
    #[test]
    fn everything_written_is_read_back(
        a in any::<u32>(), b in any::<u64>(), c in any::<u32>(), d in any::<u64>(),
        text in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut out = Vec::new();
        put_fixed32(&mut out, a);
        put_fixed64(&mut out, b);
        put_varint32(&mut out, c);
        put_length_prefixed(&mut out, &text);
        put_varint64(&mut out, d);
        let mut decoder = Decoder::new(&out);
        prop_assert_eq!(decoder.fixed32(), Some(a));
        prop_assert_eq!(decoder.fixed64(), Some(b));
        prop_assert_eq!(decoder.varint32(), Some(c));
        prop_assert_eq!(decoder.length_prefixed(), Some(&text[..]));
        prop_assert_eq!(decoder.varint64(), Some(d));
        prop_assert!(decoder.is_empty());
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        let mut decoder = Decoder::new(&bytes);
        while decoder.varint32().is_some() {}
        let mut decoder = Decoder::new(&bytes);
        while decoder.length_prefixed().is_some() {}
        let before = decoder.rest().len();
        if decoder.varint64().is_none() {
            prop_assert_eq!(decoder.rest().len(), before);
        }
    }
}
