//! Questions asked by REST, in a thread of their own: a call can take seconds, and messages do not wait for it.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use super::driver::whole;
use super::shared::Shared;
use super::state::{Answer, Query, QuestionId};
use crate::error::{Error, Phase, Result};
use crate::model::{HistoryOrder, Order, OrderState, Rows};
use crate::rest::{Account, BalanceQuery, OrderHistoryQuery, RECENT_LOOKED_AT, RecentOrdersQuery};
use crate::ws::StreamHandle;

/// The way to the thread, which ends when this is dropped: a call that is under way then is not waited for.
#[derive(Debug)]
pub(super) struct Rest {
    questions: mpsc::Sender<(QuestionId, Query, u64)>,
    answers: mpsc::Receiver<(QuestionId, Result<Answer>)>,
    shared: Arc<Shared>,
}

impl Rest {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let (questions, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let (account, stream) = (shared.account.clone(), shared.stream.clone());
        let thread = thread::Builder::new().name("bitmax-repair".to_owned());
        thread
            .spawn(move || serve(&account, &stream, &asked, &answer))
            .map_err(|e| Error::transport(Phase::Connect, e))?;
        Ok(Self { questions, answers, shared: Arc::clone(shared) })
    }

    pub(super) fn ask(&self, id: QuestionId, query: Query) {
        let ends_to = self.shared.lock().state.ends_to();
        if self.questions.send((id, query, ends_to)).is_err() {
            self.shared.act(|core, now| core.state.answered(id, Err(Error::Closed), now));
        }
    }

    /// The answers that are there.
    pub(super) fn answers(&self) -> Vec<(QuestionId, Result<Answer>)> {
        self.answers.try_iter().collect()
    }
}

fn serve(
    account: &Account,
    stream: &StreamHandle,
    asked: &mpsc::Receiver<(QuestionId, Query, u64)>,
    answers: &mpsc::Sender<(QuestionId, Result<Answer>)>,
) {
    for (id, query, ends_to) in asked {
        if answers.send((id, ask(account, &query, ends_to))).is_err() || stream.remote().knock().is_err() {
            return;
        }
    }
}

fn ask(account: &Account, query: &Query, ends_to: u64) -> Result<Answer> {
    Ok(match query {
        Query::Open => orders(whole(account.open_orders(None)?)?),
        Query::Recent => {
            let rows: Rows<Order> = account.recent_orders(&RecentOrdersQuery::new().n(RECENT_LOOKED_AT))?;
            // One that cannot be read matters only if it can be news.
            let is_old = |row: &crate::model::Unreadable| row.number("seqNum").is_some_and(|number| number <= ends_to);
            match ends_to == 0 || rows.unreadable().iter().all(is_old) {
                true => orders(rows.into_vec()),
                false => orders(whole(rows)?),
            }
        }
        Query::History { since } => {
            let query = OrderHistoryQuery::new().start_time(*since);
            let rows = account.order_history_iter(&query)?.map(|row| row.map(of_history));
            Answer::Orders(rows.collect::<Result<_>>()?)
        }
        Query::Status(ids) => orders(whole(account.orders(ids)?)?),
        Query::Balances => Answer::Balances(whole(account.balances(&BalanceQuery::new())?)?),
        Query::Time => Answer::Time(account.exchange_time()?),
    })
}

fn orders(rows: Vec<Order>) -> Answer {
    Answer::Orders(rows.into_iter().map(of_order).collect())
}

/// An order as the stream tells it.
pub(super) fn of_order(order: Order) -> OrderState {
    OrderState {
        symbol: order.symbol,
        seqnum: order.seq_num,
        order_id: order.order_id,
        side: Some(order.side),
        order_type: Some(order.order_type),
        status: order.status,
        ts: order.last_exec_time.unwrap_or_default(),
        price: order.price,
        order_qty: Some(order.order_qty),
        stop_price: order.stop_price,
        avg_px: order.avg_px,
        cum_filled_qty: Some(order.cum_filled_qty),
        cum_fee: order.cum_fee,
        fee_asset: order.fee_asset,
        error: order.error_code,
        exec_inst: order.exec_inst,
        base_total: None,
        base_available: None,
        quote_total: None,
        quote_available: None,
        create_time: order.sending_time,
        last_price: None,
        last_qty: None,
        last_fee: None,
    }
}

/// An order of the past as the stream tells it, but for its fee, whose sign the exchange writes one way or the other.
fn of_history(order: HistoryOrder) -> OrderState {
    OrderState {
        symbol: order.symbol,
        seqnum: order.seq_num,
        order_id: order.order_id,
        side: Some(order.side),
        order_type: Some(order.order_type),
        status: order.status,
        ts: order.last_exec_time.unwrap_or(order.create_time),
        price: order.price,
        order_qty: Some(order.order_qty),
        stop_price: order.stop_price,
        avg_px: order.avg_fill_price,
        cum_filled_qty: Some(order.fill_qty),
        cum_fee: None,
        fee_asset: order.fee_asset,
        error: None,
        exec_inst: None,
        base_total: None,
        base_available: None,
        quote_total: None,
        quote_available: None,
        create_time: Some(order.create_time),
        last_price: None,
        last_qty: None,
        last_fee: None,
    }
}
