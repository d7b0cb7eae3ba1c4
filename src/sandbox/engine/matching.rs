//! What becomes of an order once it is taken: matching, resting, stops, the end.

use super::Engine;
use super::checks::Checked;
use super::event::{Bbo, Change, Event, Fill, LevelChange, OrderUpdate, Trade};
use super::fixed::Fixed;
use super::listing::ProductIx;
use super::order::{ErrorCode, NewOrder, Order, OrderStatus, Side, TimeInForce};
use super::orders::{Entry, OrderIx};

/// How the taking of liquidity came to its end.
enum Taken {
    /// The order has traded whole.
    Whole,
    /// There is nothing more to trade with at its price.
    AllThereIs,
    /// Something else stops it.
    Stopped(ErrorCode),
}

impl Engine {
    /// Takes an order that passed the checks, and sees it through.
    pub(super) fn accept(&mut self, order: &NewOrder, checked: &Checked, now: u64) {
        let ix = self.insert(order, checked, now);
        let listing = &mut self.listings[checked.product];
        if order.post_only && listing.crossing(order.side, checked.limit).is_some() {
            self.end(ix, OrderStatus::Rejected, Some(ErrorCode::PostOnlyWouldTake), now);
            return;
        }
        if let Some(stop) = checked.stop {
            listing.stops.insert(order.side, stop, self.orders[ix].placed, ix);
            // A price that was there before the order triggers it as well.
            if let Some(last) = listing.last {
                listing.stops.sweep(last);
            }
        }
        self.hold(ix);
        self.report(ix, Change::Accepted, now);
        if checked.stop.is_none() {
            self.enter(ix, now);
        }
        self.trigger_stops(checked.product, now);
        self.tell_bbo(checked.product, now);
    }

    /// Takes an order only to reject it.
    pub(super) fn reject(&mut self, order: &NewOrder, checked: &Checked, now: u64) {
        let ix = self.insert(order, checked, now);
        self.end(ix, OrderStatus::Rejected, Some(ErrorCode::BatchRefused), now);
    }

    /// Cancels an order that is open.
    pub(super) fn cancel_order(&mut self, ix: OrderIx, now: u64) {
        let entry = &self.orders[ix];
        let (product, side, placed) = (entry.product, entry.order.side, entry.placed);
        let listing = &mut self.listings[product];
        match (entry.order.status, entry.limit, entry.stop) {
            (OrderStatus::PendingNew, _, Some(stop)) => listing.stops.remove(side, stop, placed),
            (_, Some(limit), _) => {
                listing.side_mut(side).remove(&mut self.orders, limit, ix);
                self.end(ix, OrderStatus::Canceled, None, now);
                self.tell_level(product, side, limit, now);
                return;
            }
            _ => {}
        }
        self.end(ix, OrderStatus::Canceled, None, now);
    }

    fn insert(&mut self, order: &NewOrder, checked: &Checked, now: u64) -> OrderIx {
        let product = &self.listings[checked.product].product;
        let order = Order {
            id: order.id,
            client_id: order.client_id,
            account: order.account,
            symbol: order.symbol,
            side: order.side,
            order_type: order.order_type,
            time_in_force: checked.time_in_force,
            post_only: order.post_only,
            price: checked.limit.map(|ticks| product.price(ticks)),
            stop_price: checked.stop.map(|ticks| product.price(ticks)),
            quantity: product.qty(u128::from(checked.lots)),
            filled: Fixed::ZERO,
            filled_notional: Fixed::ZERO,
            fee: Fixed::ZERO,
            fee_asset: product.fee_asset(order.side).1,
            last_fill: None,
            status: if checked.stop.is_some() { OrderStatus::PendingNew } else { OrderStatus::New },
            error: None,
            created: now,
            updated: now,
            sn: 0,
        };
        self.orders.insert(Entry {
            order,
            product: checked.product,
            account: checked.account,
            placed: 0,
            limit: checked.limit,
            stop: checked.stop,
            open: checked.lots,
            hold: Fixed::ZERO,
            prev: None,
            next: None,
        })
    }

