//! The way to a stream's thread.
//!
//! What is posted is done by the thread, which is woken for it; but a request is done by its caller where the thread
//! waits, for to wake another thread takes as long as the way to the server.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};

use mio::Waker;

use super::{Answer, Driver};
use crate::error::{Error, Phase, Result};
use crate::ws::pending::Token;
use crate::ws::session::{Command, Request};
use crate::ws::stats::Counters;

/// What a request fails with where a recording is played.
pub(in crate::ws) fn not_sent() -> Error {
    Error::NotReady("a recording is played")
}

/// What reaches the thread.
pub(in crate::ws) enum Inbox {
    Command(Command),
    /// A request, and who waits for its answer: the consumer, where nobody else does.
    Request(Request, Option<mpsc::SyncSender<Result<Answer>>>),
    /// Make the consumer look up.
    Knock,
    /// The addresses of the host's name, for the attempt of this number.
    Resolved(u64, io::Result<Vec<SocketAddr>>),
    /// The consumer has caught up.
    Resume,
}

/// Posts to the thread.
#[derive(Clone)]
pub(super) struct Post {
    inbox: mpsc::Sender<Inbox>,
    /// `None` where a recording is played: there is no thread.
    waker: Option<Arc<Waker>>,
}

impl Post {
    pub(super) fn new(waker: Option<Waker>) -> (Self, mpsc::Receiver<Inbox>) {
        let (inbox, commands) = mpsc::channel();
        (Self { inbox, waker: waker.map(Arc::new) }, commands)
    }

    /// # Errors
    /// [`Error::Closed`] when the thread has ended.
    pub(super) fn post(&self, message: Inbox) -> Result<()> {
        self.put(message)?;
        self.wake()
    }

    fn put(&self, message: Inbox) -> Result<()> {
        self.inbox.send(message).map_err(|_| Error::Closed)
    }

    fn wake(&self) -> Result<()> {
        let Some(waker) = &self.waker else { return Ok(()) };
        waker.wake().map_err(|e| Error::transport(Phase::Exchange, e))
    }
}

/// The way to the thread, for any thread.
#[derive(Clone)]
pub(crate) struct Remote {
    post: Post,
    /// Held while something is done. It ends with the thread.
    driver: Weak<Mutex<Driver>>,
    requests: Arc<AtomicU64>,
    pub(crate) counters: Arc<Counters>,
}

impl Remote {
    pub(super) fn new(post: Post, driver: &Arc<Mutex<Driver>>, counters: Arc<Counters>) -> Self {
        Self { post, driver: Arc::downgrade(driver), requests: Arc::default(), counters }
    }

    /// The way to a recording that is played, and its other end.
    pub(in crate::ws) fn of_replay() -> (Self, mpsc::Receiver<Inbox>) {
        let (post, commands) = Post::new(None);
        (Self { post, driver: Weak::new(), requests: Arc::default(), counters: Arc::default() }, commands)
    }

    /// # Errors
    /// [`Error::Closed`] when the thread has ended.
    pub(crate) fn command(&self, command: Command) -> Result<()> {
        self.post.post(Inbox::Command(command))
    }

    /// Sends the request that `make` makes for its token. Its one answer comes through the receiver; should the thread
    /// end, nothing does.
    ///
    /// # Errors
    /// [`Error::Closed`] when the thread has ended.
    pub(crate) fn request(&self, make: impl FnOnce(Token) -> Request) -> Result<mpsc::Receiver<Result<Answer>>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.send(make, Some(sender))?;
        Ok(receiver)
    }

    /// Sends a request whose one answer comes to the consumer, in its place among the events.
    ///
    /// # Errors
    /// [`Error::Closed`] when the thread has ended.
    pub(crate) fn request_in_place(&self, make: impl FnOnce(Token) -> Request) -> Result<Token> {
        self.send(make, None)
    }

    /// Makes the consumer look up.
    ///
    /// # Errors
    /// [`Error::Closed`] when the thread has ended.
    pub(crate) fn knock(&self) -> Result<()> {
        self.post.post(Inbox::Knock)
    }

    fn send(
        &self,
        make: impl FnOnce(Token) -> Request,
        waiter: Option<mpsc::SyncSender<Result<Answer>>>,
    ) -> Result<Token> {
        let token = Token(self.requests.fetch_add(1, Ordering::Relaxed));
        if let (None, Some(waiter)) = (&self.post.waker, &waiter) {
            // Who waits may be who plays it.
            drop(waiter.try_send(Err(not_sent()))); // cannot fail: the receiver is there, with room for one
            return Ok(token);
        }
        // First posted: who holds the driver may have looked into the inbox already, and is then woken to look again.
        self.post.put(Inbox::Request(make(token), waiter))?;
        let act = |driver: Arc<Mutex<Driver>>| driver.try_lock().is_ok_and(|mut driver| !driver.act());
        if !self.driver.upgrade().is_some_and(act) {
            self.post.wake()?;
        }
        Ok(token)
    }
}
