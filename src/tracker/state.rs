//! The tracker's state. Pure: messages of the account with their sequence numbers, answers, and what becomes of the
//! program's own orders go in; transitions and questions come out. No clock, thread or socket in it.
//!
//! ```text
//!        connected            subscribed: asks              all is answered: what was
//! Down ────────────▶ Repairing ─────────────▶ Repairing ────────────────────────────▶ Live
//!  ▲                messages are kept        messages are kept  missed, then what     │  │
//!  └───────────────────── disconnected ◀──────────────────────  was kept, by number ◀─┘  │ something could
//!                                               ▲                                        │ not be read, or is
//!                                               └────────────────────────────────────────┘ in doubt
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::event::{BalanceChange, Contradiction, ContradictionKind, TrackedBalance, TrackerEvent};
use super::order::{Fill, OrderStage, TrackedOrder, Transition};
use super::own::{Doubt, Own};
use super::repair::{Held, Repair};
use crate::error::{Error, Refusal};
use crate::model::{Balance, BalanceState, OrderState};
use crate::pace::Waits;
use crate::symbol::{Asset, OrderId};

/// Ended orders that are remembered.
const MAX_ENDED: usize = 10_000;
/// What is in doubt is looked at anew no more often than this.
const BETWEEN_REPAIRS: Duration = Duration::from_secs(1);

/// Names a question to whoever answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QuestionId(pub(super) u64);

/// What to ask the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// The open orders.
    Open,
    /// The orders that ended of late.
    Recent,
    /// The orders that ended since a time, UTC milliseconds by the exchange's clock.
    History { since: u64 },
    /// These orders. Those that the exchange does not know are left out of the answer.
    Status(Vec<OrderId>),
    /// All balances.
    Balances,
    /// What time it is.
    Time,
}

impl Query {
    /// Whether a repair goes on without an answer: only REST has it.
    pub(super) fn is_dispensable(&self) -> bool {
        matches!(self, Self::Recent | Self::History { .. } | Self::Time)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Open => "open orders",
            Self::Recent => "recent orders",
            Self::History { .. } => "order history",
            Self::Status(_) => "order status",
            Self::Balances => "balances",
            Self::Time => "time",
        }
    }
}

/// What the exchange said.
#[derive(Debug)]
pub(super) enum Answer {
    Orders(Vec<OrderState>),
    Balances(Vec<Balance>),
    /// UTC milliseconds.
    Time(u64),
}

#[derive(Debug)]
pub(super) enum Output {
    /// Tell the program.
    Tell(TrackerEvent),
    /// Ask the exchange. What it says to those who ask over the stream must come in its place among the messages.
    Ask(QuestionId, Query),
    /// The id that was computed for an order of this program, and the one that the exchange has given it.
    Id(OrderId, OrderId),
}

#[derive(Debug)]
pub(super) enum Phase {
    Down,
    Repairing(Box<Repair>),
    Live,
}

/// The list of ended orders, where it could not be had: the tracker is live without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    None,
    /// It is asked for then.
    From(Duration),
    Asked(QuestionId),
}

impl Owed {
    fn due(self) -> Option<Duration> {
        match self {
            Self::From(at) => Some(at),
            Self::None | Self::Asked(_) => None,
        }
    }
}

/// An order, and how it is known.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) order: TrackedOrder,
    /// Whether the last word of it was asked for, so that messages before that can still be under way.
    asked: bool,
    /// Where this program has sent it.
    pub(super) own: Option<Own>,
    /// Whether it is being asked about.
    pub(super) doubt: Doubt,
}

