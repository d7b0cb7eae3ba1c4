//! The stream's other side: what any thread can ask of it.

use std::fmt;
use std::time::Duration;

use super::book::{Book, Handles};
use super::channel::{Channel, Topic};
use super::session::Command;
use super::socket::Remote;
use super::stats::StreamStats;
use crate::client::Client;
use crate::config::LONGEST;
use crate::error::{Error, InvalidInput, Result};
use crate::symbol::Symbol;

#[cfg(doc)]
use super::{builder::StreamBuilder, event::Event, stream::Stream};

/// What can be asked of a [`Stream`] from any thread, while another reads the events. Cheap to clone.
#[derive(Clone)]
pub struct StreamHandle {
    pub(super) remote: Remote,
    pub(super) client: Client,
    /// Whether it is for an account.
    pub(super) private: bool,
    pub(super) request_timeout: Duration,
    pub(super) wait_when_limited: bool,
    pub(super) books: Handles,
}

impl StreamHandle {
    /// Subscribes to a channel: now, and again after each reconnection. [`Event::Subscribed`] or
    /// [`Event::SubscriptionFailed`] follows for each of its arguments; what is subscribed to already stays as it
    /// is. Lists of any length are split as the protocol needs it. The protocol's `sub`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad channel; [`Error::Closed`] when the stream has ended.
    pub fn subscribe(&self, channel: Channel) -> Result<()> {
        self.remote.command(Command::Subscribe(self.allowed(channel)?))
    }

    /// The subscriptions of a channel, if this stream may have them.
    fn allowed(&self, channel: Channel) -> Result<Vec<Topic>, InvalidInput> {
        let topics = channel.into_topics()?;
        if !self.private && topics.iter().any(Topic::is_private) {
            return Err(InvalidInput::new("ch", "the stream is not authenticated"));
        }
        Ok(topics)
    }

    /// Ends the subscription to a channel. [`Event::Unsubscribed`] follows; data under way can still arrive. The
    /// protocol's `unsub`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad channel; [`Error::Closed`] when the stream has ended.
    pub fn unsubscribe(&self, channel: Channel) -> Result<()> {
        self.remote.command(Command::Unsubscribe(channel.into_topics()?))
    }

    /// Asks for one snapshot of a product's book, which arrives as [`Event::Depth`], 1 to 2 seconds later
    /// on the exchange. Should the connection break or the server not answer, it is asked for again. The
    /// protocol's request `depth-snapshot`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad symbol; [`Error::Closed`] when the stream has ended.
    pub fn request_snapshot<S: TryInto<Symbol>>(&self, symbol: S) -> Result<()>
    where
        Error: From<S::Error>,
    {
        self.remote.command(Command::Snapshot(symbol.try_into()?))
    }

    /// The order book of a product, kept on the stream's own thread from its changes gathered over 300 ms: it subscribes,
    /// asks for the snapshot, joins the two, and begins anew after a loss. See [`Book`]. However often it is asked for,
    /// the stream keeps it once.
    ///
    /// Its messages are not delivered as events, unless the channel is [subscribed](Self::subscribe) to as well; what
    /// becomes of the subscription is, as of any other. The protocol's `depth` and `depth-snapshot`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad symbol; [`Error::Closed`] when the stream has ended.
    pub fn book<S: TryInto<Symbol>>(&self, symbol: S) -> Result<Book>
    where
        InvalidInput: From<S::Error>,
    {
        self.books(Channel::depth([symbol]))?.pop().ok_or(Error::Closed)
    }

    /// The order book of a product, kept from its changes as they happen; else like [`book`](Self::book). The protocol's
    /// `depth-realtime` and `depth-snapshot-realtime`.
    ///
    /// # Errors
    /// As [`book`](Self::book); [`Error::InvalidInput`] when the stream is not
    /// [authenticated](StreamBuilder::authenticate).
    pub fn book_realtime<S: TryInto<Symbol>>(&self, symbol: S) -> Result<Book>
    where
        InvalidInput: From<S::Error>,
    {
        self.books(Channel::depth_realtime([symbol]))?.pop().ok_or(Error::Closed)
    }

    /// The order books of a depth channel, in its order: [`Channel::depth`], as by [`book`](Self::book), or
    /// [`Channel::depth_realtime`], as by [`book_realtime`](Self::book_realtime). To be preferred for many, which are
    /// then subscribed to ten at a time.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad symbol, another channel, or `depth-realtime` on a stream that is not
    /// [authenticated](StreamBuilder::authenticate); [`Error::Closed`] when the stream has ended.
    pub fn books(&self, channel: Channel) -> Result<Vec<Book>> {
        let topics = self.allowed(channel)?;
        let keys: Option<Vec<_>> = topics.iter().map(Topic::book).collect();
        let keys = keys.ok_or_else(|| InvalidInput::new("ch", "a book is of depth or depth-realtime"))?;
        self.books.books(&keys, &self.remote)
    }

    /// Asks the server for a sign of life, whose time [`stats`](Self::stats) then tells. The stream does so by itself
    /// only when the server has been [silent](StreamBuilder::ping_after). Nothing is sent while there is no connection,
    /// or beyond the [limits](StreamBuilder::limits). The protocol's `ping`.
    ///
    /// # Errors
    /// [`Error::Closed`] when the stream has ended.
    pub fn ping(&self) -> Result<()> {
        self.remote.command(Command::Ping)
    }

    /// How the stream does: messages, lag, queue, round trip. It costs a few loads, and disturbs nobody.
    pub fn stats(&self) -> StreamStats {
        self.remote.counters.read(self.client.stream_shared().began.elapsed())
    }

    /// The same handle with another time for the answers of requests made through it, in place of the
    /// [stream's](StreamBuilder::request_timeout); at most a day.
    pub fn with_request_timeout(&self, timeout: Duration) -> Self {
        Self { request_timeout: timeout.min(LONGEST), ..self.clone() }
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// The exchange's time, UTC milliseconds.
    pub(crate) fn now_millis(&self) -> u64 {
        self.client.now_millis()
    }

    /// Ends the stream: [`Event::Closed`] is its last event. A stream that has ended stays so.
    pub fn close(&self) {
        if self.remote.command(Command::Close).is_err() {
            log::trace!("the stream has ended already");
        }
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandle").finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared_among_threads<T: Clone + Send + Sync>() {}
    shared_among_threads::<StreamHandle>();
};
