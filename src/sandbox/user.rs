//! Users of the sandbox as the program that runs it sees them: keys, funds, orders without a socket, and the truth
//! about balances.

use std::fmt;
use std::time::Duration;

use super::accounts::{Accounts, KeyPair, Place, Profile, Respond, UserIx, decimal};
use super::engine::{self, Category, Fixed, OrderStatus, OrderType, Side, TimeInForce};
use super::market::Market;
use super::server::Desk;
use super::wire::Refusal;
use super::{Permission, Sandbox, SandboxError, UnknownOrder, millis};
use crate::model::AccountCategory;
use crate::{Asset, Code, Credentials, Decimal, OrderId, Symbol};

/// How a user is to be: [`Sandbox::add_user`]. By default with every permission, no parent, full fees and no funds.
///
/// ```
/// use bitmax::model::AccountCategory;
/// use bitmax::sandbox::{OrderRequest, Sandbox, UserOptions};
/// let sandbox = Sandbox::start()?;
/// let maker = sandbox.add_user(UserOptions::new());
/// maker.fund(AccountCategory::Cash, "BTC", "5")?;
/// maker.place(&OrderRequest::sell("BTC/USDT", "0.5").limit("400000"))?;
/// assert_eq!(maker.open_orders(AccountCategory::Cash).len(), 1);
/// # Ok::<(), bitmax::sandbox::SandboxError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct UserOptions {
    profile: Profile,
}

impl UserOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name by which a parent user can call this one in transfers. Defaults to `user` and a number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.profile.name = Some(name.into());
        self
    }

    /// What the key may be used for. Defaults to everything.
    pub fn permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.profile.permissions = permissions.into_iter().collect();
        self
    }

    /// Makes the user a sub-user of another of the same sandbox, who can then move amounts between them.
    pub fn sub_user_of(mut self, parent: &User) -> Self {
        self.profile.parent = Some(parent.ix);
        self
    }

    /// How many ended orders each account remembers, and how many entries its ledger: at least one. Those beyond are
    /// forgotten, the oldest first, by history, order status and the check of duplicate ids alike, where the exchange
    /// keeps orders for at least 30 days and the ledger for 7. Defaults to 10 000.
    pub fn history(mut self, entries: usize) -> Self {
        self.profile.history = entries.max(1);
        self
    }

    /// The VIP level that the fee calls tell, and how much of the products' fees is charged, in percent (at most 100).
    /// Defaults to 0 and 100.
    pub fn vip(mut self, level: u32, fee_percent: u32) -> Self {
        self.profile.vip_level = level;
        self.profile.fee_percent = fee_percent.min(100);
        self
    }
}

/// An order to place without a socket: [`User::place`]. Quantities and prices are text, integers or [`Decimal`].
#[derive(Debug, Clone)]
#[must_use = "this is only a description; `User::place` places it"]
pub struct OrderRequest {
    category: AccountCategory,
    symbol: String,
    side: Side,
    quantity: String,
    price: Option<String>,
    stop_price: Option<String>,
    time_in_force: TimeInForce,
    post_only: bool,
    client_id: Option<String>,
}

impl OrderRequest {
    fn new(side: Side, symbol: &str, quantity: impl ToString) -> Self {
        Self {
            category: AccountCategory::Cash,
            symbol: symbol.to_owned(),
            side,
            quantity: quantity.to_string(),
            price: None,
            stop_price: None,
            time_in_force: TimeInForce::Gtc,
            post_only: false,
            client_id: None,
        }
    }

    /// Buys so much of the base asset in the cash account, at any price if none is given.
    pub fn buy(symbol: &str, quantity: impl ToString) -> Self {
        Self::new(Side::Buy, symbol, quantity)
    }

    /// Sells so much of the base asset from the cash account, at any price if none is given.
    pub fn sell(symbol: &str, quantity: impl ToString) -> Self {
        Self::new(Side::Sell, symbol, quantity)
    }

    /// At this price in the quote asset, or a better one.
    pub fn limit(mut self, price: impl ToString) -> Self {
        self.price = Some(price.to_string());
        self
    }

    /// Only once a trade has reached this price.
    pub fn stop(mut self, price: impl ToString) -> Self {
        self.stop_price = Some(price.to_string());
        self
    }

    /// In the margin account.
    pub fn margin(mut self) -> Self {
        self.category = AccountCategory::Margin;
        self
    }

    /// How long a limit order stands. Defaults to `GTC`.
    pub fn time_in_force(mut self, time_in_force: TimeInForce) -> Self {
        self.time_in_force = time_in_force;
        self
    }