#[derive(Debug)]
pub(super) struct State {
    /// The open orders and the last ended ones.
    pub(super) orders: BTreeMap<OrderId, Entry>,
    ended: VecDeque<OrderId>,
    balances: BTreeMap<Asset, TrackedBalance>,
    pub(super) phase: Phase,
    /// Whether it is known which orders had ended before the tracker began.
    pub(super) begun: bool,
    /// When that was, by the exchange's clock, UTC milliseconds.
    pub(super) start: Option<u64>,
    /// The greatest sequence number of a message.
    frontier: u64,
    /// The greatest sequence number of all.
    pub(super) newest: u64,
    /// The greatest one that the last repair knew. Messages up to it can still come, where the stream did not answer
    /// its questions.
    pub(super) repaired_to: u64,
    /// The greatest number in a list of ended orders: later ones may have ended unheard, while REST was asked for the
    /// rest.
    pub(super) listed_to: u64,
    /// The latest time that the exchange has told of an order, UTC milliseconds.
    pub(super) latest: u64,
    /// Where something may have been missed: what [`ends_to`](Self::ends_to) and `latest` were before that.
    gap: Option<(u64, u64)>,
    pub(super) owed: Owed,
    /// Something is in doubt: when to look at it.
    doubt: Option<Duration>,
    repaired: Option<Duration>,
    pub(super) waits: Waits,
    /// Of the lists that only REST has: the tracker is live without them, so that there is no haste.
    pub(super) list_waits: Waits,
    next_question: u64,
    /// The orders of which nobody knows whether they are open or have ended.
    pub(super) unsettled: BTreeSet<OrderId>,
    /// Whether the exchange is known to give orders the ids that are computed.
    pub(super) ids_are_sure: bool,
    /// How old an order may be that the exchange accepts.
    pub(super) window: Duration,
    pub(super) seed: u64,
    outputs: VecDeque<Output>,
    /// How many transitions were told.
    pub(super) transitions: usize,
}

impl State {
    /// `window` is how old an order may be that the exchange accepts; `seed` makes the jitter.
    pub(super) fn new(window: Duration, seed: u64) -> Self {
        Self {
            orders: BTreeMap::new(),
            ended: VecDeque::new(),
            balances: BTreeMap::new(),
            phase: Phase::Down,
            begun: false,
            start: None,
            frontier: 0,
            newest: 0,
            repaired_to: 0,
            listed_to: 0,
            latest: 0,
            gap: None,
            owed: Owed::None,
            doubt: None,
            repaired: None,
            waits: Waits::new(Duration::from_millis(200), Duration::from_secs(5), seed),
            list_waits: Waits::new(Duration::from_secs(1), Duration::from_secs(60), seed ^ 1),
            next_question: 0,
            unsettled: BTreeSet::new(),
            ids_are_sure: false,
            window,
            seed,
            outputs: VecDeque::new(),
            transitions: 0,
        }
    }

