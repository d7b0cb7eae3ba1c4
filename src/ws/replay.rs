//! A recorded session in place of a connection. No thread, no socket: it moves on when somebody reads its events.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::backoff::{Attempts, Backoff, BackoffConfig};
use super::channel::Topic;
use super::event::{CloseReason, Event, Lag};
use super::queue::Arrival;
use super::session::{Authentication, Identity, Now, Output, Session, SessionConfig, is_authentication};
use super::socket::{Inbox, Remote, not_sent};
use super::stats::Counters;
use super::tap::{Direction, Tap};
use crate::credentials::Credentials;
use crate::error::{Error, Phase};
use crate::recording::{Entry, Recording, What};

/// What there is next of a recording, waited for no longer than that: [`Playback::next`].
pub(crate) type Next = Box<dyn FnMut(Option<Duration>) -> Result<Arrival, RecvTimeoutError> + Send>;

/// [`play`].
pub(crate) type Play = fn(Recording, Option<f64>, SessionConfig, Vec<Topic>, Option<Tap>) -> (Next, Remote);

/// Plays a recording: `times` is how many times as fast as recorded; as fast as it is read if nothing is said.
pub(crate) fn play(
    recording: Recording,
    times: Option<f64>,
    config: SessionConfig,
    topics: Vec<Topic>,
    tap: Option<Tap>,
) -> (Next, Remote) {
    let (mut playback, remote) = Playback::new(recording, times, config, topics, tap);
    (Box::new(move |patience| playback.next(patience)), remote)
}

/// A recording that is played.
struct Playback {
    recording: Recording,
    /// The first entry that is not played.
    next: usize,
    player: Player,
    commands: Option<Receiver<Inbox>>,
    pace: Option<Pace>,
}

/// When what is played.
struct Pace {
    /// How many times as fast as recorded.
    times: f64,
    /// When the first entry was played.
    began: Option<Instant>,
}

/// Does what the recorded connection did.
struct Player {
    session: Session,
    tap: Option<Tap>,
    counters: Arc<Counters>,
    /// When the recording began, UTC nanoseconds.
    began: u64,
    now: Now,
    /// Whether there is a connection, or an attempt at one.
    linked: bool,
}

impl Playback {
    fn new(
        recording: Recording,
        times: Option<f64>,
        config: SessionConfig,
        topics: Vec<Topic>,
        tap: Option<Tap>,
    ) -> (Self, Remote) {
        let (remote, commands) = Remote::of_replay();
        let config = SessionConfig { retry_first: true, max_retries: u32::MAX, ..config };
        // The recording says when it connected again.
        let at_once =
            BackoffConfig { base: Duration::ZERO, cap: Duration::ZERO, budget: usize::MAX, ..BackoffConfig::default() };
        let backoff = Backoff::new(at_once, Attempts::default(), 0);
        let by_message = |entry: &Entry| matches!(&entry.what, What::Sent(text) if is_authentication(text));
        // A key of no account: what is signed with it goes nowhere.
        let identity =
            Credentials::new("recorded", "recorded").ok().filter(|_| recording.entries().iter().any(by_message));
        let identity = identity.map(|key| Identity::new(Arc::new(key), Authentication::Message, false, 0));
        let began = recording.entries().first().map_or(0, |entry| entry.at);
        let player = Player {
            session: Session::new(config, identity, topics, backoff),
            tap,
            counters: Arc::clone(&remote.counters),
            began,
            now: Now { at: Duration::ZERO, wall: began },
            linked: false,
        };
        let pace = times.map(|times| Pace { times, began: None });
        (Self { recording, next: 0, player, commands: Some(commands), pace }, remote)
    }

