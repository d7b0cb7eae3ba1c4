//! What a tracker's threads and its handles share.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::TrackerEvent;
use super::state::{Output, Query, QuestionId, State};
use crate::client::Client;
use crate::error::Result;
use crate::model::{OrderAnswer, Outcome};
use crate::rest::Account;
use crate::symbol::OrderId;
use crate::ws::{StreamHandle, Token};

/// The longest wait, for who asks for a longer one.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time after so long.
pub(super) fn after(wait: Duration) -> Instant {
    Instant::now() + wait.min(A_YEAR)
}

#[derive(Debug)]
pub(super) struct Shared {
    core: Mutex<Core>,
    /// Something has changed.
    changed: Condvar,
    pub(super) stream: StreamHandle,
    pub(super) account: Account,
    began: Instant,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) state: State,
    /// None after the last event.
    tell: Option<mpsc::Sender<TrackerEvent>>,
    /// Questions that are to be asked.
    pub(super) questions: Vec<(QuestionId, Query)>,
    /// Where it is known whether ids are as computed.
    client: Client,
    /// Who waits for the answers of requests over the stream.
    pub(super) waiting: BTreeMap<Token, Waiting>,
    /// No order is placed any more.
    pub(super) is_stopping: bool,
}

#[derive(Debug)]
pub(super) enum Waiting {
    Question(QuestionId, Query),
    /// For the answer to an order.
    Order(OrderId, mpsc::Sender<Result<OrderAnswer<Outcome>>>),
}

impl Shared {
    pub(super) fn new(state: State, tell: mpsc::Sender<TrackerEvent>, stream: StreamHandle, account: Account) -> Self {
        let (questions, client, waiting) = (Vec::new(), account.client.clone(), BTreeMap::new());
        let core = Core { state, tell: Some(tell), questions, client, waiting, is_stopping: false };
        Self { core: Mutex::new(core), changed: Condvar::new(), stream, account, began: Instant::now() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Does something to the state, and tells what comes of it before anybody else can do something.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut Core, Duration) -> T) -> T {
        let mut core = self.lock();
        core.state.ids_are_sure = core.client.ids_are_sure();
        let result = act(&mut core, self.now());
        core.drain();
        drop(core);
        self.changed.notify_all();
        result
    }

    /// Waits until something changes, no longer than that.
    pub(super) fn rest(&self, wait: Duration) {
        // Neither why it ends nor what has changed matters.
        drop(self.changed.wait_timeout(self.lock(), wait));
    }

    /// Waits until something is so, no longer than until then; whether it is.
    pub(super) fn wait_until(&self, deadline: Instant, is_so: impl Fn(&Core) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), left, |core| !is_so(core) && !core.is_over());
        let (core, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_so(&core)
    }
}

impl Core {
    /// Tells the last event. Whoever acts after this finds that it is over.
    pub(super) fn end(&mut self, last: TrackerEvent) {
        self.drain();
        self.tell(last);
        self.tell = None;
    }

    /// Whether the last event was told.
    pub(super) fn is_over(&self) -> bool {
        self.tell.is_none()
    }

    fn drain(&mut self) {
        while let Some(output) = self.state.output() {
            match output {
                Output::Ask(id, query) => self.questions.push((id, query)),
                Output::Tell(event) => self.tell(event),
                Output::Id(computed, id) => self.client.note_id(computed, id),
            }
        }
    }

    pub(super) fn tell(&self, event: TrackerEvent) {
        if self.tell.as_ref().is_some_and(|tell| tell.send(event).is_err()) {
            log::trace!("nobody listens to the tracker any more");
        }
    }
}
