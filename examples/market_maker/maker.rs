//! The strategy at work: it looks at the market and at its account, and keeps its quotes where they should be.
//!
//! What it has and what it has on the book it asks of a [`Tracker`], which knows an order from the moment it is sent until
//! it has certainly ended. A side is quoted anew only when nothing of it is left: so no more can ever trade than the position
//! has room for, whatever is lost on the way.

use std::error::Error as StdError;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Bbo, Side};
use bitmax::{
    Account, AccountSnapshot, Book, Client, CloseReason, Decimal, Error, Event, NewOrder, OrderStage, Stopped, Stream,
    Symbol, TrackedOrder, Tracker, TrackerEvent, TrackerHandle,
};

use crate::quotes::{Quote, Quoting};
use crate::tally::{Fill, Tally};

pub(crate) const ACCOUNT: AccountCategory = AccountCategory::Cash;
/// How long the market and the account may take to be known, at the beginning.
const TO_START: Duration = Duration::from_secs(20);
/// How long one cancel may take to be acknowledged.
const TO_ANSWER: Duration = Duration::from_secs(2);
/// A market that has said nothing for so long is not quoted on.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// How long the quotes may take to be gone, at the end.
pub(crate) const TO_STOP: Duration = Duration::from_secs(20);

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
    /// By REST, for when there is no stream.
    account: Account,
    tracker: Tracker,
    /// Keeps the book.
    _market: Stream,
    book: Book,
    /// When the book last changed.
    changed: Instant,
    /// The middle that was last known.
    pub(crate) mid: Decimal,
    /// What there is of orders and balances.
    now: AccountSnapshot,
    pub(crate) tally: Tally,
    pub(crate) counts: Counts,
    /// Newest last.
    pub(crate) fills: Vec<Fill>,
}

impl Maker {
    pub(crate) fn new(client: &Client, symbol: Symbol, quoting: Quoting) -> Result<Self, Box<dyn StdError>> {
        let account = client.account(ACCOUNT)?;
        let market = client.stream().connect()?;
        let mut book = market.book(symbol)?;
        let tracker = client.stream().request_timeout(TO_ANSWER).track(ACCOUNT)?;
        if !tracker.wait_live(TO_START) || !book.wait_live(TO_START)? {
            return Err("the market and the account could not be had in time".into());
        }
        // What it has found at the start has traded before.
        while !matches!(tracker.recv()?, TrackerEvent::Live { .. }) {}
        let now = tracker.snapshot();
        let mut maker = Self {
            symbol,
            quoting,
            account,
            tracker,
            _market: market,
            book,
            changed: Instant::now(),
            mid: Decimal::ZERO,
            tally: Tally::new(symbol, &now),
            now,
            counts: Counts::default(),
            fills: Vec::new(),
        };
        maker.look()?;
        Ok(maker)
    }

    /// The tracker's other side: to stop by, from any thread.
    pub(crate) fn handle(&self) -> TrackerHandle {
        self.tracker.handle()
    }

    /// The orders of a side that may trade, those in doubt among them.
    pub(crate) fn resting(&self, side: Side) -> impl Iterator<Item = &TrackedOrder> {
        self.now.orders.iter().filter(move |order| order.symbol == self.symbol && order.side.as_ref() == Some(&side))
    }

    /// Hears what becomes of the orders until then, and looks at market and account as they are. Whether it goes on:
    /// nobody has stopped it.
    pub(crate) fn hear(&mut self, until: Instant) -> Result<bool, Box<dyn StdError>> {
        while Instant::now() < until {
            match self.tracker.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(TrackerEvent::Closed(CloseReason::Requested)) => return Ok(false),
                Ok(TrackerEvent::Closed(reason)) => return Err(format!("the stream has ended: {reason:?}").into()),
                Ok(event) => self.see(event),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            }
        }
        self.look()?;
        Ok(true)
    }

    fn see(&mut self, event: TrackerEvent) {
        match event {
            TrackerEvent::Order(transition) if transition.order.symbol == self.symbol => {
                self.fills.extend(self.tally.see(&transition));
                match transition.order.stage {
                    OrderStage::Canceled => self.counts.cancelled += 1,
                    OrderStage::Rejected | OrderStage::Unsent => self.counts.rejected += 1,
                    _ => {}
                }
            }
            TrackerEvent::Stream(event) if matches!(*event, Event::Disconnected(_)) => {
                self.counts.outages += 1;
                // What cannot be watched does not stay. What came of it is told when there is a connection again.
                if let Err(e) = self.account.cancel_all(Some(self.symbol)) {
                    log::warn!("quotes are left alone: {e}");
                }
            }
            _ => {}
        }
    }

    fn look(&mut self) -> Result<(), Error> {
        if self.book.wait(Duration::ZERO)? {
            self.changed = Instant::now();
        }
        if let Some(Bbo { bid: Some(bid), ask: Some(ask), .. }) = self.book.bbo() {
            self.mid = (bid.price + ask.price) / Decimal::TWO;
        }
        self.count();
        Ok(())
    }

    fn count(&mut self) {
        self.now = self.tracker.snapshot();
        self.tally.mark(&self.now, self.mid);
    }

    /// Brings the quotes to where they should be: none, where the market is not known.
    pub(crate) fn quote(&mut self) -> Result<(), Error> {
        if !self.now.live {
            return Ok(());
        }
        let is_known = self.book.is_live() && self.changed.elapsed() < STALE_AFTER;
        let wanted = if is_known { self.quoting.quotes(self.mid, self.tally.position()) } else { [None; 2] };
        for (side, wanted) in [Side::Buy, Side::Sell].into_iter().zip(wanted) {
            match self.requote(&side, wanted) {
                // It has ended meanwhile, or all is being stopped.
                Err(Error::Refused(_) | Error::Closed) => {}
                // Not sent, or nobody knows what came of it: the tracker finds out.
                Err(e) if e.is_retryable() => log::info!("{e}"),
                result => result?,
            }
        }
        Ok(())
    }

    fn requote(&mut self, side: &Side, wanted: Option<Quote>) -> Result<(), Error> {
        let resting: Vec<TrackedOrder> = self.resting(side.clone()).cloned().collect();
        let in_place = |price| wanted.is_some_and(|quote| !self.quoting.is_stale(price, quote.price));
        for order in resting.iter().filter(|order| order.stage.is_open() && !order.price.is_some_and(in_place)) {
            self.tracker.cancel(order.order_id)?;
        }
        if let Some(quote) = wanted.filter(|_| resting.is_empty()) {
            let order = NewOrder::limit(self.symbol, side.clone(), quote.size, quote.price)?.post_only();
            // Its answer is not waited for: the tracker tells what becomes of it.
            drop(self.tracker.place_later(&order)?);
            self.counts.placed += 1;
        }
        Ok(())
    }

    /// Takes every order from the book, and says what is left there by the exchange's own word. Nothing is placed
    /// afterwards.
    pub(crate) fn stop(&mut self) -> Stopped {
        let stopped = self.tracker.stop(TO_STOP);
        // What was told meanwhile.
        while let Ok(event) = self.tracker.recv() {
            self.see(event);
        }
        self.count();
        stopped
    }
}
