//! One product: its participants, its books and bars, and what is told of them.

use std::collections::VecDeque;

use super::bars::{Bar, History, INTERVALS, Interval, Past};
use super::depth::Depth;
use super::participants::Participants;
use super::price::{Path, Random, blend, hash};
use super::publication::Publication;
use super::{REMEMBERED_TRADES, STEP};
use crate::sandbox::clock::{DAY, MINUTE};
use crate::sandbox::engine::{Bbo, Engine, Event, Fixed, InvalidProduct, Trade};
use crate::sandbox::products::{ListedAsset, ListedProduct};

/// What a usual order is worth, USDT.
const USUAL_ORDER: i128 = 1_500;

/// One product and what is told of it.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) listed: ListedProduct,
    past: Past,
    /// The market's own participants, where they trade it.
    participants: Option<Participants>,
    pub(super) history: History,
    pub(super) depth: Depth,
    /// The depth that is told at once.
    pub(super) realtime: Depth,
    pub(super) recent: VecDeque<Trade>,
    /// What happened since it was last told.
    new_trades: Vec<Trade>,
    new_bbo: Option<Bbo>,
    traded: bool,
}

impl Board {
    /// `since`: when the product began to trade.
    pub(super) fn open(
        engine: &mut Engine,
        assets: &[(ListedAsset, Path)],
        listed: &ListedProduct,
        (seed, quiet): (u64, bool),
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
        let random = Random::new(blend(seed, key));
        let participants = (listed.activity > 0 && !quiet)
            .then(|| Participants::new(engine, spec, usual_lots, listed.activity * STEP as u32 / 60, random, now));
        let history = History::new(past.clone(), since, now);
        let depth = Depth::new(20_000_000_000 + key % 10_000_000_000, now);
        let realtime = Depth::new(50_000_000_000 + key % 10_000_000_000, now);
        Ok(Self {
            listed: listed.clone(),
            past,
            participants,
            history,
            depth,
            realtime,
            recent: VecDeque::new(),
            new_trades: Vec::new(),
            new_bbo: None,
            traded: false,
        })
    }

    /// One move of the participants.
    pub(super) fn step(&mut self, engine: &mut Engine, now: u64) {
        if let Some(participants) = &mut self.participants {
            participants.step(engine, self.past.ticks(now), now);
        }
    }

    /// Takes note of what the engine did.
    pub(super) fn listen(&mut self, event: Event) {
        match event {
            Event::Trade(trade) => {
                if let Some(participants) = &mut self.participants {
                    participants.saw(&trade);
                }
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
    pub(super) fn tell(&mut self, publications: &mut Vec<Publication>) {
        let symbol = self.listed.spec.symbol;
        if !self.new_trades.is_empty() {
            publications.push(Publication::Trades(symbol, std::mem::take(&mut self.new_trades)));
        }
        publications.extend(self.new_bbo.take().map(Publication::Bbo));
        if let Some(sides) = self.realtime.gather() {
            let Depth { seqnum, ts, .. } = self.realtime;
            publications.push(Publication::Depth { kind: "depth-realtime", symbol, seqnum, ts, sides });
        }
    }

    /// Tells what is gathered.
    pub(super) fn tell_gathered(&mut self, now: u64, publications: &mut Vec<Publication>) {
        let symbol = self.listed.spec.symbol;
        if let Some(sides) = self.depth.gather() {
            let Depth { seqnum, ts, .. } = self.depth;
            publications.push(Publication::Depth { kind: "depth", symbol, seqnum, ts, sides });
        }
        let new_minute = self.history.advance(now);
        if std::mem::take(&mut self.traded) || new_minute {
            let bars = INTERVALS.iter().map(|interval| format!("bar:{}:{symbol}", interval.name));
            publications.extend(bars.map(Publication::Newest));
            publications.push(Publication::Newest(format!("summary:{symbol}")));
        }
    }

    /// The last 24 hours.
    pub(super) fn day(&self) -> Option<Bar> {
        let end = self.history.bars(Interval::named("1")?, 0, u64::MAX, 1).first()?.start + MINUTE;
        self.history.stretch(end.saturating_sub(DAY), end)
    }
}
