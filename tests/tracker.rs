//! The tracker against the embedded exchange: what it tells is what happened, whatever the connection does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/tracker.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, OrderStatus, Side};
use bitmax::sandbox::{Break, Fault, Order, OrderRequest, ProductOptions, Sandbox, User, UserOptions};
use bitmax::{
    Client, CloseReason, Decimal, Error, Event, NewOrder, OrderId, OrderStage, TrackerEvent, TrackerHandle, Transition,
};
use support::{CASH, PATIENCE, break_off, client, live, order, track, transition, wait_for};

fn stages(transitions: &[Transition]) -> Vec<(Option<OrderStage>, OrderStage, bool)> {
    transitions.iter().map(|t| (t.from, t.order.stage, t.recovered)).collect()
}

#[test]
fn an_order_is_known_from_the_moment_it_is_sent() {
    let sandbox = Sandbox::start().unwrap();
    let tracker = live(&sandbox);
    let placing = tracker.place_later(&order()).unwrap();
    assert!(tracker.order(placing.order_id()).is_some());
    let computed = placing.order_id();
    let id = placing.wait().unwrap();
    assert_eq!(id, computed);
    let mut seen = vec![transition(&tracker), transition(&tracker)];
    assert_eq!(tracker.open_orders()[0].order_id, id);
    assert_eq!(tracker.open_orders()[0].client_id.unwrap().as_str().len(), 32);
    tracker.cancel(id).unwrap();
    seen.push(transition(&tracker));
    assert_eq!(
        stages(&seen),
        [
            (None, OrderStage::Sending, false),
            (Some(OrderStage::Sending), OrderStage::Open, false),
            (Some(OrderStage::Open), OrderStage::Canceled, false),
        ]
    );
    assert!(seen[1].received.is_some() && seen[0].received.is_none());
    assert!(tracker.orders().is_empty() && tracker.order(id).is_some());

    // Refused by the exchange, and here.
    let dear = NewOrder::limit("BTC/USDT", Side::Buy, "9000", "10000").unwrap();
    assert!(matches!(tracker.place(&dear), Err(Error::Refused(_))));
    let seen = [transition(&tracker), transition(&tracker)];
    assert_eq!(seen[1].order.stage, OrderStage::Rejected);
    assert!(seen[1].refusal.is_some());
    let short = order().id("abc".parse().unwrap());
    assert!(matches!(tracker.place(&short), Err(Error::InvalidInput(e)) if e.field() == "id"));
}

#[test]
fn a_new_program_finds_open_orders_and_balances() {
    let sandbox = Sandbox::start().unwrap();
    let user = sandbox.user();
    user.place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    let gone = user.place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    user.cancel(gone).unwrap();
    let there = user.place(&OrderRequest::sell("ETH/USDT", "0.1").limit("90000")).unwrap();
    let tracker = live(&sandbox);
    let found = [transition(&tracker), transition(&tracker)];
    assert!(found.iter().all(|t| t.from.is_none() && t.recovered && t.order.stage == OrderStage::Open));
    assert_eq!(found[1].order.order_id, there);
    same(&tracker.handle(), user);
    // What had ended before is not told after a gap either.
    break_off(&sandbox);
    user.cancel(there).unwrap();
    let ended = transition(&tracker);
    assert_eq!((ended.order.order_id, ended.order.stage), (there, OrderStage::Canceled));
    wait_for("live", || tracker.is_live().then_some(()));
    same(&tracker.handle(), user);
}

