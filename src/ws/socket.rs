//! The stream's thread, waiting for the socket, for a command and for a deadline at once.

mod connect;
mod outlet;
mod remote;
mod upgrade;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};
use tungstenite::error::CapacityError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame as WsCloseFrame, WebSocketConfig};
use tungstenite::{Error as WsError, Message, WebSocket};

pub(crate) use connect::Target;
use connect::{Attempt, Progress};
use outlet::{Delivery, Outlet};
use remote::Post;
pub(crate) use remote::Remote;
pub(super) use remote::{Inbox, not_sent};
use upgrade::Io;

use super::backoff::{Attempts, Backoff, BackoffConfig};
use super::channel::Topic;
use super::event::Event;
use super::pending::Token as Waiter;
use super::queue::{EventReceiver, queue};
use super::session::{AuthHeaders, Command, Identity, Now, Output, Session, SessionConfig};
use super::stats::Counters;
use super::tap::{Direction, Tap};
use crate::clock::{Clock, wall_nanos};
use crate::config::LONGEST;
use crate::error::{CloseFrame, Error, Phase, Result};

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);
/// Messages read before commands and deadlines are looked at again, so that a flood does not starve them.
const TURN: usize = 64;
/// How long the server may take to answer the closing of the connection.
const FAREWELL: Duration = Duration::from_millis(500);
/// Texts not yet taken by the network; more means that the server has stopped reading.
const MAX_UNSENT: usize = 1 << 20;

/// What the thread is made from.
pub(crate) struct Settings {
    pub(crate) target: Target,
    pub(crate) session: SessionConfig,
    pub(crate) identity: Option<Identity>,
    pub(crate) backoff: BackoffConfig,
    pub(crate) shared: Shared,
    pub(crate) topics: Vec<Topic>,
    /// The largest message that is taken, in bytes.
    pub(crate) max_message: usize,
    /// Market events that may wait for the consumer.
    pub(crate) max_queued: usize,
    pub(crate) tap: Option<Tap>,
    pub(crate) resolve: Resolve,
}

/// What the streams of a client share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// When the clock of all of them began.
    pub(crate) began: Instant,
    pub(crate) attempts: Attempts,
    /// The exchange's clock, which REST sets too.
    pub(crate) clock: Clock,
}

impl Shared {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { began: Instant::now(), attempts: Attempts::default(), clock }
    }
}

/// How a name and a port become addresses. It may block.
pub(crate) type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// The system's way.
pub(crate) fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

/// What a request is answered with.
pub(crate) type Answer = super::wire::Message;

/// The thread and the two ways to it.
pub(crate) struct Running {
    pub(crate) remote: Remote,
    pub(crate) events: EventReceiver,
    pub(crate) thread: JoinHandle<()>,
    /// Tells once whether the first connection came about.
    pub(crate) first: mpsc::Receiver<Result<()>>,
}

/// Starts the thread.
pub(crate) fn spawn(settings: Settings) -> Result<Running> {
    let setup = |e: io::Error| Error::transport(Phase::Connect, e);
    let poll = Poll::new().map_err(setup)?;
    let (post, commands) = Post::new(Some(Waker::new(poll.registry(), WAKER).map_err(setup)?));
    let counters = Arc::<Counters>::default();
    let resume = post.clone();
    let (sender, events) = queue(settings.max_queued, Arc::clone(&counters), move || {
        if resume.post(Inbox::Resume).is_err() {
            log::trace!("the stream has ended");
        }
    });
    let (first_sender, first) = mpsc::channel();
    let seed = getrandom::u64().map_err(|e| Error::transport(Phase::Connect, e))?;
    let driver = Driver {
        registry: poll.registry().try_clone().map_err(setup)?,
        commands,
        post: post.clone(),
        counters: Arc::clone(&counters),
        deliveries: Vec::new(),
        websocket: WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_UNSENT)
            .max_message_size(Some(settings.max_message))
            .max_frame_size(Some(settings.max_message)),
        session: Session::new(
            settings.session.clone(),
            settings.identity,
            settings.topics,
            Backoff::new(settings.backoff, settings.shared.attempts, seed),
        ),
        waiters: BTreeMap::new(),
        clock: settings.shared.clock,
        connect_timeout: settings.session.connect_timeout,
        max_message: settings.max_message,
        target: settings.target,
        tap: settings.tap,
        resolve: settings.resolve,
        began: settings.shared.began,
        link: Link::None,
        attempt: 0,
        readable: false,
        unflushed: false,
        alarm: None,
        vigil: None,
        finished: false,
    };
    let outlet = Outlet { events: sender, first: Some(first_sender), counters: Arc::clone(&counters) };
    let driver = Arc::new(Mutex::new(driver));
    let remote = Remote::new(post, &driver, counters);
    let thread = thread::Builder::new().name("bitmax-stream".to_owned());
    let thread = thread.spawn(move || run(poll, &driver, outlet)).map_err(setup)?;
    Ok(Running { remote, events, thread, first })
}

