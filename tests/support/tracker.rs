//! What the tests of the tracker share.

use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Side};
use bitmax::sandbox::{Break, Sandbox};
use bitmax::{Client, NewOrder, Tracker, TrackerEvent, Transition};

pub(crate) const CASH: AccountCategory = AccountCategory::Cash;
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn client(sandbox: &Sandbox) -> Client {
    Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap()
}

/// A tracker that loses no time between attempts.
pub(crate) fn track(client: &Client) -> Tracker {
    let builder = client.stream().backoff(Duration::from_millis(1), Duration::from_millis(20));
    builder.attempt_budget(1_000_000, PATIENCE).track(CASH).unwrap()
}

pub(crate) fn live(sandbox: &Sandbox) -> Tracker {
    let tracker = track(&client(sandbox));
    assert!(tracker.wait_live(PATIENCE));
    tracker
}

/// An order that rests.
pub(crate) fn order() -> NewOrder {
    NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000").unwrap().into()
}

pub(crate) fn break_off(sandbox: &Sandbox) {
    sandbox.sessions().iter().for_each(|session| session.break_off(Break::After(0)));
}

/// The next transition.
pub(crate) fn transition(tracker: &Tracker) -> Transition {
    loop {
        if let TrackerEvent::Order(transition) = tracker.recv_timeout(PATIENCE).expect("an event in time") {
            return *transition;
        }
    }
}

pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "{what}"),
        }
        thread::sleep(Duration::from_millis(2));
    }
}
