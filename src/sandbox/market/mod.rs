//! The seeded market: products, the participants, and what the public is told of it all.
//!
//! Time is an argument. The market moves in steps; after each it tells trades and best bid and offer, and every third
//! time the depth that has gathered, bars, summaries and reference prices.

mod bars;
mod board;
mod depth;
mod kept;
mod participants;
mod price;
mod publication;

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value;

use super::channel;
use super::clock::{DAY, MINUTE};
use super::engine::{self, Bbo, Engine, Event, Fixed, InvalidProduct, ProductSpec, Trade};
use super::products::{self, ListedAsset, ListedProduct};
use super::wire::{self, Refusal};
use crate::{Code, Symbol};
pub(crate) use bars::{Bar, INTERVALS, Interval};
use board::Board;
pub(crate) use depth::Sides;
use kept::Added;
pub(crate) use kept::Kept;
use price::Path;
pub(crate) use price::{Random, blend, hash};
pub(crate) use publication::Publication;

/// Time between two moves of the participants, ms.
const STEP: u64 = 100;
/// Moves between two tellings of what is gathered.
const GATHERING: u64 = 3;
/// Moves before the beginning, so that there are books and trades.
const WARM_UP: u64 = 50;
/// How far bars go back, ms: about a year.
const PAST: u64 = 366 * DAY;
/// The first bar begins at the beginning of a day, UTC.
const PAST_STEP: u64 = DAY;
/// Trades of a product that are remembered.
const REMEMBERED_TRADES: usize = 100;
/// Levels a side in `depth-snapshot`.
const SNAPSHOT_LEVELS: usize = 500;

/// The market.
#[derive(Debug)]
pub(crate) struct Market {
    engine: Engine,
    assets: Vec<(ListedAsset, Path)>,
    boards: Vec<Board>,
    /// Products that were listed later, which `boards` and `assets` hold as well.
    added: Vec<Added>,
    seed: u64,
    /// When the next step is due, and how many there were.
    next_step: u64,
    steps: u64,
    publications: Vec<Publication>,
    /// What happened to orders and balances, the participants' too.
    account_events: Vec<Event>,
}

impl Market {
    /// The market of this seed as it is at `now`, UTC ms; `quiet`: without participants on the products of the live
    /// exchange.
    pub(crate) fn new(seed: u64, quiet: bool, now: u64) -> Self {
        let mut market = Self::opened(seed, quiet, now.saturating_sub(WARM_UP * STEP));
        while market.next_step <= now {
            market.step(market.next_step);
        }
        market.publications.clear();
        market.account_events.clear();
        market
    }

    /// The market before anyone has moved.
    fn opened(seed: u64, quiet: bool, begin: u64) -> Self {
        // Like the live exchange's: beyond what a float holds.
        let mut engine = Engine::new(engine::Settings { first_sn: 8_159_711, first_trade: (1 << 57) + begin });
        let assets: Vec<_> = products::assets().into_iter().map(|listed| with_path(seed, listed)).collect();
        let boards = products::products()
            .into_iter()
            .filter_map(|listed| {
                let since = (begin - begin % PAST_STEP).saturating_sub(PAST);
                let opened = Board::open(&mut engine, &assets, &listed, (seed, quiet), since, begin);
                opened.inspect_err(|e| log::error!("{} is not listed: {e}", listed.spec.symbol)).ok()
            })
            .collect();
        Self {
            engine,
            assets,
            boards,
            added: Vec::new(),
            seed,
            next_step: begin,
            steps: 0,
            publications: Vec::new(),
            account_events: Vec::new(),
        }
    }

    /// Lists one more product. `price`: about what its base asset is worth in the quote asset, should it be new;
    /// `activity`: trades a minute that the participants make.
    ///
    /// # Errors
    /// [`InvalidProduct`].
    pub(crate) fn list(
        &mut self,
        spec: ProductSpec,
        price: Decimal,
        activity: u32,
        now: u64,
    ) -> Result<(), InvalidProduct> {
        let fail = |field, problem| Err(InvalidProduct { field, problem });
        let Ok(quote) = self.asset(spec.quote.as_str()) else {
            return fail("symbol", "has a quote asset that is not listed");
        };
        let worth = match self.asset(spec.base.as_str()) {
            Ok(base) => Some(base.usdt),
            Err(_) => price.checked_mul(quote.usdt),
        };
        // Within these no reckoning of prices leaves its range.
        let Some(usdt) = worth.filter(|worth| (Decimal::new(1, 9)..=Decimal::from(100_000_000)).contains(worth)) else {
            return fail("price", "is worth less than 10^-9 or more than 10^8 USDT");
        };
        if spec.tick_size.checked_mul(quote.usdt).is_none_or(|tick| tick > usdt) {
            return fail("tick_size", "is above the price");
        }
        if spec.lot_size > Decimal::from(10_000) {
            return fail("lot_size", "is above 10 000");
        }
        let base = ListedAsset {
            asset: spec.base,
            name: spec.base.to_string(),
            native_scale: 8,
            chains: &["Sandbox"],
            withdrawal_fee: Decimal::ZERO,
            usdt,
        };
        let new = self.asset(spec.base.as_str()).is_err();
        if new {
            self.assets.push(with_path(self.seed, base));
        }
        let added = Added { spec: spec.clone(), price, activity, since: now };
        let listed = ListedProduct { domain: products::domain(spec.quote), spec, activity };
        let since = now - now % MINUTE;
        match Board::open(&mut self.engine, &self.assets, &listed, (self.seed, false), since, now) {
            Ok(board) => {
                self.boards.push(board);
                self.added.push(added);
                Ok(())
            }
            Err(e) => {
                if new {
                    self.assets.pop();
                }
                Err(e)
            }
        }
    }