/// The thread: it waits, and holds the driver while it does something, but not while it hands out what came of that.
fn run(mut poll: Poll, driver: &Mutex<Driver>, mut outlet: Outlet) {
    let mut events = Events::with_capacity(8);
    let mut deliveries = Vec::new();
    let mut ready = false;
    loop {
        let Ok(mut held) = driver.lock() else {
            return log::error!("a caller's thread failed while it sent a request");
        };
        held.turn(ready);
        std::mem::swap(&mut held.deliveries, &mut deliveries);
        let (patience, finished) = (held.patience(), held.finished);
        drop(held);
        deliveries.drain(..).for_each(|delivery| outlet.deliver(delivery));
        if finished {
            break;
        }
        ready = match poll.poll(&mut events, patience) {
            Ok(()) => events.iter().any(|event| event.token() == SOCKET),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => false,
            Err(e) => return log::error!("cannot wait for the socket: {e}"),
        };
    }
    if let Ok(mut held) = driver.lock() {
        held.say_goodbye(&mut poll, &mut events);
    }
}

enum Link {
    None,
    Attempt(Box<Attempt>),
    Open(Box<WebSocket<Io>>),
}

/// What there is of a stream, and the doing of what its session says. One thread at a time holds it: the stream's own,
/// or that of a caller whose request it sends.
struct Driver {
    registry: Registry,
    commands: mpsc::Receiver<Inbox>,
    post: Post,
    counters: Arc<Counters>,
    session: Session,
    /// What the thread is to hand out.
    deliveries: Vec<Delivery>,
    /// Who waits for the answers to requests.
    waiters: BTreeMap<Waiter, mpsc::SyncSender<Result<Answer>>>,
    clock: Clock,
    target: Target,
    websocket: WebSocketConfig,
    connect_timeout: Duration,
    max_message: usize,
    tap: Option<Tap>,
    resolve: Resolve,
    began: Instant,
    link: Link,
    /// The number of the attempt, so that the name of an earlier one is not taken for this one's.
    attempt: u64,
    /// Readiness is told once: whether there may be more to read.
    readable: bool,
    /// Whether something is written that the network has not taken.
    unflushed: bool,
    /// When the thread looks again though nothing happens; `None` is never.
    alarm: Option<Duration>,
    /// The deadline of the request for which it was last woken. It looks again then though the request be answered, so
    /// that those that follow need not wake it for theirs.
    vigil: Option<Duration>,
    finished: bool,
}

impl Driver {
    /// The thread's turn: `ready` says that the socket can do something.
    fn turn(&mut self, ready: bool) {
        self.session.start(self.now());
        self.hear_commands();
        self.perform();
        // What comes after the end is shown to nobody, a tap included.
        if !self.finished {
            self.advance(ready);
            self.session.tick(self.now());
            self.perform();
        }
    }

    /// A caller's turn, while the thread waits; says whether the thread is to be woken for what follows.
    fn act(&mut self) -> bool {
        self.hear_commands();
        self.perform();
        let sooner = self.deadline().filter(|due| self.alarm.is_none_or(|alarm| *due < alarm));
        self.vigil = sooner.or(self.vigil);
        self.finished || sooner.is_some() || !self.deliveries.is_empty()
    }

    fn now(&self) -> Now {
        Now { at: self.began.elapsed(), wall: wall_nanos() }
    }

    /// When there is something to do though nothing happens; `None` is never.
    fn deadline(&self) -> Option<Duration> {
        let link = match &self.link {
            Link::Open(_) if self.readable => Some(Duration::ZERO),
            Link::Attempt(attempt) => attempt.deadline(),
            _ => None,
        };
        [self.session.deadline(), link].into_iter().flatten().min()
    }

