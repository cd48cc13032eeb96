//! What a child process gets.

use std::process::Command;

use faultline::env::Env;

use crate::{scratch, undisturbed};

#[test]
fn a_child_process_inherits_no_file() {
    let _alone = undisturbed();
    let (env, dir) = scratch();
    let at = |name: &str| dir.path().join(name);
    let written = env.create(&at("file")).expect("opened");
    let read = env.open_sequential(&at("file")).expect("opened");
    let read_anywhere = env.open_random_access(&at("file")).expect("opened");
    let alone = env.lock(&at("LOCK")).expect("free");
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("ran");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("0 -> "), "its own files are listed: {listed}");
    let ours = dir.path().file_name().expect("a folder").to_str().expect("text");
    assert!(!listed.contains(ours), "{listed}");
    drop((written, read, read_anywhere, alone));
}
