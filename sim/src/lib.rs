//! The deterministic simulator of the Faultline engine.

#[cfg(not(madsim))]
compile_error!(
    "faultline-sim is built with `--cfg madsim`. The repository's .cargo/config.toml sets it; an \
     environment RUSTFLAGS replaces that file's line, so add `--cfg madsim` to it (and to \
     RUSTDOCFLAGS)."
);

pub mod disk;
pub mod fault;
pub mod naive;