    /// How long the thread waits at most; `None` is for ever.
    fn patience(&mut self) -> Option<Duration> {
        let now = self.began.elapsed();
        self.vigil = self.vigil.filter(|vigil| *vigil > now);
        self.alarm = [self.deadline(), self.vigil].into_iter().flatten().min();
        // Longer than the system may be able to count is looked at in between.
        self.alarm.map(|alarm| alarm.saturating_sub(now).min(LONGEST))
    }

    /// Does what the session wants done.
    fn perform(&mut self) {
        while let Some(output) = self.session.output() {
            match output {
                Output::Connect(headers) => self.connect(headers),
                Output::Send(text) => {
                    self.tap(Direction::Sent, &text);
                    self.write(text);
                }
                Output::SendSecret(secret) => {
                    self.tap(Direction::Sent, &secret.shown);
                    self.write(secret.text);
                }
                Output::Deliver(event) => {
                    if let Event::Disconnected(outage) | Event::ConnectFailed(outage) = &event
                        && self.tap.is_some()
                    {
                        self.tap(Direction::Closed, &outage.error.to_string());
                    }
                    self.deliveries.push(Delivery::Event(event));
                }
                Output::Answer(token, answer) => {
                    self.deliveries.push(match self.waiters.remove(&token) {
                        Some(waiter) => Delivery::Answer(waiter, answer),
                        None => Delivery::InPlace(token, answer),
                    });
                }
                Output::ResetIfUnsent if self.unflushed => {
                    let late = io::Error::new(io::ErrorKind::TimedOut, "a request could not be sent in time");
                    self.fail(Error::transport(Phase::Exchange, late));
                }
                Output::ResetIfUnsent => {}
                Output::Clock(ahead) => self.clock.set(ahead),
                Output::Measured(measured) => self.counters.measured(measured),
                Output::HangUp => self.link = Link::None,
                Output::Finish => self.finished = true,
            }
        }
    }

