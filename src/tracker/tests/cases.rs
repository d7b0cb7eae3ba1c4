//! What is to come of one thing after another, case by case.

use super::*;

/// A live tracker with these open orders, and what it has told since.
fn live(open: Vec<OrderState>) -> World {
    let mut world = World::new();
    for order in open {
        world.exchange.sn = world.exchange.sn.max(order.seqnum);
        world.exchange.journal.push(order.clone());
        world.exchange.orders.insert(order.order_id, order);
    }
    world.settle();
    assert!(world.state.is_live());
    world.log.clear();
    world
}

/// From where, to where, and whether it is recovered.
type Step = (Option<OrderStage>, OrderStage, bool);

fn told(world: &mut World, message: OrderState) -> (Vec<Step>, Vec<ContradictionKind>) {
    world.state.order(message, 1);
    world.drain();
    let log = std::mem::take(&mut world.log);
    let log = log.into_iter().map(|t| (t.from, t.order.stage, t.recovered)).collect();
    (log, std::mem::take(&mut world.contradictions))
}

#[test]
fn illegal_transitions_are_told_and_the_later_word_is_followed() {
    use ContradictionKind as Kind;
    use OrderStage as Stage;
    use OrderStatus::{Canceled, Filled, New, PartiallyFilled};
    let step = |from, to| vec![(from, to, false)];
    let mut world = live(vec![row("a", 10, New, 0)]);
    // Nothing new, though the number is.
    assert_eq!(told(&mut world, row("a", 10, New, 0)), (vec![], vec![]));
    assert_eq!(told(&mut world, row("a", 11, New, 0)), (vec![], vec![]));
    // In the ready mode it has another name.
    assert_eq!(told(&mut world, row("a", 12, OrderStatus::Ready, 0)), (vec![], vec![]));
    assert_eq!(
        told(&mut world, row("a", 13, PartiallyFilled, 4)),
        (step(Some(Stage::Open), Stage::PartiallyFilled), vec![])
    );
    // The same number says something else, an earlier one too.
    assert_eq!(told(&mut world, row("a", 13, PartiallyFilled, 5)), (vec![], vec![Kind::SaidTwice]));
    assert_eq!(told(&mut world, row("a", 12, PartiallyFilled, 3)), (vec![], vec![Kind::WentBack]));
    assert_eq!(
        told(&mut world, row("a", 14, PartiallyFilled, 3)),
        (step(Some(Stage::PartiallyFilled), Stage::PartiallyFilled), vec![Kind::FilledFell])
    );
    assert_eq!(told(&mut world, row("a", 15, Filled, 10)), (step(Some(Stage::PartiallyFilled), Stage::Filled), vec![]));
    assert_eq!(
        told(&mut world, row("a", 16, New, 10)),
        (step(Some(Stage::Filled), Stage::PartiallyFilled), vec![Kind::Reopened])
    );
    assert_eq!(
        told(&mut world, row("a", 17, Canceled, 11)),
        (step(Some(Stage::PartiallyFilled), Stage::Canceled), vec![Kind::Overfilled])
    );
    assert_eq!(
        told(&mut world, row("a", 18, Filled, 11)),
        (step(Some(Stage::Canceled), Stage::Filled), vec![Kind::Reopened, Kind::Overfilled])
    );
    // Another order with a number from before: told, and not lost.
    assert_eq!(told(&mut world, row("b", 9, New, 0)), (step(None, Stage::Open), vec![Kind::WentBack]));
}

#[test]
fn what_is_missing_in_a_message_stays() {
    let mut world = live(vec![row("a", 10, OrderStatus::New, 0)]);
    let bare = OrderState {
        side: None,
        order_type: None,
        price: None,
        order_qty: None,
        avg_px: None,
        cum_filled_qty: None,
        cum_fee: None,
        fee_asset: None,
        ..row("a", 11, OrderStatus::Filled, 0)
    };
    told(&mut world, bare);
    let order = &world.state.orders[&OrderId::new("a").unwrap()].order;
    assert_eq!((order.side.clone(), order.price, order.cum_filled_qty), (Some(Side::Buy), Some(d(7)), d(10)));
}