#[test]
fn fills_of_a_gap_are_told_as_one() {
    let sandbox = Sandbox::start().unwrap();
    quiet(&sandbox);
    let (user, other) = (sandbox.user(), participant(&sandbox));
    let tracker = live(&sandbox);
    let id = tracker.place(&NewOrder::limit("TST/USDT", Side::Buy, "10", "5").unwrap()).unwrap();
    let _ = (transition(&tracker), transition(&tracker));
    other.place(&OrderRequest::sell("TST/USDT", "1").limit("5")).unwrap();
    let first = transition(&tracker);
    assert_eq!((first.order.stage, first.fill.unwrap().quantity), (OrderStage::PartiallyFilled, Decimal::ONE));
    assert!(!first.recovered);

    let closed = sandbox.inject(Fault::Cut.at("UPGRADE *").always());
    break_off(&sandbox);
    wait_for("down", || (!tracker.is_live()).then_some(()));
    for _ in 0..3 {
        other.place(&OrderRequest::sell("TST/USDT", "2").limit("5")).unwrap();
    }
    // One that comes and goes in the gap.
    let brief = user.place(&OrderRequest::buy("TST/USDT", "1").limit("4")).unwrap();
    user.cancel(brief).unwrap();
    user.fund(CASH, "ETH", 3).unwrap();
    // An order is never queued.
    assert!(matches!(tracker.place(&order()), Err(Error::NotReady(_))));
    assert_eq!(transition(&tracker).order.stage, OrderStage::Sending);
    assert_eq!(transition(&tracker).order.stage, OrderStage::Unsent);
    closed.remove();

    let (filled, gone) = (transition(&tracker), transition(&tracker));
    assert_eq!((filled.order.order_id, filled.order.cum_filled_qty), (id, Decimal::from(7)));
    let fill = filled.fill.unwrap();
    assert_eq!((fill.quantity, filled.recovered), (Decimal::from(6), true));
    let truth = user.open_orders(CASH).into_iter().find(|order| order.id == id).unwrap();
    assert_eq!(filled.order.cum_fee, Some(truth.fee));
    assert_eq!(fill.fee, Some(truth.fee - first.fill.unwrap().fee.unwrap()));
    assert_eq!((gone.order.order_id, gone.from, gone.recovered), (brief, None, true));
    assert_eq!(gone.order.stage, OrderStage::Canceled);
    wait_for("live", || tracker.is_live().then_some(()));
    same(&tracker.handle(), user);
}

#[test]
fn an_order_whose_answer_is_lost_is_settled() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.set_acceptance_window(Duration::from_secs(1));
    let settings = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
    let tracker = track(&settings.acceptance_window(Duration::from_secs(1)).build().unwrap());
    assert!(tracker.wait_live(PATIENCE));
    // The exchange acknowledges one, which shows how it gives ids.
    let known = tracker.place(&order()).unwrap();

    // It is there, though the connection breaks before the answer.
    sandbox.inject(Fault::Break(Break::After(0)).at("req place-order"));
    let lost = tracker.place_later(&order()).unwrap();
    let there = lost.order_id();
    assert!(matches!(lost.wait(), Err(e) if e.may_have_executed()));
    wait_for("found", || tracker.order(there).filter(|order| order.stage == OrderStage::Open));

    // It is not, and never will be.
    wait_for("live", || tracker.is_live().then_some(()));
    sandbox.inject(Fault::Cut.at("req place-order"));
    let lost = tracker.place_later(&order()).unwrap();
    let absent = lost.order_id();
    assert!(matches!(lost.wait(), Err(e) if e.may_have_executed()));
    wait_for("settled", || tracker.order(absent).filter(|order| order.stage == OrderStage::Unsent));
    let open: BTreeSet<OrderId> = tracker.open_orders().iter().map(|order| order.order_id).collect();
    assert_eq!(open, [known, there].into());
    same(&tracker.handle(), sandbox.user());
}

