//! Tiny worlds on the file systems that are not their own.

use faultline_sim::run::on_fresh_thread;

use super::{FEW, search, tiny};

/// On `ext4-journal` a sync of the MANIFEST may fail and be told of later. If the power goes before
/// that, a log that a `resume` has removed is needed again, and what it had made absent is there.
#[test]
fn failed_calls_break_no_promise_on_any_file_system() {
    for name in ["tiny_failed_sync", "tiny_append_fails"] {
        for profile in ["xfs", "ext4-ordered", "btrfs", "ext4-journal"] {
            let mut scenario = tiny(name);
            scenario.spec.disk.profiles = vec![profile.to_owned()];
            let found = on_fresh_thread(move |runner| {
                (0..2).flat_map(|seed| search(runner, &scenario, seed, FEW, 1).1).next()
            });
            assert!(found.is_none(), "{name} on {profile}: {found:?}");
        }
    }
}
