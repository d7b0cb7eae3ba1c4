//! The state against a small exchange under scripts: connections that drop, answers that fail or come late, messages
//! that come twice.

mod cases;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::event::{ContradictionKind, TrackerEvent};
use super::order::{OrderStage, Transition};
use super::own::{Draft, Sent};
use super::state::{Answer, Output, Owed, Query, QuestionId, State};
use crate::error::Error;
use crate::model::{Balance, BalanceState, OrderState, OrderStatus, OrderType, Side};
use crate::order_id::{ClientOrderId, OrderSource, order_id};
use crate::symbol::{Asset, OrderId, Symbol};

const WINDOW: Duration = Duration::from_secs(1);
const EPOCH: u64 = 1_700_000_000_000;
const SYMBOLS: [&str; 3] = ["BTC/USDT", "ETH/USDT", "ETH/BTC"];

fn d(n: i64) -> Decimal {
    Decimal::from(n)
}

fn row(id: &str, sn: u64, status: OrderStatus, filled: i64) -> OrderState {
    OrderState {
        symbol: Symbol::new("BTC/USDT").unwrap(),
        seqnum: sn,
        order_id: OrderId::new(id).unwrap(),
        side: Some(Side::Buy),
        order_type: Some(OrderType::Limit),
        status,
        ts: EPOCH + sn,
        price: Some(d(7)),
        order_qty: Some(d(10)),
        stop_price: None,
        avg_px: Some(d(7)),
        cum_filled_qty: Some(d(filled)),
        cum_fee: Some(d(filled)),
        fee_asset: Asset::new("USDT").ok(),
        error: None,
        exec_inst: None,
        base_total: None,
        base_available: None,
        quote_total: None,
        quote_available: None,
        create_time: None,
        last_price: None,
        last_qty: None,
        last_fee: None,
    }
}

fn assets(symbol: Symbol) -> [Asset; 2] {
    [symbol.base(), symbol.quote().unwrap()].map(|name| Asset::new(name).unwrap())
}

/// What the server sends.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "a handful of them")]
enum Down {
    Order(OrderState),
    Balance(BalanceState),
    Subscribed,
    Answered(QuestionId, Said),
    Acknowledged(OrderId),
}

#[derive(Clone)]
enum Said {
    Orders(Vec<OrderState>),
    Balances(Vec<Balance>),
}

impl From<Said> for Answer {
    fn from(said: Said) -> Self {
        match said {
            Said::Orders(rows) => Self::Orders(rows),
            Said::Balances(balances) => Self::Balances(balances),
        }
    }
}

/// The exchange: every state of every order, and the balances.
#[derive(Default)]
struct Exchange {
    sn: u64,
    /// Its clock, which also goes on by one with each number.
    millis: u64,
    /// What ended before that is in the history alone.
    recent_from: u64,
    orders: BTreeMap<OrderId, OrderState>,
    journal: Vec<OrderState>,
    balances: BTreeMap<Asset, (Decimal, Decimal)>,
}

impl Exchange {
    fn time(&self) -> u64 {
        EPOCH + self.millis + self.sn
    }

    fn next(&mut self, mut order: OrderState) -> OrderState {
        self.sn += 1 + self.sn % 3;
        (order.seqnum, order.ts) = (self.sn, self.time());
        let [base, quote] = assets(order.symbol);
        for asset in [base, quote] {
            let (total, available) = self.balances.entry(asset).or_default();
            *total += d((self.sn % 5) as i64 + 1);
            *available += Decimal::ONE;
        }
        let [b, q] = [base, quote].map(|asset| self.balances[&asset]);
        let mut bare = order.clone();
        (order.base_total, order.base_available) = (Some(b.0), Some(b.1));
        (order.quote_total, order.quote_available) = (Some(q.0), Some(q.1));
        (bare.base_total, bare.quote_total) = (None, None);
        self.orders.insert(order.order_id, bare.clone());
        self.journal.push(bare);
        order
    }

