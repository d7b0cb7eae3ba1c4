//! The sockets of the sandbox: the listener, a thread for each connection, a second one for each stream, and one
//! that keeps time. Everything that they decide nothing about is in [`Exchange`].

mod connection;
mod line;
mod outbox;
mod stream;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::SandboxError;
use super::accounts::Accounts;
use super::clock::Clock;
use super::exchange::Exchange;
use super::market::Market;
use super::sessions::{Output, SessionId};
use line::Line;
pub(crate) use outbox::Item;
use outbox::Outbox;

/// Connections at once, at most.
const MAX_CONNECTIONS: usize = 1024;
/// How long to wait where nothing becomes due by itself.
const IDLE: Duration = Duration::from_secs(60);

/// A listening exchange. Dropping it ends every connection and thread.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
    timekeeper: Option<JoinHandle<()>>,
}

/// What all threads share.
#[derive(Debug)]
struct Shared {
    hall: Mutex<Hall>,
    /// Rung when something is due sooner than the timekeeper thinks or may have happened that is waited for, and at the
    /// end.
    bell: Condvar,
    clock: Clock,
    connections: Mutex<Connections>,
    stopping: AtomicBool,
    max_unread: usize,
    /// Whether the exchange waits for its clients to have taken what they were sent.
    paced: bool,
}

/// The exchange and the way to its clients, under one lock, so that what it says keeps its order.
#[derive(Debug)]
struct Hall {
    exchange: Exchange,
    outboxes: HashMap<SessionId, Arc<Outbox>>,
    /// When the timekeeper looks next.
    awaited: u64,
    /// How many wait for something to happen.
    watchers: usize,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    lines: HashMap<u64, Arc<Line>>,
    threads: Vec<JoinHandle<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    pub(crate) fn start(
        port: u16,
        mut exchange: Exchange,
        clock: Clock,
        max_unread: usize,
    ) -> Result<Self, SandboxError> {
        let refused = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
        let port = listener.local_addr().map_err(refused)?.port();
        exchange.clock_runs = clock.runs();
        let shared = Arc::new(Shared {
            paced: exchange.is_replay(),
            hall: Mutex::new(Hall { exchange, outboxes: HashMap::new(), awaited: 0, watchers: 0 }),
            bell: Condvar::new(),
            clock,
            connections: Mutex::default(),
            stopping: AtomicBool::new(false),
            max_unread,
        });
        // Should the second thread not start, dropping this ends the first.
        let mut server = Self { port, shared: Arc::clone(&shared), listener: None, timekeeper: None };
        let timekeeper = Arc::clone(&shared);
        server.timekeeper = Some(spawn("sandbox-time", move || timekeeper.keep_time())?);
        server.listener = Some(spawn("sandbox-listen", move || shared.listen(&listener))?);
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn now(&self) -> u64 {
        self.shared.clock.now()
    }

    /// A way to the exchange that needs no socket.
    pub(crate) fn desk(&self) -> Desk {
        Desk(Arc::clone(&self.shared))
    }

    /// Moves the clock, and does what becomes due on the way.
    pub(crate) fn advance(&self, by: u64) {
        let mut hall = lock(&self.shared.hall);
        // Under the lock, so that nobody else finds so much time gone by.
        self.shared.clock.advance(by);
        hall.exchange.live_through(self.shared.clock.now());
        self.shared.hand_out(&mut hall);
        drop(hall);
        self.shared.bell.notify_all();
    }
}

/// A way to the exchange that needs no socket, and that keeps none open.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Shared>);

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// Does something with users and market; what comes of it is told to everyone.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Accounts, &mut Market, u64) -> T) -> T {
        self.enter(|exchange, now| exchange.act(now, act))
    }

    /// Does something with the exchange as it is now; what comes of it is told to everyone.
    pub(crate) fn enter<T>(&self, act: impl FnOnce(&mut Exchange, u64) -> T) -> T {
        self.0.enter(|exchange, now| {
            exchange.advance(now);
            act(exchange, now)
        })
    }

    /// The open sessions, the oldest first.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        let mut ids: Vec<SessionId> = lock(&self.0.hall).outboxes.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Hands something to a session's writer; to none where the session has ended.
    pub(crate) fn push(&self, id: SessionId, item: Item) {
        push(&lock(&self.0.hall).outboxes, id, item);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, SandboxError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(SandboxError::Thread)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        {
            // Taken, so that the timekeeper is either before its look at `stopping` or in its wait.
            let _hall = lock(&self.shared.hall);
            self.shared.bell.notify_all();
        }
        if let Some(listener) = self.listener.take() {
            // `accept` cannot be interrupted, only answered.
            while let Err(e) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
                && !listener.is_finished()
            {
                // Out of file descriptors, say: it passes, but not at once.
                log::trace!("waking the listener: {e}");
                thread::sleep(Duration::from_millis(1));
            }
            join(listener);
        }
        if let Some(timekeeper) = self.timekeeper.take() {
            join(timekeeper);
        }
        let mut connections = std::mem::take(&mut *lock(&self.shared.connections));
        for line in connections.lines.values() {
            line.shut();
        }
        connections.threads.drain(..).for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a thread of the sandbox panicked");
    }
}