    fn hear_commands(&mut self) {
        loop {
            match self.commands.try_recv() {
                Ok(Inbox::Command(command)) => self.session.command(command, self.now()),
                Ok(Inbox::Request(request, waiter)) => {
                    if let Some(waiter) = waiter {
                        self.waiters.insert(request.token, waiter);
                    }
                    self.session.command(Command::Request(request), self.now());
                }
                Ok(Inbox::Resume) => self.deliveries.push(Delivery::Resume),
                Ok(Inbox::Knock) => self.deliveries.push(Delivery::Knock),
                Ok(Inbox::Resolved(number, addresses)) if number == self.attempt => {
                    let now = self.began.elapsed();
                    if let Link::Attempt(attempt) = &mut self.link {
                        let progress = attempt.resolved(addresses, &self.registry, SOCKET, now);
                        self.progressed(progress);
                    }
                }
                Ok(Inbox::Resolved(..)) => {}
                // The thread itself holds a sender.
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn connect(&mut self, headers: Option<AuthHeaders>) {
        let now = self.began.elapsed();
        self.attempt += 1;
        self.readable = false;
        self.unflushed = false;
        let mut attempt = Attempt::new(self.target.clone(), headers, self.websocket, now + self.connect_timeout);
        let progress = attempt.start(&self.registry, SOCKET, now);
        self.link = Link::Attempt(Box::new(attempt));
        let url = self.target.url().to_owned();
        self.tap(Direction::Connect, &url);
        self.progressed(progress);
    }

    fn progressed(&mut self, progress: Progress) {
        match progress {
            Progress::Pending => {}
            Progress::Resolve(host, port) => self.resolve(host, port),
            Progress::Open(websocket) => {
                self.link = Link::Open(websocket);
                // The greeting may have come with the upgrade: readiness for it was told already.
                self.readable = true;
                self.session.upgraded(self.now());
            }
            Progress::Failed(error) => self.fail(error),
        }
    }

    /// Looks a name up in a thread of its own: it can take long, and nobody waits for it who need not.
    fn resolve(&mut self, host: String, port: u16) {
        let (post, number, resolve) = (self.post.clone(), self.attempt, self.resolve);
        let look_up = move || {
            if post.post(Inbox::Resolved(number, resolve(&host, port))).is_err() {
                log::trace!("the stream has ended");
            }
        };
        if let Err(e) = thread::Builder::new().name("bitmax-resolve".to_owned()).spawn(look_up) {
            self.fail(Error::transport(Phase::Resolve, e));
        }
    }

    /// Moves the connection on: `ready` says that the socket can do something.
    fn advance(&mut self, ready: bool) {
        match &mut self.link {
            Link::None => {}
            Link::Attempt(attempt) => {
                let now = self.began.elapsed();
                if ready || attempt.deadline().is_some_and(|deadline| now >= deadline) {
                    let progress = attempt.advance(&self.registry, SOCKET, now);
                    self.progressed(progress);
                }
            }
            Link::Open(_) => {
                self.readable |= ready;
                if ready && self.unflushed {
                    self.flush();
                }
                self.read();
            }
        }
    }

    fn read(&mut self) {
        let now = self.now();
        for _ in 0..TURN {
            let Link::Open(websocket) = &mut self.link else { return };
            if !self.readable {
                return;
            }
            match websocket.read() {
                Ok(Message::Text(text)) => {
                    let now = Now { wall: connect::read_at(websocket.get_ref()), ..now };
                    self.counters.message(text.len(), now.at);
                    if let Some(tap) = &mut self.tap {
                        tap(Direction::Received, &text, now.wall);
                    }
                    self.session.text(&text, now);
                }
                Ok(Message::Binary(bytes)) => {
                    self.counters.message(bytes.len(), now.at);
                    self.session.binary(&bytes, now);
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                    self.session.heard(now);
                    // The answer to a ping.
                    self.flush();
                }
                Ok(Message::Close(frame)) => {
                    let (code, reason) = frame.map_or((None, String::new()), |frame| {
                        (Some(u16::from(frame.code)), frame.reason.as_str().to_owned())
                    });
                    // The answer to the closing, as far as the network takes it.
                    self.flush();
                    return self.fail(Error::ClosedByServer(Box::new(CloseFrame { code, reason })));
                }
                Err(WsError::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(e) => return self.broken(e),
            }
        }
    }

    fn write(&mut self, text: String) {
        let Link::Open(websocket) = &mut self.link else { return };
        let result = websocket.send(Message::text(text));
        self.written(result);
    }

    fn flush(&mut self) {
        let Link::Open(websocket) = &mut self.link else { return };
        let result = websocket.flush();
        self.written(result);
    }

    fn written(&mut self, result: std::result::Result<(), WsError>) {
        self.unflushed = false;
        match result {
            Ok(()) => {}
            // Taken, and sent when the network takes more. It must not be written again.
            Err(WsError::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => self.unflushed = true,
            Err(e) => self.broken(e),
        }
    }

    fn broken(&mut self, error: WsError) {
        let (error, code) = match error {
            WsError::Capacity(CapacityError::MessageTooLong { .. }) => {
                (Error::TooLarge(self.max_message as u64), Some(CloseCode::Size))
            }
            WsError::ConnectionClosed | WsError::AlreadyClosed => {
                (Error::ClosedByServer(Box::new(CloseFrame { code: None, reason: String::new() })), None)
            }
            WsError::Utf8(_) => (Error::transport(Phase::Exchange, error), Some(CloseCode::Invalid)),
            WsError::Protocol(_) => (Error::transport(Phase::Exchange, error), Some(CloseCode::Protocol)),
            WsError::Io(e) => (Error::transport(Phase::Exchange, e), None),
            other => (Error::transport(Phase::Exchange, other), None),
        };
        if let (Link::Open(websocket), Some(code)) = (&mut self.link, code) {
            // A courtesy: the connection goes whether or not the server hears why.
            if let Err(e) = websocket.close(Some(WsCloseFrame { code, reason: "".into() })) {
                log::trace!("could not say why the connection is closed: {e}");
            }
        }
        self.fail(error);
    }

    fn fail(&mut self, error: Error) {
        self.link = Link::None;
        self.session.failed(error, self.now());
    }

    fn tap(&mut self, direction: Direction, text: &str) {
        if let Some(tap) = &mut self.tap {
            tap(direction, text, wall_nanos());
        }
    }

    /// Closes the connection as the WebSocket protocol wants it, within a bounded time.
    fn say_goodbye(&mut self, poll: &mut Poll, events: &mut Events) {
        let Link::Open(websocket) = &mut self.link else { return };
        let deadline = Instant::now() + FAREWELL;
        let mut result = websocket.close(Some(WsCloseFrame { code: CloseCode::Normal, reason: "".into() }));
        loop {
            match result {
                Ok(()) => {}
                Err(WsError::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() || poll.poll(events, Some(left)).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
            if Instant::now() >= deadline {
                return;
            }
            result = websocket.read().map(|_| ());
        }
    }
}
