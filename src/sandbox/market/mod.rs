//! The seeded market: products, the participants of the house, and what the public is told of it all.
//!
//! Time is an argument. The market moves in steps; after each it tells trades and best bid and offer, and every third
//! time the depth that has gathered, bars, summaries and reference prices.

mod bars;
mod depth;
mod house;
mod price;

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::channel;
use super::engine::{self, Bbo, Engine, Event, Fixed, Trade};
use super::products::{self, ListedAsset, ListedProduct};
use super::wire::{self, Refusal};
use crate::{Code, Symbol};
pub(crate) use bars::{Bar, INTERVALS, Interval};
use bars::{History, Past};
use depth::Depth;
pub(crate) use depth::Sides;
use house::House;
use price::{Path, Random, blend, hash};

/// Time between two moves of the house, ms.
const STEP: u64 = 100;
/// Moves between two tellings of what is gathered.
const GATHERING: u64 = 3;
/// Moves before the beginning, so that there are books and trades.
const WARM_UP: u64 = 50;
/// When time leaps further than this, ms, the market wakes up where it would be rather than live through it.
const LEAP: u64 = 60_000;
/// How far bars go back, ms: about a year.
const PAST: u64 = 366 * 86_400_000;
/// The first bar begins at the beginning of a day, UTC.
const PAST_STEP: u64 = 86_400_000;
/// Trades of a product that are remembered.
const REMEMBERED_TRADES: usize = 100;
/// Levels a side in `depth-snapshot`.
const SNAPSHOT_LEVELS: usize = 500;
/// What a usual order is worth, USDT.
const USUAL_ORDER: i128 = 1_500;

/// Something the public is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Publication {
    /// This text on this channel.
    Text(String, Arc<str>),
    /// That the channel's state changed: [`Market::newest`] has the text, should anyone listen.
    Newest(String),
}

/// The market.
#[derive(Debug)]
pub(crate) struct Market {
    engine: Engine,
    assets: Vec<(ListedAsset, Path)>,
    boards: Vec<Board>,
    /// When the next step is due, and how many there were.
    next_step: u64,
    steps: u64,
    publications: Vec<Publication>,
}

/// One product and what is told of it.
#[derive(Debug)]
struct Board {
    listed: ListedProduct,
    past: Past,
    house: House,
    history: History,
    depth: Depth,
    recent: VecDeque<Trade>,
    /// What happened since it was last told.
    new_trades: Vec<Trade>,
    new_bbo: Option<Bbo>,
    traded: bool,
}

impl Market {
    /// The market of this seed as it is at `now`, UTC ms.
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        let begin = now.saturating_sub(WARM_UP * STEP);
        // Like the live exchange's: beyond what a float holds.
        let mut engine = Engine::new(engine::Settings { first_sn: 8_159_711, first_trade: (1 << 57) + begin });
        let assets: Vec<_> = products::assets()
            .into_iter()
            .map(|listed| {
                let centre = Fixed::from_decimal(listed.usdt).unwrap_or_default();
                let path = Path::new(seed, listed.asset.as_str(), centre);
                (listed, path)
            })
            .collect();
        let boards = products::products()
            .into_iter()
            .filter_map(|listed| Board::open(&mut engine, &assets, listed, seed, begin))
            .collect();
        let mut market = Self { engine, assets, boards, next_step: begin, steps: 0, publications: Vec::new() };
        while market.next_step <= now {
            market.step(market.next_step);
        }
        market.publications.clear();
        market
    }

    /// When there is something to do again.
    pub(crate) fn deadline(&self) -> u64 {
        self.next_step
    }

    /// Lets time go on to `now` when that is too far to live through: the price is where it would be then, and the
    /// bars are made up. Orders stay.
    pub(crate) fn leap(&mut self, now: u64) {
        if now.saturating_sub(self.next_step) <= LEAP {
            return;
        }
        self.boards.iter_mut().for_each(|board| board.history.skip(now));
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

    fn step(&mut self, now: u64) {
        self.steps += 1;
        self.next_step += STEP;
        for board in &mut self.boards {
            let fair = board.past.ticks(now);
            board.house.step(&mut self.engine, fair, now);
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
                Event::Order(_) | Event::Balance(_) => continue,
            };
            if let Some(board) = self.boards.iter_mut().find(|board| board.listed.spec.symbol == symbol) {
                board.listen(event);
            }
        }
    }
}

