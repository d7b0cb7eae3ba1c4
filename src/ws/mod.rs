//! The stream.
//!
//! [`wire`] knows what a text says, [`session`] decides what to do about it, [`socket`] does it.

mod backoff;
mod book;
mod books;
mod builder;
mod channel;
mod event;
mod handle;
mod limits;
mod pending;
mod plain;
mod queue;
mod replay;
mod reply;
mod request;
mod session;
mod settle;
mod socket;
mod stats;
mod stream;
mod subscriptions;
mod tap;
pub(crate) mod wire;

pub use book::Book;
pub use builder::StreamBuilder;
pub use channel::Channel;
pub use event::{CloseReason, Event, Lag, Outage, SubscriptionFailed, Timed, Undecodable, Unknown};
pub use handle::StreamHandle;
pub use limits::MessageLimits;
pub(crate) use pending::Token;
pub(crate) use queue::Arrival;
pub use reply::Reply;
pub(crate) use request::{list, placed, rows};
pub use session::Authentication;
pub(crate) use session::Identity as StreamIdentity;
#[cfg(fuzzing)]
pub use session::fuzz_session;
pub(crate) use socket::{Answer as StreamAnswer, Shared as StreamShared, Target};
pub use stats::StreamStats;
pub use stream::{Iter, Stream};
pub use tap::Direction;
