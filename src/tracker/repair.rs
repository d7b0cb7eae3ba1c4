//! Repairing what was missed: what is asked, in what order, and how the answers and the messages that came meanwhile
//! are joined.
//!
//! The lists of open and of ended orders come first, then the orders of which neither tells, last the balances. All
//! but the list of ended orders are asked for over the stream, where an answer stands in its place among the messages:
//! when the last is there, every message that is older than any of the answers is there too. So the whole can be
//! told in the order of the numbers, and what is told later is newer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{ContradictionKind, RepairFailed, TrackedBalance, TrackerEvent};
use super::order::OrderStage;
use super::state::{Answer, How, Phase, Query, QuestionId, State};
use crate::error::Error;
use crate::model::{Balance, BalanceState, OrderState, OrderStatus};
use crate::symbol::{Asset, OrderId};

/// Orders asked about at once.
const IDS_AT_ONCE: usize = 25;
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
}

impl Repair {
    /// The first questions; none when they are asked already.
    pub(super) fn begin(&mut self) -> Option<[Query; 2]> {
        (self.step == Step::Unbegun).then(|| {
            self.step = Step::Lists;
            [Query::Open, Query::Recent]
        })
    }

    pub(super) fn hold(&mut self, message: Held) {
        self.held.push(message);
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.again.iter().map(|(at, _)| *at).min()
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

    /// The answer to a question of the repair, if it is one.
    pub(super) fn repair_answered(&mut self, id: QuestionId, answer: Result<Answer, Error>, now: Duration) {
        let Phase::Repairing(repair) = &mut self.phase else { return };
        let Some(query) = repair.waiting.remove(&id) else { return };
        match answer {
            Ok(answer) => repair.take(&query, answer),
            Err(error) => {
                let retry_in = self.waits.next(error.retry_after());
                let asked = query.name();
                repair.again.push((now + retry_in, query));
                return self.tell(TrackerEvent::RepairFailed(Box::new(RepairFailed { asked, error, retry_in })));
            }
        }
        while let Phase::Repairing(repair) = &mut self.phase
            && repair.waiting.is_empty()
            && repair.again.is_empty()
        {
            self.next_step();
        }
    }

    /// Everything of one step is answered.
    fn next_step(&mut self) {
        let ends_to = self.ends_to();
        let Phase::Repairing(repair) = &mut self.phase else { return };
        let (step, queries) = match repair.step {
            Step::Unbegun => return,
            Step::Lists if self.begun && repair.reach.is_some_and(|(oldest, _)| oldest > ends_to) => {
                (Step::History, vec![Query::History { since: self.latest.saturating_sub(BEFORE) }])
            }
            Step::Lists | Step::History => {
                let repair = &*repair;
                let not_ended = self.orders.values().map(|entry| &entry.order).filter(|order| !order.stage.is_ended());
                let vanished = not_ended.map(|order| order.order_id).filter(|id| !repair.open.contains(id));
                // Also those that were open still when the open ones were asked for.
                let passed = repair.history.iter().filter(|row| row.seqnum > ends_to).map(|row| row.order_id);
                let in_doubt: BTreeSet<OrderId> = vanished.chain(passed).filter(|id| !repair.has_ended(*id)).collect();
                let in_doubt: Vec<OrderId> = in_doubt.into_iter().collect();
                (Step::Orders, in_doubt.chunks(IDS_AT_ONCE).map(|ids| Query::Status(ids.to_vec())).collect())
            }
            Step::Orders => (Step::Balances, vec![Query::Balances]),
            Step::Balances => {
                if let Phase::Repairing(repair) = std::mem::replace(&mut self.phase, Phase::Live) {
                    self.join(*repair);
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
    fn join(&mut self, mut repair: Repair) {
        enum Said {
            Row(Box<OrderState>),
            Held(Held),
        }
        let ends_to = self.ends_to();
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
                None => row.status.is_open() || (self.begun && row.seqnum > ends_to),
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
            let known = self.orders.get(&id).map(|entry| entry.order.clone());
            self.contradict(ContradictionKind::Vanished, known, None);
            self.set_stage(id, OrderStage::Unknown, None);
        }
        self.join_balances(&repair.balances);
        self.begun = true;
        self.repaired_to = self.newest;
        self.listed_to = self.listed_to.max(repair.reach.map_or(0, |(_, newest)| newest));
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

    /// Takes the balances that were asked for, but where a message since then is at least as new. What is not among
    /// them is zero.
    fn join_balances(&mut self, balances: &[Balance]) {
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
            if !self.heard.contains(&balance.asset) {
                self.set_balance(balance, how);
            }
        }
    }
}
