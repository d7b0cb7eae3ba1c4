//! The protocol reference, row by row: what a client sends as raw JSON over real sockets, what the sandbox has to answer,
//! and the code of every refusal that a client can provoke. Nothing of the crate is used but the sandbox's handles.
//!
//! Where the reference leaves something open, nothing is asserted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../support/raw.rs"]
mod raw;

mod account;
mod agreement;
mod answers;
mod balances;
mod caller;
mod depth;
mod limits;
mod market;
mod orders;
mod private;
mod queries;
mod requests;
mod session;
mod shape;
mod signing;
mod stream;