    /// Only rests, never takes.
    pub fn post_only(mut self) -> Self {
        self.post_only = true;
        self
    }

    /// The client's own id.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    fn read(&self, now: u64) -> Result<Place, Refusal> {
        let figure = |text: &String| amount(text);
        let client_id = |id: &String| {
            engine::ClientId::new(id).ok_or_else(|| Refusal::new(Code::INVALID_ORDER_ID, format!("Invalid id: {id}")))
        };
        Ok(Place {
            client_id: self.client_id.as_ref().map(client_id).transpose()?,
            time: now,
            symbol: symbol(&self.symbol)?,
            side: self.side,
            order_type: match (&self.price, &self.stop_price) {
                (None, None) => OrderType::Market,
                (Some(_), None) => OrderType::Limit,
                (None, Some(_)) => OrderType::StopMarket,
                (Some(_), Some(_)) => OrderType::StopLimit,
            },
            quantity: figure(&self.quantity)?,
            price: self.price.as_ref().map(figure).transpose()?,
            stop_price: self.stop_price.as_ref().map(figure).transpose()?,
            time_in_force: self.time_in_force,
            post_only: self.post_only,
            respond: Respond::Ack,
        })
    }
}

/// A user of the sandbox. Cheap to clone; it may outlive the sandbox, whose sockets it does not keep open.
#[derive(Clone)]
pub struct User {
    desk: Desk,
    ix: UserIx,
    uid: Box<str>,
    key: Box<str>,
    secret: Box<str>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("uid", &self.uid).finish_non_exhaustive()
    }
}

/// Who it is.
impl User {
    pub(super) fn add(desk: Desk, options: UserOptions) -> Self {
        let (ix, _) = desk.act(|accounts, market, _| accounts.add_user(market, options.profile));
        Self::of_ix(desk, ix)
    }

    /// The user that was added first.
    pub(super) fn first(desk: Desk) -> Self {
        let first = desk.act(|accounts, _, _| accounts.all().next().unwrap_or_default());
        Self::of_ix(desk, first)
    }

    fn of_ix(desk: Desk, ix: UserIx) -> Self {
        let (KeyPair { key, secret }, uid) =
            desk.act(|accounts, _, _| (accounts.key_pair(ix).0, accounts[ix].uid.clone()));
        Self { desk, ix, uid: uid.into(), key: key.into(), secret: secret.into() }
    }

    /// The API key and its secret, for a client.
    #[expect(clippy::expect_used)]
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.key, &self.secret).expect("words") // cannot fail: both are letters and digits
    }

    /// The API key.
    pub fn api_key(&self) -> &str {
        &self.key
    }

    /// The secret of the API key, as it is to be used: not to be decoded.
    pub fn api_secret(&self) -> &str {
        &self.secret
    }

    /// The user's id (`userUID`).
    pub fn uid(&self) -> String {
        self.uid.to_string()
    }

    /// The account group that the paths of this user's calls begin with.
    pub fn account_group(&self) -> u32 {
        self.desk.act(|accounts, _, _| accounts[self.ix].group)
    }

    /// The id of one of the user's accounts (`accountId`).
    pub fn account_id(&self, category: AccountCategory) -> String {
        self.desk.act(|accounts, _, _| accounts[self.ix].account_id(of(category)).to_owned())
    }
}

/// What it does, without a socket. What comes of it is told to everyone as if a client had done it.
impl User {
    fn act<T>(
        &self,
        act: impl FnOnce(&mut Accounts, &mut Market, u64) -> Result<T, Refusal>,
    ) -> Result<T, SandboxError> {
        Ok(self.desk.act(act)?)
    }

    /// Credits an account from outside: a deposit.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] for an asset that is not listed, or an amount that is not above zero, has more than 12
    /// digits after the point or is beyond 10¹⁶.
    pub fn fund(&self, category: AccountCategory, asset: &str, amount: impl ToString) -> Result<(), SandboxError> {
        let figure = self::amount(&amount.to_string())?;
        self.act(|accounts, market, now| accounts.deposit(market, self.ix, of(category), asset, figure, now))
    }

    /// Debits the cash account to outside: a withdrawal.
    ///
    /// # Errors
    /// As [`fund`](Self::fund), and when less is available.
    pub fn withdraw(&self, asset: &str, amount: impl ToString) -> Result<(), SandboxError> {
        let figure = self::amount(&amount.to_string())?;
        self.act(|accounts, market, now| accounts.withdraw(market, self.ix, asset, figure, now))
    }

