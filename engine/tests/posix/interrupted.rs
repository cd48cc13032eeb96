//! Signals that strike while a call waits: what was asked for is done in full all the same.
//!
//! A call waits on a named pipe: for its other end to open it, for bytes to read them, for room to
//! write.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use faultline::env::Env;

use crate::interrupt::{Interruptible, OPEN, READ, WRITE};
use crate::{make_pipe, scratch};

#[test]
fn a_read_goes_on_until_it_is_full_or_the_file_ends() {
    let (env, dir) = scratch();
    let path = dir.path().join("pipe");
    make_pipe(&path);
    let theirs = path.clone();
    let reader = Interruptible::spawn(move || {
        let mut file = env.open_sequential(&theirs).expect("opened");
        let (mut whole, mut ended) = ([0; 10], [0; 10]);
        let counts = (file.read(&mut whole), file.read(&mut ended));
        (counts, whole, ended)
    });
    reader.interrupt(OPEN);
    reader.interrupt(OPEN);
    reader.wait_for(OPEN);
    let mut writer = File::options().write(true).open(&path).expect("opened");
    // Nothing is there yet; then a part is.
    reader.interrupt(READ);
    reader.interrupt(READ);
    writer.write_all(b"0123").expect("written");
    reader.interrupt(READ);
    writer.write_all(b"456789ab").expect("written");
    reader.interrupt(READ);
    drop(writer);
    let (counts, whole, ended) = reader.join();
    assert_eq!(counts, (Ok(10), Ok(2)));
    assert_eq!((&whole, &ended[..2]), (b"0123456789", b"ab".as_slice()));
}

#[test]
fn an_append_writes_all_of_it_once() {
    let (env, dir) = scratch();
    let path = dir.path().join("pipe");
    make_pipe(&path);
    // Several times what a pipe takes, and no part of it like another.
    let data: Arc<[u8]> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let (theirs, bytes) = (path.clone(), Arc::clone(&data));
    let writer = Interruptible::spawn(move || {
        let mut file = env.create(&theirs).expect("opened");
        (file.append(&bytes), file.close())
    });
    writer.interrupt(OPEN);
    writer.wait_for(OPEN);
    let mut reader = File::open(&path).expect("opened");
    let mut found = vec![0; 150_000];
    // The pipe is full: the first signal ends the write early, the next strikes one that has not
    // written anything.
    writer.interrupt(WRITE);
    writer.interrupt(WRITE);
    writer.interrupt(WRITE);
    reader.read_exact(&mut found).expect("read");
    writer.interrupt(WRITE);
    reader.read_to_end(&mut found).expect("read");
    assert_eq!(writer.join(), (Ok(()), Ok(())));
    assert!(found == *data, "{} bytes of {}", found.len(), data.len());
}