    /// When there is something to do again.
    pub(crate) fn deadline(&self) -> u64 {
        self.next_step
    }

    /// Lets time go on to `now` when that is more than `most` ms, too far to live through: the price is where it would
    /// be then, and nothing was traded on the way. Orders stay.
    pub(crate) fn leap(&mut self, now: u64, most: u64) {
        if now.saturating_sub(self.next_step) <= most {
            return;
        }
        for board in &mut self.boards {
            board.history.advance(now);
        }
        self.next_step = now;
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, now: u64) {
        if self.next_step <= now {
            self.step(now);
        }
    }

    /// What the public is to be told, in order.
    pub(crate) fn drain(&mut self) -> Vec<Publication> {
        std::mem::take(&mut self.publications)
    }

    /// Lets someone act on the engine. The trades and quotes that come of it are told at once.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Engine) -> T) -> T {
        let result = act(&mut self.engine);
        self.listen();
        for board in &mut self.boards {
            board.tell(&mut self.publications);
        }
        result
    }

    /// What happened to orders and balances, the participants' too, oldest first.
    pub(crate) fn drain_account_events(&mut self) -> std::vec::Drain<'_, Event> {
        self.account_events.drain(..)
    }

    fn step(&mut self, now: u64) {
        self.steps += 1;
        self.next_step += STEP;
        for board in &mut self.boards {
            board.step(&mut self.engine, now);
        }
        self.listen();
        let gathered = self.steps.is_multiple_of(GATHERING);
        for board in &mut self.boards {
            board.tell(&mut self.publications);
            if gathered {
                board.tell_gathered(now, &mut self.publications);
            }
        }
        if gathered {
            let channels = self.assets.iter().map(|(listed, _)| format!("ref-px:{}", listed.asset));
            self.publications.extend(channels.map(Publication::Newest));
        }
    }

    /// Takes note of what the engine did.
    fn listen(&mut self) {
        for event in self.engine.drain_events() {
            let symbol = match &event {
                Event::Trade(trade) => trade.symbol,
                Event::Level(change) => change.symbol,
                Event::Bbo(bbo) => bbo.symbol,
                Event::Order(_) | Event::Balance(_) => {
                    self.account_events.push(event);
                    continue;
                }
            };
            if let Some(board) = self.boards.iter_mut().find(|board| board.listed.spec.symbol == symbol) {
                board.listen(event);
            }
        }
    }
}

/// What can be asked.
impl Market {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn assets(&self) -> impl Iterator<Item = &ListedAsset> {
        self.assets.iter().map(|(listed, _)| listed)
    }

    pub(crate) fn products(&self) -> impl Iterator<Item = &ListedProduct> {
        self.boards.iter().map(|board| &board.listed)
    }

    /// The listed product of this name.
    ///
    /// # Errors
    /// A refusal that names the symbol.
    pub(crate) fn symbol(&self, name: &str) -> Result<Symbol, Refusal> {
        self.board(name).map(|board| board.listed.spec.symbol)
    }

    fn board(&self, name: &str) -> Result<&Board, Refusal> {
        let found = self.boards.iter().find(|board| board.listed.spec.symbol.as_str() == name);
        found.ok_or_else(|| Refusal::unknown_symbol(name))
    }

    /// Best bid and offer.
    pub(crate) fn bbo(&self, symbol: Symbol) -> Option<Bbo> {
        self.engine.bbo(symbol)
    }

    /// The listed asset of this name.
    ///
    /// # Errors
    /// A refusal that names it.
    pub(crate) fn asset(&self, name: &str) -> Result<&ListedAsset, Refusal> {
        self.assets().find(|listed| listed.asset.as_str() == name).ok_or_else(|| Refusal::unknown_symbol(name))
    }

    /// What an asset is worth, in USDT.
    pub(crate) fn reference_price(&self, asset: &str) -> Option<Fixed> {
        let (_, path) = self.assets.iter().find(|(listed, _)| listed.asset.as_str() == asset)?;
        // To the millionth: so much is no news.
        let price = path.at(self.next_step.saturating_sub(STEP)).units();
        Some(Fixed::from_units(price - price % 1_000_000))
    }

    /// Whether a product is traded.
    pub(crate) fn status(&self, symbol: Symbol) -> Option<engine::Status> {
        self.engine.status(symbol)
    }

    /// The last 24 hours.
    pub(crate) fn day(&self, symbol: Symbol) -> Option<Bar> {
        self.board(symbol.as_str()).ok()?.day()
    }

