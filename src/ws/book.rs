//! A book that a stream keeps: the end that its thread writes, and the handle that any thread reads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::books::Key;
use super::session::Command;
use super::socket::Remote;
use crate::book::{BookChange, BookStatus, OrderBook};
use crate::error::{Error, Refusal, Result};
use crate::model::{Bbo, Depth};
use crate::symbol::Symbol;

/// An order book that a stream keeps: made by [`StreamHandle::book`](crate::StreamHandle::book). Any thread may read it
/// at any time.
///
/// It is kept on the stream's own thread, as messages come in, so it never lags behind for a slow consumer, and nobody
/// needs to read the stream's events for it. When a change is lost, or the connection, it says so, makes no claims, and
/// is built again from a new snapshot. When the last handle of a book is dropped its subscription ends; with the stream
/// the book ends. A program that reads no events lets them gather: a few for each book and each connection.
///
/// What it costs, measured with 200 books of 500 levels a side on one stream, on two cores of a server that the feed shared:
/// 27 kB a book, 0.2 ms to read its snapshot and be live, 1 to 1.5 µs for each change from the socket to the book. Beside a
/// feed of 700 000 changes a second [`bbo`](Self::bbo) took 0.13 µs at the median and 0.5 to 1 µs at the 99th percentile, a
/// [`top`](Self::top) of ten levels 0.4 and 0.9 µs (`cargo bench --bench books`).
///
/// ```no_run
/// # use std::time::Duration;
/// # use bitmax::{Client, Endpoint};
/// let stream = Client::builder(Endpoint::ASCENDEX).build()?.stream().connect()?;
/// let mut book = stream.book("BTC/USDT")?;
/// while book.wait(Duration::from_secs(60))? {
///     let top = book.top(5);
///     println!("{:?} {:?} {:?}", top.status(), top.best_bid(), top.best_ask());
/// }
/// # Ok::<(), bitmax::Error>(())
/// ```
#[derive(Clone)]
pub struct Book {
    followed: Arc<Followed>,
    /// The version that this handle has last waited for.
    seen: u64,
}

impl Book {
    /// The product.
    pub fn symbol(&self) -> Symbol {
        self.followed.symbol
    }

    /// Waiting, live, or stale and why.
    pub fn status(&self) -> BookStatus {
        self.state().book.status()
    }

    /// Whether the book can be relied upon. In any other state it is empty.
    pub fn is_live(&self) -> bool {
        self.state().book.is_live()
    }

    /// The best bid and ask, both of the same moment; `None` when the book is not live.
    pub fn bbo(&self) -> Option<Bbo> {
        self.state().book.bbo()
    }

    /// A copy of the best `levels` of each side at most, all of the same moment; `usize::MAX` for all that there are. Its
    /// [`status`](OrderBook::status) is the book's; it does not change any more.
    pub fn top(&self, levels: usize) -> OrderBook {
        self.followed.shared.top(levels)
    }

