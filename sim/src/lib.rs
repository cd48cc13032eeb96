//! The deterministic simulator of the Faultline engine.

#[cfg(not(madsim))]
compile_error!(
    "faultline-sim is built with `--cfg madsim`. The repository's .cargo/config.toml sets it; an \
     environment RUSTFLAGS replaces that file's line, so add `--cfg madsim` to it (and to \
     RUSTDOCFLAGS)."
);

pub mod arena;
pub mod disk;
pub mod env;
pub mod fault;
pub mod history;
pub mod kernel;
pub mod policy;
pub mod rng;
pub mod scenario;
pub mod trace;
pub mod workload;
pub mod world;
