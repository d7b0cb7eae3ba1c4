//! The stream as a program sees it: its events, for one thread.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::event::Event;
use super::handle::StreamHandle;
use super::queue::{Arrival, EventReceiver};
use super::replay::Next;
use crate::error::Result;

/// A stream of events, read by one thread. Its own thread keeps the connection.
///
/// It is its own [`StreamHandle`] too: `stream.subscribe(..)`, `stream.place(..)`. Iterating gives every event until the
/// last, [`Event::Closed`]. Dropping the stream closes the connection
/// politely and waits for its thread, at most about half a second.
///
/// ```no_run
/// use bitmax::{Channel, Client, Endpoint, Event};
/// let client = Client::builder(Endpoint::ASCENDEX).build()?;
/// let stream = client.stream().subscribe(Channel::bbo(["BTC/USDT"])).connect()?;
/// for event in &stream {
///     match event {
///         Event::Bbo(bbo) => println!("{} {:?} {:?}", bbo.symbol, bbo.bid, bbo.ask),
///         Event::Disconnected(outage) => eprintln!("{}, again in {:?}", outage.error, outage.retry_in),
///         _ => {}
///     }
/// }
/// # Ok::<(), bitmax::Error>(())
/// ```
pub struct Stream {
    pub(super) events: Events,
    pub(super) handle: StreamHandle,
    /// `None` where nothing is to be waited for: a recording is played by its reader.
    pub(super) thread: Option<JoinHandle<()>>,
}

/// Where events come from.
pub(super) enum Events {
    /// From the thread that owns the socket.
    Live(EventReceiver),
    /// From a recording, which is played by whoever reads.
    Replay(RefCell<Next>),
}

impl Stream {
    /// Waits for the next event.
    ///
    /// # Errors
    /// [`RecvError`] after the last event.
    pub fn recv(&self) -> Result<Event, RecvError> {
        self.next(None).map_err(|_| RecvError)
    }

    /// The next event, if one is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when none is; [`TryRecvError::Disconnected`] after the last event.
    pub fn try_recv(&self) -> Result<Event, TryRecvError> {
        self.next(Some(Duration::ZERO)).map_err(|e| match e {
            RecvTimeoutError::Timeout => TryRecvError::Empty,
            RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// Waits for the next event, but not longer than `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when none came; [`RecvTimeoutError::Disconnected`] after the last event.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.next(Some(timeout))
    }

    /// The next event, waited for no longer than that; for ever where no time is given.
    fn next(&self, timeout: Option<Duration>) -> Result<Event, RecvTimeoutError> {
        loop {
            if let Arrival::Event(event) = self.recv_arrival(timeout)? {
                return Ok(event);
            }
        }
    }

    /// The next of whatever there is, waited for no longer than that.
    pub(crate) fn recv_arrival(&self, timeout: Option<Duration>) -> Result<Arrival, RecvTimeoutError> {
        match &self.events {
            Events::Live(events) => events.recv_arrival(timeout),
            Events::Replay(next) => next.borrow_mut()(timeout),
        }
    }

    /// Every event until the last. The same as `&stream` in a `for` loop.
    pub fn iter(&self) -> Iter<'_> {
        Iter { stream: self }
    }

    /// The stream's other side, for any thread: it subscribes, asks and closes.
    pub fn handle(&self) -> StreamHandle {
        self.handle.clone()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the stream's thread failed");
        }
    }
}

/// The events of a [`Stream`], one after another. Made by [`Stream::iter`].
#[derive(Debug)]
pub struct Iter<'a> {
    stream: &'a Stream,
}

impl Iterator for Iter<'_> {
    type Item = Event;
    fn next(&mut self) -> Option<Event> {
        self.stream.recv().ok()
    }
}

/// What can be asked of a stream can be asked of its own end too.
impl Deref for Stream {
    type Target = StreamHandle;
    fn deref(&self) -> &StreamHandle {
        &self.handle
    }
}

impl<'a> IntoIterator for &'a Stream {
    type Item = Event;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

const _: () = {
    const fn sent_to_a_thread<T: Send>() {}
    sent_to_a_thread::<Stream>();
};