#[test]
fn an_order_that_vanishes_is_told_and_can_come_back() {
    let mut world = live(vec![row("a", 10, OrderStatus::New, 0)]);
    let gone = world.exchange.orders.remove(&OrderId::new("a").unwrap()).unwrap();
    world.act(&Do::Drop);
    world.settle();
    assert_eq!(world.contradictions, [ContradictionKind::Vanished]);
    assert_eq!(world.log[0].order.stage, OrderStage::Unknown);
    // It is asked about further: after a while no more than now and then.
    assert!(world.state.unsettled.contains(&gone.order_id));
    world.act(&Do::Time(700_000));
    world.settle();
    world.exchange.orders.insert(gone.order_id, gone);
    world.act(&Do::Time(60_000));
    world.settle();
    assert_eq!(world.log[1].order.stage, OrderStage::Open);
    assert_eq!((world.log.len(), world.contradictions.len()), (2, 1));
}

#[test]
fn an_order_that_gets_another_id_is_known_under_it() {
    for message_first in [false, true] {
        let mut world = live(vec![]);
        world.place(0);
        world.drain();
        let computed = *world.sent.first().unwrap();
        let given = OrderId::new("given").unwrap();
        if message_first {
            world.state.order(row("given", 5, OrderStatus::New, 0), 1);
        }
        world.state.sent(computed, Sent::Acknowledged(given), world.now);
        if !message_first {
            world.state.order(row("given", 5, OrderStatus::New, 0), 1);
        }
        world.drain();
        assert_eq!(world.contradictions, [ContradictionKind::OtherId]);
        assert!(!world.state.orders.contains_key(&computed));
        let order = &world.state.orders[&given].order;
        assert_eq!((order.stage, order.client_id.is_some()), (OrderStage::Open, true));
        assert_eq!(world.log.last().unwrap().order.stage, OrderStage::Open);
        assert!(world.state.unsettled.is_empty());
    }
}

#[test]
fn a_refusal_of_what_is_there_does_not_hide_it() {
    let mut world = live(vec![]);
    world.place(0);
    let id = *world.sent.first().unwrap();
    world.state.order(row(id.as_str(), 5, OrderStatus::New, 0), 1);
    world.state.sent(id, Sent::Unsent, world.now);
    world.drain();
    assert_eq!(world.contradictions, [ContradictionKind::RefusedButThere]);
    assert_eq!(world.state.orders[&id].order.stage, OrderStage::Open);
}

#[test]
fn an_acknowledged_order_that_nobody_speaks_of_is_asked_about() {
    let mut world = live(vec![]);
    world.place(0);
    // It is there, and its message is lost.
    world.act(&Do::Serve);
    world.to_client.truncate(1);
    world.act(&Do::Deliver(1));
    assert_eq!(world.log.last().unwrap().order.stage, OrderStage::Sending);
    world.act(&Do::Time(6000));
    world.settle();
    let last = world.log.last().unwrap();
    assert_eq!((last.order.stage, last.recovered), (OrderStage::Open, true));
}

#[test]
fn ended_orders_are_forgotten_the_oldest_first() {
    let mut world = live(vec![]);
    for n in 1..=10_050u64 {
        told(&mut world, row(&format!("o{n}"), n * 2, OrderStatus::New, 0));
        told(&mut world, row(&format!("o{n}"), n * 2 + 1, OrderStatus::Canceled, 0));
    }
    assert_eq!(world.state.orders.len(), 10_000);
    assert!(!world.state.orders.contains_key(&OrderId::new("o50").unwrap()));
    assert!(world.state.orders.contains_key(&OrderId::new("o51").unwrap()));
}

#[test]
fn an_order_that_ends_while_rest_is_asked_says_that_its_beginning_was_missed() {
    use Do::{Cancel, Connect, Fill, OwnPlace, Place, Serve};
    let mut world = World { stream_answers: false, ..World::new() };
    let before = [Place(0), OwnPlace(0), Place(0), Place(0), Place(0), Place(0), Place(0), Place(0), OwnPlace(0)];
    let after = [OwnPlace(0), Connect, Place(0), Serve, Fill(1, 1), Cancel(2)];
    before.iter().chain(&after).for_each(|what| world.act(what));
    world.settle();
    world.check();
}