    /// Sets what the margin account has borrowed and owes in interest: figures only, no balance moves.
    ///
    /// # Errors
    /// As [`fund`](Self::fund); zero is an amount here.
    pub fn set_loan(&self, asset: &str, borrowed: impl ToString, interest: impl ToString) -> Result<(), SandboxError> {
        let figures = (amount(&borrowed.to_string())?, amount(&interest.to_string())?);
        self.act(|accounts, market, now| accounts.set_loan(market, self.ix, asset, figures, now))
    }

    /// Places an order; its id. The id begins with `r`, as those of other origin than a client do.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] with the code that a client would get.
    pub fn place(&self, order: &OrderRequest) -> Result<OrderId, SandboxError> {
        self.act(|accounts, market, now| {
            let place = order.read(now)?;
            accounts.place_directly(market, (self.ix, of(order.category)), &place, now)
        })
    }

    /// Cancels an open order of any of the user's accounts.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when there is none of this id, or it is not open.
    pub fn cancel(&self, order: OrderId) -> Result<(), SandboxError> {
        self.act(|accounts, market, now| accounts.cancel_directly(market, self.ix, order, now))
    }

    /// Cancels an account's open orders; says how many.
    pub fn cancel_all(&self, category: AccountCategory) -> usize {
        self.desk.act(|accounts, market, now| accounts.cancel_all_directly(market, (self.ix, of(category)), None, now))
    }

    /// An account's open orders, oldest first.
    pub fn open_orders(&self, category: AccountCategory) -> Vec<Order> {
        self.desk.act(|accounts, market, _| {
            accounts.open_orders(market, self.ix, of(category), None).map(Order::of).collect()
        })
    }

    /// An account's ended orders, oldest first: as many as are [remembered](UserOptions::history).
    pub fn ended_orders(&self, category: AccountCategory) -> Vec<Order> {
        self.desk.act(|accounts, market, _| {
            accounts.ended_orders(market, self.ix, of(category), None).rev().map(Order::of).collect()
        })
    }

    /// An account's orders as they were after each change: the last 50 000 changes, oldest first, of this
    /// run of the sandbox. An order that goes on the book changes its number alone.
    pub fn order_changes(&self, category: AccountCategory) -> Vec<Order> {
        self.desk.act(|accounts, _, _| accounts.order_changes(self.ix, of(category)).map(Order::of).collect())
    }

    /// An account's balances that are not zero, in the order in which the assets became known.
    pub fn balances(&self, category: AccountCategory) -> Vec<Balance> {
        self.desk.act(|accounts, market, _| {
            let rows = accounts.balances(market, self.ix, of(category), None, false).unwrap_or_default();
            rows.into_iter().map(|(asset, balance)| Balance::of(asset, balance)).collect()
        })
    }

    /// An account's balance of one asset; all zero where there never was any.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] for an asset that is not listed.
    pub fn balance(&self, category: AccountCategory, asset: &str) -> Result<Balance, SandboxError> {
        self.act(|accounts, market, _| {
            let asset = market.asset(asset)?.asset;
            let balance = market.engine().balance(accounts[self.ix].account(of(category)), asset);
            Ok(Balance::of(asset, balance))
        })
    }
}

/// An order as the exchange knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Order {
    /// The server's id.
    pub id: OrderId,
    /// The client's own id.
    pub client_id: Option<String>,
    /// The product.
    pub symbol: Symbol,
    /// The side.
    pub side: Side,
    /// The type.
    pub order_type: OrderType,
    /// What has become of it.
    pub status: OrderStatus,
    /// Limit price, in the quote asset.
    pub price: Option<Decimal>,
    /// Stop price, in the quote asset.
    pub stop_price: Option<Decimal>,
    /// Quantity, in the base asset.
    pub quantity: Decimal,
    /// Quantity traded so far, in the base asset.
    pub filled: Decimal,
    /// Average price of what has traded, in the quote asset; zero before any trade.
    pub average_price: Decimal,
    /// Fees charged so far; positive: charged.
    pub fee: Decimal,
    /// The asset of the fees.
    pub fee_asset: Asset,
    /// When it was placed, UTC ms.
    pub created: u64,
    /// When it last changed, UTC ms.
    pub updated: u64,
    /// The sequence number of its last change.
    pub sn: u64,
}

impl Order {
    fn of(order: &engine::Order) -> Self {
        Self {
            id: order.id,
            client_id: order.client_id.map(|id| id.as_str().to_owned()),
            symbol: order.symbol,
            side: order.side,
            order_type: order.order_type,
            status: order.status,
            price: order.price.map(Fixed::decimal),
            stop_price: order.stop_price.map(Fixed::decimal),
            quantity: order.quantity.decimal(),
            filled: order.filled.decimal(),
            average_price: order.avg_price().decimal(),
            fee: order.fee.decimal(),
            fee_asset: order.fee_asset,
            created: order.created,
            updated: order.updated,
            sn: order.sn,
        }
    }
}

