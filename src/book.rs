//! The local order book: snapshot and changes joined, true or not live. Takes messages, gives no output but
//! what it says when asked; what to send and when is the caller's business.
//!
//! ```text
//!            change: kept              change that follows: applied
//!               ┌───┐                      ┌───┐
//!               │   ▼       snapshot       │   ▼
//!            Waiting ───────────────────▶ Live
//!                     kept changes join    │ ▲
//!                               gap, cross,│ │ snapshot,
//!                                bad level ▼ │ kept changes join
//!                                         Stale ◀─┐
//!                                           └─────┘ change: kept
//! ```

mod levels;
mod side;

use std::collections::VecDeque;

use rust_decimal::Decimal;

use crate::error::InvalidInput;
use crate::model::{Bbo, Depth, Level};
use crate::symbol::Symbol;
pub use levels::Levels;
use side::{MAX_SCALE, Side, power_of_ten, price, ticks};

/// The order book of one product, kept from a snapshot and the changes that follow it.
///
/// Feed it every [`Depth`] of the product in the order of arrival, of one channel (`depth` or
/// `depth-realtime`): changes that come before the snapshot are kept, those that the snapshot already holds are
/// dropped, the others must follow one another by their sequence numbers. After a gap, a change that crosses
/// the book, or a level that cannot be, the book is *stale*: it is empty and makes no claims until a new
/// snapshot is in; [`needs_snapshot`](Self::needs_snapshot) says when to ask for one. After a reconnection
/// [`restart`](Self::restart) it.
///
/// A snapshot holds at most 500 levels a side (100 of `depth-snapshot-top100`): of a deeper book the far
/// end is known only where it has changed since. A [bounded](Self::bounded) book keeps fewer.
///
/// [`StreamHandle::book`](crate::StreamHandle::book) does all of this by itself.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bitmax::{BookChange, Message, OrderBook};
///
/// let mut book = OrderBook::new("BTC/USDT".try_into()?);
/// for text in [
///     r#"{"m":"depth","symbol":"BTC/USDT","data":{"ts":2,"seqnum":8,"asks":[],"bids":[["9.98","3"]]}}"#,
///     r#"{"m":"depth-snapshot","symbol":"BTC/USDT","data":{"ts":1,"seqnum":7,"asks":[["10","1"]],"bids":[["9.9","2"]]}}"#,
/// ] {
///     if let Message::Depth(depth) = Message::parse(text)? {
///         book.apply(&depth)?;
///     }
/// }
/// assert_eq!(book.seqnum(), Some(8));
/// assert_eq!(book.best_bid().map(|level| level.price.to_string()).as_deref(), Some("9.98"));
/// assert_eq!(book.spread().map(|spread| spread.to_string()).as_deref(), Some("0.02"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct OrderBook {
    symbol: Symbol,
    /// Of which channel it is; its first message tells.
    realtime: Option<bool>,
    status: BookStatus,
    /// Of the last message applied.
    seqnum: u64,
    ts: u64,
    /// Digits after the point of the prices seen: a tick is 10 to the power of minus this.
    scale: u32,
    /// Bids, asks.
    sides: [Side; 2],
    /// Changes for the next snapshot, by sequence number.
    kept: VecDeque<Depth>,
    /// The kept change at whose gap the last snapshot came to nothing.
    stuck: Option<u64>,
}

/// Whether a book can be relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookStatus {
    /// No snapshot yet.
    Waiting,
    /// The book is what the exchange has said.
    Live,
    /// It was lost, and why; a new snapshot is needed.
    Stale(StaleReason),
}

/// Why a book was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleReason {
    /// Changes are missing.
    Gap {
        /// The sequence number that had to come next.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The best bid was not below the best ask. The protocol has no such state, so something was lost.
    Crossed {
        /// The best bid, in the quote asset.
        bid: Decimal,
        /// The best ask, in the quote asset.
        ask: Decimal,
    },
    /// The changes are numbered anew: one is far behind the last.
    Restarted {
        /// The sequence number of the last.
        last: u64,
        /// The one that came.
        found: u64,
    },
    /// A message that could not be read may have been a change.
    Unreadable,
    /// A level that cannot be: price not above zero, size below zero, or a price that 64 bits of ticks do not
    /// hold beside the others.
    BadLevel(Level),
    /// All levels that a [bounded](OrderBook::bounded) book had room for are gone from a side: what lies behind them is
    /// not known.
    Exhausted,
    /// The stream that kept it has lost its connection, or has ended.
    Disconnected,
}

