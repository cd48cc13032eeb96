//! The order of commits: entries and batches by their sequences.
//!
//! As a rule every sequence is there once, and few of their range are missing: each has a place of
//! its own then, and nothing needs to be compared. A broken engine may give one twice.

use std::cmp::Ordering;

use crate::history::Entry;

/// `entries` in order of commit.
pub fn in_commit_order<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let keyed = entries.into_iter().map(|entry| (entry.sequence, entry)).collect();
    in_sequence(keyed, |a, b| a.key().cmp(b.key()))
}

/// What has these sequences, in their order; `then` decides between two that have the same.
pub(crate) fn in_sequence<T: Copy>(
    mut keyed: Vec<(u64, T)>,
    then: impl Fn(T, T) -> Ordering,
) -> Vec<T> {
    if let Some(in_order) = each_in_its_place(&keyed) {
        return in_order;
    }
    keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| then(a.1, b.1)));
    keyed.into_iter().map(|(_, item)| item).collect()
}

/// `None` if two have the same sequence, or if most of the range is empty.
fn each_in_its_place<T: Copy>(keyed: &[(u64, T)]) -> Option<Vec<T>> {
    let first = keyed.iter().map(|(sequence, _)| *sequence).min()?;
    let last = keyed.iter().map(|(sequence, _)| *sequence).max()?;
    let range = usize::try_from(last - first).ok().filter(|range| range / 8 < keyed.len())?;
    let mut places = vec![u32::MAX; range + 1];
    for (index, (sequence, _)) in keyed.iter().enumerate() {
        let place = &mut places[(sequence - first) as usize];
        if *place != u32::MAX {
            return None;
        }
        *place = index as u32;
    }
    let taken = places.into_iter().filter(|place| *place != u32::MAX);
    Some(taken.map(|place| keyed[place as usize].1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(keyed: &[(u64, u32)]) -> Vec<u32> {
        in_sequence(keyed.to_vec(), |a, b| a.cmp(&b))
    }

    #[test]
    fn each_comes_in_its_place() {
        assert!(ordered(&[]).is_empty());
        assert_eq!(ordered(&[(7, 70), (5, 50), (6, 60), (9, 90)]), [50, 60, 70, 90]);
        // The ends of the range, and hardly anything between.
        assert_eq!(ordered(&[(u64::MAX, 1), (0, 2), (1 << 40, 3)]), [2, 3, 1]);
        assert_eq!(ordered(&[(1000, 1), (0, 2), (500, 3)]), [2, 3, 1]);
    }

    #[test]
    fn of_two_with_one_sequence_the_caller_says() {
        assert_eq!(ordered(&[(2, 9), (1, 1), (2, 3), (3, 0)]), [1, 3, 9, 0]);
        assert_eq!(in_sequence(vec![(2, 9), (2, 3)], |a: u32, b| b.cmp(&a)), [9, 3]);
    }
}
