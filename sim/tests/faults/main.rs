//! What an injected fault does: what its call returns, and what it leaves on the disk.
//!
//! Each test runs a simulated process of a few calls, one of them struck by a script, and looks at
//! the disk afterwards: at what is there, and at all that a power loss could leave of it. A fault
//! that is swallowed on its way, and one that does more than its kind says, fail here.

#![cfg(test)]

mod calls;
mod logs;
mod nothing;
mod strays;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use faultline::env::{Clock as _, Env, Threads};
use faultline::{Error, Result};
use faultline_sim::disk::{
    BTRFS, DEVICE_LIES, Disk, EXT4_JOURNAL, EXT4_ORDERED, POSIX_WEAK, Profile, XFS,
};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::{FaultPlan, Phase};
use faultline_sim::kernel::{End, Kernel, Limits};
use faultline_sim::policy::PolicyName;
use faultline_sim::run::on_fresh_thread;
use faultline_sim::scenario::embedded;
use faultline_sim::trace::Trace;
use faultline_sim::workload::Plan;
use faultline_sim::world::{World, with_world};

const BYTES: &[u8] = b"12345678";

/// Runs `body` as a simulated process. Of the calls that `kind` can strike it strikes the `nth`,
/// with the drawn number `draw`. Returns the disk as it is then.
fn struck(
    profile: &'static Profile,
    fault: (&str, u32, u32),
    body: impl FnOnce(SimEnv) + Send + 'static,
) -> Disk {
    let (disk, delivered) = run(profile, fault, body);
    assert_eq!(delivered, 1, "one call was struck");
    disk
}

/// The same, with how many calls were struck.
fn run(
    profile: &'static Profile,
    (kind, nth, draw): (&str, u32, u32),
    body: impl FnOnce(SimEnv) + Send + 'static,
) -> (Disk, usize) {
    run_script(profile, script(kind, nth, draw), body)
}

fn script(kind: &str, nth: u32, draw: u32) -> String {
    format!("[[script]]\nkind = \"{kind}\"\nnth = {nth}\ndraw = {draw}\n")
}

/// The same, with all that a table of faults says.
fn run_script(
    profile: &'static Profile,
    faults: String,
    body: impl FnOnce(SimEnv) + Send + 'static,
) -> (Disk, usize) {
    on_fresh_thread(move |_| {
        let scenarios = embedded().expect("the scenarios of the repository");
        let mut plan = Plan::draw(&scenarios[0], 1);
        (plan.profile, plan.capacity) = (profile, None);
        let faults = FaultPlan::new(&toml::from_str(&faults).expect("a script"));
        let kernel = Kernel::new(PolicyName::Random.build(1), Trace::new(false));
        let world = World::new(plan, faults, Vec::new(), Disk::new(profile));
        let end = world.enter(|| {
            kernel.start_process(Limits::NONE, move || body(SimEnv::default()));
            std::iter::repeat_with(|| kernel.run_slice(1000)).find_map(|end| end)
        });
        assert_eq!(end, Some(End::Returned(vec![])));
        let delivered = world.faults.borrow().script().len();
        (world.disk.into_inner(), delivered)
    })
}

fn path(name: &str) -> &Path {
    Path::new(name)
}

/// A new file that holds [`BYTES`], of which nothing is synced.
fn write(env: SimEnv, name: &str) -> Box<dyn faultline::env::WritableFile> {
    let mut file = env.create(path(name)).expect("creates");
    file.append(BYTES).expect("appends");
    file
}

fn is_io<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Io { .. }))
}

/// What a power loss now may leave of `/f`, with a dot for each zero; `(none)` for no such file.
fn left(disk: &Disk) -> Vec<String> {
    let space = disk.crash_space();
    let mut left = BTreeSet::new();
    let walked = space.walk(&mut |fates| {
        // Garbage is of no interest here.
        if space.report(fates).garbage.is_empty() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', ".");
            left.insert(space.disk(fates).bytes("/f").map_or("(none)".to_owned(), text));
        }
        ControlFlow::Continue(())
    });
    assert!(walked.is_continue(), "the walk is never broken off");
    left.into_iter().collect()
}