    /// Waits until the book is not as it was when this handle last waited, but not longer than `timeout`; says whether it
    /// is. To be lost is a change too. The first wait of a handle ends at once where the book has been live already. What
    /// changes several times meanwhile ends one wait.
    ///
    /// # Errors
    /// [`Error::Closed`] when the stream has ended; [`Error::Refused`] when the exchange has refused the subscription. It
    /// stays so: ask the stream for the book again.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        let shared = &self.followed.shared;
        let mut state = shared.lock();
        loop {
            match &state.end {
                Some(End::Closed) => return Err(Error::Closed),
                Some(End::Refused(refusal)) => return Err(Error::Refused(refusal.clone())),
                None if state.version != self.seen => {
                    self.seen = state.version;
                    return Ok(true);
                }
                None => {}
            }
            let left = deadline.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(false);
            }
            state.waiting += 1;
            (state, _) = shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Waits until the book is live, but not longer than `timeout`; says whether it is.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_live(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        while !self.is_live() {
            let left = deadline.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
            if !self.wait(left)? {
                return Ok(self.is_live());
            }
        }
        Ok(true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.followed.shared.lock()
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("symbol", &self.symbol()).field("status", &self.status()).finish_non_exhaustive()
    }
}

/// What all handles of a book share: when it goes, the stream keeps the book no longer.
struct Followed {
    symbol: Symbol,
    shared: Arc<Shared>,
    remote: Remote,
}

impl Drop for Followed {
    fn drop(&mut self) {
        if self.remote.command(Command::Unfollow(Arc::clone(&self.shared))).is_err() {
            log::trace!("the stream has ended");
        }
    }
}

/// The books of a stream that somebody holds a handle of.
#[derive(Clone, Default)]
pub(crate) struct Handles(Arc<Mutex<BTreeMap<Key, Weak<Followed>>>>);

impl Handles {
    /// Handles of books that are there, or that the stream is now to keep.
    ///
    /// # Errors
    /// [`Error::Closed`] when the stream has ended.
    pub(crate) fn books(&self, keys: &[Key], remote: &Remote) -> Result<Vec<Book>> {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut books, mut writers) = (Vec::new(), Vec::new());
        for (symbol, realtime) in keys {
            let there = handles.get(&(*symbol, *realtime)).and_then(Weak::upgrade);
            let followed = there.filter(|followed| followed.shared.lock().end.is_none()).unwrap_or_else(|| {
                let writer = BookWriter::new(*symbol, *realtime);
                let shared = Arc::clone(writer.shared());
                writers.push(writer);
                let followed = Arc::new(Followed { symbol: *symbol, shared, remote: remote.clone() });
                handles.insert((*symbol, *realtime), Arc::downgrade(&followed));
                followed
            });
            books.push(Book { followed, seen: 0 });
        }
        handles.retain(|_, followed| followed.strong_count() > 0);
        // Before anyone else can have a handle of these, and drop it.
        remote.command(Command::Follow(writers))?;
        Ok(books)
    }
}

/// What is between the two ends.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    book: OrderBook,
    /// Rises with each change.
    version: u64,
    /// Who must be woken.
    waiting: usize,
    end: Option<End>,
}

/// Why a book is kept no longer.
enum End {
    Closed,
    Refused(Box<Refusal>),
}

impl Shared {
    /// It is held for short computations only, which leave it whole: a thread that failed meanwhile has not.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the best levels.
    pub(crate) fn top(&self, levels: usize) -> OrderBook {
        self.lock().book.top(levels)
    }

    fn change(&self, mut state: MutexGuard<'_, State>) {
        state.version += 1;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn end(&self, end: End) {
        let mut state = self.lock();
        state.book.disconnected();
        state.end.get_or_insert(end);
        self.change(state);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The stream's end of a book. When it goes, for whatever reason, the book says that it is kept no longer.
#[derive(Debug)]
pub(crate) struct BookWriter {
    pub(crate) symbol: Symbol,
    /// Whether it is of `depth-realtime`.
    pub(crate) realtime: bool,
    shared: Arc<Shared>,
}

impl BookWriter {
    pub(crate) fn new(symbol: Symbol, realtime: bool) -> Self {
        let state = State { book: OrderBook::new(symbol), version: 0, waiting: 0, end: None };
        Self { symbol, realtime, shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }) }
    }

    /// What is shared with those who read it.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Takes a message of the book's product and channel.
    pub(crate) fn apply(&self, depth: &Depth) -> BookChange {
        let mut state = self.shared.lock();
        // It is of this product and channel, so nothing else can come of it.
        let change = state.book.apply(depth).unwrap_or(BookChange::Outdated);
        if matches!(change, BookChange::Built | BookChange::Updated | BookChange::Lost) {
            self.shared.change(state);
        }
        change
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&self) {
        let mut state = self.shared.lock();
        state.book.disconnected();
        self.shared.change(state);
    }

    /// What could not be read may have been a change.
    pub(crate) fn unreadable(&self) {
        let mut state = self.shared.lock();
        state.book.unreadable();
        self.shared.change(state);
    }

    /// The exchange refuses it.
    pub(crate) fn refused(self, refusal: &Refusal) {
        self.shared.end(End::Refused(Box::new(refusal.clone())));
    }
}

impl Drop for BookWriter {
    fn drop(&mut self) {
        self.shared.end(End::Closed);
    }
}

const _: () = {
    const fn shared_among_threads<T: Clone + Send + Sync>() {}
    shared_among_threads::<Book>();
};