    /// The last bars, at most `count`, that begin within `from..=to`; newest first.
    pub(crate) fn bars(&self, symbol: Symbol, interval: Interval, from: u64, to: u64, count: usize) -> Vec<Bar> {
        let Ok(board) = self.board(symbol.as_str()) else { return Vec::new() };
        board.history.bars(interval, from, to, count)
    }

    /// The last trades, at most `count`, oldest first.
    pub(crate) fn trades(&self, symbol: Symbol, count: usize) -> impl Iterator<Item = &Trade> {
        let recent = self.board(symbol.as_str()).ok().map(|board| &board.recent);
        recent.into_iter().flat_map(move |recent| recent.iter().skip(recent.len().saturating_sub(count)))
    }

    /// The depth as last told, with its number and time.
    pub(crate) fn depth(&self, symbol: Symbol, levels: usize) -> Option<(u64, u64, Sides)> {
        let depth = &self.board(symbol.as_str()).ok()?.depth;
        Some((depth.seqnum, depth.ts, depth.snapshot(levels.min(SNAPSHOT_LEVELS))))
    }
}

/// What sessions of the stream ask.
impl Market {
    /// Whether anyone may subscribe to a channel.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check_channel(&self, channel: &str) -> Result<(), Refusal> {
        let invalid = |what: &str| Refusal::new(Code::INVALID_WS_REQUEST_DATA, format!("Invalid {what}: {channel}"));
        let parts: Vec<&str> = channel.split(':').collect();
        match parts.as_slice() {
            ["bbo" | "depth" | "depth-realtime" | "trades" | "summary", symbol] => self.symbol(symbol).map(|_| ()),
            ["bar", interval, symbol] => match Interval::named(interval) {
                Some(_) => self.symbol(symbol).map(|_| ()),
                None => Err(invalid("bar interval")),
            },
            ["ref-px", asset] => self.asset(asset).map(|_| ()),
            _ => Err(invalid("channel")),
        }
    }

    /// What a channel's state is, for those that tell a state and not an event.
    pub(crate) fn newest(&self, channel: &str) -> Option<Arc<str>> {
        let argument = channel::argument(channel);
        let text = match channel::kind(channel) {
            "bbo" => wire::bbo(&self.bbo(self.symbol(argument).ok()?)?),
            "bar" => {
                let board = self.board(argument).ok()?;
                let interval = Interval::named(channel.split(':').nth(1)?)?;
                let newest = board.history.bars(interval, 0, u64::MAX, 1);
                wire::json(&wire::bar("bar", board.listed.spec.symbol, interval, newest.first()?))
            }
            "summary" => {
                let board = self.board(argument).ok()?;
                let day = Interval::named("1d")?;
                wire::json(&wire::bar("summary", board.listed.spec.symbol, day, &board.day()?))
            }
            "depth-realtime" => self.realtime_snapshot(argument).ok()?,
            "ref-px" => wire::reference_price(self.asset(argument).ok()?.asset, self.reference_price(argument)?),
            _ => return None,
        };
        Some(text.into())
    }

    /// The answer to `depth-snapshot` or `depth-snapshot-top100`.
    ///
    /// # Errors
    /// An unknown symbol.
    pub(crate) fn depth_snapshot(&self, action: &str, symbol: &str) -> Result<String, Refusal> {
        let symbol = self.symbol(symbol)?;
        let levels = if action == "depth-snapshot-top100" { 100 } else { SNAPSHOT_LEVELS };
        let (seqnum, ts, sides) = self.depth(symbol, levels).ok_or_else(|| Refusal::unknown_symbol(symbol.as_str()))?;
        Ok(wire::json(&wire::depth(action, symbol, seqnum, ts, &sides)))
    }

    /// The answer to `depth-snapshot-realtime`, and the first message of its channel. It has no time.
    ///
    /// # Errors
    /// An unknown symbol.
    pub(crate) fn realtime_snapshot(&self, symbol: &str) -> Result<String, Refusal> {
        let symbol = self.symbol(symbol)?;
        let depth = &self.board(symbol.as_str())?.realtime;
        let sides = depth.snapshot(usize::MAX);
        Ok(wire::json(&wire::depth("depth-snapshot-realtime", symbol, depth.seqnum, 0, &sides)))
    }

    /// The answer to `market-trades`.
    ///
    /// # Errors
    /// An unknown symbol.
    pub(crate) fn market_trades(&self, id: Option<&Value>, symbol: &str, count: usize) -> Result<String, Refusal> {
        let symbol = self.symbol(symbol)?;
        Ok(wire::json(&wire::trades("market-trades", id, symbol, self.trades(symbol, count))))
    }
}

/// An asset with the way of its price.
fn with_path(seed: u64, listed: ListedAsset) -> (ListedAsset, Path) {
    let centre = Fixed::from_decimal(listed.usdt.round_dp(Fixed::SCALE)).unwrap_or_default();
    let path = Path::new(seed, listed.asset.as_str(), centre);
    (listed, path)
}

#[cfg(test)]
mod tests;
