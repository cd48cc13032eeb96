//! Numbers of a scenario from which each seed draws one.

use std::fmt;

use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::rng::Stream;

/// A number, or a range of which each seed draws one.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum Count {
    /// Always this.
    Exactly(u32),
    /// From the first to the second, both included.
    Between([u32; 2]),
}

impl Count {
    /// Draws; a fixed number draws nothing.
    pub fn draw(self, stream: &mut Stream) -> u32 {
        match self {
            Count::Exactly(n) => n,
            Count::Between([low, high]) => stream.between(low, high),
        }
    }

    /// The most that is drawn.
    pub(super) fn last(self) -> u32 {
        match self {
            Count::Exactly(last) | Count::Between([_, last]) => last,
        }
    }

    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Count::Between([low, high]) if low > high)
    }
}

/// By hand, because serde says of an untagged enum only that nothing fits.
impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl<'de> Visitor<'de> for Number {
            type Value = Count;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number such as 8, or a range such as [4, 12]")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                let wrong = |_| E::invalid_value(Unexpected::Signed(number), &self);
                u32::try_from(number).map(Count::Exactly).map_err(wrong)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                let wrong = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
                u32::try_from(number).map(Count::Exactly).map_err(wrong)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut range: A) -> Result<Count, A::Error> {
                let mut ends = Vec::new();
                while let Some(end) = range.next_element::<u32>()? {
                    ends.push(end);
                }
                match ends[..] {
                    [low, high] => Ok(Count::Between([low, high])),
                    _ => Err(A::Error::invalid_length(ends.len(), &self)),
                }
            }
        }

        deserializer.deserialize_any(Number)
    }
}