#[test]
fn a_failed_append_says_so_and_writes_as_much_as_its_kind_says() {
    let half = 1 << 31;
    for (kind, is_full, kept) in [
        ("short_append", false, 4),
        ("full_append", false, 8),
        ("append_error", false, 0),
        ("no_space_append", true, 4),
    ] {
        let disk = struck(&POSIX_WEAK, (kind, 1, half), move |env| {
            let mut file = env.create(path("/f")).expect("creates");
            let error = file.append(BYTES).expect_err("is struck");
            assert_eq!(matches!(error, Error::NoSpace { .. }), is_full, "{kind}: {error}");
            assert_eq!(env.size(path("/f")), Ok(kept as u64), "{kind}");
        });
        assert_eq!(disk.bytes("/f"), Ok(&BYTES[..kept]), "{kind}");
    }
}

#[test]
fn a_failed_sync_says_so_and_the_next_one_does_not_make_up_for_it() {
    let disk = struck(&POSIX_WEAK, ("sync_error", 1, 0), |env| {
        let mut file = write(env, "/f");
        env.sync_dir(path("/")).expect("syncs");
        assert!(is_io(&file.sync()));
        file.sync().expect("syncs");
    });
    assert_eq!(left(&disk), ["........", "12345678"]);
}

#[test]
fn a_failed_sync_on_btrfs_takes_back_what_it_was_to_write() {
    let disk = struck(&BTRFS, ("sync_error", 2, 0), |env| {
        let mut file = write(env, "/f");
        file.sync().expect("syncs");
        file.append(BYTES).expect("appends");
        assert!(is_io(&file.sync()));
        assert_eq!(env.size(path("/f")), Ok(8), "readers see the old bytes");
        with_world(|world| assert_eq!(world.disk.borrow().used(), 8, "it gives the room back"));
        file.append(b"new").expect("appends");
        file.sync().expect("syncs");
    });
    assert_eq!(left(&disk), ["12345678........new"], "the writer goes on where it was");
}

#[test]
fn a_failed_sync_on_ext4_with_a_journal_is_told_by_the_next_one_and_once() {
    let disk = struck(&EXT4_JOURNAL, ("sync_error", 1, 0), |env| {
        let mut file = write(env, "/f");
        file.sync().expect("the journal has it");
        let mut other = write(env, "/g");
        other.sync().expect("another file");
        file.append(b"new").expect("appends");
        assert!(is_io(&file.sync()), "it tells of the one before");
        file.sync().expect("once");
    });
    // The page was dirtied again, and written whole by the last sync.
    assert_eq!(left(&disk), ["12345678new"]);
    let disk = struck(&EXT4_JOURNAL, ("sync_error", 1, 0), |env| {
        let mut file = write(env, "/f");
        file.sync().expect("the journal has it");
        assert!(is_io(&file.sync()), "it tells of the one before");
        file.sync().expect("once");
    });
    assert_eq!(left(&disk), ["........", "12345678"], "nobody wrote the page again");
}

#[test]
fn write_back_that_fails_is_told_by_the_next_sync_and_once() {
    let disk = struck(&POSIX_WEAK, ("write_back_error", 1, 0), |env| {
        let mut file = write(env, "/f");
        assert_eq!(env.size(path("/f")), Ok(8), "the cache has the bytes");
        env.sync_dir(path("/")).expect("syncs");
        assert!(is_io(&file.sync()), "it tells");
        file.sync().expect("once");
    });
    assert_eq!(left(&disk), ["........", "12345678"], "nobody wrote the page again");
}