#[test]
fn an_order_that_ends_between_two_questions_of_a_repair_is_asked_about() {
    use Do::{Cancel, Connect, Deliver, Drop, Fill, OwnPlace, Place, Rest, RestArrives, RestFails, Serve, Time};
    let mut world = World { stream_answers: false, ..World::new() };
    let first = [Connect, Deliver(1), Rest, Rest, RestArrives, RestArrives, Rest, Place(0), RestArrives, OwnPlace(0)];
    let broken = [Drop, Connect, Deliver(1), Fill(0, 3), RestFails, Fill(0, 7), Rest, Place(0), RestArrives, Place(0)];
    let between = [Time(78), Place(0), Serve, Place(0), Rest, Fill(4, 1), Cancel(4)];
    first.iter().chain(&broken).chain(&between).for_each(|what| world.act(what));
    world.settle();
    world.check();
}

#[test]
fn an_end_between_two_questions_of_a_repair_is_not_taken_for_an_old_one() {
    use Do::{Cancel, Connect, Deliver, Drop, Fill, OwnPlace, Place, Refresh, Rest, RestArrives, Serve};
    let mut world = World { stream_answers: false, ..World::new() };
    let first = [Place(0), Connect, Deliver(1), Fill(0, 3), Fill(0, 4), Rest, RestArrives, Fill(0, 1), Fill(0, 2)];
    let then = [Rest, RestArrives, OwnPlace(0), Rest, RestArrives, OwnPlace(0), Refresh, OwnPlace(0), Place(0), Rest];
    let end = [Serve, Place(0), Rest, Cancel(4), Fill(1, 1)];
    let rest = [RestArrives, RestArrives, Rest, RestArrives, Rest, RestArrives, Drop];
    first.iter().chain(&then).chain(&end).chain(&rest).for_each(|what| world.act(what));
    world.settle();
    world.check();
}

/// Sends an own order whose answer is lost, and which does not arrive, where ids are known to be as computed.
fn lose(world: &mut World) -> OrderId {
    world.state.ids_are_sure = true;
    lose_unsure(world)
}

fn lose_unsure(world: &mut World) -> OrderId {
    world.place(0);
    world.to_server.clear();
    let id = world.sent.pop_last().unwrap();
    world.state.sent(id, Sent::Lost, world.now);
    id
}

#[test]
fn the_exchange_s_word_of_an_order_shows_that_ids_are_as_computed() {
    let mut world = live(vec![]);
    let lost = lose_unsure(&mut world);
    world.settle();
    assert_eq!(world.state.orders[&lost].order.stage, OrderStage::Unknown);
    // Another arrives, and its answer is lost.
    world.place(0);
    world.act(&Do::Serve);
    world.to_client.retain(|down| !matches!(down, Down::Acknowledged(_)));
    world.act(&Do::Deliver(1));
    let there = world.sent.pop_last().unwrap();
    world.state.sent(there, Sent::Lost, world.now);
    world.settle();
    assert_eq!(world.state.orders[&there].order.stage, OrderStage::Open);
    assert_eq!(world.state.orders[&lost].order.stage, OrderStage::Unsent);
}

#[test]
fn an_acknowledged_order_that_does_not_show_is_not_said_to_be_unsent() {
    let mut world = live(vec![]);
    world.place(0);
    world.act(&Do::Serve);
    // It is taken; then the exchange does not know it, and has told nothing of it.
    world.to_client.truncate(1);
    let order = world.exchange.orders.pop_first().unwrap().1;
    world.act(&Do::Deliver(1));
    world.act(&Do::Time(6000));
    world.settle();
    let stages: Vec<_> = world.log.iter().map(|t| t.order.stage).collect();
    assert_eq!(stages, [OrderStage::Sending, OrderStage::Unknown]);
    assert_eq!(world.contradictions, [ContradictionKind::Vanished]);
    world.exchange.orders.insert(order.order_id, order);
    world.act(&Do::Time(60_000));
    world.settle();
    assert_eq!(world.log.last().unwrap().order.stage, OrderStage::Open);
    assert_eq!(world.contradictions.len(), 1);
}