/// What can be asked.
impl Market {
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
            ["bbo" | "depth" | "trades" | "summary", symbol] => self.symbol(symbol).map(|_| ()),
            ["bar", interval, symbol] => match Interval::named(interval) {
                Some(_) => self.symbol(symbol).map(|_| ()),
                None => Err(invalid("bar interval")),
            },
            ["ref-px", asset] => match self.assets().any(|listed| listed.asset.as_str() == *asset) {
                true => Ok(()),
                false => Err(Refusal::unknown_symbol(asset)),
            },
            ["depth-realtime" | "order", ..] => {
                Err(Refusal::new(Code::AUTHORIZATION_NEEDED, format!("{channel} needs an authenticated session")))
            }
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
            "ref-px" => {
                let (listed, path) = self.assets.iter().find(|(listed, _)| listed.asset.as_str() == argument)?;
                // To the millionth: so much is no news.
                let price = path.at(self.next_step.saturating_sub(STEP)).units();
                wire::reference_price(listed.asset, Fixed::from_units(price - price % 1_000_000))
            }
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

    /// The answer to `market-trades`.
    ///
    /// # Errors
    /// An unknown symbol.
    pub(crate) fn market_trades(&self, id: Option<&Value>, symbol: &str, count: usize) -> Result<String, Refusal> {
        let symbol = self.symbol(symbol)?;
        Ok(wire::json(&wire::trades("market-trades", id, symbol, self.trades(symbol, count))))
    }
}

impl Board {
    fn open(
        engine: &mut Engine,
        assets: &[(ListedAsset, Path)],
        listed: ListedProduct,
        seed: u64,
        now: u64,
    ) -> Option<Self> {
        let spec = &listed.spec;
        if let Err(e) = engine.add_product(spec) {
            log::error!("{} is not listed: {e}", spec.symbol);
            return None;
        }
        let path = |asset| assets.iter().find(|(a, _)| a.asset == asset).map(|(_, path)| path.clone());
        let (base, quote) = (path(spec.base)?, path(spec.quote)?);
        let (tick, lot) = (Fixed::from_decimal(spec.tick_size)?, Fixed::from_decimal(spec.lot_size)?);
        let one = 10i128.pow(Fixed::SCALE);
        let usual_lots = USUAL_ORDER * one * one / (base.at(now).units() * lot.units()).max(1);
        let usual_lots = u64::try_from(usual_lots).unwrap_or_default().max(8);
        let key = hash(spec.symbol.as_str());
        let past =
            Past::new(seed, spec.symbol, [base, quote], [tick, lot], usual_lots * u64::from(listed.activity) / 2);
        let activity = u64::from(listed.activity) * STEP / 60;
        let house = House::new(engine, spec, usual_lots, activity, Random::new(blend(seed, key)), now);
        let history = History::new(past.clone(), (now - now % PAST_STEP).saturating_sub(PAST), now);
        let depth = Depth::new(20_000_000_000 + key % 10_000_000_000, now);
        Some(Self {
            listed,
            past,
            house,
            history,
            depth,
            recent: VecDeque::new(),
            new_trades: Vec::new(),
            new_bbo: None,
            traded: false,
        })
    }

    fn listen(&mut self, event: Event) {
        match event {
            Event::Trade(trade) => {
                self.history.trade(trade.time, trade.price, trade.quantity);
                self.recent.push_back(trade);
                if self.recent.len() > REMEMBERED_TRADES {
                    self.recent.pop_front();
                }
                self.new_trades.push(trade);
                self.traded = true;
            }
            Event::Level(change) => self.depth.change(&change),
            Event::Bbo(bbo) => self.new_bbo = Some(bbo),
            Event::Order(_) | Event::Balance(_) => {}
        }
    }

