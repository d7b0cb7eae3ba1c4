//! The strategy at work: it hears of the market and of its orders, and keeps its quotes where they should be.
//!
//! Each side has one order at most. A quote that is in the wrong place is cancelled, and the next one is placed only
//! when the exchange has said what became of it: so no more can ever trade than the position has room for.

use std::error::Error as StdError;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, OrderState, OrderStatus, Side};
use bitmax::{Account, CancelOrder, Decimal, Error, Event, NewOrder, OrderId, Stream, Symbol};

use crate::quotes::{Quote, Quoting};
use crate::tally::{Fill, Tally};

pub(crate) const ACCOUNT: AccountCategory = AccountCategory::Cash;
/// A market that has said nothing for so long is not quoted on.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// How long the quotes may take to be gone, at the end.
const TO_WITHDRAW: Duration = Duration::from_secs(20);

/// An order on the book, or on its way there or from there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resting {
    pub(crate) id: OrderId,
    pub(crate) quote: Quote,
    cancelling: bool,
}

/// How often what was done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) placed: u64,
    pub(crate) cancelled: u64,
    /// Would have taken, mostly.
    pub(crate) rejected: u64,
    pub(crate) outages: u64,
}

pub(crate) struct Maker {
    pub(crate) symbol: Symbol,
    pub(crate) quoting: Quoting,
    account: Account,
    stream: Stream,
    /// The best bid and ask, and when they came.
    best: Option<([Decimal; 2], Instant)>,
    /// Bid and ask.
    pub(crate) resting: [Option<Resting>; 2],
    /// Whether what is known of orders and balances is all there is.
    is_certain: bool,
    pub(crate) tally: Tally,
    pub(crate) counts: Counts,
    /// The latest, newest last.
    pub(crate) fills: Vec<Fill>,
    /// The last middle that was known.
    pub(crate) mid: Decimal,
}

impl Maker {
    pub(crate) fn new(account: Account, stream: Stream, symbol: Symbol, quoting: Quoting) -> Result<Self, Error> {
        let have = balances(&account, symbol)?;
        Ok(Self {
            symbol,
            quoting,
            account,
            stream,
            best: None,
            resting: [None; 2],
            is_certain: true,
            tally: Tally::new(symbol, have),
            counts: Counts::default(),
            fills: Vec::new(),
            mid: Decimal::ZERO,
        })
    }

