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

use rust_decimal::Decimal;
use serde_json::Value;

use super::channel;
use super::engine::{self, Bbo, Engine, Event, Fixed, InvalidProduct, ProductSpec, Trade};
use super::products::{self, ListedAsset, ListedProduct};
use super::wire::{self, Refusal};
use crate::{Code, Symbol};
pub(crate) use bars::{Bar, INTERVALS, Interval};
use bars::{History, Past};
use depth::Depth;
pub(crate) use depth::Sides;
use house::House;
use price::Path;
pub(crate) use price::{Random, blend, hash};

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
    seed: u64,
    /// When the next step is due, and how many there were.
    next_step: u64,
    steps: u64,
    publications: Vec<Publication>,
    /// What happened to orders and balances, the house's too.
    account_events: Vec<Event>,
}

/// One product and what is told of it.
#[derive(Debug)]
struct Board {
    listed: ListedProduct,
    past: Past,
    /// The market's own participants, where they trade it.
    house: Option<House>,
    history: History,
    depth: Depth,
    /// The depth that is told at once.
    realtime: Depth,
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
        let assets: Vec<_> = products::assets().into_iter().map(|listed| with_path(seed, listed)).collect();
        let boards = products::products()
            .into_iter()
            .filter_map(|listed| {
                let since = (begin - begin % PAST_STEP).saturating_sub(PAST);
                let opened = Board::open(&mut engine, &assets, &listed, seed, since, begin);
                opened.inspect_err(|e| log::error!("{} is not listed: {e}", listed.spec.symbol)).ok()
            })
            .collect();
        let mut market = Self {
            engine,
            assets,
            boards,
            seed,
            next_step: begin,
            steps: 0,
            publications: Vec::new(),
            account_events: Vec::new(),
        };
        while market.next_step <= now {
            market.step(market.next_step);
        }
        market.publications.clear();
        market.account_events.clear();
        market
    }

    /// Lists one more product. `price`: about what its base asset is worth in the quote asset, should it be new;
    /// `activity`: trades a minute that the house makes.
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
        let listed = ListedProduct { domain: products::domain(spec.quote), spec, activity };
        let since = now - now % bars::MINUTE;
        match Board::open(&mut self.engine, &self.assets, &listed, self.seed, since, now) {
            Ok(board) => {
                self.boards.push(board);
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

    /// Lets someone act on the engine. The trades and quotes that come of it are told at once.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Engine) -> T) -> T {
        let result = act(&mut self.engine);
        self.listen();
        for board in &mut self.boards {
            board.tell(&mut self.publications);
        }
        result
    }

    /// What happened to orders and balances, the house's too, oldest first.
    pub(crate) fn drain_account_events(&mut self) -> std::vec::Drain<'_, Event> {
        self.account_events.drain(..)
    }

    fn step(&mut self, now: u64) {
        self.steps += 1;
        self.next_step += STEP;
        for board in &mut self.boards {
            let fair = board.past.ticks(now);
            if let Some(house) = &mut board.house {
                house.step(&mut self.engine, fair, now);
            }
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

impl Board {
    /// `since`: when the product began to trade.
    fn open(
        engine: &mut Engine,
        assets: &[(ListedAsset, Path)],
        listed: &ListedProduct,
        seed: u64,
        since: u64,
        now: u64,
    ) -> Result<Self, InvalidProduct> {
        let spec = &listed.spec;
        let path = |asset| {
            let found = assets.iter().find(|(listed, _)| listed.asset == asset);
            found
                .map(|(_, path)| path.clone())
                .ok_or(InvalidProduct { field: "symbol", problem: "has an unknown asset" })
        };
        let (base, quote) = (path(spec.base)?, path(spec.quote)?);
        engine.add_product(spec)?;
        // The engine took these.
        let [tick, lot] = [spec.tick_size, spec.lot_size].map(|size| Fixed::from_decimal(size).unwrap_or_default());
        let one = 10i128.pow(Fixed::SCALE);
        let usual_lots = USUAL_ORDER * one * one / (base.at(now).units() * lot.units()).max(1);
        let usual_lots = u64::try_from(usual_lots).unwrap_or_default().max(8);
        let key = hash(spec.symbol.as_str());
        let past =
            Past::new(seed, spec.symbol, [base, quote], [tick, lot], usual_lots * u64::from(listed.activity) / 2);
        let activity = u64::from(listed.activity) * STEP / 60;
        let random = Random::new(blend(seed, key));
        let house = (listed.activity > 0).then(|| House::new(engine, spec, usual_lots, activity, random, now));
        let history = History::new(past.clone(), since, now);
        let depth = Depth::new(20_000_000_000 + key % 10_000_000_000, now);
        let realtime = Depth::new(50_000_000_000 + key % 10_000_000_000, now);
        Ok(Self {
            listed: listed.clone(),
            past,
            house,
            history,
            depth,
            realtime,
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
            Event::Level(change) => {
                self.depth.change(&change);
                self.realtime.change(&change);
            }
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
        if let Some(sides) = self.realtime.gather() {
            let message = wire::depth("depth-realtime", symbol, self.realtime.seqnum, self.realtime.ts, &sides);
            text("depth-realtime", wire::json(&message));
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
        assert_eq!(code("order:cash"), Err(Code::INVALID_WS_REQUEST_DATA), "no channel of the market");
    }
}
