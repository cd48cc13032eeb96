//! Taking integers and byte strings off the front of a slice. `None` means that it is too short.

/// The unread rest of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'bytes>(pub(super) &'bytes [u8]);

impl<'bytes> Rest<'bytes> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'bytes [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    pub(super) fn fixed32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn fixed64(&mut self) -> Option<u64> {
        let low = self.fixed32()?;
        let high = self.fixed32()?;
        Some(u64::from(high) << 32 | u64::from(low))
    }

    /// At most ten bytes; bits beyond the 64th are dropped.
    pub(super) fn varint64(&mut self) -> Option<u64> {
        self.varint(10)
    }

    /// At most five bytes; bits beyond the 32nd are dropped.
    pub(super) fn varint32(&mut self) -> Option<u32> {
        self.varint(5).map(|value| value as u32)
    }

    fn varint(&mut self, bytes_max: u32) -> Option<u64> {
        let mut value = 0;
        for index in 0..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A varint32 length and so many bytes.
    pub(super) fn prefixed(&mut self) -> Option<&'bytes [u8]> {
        let len = self.varint32()?;
        self.take(len as usize)
    }
}

/// The checksum as it is stored: CRC-32C, turned right by 15 bits, plus a constant.
pub(super) fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