#[test]
fn an_order_in_doubt_is_not_taken_for_another_of_its_client_id() {
    // One of yesterday.
    let yesterday = OrderState { ts: EPOCH - 86_400_000, ..row("sYesterday000000001", 10, OrderStatus::Filled, 10) };
    let mut world = live(vec![yesterday]);
    let lost = lose(&mut world);
    world.settle();
    assert_eq!(world.state.orders[&lost].order.stage, OrderStage::Unsent);
    // An own one, sent a moment ago.
    let mut world = live(vec![]);
    world.place(0);
    world.act(&Do::Serve);
    world.act(&Do::Deliver(2));
    let first = world.sent.pop_first().or_else(|| world.exchange.orders.keys().next().copied()).unwrap();
    world.own = 0;
    world.act(&Do::Time(300));
    let lost = lose(&mut world);
    assert_ne!(first, lost);
    world.settle();
    assert_eq!(world.state.orders[&first].order.stage, OrderStage::Open);
    assert_eq!(world.state.orders[&lost].order.stage, OrderStage::Unsent);
    assert_eq!(world.contradictions, []);
}

#[test]
fn an_order_in_doubt_is_found_under_another_id() {
    for heard_first in [false, true] {
        let mut world = live(vec![]);
        let lost = lose(&mut world);
        let given = OrderId::new("sGiven000000001").unwrap();
        let told = world.exchange.place(given, 0);
        if heard_first {
            world.state.order(told, 1);
        }
        world.settle();
        assert_eq!(world.contradictions, [ContradictionKind::OtherId]);
        assert!(!world.state.orders.contains_key(&lost) && world.state.unsettled.is_empty());
        let order = &world.state.orders[&given].order;
        assert_eq!((order.stage, order.client_id.is_some()), (OrderStage::Open, true));
        // That it is there under that id does not say that it was computed so.
        assert_eq!(world.ids, [(lost, given)]);
        world.act(&Do::Fill(0, 1));
        world.settle();
        assert_eq!(world.ids, [(lost, given)]);
    }
}

#[test]
fn a_row_that_may_be_the_order_in_doubt_proves_nothing() {
    let mut world = live(vec![]);
    let lost = lose(&mut world);
    let given = OrderId::new("sGiven000000001").unwrap();
    world.exchange.place(given, 0);
    world.exchange.orders.get_mut(&given).unwrap().side = None;
    world.settle();
    assert_eq!(world.state.orders[&lost].order.stage, OrderStage::Unknown);
}

#[test]
fn what_a_message_has_settled_is_not_asked_for_again() {
    let mut world = live(vec![]);
    let lost = lose(&mut world);
    for what in [Do::Time(1), Do::Rest, Do::RestArrives] {
        world.act(&what);
    }
    assert_eq!(world.to_server.len(), 1, "its status is asked for");
    let told = world.exchange.place(lost, 0);
    world.state.order(told, 1);
    let lives = world.lives;
    world.settle();
    assert_eq!((world.lives, world.log.last().unwrap().order.stage), (lives, OrderStage::Open));
}

#[test]
fn what_ended_before_the_start_is_not_told_by_lists_that_reach_further() {
    for by_history in [true, false] {
        let mut world = World::new();
        for _ in 0..5 {
            world.act(&Do::Place(0));
            world.act(&Do::Cancel(0));
        }
        world.act(&Do::Time(86_400_000));
        world.exchange.recent_from = world.exchange.time();
        world.settle();
        assert_eq!(world.log, []);
        if !by_history {
            world.exchange.recent_from = 0;
            world.act(&Do::Drop);
            world.settle();
            assert_eq!(world.log, []);
        }
        for _ in 0..3 {
            world.act(&Do::Drop);
            world.act(&Do::Place(0));
            world.act(&Do::Cancel(0));
            world.settle();
        }
        assert!(world.log.iter().all(|t| t.recovered && t.order.stage == OrderStage::Canceled));
        assert_eq!(world.log.len(), 3);
        world.check();
    }
}

