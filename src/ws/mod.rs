//! The stream.
//!
//! [`wire`] knows what a text says, [`session`] decides what to do about it, [`socket`] does it.

mod backoff;
mod channel;
mod event;
mod limits;
mod pending;
mod plain;
mod queue;
mod replay;
mod reply;
mod request;
mod session;
mod socket;
mod stats;
mod stream;
mod subscriptions;
mod tap;
pub(crate) mod wire;

pub use channel::Channel;
pub use event::{CloseReason, Event, Lag, Outage, SubscriptionFailed, Timed, Undecodable, Unknown};
pub use limits::MessageLimits;
pub use reply::Reply;
pub use session::Authentication;
pub(crate) use session::Identity as StreamIdentity;
#[cfg(fuzzing)]
pub use session::fuzz_session;
pub(crate) use socket::{Shared as StreamShared, Target};
pub use stats::StreamStats;
pub use stream::{Iter, Stream, StreamBuilder, StreamHandle};
pub use tap::Direction;