    /// The next thing to do, in order.
    pub(super) fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`tick`](Self::tick) is due; `None` when only an input can change anything.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Down => None,
            Phase::Repairing(repair) => repair.deadline(),
            Phase::Live => self.own_deadline().into_iter().chain(self.doubt).chain(self.owed.due()).min(),
        }
    }

    /// The time has come to look at the deadlines.
    pub(super) fn tick(&mut self, now: Duration) {
        match &mut self.phase {
            Phase::Down => {}
            Phase::Repairing(_) => self.tick_repair(now),
            Phase::Live if self.doubt.is_some_and(|at| at <= now) => self.refresh(now),
            Phase::Live => {
                if self.owed.due().is_some_and(|at| at <= now) {
                    self.owed = Owed::Asked(self.ask(Query::Recent));
                }
                self.inquire(now);
            }
        }
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// Up to this number every end of an order is known: by messages, which come in order, or from a list.
    pub(super) fn ends_to(&self) -> u64 {
        self.gap.map_or(self.frontier.max(self.listed_to), |(ends_to, _)| ends_to)
    }

    /// The latest time up to which that holds, UTC milliseconds.
    pub(super) fn ends_until(&self) -> u64 {
        self.gap.map_or(self.latest, |(_, latest)| latest)
    }

    /// Something may have been missed from here on: what comes later says nothing about it.
    pub(super) fn miss(&mut self) {
        self.gap = Some((self.ends_to(), self.ends_until()));
    }

    /// Every end is told, but for what has come into doubt meanwhile.
    pub(super) fn missed_none(&mut self) {
        if self.doubt.is_none() {
            self.gap = None;
        }
    }

    pub(super) fn balances(&self) -> &BTreeMap<Asset, TrackedBalance> {
        &self.balances
    }

    /// The connection is up. What comes now is not told before what was missed.
    pub(super) fn connected(&mut self) {
        self.phase = Phase::Repairing(Box::default());
    }

    /// The account's messages come from now on.
    pub(super) fn subscribed(&mut self, now: Duration) {
        let begun = self.begun;
        let Phase::Repairing(repair) = &mut self.phase else { return };
        if let Some(queries) = repair.begin(begun, now) {
            self.doubt = None;
            // What has not led to a beginning is not it.
            self.start = self.start.filter(|_| begun);
            self.owed = Owed::None;
            self.repaired = Some(now);
            for query in queries {
                self.ask_for_repair(query);
            }
        }
    }

    /// Whether the account's messages come.
    pub(super) fn is_subscribed(&self) -> bool {
        match &self.phase {
            Phase::Down => false,
            Phase::Repairing(repair) => repair.has_begun(),
            Phase::Live => true,
        }
    }

    /// The connection is gone. What was kept was never told: it is recovered with the rest.
    pub(super) fn disconnected(&mut self) {
        self.miss();
        self.owed = Owed::None;
        self.phase = Phase::Down;
    }

    /// Asks for everything anew.
    pub(super) fn refresh(&mut self, now: Duration) {
        self.repair(Repair::default(), now);
    }

    pub(super) fn repair(&mut self, repair: Repair, now: Duration) {
        if self.is_live() {
            self.phase = Phase::Repairing(Box::new(repair));
            self.subscribed(now);
        }
    }

    /// The answer to a question. Over the stream it comes in its place among the messages.
    pub(super) fn answered(&mut self, id: QuestionId, answer: Result<Answer, Error>, now: Duration) {
        if self.owed == Owed::Asked(id) {
            self.owed_answered(answer, now);
        } else if let Err(answer) = self.inquiry_answered(id, answer, now) {
            self.repair_answered(id, answer, now);
        }
    }

    pub(super) fn ask(&mut self, query: Query) -> QuestionId {
        self.next_question += 1;
        let id = QuestionId(self.next_question);
        self.outputs.push_back(Output::Ask(id, query));
        id
    }

    pub(super) fn tell(&mut self, event: TrackerEvent) {
        self.transitions += usize::from(matches!(event, TrackerEvent::Order(_)));
        self.outputs.push_back(Output::Tell(event));
    }

    pub(super) fn contradict(
        &mut self,
        kind: ContradictionKind,
        known: Option<TrackedOrder>,
        told: Option<OrderState>,
    ) {
        self.tell(TrackerEvent::Contradiction(Box::new(Contradiction { kind, known, told })));
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Something could not be read, or is in doubt.
    pub(super) fn doubt(&mut self, now: Duration) {
        self.miss();
        let at = self.repaired.map_or(now, |last| now.max(last + BETWEEN_REPAIRS));
        self.doubt.get_or_insert(at);
    }
}

/// What messages say.
impl State {
    /// Something happened to an order; `received` is when the message was read, UTC nanoseconds.
    pub(super) fn order(&mut self, told: OrderState, received: u64) {
        match &mut self.phase {
            Phase::Down => {}
            Phase::Repairing(repair) => repair.hold(Held::Order(Box::new(told), received)),
            Phase::Live => {
                // An order that had ended when REST was asked, though its end comes only now.
                let unknown = !self.orders.contains_key(&told.order_id);
                let missed = unknown && told.seqnum <= self.repaired_to && !self.is_birth(&told);
                self.order_told(told, received, missed);
            }
        }
    }

    /// A balance changed that no order changed.
    pub(super) fn balance(&mut self, told: BalanceState, received: u64) {
        match &mut self.phase {
            Phase::Down => {}
            Phase::Repairing(repair) => repair.hold(Held::Balance(told, received)),
            Phase::Live => self.balance_told(told, received),
        }
    }

    /// Takes a message about an order, whose balances come after it.
    pub(super) fn order_told(&mut self, told: OrderState, received: u64, recovered: bool) {
        self.number(told.seqnum, Some(&told));
        let balances = [
            (Asset::new(told.symbol.base()).ok(), told.base_total, told.base_available),
            (told.symbol.quote().and_then(|quote| Asset::new(quote).ok()), told.quote_total, told.quote_available),
        ];
        let seqnum = told.seqnum;
        self.set_order(told, How { received: Some(received), recovered });
        for (asset, total, available) in balances {
            if let (Some(asset), Some(total), Some(available)) = (asset, total, available) {
                let known = self.balances.get(&asset);
                let (borrowed, interest) = known.map_or((None, None), |known| (known.borrowed, known.interest));
                let balance = TrackedBalance { asset, total, available, borrowed, interest, seqnum };
                self.set_balance(balance, How { received: Some(received), recovered: false });
            }
        }
    }

    /// Takes a message about a balance.
    pub(super) fn balance_told(&mut self, told: BalanceState, received: u64) {
        self.number(told.seqnum, None);
        let BalanceState { asset, seqnum, total, available, borrowed, interest } = told;
        let balance = TrackedBalance { asset, total, available, borrowed, interest, seqnum };
        self.set_balance(balance, How { received: Some(received), recovered: false });
    }

    /// A message has this number, which is not to be smaller than one before.
    fn number(&mut self, seqnum: u64, told: Option<&OrderState>) {
        let repeated = told.is_some_and(|told| {
            self.orders
                .get(&told.order_id)
                .is_some_and(|e| e.order.seqnum >= Some(told.seqnum) && (e.asked || e.order.is_told_by(told)))
        });
        if seqnum < self.frontier && !repeated {
            let known = told.and_then(|told| self.orders.get(&told.order_id)).map(|entry| entry.order.clone());
            self.contradict(ContradictionKind::WentBack, known, told.cloned());
        }
        self.frontier = self.frontier.max(seqnum);
        self.newest = self.newest.max(seqnum);
    }
}

/// How something was learned.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// By a message that was read then; none for the answer to a question.
    pub(super) received: Option<u64>,
    pub(super) recovered: bool,
}