/// What a message did to a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookChange {
    /// A snapshot was taken, with the kept changes that follow it: the book is live.
    Built,
    /// A change was applied.
    Updated,
    /// The book already holds it: dropped.
    Outdated,
    /// A change that waits for the snapshot.
    Kept,
    /// The book is lost, or the snapshot did not reach the kept changes: a new snapshot is needed.
    /// [`OrderBook::status`] says why.
    Lost,
}

/// At most so many changes wait for a snapshot; the oldest make room. At 300 ms a change it is five minutes. One that
/// is further behind is no late one.
const KEPT: usize = 1000;

impl OrderBook {
    /// An empty book that waits for its snapshot.
    pub fn new(symbol: Symbol) -> Self {
        Self::bounded(symbol, usize::MAX)
    }

    /// A book with room for about twice as many `levels` a side, at least one: where there are more it forgets the
    /// worst until `levels` are left, and what is worse than those is not taken in any more, so that what it shows has no
    /// holes. When all that it knows of a side is gone it is [stale](StaleReason::Exhausted).
    pub fn bounded(symbol: Symbol, levels: usize) -> Self {
        Self {
            symbol,
            realtime: None,
            status: BookStatus::Waiting,
            seqnum: 0,
            ts: 0,
            scale: 0,
            sides: [false, true].map(|asks| Side::new(asks, levels.max(1))),
            kept: VecDeque::new(),
            stuck: None,
        }
    }

    /// A copy with the best `levels` of each side at most. It can be kept up to date like the book itself: of what is
    /// worse than its levels it makes no claims.
    pub fn top(&self, levels: usize) -> Self {
        Self { sides: self.sides.each_ref().map(|side| side.top(levels)), kept: VecDeque::new(), ..*self }
    }

    /// Takes a snapshot or a change, and says what came of it.
    ///
    /// A snapshot that is older than a live book is dropped, a newer one taken.
    ///
    /// # Errors
    /// [`InvalidInput`] when the message is of another product, or of another channel than those before it (`depth` and
    /// `depth-realtime` do not fit together); the book is as it was.
    #[inline]
    pub fn apply(&mut self, depth: &Depth) -> Result<BookChange, InvalidInput> {
        if depth.symbol != self.symbol || Some(depth.kind.is_realtime()) != self.realtime {
            self.meet(depth)?;
        }
        Ok(if self.is_next(depth) { self.update(depth) } else { self.take(depth) })
    }

    /// Whether a message is what nearly all are: the change that comes next.
    #[inline]
    fn is_next(&self, depth: &Depth) -> bool {
        self.is_live() && Some(depth.seqnum) == self.seqnum.checked_add(1) && !depth.kind.is_snapshot()
    }

    /// Takes any message.
    #[cold]
    fn take(&mut self, depth: &Depth) -> BookChange {
        if self.is_live() && depth.seqnum <= self.seqnum {
            let is_late = depth.kind.is_snapshot() || self.seqnum - depth.seqnum <= KEPT as u64;
            if is_late { BookChange::Outdated } else { self.restarted(depth) }
        } else if depth.kind.is_snapshot() {
            self.build(depth)
        } else if self.is_next(depth) {
            self.update(depth)
        } else if self.is_live() {
            self.gap(depth)
        } else {
            self.keep(depth)
        }
    }

    /// Takes its first message, or refuses one.
    #[cold]
    fn meet(&mut self, depth: &Depth) -> Result<(), InvalidInput> {
        if depth.symbol != self.symbol {
            return Err(InvalidInput::new("symbol", format!("{} in the book of {}", depth.symbol, self.symbol)));
        }
        let realtime = depth.kind.is_realtime();
        if *self.realtime.get_or_insert(realtime) != realtime {
            return Err(InvalidInput::new("m", format!("{:?} in a book of the other channel", depth.kind)));
        }
        Ok(())
    }

    /// Forgets everything: the book waits for its snapshot again. For the start of a new connection, whose
    /// changes do not follow those of the last.
    pub fn restart(&mut self) {
        self.disconnected();
        self.status = BookStatus::Waiting;
    }

