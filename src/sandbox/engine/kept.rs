//! What of an engine outlives it: everything of some users, and what that takes to add up. All other participants
//! begin anew.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::account::{AccountId, Balance, UserId, UserSettings};
use super::fixed::Fixed;
use super::listing::ProductIx;
use super::order::{Order, OrderStatus};
use super::orders::{Entry, OrderIx};
use super::product::Status;
use crate::sandbox::noted::Noted;
use crate::{Asset, Symbol};

/// What is kept of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    next_sn: u64,
    next_trade: u64,
    assets: Vec<KeptAsset>,
    products: Vec<KeptProduct>,
    users: Vec<KeptUser>,
    /// Open orders in the order of their placing.
    open: Vec<KeptOrder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptAsset {
    asset: Asset,
    supply: Fixed,
    fees: Fixed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptProduct {
    symbol: Symbol,
    status: Status,
    last: Option<Fixed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptUser {
    fee_percent: u32,
    #[serde(default = "closed_orders")]
    closed_orders: usize,
    cash: KeptAccount,
    margin: KeptAccount,
}

fn closed_orders() -> usize {
    UserSettings::default().closed_orders
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptAccount {
    balances: Vec<KeptBalance>,
    /// Ended orders in the order of their end.
    ended: VecDeque<Noted<Order>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptBalance {
    asset: Asset,
    total: Fixed,
    /// What open orders hold follows from them: this is to check it.
    held: Fixed,
    borrowed: Fixed,
    interest: Fixed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptOrder {
    order: Order,
    /// Its place among all orders on the books, at one price the earliest first; none for a stop order that waits.
    turn: Option<u64>,
}

/// Keeping.
impl Engine {
    /// What is to be kept of these users. In it they are numbered in this order.
    pub(crate) fn keep(&mut self, users: &[UserId]) -> Kept {
        let number = |user: UserId| users.iter().position(|kept| *kept == user).map(UserId);
        let numbered = |order: &Order| {
            let user = number(order.account.user)?;
            Some(Order { account: AccountId { user, ..order.account }, ..order.clone() })
        };
        let ended: Vec<_> = users
            .iter()
            .map(|user| {
                [user.cash(), user.margin()].map(|account| match self.ledger.account(account) {
                    Some(ix) => self.orders.keep_closed(ix, numbered),
                    None => VecDeque::new(),
                })
            })
            .collect();
        let account = |account: AccountId, ended| KeptAccount {
            balances: self
                .balances(account)
                .filter(|(_, balance)| *balance != Balance::default())
                .map(|(asset, b)| KeptBalance {
                    asset,
                    total: b.total,
                    held: b.held,
                    borrowed: b.borrowed,
                    interest: b.interest,
                })
                .collect(),
            ended,
        };
        let kept_user = |(user, [cash, margin]): (&UserId, [_; 2])| {
            let settings = self.ledger.account(user.cash()).map(|ix| self.orders.settings(ix)).unwrap_or_default();
            KeptUser {
                fee_percent: settings.fee_percent,
                closed_orders: settings.closed_orders,
                cash: account(user.cash(), cash),
                margin: account(user.margin(), margin),
            }
        };
        let assets = self.ledger.assets().map(|(asset, ix)| KeptAsset {
            asset,
            supply: self.ledger.supply(ix),
            fees: self.ledger.fees(ix),
        });
        let products = self.listings.iter().map(|listing| KeptProduct {
            symbol: listing.product.symbol,
            status: listing.product.status,
            last: listing.last.map(|ticks| listing.product.price(ticks)),
        });
        Kept {
            next_sn: self.next_sn,
            next_trade: self.next_trade,
            assets: assets.collect(),
            products: products.collect(),
            users: users.iter().zip(ended).map(kept_user).collect(),
            open: self.keep_open(users, numbered),
        }
    }

    fn keep_open(&self, users: &[UserId], numbered: impl Fn(&Order) -> Option<Order>) -> Vec<KeptOrder> {
        let accounts = users.iter().flat_map(|user| [user.cash(), user.margin()]);
        let mut open: Vec<OrderIx> = accounts.flat_map(|a| self.orders.open(self.ledger.account(a))).collect();
        open.sort_unstable_by_key(|ix| self.orders[*ix].placed);
        let kept = |ix: &OrderIx| {
            let entry = &self.orders[*ix];
            let waits = entry.order.status == OrderStatus::PendingNew;
            // How many are before it at its price: orders of one price are all that this has to tell apart.
            let turn = std::iter::successors(entry.prev, |ix| self.orders[*ix].prev).count() as u64;
            Some(KeptOrder { order: numbered(&entry.order)?, turn: (!waits).then_some(turn) })
        };
        open.iter().filter_map(kept).collect()
    }
}

/// Restoring.
impl Engine {
    /// Takes users in with all that was kept of them, into an engine whose products are listed and whose participants
    /// have their funds, but that has no orders yet. Whoever has most of an asset answers for what the participants had
    /// gained or lost of it before. The new users' ids, in the order of their keeping.
    ///
    /// # Errors
    /// What does not add up. The engine is then of no use.
    pub(crate) fn restore(&mut self, kept: &Kept, now: u64) -> Result<Vec<UserId>, String> {
        for product in &kept.products {
            let ix = self.listings.find(product.symbol);
            let listing = &mut self.listings[ix.ok_or_else(|| format!("{} is not listed", product.symbol))?];
            listing.product.status = product.status;
            listing.last = match product.last {
                None => None,
                Some(price) => {
                    let ticks = listing.product.ticks(price);
                    Some(ticks.ok_or_else(|| format!("{price} is no price of {}", product.symbol))?)
                }
            };
        }
        let participants = self.ledger.accounts();
        let users = kept.users.iter().map(|user| self.restore_user(user)).collect::<Result<Vec<_>, _>>()?;
        for asset in &kept.assets {
            let ix = self.ledger.add_asset(asset.asset);
            if !self.ledger.settle(ix, asset.supply, asset.fees, participants) {
                return Err(format!("the balances of {} do not add up", asset.asset));
            }
        }
        (self.next_sn, self.next_trade) = (kept.next_sn, kept.next_trade);
        self.events.clear();
        for (user, id) in kept.users.iter().zip(&users) {
            for order in user.cash.ended.iter().chain(&user.margin.ended) {
                let (ix, _) =
                    self.restore_order(order, &users).filter(|_| !order.status.is_open()).ok_or_else(bad(order))?;
                if self.orders[ix].order.account.user != *id {
                    return Err(bad(order)());
                }
                self.orders.close(ix);
            }
        }
        self.restore_open(kept, &users, now)?;
        for (user, id) in kept.users.iter().zip(&users) {
            for (kept, account) in [(&user.cash, id.cash()), (&user.margin, id.margin())] {
                let held = |asset| kept.balances.iter().find(|b| b.asset == asset).map_or(Fixed::ZERO, |b| b.held);
                let wrong = |asset, balance: Balance| balance.held != held(asset) || balance.held > balance.total;
                if let Some((asset, _)) = self.balances(account).find(|(asset, balance)| wrong(*asset, *balance)) {
                    return Err(format!("what orders hold of {asset} does not add up"));
                }
            }
        }
        Ok(users)
    }

    fn restore_user(&mut self, user: &KeptUser) -> Result<UserId, String> {
        let KeptUser { fee_percent, closed_orders, .. } = *user;
        let id = self.add_user(UserSettings { fee_percent, closed_orders, ..UserSettings::default() });
        for (account, kept) in [(id.cash(), &user.cash), (id.margin(), &user.margin)] {
            for balance in &kept.balances {
                if [balance.total, balance.held, balance.borrowed, balance.interest].iter().any(|b| *b < Fixed::ZERO) {
                    return Err(format!("a balance of {} is below zero", balance.asset));
                }
                let asset = self.ledger.add_asset(balance.asset);
                let Some(ix) = self.ledger.account(account) else { return Err("an account is missing".to_owned()) };
                let own = &mut self.ledger[(ix, asset)];
                (own.total, own.borrowed, own.interest) = (balance.total, balance.borrowed, balance.interest);
            }
        }
        Ok(id)
    }

    fn restore_open(&mut self, kept: &Kept, users: &[UserId], now: u64) -> Result<(), String> {
        let mut resting = Vec::new();
        for KeptOrder { order, turn } in &kept.open {
            let (ix, product) =
                self.restore_order(order, users).filter(|_| order.status.is_open()).ok_or_else(bad(order))?;
            let Entry { limit, stop, placed, open, .. } = self.orders[ix];
            if open == 0 {
                return Err(bad(order)());
            }
            match (order.status, limit, stop, turn) {
                (OrderStatus::PendingNew, _, Some(stop), None) => {
                    self.listings[product].stops.insert(order.side, stop, placed, ix);
                }
                (OrderStatus::New | OrderStatus::PartiallyFilled, Some(limit), _, Some(turn)) => {
                    resting.push((*turn, limit, product, order.side, ix));
                }
                _ => return Err(bad(order)()),
            }
            self.hold(ix);
        }
        resting.sort_by_key(|(turn, ..)| *turn);
        for (_, limit, product, side, ix) in resting {
            if self.listings[product].crossing(side, Some(limit)).is_some() {
                return Err(bad(&self.orders[ix].order)());
            }
            self.listings[product].side_mut(side).push(&mut self.orders, limit, ix);
            self.tell_level(product, side, limit, now);
            self.tell_bbo(product, now);
        }
        Ok(())
    }

    /// Takes an order in as open, on no book and with nothing held; `None` where it is none that can be.
    fn restore_order(&mut self, order: &Order, users: &[UserId]) -> Option<(OrderIx, ProductIx)> {
        let product = self.listings.find(order.symbol)?;
        let figures = &self.listings[product].product;
        let user = *users.get(order.account.user.0)?;
        let account = self.ledger.account(AccountId { user, ..order.account })?;
        let ticks = |price: Option<Fixed>| price.map(|price| figures.ticks(price).ok_or(())).transpose().ok();
        let (limit, stop) = (ticks(order.price)?, ticks(order.stop_price)?);
        let open = figures.lots(order.quantity - order.filled)?;
        let ends_well = order.filled >= Fixed::ZERO && order.sn < self.next_sn && order.updated >= order.created;
        // So that its hold can be reckoned.
        let price = limit.or(stop).unwrap_or(1);
        if !ends_well || self.orders.by_id(order.id).is_some() || figures.check_range(price, open).is_err() {
            return None;
        }
        let ix = self.orders.insert(Entry {
            order: Order { account: AccountId { user, ..order.account }, ..order.clone() },
            product,
            account,
            placed: 0,
            limit,
            stop,
            open,
            hold: Fixed::ZERO,
            prev: None,
            next: None,
        });
        Some((ix, product))
    }
}

/// Says that an order cannot be.
fn bad(order: &Order) -> impl Fn() -> String + use<> {
    let id = order.id;
    move || format!("order {id} cannot be as it is")
}