/// What is known.
impl State {
    /// Takes what the exchange says of an order, if it is news.
    pub(super) fn set_order(&mut self, told: OrderState, how: How) {
        let asked = how.received.is_none();
        let id = told.order_id;
        self.latest = self.latest.max(told.ts);
        let known = self.orders.get(&id).map(|entry| &entry.order);
        if let Some(order) = known
            && let Some(last) = order.seqnum
        {
            let same = order.is_told_by(&told) && order.stage != OrderStage::Unknown;
            if same {
                // Nothing but the number is new.
                if let Some(entry) = self.orders.get_mut(&id).filter(|_| last < told.seqnum) {
                    entry.order.seqnum = Some(told.seqnum);
                    entry.asked = asked;
                }
                return;
            }
            if told.seqnum < last {
                // That it is behind what was told on the same way is told already.
                return;
            }
            if told.seqnum == last && order.stage != OrderStage::Unknown {
                let known = order.clone();
                self.contradict(ContradictionKind::SaidTwice, Some(known), Some(told));
                return;
            }
        }
        if let Some(entry) = self.orders.get_mut(&id)
            && entry.order.seqnum.is_none()
            && entry.order.stage.is_ended()
            && entry.order.stage == OrderStage::of(&told.status, entry.order.filled_by(&told))
        {
            // Its answer said so already.
            entry.order.set(told);
            return;
        }
        for kind in self.illegal(&told) {
            let known = self.orders.get(&id).map(|entry| entry.order.clone());
            self.contradict(kind, known, Some(told.clone()));
        }

        let entry = self.orders.entry(id).or_insert_with(|| Entry {
            order: TrackedOrder::new(id, told.symbol),
            asked,
            own: None,
            doubt: Doubt::None,
        });
        if let Some(own) = entry.own.as_mut().filter(|own| !own.has_id) {
            own.has_id = true;
            self.outputs.push_back(Output::Id(id, id));
        }
        let before = (entry.order.seqnum.is_some() || entry.own.is_some()).then(|| entry.order.clone());
        entry.order.set(told);
        entry.asked = asked;
        self.tell_order(id, before.as_ref(), how, None);
    }

    /// What is illegal about the next state of an order.
    fn illegal(&self, told: &OrderState) -> Vec<ContradictionKind> {
        let Some(known) = self.orders.get(&told.order_id).map(|entry| &entry.order) else { return Vec::new() };
        let filled = known.filled_by(told);
        let next = OrderStage::of(&told.status, filled);
        let whole = told.order_qty.or(known.order_qty);
        [
            (known.stage.is_ended() && known.stage != next, ContradictionKind::Reopened),
            (filled < known.cum_filled_qty, ContradictionKind::FilledFell),
            (whole.is_some_and(|whole| filled > whole), ContradictionKind::Overfilled),
        ]
        .into_iter()
        .filter_map(|(is_so, kind)| is_so.then_some(kind))
        .collect()
    }

