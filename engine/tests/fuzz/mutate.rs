//! Making inputs out of inputs.

/// A generator of numbers that are the same in every run: xorshift.
pub(crate) struct Random(u64);

/// Bytes that often mean something: lengths, types, ends of varints.
const TELLING: [u8; 12] = [0, 1, 2, 3, 4, 5, 7, 8, 0x7f, 0x80, 0xfe, 0xff];

impl Random {
    pub(crate) fn new(name: &str) -> Self {
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Random(name.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % n as u64).expect("below n")
    }

    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// A stretch of `bytes`, mostly a short one.
    fn stretch(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let longest = bytes.len() - start;
        let longest = if self.below(4) == 0 { longest } else { longest.min(16) };
        start..start + self.below(longest + 1)
    }

    /// Changes `input` in one place.
    pub(crate) fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len().max(1));
        match self.below(8) {
            0 => {
                let piece = self.one_of(seeds).clone();
                let piece = piece[self.stretch(&piece)].to_vec();
                let place = self.stretch(input);
                input.splice(place, piece);
            }
            1 => input.truncate(at),
            2 => drop(input.drain(self.stretch(input))),
            3 => {
                let piece = input[self.stretch(input)].to_vec();
                input.splice(at.min(input.len())..at.min(input.len()), piece);
            }
            _ if input.is_empty() => input.push(*self.one_of(&TELLING)),
            4 => input[at] ^= 1 << self.below(8),
            5 => input[at] = *self.one_of(&TELLING),
            6 => input[at] = input[at].wrapping_add(1),
            _ => {
                let word = [*self.one_of(&TELLING), *self.one_of(&TELLING)].repeat(2);
                for (byte, new) in input[at..].iter_mut().zip(word) {
                    *byte = new;
                }
            }
        }
    }
}
