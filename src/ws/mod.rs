//! The stream.
//!
//! [`wire`] knows what a text says, [`session`] decides what to do about it, [`socket`] does it.

mod backoff;
mod channel;
mod event;
mod plain;
mod queue;
mod session;
mod socket;
mod stream;
mod subscriptions;
mod tap;
pub(crate) mod wire;

pub use channel::Channel;
pub use event::{CloseReason, Event, Lag, Outage, SubscriptionFailed, Timed, Undecodable, Unknown};
pub(crate) use socket::Target;
pub use stream::{Iter, Stream, StreamBuilder, StreamHandle};
pub use tap::Direction;