    fn place(&mut self, id: OrderId, symbol: usize) -> OrderState {
        let symbol = Symbol::new(SYMBOLS[symbol % 3]).unwrap();
        self.next(OrderState { order_id: id, symbol, ..row("x", 0, OrderStatus::New, 0) })
    }

    fn open(&self) -> Vec<OrderState> {
        self.orders.values().filter(|order| order.status.is_open()).cloned().collect()
    }

    fn fill(&mut self, which: usize, by: i64) -> Option<OrderState> {
        let open = self.open();
        let mut order = open.get(which % open.len().max(1))?.clone();
        let filled = (order.cum_filled_qty.unwrap() + d(by)).min(d(10));
        (order.cum_filled_qty, order.cum_fee) = (Some(filled), Some(filled));
        order.status = if filled == d(10) { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        Some(self.next(order))
    }

    fn cancel(&mut self, which: usize) -> Option<OrderState> {
        let open = self.open();
        let order = open.get(which % open.len().max(1))?.clone();
        Some(self.next(OrderState { status: OrderStatus::Canceled, ..order }))
    }

    fn deposit(&mut self, asset: usize, amount: i64) -> BalanceState {
        self.sn += 1;
        let asset = Asset::new(["BTC", "USDT", "ASD"][asset % 3]).unwrap();
        let (total, available) = self.balances.entry(asset).or_default();
        // It can also all go.
        let amount = if amount == 0 { -*total } else { d(amount) };
        *total += amount;
        *available = (*available + amount).max(Decimal::ZERO).min(*total);
        let (total, available) = (*total, *available);
        BalanceState { asset, seqnum: self.sn, total, available, borrowed: None, interest: None }
    }

    fn ended(&self, from: u64) -> Vec<OrderState> {
        let mut ended: Vec<_> =
            self.orders.values().filter(|order| !order.status.is_open() && order.ts >= from).cloned().collect();
        ended.sort_by_key(|order| std::cmp::Reverse(order.seqnum));
        ended
    }

    fn answer(&self, query: &Query) -> Said {
        Said::Orders(match query {
            Query::Open => self.open(),
            // A short list, so that it does not always reach back.
            Query::Recent => self.ended(self.recent_from).into_iter().take(2).collect(),
            // It does not tell fees.
            Query::History { since } => {
                self.ended(*since).into_iter().map(|order| OrderState { cum_fee: None, ..order }).collect()
            }
            Query::Status(ids) => ids.iter().filter_map(|id| self.orders.get(id).cloned()).collect(),
            Query::Balances | Query::Time => return self.all_balances(),
        })
    }

    /// But those that are zero.
    fn all_balances(&self) -> Said {
        let balances = self.balances.iter().filter(|(_, (total, _))| !total.is_zero());
        let balances = balances.map(|(asset, (total, available))| Balance {
            asset: *asset,
            total_balance: *total,
            available_balance: *available,
            borrowed: None,
            interest: None,
        });
        Said::Balances(balances.collect())
    }
}

/// Exchange, network and state.
struct World {
    exchange: Exchange,
    state: State,
    now: Duration,
    /// Whether the connection is up, and whether it is subscribed at the exchange.
    up: bool,
    /// Whether the stream answers what is asked over it.
    stream_answers: bool,
    to_server: VecDeque<Result<(QuestionId, Query), (OrderId, usize)>>,
    to_client: VecDeque<Down>,
    rest: VecDeque<(QuestionId, Query)>,
    rest_answers: VecDeque<(QuestionId, Result<Answer, Error>)>,
    /// Own orders whose answer is to come.
    sent: BTreeSet<OrderId>,
    own: u32,
    log: Vec<Transition>,
    contradictions: Vec<ContradictionKind>,
    lives: usize,
    /// Whether something could not be asked.
    failed: bool,
    /// The last number before the connection on which the tracker came to be live.
    first: u64,
    /// The same of the one on which it came to know what had ended before.
    began: u64,
    /// What was said of ids: as computed, and as they are.
    ids: Vec<(OrderId, OrderId)>,
}

#[derive(Debug, Clone)]
enum Do {
    Place(usize),
    OwnPlace(usize),
    Fill(usize, i64),
    Cancel(usize),
    Deposit(usize, i64),
    Connect,
    Drop,
    Serve,
    Deliver(usize),
    Again,
    Rest,
    RestFails,
    RestArrives,
    Refresh,
    Time(u64),
}

impl World {
    fn new() -> Self {
        Self {
            exchange: Exchange::default(),
            state: State::new(WINDOW, 7),
            now: Duration::ZERO,
            up: false,
            stream_answers: true,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            rest: VecDeque::new(),
            rest_answers: VecDeque::new(),
            sent: BTreeSet::new(),
            own: 0,
            log: Vec::new(),
            contradictions: Vec::new(),
            lives: 0,
            failed: false,
            first: 0,
            began: 0,
            ids: Vec::new(),
        }
    }