impl Shared {
    /// Does something with the exchange, hands out what it says, and tells the timekeeper.
    fn enter<T>(&self, act: impl FnOnce(&mut Exchange, u64) -> T) -> T {
        let mut hall = lock(&self.hall);
        let result = act(&mut hall.exchange, self.clock.now());
        self.hand_out(&mut hall);
        result
    }

    fn hand_out(&self, hall: &mut Hall) {
        let Hall { exchange, outboxes, awaited, watchers } = hall;
        for output in exchange.drain() {
            match output {
                Output::Text(id, text) => push(outboxes, id, Item::Text(text)),
                Output::Close(id) => push(outboxes, id, Item::Close(None)),
                Output::Break(id, how) => push(outboxes, id, Item::Break(how)),
            }
        }
        let due = exchange.deadline();
        if due < *awaited || *watchers > 0 {
            self.bell.notify_all();
        }
    }

    /// Lets time go by, to this time of the sandbox's clock.
    fn pause_until(&self, due: u64) {
        self.watch_until(due, |_| None::<()>);
    }

    /// Waits for something to happen, until this time of the sandbox's clock at most.
    fn watch_until<T>(&self, due: u64, happened: impl Fn(&Exchange) -> Option<T>) -> Option<T> {
        let mut hall = lock(&self.hall);
        hall.watchers += 1;
        loop {
            let (result, now) = (happened(&hall.exchange), self.clock.now());
            if result.is_some() || now >= due || self.stopping.load(Ordering::SeqCst) {
                hall.watchers -= 1;
                return result;
            }
            hall = self.wait(hall, due, now);
        }
    }

    /// Waits until something is due, if the sandbox's clock gets there by itself, or until the bell rings.
    fn wait<'a>(&self, hall: MutexGuard<'a, Hall>, due: u64, now: u64) -> MutexGuard<'a, Hall> {
        let wait = self.clock.time_until(due, now).unwrap_or(IDLE);
        self.bell.wait_timeout(hall, wait).unwrap_or_else(PoisonError::into_inner).0
    }

    fn keep_time(&self) {
        let mut hall = lock(&self.hall);
        while !self.stopping.load(Ordering::SeqCst) {
            let now = self.clock.now();
            hall.exchange.advance(now);
            self.hand_out(&mut hall);
            hall.awaited = hall.exchange.deadline();
            let due = hall.awaited;
            hall = self.wait(hall, due, now);
        }
    }

    fn listen(self: Arc<Self>, listener: &TcpListener) {
        while !self.stopping.load(Ordering::SeqCst) {
            match listener.accept() {
                Ok((socket, from)) => self.admit(socket, from.ip()),
                Err(e) => {
                    // Out of file descriptors, say: it passes, but not at once.
                    log::warn!("accepting a connection: {e}");
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, socket: TcpStream, from: IpAddr) {
        let mut connections = lock(&self.connections);
        connections.threads.retain(|thread| !thread.is_finished());
        if self.stopping.load(Ordering::SeqCst) || connections.lines.len() >= MAX_CONNECTIONS {
            return;
        }
        let line = Arc::new(Line::new(socket));
        connections.next += 1;
        let number = connections.next;
        let (shared, own) = (Arc::clone(self), Arc::clone(&line));
        let serve = move || {
            let guest = Guest { shared, line: own, number };
            match connection::serve(&guest.shared, &guest.line, from) {
                Ok(()) => log::trace!("connection {number} ended"),
                Err(e) => log::debug!("connection {number}: {e}"),
            }
        };
        match spawn("sandbox-connection", serve) {
            Ok(thread) => {
                connections.lines.insert(number, line);
                connections.threads.push(thread);
            }
            Err(e) => log::warn!("{e}"),
        }
    }
}

/// A connection while it is served. Its end, a panic too, closes the line and frees its place.
struct Guest {
    shared: Arc<Shared>,
    line: Arc<Line>,
    number: u64,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.line.shut();
        lock(&self.shared.connections).lines.remove(&self.number);
    }
}

fn push(outboxes: &HashMap<SessionId, Arc<Outbox>>, id: SessionId, item: Item) {
    if let Some(outbox) = outboxes.get(&id) {
        outbox.push(item);
    }
}

/// Waits for bytes and adds them; how many came. 0: the client has gone.
fn receive(line: &Line, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 16 * 1024];
    let n = line.receive(&mut chunk)?;
    buffer.extend_from_slice(chunk.get(..n).unwrap_or_default());
    Ok(n)
}
