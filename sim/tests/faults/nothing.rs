//! Faults that find nothing to strike.

use faultline::env::Env;
use faultline_sim::disk::{DEVICE_LIES, EXT4_JOURNAL, POSIX_WEAK};
use faultline_sim::fault::Phase;
use faultline_sim::world::with_world;

use crate::{BYTES, path, run, run_script, script, write};

#[test]
fn a_fault_that_finds_nothing_to_strike_is_not_counted() {
    let lies = |nth| {
        run(&DEVICE_LIES, ("sync_lie", nth, 0), |env| {
            let mut file = write(env, "/f");
            file.sync().expect("syncs");
            file.sync().expect("syncs");
        })
    };
    assert_eq!([lies(1).1, lies(2).1], [1, 0], "a sync of nothing keeps all of it");

    let evicted = |profile, phase, is_lost: bool| {
        let lost = if is_lost { script("write_back_error", 1, 0) } else { String::new() };
        let (disk, delivered) = run_script(profile, lost + &script("eviction", 3, 0), move |env| {
            with_world(|world| world.phase.set(phase));
            drop(write(env, "/f"));
            drop(env.create(path("/g")).expect("creates"));
        });
        let bytes = disk.bytes("/f").expect("a file").to_vec();
        (delivered - usize::from(is_lost), bytes == BYTES)
    };
    assert_eq!(evicted(&POSIX_WEAK, Phase::Run, true), (1, false));
    assert_eq!(evicted(&POSIX_WEAK, Phase::Run, false), (0, true), "no page was lost");
    assert_eq!(evicted(&POSIX_WEAK, Phase::Recovery, true), (0, true), "an open is spared");
    assert_eq!(evicted(&EXT4_JOURNAL, Phase::Run, true), (0, true), "this cache keeps them");

    let (_, delivered) = run(&POSIX_WEAK, ("write_back_error", 1, 0), |env| {
        let mut file = env.create(path("/f")).expect("creates");
        env.remove(path("/f")).expect("removes");
        file.append(BYTES).expect("appends");
        file.sync().expect("nobody has a name for what was lost");
    });
    assert_eq!(delivered, 0);
}