#[test]
fn a_sync_refused_by_a_read_only_file_system_leaves_what_the_profile_says() {
    for (profile, expected) in [
        (&XFS, &["", "(none)", "12345678"][..]),
        (&BTRFS, &["", "(none)", "........", "12345678"]),
        (&EXT4_JOURNAL, &["", "(none)", "12345678"]),
    ] {
        let disk = struck(profile, ("read_only", 3, 0), |env| {
            let mut file = write(env, "/f");
            assert!(file.sync().is_err(), "is refused");
            assert_eq!(env.size(path("/f")), Ok(8), "nothing is taken back");
        });
        assert_eq!(left(&disk), expected, "{}", profile.name);
    }
}

#[test]
fn a_failed_sync_of_a_directory_says_so_and_the_next_one_does_what_the_profile_says() {
    let run = |profile| {
        let disk = struck(profile, ("sync_dir_error", 1, 0), |env| {
            env.create(path("/f")).map(drop).expect("creates");
            assert!(is_io(&env.sync_dir(path("/"))));
            env.sync_dir(path("/")).expect("syncs");
        });
        left(&disk)
    };
    assert_eq!(run(&POSIX_WEAK), ["", "(none)"]);
    assert_eq!(run(&EXT4_ORDERED), [""]);
}

#[test]
fn a_sync_that_is_not_struck_keeps_what_it_covers() {
    // Another call is struck: these go through all the same.
    let disk = struck(&POSIX_WEAK, ("list_error", 1, 0), |env| {
        let mut file = write(env, "/f");
        file.sync().expect("syncs");
        env.sync_dir(path("/")).expect("syncs");
        assert!(is_io(&env.list(path("/"))));
    });
    assert_eq!(left(&disk), ["12345678"]);
}

#[test]
fn a_sync_covers_what_was_there_when_it_began() {
    // A stall keeps the sync under way until the file is cut.
    let disk = struck(&POSIX_WEAK, ("long_stall", 4, 0), |env| {
        let mut file = write(env, "/f");
        env.sync_dir(path("/")).expect("syncs");
        let begun = env.clock().now();
        let cut = <SimEnv as Env>::Threads::spawn("cut", move || {
            <SimEnv as Env>::Threads::sleep(Duration::from_millis(1));
            env.truncate(path("/f"), 2).expect("cuts");
        })
        .expect("a thread");
        file.sync().expect("syncs");
        assert!(begun + Duration::from_millis(20) <= env.clock().now(), "it takes that long");
        <SimEnv as Env>::Threads::join(cut).expect("returns");
    });
    assert_eq!(disk.size("/f"), Ok(2));
    assert_eq!(left(&disk), ["12", "12345678"], "the cut came later");
}

#[test]
fn a_sync_that_lies_says_ok_and_keeps_nothing() {
    let run = |profile, draw, lies| {
        let (disk, delivered) = run(profile, ("sync_lie", 2, draw), |env| {
            let mut file = env.create(path("/f")).expect("creates");
            env.sync_dir(path("/")).expect("syncs");
            file.append(&BYTES[..4]).expect("appends");
            file.sync().expect("lies");
            file.append(&BYTES[4..]).expect("appends");
            file.sync().expect("syncs");
        });
        assert_eq!(delivered, lies);
        left(&disk)
    };
    assert_eq!(run(&DEVICE_LIES, 0, 1), ["12345678"], "one lie, made good");
    let lost = run(&DEVICE_LIES, 1 << 31, 1);
    assert!(lost.contains(&String::new()), "it goes on lying: {lost:?}");
    assert_eq!(run(&POSIX_WEAK, 1 << 31, 0), ["12345678"], "an honest device");
}

