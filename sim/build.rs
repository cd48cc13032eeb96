//! Notes the commit that the simulator is built from, for `sim --version`.

/// What counts as a change of the commit: not what long commands keep of their results, or each
/// would be of another tree than the first.
const SOURCES: [&str; 2] = [":(top)", ":(top,exclude)*.jsonl"];

fn main() {
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changes =
        git(&[&["status", "--porcelain", "--untracked-files=no", "--"], &SOURCES[..]].concat());
    let commit = match (commit, changes.as_deref()) {
        (Some(commit), Some("")) => commit,
        (Some(commit), _) => commit + "-dirty",
        (None, _) => "unknown".to_owned(),
    };
    println!("cargo::rustc-env=FAULTLINE_COMMIT={commit}");
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/refs/heads");
    println!("cargo::rerun-if-changed=src");
}

/// What `git` prints; `None` if there is none, or no repository.
fn git(words: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(words).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    String::from_utf8(text).ok().map(|text| text.trim().to_owned())
}
