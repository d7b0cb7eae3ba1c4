//! An exchange in the process, which speaks the exchange's protocol on loopback.

// Public for the benchmark only; no part of the crate's API.
#[doc(hidden)]
pub mod engine;