    fn send(&mut self, message: Down) {
        if self.up {
            self.to_client.push_back(message);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.state.output() {
            match output {
                Output::Tell(TrackerEvent::Order(transition)) => self.log.push(*transition),
                Output::Tell(TrackerEvent::Contradiction(contradiction)) => {
                    self.contradictions.push(contradiction.kind);
                }
                Output::Tell(TrackerEvent::Live { .. }) => self.lives += 1,
                Output::Tell(TrackerEvent::RepairFailed(_)) => self.failed = true,
                Output::Tell(TrackerEvent::Balance(change)) => {
                    let before = change.before.map(|before| before.seqnum);
                    assert!(before <= Some(change.balance.seqnum), "no balance goes back: {change:?}");
                }
                Output::Tell(_) => {}
                Output::Ask(id, query @ (Query::Recent | Query::History { .. } | Query::Time)) => {
                    self.rest.push_back((id, query));
                }
                Output::Id(computed, id) => {
                    self.ids.push((computed, id));
                    self.state.ids_are_sure = self.ids.iter().all(|(computed, id)| computed == id);
                }
                Output::Ask(id, query) if self.up && self.stream_answers => self.to_server.push_back(Ok((id, query))),
                Output::Ask(id, query) => self.rest.push_back((id, query)),
            }
        }
    }

    fn act(&mut self, what: &Do) {
        match *what {
            Do::Place(symbol) => {
                let id = OrderId::new(&format!("other{}", self.exchange.journal.len())).unwrap();
                let told = self.exchange.place(id, symbol);
                self.send(Down::Order(told));
            }
            Do::OwnPlace(symbol) => self.place(symbol),
            Do::Fill(which, by) => {
                if let Some(told) = self.exchange.fill(which, by) {
                    self.send(Down::Order(told));
                }
            }
            Do::Cancel(which) => {
                if let Some(told) = self.exchange.cancel(which) {
                    self.send(Down::Order(told));
                }
            }
            Do::Deposit(asset, amount) => {
                let told = self.exchange.deposit(asset, amount);
                self.send(Down::Balance(told));
            }
            Do::Connect if !self.up => {
                self.up = true;
                self.state.connected();
                self.to_client.push_back(Down::Subscribed);
                if self.lives == 0 {
                    self.first = self.exchange.sn;
                }
                if !self.state.begun {
                    self.began = self.exchange.sn;
                }
            }
            Do::Drop if self.up => {
                self.up = false;
                let asked = self.to_server.drain(..).filter_map(Result::ok).map(|(id, _)| id);
                let answered = self.to_client.drain(..).filter_map(|down| match down {
                    Down::Answered(id, _) => Some(id),
                    _ => None,
                });
                for id in asked.chain(answered).collect::<Vec<_>>() {
                    self.state.answered(id, Err(Error::ConnectionLost), self.now);
                }
                for id in std::mem::take(&mut self.sent) {
                    self.state.sent(id, Sent::Lost, self.now);
                }
                self.state.disconnected();
            }
            Do::Serve => match self.to_server.pop_front() {
                Some(Ok((id, query))) => {
                    let answer = self.exchange.answer(&query);
                    self.to_client.push_back(Down::Answered(id, answer));
                }
                Some(Err((id, symbol))) => {
                    self.to_client.push_back(Down::Acknowledged(id));
                    let told = self.exchange.place(id, symbol);
                    self.send(Down::Order(told));
                }
                None => {}
            },
            Do::Deliver(count) => {
                for _ in 0..count {
                    if let Some(down) = self.to_client.pop_front() {
                        self.deliver(down);
                    }
                }
            }
            Do::Again => {
                // The server says something twice.
                if let Some(down @ (Down::Order(_) | Down::Balance(_))) = self.to_client.front().cloned() {
                    self.deliver(down);
                }
            }
            Do::Rest => {
                if let Some((id, query)) = self.rest.pop_front() {
                    let answer = match query {
                        Query::Time => Answer::Time(self.exchange.time()),
                        _ => self.exchange.answer(&query).into(),
                    };
                    self.rest_answers.push_back((id, Ok(answer)));
                }
            }
            Do::RestFails => {
                if let Some((id, _)) = self.rest.pop_front() {
                    self.rest_answers.push_back((id, Err(Error::ConnectionLost)));
                }
            }
            Do::RestArrives => {
                if let Some((id, answer)) = self.rest_answers.pop_front() {
                    self.state.answered(id, answer, self.now);
                }
            }
            Do::Refresh => self.state.refresh(self.now),
            Do::Time(millis) => {
                self.now += Duration::from_millis(millis);
                self.exchange.millis += millis;
            }
            Do::Connect | Do::Drop => {}
        }
        self.state.tick(self.now);
        self.drain();
    }

    fn deliver(&mut self, down: Down) {
        match down {
            Down::Order(told) => self.state.order(told, 1),
            Down::Balance(told) => self.state.balance(told, 1),
            Down::Subscribed => self.state.subscribed(self.now),
            Down::Answered(id, said) => self.state.answered(id, Ok(said.into()), self.now),
            Down::Acknowledged(id) => {
                self.sent.remove(&id);
                self.state.sent(id, Sent::Acknowledged(id), self.now);
            }
        }
    }

    fn place(&mut self, symbol: usize) {
        self.own += 1;
        let client_id = ClientOrderId::new(&format!("own{:09}", self.own)).unwrap();
        let time = EPOCH + self.now.as_millis() as u64;
        let id = order_id(OrderSource::Stream, time, "U1", client_id.as_str()).unwrap();
        let draft = Draft {
            order_id: id,
            client_id,
            time,
            symbol: Symbol::new(SYMBOLS[symbol % 3]).unwrap(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            order_qty: d(10),
            price: Some(d(7)),
            stop_price: None,
        };
        assert!(self.state.sending(draft));
        if self.up {
            self.sent.insert(id);
            self.to_server.push_back(Err((id, symbol)));
        } else {
            self.state.sent(id, Sent::Unsent, self.now);
        }
    }

    /// Lets everything that is under way arrive, and time pass, until nothing is in doubt any more.
    fn settle(&mut self) {
        self.act(&Do::Connect);
        for _ in 0..200 {
            while !(self.to_server.is_empty()
                && self.to_client.is_empty()
                && self.rest.is_empty()
                && self.rest_answers.is_empty())
            {
                for what in [Do::Serve, Do::Deliver(1), Do::Rest, Do::RestArrives] {
                    self.act(&what);
                }
            }
            self.act(&Do::Time(500));
            if self.state.is_live() && self.state.unsettled.is_empty() && self.state.owed == Owed::None {
                break;
            }
        }
    }

    fn check(&self) {
        assert!(self.state.is_live(), "{:?}", self.state);
        assert_eq!(self.contradictions, []);

        // The end is the truth.
        let open: Vec<_> = self.exchange.open().iter().map(|o| (o.order_id, o.cum_filled_qty)).collect();
        let known = self.state.orders.values().filter(|entry| entry.order.stage.is_open());
        let known: Vec<_> = known.map(|e| (e.order.order_id, Some(e.order.cum_filled_qty))).collect();
        assert_eq!(known, open);
        for (asset, (total, available)) in &self.exchange.balances {
            let known = self.state.balances().get(asset).map(|known| (known.total, known.available));
            assert_eq!(known.unwrap_or_default(), (*total, *available), "{asset}");
        }
        for entry in self.state.orders.values().filter(|entry| entry.own.is_some()) {
            let there = self.exchange.orders.get(&entry.order.order_id);
            match entry.order.stage {
                OrderStage::Unsent => assert!(there.is_none()),
                OrderStage::Unknown => assert!(there.is_none() && !self.state.ids_are_sure),
                stage => assert_eq!(Some(stage), there.map(|o| OrderStage::of(&o.status, o.cum_filled_qty.unwrap()))),
            }
        }

        // By number, each once. What REST says has no place among the messages, and it may say it late.
        let late = |t: &&Transition| self.failed && t.recovered;
        let told = self.log.iter().filter(|t| t.order.status.is_some() && !late(t));
        let numbers: Vec<u64> = told.filter_map(|t| t.order.seqnum).collect();
        let rises = numbers.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(rises || !self.stream_answers, "{numbers:?}");
        for (id, last) in &self.exchange.orders {
            let told: Vec<&Transition> =
                self.log.iter().filter(|t| t.order.order_id == *id && t.order.seqnum.is_some()).collect();
            let own = self.state.orders.get(id).is_some_and(|entry| entry.own.is_some());
            if !last.status.is_open() && last.seqnum <= self.began && !own {
                assert!(told.is_empty() || last.seqnum > self.first, "{id} had ended before");
                if told.is_empty() {
                    continue;
                }
            }
            let journal: Vec<&OrderState> = self.exchange.journal.iter().filter(|o| o.order_id == *id).collect();
            let mut next = 0;
            for transition in &told {
                let at = journal.iter().position(|o| Some(o.seqnum) == transition.order.seqnum).expect("it happened");
                assert_eq!(Some(transition.order.cum_filled_qty), journal[at].cum_filled_qty);
                assert_eq!(transition.order.status.as_ref(), Some(&journal[at].status));
                assert!(at >= next, "{id} is told twice, or too late");
                assert!(at == next || transition.recovered, "{id}: what came before {transition:?} was not told");
                next = at + 1;
            }
            assert_eq!(next, journal.len(), "{id}: the last was not told");
            let filled: Decimal = told.iter().filter_map(|t| t.fill).map(|fill| fill.quantity).sum();
            let fees: Decimal = told.iter().filter_map(|t| t.fill).map(|fill| fill.fee.unwrap()).sum();
            assert_eq!((Some(filled), Some(fees)), (last.cum_filled_qty, last.cum_fee));
        }
    }
}

fn doing() -> impl Strategy<Value = Do> {
    prop_oneof![
        3 => (0usize..3).prop_map(Do::Place),
        2 => (0usize..3).prop_map(Do::OwnPlace),
        5 => (0usize..9, 1i64..8).prop_map(|(which, by)| Do::Fill(which, by)),
        2 => (0usize..9).prop_map(Do::Cancel),
        2 => (0usize..3, 0i64..5).prop_map(|(asset, amount)| Do::Deposit(asset, amount)),
        4 => Just(Do::Connect),
        1 => Just(Do::Drop),
        8 => Just(Do::Serve),
        8 => (1usize..4).prop_map(Do::Deliver),
        1 => Just(Do::Again),
        4 => Just(Do::Rest),
        1 => Just(Do::RestFails),
        4 => Just(Do::RestArrives),
        1 => Just(Do::Refresh),
        3 => (0u64..3000).prop_map(Do::Time),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_transition_is_told_once_and_the_end_is_the_truth(
        script in prop::collection::vec(doing(), 0..150),
        stream_answers in prop::bool::weighted(0.8),
    ) {
        let mut world = World { stream_answers, ..World::new() };
        for what in &script {
            world.act(what);
        }
        world.settle();
        world.check();
    }
}