    /// An order of this program comes to be known.
    pub(super) fn insert_own(&mut self, order: TrackedOrder, own: Own) {
        let id = order.order_id;
        self.orders.insert(id, Entry { order, asked: false, own: Some(own), doubt: Doubt::None });
        self.tell_order(id, None, How { received: None, recovered: false }, None);
    }

    /// The exchange has told the id of an order of this program.
    pub(super) fn identify(&mut self, computed: OrderId, id: OrderId) {
        let Some(own) = self.orders.get_mut(&computed).and_then(|entry| entry.own.as_mut()) else { return };
        // Of one that was renamed `computed` is what the exchange has given.
        if !own.has_id || computed != id {
            self.outputs.push_back(Output::Id(computed, id));
        }
        own.has_id = true;
        if computed != id {
            self.rename(computed, id);
        }
    }

    /// An order of this program has another id than was computed.
    fn rename(&mut self, computed: OrderId, id: OrderId) {
        let Some(Entry { order, own, doubt, .. }) = self.orders.remove(&computed) else { return };
        self.unsettled.remove(&computed);
        self.contradict(ContradictionKind::OtherId, Some(order.clone()), None);
        if let Some(entry) = self.orders.get_mut(&id) {
            // The exchange has spoken of it already.
            (entry.order.client_id, entry.own) = (order.client_id, own);
            return;
        }
        let before = order.clone();
        self.orders.insert(id, Entry { order: TrackedOrder { order_id: id, ..order }, asked: false, own, doubt });
        self.tell_order(id, Some(&before), How { received: None, recovered: false }, None);
    }

    /// Sets the stage of an order of which the exchange has not told it.
    pub(super) fn set_stage(&mut self, id: OrderId, stage: OrderStage, refusal: Option<Box<Refusal>>) {
        let Some(entry) = self.orders.get_mut(&id) else { return };
        let before = entry.order.clone();
        if before.stage != stage {
            entry.order.stage = stage;
            self.tell_order(id, Some(&before), How { received: None, recovered: false }, refusal);
        }
    }

    /// Tells what an order has come to, and forgets the oldest of the ended ones if they are too many.
    fn tell_order(&mut self, id: OrderId, before: Option<&TrackedOrder>, how: How, refusal: Option<Box<Refusal>>) {
        let Some(entry) = self.orders.get_mut(&id) else { return };
        let order = entry.order.clone();
        let ended = order.stage.is_ended();
        if ended || order.stage.is_open() {
            entry.doubt = Doubt::None;
            self.unsettled.remove(&id);
        } else {
            self.unsettled.insert(id);
        }
        let fill = Fill::between(before, &order);
        let from = before.map(|order| order.stage);
        let transition = Transition { order, from, fill, recovered: how.recovered, received: how.received, refusal };
        self.tell(TrackerEvent::Order(Box::new(transition)));
        if ended && !from.is_some_and(OrderStage::is_ended) {
            self.ended.push_back(id);
            // What a list yet to come may hold is not forgotten before it.
            while self.ended.len() > MAX_ENDED
                && self.gap.is_none()
                && let Some(oldest) = self.ended.pop_front()
            {
                if self.orders.get(&oldest).is_some_and(|entry| entry.order.stage.is_ended()) {
                    self.orders.remove(&oldest);
                }
            }
        }
    }

    /// Takes a balance, if it is not older than what is known.
    pub(super) fn set_balance(&mut self, balance: TrackedBalance, how: How) {
        let before = self.balances.get(&balance.asset).copied();
        if before.is_some_and(|before| before.seqnum > balance.seqnum) {
            return;
        }
        self.balances.insert(balance.asset, balance);
        if !before.is_some_and(|before| before.equals(&balance)) {
            let change = BalanceChange { balance, before, recovered: how.recovered, received: how.received };
            self.tell(TrackerEvent::Balance(Box::new(change)));
        }
    }
}