    /// As [`restart`](Self::restart), but the book says why it waits.
    pub(crate) fn disconnected(&mut self) {
        self.lose(StaleReason::Disconnected);
        self.kept.clear();
        self.stuck = None;
        self.realtime = None;
    }

    /// The product.
    pub fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// Waiting, live, or stale and why.
    pub fn status(&self) -> BookStatus {
        self.status
    }

    /// Whether the book can be relied upon. In any other state it is empty.
    #[inline]
    pub fn is_live(&self) -> bool {
        matches!(self.status, BookStatus::Live)
    }

    /// Whether a snapshot must be asked for, or is still awaited.
    pub fn needs_snapshot(&self) -> bool {
        !self.is_live()
    }

    /// The sequence number of the last message applied; `None` when not live.
    pub fn seqnum(&self) -> Option<u64> {
        self.is_live().then_some(self.seqnum)
    }

    /// The exchange's time of the last message applied, UTC milliseconds; `None` when not live, and 0 after the
    /// snapshot of `depth-realtime`, which has none.
    pub fn ts(&self) -> Option<u64> {
        self.is_live().then_some(self.ts)
    }

    /// The highest bid; `None` when nobody buys or the book is not live.
    #[inline]
    pub fn best_bid(&self) -> Option<Level> {
        self.sides[0].best(self.scale)
    }

    /// The lowest ask; `None` when nobody sells or the book is not live.
    #[inline]
    pub fn best_ask(&self) -> Option<Level> {
        self.sides[1].best(self.scale)
    }