    /// Lets an order trade; what is left of it goes on the book or ends.
    fn enter(&mut self, ix: OrderIx, now: u64) {
        let order = &self.orders[ix].order;
        let (market, time_in_force) = (self.orders[ix].limit.is_none(), order.time_in_force);
        if market && self.listings[self.orders[ix].product].crossing(order.side, None).is_none() {
            return self.end(ix, OrderStatus::Canceled, Some(ErrorCode::NoMarketPrice), now);
        }
        if time_in_force == TimeInForce::Fok {
            match self.fillable(ix) {
                Taken::Whole => {}
                Taken::AllThereIs => return self.end(ix, OrderStatus::Canceled, None, now),
                Taken::Stopped(error) => return self.end(ix, OrderStatus::Canceled, Some(error), now),
            }
        }
        match self.take(ix, now) {
            Taken::Whole => self.orders.close(ix),
            Taken::Stopped(error) => self.end(ix, OrderStatus::Canceled, Some(error), now),
            Taken::AllThereIs => match (time_in_force, self.orders[ix].limit) {
                (TimeInForce::Gtc, Some(limit)) => self.rest(ix, limit, now),
                _ => self.end(ix, OrderStatus::Canceled, None, now),
            },
        }
    }

    /// Whether an order could trade whole at once.
    fn fillable(&self, ix: OrderIx) -> Taken {
        let entry = &self.orders[ix];
        let user = entry.order.account.user;
        let listing = &self.listings[entry.product];
        let makers = listing.side(entry.order.side.opposite());
        let mut wanted = entry.open;
        for (ticks, _) in makers.iter() {
            let crosses = entry.limit.is_none_or(|limit| match entry.order.side {
                Side::Buy => ticks <= limit,
                Side::Sell => ticks >= limit,
            });
            if !crosses {
                break;
            }
            let mut next = makers.first(ticks);
            while let Some(maker) = next {
                let maker = &self.orders[maker];
                if maker.order.account.user == user {
                    return Taken::Stopped(ErrorCode::SelfTrade);
                }
                wanted = wanted.saturating_sub(maker.open);
                if wanted == 0 {
                    return Taken::Whole;
                }
                next = maker.next;
            }
        }
        Taken::AllThereIs
    }

    /// Trades with the other side, the best price first, at one price the earliest order first.
    fn take(&mut self, ix: OrderIx, now: u64) -> Taken {
        let entry = &self.orders[ix];
        let (product, side, limit) = (entry.product, entry.order.side, entry.limit);
        while let Some(ticks) = self.listings[product].crossing(side, limit) {
            let open = self.orders[ix].open;
            let stopped = self.take_level(ix, ticks, now);
            if self.orders[ix].open < open {
                self.tell_level(product, side.opposite(), ticks, now);
            }
            if let Some(stopped) = stopped {
                return stopped;
            }
        }
        Taken::AllThereIs
    }

    /// Trades at one price until the level is gone (`None`) or the order cannot go on.
    fn take_level(&mut self, ix: OrderIx, ticks: u64, now: u64) -> Option<Taken> {
        let entry = &self.orders[ix];
        let (product, side, account) = (entry.product, entry.order.side, entry.account);
        let user = entry.order.account.user;
        let spends_available = side == Side::Buy && entry.limit.is_none();
        let percent = self.orders.settings(account).fee_percent;
        loop {
            let listing = &self.listings[product];
            let maker = listing.side(side.opposite()).first(ticks)?;
            if self.orders[maker].order.account.user == user {
                return Some(Taken::Stopped(ErrorCode::SelfTrade));
            }
            let mut lots = self.orders[ix].open.min(self.orders[maker].open);
            if spends_available {
                let available = self.ledger[(account, listing.product.quote)].available();
                lots = lots.min(listing.product.affordable(available, ticks, percent));
                if lots == 0 {
                    return Some(Taken::Stopped(ErrorCode::InsufficientBalance));
                }
            }
            self.trade(product, maker, ix, ticks, lots, now);
            if self.orders[ix].open == 0 {
                return Some(Taken::Whole);
            }
        }
    }

    fn trade(&mut self, product: ProductIx, maker: OrderIx, taker: OrderIx, ticks: u64, lots: u64, now: u64) {
        let maker_side = self.orders[maker].order.side;
        let listing = &mut self.listings[product];
        listing.last = Some(ticks);
        listing.stops.sweep(ticks);
        let book = listing.side_mut(maker_side);
        book.reduce(ticks, lots);
        let trade = Trade {
            symbol: listing.product.symbol,
            price: listing.product.price(ticks),
            quantity: listing.product.qty(u128::from(lots)),
            buyer_is_maker: maker_side == Side::Buy,
            seqnum: self.next_trade,
            time: now,
        };
        self.next_trade += 1;
        self.events.push(Event::Trade(trade));
        for (ix, is_maker) in [(maker, true), (taker, false)] {
            let fill = self.settle(ix, ticks, lots, is_maker);
            self.report(ix, Change::Filled(fill), now);
        }
        if self.orders[maker].open == 0 {
            self.listings[product].side_mut(maker_side).remove(&mut self.orders, ticks, maker);
            self.orders.close(maker);
        }
    }

