//! The end of a tracker: what is left open, who waits, and the guards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/tracker.rs"]
#[allow(dead_code, reason = "what other tests need too")]
mod support;

use std::thread;
use std::time::Duration;

use bitmax::sandbox::{Break, Fault, OrderRequest, Sandbox};
use bitmax::{Error, OrderStage, TrackerEvent};
use support::{CASH, PATIENCE, client, live, order, track, wait_for};

#[test]
fn closing_beside_placing_leaves_nobody_waiting() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    for round in 0..20 {
        let tracker = track(&client);
        assert!(tracker.wait_live(PATIENCE));
        let handle = tracker.handle();
        let (ended, has_ended) = std::sync::mpsc::channel();
        thread::spawn(move || {
            while !matches!(handle.place(&order()), Err(Error::Closed)) {}
            ended.send(()).unwrap();
        });
        thread::sleep(Duration::from_micros(round * 300));
        tracker.close();
        has_ended.recv_timeout(PATIENCE).expect("no call waits for ever");
    }
}

#[test]
fn the_longest_time_is_one_too() {
    let sandbox = Sandbox::start().unwrap();
    let account = client(&sandbox).account(CASH).unwrap();
    account.place(&order()).unwrap();
    assert!(account.stop(Duration::MAX).is_clean());
    let tracker = live(&sandbox);
    tracker.place(&order()).unwrap();
    drop(tracker.cancel_on_drop(Duration::MAX));
    assert!(sandbox.user().open_orders(CASH).is_empty());
    let tracker = live(&sandbox);
    tracker.place(&order()).unwrap();
    assert!(tracker.stop(Duration::MAX).is_clean());
    assert!(matches!(tracker.iter().last(), Some(TrackerEvent::Closed(_))));
    assert!(!tracker.wait_live(Duration::MAX));
}

#[test]
fn stopping_leaves_nothing_open_and_says_what_it_cannot_close() {
    let sandbox = Sandbox::start().unwrap();
    let tracker = live(&sandbox);
    for _ in 0..5 {
        tracker.place(&order()).unwrap();
    }
    // One more is on its way.
    let _late = tracker.place_later(&order()).unwrap();
    // The stream fails to cancel, and loses its connection.
    sandbox.inject(Fault::Cut.at("req cancel-all"));
    let stopped = tracker.stop(PATIENCE);
    assert!(stopped.is_clean(), "{stopped:?}");
    assert!(sandbox.user().open_orders(CASH).is_empty());
    let last = tracker.iter().last().unwrap();
    assert!(matches!(last, TrackerEvent::Closed(_)), "{last:?}");
    assert!(tracker.place(&order()).is_err_and(|e| !e.may_have_executed()));

    let tracker = live(&sandbox);
    let id = tracker.place(&order()).unwrap();
    for name in ["req cancel-all", "DELETE */order/all"] {
        let reply = bitmax::sandbox::Reply::new(200).body(r#"{"code":510001,"reason":"SERVER_ERROR"}"#);
        sandbox.inject(Fault::Refuse(reply).at(name).always());
    }
    // Long enough to ask what is open on a busy machine too.
    let stopped = tracker.stop(Duration::from_secs(4));
    assert!(!stopped.is_clean() && stopped.confirmed, "{stopped:?}");
    assert_eq!((stopped.open[0].order_id, stopped.error.is_some()), (id, true));
}

#[test]
fn how_the_orders_ended_is_told_though_the_stream_has_just_broken() {
    let sandbox = Sandbox::start().unwrap();
    let tracker = live(&sandbox);
    let id = tracker.place(&order()).unwrap();
    wait_for("open", || tracker.order(id).filter(|order| order.stage == OrderStage::Open));
    // It comes back only after REST has cancelled all.
    sandbox.inject(Fault::DelayRequest(Duration::from_secs(1)).at("UPGRADE *"));
    sandbox.sessions().iter().for_each(|session| session.break_off(Break::After(0)));
    wait_for("broken", || (!tracker.snapshot().live).then_some(()));
    let stopped = tracker.stop(PATIENCE);
    assert!(stopped.is_clean(), "{stopped:?}");
    let stages = tracker.iter().filter_map(|event| match event {
        TrackerEvent::Order(transition) if transition.order.order_id == id => Some(transition.order.stage),
        _ => None,
    });
    assert_eq!(stages.last(), Some(OrderStage::Canceled));
}

#[test]
fn what_another_program_has_in_doubt_is_not_left_by_this_one() {
    use bitmax::sandbox::Reply;
    let sandbox = Sandbox::start().unwrap();
    let theirs = sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    let builder = client(&sandbox).stream().request_timeout(Duration::from_millis(100));
    let tracker = builder.track(CASH).unwrap();
    assert!(tracker.wait_live(PATIENCE));
    // From here on the exchange does not know of any order.
    for action in ["open-order", "order-status"] {
        let refusal = Reply::new(200).body(r#"{"m":"error","code":100005,"reason":"X","info":"y"}"#);
        sandbox.inject(Fault::Refuse(refusal).at(format!("req {action}")).always());
    }
    for path in ["order/open", "order/status", "order/hist/current"] {
        let none = Reply::new(200).body(r#"{"code":0,"data":[]}"#);
        sandbox.inject(Fault::Refuse(none).at(format!("GET */{path}")).always());
    }
    tracker.refresh();
    wait_for("vanished", || tracker.order(theirs).filter(|order| order.stage == OrderStage::Unknown));
    let stopped = tracker.stop(PATIENCE);
    assert!(stopped.is_clean(), "{stopped:?}");
}

#[test]
fn a_guard_cancels_when_it_is_dropped() {
    let sandbox = Sandbox::start().unwrap();
    let user = sandbox.user();
    let account = client(&sandbox).account(CASH).unwrap();
    let tracker = live(&sandbox);
    tracker.place(&order()).unwrap();
    account.cancel_on_drop(PATIENCE).keep();
    assert_eq!(user.open_orders(CASH).len(), 1);
    let guarded = account.clone();
    let panicked = thread::spawn(move || {
        let _guard = guarded.cancel_on_drop(PATIENCE);
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(user.open_orders(CASH).is_empty());

    account.place(&order()).unwrap();
    drop(tracker.cancel_on_drop(PATIENCE));
    assert!(user.open_orders(CASH).is_empty());
    account.place(&order()).unwrap();
    assert!(account.cancel_on_drop(PATIENCE).stop().is_clean());
}