    /// Tells what is told at once.
    fn tell(&mut self, publications: &mut Vec<Publication>) {
        let symbol = self.listed.spec.symbol;
        let mut text = |channel: &str, text: String| {
            publications.push(Publication::Text(format!("{channel}:{symbol}"), text.into()));
        };
        if !self.new_trades.is_empty() {
            text("trades", wire::json(&wire::trades("trades", None, symbol, &self.new_trades)));
            self.new_trades.clear();
        }
        if let Some(bbo) = self.new_bbo.take() {
            text("bbo", wire::bbo(&bbo));
        }
    }

    /// Tells what is gathered.
    fn tell_gathered(&mut self, now: u64, publications: &mut Vec<Publication>) {
        let symbol = self.listed.spec.symbol;
        if let Some(sides) = self.depth.gather() {
            let message = wire::depth("depth", symbol, self.depth.seqnum, self.depth.ts, &sides);
            publications.push(Publication::Text(format!("depth:{symbol}"), wire::json(&message).into()));
        }
        let new_minute = self.history.advance(now);
        if std::mem::take(&mut self.traded) || new_minute {
            let bars = INTERVALS.iter().map(|interval| format!("bar:{}:{symbol}", interval.name));
            publications.extend(bars.map(Publication::Newest));
            publications.push(Publication::Newest(format!("summary:{symbol}")));
        }
    }

    fn day(&self) -> Option<Bar> {
        let end = self.history.bars(Interval::named("1")?, 0, u64::MAX, 1).first()?.start + bars::MINUTE;
        self.history.stretch(end.saturating_sub(86_400_000), end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;

    #[test]
    fn the_market_stays_sound_for_every_seed() {
        for seed in 0..2 {
            let mut market = Market::new(seed, START);
            let symbols: Vec<Symbol> = market.products().map(|product| product.spec.symbol).collect();
            let mut trades = 0;
            for _ in 0..600 {
                market.advance(market.deadline());
                let told = market.drain();
                trades +=
                    told.iter().filter(|p| matches!(p, Publication::Text(c, _) if c.starts_with("trades"))).count();
                for symbol in &symbols {
                    let bbo = market.bbo(*symbol).unwrap();
                    let (bid, ask) = (bbo.bid.unwrap(), bbo.ask.unwrap());
                    assert!(bid.price < ask.price, "{symbol} is crossed");
                    let spread = (ask.price - bid.price).units();
                    assert!(spread * 100 < ask.price.units(), "{symbol} is wide: {bid:?} {ask:?}");
                }
            }
            for symbol in &symbols {
                let (_, _, sides) = market.depth(*symbol, usize::MAX).unwrap();
                assert!((60..300).contains(&sides.asks.len()) && (60..300).contains(&sides.bids.len()));
            }
            // A minute's worth: what the products say, about.
            let usual: u32 = market.products().map(|product| product.activity).sum();
            let usual = usual as usize;
            assert!((usual / 2..usual * 2).contains(&trades), "{trades} of {usual}");
        }
    }

    #[test]
    fn channels_are_known_by_name_and_argument() {
        let market = Market::new(1, START);
        let code = |channel: &str| market.check_channel(channel).map_err(|refusal| refusal.code);
        for channel in
            ["bbo:BTC/USDT", "depth:BTC/USDT", "trades:CHZ/USDT", "summary:ETH/BTC", "bar:1m:BTC/USDT", "ref-px:BTC"]
        {
            assert_eq!(code(channel), Ok(()), "{channel}");
            assert_eq!(
                market.newest(channel).is_some(),
                !channel.starts_with("depth") && !channel.starts_with("trades")
            );
        }
        for channel in ["bbo:BTC", "bar:1:NO/USDT", "ref-px:BTC/USDT"] {
            assert_eq!(code(channel), Err(Code::SYMBOL_ERROR), "{channel}");
        }
        for channel in ["", "bbo", "bar:BTC/USDT", "bar:2:BTC/USDT", "bbo:1:BTC/USDT", "dance:BTC/USDT"] {
            assert_eq!(code(channel), Err(Code::INVALID_WS_REQUEST_DATA), "{channel}");
        }
        assert_eq!(code("order:cash"), Err(Code::AUTHORIZATION_NEEDED));
    }
}
