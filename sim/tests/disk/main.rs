//! Tests of the simulated disk: the legal images of small programs, in a table and against an
//! enumerator of their own.

#![cfg(test)]

mod brute;
mod calls;
mod crashes;
mod lies;
mod media;
mod program;
mod random;
mod stray;
mod table;