#[test]
fn what_could_not_be_read_is_not_hidden_by_what_comes_after() {
    let mut world = live(vec![]);
    // Another program's order comes and goes; neither message can be read.
    world.exchange.place(OrderId::new("unread").unwrap(), 0);
    world.exchange.cancel(0).unwrap();
    world.state.doubt(world.now);
    let told = world.exchange.place(OrderId::new("read").unwrap(), 0);
    world.state.order(told, 1);
    world.settle();
    let told: Vec<_> = world.log.iter().map(|t| (t.order.order_id.to_string(), t.order.stage, t.recovered)).collect();
    assert_eq!(told, [("read".to_owned(), OrderStage::Open, false), ("unread".to_owned(), OrderStage::Canceled, true)]);
}

#[test]
fn without_the_list_of_ended_orders_what_is_known_is_told_and_the_rest_follows() {
    let mut world = live(vec![row("a", 10, OrderStatus::New, 0)]);
    world.act(&Do::Drop);
    world.exchange.fill(0, 4).unwrap();
    world.exchange.place(OrderId::new("brief").unwrap(), 0);
    world.exchange.cancel(1).unwrap();
    world.act(&Do::Connect);
    let (before, mut filled) = (world.lives, 4);
    for _ in 0..20 {
        world.act(&Do::RestFails);
        for what in [Do::RestArrives, Do::Serve, Do::Deliver(9), Do::Time(30_000)] {
            world.act(&what);
        }
        if world.state.is_live() && filled < 6 {
            let told = world.exchange.fill(0, 1).unwrap();
            filled += 1;
            world.state.order(told, 1);
            world.drain();
        }
    }
    assert!(world.state.is_live() && world.failed && world.lives > before);
    let told = |world: &World| -> Vec<_> {
        world.log.iter().map(|t| (t.order.order_id.to_string(), t.order.cum_filled_qty, t.recovered)).collect()
    };
    let known = [("a".to_owned(), d(4), true), ("a".to_owned(), d(5), false), ("a".to_owned(), d(6), false)];
    assert_eq!(told(&world), known);
    // REST answers again.
    world.settle();
    assert_eq!(told(&world)[..3], known);
    assert_eq!(told(&world)[3..], [("brief".to_owned(), d(0), true)]);
}

#[test]
fn a_list_that_takes_too_long_is_not_waited_for() {
    let mut world = live(vec![row("a", 10, OrderStatus::New, 0)]);
    world.act(&Do::Drop);
    world.exchange.place(OrderId::new("brief").unwrap(), 0);
    world.exchange.cancel(1).unwrap();
    world.act(&Do::Connect);
    for what in [Do::Deliver(1), Do::Serve, Do::Deliver(1), Do::Time(4_900)] {
        world.act(&what);
    }
    assert!(!world.state.is_live());
    for what in [Do::Time(200), Do::Serve, Do::Deliver(1)] {
        world.act(&what);
    }
    assert!(world.state.is_live() && world.failed && world.log.is_empty());
    // The answer comes, and is taken.
    world.settle();
    assert_eq!((world.log.len(), world.log[0].order.order_id.as_str()), (1, "brief"));
}

#[test]
fn balances_that_are_asked_for_are_newer_than_the_messages_before() {
    let mut world = live(vec![]);
    for what in [Do::Drop, Do::Connect, Do::Deliver(1), Do::Deposit(0, 4), Do::Deliver(1)] {
        world.act(&what);
    }
    // A fee, say, of which no message tells.
    let btc = Asset::new("BTC").unwrap();
    world.exchange.balances.insert(btc, (d(3), d(3)));
    world.settle();
    assert_eq!(world.state.balances()[&btc].total, d(3));
    // Of a message that comes after nobody knows which is newer: the message is taken.
    for what in [Do::Drop, Do::Connect, Do::Deliver(1), Do::Serve, Do::Rest, Do::RestArrives, Do::Deliver(1)] {
        world.act(&what);
    }
    world.act(&Do::Deposit(0, 4));
    world.settle();
    assert_eq!(world.state.balances()[&btc].total, d(7));
}