/// What an account has of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Balance {
    /// The asset.
    pub asset: Asset,
    /// All of it.
    pub total: Decimal,
    /// What open orders do not hold.
    pub available: Decimal,
    /// Borrowed (margin).
    pub borrowed: Decimal,
    /// Interest owed (margin).
    pub interest: Decimal,
}

impl Balance {
    fn of(asset: Asset, balance: engine::Balance) -> Self {
        Self {
            asset,
            total: balance.total.decimal(),
            available: balance.available().decimal(),
            borrowed: balance.borrowed.decimal(),
            interest: balance.interest.decimal(),
        }
    }
}

/// Where all of an asset is: [`Sandbox::supply`]. Always `total == balances + fees`, to the last digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Supply {
    /// What was deposited less what was withdrawn.
    pub total: Decimal,
    /// What all accounts have, those of the market's own participants too.
    pub balances: Decimal,
    /// Fees collected.
    pub fees: Decimal,
}

/// Users, and what the exchange is set to while it runs.
impl Sandbox {
    /// The user that every sandbox begins with: every permission, 100 000 USDT, 2 BTC and 20 ETH in cash, 50 000 USDT,
    /// 1 BTC and 10 ETH on margin, of which 5000 USDT are borrowed.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The credentials of [`user`](Self::user).
    pub fn credentials(&self) -> Credentials {
        self.user.credentials()
    }

    /// The API key of [`user`](Self::user).
    pub fn api_key(&self) -> &str {
        self.user.api_key()
    }

    /// The secret of [`user`](Self::user).
    pub fn api_secret(&self) -> &str {
        self.user.api_secret()
    }

    /// All users, in the order in which they were added: those that a [state](super::SandboxBuilder::state) brought as
    /// well.
    pub fn users(&self) -> Vec<User> {
        let desk = self.server.desk();
        let all = desk.act(|accounts, _, _| accounts.all());
        all.map(|ix| User::of_ix(desk.clone(), ix)).collect()
    }

    /// Adds a user, without funds.
    pub fn add_user(&self, options: UserOptions) -> User {
        User::add(self.server.desk(), options)
    }

    /// How far a client's time may be from the sandbox's, either way: that of a signature, and the `time` of an order
    /// or a cancel. What is outside is refused with 100011 and not processed. Defaults to 30 s, as on the exchange.
    pub fn set_acceptance_window(&self, window: Duration) {
        self.server.desk().act(|accounts, _, _| accounts.acceptance_window = millis(window));
    }

    /// What `order/status` answers for an unknown id. Defaults to [`UnknownOrder::Refused`].
    pub fn set_unknown_order(&self, answer: UnknownOrder) {
        self.server.desk().act(|accounts, _, _| accounts.unknown_order = answer);
    }

    /// Where all of an asset is.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] for an asset that is not listed.
    pub fn supply(&self, asset: &str) -> Result<Supply, SandboxError> {
        let supply = |_: &mut Accounts, market: &mut Market, _: u64| {
            let (asset, engine) = (market.asset(asset)?.asset, market.engine());
            let [total, balances, fees] =
                [engine.supply(asset), engine.held_by_all(asset), engine.fees(asset)].map(Fixed::decimal);
            Ok::<_, Refusal>(Supply { total, balances, fees })
        };
        Ok(self.server.desk().act(supply)?)
    }
}

/// The funds that the first user begins with.
pub(super) fn endow(user: &User) -> Result<(), SandboxError> {
    for (asset, amount) in [("USDT", 100_000), ("BTC", 2), ("ETH", 20)] {
        user.fund(AccountCategory::Cash, asset, amount)?;
        user.fund(AccountCategory::Margin, asset, amount / 2)?;
    }
    user.set_loan("USDT", 5_000, "1.25")
}

impl From<Refusal> for SandboxError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { code: refusal.code, message: refusal.message }
    }
}

fn of(category: AccountCategory) -> Category {
    match category {
        AccountCategory::Cash => Category::Cash,
        AccountCategory::Margin => Category::Margin,
    }
}

fn symbol(name: &str) -> Result<Symbol, Refusal> {
    Symbol::new(name).map_err(|_| engine::Refusal::UnknownProduct.into())
}

pub(super) fn amount(text: &str) -> Result<Decimal, Refusal> {
    decimal(text).ok_or_else(|| Refusal::new(Code::INVALID_NUM_FORMAT, format!("{text:?} is not a number")))
}
