//! Repairing what was missed: what is asked, in what order, and how the answers and the messages that came meanwhile
//! are joined.
//!
//! The lists of open and of ended orders come first, then the orders of which neither tells, last the balances. All
//! but the list of ended orders are asked for over the stream, where an answer stands in its place among the messages:
//! when the last is there, every message that is older than any of the answers is there too. So the whole can be
//! told in the order of the numbers, and what is told later is newer.
//!
//! What only REST tells, the list of ended orders, is not waited for where it cannot be had: the orders that are known are
//! settled over the stream, and the tracker is live. Orders that came and went unheard are told when the list is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{RepairFailed, TrackedBalance, TrackerEvent};
use super::state::{Answer, How, Owed, Phase, Query, QuestionId, State};
use crate::error::{Error, Timeout};
use crate::model::{Balance, BalanceState, OrderState, OrderStatus};
use crate::symbol::{Asset, OrderId};

/// Orders asked about at once.
const IDS_AT_ONCE: usize = 25;
/// How long REST may take for the lists that only REST has, before the rest goes on without them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How far before the last order that was heard of the history is asked for, milliseconds.
const BEFORE: u64 = 60_000;

/// A message that waits for the repair.
#[derive(Debug)]
pub(super) enum Held {
    Order(Box<OrderState>, u64),
    Balance(BalanceState, u64),
}

impl Held {
    fn seqnum(&self) -> u64 {
        match self {
            Self::Order(order, _) => order.seqnum,
            Self::Balance(balance, _) => balance.seqnum,
        }
    }

    /// The assets whose balances it tells.
    fn assets(&self) -> Vec<Asset> {
        let (first, second) = match self {
            Self::Balance(balance, _) => return vec![balance.asset],
            Self::Order(order, _) => (
                Some(order.symbol.base()).filter(|_| order.base_total.is_some() && order.base_available.is_some()),
                order.symbol.quote().filter(|_| order.quote_total.is_some() && order.quote_available.is_some()),
            ),
        };
        [first, second].into_iter().flatten().filter_map(|name| Asset::new(name).ok()).collect()
    }