    /// The bids, highest first; none when the book is not live.
    pub fn bids(&self) -> Levels<'_> {
        self.sides[0].levels(self.scale)
    }

    /// The asks, lowest first; none when the book is not live.
    pub fn asks(&self) -> Levels<'_> {
        self.sides[1].levels(self.scale)
    }

    /// Halfway between the best bid and the best ask, in the quote asset; `None` where one is missing.
    pub fn mid(&self) -> Option<Decimal> {
        let sum = u128::from(self.sides[0].best_ticks()?) + u128::from(self.sides[1].best_ticks()?);
        // cannot fail: at most 21 digits, and the scale of a book is below that of a decimal
        Decimal::try_from_i128_with_scale(sum as i128 * 5, self.scale + 1).ok()
    }

    /// The best ask less the best bid, in the quote asset; `None` where one is missing.
    pub fn spread(&self) -> Option<Decimal> {
        // cannot fail: a live book is not crossed
        let ticks = self.sides[1].best_ticks()?.checked_sub(self.sides[0].best_ticks()?)?;
        Some(price(ticks, self.scale))
    }

    /// How much more is bid than asked for among the best `levels` of each side, as a part of both together: from -1
    /// (asks only) to 1 (bids only). `None` when there are none, or the book is not live.
    pub fn imbalance(&self, levels: usize) -> Option<Decimal> {
        let quantity =
            |side: Levels<'_>| side.take(levels).try_fold(Decimal::ZERO, |sum, level| sum.checked_add(level.size));
        let (bid, ask) = (quantity(self.bids())?, quantity(self.asks())?);
        bid.checked_sub(ask)?.checked_div(bid.checked_add(ask)?)
    }

    /// The best bid and ask in the form of the channel `bbo`; `None` when the book is not live.
    pub fn bbo(&self) -> Option<Bbo> {
        let (bid, ask) = (self.best_bid(), self.best_ask());
        self.is_live().then_some(Bbo { symbol: self.symbol, ts: self.ts, bid, ask })
    }

    /// Takes a snapshot, then the kept changes that follow it. Those behind a gap are kept further; where the next
    /// snapshot comes to the same gap they are given up: what was missing then is in it, so that nothing leads to them.
    fn build(&mut self, snapshot: &Depth) -> BookChange {
        self.sides.iter_mut().for_each(Side::clear);
        self.scale = 0;
        for level in snapshot.bids.iter().chain(&snapshot.asks) {
            if self.ticks(level).is_none() {
                return self.lose(StaleReason::BadLevel(*level));
            }
        }
        for (side, levels) in self.sides.iter_mut().zip([&snapshot.bids, &snapshot.asks]) {
            if let Err(level) = side.fill(levels, self.scale) {
                return self.lose(StaleReason::BadLevel(level));
            }
        }
        self.status = BookStatus::Live;
        if self.arrive(snapshot) == BookChange::Lost {
            return BookChange::Lost;
        }
        while let Some(change) = self.kept.pop_front() {
            if change.seqnum <= self.seqnum {
                continue;
            }
            if !self.is_next(&change) && self.stuck.replace(change.seqnum) == Some(change.seqnum) {
                self.kept.clear();
                break;
            }
            // One behind a gap is kept again.
            if self.take(&change) == BookChange::Lost {
                return BookChange::Lost;
            }
        }
        self.stuck = None;
        BookChange::Built
    }

    /// Applies the change that comes next.
    fn update(&mut self, change: &Depth) -> BookChange {
        // One loop over both sides, so that nothing has to be guessed about which of them is next.
        let mut levels = [change.bids.as_slice(), change.asks.as_slice()];
        loop {
            let at = usize::from(levels[0].is_empty());
            let Some(left) = levels.get_mut(at) else { break };
            let Some((level, others)) = left.split_first() else { break };
            *left = others;
            let Some(ticks) = self.ticks(level) else { return self.lose(StaleReason::BadLevel(*level)) };
            if let Some(side) = self.sides.get_mut(at) {
                side.set(ticks, &level.size);
            }
        }
        self.arrive(change)
    }

    /// All levels of a message are in.
    #[inline]
    fn arrive(&mut self, depth: &Depth) -> BookChange {
        self.seqnum = depth.seqnum;
        self.ts = depth.ts;
        match (self.sides[0].best_ticks(), self.sides[1].best_ticks()) {
            (Some(bid), Some(ask)) if bid >= ask => {
                let [bid, ask] = [bid, ask].map(|ticks| price(ticks, self.scale));
                self.lose(StaleReason::Crossed { bid, ask })
            }
            (None, _) | (_, None) if self.sides.iter().any(Side::is_exhausted) => self.lose(StaleReason::Exhausted),
            _ => BookChange::Updated,
        }
    }

    /// Changes before this one are missing. It is kept.
    fn gap(&mut self, change: &Depth) -> BookChange {
        self.keep(change);
        self.lose(StaleReason::Gap { expected: self.seqnum.saturating_add(1), found: change.seqnum })
    }

    /// A change so far behind is of another numbering. It is kept.
    fn restarted(&mut self, change: &Depth) -> BookChange {
        self.keep(change);
        self.lose(StaleReason::Restarted { last: self.seqnum, found: change.seqnum })
    }

    /// What could not be read may have been a change.
    pub(crate) fn unreadable(&mut self) {
        self.lose(StaleReason::Unreadable);
    }

    /// Makes no claims any more.
    #[cold]
    fn lose(&mut self, why: StaleReason) -> BookChange {
        self.status = BookStatus::Stale(why);
        self.sides.iter_mut().for_each(Side::clear);
        BookChange::Lost
    }

    /// Keeps a change for the next snapshot, in its place.
    #[cold]
    fn keep(&mut self, change: &Depth) -> BookChange {
        let at = self.kept.partition_point(|kept| kept.seqnum < change.seqnum);
        if self.kept.get(at).is_none_or(|kept| kept.seqnum != change.seqnum) {
            self.kept.insert(at, change.clone());
        }
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        BookChange::Kept
    }

    /// A level's price in ticks, which are made finer first where need be. `None`: the level cannot be.
    #[inline]
    fn ticks(&mut self, level: &Level) -> Option<u64> {
        // Zero may well be written with a minus.
        if level.size.is_sign_negative() && !level.size.is_zero() {
            return None;
        }
        let ticks = ticks(&level.price, self.scale).or_else(|| self.widen(&level.price))?;
        (ticks > 0).then_some(ticks)
    }

    /// Makes ticks fine enough for a price, and gives the price in them. `None` if 64 bits do not hold it or
    /// what is there.
    #[cold]
    fn widen(&mut self, price: &Decimal) -> Option<u64> {
        let price = price.normalize();
        if price.scale() > MAX_SCALE {
            return None;
        }
        if price.scale() > self.scale {
            let factor = power_of_ten(price.scale() - self.scale)?;
            for side in &mut self.sides {
                side.rescale(factor)?;
            }
            self.scale = price.scale();
        }
        ticks(&price, self.scale)
    }
}