    /// Plays until there is something, and gives it, but waits no longer than that for its time to come.
    ///
    /// # Errors
    /// `Timeout` when its time does not come so soon; `Disconnected` after the last event.
    fn next(&mut self, patience: Option<Duration>) -> Result<Arrival, RecvTimeoutError> {
        let until = self.pace.as_ref().and(patience).map(|patience| Instant::now() + patience);
        loop {
            let Some(commands) = &self.commands else { return Err(RecvTimeoutError::Disconnected) };
            if let Ok(message) = commands.try_recv() {
                match self.player.hear(message) {
                    Some(arrival) => return Ok(arrival),
                    None => continue,
                }
            }
            if let Some(event) = self.player.event() {
                if matches!(event, Event::Closed(_)) {
                    self.commands = None;
                }
                return Ok(Arrival::Event(event));
            }
            let Some(entry) = self.recording.entries().get(self.next) else {
                self.commands = None;
                let reason = CloseReason::EndOfRecording { cut_off: self.recording.cut_off() };
                return Ok(Arrival::Event(Event::Closed(reason)));
            };
            if let Some(pace) = &mut self.pace {
                let began = *pace.began.get_or_insert_with(Instant::now);
                let wait = pace.due(entry.at.saturating_sub(self.player.began)).saturating_sub(began.elapsed());
                if !wait.is_zero() {
                    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                    match commands.recv_timeout(left.map_or(wait, |left| left.min(wait))) {
                        Ok(message) => {
                            if let Some(arrival) = self.player.hear(message) {
                                return Ok(arrival);
                            }
                        }
                        Err(_) if left.is_some_and(|left| left < wait) => return Err(RecvTimeoutError::Timeout),
                        Err(_) => {}
                    }
                    continue;
                }
            }
            self.next += 1;
            if let Some(event) = self.player.play(entry) {
                return Ok(Arrival::Event(event));
            }
        }
    }
}

impl Pace {
    /// When something is due that was so many nanoseconds after the recording began.
    fn due(&self, nanos: u64) -> Duration {
        Duration::try_from_secs_f64(Duration::from_nanos(nanos).as_secs_f64() / self.times).unwrap_or(Duration::MAX)
    }
}

impl Player {
    /// The program wants something. What it is to hear of it in its place among the events.
    fn hear(&mut self, message: Inbox) -> Option<Arrival> {
        match message {
            Inbox::Command(command) => self.session.command(command, self.now),
            Inbox::Request(request, None) => return Some(Arrival::Answer(request.token, Err(not_sent()))),
            Inbox::Knock => return Some(Arrival::Knock),
            // Answered at once by whoever asked; and of a connection, which there is not.
            Inbox::Request(..) | Inbox::Resolved(..) | Inbox::Resume => {}
        }
        None
    }

    /// The next event of what was played.
    fn event(&mut self) -> Option<Event> {
        while let Some(output) = self.session.output() {
            match output {
                Output::Deliver(event) => {
                    if matches!(event, Event::Reconnected { .. }) {
                        self.counters.reconnected();
                    }
                    return Some(event);
                }
                Output::Measured(measured) => self.counters.measured(measured),
                // The recording tells what came of it then.
                _ => {}
            }
        }
        None
    }

    /// Plays one entry. An event that it gives comes before those of the session, which has none left.
    fn play(&mut self, entry: &Entry) -> Option<Event> {
        let at = Duration::from_nanos(entry.at.saturating_sub(self.began));
        // A clock may have been set back.
        self.now = Now { at: at.max(self.now.at), wall: entry.at };
        match &entry.what {
            What::Connect(url) => {
                self.tap(Direction::Connect, url);
                if self.linked {
                    self.close("the recording does not say why");
                }
                self.connect();
            }
            What::Sent(text) => {
                self.tap(Direction::Sent, text);
                self.session.sent(text, self.now);
            }
            What::Received(text) => {
                self.tap(Direction::Received, text);
                self.counters.replayed(text.len());
                if !self.linked {
                    // The recording began later.
                    self.connect();
                }
                self.session.text(text, self.now);
            }
            What::Closed(reason) => {
                self.tap(Direction::Closed, reason);
                self.close(reason);
            }
            What::Gap(missed) => return Some(Event::Lagged(Lag { dropped: vec![("*".into(), *missed)] })),
            What::Redacted | What::Next(_) => {}
        }
        None
    }

    fn connect(&mut self) {
        self.linked = true;
        self.session.start(self.now);
        self.session.tick(self.now);
        self.session.upgraded(self.now);
    }

    fn close(&mut self, reason: &str) {
        self.linked = false;
        self.session.failed(Error::transport(Phase::Exchange, reason), self.now);
    }

    fn tap(&mut self, direction: Direction, text: &str) {
        if let Some(tap) = &mut self.tap {
            tap(direction, text, self.now.wall);
        }
    }
}