    /// One order's side of a trade: quantities, money, fee, hold.
    fn settle(&mut self, ix: OrderIx, ticks: u64, lots: u64, maker: bool) -> Fill {
        let percent = self.orders.settings(self.orders[ix].account).fee_percent;
        let entry = &mut self.orders[ix];
        let product = &self.listings[entry.product].product;
        let (account, side) = (entry.account, entry.order.side);
        let (quantity, notional) = (product.qty(u128::from(lots)), product.notional(ticks, lots));
        let fee = product.fee(side, maker, percent, quantity, notional);
        let fill = Fill { price: product.price(ticks), quantity, notional, fee, maker };
        entry.order.last_fill = Some(fill);

        entry.open -= lots;
        entry.order.filled += quantity;
        entry.order.filled_notional += notional;
        entry.order.fee += fee;
        entry.order.status = if entry.open == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };

        let (base, quote) = ((account, product.base), (account, product.quote));
        match side {
            Side::Buy => {
                self.ledger[base].total += quantity;
                self.ledger[quote].total -= notional;
            }
            Side::Sell => {
                self.ledger[base].total -= quantity;
                self.ledger[quote].total += notional;
            }
        }
        self.ledger.charge(account, product.fee_asset(side).0, fee);
        self.hold(ix);
        fill
    }

    /// Makes an order's hold what its open lots need.
    pub(super) fn hold(&mut self, ix: OrderIx) {
        let entry = &mut self.orders[ix];
        let product = &self.listings[entry.product].product;
        let side = entry.order.side;
        let hold =
            if entry.order.status.is_open() { product.hold(side, entry.hold_price(), entry.open) } else { Fixed::ZERO };
        let held = &mut self.ledger[(entry.account, product.paid(side))].held;
        *held += hold;
        *held -= entry.hold;
        entry.hold = hold;
    }

    fn rest(&mut self, ix: OrderIx, ticks: u64, now: u64) {
        let (product, side) = (self.orders[ix].product, self.orders[ix].order.side);
        self.listings[product].side_mut(side).push(&mut self.orders, ticks, ix);
        self.report(ix, Change::Rested, now);
        self.tell_level(product, side, ticks, now);
    }

    fn end(&mut self, ix: OrderIx, status: OrderStatus, error: Option<ErrorCode>, now: u64) {
        self.orders[ix].order.status = status;
        self.orders[ix].order.error = error;
        self.hold(ix);
        self.report(ix, Change::Ended, now);
        self.orders.close(ix);
    }

    /// Lets the stop orders in whose prices have been reached, until no more are. Each leaves for good, so this ends.
    fn trigger_stops(&mut self, product: ProductIx, now: u64) {
        while let Some(ix) = self.listings[product].stops.pop() {
            self.orders[ix].order.status = OrderStatus::New;
            self.hold(ix);
            self.report(ix, Change::Accepted, now);
            self.enter(ix, now);
        }
    }
}

/// Telling what happened.
impl Engine {
    fn report(&mut self, ix: OrderIx, change: Change, now: u64) {
        let entry = &mut self.orders[ix];
        entry.order.sn = self.next_sn;
        entry.order.updated = now;
        self.next_sn += 1;
        if self.orders.settings(self.orders[ix].account).silent {
            return;
        }
        let entry = &self.orders[ix];
        let product = &self.listings[entry.product].product;
        let (base, quote) = (self.ledger[(entry.account, product.base)], self.ledger[(entry.account, product.quote)]);
        self.events.push(Event::Order(Box::new(OrderUpdate { change, order: entry.order.clone(), base, quote })));
    }

    pub(super) fn tell_level(&mut self, product: ProductIx, side: Side, ticks: u64, now: u64) {
        let listing = &self.listings[product];
        let level = listing.level((ticks, listing.side(side).lots(ticks)));
        self.events.push(Event::Level(LevelChange { symbol: listing.product.symbol, side, level, time: now }));
    }

    /// Tells the best bid and offer if they are not what was told last.
    pub(super) fn tell_bbo(&mut self, product: ProductIx, now: u64) {
        let listing = &mut self.listings[product];
        let [bid, ask] = [Side::Buy, Side::Sell].map(|side| listing.side(side).top().map(|top| listing.level(top)));
        if (bid, ask) != (listing.bbo.bid, listing.bbo.ask) {
            listing.bbo = Bbo { symbol: listing.product.symbol, bid, ask, time: now };
            self.events.push(Event::Bbo(listing.bbo));
        }
    }
}
