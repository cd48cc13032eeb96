//! What the benchmarks read and write: keys of 16 digits, values of 100 bytes, drawn from a seed.

/// xorshift64; `peer.cc` draws the same numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A hundred bytes of which the second half repeats the first.
    pub(crate) fn value(&mut self) -> [u8; 100] {
        let mut value = [0; 100];
        for chunk in value[..50].chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        value.copy_within(..50, 50);
        value
    }
}

/// `number` in 16 digits.
pub(crate) fn key(mut number: u64) -> [u8; 16] {
    let mut key = [b'0'; 16];
    for digit in key.iter_mut().rev() {
        *digit += u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    key
}

/// What follows `flag` on the command line.
pub(crate) fn argument(flag: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != flag).nth(1)
}