#[test]
fn rest_answers_what_the_stream_does_not() {
    let sandbox = Sandbox::start().unwrap();
    let user = sandbox.user();
    user.place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    let refusal = || bitmax::sandbox::Reply::new(200).body(r#"{"m":"error","code":100005,"reason":"X","info":"y"}"#);
    let faults = ["open-order", "balance", "order-status"].map(|action| {
        // Without an id nobody knows what is refused, so that time runs out.
        sandbox.inject(Fault::Refuse(refusal()).at(format!("req {action}")).always())
    });
    let builder = client(&sandbox).stream().request_timeout(Duration::from_millis(100));
    let tracker = builder.track(CASH).unwrap();
    assert!(tracker.wait_live(PATIENCE));
    same(&tracker.handle(), user);
    // Not asked in vain again.
    for _ in 0..3 {
        tracker.refresh();
        assert!(tracker.wait_live(PATIENCE));
    }
    assert_eq!(faults.map(|fault| fault.hits()), [1, 1, 0]);
}

#[test]
fn what_cannot_be_read_is_told_and_looked_up() {
    let sandbox = Sandbox::start().unwrap();
    let tracker = live(&sandbox);
    let id = tracker.place(&order()).unwrap();
    let _ = (transition(&tracker), transition(&tracker));
    // The order's end comes broken.
    let lost = sandbox.inject(Fault::LoseMessage.at("order:*"));
    sandbox.user().cancel(id).unwrap();
    assert_eq!(lost.hits(), 1);
    let broken = r#"{"m":"order","accountId":"x","ac":"CASH","data":{"sn":1}}"#;
    sandbox.sessions().iter().for_each(|session| session.send_text(broken));
    let mut undecodable = false;
    loop {
        match tracker.recv_timeout(PATIENCE).unwrap() {
            TrackerEvent::Stream(event) => undecodable |= matches!(*event, Event::Undecodable(_)),
            TrackerEvent::Order(transition) => {
                assert_eq!((transition.order.stage, transition.recovered), (OrderStage::Canceled, true));
                break;
            }
            _ => {}
        }
    }
    assert!(undecodable);
    // And when the program asks for it.
    sandbox.inject(Fault::LoseMessage.at("order:*"));
    sandbox.user().fund(CASH, "ETH", 1).unwrap();
    wait_for("live", || tracker.is_live().then_some(()));
    tracker.refresh();
    same(&tracker.handle(), sandbox.user());
}

#[test]
fn each_account_has_its_own_tracker() {
    let sandbox = Sandbox::start().unwrap();
    let client = client(&sandbox);
    let cash = live(&sandbox);
    let margin = client.stream().track(AccountCategory::Margin).unwrap();
    assert!(margin.wait_live(PATIENCE));
    let id = sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000").margin()).unwrap();
    assert_eq!(transition(&margin).order.order_id, id);
    assert!(cash.orders().is_empty());
    let usdt = margin.balance("USDT".try_into().unwrap()).unwrap();
    let truth = sandbox.user().balance(AccountCategory::Margin, "USDT").unwrap();
    assert_eq!((usdt.total, usdt.available), (truth.total, truth.available));
    assert_eq!((usdt.borrowed, usdt.interest), (Some(truth.borrowed), Some(truth.interest)));
    let other = client.stream().subscribe(bitmax::Channel::bbo(["BTC/USDT"])).track(CASH);
    assert!(matches!(other, Err(Error::InvalidInput(e)) if e.field() == "ch"));
}

#[test]
fn ending_does_not_wait_for_rest() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.inject(Fault::LoseAnswer.at("GET */order/hist/current").always());
    let hour = Duration::from_secs(3600);
    let settings = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
    let tracker = track(&settings.read_timeout(hour).call_timeout(hour).build().unwrap());
    let (done, is_done) = std::sync::mpsc::channel();
    thread::spawn(move || {
        drop(tracker);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_repair_that_fails_is_told_and_tried_again() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.inject(Fault::Refuse(bitmax::sandbox::Reply::new(404)).at("GET */order/hist/current").times(2));
    let tracker = track(&client(&sandbox));
    let mut failures = 0;
    loop {
        match tracker.recv_timeout(PATIENCE).unwrap() {
            TrackerEvent::RepairFailed(failed) => {
                assert_eq!(failed.asked, "recent orders");
                failures += 1;
            }
            TrackerEvent::Live { .. } if failures == 2 => break,
            _ => {}
        }
    }
}

#[test]
fn without_rest_orders_are_told_all_the_same() {
    let sandbox = Sandbox::start().unwrap();
    quiet(&sandbox);
    let (user, other) = (sandbox.user(), participant(&sandbox));
    let tracker = live(&sandbox);
    let id = tracker.place(&NewOrder::limit("TST/USDT", Side::Buy, "10", "5").unwrap()).unwrap();
    let _ = (transition(&tracker), transition(&tracker));
    let refused = sandbox.inject(Fault::Refuse(bitmax::sandbox::Reply::new(403)).at("GET *").always());
    let closed = sandbox.inject(Fault::Cut.at("UPGRADE *").always());
    break_off(&sandbox);
    wait_for("down", || (!tracker.is_live()).then_some(()));
    other.place(&OrderRequest::sell("TST/USDT", "2").limit("5")).unwrap();
    let brief = user.place(&OrderRequest::buy("TST/USDT", "1").limit("4")).unwrap();
    user.cancel(brief).unwrap();
    closed.remove();
    let filled = transition(&tracker);
    assert_eq!((filled.order.order_id, filled.order.cum_filled_qty, filled.recovered), (id, 2.into(), true));
    assert!(tracker.wait_live(PATIENCE));
    other.place(&OrderRequest::sell("TST/USDT", "3").limit("5")).unwrap();
    let filled = transition(&tracker);
    assert_eq!((filled.order.cum_filled_qty, filled.recovered), (5.into(), false));
    // What came and went unheard is told when it can be known.
    refused.remove();
    let gone = transition(&tracker);
    assert_eq!((gone.order.order_id, gone.order.stage, gone.recovered), (brief, OrderStage::Canceled, true));
}

#[test]
fn a_tracker_that_may_not_hear_of_the_account_ends() {
    let sandbox = Sandbox::start().unwrap();
    let refusal = r#"{"m":"sub","ch":"order:cash","code":200015,"reason":"PERMISSION_DENIED"}"#;
    sandbox.inject(Fault::Refuse(bitmax::sandbox::Reply::new(0).body(refusal)).at("sub order:*").always());
    let tracker = track(&client(&sandbox));
    assert!(!tracker.wait_live(Duration::MAX));
    assert!(matches!(tracker.place(&order()), Err(Error::Closed)));
    let events: Vec<TrackerEvent> = tracker.iter().collect();
    let told =
        |event: &TrackerEvent| matches!(event, TrackerEvent::Stream(e) if matches!(**e, Event::SubscriptionFailed(_)));
    assert!(events.iter().any(told), "{events:?}");
    let Some(TrackerEvent::Closed(CloseReason::GaveUp(why))) = events.last() else { panic!("{events:?}") };
    assert!(matches!(&**why, Error::Refused(refusal) if refusal.code.value() == 200_015), "{why}");
    assert!(sandbox.user().open_orders(CASH).is_empty());
}

#[test]
fn a_refusal_that_passes_ends_nothing() {
    let sandbox = Sandbox::start().unwrap();
    let refusal = r#"{"m":"sub","ch":"order:cash","code":510001,"reason":"SERVER_ERROR"}"#;
    let once = sandbox.inject(Fault::Refuse(bitmax::sandbox::Reply::new(0).body(refusal)).at("sub order:*"));
    let tracker = track(&client(&sandbox));
    assert!(tracker.wait_live(PATIENCE));
    assert_eq!(once.hits(), 1);
}

#[test]
fn no_order_is_placed_that_would_not_be_heard_of() {
    let sandbox = Sandbox::start().unwrap();
    let silent = sandbox.inject(Fault::LoseRequest.at("sub order:*").always());
    let tracker = track(&client(&sandbox));
    wait_for("asked", || (silent.hits() > 0).then_some(()));
    assert!(matches!(tracker.place(&order()), Err(Error::NotReady(_))));
    assert_eq!(transition(&tracker).order.stage, OrderStage::Sending);
    assert_eq!(transition(&tracker).order.stage, OrderStage::Unsent);
    assert!(sandbox.user().order_changes(CASH).is_empty());
    silent.remove();
    break_off(&sandbox);
    assert!(tracker.wait_live(PATIENCE));
    tracker.place(&order()).unwrap();
}

/// A product that nobody trades but those who are told to.
fn quiet(sandbox: &Sandbox) {
    sandbox.add_product(&ProductOptions::new("TST/USDT").price(5).notional(1, 400_000)).unwrap();
    sandbox.user().fund(CASH, "TST", 100_000).unwrap();
}

/// Somebody to trade with.
fn participant(sandbox: &Sandbox) -> User {
    let other = sandbox.add_user(UserOptions::new());
    other.fund(CASH, "TST", 100_000).unwrap();
    other.fund(CASH, "USDT", 1_000_000).unwrap();
    other
}

/// What the tracker knows comes to be what the exchange has.
fn same(tracker: &TrackerHandle, user: &User) {
    let known = || {
        let snapshot = tracker.snapshot();
        let orders: BTreeMap<_, _> = snapshot.orders.iter().map(|o| (o.order_id, o.cum_filled_qty)).collect();
        let balances = snapshot.balances.iter().filter(|balance| !balance.total.is_zero());
        let balances: BTreeMap<_, _> = balances.map(|b| (b.asset, (b.total, b.available))).collect();
        (orders, balances)
    };
    let truth = || {
        let orders: BTreeMap<_, _> = user.open_orders(CASH).iter().map(|o| (o.id, o.filled)).collect();
        let balances: BTreeMap<_, _> = user.balances(CASH).iter().map(|b| (b.asset, (b.total, b.available))).collect();
        (orders, balances)
    };
    let deadline = Instant::now() + PATIENCE;
    while known() != truth() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(known(), truth());
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Connections break every few hundred milliseconds while this program, another one on the same account and another
/// participant place, fill and cancel.
fn survive(time: Duration, seed: u64) {
    let sandbox = Sandbox::builder().seed(seed).start().unwrap();
    quiet(&sandbox);
    let (user, other) = (sandbox.user().clone(), participant(&sandbox));
    let earlier = user.place(&OrderRequest::buy("TST/USDT", "1").limit("1")).unwrap();
    user.cancel(earlier).unwrap();
    let found = user.place(&OrderRequest::buy("TST/USDT", "1").limit("1")).unwrap();
    let begin = user.order_changes(CASH).len() - 2;
    // What never arrived is known the sooner.
    let window = Duration::from_secs(3);
    sandbox.set_acceptance_window(window);
    let settings = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
    let tracker = track(&settings.acceptance_window(window).build().unwrap());
    assert!(tracker.wait_live(PATIENCE));
    let (over, breaks) = (AtomicBool::new(false), AtomicUsize::new(0));
    let handle = tracker.handle();

    let running = || !over.load(Ordering::Relaxed);
    let mut events = Vec::new();
    thread::scope(|scope| {
        // The connection breaks, in every way.
        scope.spawn(|| {
            let mut random = Random(seed);
            while running() {
                thread::sleep(Duration::from_millis(50 + random.below(400)));
                for session in sandbox.sessions() {
                    match random.below(3) {
                        0 => session.break_off(Break::After(0)),
                        1 => session.break_off(Break::After(random.below(2000))),
                        _ => session.close(1012, "restart"),
                    }
                }
                breaks.fetch_add(1, Ordering::Relaxed);
            }
        });
        // Another program on the same account, and another participant.
        scope.spawn(|| {
            let mut random = Random(seed + 1);
            while running() {
                thread::sleep(Duration::from_millis(random.below(8)));
                let open = user.open_orders(CASH);
                match random.below(10) {
                    0..3 if open.len() < 30 => {
                        let price = 3 + random.below(5);
                        let order = OrderRequest::buy("TST/USDT", 1 + random.below(9)).limit(price);
                        user.place(&order).unwrap();
                    }
                    3 | 4 => {
                        let which = random.below(open.len() as u64 + 1) as usize;
                        // It can have been filled meanwhile.
                        open.get(which).filter(|order| order.id != found).map(|order| user.cancel(order.id).is_ok());
                    }
                    5 => user.fund(CASH, "ETH", "0.5").unwrap(),
                    _ => {
                        let price = 3 + random.below(5);
                        let sell = OrderRequest::sell("TST/USDT", 1 + random.below(5)).limit(price);
                        other.place(&sell.time_in_force(bitmax::sandbox::TimeInForce::Ioc)).unwrap();
                    }
                }
            }
        });
        // This program.
        scope.spawn(|| {
            let mut random = Random(seed + 2);
            let mut placed: Vec<OrderId> = Vec::new();
            while running() {
                thread::sleep(Duration::from_millis(random.below(30)));
                if random.below(3) > 0 || placed.is_empty() {
                    let order =
                        NewOrder::limit("TST/USDT", Side::Buy, 1 + random.below(9), 3 + random.below(5)).unwrap();
                    if let Ok(placing) = handle.place_later(&order) {
                        placed.push(placing.order_id());
                        if random.below(2) == 0 {
                            match placing.wait() {
                                Ok(_) => {}
                                Err(e) => assert!(e.may_have_executed() || matches!(e, Error::NotReady(_)), "{e:?}"),
                            }
                        }
                    }
                } else {
                    let id = placed.swap_remove(random.below(placed.len() as u64) as usize);
                    // It may have ended, or the connection has.
                    drop(handle.cancel(id));
                }
            }
        });
        let end = Instant::now() + time;
        while Instant::now() < end {
            events.extend(tracker.recv_timeout(end.saturating_duration_since(Instant::now())));
        }
        over.store(true, Ordering::Relaxed);
    });

    // All is quiet: what is still in doubt is settled, all of it told.
    let stages = |stage| handle.orders().iter().filter(|order| order.stage == stage).count();
    let in_doubt = || stages(OrderStage::Sending) + stages(OrderStage::Unknown) > 0;
    let quiet_at = Instant::now() + Duration::from_secs(60);
    while in_doubt() || !handle.is_live() {
        assert!(Instant::now() < quiet_at, "{:?}", handle.orders());
        thread::sleep(Duration::from_millis(10));
    }
    same(&handle, &user);
    tracker.close();
    events.extend(tracker.iter());
    let journal = user.order_changes(CASH);
    let log: Vec<Transition> = events
        .iter()
        .filter_map(|event| match event {
            TrackerEvent::Order(transition) => Some((**transition).clone()),
            TrackerEvent::Contradiction(contradiction) => panic!("{contradiction:?}"),
            _ => None,
        })
        .collect();
    let outages = events
        .iter()
        .filter(|event| matches!(event, TrackerEvent::Stream(event) if matches!(**event, Event::Disconnected(_))));
    let recovered = log.iter().filter(|transition| transition.recovered).count();
    let settled = |stage| log.iter().filter(|transition| transition.order.stage == stage).count();
    println!(
        "{time:?} with seed {seed}: {} breaks, {} outages, {} changes, {} transitions told ({recovered} recovered), {} \
         sent, {} unknown, {} unsent",
        breaks.into_inner(),
        outages.count(),
        journal.len(),
        log.len(),
        settled(OrderStage::Sending),
        settled(OrderStage::Unknown),
        settled(OrderStage::Unsent),
    );
    told_once(&log);
    compare(&log, &journal[begin..], earlier);
}

/// What the exchange does not number is told once, too: no stage of these follows itself.
fn told_once(log: &[Transition]) {
    use OrderStage::{Rejected, Sending, Unknown, Unsent};
    let mut last: BTreeMap<OrderId, OrderStage> = BTreeMap::new();
    for transition in log {
        let stage = transition.order.stage;
        let before = last.insert(transition.order.order_id, stage);
        let is_again = before == Some(stage) && matches!(stage, Sending | Unknown | Unsent | Rejected);
        assert!(!is_again, "told twice: {transition:?}");
        assert!(stage != Sending || before.is_none(), "sent twice: {transition:?}");
    }
}

/// Every change is told once: by itself, or by the recovered transition that comes next.
fn compare(log: &[Transition], journal: &[Order], earlier: OrderId) {
    let numbers: Vec<u64> = log.iter().filter(|t| t.order.status.is_some()).filter_map(|t| t.order.seqnum).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "by number, each once");
    let mut told: BTreeMap<OrderId, Vec<&Transition>> = BTreeMap::new();
    for transition in log.iter().filter(|transition| transition.order.status.is_some()) {
        told.entry(transition.order.order_id).or_default().push(transition);
    }
    let mut changes: BTreeMap<OrderId, Vec<&Order>> = BTreeMap::new();
    for order in journal.iter().filter(|order| order.id != earlier) {
        changes.entry(order.id).or_default().push(order);
    }
    assert!(!told.contains_key(&earlier));
    assert_eq!(told.keys().collect::<Vec<_>>(), changes.keys().collect::<Vec<_>>(), "the same orders");
    for (id, changes) in changes {
        let told = &told[&id];
        let state = |order: &Order| (order.status.as_str(), order.filled);
        let mut next = 0;
        for transition in told {
            let at = changes.iter().position(|change| Some(change.sn) == transition.order.seqnum).expect("it happened");
            let change = changes[at];
            let status = transition.order.status.as_ref().map(OrderStatus::as_str).unwrap();
            assert_eq!((status, transition.order.cum_filled_qty), state(change));
            assert_eq!(transition.order.cum_fee, Some(change.fee));
            assert!(at >= next, "{id} told twice");
            // What went on the book is not told: it changes its number alone.
            let between = changes[next..at].iter().filter(|c| next == 0 || state(c) != state(changes[next - 1]));
            assert!(transition.recovered || between.count() == 0, "{id}: not told before {transition:?}");
            next = at + 1;
        }
        let rest = changes[next..].iter().filter(|change| state(change) != state(changes[next - 1]));
        assert_eq!(rest.count(), 0, "{id}: the last is told");
        let filled: Decimal = told.iter().filter_map(|transition| transition.fill).map(|fill| fill.quantity).sum();
        assert_eq!(filled, changes.last().unwrap().filled);
    }
}

#[test]
fn five_seconds_of_broken_connections_are_told_once_and_truly() {
    survive(Duration::from_secs(5), 1);
}

/// Run by `.ci/run`.
#[test]
#[ignore = "takes a minute"]
fn a_minute_of_broken_connections_is_told_once_and_truly() {
    survive(Duration::from_secs(60), 2);
}
