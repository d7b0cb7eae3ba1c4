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
    world.exchange.orders.insert(gone.order_id, gone);
    world.act(&Do::Drop);
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
        assert!(world.state.unsettled.is_empty() && world.state.ids_are_as_computed == Some(false));
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