    fn order(&self) -> Option<&OrderState> {
        match self {
            Self::Order(order, _) => Some(order),
            Self::Balance(..) => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    #[default]
    Unbegun,
    Lists,
    History,
    Orders,
    Balances,
}

#[derive(Debug, Default)]
pub(super) struct Repair {
    step: Step,
    waiting: BTreeMap<QuestionId, Query>,
    /// What could not be asked, and when it is asked again.
    again: Vec<(Duration, Query)>,
    held: Vec<Held>,
    rows: Vec<OrderState>,
    /// What the history says, which is less: it is used where nothing else is said.
    history: Vec<OrderState>,
    /// The orders that the list of open ones has.
    open: BTreeSet<OrderId>,
    /// The smallest and the greatest number in the list of ended ones.
    reach: Option<(u64, u64)>,
    balances: Vec<Balance>,
    /// How many messages there were when these were asked for, which are older.
    older_than_balances: usize,
    /// Whether the list of ended orders is there, and whether what it does not reach is missing.
    has_recent: bool,
    lacks_history: bool,
    /// When to go on without what REST has not answered.
    patience: Duration,
}

impl Repair {
    /// One that has the list of ended orders already.
    fn with_recent(answer: Answer) -> Self {
        let mut repair = Self::default();
        repair.take(&Query::Recent, answer);
        repair
    }

    pub(super) fn has_begun(&self) -> bool {
        self.step != Step::Unbegun
    }

    /// The first questions; none when they are asked already. `begun` says whether it is known when the tracker began.
    pub(super) fn begin(&mut self, begun: bool, now: Duration) -> Option<Vec<Query>> {
        (!self.has_begun()).then(|| {
            self.step = Step::Lists;
            self.patience = now + PATIENCE;
            let time = (!begun).then_some(Query::Time);
            let recent = (!self.has_recent).then_some(Query::Recent);
            [Query::Open].into_iter().chain(time).chain(recent).collect()
        })
    }

    /// Whether every end since the gap is among what was answered.
    fn is_whole(&self) -> bool {
        self.has_recent && !self.lacks_history
    }

    pub(super) fn hold(&mut self, message: Held) {
        self.held.push(message);
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let patience = self.waiting.values().any(Query::is_dispensable).then_some(self.patience);
        self.again.iter().map(|(at, _)| *at).chain(patience).min()
    }

    /// The questions that are not waited for any longer.
    fn overdue(&mut self, now: Duration) -> BTreeMap<QuestionId, Query> {
        let is_overdue = |(_, query): &(QuestionId, Query)| self.patience <= now && query.is_dispensable();
        let (overdue, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(is_overdue);
        self.waiting = waiting;
        overdue
    }

    /// What is to be asked again now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Query> {
        let (due, later) = std::mem::take(&mut self.again).into_iter().partition(|(at, _)| *at <= now);
        self.again = later;
        let due: Vec<(Duration, Query)> = due;
        due.into_iter().map(|(_, query)| query).collect()
    }

    fn take(&mut self, query: &Query, answer: Answer) {
        match answer {
            Answer::Orders(rows) => {
                match query {
                    Query::Open => self.open = rows.iter().map(|row| row.order_id).collect(),
                    Query::Recent => {
                        self.has_recent = true;
                        let numbers = || rows.iter().map(|row| row.seqnum);
                        self.reach = numbers().min().zip(numbers().max());
                    }
                    Query::History { .. } => return self.history = rows,
                    _ => {}
                }
                self.rows.extend(rows);
            }
            Answer::Balances(balances) => self.balances = balances,
            Answer::Time(_) => {}
        }
    }

    /// Whether an order has been told to have ended, by an answer or a message.
    fn has_ended(&self, id: OrderId) -> bool {
        let told = self.rows.iter().chain(self.held.iter().filter_map(Held::order));
        told.into_iter().any(|row| row.order_id == id && !row.status.is_open())
    }

    fn has_row(&self, id: OrderId) -> bool {
        self.rows.iter().any(|row| row.order_id == id)
    }
}

impl State {
    pub(super) fn ask_for_repair(&mut self, query: Query) {
        let id = self.ask(query.clone());
        if let Phase::Repairing(repair) = &mut self.phase {
            repair.waiting.insert(id, query);
        }
    }

    /// The time has come to ask again, or to ask no longer.
    pub(super) fn tick_repair(&mut self, now: Duration) {
        let Phase::Repairing(repair) = &mut self.phase else { return };
        let overdue = repair.overdue(now);
        for query in repair.due(now) {
            self.ask_for_repair(query);
        }
        for (id, query) in overdue {
            let at = now + self.failed(&query, Error::Timeout(Timeout::Call));
            self.do_without(&query, at);
            if query == Query::Recent {
                // The answer may come yet.
                self.owed = Owed::Asked(id);
            }
        }
        self.go_on(now);
    }

    /// A repair goes on without an answer.
    fn do_without(&mut self, query: &Query, until: Duration) {
        self.miss();
        self.owed = Owed::From(until);
        if let Phase::Repairing(repair) = &mut self.phase {
            repair.lacks_history |= matches!(query, Query::History { .. });
        }
    }

    /// The list of ended orders is there after all, or again is not.
    pub(super) fn owed_answered(&mut self, answer: Result<Answer, Error>, now: Duration) {
        self.owed = match answer {
            // What has come into doubt since may not be in it.
            Ok(answer) if self.is_live() && !self.is_in_doubt() => {
                return self.repair(Repair::with_recent(answer), now);
            }
            Ok(_) => Owed::From(now),
            Err(error) => Owed::From(now + self.failed(&Query::Recent, error)),
        };
    }

    /// Something could not be asked. Tells that, and how long until it is asked again.
    fn failed(&mut self, query: &Query, error: Error) -> Duration {
        let waits = if query.is_dispensable() { &mut self.list_waits } else { &mut self.waits };
        let (asked, retry_in) = (query.name(), waits.next(error.retry_after()));
        self.tell(TrackerEvent::RepairFailed(Box::new(RepairFailed { asked, error, retry_in })));
        retry_in
    }

    /// The answer to a question of the repair, if it is one.
    pub(super) fn repair_answered(&mut self, id: QuestionId, answer: Result<Answer, Error>, now: Duration) {
        let Phase::Repairing(repair) = &mut self.phase else { return };
        let Some(query) = repair.waiting.remove(&id) else { return };
        match answer {
            Ok(Answer::Time(millis)) => self.start = Some(millis),
            Ok(answer) => repair.take(&query, answer),
            Err(error) => {
                let at = now + self.failed(&query, error);
                if query.is_dispensable() {
                    self.do_without(&query, at);
                } else if let Phase::Repairing(repair) = &mut self.phase {
                    repair.again.push((at, query));
                }
            }
        }
        self.go_on(now);
    }

    /// Takes the steps whose questions are answered.
    fn go_on(&mut self, now: Duration) {
        while let Phase::Repairing(repair) = &mut self.phase
            && repair.has_begun()
            && repair.waiting.is_empty()
            && repair.again.is_empty()
        {
            self.next_step(now);
        }
    }

    /// Everything of one step is answered.
    fn next_step(&mut self, now: Duration) {
        let (ends_to, start) = (self.ends_to(), self.start);
        let since = self.ends_until().saturating_sub(BEFORE).max(start.unwrap_or_default());
        let Phase::Repairing(repair) = &mut self.phase else { return };
        let (step, queries) = match repair.step {
            Step::Unbegun => return,
            Step::Lists if self.begun && repair.reach.is_some_and(|(oldest, _)| oldest > ends_to) => {
                (Step::History, vec![Query::History { since }])
            }
            Step::Lists | Step::History => {
                let repair = &*repair;
                let not_ended = self.orders.values().map(|entry| &entry.order).filter(|order| !order.stage.is_ended());
                let vanished = not_ended.map(|order| order.order_id).filter(|id| !repair.open.contains(id));
                // Also those that were open still when the open ones were asked for.
                let passed = repair.history.iter().filter(|row| row.seqnum > ends_to && !is_from_before(row, start));
                let passed = passed.map(|row| row.order_id);
                let in_doubt: BTreeSet<OrderId> = vanished.chain(passed).filter(|id| !repair.has_ended(*id)).collect();
                let in_doubt: Vec<OrderId> = in_doubt.into_iter().collect();
                (Step::Orders, in_doubt.chunks(IDS_AT_ONCE).map(|ids| Query::Status(ids.to_vec())).collect())
            }
            Step::Orders => {
                repair.older_than_balances = repair.held.len();
                (Step::Balances, vec![Query::Balances])
            }
            Step::Balances => {
                if let Phase::Repairing(repair) = std::mem::replace(&mut self.phase, Phase::Live) {
                    self.join(*repair, now);
                }
                return;
            }
        };
        repair.step = step;
        for query in queries {
            self.ask_for_repair(query);
        }
    }

    /// Tells what was missed and what was kept, in the order of the numbers.
    fn join(&mut self, mut repair: Repair, now: Duration) {
        enum Said {
            Row(Box<OrderState>),
            Held(Held),
        }
        let (ends_to, is_whole) = (self.ends_to(), repair.is_whole());
        let newer: BTreeSet<Asset> =
            repair.held.iter().skip(repair.older_than_balances).flat_map(Held::assets).collect();
        // Of two that say the same the first is taken.
        repair.rows.append(&mut repair.history);
        let heard: BTreeMap<OrderId, u64> =
            repair.held.iter().rev().filter_map(Held::order).map(|told| (told.order_id, told.seqnum)).collect();
        let told: BTreeSet<(OrderId, u64)> =
            repair.held.iter().filter_map(Held::order).map(|told| (told.order_id, told.seqnum)).collect();

        // Orders whose state before their first message is known.
        let known_before = |row: &&OrderState| heard.get(&row.order_id).is_some_and(|first| row.seqnum < *first);
        let mut joined: BTreeSet<OrderId> = repair.rows.iter().filter(known_before).map(|row| row.order_id).collect();
        let in_doubt: Vec<OrderId> = self
            .orders
            .values()
            .filter(|entry| entry.order.stage.is_open())
            .map(|entry| entry.order.order_id)
            .filter(|id| !repair.open.contains(id) && !repair.has_row(*id) && !heard.contains_key(id))
            .collect();

        let mut said: Vec<Said> = Vec::new();
        for row in repair.rows {
            self.newest = self.newest.max(row.seqnum);
            let is_news = match self.orders.get(&row.order_id).map(|entry| entry.order.seqnum) {
                None => {
                    row.status.is_open() || (self.begun && row.seqnum > ends_to && !is_from_before(&row, self.start))
                }
                Some(None) => true,
                Some(Some(last)) => row.seqnum >= last,
            };
            if is_news && !told.contains(&(row.order_id, row.seqnum)) {
                said.push(Said::Row(Box::new(row)));
            }
        }
        said.extend(repair.held.into_iter().map(Said::Held));
        said.sort_by_key(|said| match said {
            Said::Row(row) => row.seqnum,
            Said::Held(held) => held.seqnum(),
        });

        let mut recovered = 0;
        for said in said {
            let before = self.transitions;
            match said {
                Said::Row(row) => {
                    self.set_order(*row, How { received: None, recovered: true });
                    recovered += self.transitions - before;
                }
                Said::Held(Held::Order(told, received)) => {
                    let is_first = joined.insert(told.order_id);
                    let missed = is_first && !self.is_birth(&told);
                    self.order_told(*told, received, missed);
                    if missed {
                        recovered += self.transitions - before;
                    }
                }
                Said::Held(Held::Balance(told, received)) => self.balance_told(told, received),
            }
        }
        for id in in_doubt {
            self.lost_sight_of(id, now);
        }
        self.join_balances(&repair.balances, &newer);
        self.begun |= self.start.is_some() || repair.reach.is_some();
        self.repaired_to = self.newest;
        self.listed_to = self.listed_to.max(repair.reach.map_or(0, |(_, newest)| newest));
        if is_whole {
            self.missed_none();
            self.list_waits.reset();
            if self.begun {
                self.owed = Owed::None;
            }
        }
        self.waits.reset();
        self.tell(TrackerEvent::Live { recovered });
    }

    /// Whether a message is the first that there is of an order.
    pub(super) fn is_birth(&self, told: &OrderState) -> bool {
        let is_new = self.orders.get(&told.order_id).is_none_or(|entry| entry.order.seqnum.is_none());
        let nothing_traded = told.cum_filled_qty.is_none_or(|filled| filled.is_zero());
        let first = matches!(
            told.status,
            OrderStatus::PendingNew | OrderStatus::New | OrderStatus::Ready | OrderStatus::Rejected
        );
        is_new && nothing_traded && first
    }

    /// Takes the balances that were asked for, but where a message since then may be newer. What is not among them is
    /// zero.
    fn join_balances(&mut self, balances: &[Balance], newer: &BTreeSet<Asset>) {
        use rust_decimal::Decimal;
        let seqnum = self.newest;
        let how = How { received: None, recovered: true };
        let there: BTreeSet<Asset> = balances.iter().map(|balance| balance.asset).collect();
        let gone: Vec<TrackedBalance> = self
            .balances()
            .values()
            .filter(|known| !there.contains(&known.asset))
            .map(|known| TrackedBalance {
                total: Decimal::ZERO,
                available: Decimal::ZERO,
                borrowed: known.borrowed.map(|_| Decimal::ZERO),
                interest: known.interest.map(|_| Decimal::ZERO),
                seqnum,
                ..*known
            })
            .collect();
        let told = balances.iter().map(|balance| TrackedBalance {
            asset: balance.asset,
            total: balance.total_balance,
            available: balance.available_balance,
            borrowed: balance.borrowed,
            interest: balance.interest,
            seqnum,
        });
        for balance in told.chain(gone).collect::<Vec<_>>() {
            if !newer.contains(&balance.asset) {
                self.set_balance(balance, how);
            }
        }
    }
}

/// Whether an order had ended before the tracker began.
fn is_from_before(row: &OrderState, start: Option<u64>) -> bool {
    !row.status.is_open() && row.ts > 0 && start.is_some_and(|start| row.ts <= start)
}
