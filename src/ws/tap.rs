//! A look at every raw text that a stream sends and receives.

/// Which way a text went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Direction {
    /// A connection is tried; the text is its URL.
    Connect,
    /// The client sent the text.
    Sent,
    /// The server sent the text.
    Received,
    /// The connection broke, or the attempt at one failed; the text says why. Told where the stream goes on trying, by
    /// [`Event::Disconnected`](crate::Event::Disconnected) or [`Event::ConnectFailed`](crate::Event::ConnectFailed).
    Closed,
}

/// Called with each text and the time, UTC nanoseconds, by whoever sends or reads it.
pub(crate) type Tap = Box<dyn FnMut(Direction, &str, u64) + Send>;