#[test]
fn a_failed_call_on_a_name_says_so_and_changes_what_its_kind_says() {
    for (kind, nth, expected) in [
        ("no_space_create", 3, ["/f", "/old"].as_slice()),
        ("create_error", 3, &["/f", "/old"]),
        ("too_many_open", 3, &["/f", "/old"]),
        ("rename_not_done", 1, &["/f", "/new"]),
        ("rename_done", 1, &["/new"]),
        ("remove_error", 1, &["/new", "/old"]),
    ] {
        let disk = struck(&POSIX_WEAK, (kind, nth, 0), move |env| {
            write(env, "/f").close().expect("closes");
            write(env, "/old").close().expect("closes");
            let create = env.create(path("/new")).map(drop);
            if nth == 3 {
                return assert!(create.is_err(), "{kind}");
            }
            create.expect("creates");
            let rename = env.rename(path("/f"), path("/new"));
            assert_eq!(is_io(&rename), kind.starts_with("rename"), "{kind}");
            assert_eq!(is_io(&env.remove(path("/old"))), kind == "remove_error", "{kind}");
        });
        let there = ["/f", "/new", "/old"].into_iter().filter(|name| disk.exists(name));
        assert_eq!(there.collect::<Vec<_>>(), expected, "{kind}");
    }
}

#[test]
fn a_failed_look_is_an_error_and_no_answer() {
    let disk = struck(&POSIX_WEAK, ("exists_error", 1, 0), |env| {
        write(env, "/f").close().expect("closes");
        assert!(is_io(&env.exists(path("/f"))));
        assert_eq!(env.exists(path("/f")), Ok(true));
    });
    assert_eq!(disk.bytes("/f"), Ok(BYTES));
    struck(&POSIX_WEAK, ("size_error", 1, 0), |env| {
        write(env, "/f").close().expect("closes");
        assert!(is_io(&env.size(path("/f"))));
    });
    struck(&POSIX_WEAK, ("open_error", 1, 0), |env| {
        write(env, "/f").close().expect("closes");
        assert!(is_io(&env.open_sequential(path("/f"))));
        assert!(env.open_sequential(path("/f")).is_ok());
    });
    struck(&POSIX_WEAK, ("too_many_open", 2, 0), |env| {
        write(env, "/f").close().expect("closes");
        let open = env.open_random_access(path("/f"));
        assert!(matches!(open, Err(Error::TooManyOpen { .. })));
    });
    struck(&POSIX_WEAK, ("read_error", 1, 0), |env| {
        write(env, "/f").close().expect("closes");
        let mut file = env.open_sequential(path("/f")).expect("opens");
        let mut buffer = [0; 8];
        assert!(is_io(&file.read(&mut buffer)));
        assert_eq!((file.read(&mut buffer), &buffer[..]), (Ok(8), BYTES));
    });
}

#[test]
fn a_failed_close_has_closed_the_file() {
    let disk = struck(&POSIX_WEAK, ("close_error", 1, 0), |env| {
        let file = write(env, "/f");
        assert!(is_io(&file.close()));
        env.remove(path("/f")).expect("removes");
    });
    assert_eq!(disk.used(), 0, "nobody holds it open");
}

#[test]
fn a_file_system_that_turned_read_only_refuses_every_change_and_is_read_all_the_same() {
    let disk = struck(&POSIX_WEAK, ("read_only", 4, 0), |env| {
        env.create_dir(path("/d")).expect("creates");
        env.lock(path("/d/LOCK")).map(drop).expect("locks");
        // These are the second and the third call that can be struck.
        let mut file = write(env, "/f");
        for (call, result) in [
            ("append", file.append(b"more")),
            ("sync", file.sync()),
            ("create", env.create(path("/g")).map(drop)),
            ("create over", env.create(path("/f")).map(drop)),
            ("rename", env.rename(path("/f"), path("/g"))),
            ("remove", env.remove(path("/f"))),
            ("create_dir", env.create_dir(path("/e"))),
            ("remove_dir", env.remove_dir(path("/d"))),
            ("sync_dir", env.sync_dir(path("/"))),
            ("lock", env.lock(path("/d/LOCK")).map(drop)),
        ] {
            let is_refused =
                matches!(result, Err(Error::Io { kind: ErrorKind::ReadOnlyFilesystem, .. }));
            assert!(is_refused, "{call}: {result:?}");
        }
        file.close().expect("closes");
        env.lock_shared(path("/d/LOCK")).map(drop).expect("looks");
        let mut bytes = [0; 9];
        let read = env.open_random_access(path("/f")).expect("opens").read_at(0, &mut bytes);
        assert_eq!((read, &bytes[..8]), (Ok(BYTES.len()), BYTES));
        assert_eq!(env.list(path("/")).map(|names| names.len()), Ok(2));
        assert_eq!((env.exists(path("/g")), env.size(path("/f"))), (Ok(false), Ok(8)));
    });
    // What the refused sync was to write may have come to the medium, or not.
    assert_eq!(left(&disk), ["", "(none)", "........", "12345678"]);
}