    /// Hears what happens until then, and no longer, however much there is to hear.
    pub(crate) fn hear(&mut self, until: Instant) -> Result<(), Box<dyn StdError>> {
        loop {
            if Instant::now() >= until {
                return Ok(());
            }
            match self.stream.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => self.see(event)?,
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err("the stream has ended".into()),
            }
        }
    }

    fn see(&mut self, event: Event) -> Result<(), Box<dyn StdError>> {
        match event {
            Event::Bbo(bbo) => {
                if let (Some(bid), Some(ask)) = (bbo.bid, bbo.ask) {
                    self.best = Some(([bid.price, ask.price], Instant::now()));
                    self.mid = (bid.price + ask.price) / Decimal::TWO;
                    self.tally.mark(self.mid);
                }
            }
            Event::Order(update) if update.data.data.symbol == self.symbol => self.see_order(&update.data.data),
            Event::Disconnected(_) => {
                self.counts.outages += 1;
                self.best = None;
                self.is_certain = false;
            }
            Event::Closed(reason) => return Err(format!("the stream has ended: {reason:?}").into()),
            _ => {}
        }
        Ok(())
    }

    fn see_order(&mut self, order: &OrderState) {
        if let Some(fill) = self.tally.see(order) {
            self.fills.push(fill);
        }
        let of_it = |resting: &Option<Resting>| resting.is_some_and(|resting| resting.id == order.order_id);
        let Some(side) = self.resting.iter_mut().find(|side| of_it(side)) else { return };
        match order.status {
            OrderStatus::Filled => *side = None,
            OrderStatus::Canceled => {
                *side = None;
                self.counts.cancelled += 1;
            }
            OrderStatus::Rejected => {
                *side = None;
                self.counts.rejected += 1;
            }
            _ => {}
        }
    }

    /// Brings the quotes to where they should be.
    pub(crate) fn quote(&mut self) -> Result<(), Error> {
        if !self.is_certain && !self.make_certain()? {
            return Ok(());
        }
        let fresh = self.best.filter(|(_, at)| at.elapsed() < STALE_AFTER);
        let wanted = match fresh {
            Some(_) => self.quoting.quotes(self.mid, self.tally.position()),
            None => [None; 2],
        };
        for (n, (side, wanted)) in [Side::Buy, Side::Sell].into_iter().zip(wanted).enumerate() {
            let Some(resting) = self.resting.get(n).copied() else { continue };
            let result = match (resting, wanted) {
                (None, Some(quote)) => self.place(n, side, quote),
                (Some(resting), Some(quote)) if !self.quoting.is_stale(resting.quote.price, quote.price) => Ok(()),
                (Some(resting), _) if !resting.cancelling => self.cancel(n, resting),
                _ => Ok(()),
            };
            match result {
                Ok(()) => {}
                // Nothing was sent: the next time, then.
                Err(Error::NotReady(_) | Error::RateLimited { .. }) => {}
                // It may have happened or not, and orders are not told of again: ask.
                Err(Error::Timeout(_) | Error::ConnectionLost) => self.is_certain = false,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn place(&mut self, n: usize, side: Side, quote: Quote) -> Result<(), Error> {
        let order = NewOrder::limit(self.symbol, side, quote.size, quote.price)?.post_only();
        match self.stream.place(ACCOUNT, &order) {
            Ok(answer) => {
                self.counts.placed += 1;
                let resting = answer.info.order_id().map(|id| Resting { id, quote, cancelling: false });
                if let Some(side) = self.resting.get_mut(n) {
                    *side = resting;
                }
                Ok(())
            }
            Err(Error::Refused(refusal)) => {
                log::info!("not placed: {refusal}");
                self.counts.rejected += 1;
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn cancel(&mut self, n: usize, resting: Resting) -> Result<(), Error> {
        match self.stream.cancel(ACCOUNT, &CancelOrder::new(resting.id, self.symbol)?) {
            // What has become of it is told by its messages.
            Ok(_) | Err(Error::Refused(_)) => {
                if let Some(Some(side)) = self.resting.get_mut(n) {
                    side.cancelling = true;
                }
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    /// After something may have been missed: no orders, and the balances as they are. Whether it is so by now.
    fn make_certain(&mut self) -> Result<bool, Error> {
        self.account.cancel_all(Some(self.symbol))?;
        if !self.account.open_orders(Some(self.symbol))?.is_empty() {
            return Ok(false);
        }
        self.resting = [None; 2];
        self.tally.set_balances(balances(&self.account, self.symbol)?);
        self.is_certain = true;
        Ok(true)
    }

    /// Takes every quote from the book, by REST, so that it needs no stream; how many are left there.
    pub(crate) fn withdraw(&mut self) -> Result<usize, Error> {
        let end = Instant::now() + TO_WITHDRAW;
        loop {
            self.account.cancel_all(Some(self.symbol))?;
            let open = self.account.open_orders(Some(self.symbol))?.len();
            if open == 0 || Instant::now() > end {
                self.tally.set_balances(balances(&self.account, self.symbol)?);
                return Ok(open);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What the account has of the base and of the quote asset.
fn balances(account: &Account, symbol: Symbol) -> Result<[Decimal; 2], Error> {
    let of = |asset: &str| Ok::<_, Error>(account.balance(asset)?.map_or(Decimal::ZERO, |b| b.total_balance));
    Ok([of(symbol.base())?, of(symbol.quote().unwrap_or_default())?])
}
