//! What outlives an engine.

use super::*;

/// The same products and participants, before anything else.
fn anew() -> Engine {
    let mut engine = Engine::new(Settings::default());
    engine.add_product(&btc(Commission::Quote)).unwrap();
    let participant = engine.add_user(UserSettings::default()).cash();
    for (name, amount) in [("BTC", "100"), ("USDT", "1000000")] {
        engine.deposit(participant, asset(name), dec(amount), 0).unwrap();
    }
    engine
}

fn restored(kept: &Kept) -> Result<(Engine, Vec<UserId>), String> {
    // As from a file.
    let kept: Kept = serde_json::from_str(&serde_json::to_string(kept).unwrap()).unwrap();
    let mut engine = anew();
    let users = engine.restore(&kept, 5_000)?;
    engine.drain_events();
    properties::audit(&engine);
    Ok((engine, users))
}

/// A participant (bob) and one user (alice) who has traded, with orders of every kind open.
fn lively() -> Floor {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    for order in ["buy 1 @ 90", "buy 2 @ 90", "sell 3 @ 110", "buy 1 @ 120 stop 115", "sell 1 market stop 80"] {
        floor.place(alice, order);
    }
    floor.place(bob, "sell 0.5 @ 90");
    let (gone, _) = floor.place(alice, "buy 1 @ 50");
    floor.cancel(alice, gone).unwrap();
    // Triggered later than what is placed after it, so last in the queue at 90, though placed before.
    floor.place(alice, "buy 1 @ 90 stop 100");
    floor.place(alice, "buy 4 @ 90");
    floor.place(bob, "sell 0.1 @ 100");
    floor.place(alice, "buy 0.1 @ 100");
    floor
}

#[test]
fn an_engine_restored_is_kept_as_the_same_again() {
    let mut floor = lively();
    let kept = floor.engine.keep(&[floor.alice.user]);
    let (mut engine, users) = restored(&kept).unwrap();
    assert_eq!(engine.keep(&users), kept);
    for name in ["BTC", "USDT"] {
        assert_eq!(engine.supply(asset(name)), floor.engine.supply(asset(name)));
        assert_eq!(engine.fees(asset(name)), floor.engine.fees(asset(name)));
    }
    assert_eq!(engine.bbo(symbol("BTC/USDT")).unwrap().bid.unwrap().size, fixed("7.5"));
}

#[test]
fn orders_keep_their_turn() {
    let mut floor = lively();
    let (mut engine, users) = restored(&floor.engine.keep(&[floor.alice.user])).unwrap();
    let mut taker = floor.order(UserId(0).cash(), "sell 7 @ 90");
    taker.id = OrderId::new("taker").unwrap();
    engine.place(&taker, 6_000).unwrap();
    let fills = |engine: &mut Engine, user: UserId| -> Vec<String> {
        let fill = |event| match event {
            Event::Order(update) if update.order.account.user == user => matches!(update.change, Change::Filled(_))
                .then(|| format!("{} {}", update.order.id, update.order.filled)),
            _ => None,
        };
        engine.drain_events().filter_map(fill).collect()
    };
    let restored = fills(&mut engine, users[0]);
    let taker = floor.order(floor.bob, "sell 7 @ 90");
    floor.engine.drain_events();
    floor.engine.place(&taker, 6_000).unwrap();
    assert_eq!(restored, fills(&mut floor.engine, floor.alice.user));
    assert_eq!(restored.len(), 4, "{restored:?}");
}

#[test]
fn what_is_kept_again_and_again_is_what_there_is() {
    let mut floor = Floor::new();
    let user = floor.engine.add_user(UserSettings { closed_orders: 5, ..UserSettings::default() });
    floor.engine.deposit(user.cash(), asset("USDT"), dec("1000"), 0).unwrap();
    // Fewer than are remembered, as many, and more at once.
    for ends in [0, 2, 0, 2, 3, 1, 9, 0] {
        for _ in 0..ends {
            let (id, _) = floor.place(user.cash(), "buy 0.1 @ 90");
            floor.cancel(user.cash(), id).unwrap();
        }
        let kept = serde_json::to_value(floor.engine.keep(&[floor.alice.user, user])).unwrap();
        let ended = kept["users"][1]["cash"]["ended"].as_array().unwrap();
        let ids = ended.iter().map(|order| order["id"].as_str().unwrap());
        assert!(ids.eq(floor.engine.closed_orders(user.cash()).map(|order| order.id.as_str())), "{ended:?}");
        assert!(ended.iter().all(|order| order["account"]["user"] == 1));
    }
}

#[test]
fn what_does_not_add_up_is_refused() {
    let mut floor = lively();
    let text = serde_json::to_string(&floor.engine.keep(&[floor.alice.user])).unwrap();
    for (from, to) in [
        (r#""supply":"200""#, r#""supply":"99""#),
        (r#""held":""#, r#""held":"1"#),
        (r#""held":"4""#, r#""held":"400""#),
        (r#""symbol":"BTC/USDT","status":"Normal""#, r#""symbol":"NO/USDT","status":"Normal""#),
        (r#""price":"110""#, r#""price":"110.001""#),
        (r#""price":"110""#, r#""price":"80""#),
        (r#""quantity":"3""#, r#""quantity":"0""#),
        (r#""turn":0"#, r#""turn":null"#),
        (r#""status":"Canceled""#, r#""status":"New""#),
        (r#""user":0"#, r#""user":1"#),
        (r#""next_sn":"#, r#""next_sn":0"#),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        let wrong: Kept = match serde_json::from_str(&text.replacen(from, to, 1)) {
            Ok(wrong) => wrong,
            Err(e) => {
                assert!(to.ends_with(":0"), "{to}: {e}");
                continue;
            }
        };
        let mut engine = anew();
        let refused = engine.restore(&wrong, 5_000).unwrap_err();
        assert!(!refused.is_empty());
    }
}
