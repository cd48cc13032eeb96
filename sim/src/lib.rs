//! The deterministic simulator of the Faultline engine.

#![expect(
    clippy::disallowed_macros,
    reason = "arena, stack pool, kernel and world are found by the OS thread that simulates; \
              the lint knows no smaller place"
)]

#[cfg(not(madsim))]
compile_error!(
    "faultline-sim is built with `--cfg madsim`. The repository's .cargo/config.toml sets it; an \
     environment RUSTFLAGS replaces that file's line, so add `--cfg madsim` to it (and to \
     RUSTDOCFLAGS)."
);

mod appended;
pub mod arena;
mod canary;
pub mod checker;
pub mod cli;
pub mod commit_order;
pub mod corpus;
mod damage;
pub mod disk;
pub mod divergence;
mod engine_events;
pub mod env;
pub mod exhaust;
pub mod fault;
mod found;
pub mod history;
pub mod host;
mod judge;
pub mod kernel;
mod media;
pub mod minimise;
pub mod model;
pub mod mutant;
pub mod naive;
pub mod necessary;
mod old_logs;
pub mod planned;
pub mod policy;
pub mod probe;
mod process;
pub mod report;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod situation;
mod statistics;
pub mod steer;
pub mod sweep;
pub mod syncs;
pub mod token;
pub mod told;
pub mod trace;
mod verdict;
pub mod workload;
pub mod world;
