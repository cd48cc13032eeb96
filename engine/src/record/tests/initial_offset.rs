//! The tests of LevelDB's `log_test` that start reading somewhere in the middle.

use super::*;

const SIZES: [usize; 6] =
    [10_000, 10_000, 2 * BLOCK_SIZE - 1000, 1, 13_716, BLOCK_SIZE - HEADER_SIZE];
const STARTS: [u64; 6] = [0, 10_007, 20_014, 84_571, 84_579, 98_304];

fn six_records() -> Log {
    let mut log = Log::new();
    for (letter, size) in ["a", "b", "c", "d", "e", "f"].into_iter().zip(SIZES) {
        log.write(big(letter, size));
    }
    log
}

fn check(initial_offset: u64, first: usize) {
    let mut log = six_records();
    log.initial_offset = initial_offset;
    for index in first..SIZES.len() {
        let (offset, payload) = log.next().expect("no error").expect("a record");
        assert_eq!(offset, STARTS[index]);
        assert_eq!(payload.len(), SIZES[index]);
        assert_eq!(payload[0], b"abcdef"[index]);
    }
    log.expect_end();
    // LevelDB reports the rest of a record that reaches across the offset as damage.
    log.expect_dropped(0, &[]);
}

fn check_past_end(beyond: u64) {
    let mut log = six_records();
    log.initial_offset = log.writer.size() + beyond;
    log.expect_end();
}

#[test]
fn read_start() {
    check(0, 0);
}

#[test]
fn read_second_one_off() {
    check(1, 1);
}

#[test]
fn read_second_ten_thousand() {
    check(10_000, 1);
}

#[test]
fn read_second_start() {
    check(10_007, 1);
}

#[test]
fn read_third_one_off() {
    check(10_008, 2);
}

#[test]
fn read_third_start() {
    check(20_014, 2);
}

#[test]
fn read_fourth_one_off() {
    check(20_015, 3);
}

#[test]
fn read_fourth_first_block_trailer() {
    check(32_768 - 4, 3);
}

#[test]
fn read_fourth_middle_block() {
    check(32_768 + 1, 3);
}

#[test]
fn read_fourth_last_block() {
    check(2 * 32_768 + 1, 3);
}

#[test]
fn read_fourth_start() {
    check(2 * (7 + 1000) + (2 * 32_768 - 1000) + 3 * 7, 3);
}

#[test]
fn read_initial_offset_into_block_padding() {
    check(3 * 32_768 - 3, 5);
}

#[test]
fn a_header_that_fills_a_block_is_no_padding() {
    // Exactly a header's room is left: the last place in a block where a record starts.
    let mut log = Log::new();
    log.write(big("x", BLOCK_SIZE - 2 * HEADER_SIZE));
    log.write("y");
    log.initial_offset = 32_768 - 7;
    assert_eq!(log.next(), Ok(Some((32_768 - 7, b"y".to_vec()))));
    log.expect_end();
    log.expect_dropped(0, &[]);
}

#[test]
fn what_is_wrong_in_front_of_the_offset_is_passed_over() {
    for (initial_offset, dropped) in [(0, vec![32_768]), (1, vec![]), (32_760, vec![])] {
        let mut log = Log::new();
        log.write(big("x", BLOCK_SIZE - HEADER_SIZE));
        log.write("y");
        log.change(|file| file[100] ^= 1);
        log.initial_offset = initial_offset;
        log.expect("y");
        log.expect_end();
        let bytes: Vec<_> = log.dropped.iter().map(|dropped| dropped.bytes).collect();
        assert_eq!(bytes, dropped, "from {initial_offset}");
    }
}

#[test]
fn read_end() {
    check_past_end(0);
}

#[test]
fn read_past_end() {
    check_past_end(5);
}