#[test]
fn rot_of_what_is_read_stays_and_the_bytes_are_as_they_were() {
    let disk = struck(&POSIX_WEAK, ("bit_rot", 3, 1), |env| {
        with_world(|world| world.phase.set(Phase::Run));
        let mut file = write(env, "/f");
        let reader = env.open_random_access(path("/f")).expect("opens");
        let mut bytes = [0; 8];
        // It lies in the cache alone.
        assert_eq!((reader.read_at(0, &mut bytes), &bytes[..]), (Ok(8), BYTES));
        file.sync().expect("syncs");
        assert_eq!(reader.read_at(8, &mut bytes), Ok(0), "behind the end there is nothing");
        let mut seen = Vec::new();
        for _ in 0..3 {
            assert_eq!(reader.read_at(0, &mut bytes), Ok(8));
            seen.push(bytes);
        }
        assert!(seen[0] != BYTES && seen.iter().all(|bytes| *bytes == seen[0]), "{seen:?}");
        with_world(|world| assert_eq!(world.provocations(), 3, "each of them met it"));
    });
    assert_eq!((disk.bytes("/f"), disk.flaws().len()), (Ok(BYTES), 1));
    assert_eq!(left(&disk), ["(none)", "12345678"]);
}

#[test]
fn damage_strikes_only_what_is_on_the_medium_and_no_open_has_read_yet() {
    let strikes = |phase, is_synced, name: &'static str| {
        let (disk, delivered) = run(&POSIX_WEAK, ("bit_rot", 2, 0), move |env| {
            with_world(|world| world.phase.set(phase));
            let mut file = write(env, name);
            if is_synced {
                file.sync().expect("syncs");
            }
            let reader = env.open_random_access(path(name)).expect("opens");
            for _ in 0..3 {
                assert_eq!(reader.read_at(0, &mut [0; 8]), Ok(8));
            }
        });
        assert_eq!(disk.flaws().len(), delivered, "what strikes nothing does not count");
        delivered == 1
    };
    assert!(strikes(Phase::Run, true, "/000003.log"));
    assert!(!strikes(Phase::Run, false, "/000003.log"), "it is in the cache alone");
    assert!(!strikes(Phase::Recovery, true, "/000003.log"), "what is read once is in the cache");
    assert!(strikes(Phase::Recovery, true, "/000003.ldb"), "a table is read again and again");
}

#[test]
fn a_latent_error_fails_every_read_until_the_sector_is_written() {
    let disk = struck(&POSIX_WEAK, ("latent_error", 1, 0), |env| {
        let mut file = write(env, "/f");
        file.sync().expect("syncs");
        let mut bytes = [0; 8];
        for _ in 0..2 {
            let mut reader = env.open_sequential(path("/f")).expect("opens");
            assert!(is_io(&reader.read(&mut bytes)));
        }
        with_world(|world| assert_eq!(world.provocations(), 2, "each of them is a fault"));
        file.append(b"9").expect("appends");
        let reader = env.open_random_access(path("/f")).expect("opens");
        assert_eq!((reader.read_at(0, &mut bytes), &bytes[..]), (Ok(8), BYTES));
    });
    assert_eq!(disk.flaws(), []);
}
