//! Prints what the simulated disk costs: nanoseconds per append, sync, and crash, and the cost of
//! all disk work in a typical run. Nothing is asserted: the numbers are for people.
//!
//! `cargo run --release -p faultline-sim --example disk_bench`

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the real clock and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use faultline_sim::disk::{Disk, EXT4_ORDERED, Fd, POSIX_WEAK, Pick, Profile, SyncOutcome};

const RUNS: u32 = 20_000;
const APPENDS: u32 = 250;
const RECORD: [u8; 100] = [7; 100];

struct Draws(u64);

impl Pick for Draws {
    fn pick(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % u64::from(n)) as u32
    }
}

/// Mean nanoseconds of `RUNS` calls of `run`, each worth `count` operations.
fn measure(name: &str, count: u32, mut run: impl FnMut()) {
    for _ in 0..RUNS / 10 {
        run();
    }
    let start = Instant::now();
    for _ in 0..RUNS {
        run();
    }
    let nanos = start.elapsed().as_nanos() as f64 / f64::from(RUNS) / f64::from(count);
    println!("{name:<44} {nanos:>10.1} ns");
}

fn append(disk: &mut Disk, fd: Fd, bytes: &[u8]) {
    let write = disk.begin_append(fd, bytes).expect("no capacity is set");
    disk.finish_append(write, bytes.len());
}

fn sync(disk: &mut Disk, fd: Fd) {
    let ticket = disk.begin_sync(fd);
    disk.finish_sync(ticket, SyncOutcome::Ok);
}

fn sync_dir(disk: &mut Disk) {
    let ticket = disk.begin_sync_dir("/db").expect("the directory is there");
    disk.finish_sync(ticket, SyncOutcome::Ok);
}

/// A database is opened: MANIFEST, CURRENT and an empty log.
fn open_database(disk: &mut Disk) -> Fd {
    disk.create_dir("/db").expect("a new disk");
    let manifest = disk.create("/db/MANIFEST-000002").expect("a free name");
    append(disk, manifest, &RECORD);
    sync(disk, manifest);
    let temp = disk.create("/db/000002.dbtmp").expect("a free name");
    append(disk, temp, b"MANIFEST-000002\n");
    sync(disk, temp);
    disk.close(temp);
    disk.rename("/db/000002.dbtmp", "/db/CURRENT").expect("the file is there");
    sync_dir(disk);
    let log = disk.create("/db/000003.log").expect("a free name");
    sync_dir(disk);
    log
}

/// What one run of the simulator asks of the disk, up to the crash.
fn typical_run(disk: &mut Disk, profile: &'static Profile) {
    disk.reset(profile);
    let log = open_database(disk);
    for index in 0..APPENDS {
        append(disk, log, &RECORD);
        if index % 3 == 2 {
            sync(disk, log);
        }
    }
}

fn measure_profile(profile: &'static Profile) {
    println!("{}", profile.name);
    let mut disk = Disk::new(profile);
    measure("  new disk", 1, || {
        black_box(Disk::new(profile));
    });
    measure("  reset and open a database", 1, || {
        disk.reset(profile);
        black_box(open_database(&mut disk));
    });
    disk.reset(profile);
    let log = open_database(&mut disk);
    measure("  append of 100 bytes and sync", 1, || {
        if 1 << 20 < disk.file_size(log) {
            disk.truncate("/db/000003.log", 0).expect("a file");
        }
        append(&mut disk, log, &RECORD);
        sync(&mut disk, log);
    });
    measure("  append of 100 bytes, one sync in 100", 100, || {
        if 1 << 20 < disk.file_size(log) {
            disk.truncate("/db/000003.log", 0).expect("a file");
        }
        for _ in 0..100 {
            append(&mut disk, log, &RECORD);
        }
        sync(&mut disk, log);
    });
    measure("  run: reset, 250 appends, 83 syncs", 1, || typical_run(&mut disk, profile));
    let mut draws = Draws(1);
    measure("  the same and a power loss", 1, || {
        typical_run(&mut disk, profile);
        black_box(disk.power_loss(&mut draws));
    });
    measure("  the same and a process death", 1, || {
        typical_run(&mut disk, profile);
        disk.process_death(&mut draws);
    });
    let mut ready = Disk::new(profile);
    typical_run(&mut ready, profile);
    let log = ready.open("/db/000003.log").expect("the log");
    for _ in 0..6 {
        append(&mut ready, log, &RECORD);
    }
    measure("  clone", 1, || {
        black_box(ready.clone());
    });
    measure("  clone and power loss, 6 appends pending", 1, || {
        let mut disk = ready.clone();
        black_box(disk.power_loss(&mut draws));
    });
    let table = ready.create("/db/000005.ldb").expect("a free name");
    for _ in 0..16 {
        append(&mut ready, table, &[1; 4096]);
    }
    measure("  clone and power loss, a 64 KiB table pending", 1, || {
        let mut disk = ready.clone();
        black_box(disk.power_loss(&mut draws));
    });
}

fn main() {
    measure_profile(&POSIX_WEAK);
    measure_profile(&EXT4_ORDERED);
}
