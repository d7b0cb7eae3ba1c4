//! The stream.

// The client's side is written by the session.
#[allow(dead_code)]
pub(crate) mod wire;
