//! Reads at an offset that give less than was asked for, and go on where they ended.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use faultline::env::Env;

use crate::scratch;

/// How much is read. Large enough to be cut short.
const LEN: usize = 9000;

/// Files of the kernel itself, of which a read gives a page or less at a time.
const GIVEN_IN_PIECES: [&str; 3] = ["/sys/kernel/btf/vmlinux", "/proc/kallsyms", "/proc/crypto"];

#[test]
fn a_read_at_an_offset_goes_on_where_a_short_one_ended() {
    let (env, _dir) = scratch();
    let is_short = |path: &Path| {
        let Ok(file) = File::open(path) else { return false };
        let first = file.read_at(&mut [0; LEN], 100).unwrap_or(0);
        (1..LEN).contains(&first) && fs::read(path).is_ok_and(|all| all.len() > 100 + LEN)
    };
    let path = GIVEN_IN_PIECES.map(Path::new).into_iter().find(|path| is_short(path));
    let path = path.expect("Linux has a file of which it gives a piece at a time");
    let all = fs::read(path).expect("read");
    let expected = &all[100..100 + LEN];
    let file = env.open_random_access(path).expect("opened");
    let mut found = vec![0; LEN];
    assert_eq!(file.read_at(100, &mut found), Ok(LEN));
    assert!(found == expected, "read_at, of {}", path.display());
    let found = file.read_new(100, LEN).expect("read");
    assert!(found == expected, "read_new, of {}: {} bytes", path.display(), found.len());
}
