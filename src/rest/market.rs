//! Public market data.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};

use super::check::page;
use super::endpoint;
use super::request::Request;
use crate::client::Client;
use crate::error::{Error, InvalidInput, Result};
use crate::model::{
    AccountCategory, AssetInfo, AssetInfoV1, Bar, BarInterval, BarIntervalInfo, Depth, ExchangeInfo, Product,
    ProductV1, RiskLimits, RiskLimitsV1, Rows, Ticker, Trades,
};
use crate::symbol::Symbol;

/// The most bars that the exchange answers at once.
const MAX_BARS: u32 = 500;

/// The most trades that the exchange answers at once.
const MAX_TRADES: u32 = 100;

/// Symbols asked for at once: the exchange takes addresses of up to 2048 characters, and a symbol of 23 needs 30.
const SYMBOLS_AT_ONCE: usize = 50;

/// The calls for public market data, from [`Client::market`].
///
/// A symbol is given as text (`"BTC/USDT"`) or as a [`Symbol`]. All times are UTC milliseconds.
///
/// # Errors
/// Each call fails with
/// - [`Error::InvalidInput`] for an argument that is not well formed, before anything is sent;
/// - [`Error::Transport`] or [`Error::Timeout`] when no answer came;
/// - [`Error::Refused`] when the exchange says no, to an unknown symbol for one;
/// - [`Error::Http`], [`Error::Decode`] or [`Error::TooLarge`] when the answer is not the protocol's.
#[derive(Debug, Clone)]
pub struct Market {
    client: Client,
}

impl Market {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// All assets, with the block chains that carry them: `GET /api/pro/v2/assets`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn assets(&self) -> Result<Rows<AssetInfo>> {
        self.client.fetch(&Request::new(&endpoint::ASSETS))
    }

    /// All assets, in the older form: `GET /api/pro/v1/assets`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn assets_v1(&self) -> Result<Rows<AssetInfoV1>> {
        self.client.fetch(&Request::new(&endpoint::ASSETS_V1))
    }

    /// The products that an account category trades: `GET /api/pro/v1/AC/products`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn products(&self, category: AccountCategory) -> Result<Rows<Product>> {
        self.client.fetch(&Request::new(&endpoint::PRODUCTS).category(category))
    }

    /// All products, in the older form, which says which of them trade on margin: `GET /api/pro/v1/products`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn products_v1(&self) -> Result<Rows<ProductV1>> {
        self.client.fetch(&Request::new(&endpoint::PRODUCTS_V1))
    }

    /// The day's summary of one product: `GET /api/pro/v1/spot/ticker`.
    ///
    /// # Errors
    /// As all calls: see [`Market`]; [`Error::InvalidInput`] for a symbol that is not well formed.
    pub fn ticker<S>(&self, symbol: S) -> Result<Ticker>
    where
        S: TryInto<Symbol>,
        Error: From<S::Error>,
    {
        self.client.fetch(&Request::new(&endpoint::TICKER).param("symbol", symbol.try_into()?))
    }

    /// The day's summaries of several products: `GET /api/pro/v1/spot/ticker`, asked in portions of 50.
    ///
    /// # Errors
    /// As all calls: see [`Market`]; [`Error::InvalidInput`] for a symbol that is not well formed, or none at all.
    ///
    /// ```no_run
    /// # let client = bitmax::Client::builder(bitmax::Endpoint::ASCENDEX).build()?;
    /// for ticker in client.market().tickers(["BTC/USDT", "ETH/USDT"])? {
    ///     println!("{} {}", ticker.symbol, ticker.close);
    /// }
    /// # Ok::<(), bitmax::Error>(())
    /// ```
    pub fn tickers<S>(&self, symbols: impl IntoIterator<Item = S>) -> Result<Rows<Ticker>>
    where
        S: TryInto<Symbol>,
        Error: From<S::Error>,
    {
        let symbols = symbols.into_iter().map(TryInto::try_into).collect::<Result<Vec<Symbol>, _>>()?;
        if symbols.is_empty() {
            return Err(InvalidInput::new("symbol", "none is given").into());
        }
        let mut all = Rows::from(Vec::new());
        for portion in symbols.chunks(SYMBOLS_AT_ONCE) {
            // The comma at the end asks for a list also where there is but one.
            let names: String = portion.iter().flat_map(|symbol| [symbol.as_str(), ","]).collect();
            all.append(self.client.fetch(&Request::new(&endpoint::TICKER).param("symbol", names))?);
        }
        Ok(all)
    }

    /// The day's summaries of all products: `GET /api/pro/v1/spot/ticker`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn all_tickers(&self) -> Result<Rows<Ticker>> {
        self.client.fetch(&Request::new(&endpoint::TICKER))
    }

    /// The bar intervals that the exchange has: `GET /api/pro/v1/barhist/info`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn bar_intervals(&self) -> Result<Rows<BarIntervalInfo>> {
        self.client.fetch(&Request::new(&endpoint::BAR_INTERVALS))
    }

    /// One page of bars, at most 500: `GET /api/pro/v1/barhist`. In the order in which they come, which the
    /// exchange does not promise: newest first in its samples. [`bars_iter`](Self::bars_iter) reads any range.
    ///
    /// # Errors
    /// As all calls: see [`Market`]; [`Error::InvalidInput`] for an interval that is not known, `n` of 0 or over
    /// 500, and a range that ends before it starts.
    pub fn bars(&self, query: &BarsQuery) -> Result<Vec<Bar>> {
        query.check()?;
        let request = Request::new(&endpoint::BARS)
            .param("symbol", query.symbol)
            .param("interval", &query.interval)
            .maybe("from", query.from)
            .maybe("to", query.to)
            .maybe("n", query.n);
        self.client.fetch(&request)
    }

    /// All bars that start within a range of times, oldest first: as many calls of `GET /api/pro/v1/barhist` as
    /// it takes, each made when the iterator comes to it. A range without an end reaches to the newest bar.
    ///
    /// An error ends the iteration.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a symbol that is not well formed, an interval that is not known, a range
    /// without a start or one that ends before it starts. The iterator's own errors are those of all calls: see
    /// [`Market`].
    ///
    /// ```no_run
    /// use bitmax::model::BarInterval;
    /// # let client = bitmax::Client::builder(bitmax::Endpoint::ASCENDEX).build()?;
    /// let (from, to) = (1_577_836_800_000, 1_609_459_199_999);
    /// for bar in client.market().bars_iter("BTC/USDT", BarInterval::Hour1, from..=to)? {
    ///     println!("{}", bar?.close);
    /// }
    /// # Ok::<(), bitmax::Error>(())
    /// ```
    pub fn bars_iter<S>(&self, symbol: S, interval: BarInterval, range: impl RangeBounds<u64>) -> Result<BarsIter>
    where
        S: TryInto<Symbol>,
        Error: From<S::Error>,
    {
        let empty = || InvalidInput::new("to", "the range ends before it starts");
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.checked_add(1).ok_or_else(empty)?,
            Bound::Unbounded => return Err(InvalidInput::new("from", "the range has no start").into()),
        };
        let to = match range.end_bound() {
            Bound::Included(to) => Some(*to),
            Bound::Excluded(after) => Some(after.checked_sub(1).ok_or_else(empty)?),
            Bound::Unbounded => None,
        };
        let query = BarsQuery { symbol: symbol.try_into()?, interval, from: Some(from), to, n: Some(MAX_BARS) };
        let step = query.check()?;
        Ok(BarsIter { market: self.clone(), query, step, next: Some(from), page: VecDeque::new() })
    }

    /// The order book, up to 500 levels a side: `GET /api/pro/v1/depth`.
    ///
    /// # Errors
    /// As all calls: see [`Market`]; [`Error::InvalidInput`] for a symbol that is not well formed.
    pub fn depth<S>(&self, symbol: S) -> Result<Depth>
    where
        S: TryInto<Symbol>,
        Error: From<S::Error>,
    {
        self.client.fetch(&Request::new(&endpoint::DEPTH).param("symbol", symbol.try_into()?))
    }

    /// The latest trades, `n` of them (1 to 100) or as many as the exchange likes: `GET /api/pro/v1/trades`.
    ///
    /// # Errors
    /// As all calls: see [`Market`]; [`Error::InvalidInput`] for a symbol that is not well formed, and `n` of 0 or
    /// over 100.
    pub fn trades<S>(&self, symbol: S, n: Option<u32>) -> Result<Trades>
    where
        S: TryInto<Symbol>,
        Error: From<S::Error>,
    {
        page("n", n, MAX_TRADES)?;
        self.client.fetch(&Request::new(&endpoint::TRADES).param("symbol", symbol.try_into()?).maybe("n", n))
    }

    /// The limits of the stream for an address, by default the caller's own: `GET /api/pro/v2/risk-limit-info`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn risk_limits(&self, ip: Option<std::net::IpAddr>) -> Result<RiskLimits> {
        self.client.fetch(&Request::new(&endpoint::RISK_LIMITS).maybe("ip", ip))
    }

    /// The limits of the stream, in the older form: `GET /api/pro/v1/risk-limit-info`.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn risk_limits_v1(&self, ip: Option<std::net::IpAddr>) -> Result<RiskLimitsV1> {
        self.client.fetch(&Request::new(&endpoint::RISK_LIMITS_V1).maybe("ip", ip))
    }

    /// When the request reached the exchange, told beside the caller's own time, UTC milliseconds: `GET
    /// /api/pro/v1/exchange-info`. This is the way to compare clocks.
    ///
    /// # Errors
    /// As all calls: see [`Market`].
    pub fn exchange_info(&self, request_time: i64) -> Result<ExchangeInfo> {
        self.client.fetch(&Request::new(&endpoint::EXCHANGE_INFO).param("requestTime", request_time))
    }
}

/// What [`Market::bars`] is asked for.
///
/// Without settings: the latest 10. `to` always holds. With `from` alone the range from there, moved up so that at
/// most 500 come; with `n` alone the last `n`; with both whichever is fewer.
///
/// ```
/// use bitmax::BarsQuery;
/// use bitmax::model::BarInterval;
/// let query = BarsQuery::new("BTC/USDT", BarInterval::Min1)?.to(1_617_148_800_000).n(100);
/// # Ok::<(), bitmax::InvalidInput>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct BarsQuery {
    symbol: Symbol,
    interval: BarInterval,
    from: Option<u64>,
    to: Option<u64>,
    n: Option<u32>,
}

impl BarsQuery {
    /// Asks for bars of a product (`symbol`) and length (`interval`).
    ///
    /// # Errors
    /// [`InvalidInput`] for a symbol that is not well formed.
    pub fn new<S>(symbol: S, interval: BarInterval) -> Result<Self, InvalidInput>
    where
        S: TryInto<Symbol>,
        InvalidInput: From<S::Error>,
    {
        Ok(Self { symbol: symbol.try_into()?, interval, from: None, to: None, n: None })
    }

    /// Not before this start of a bar, UTC milliseconds (`from`). Defaults to none.
    pub fn from(mut self, millis: u64) -> Self {
        self.from = Some(millis);
        self
    }

    /// Not after this start of a bar, UTC milliseconds (`to`). Defaults to now, by the exchange's clock.
    pub fn to(mut self, millis: u64) -> Self {
        self.to = Some(millis);
        self
    }

    /// How many, 1 to 500 (`n`). Defaults to 10, or with `from` to as many as there are.
    pub fn n(mut self, n: u32) -> Self {
        self.n = Some(n);
        self
    }

    /// The shortest distance from a bar to the next, milliseconds.
    fn check(&self) -> Result<u64, InvalidInput> {
        page("n", self.n, MAX_BARS)?;
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to < from
        {
            return Err(InvalidInput::new("to", format!("{to} is before the start, {from}")));
        }
        match (&self.interval, self.interval.millis()) {
            // From one first of a month to the next: 28 days in February.
            (BarInterval::Month1, _) => Ok(28 * 24 * 3_600_000),
            (_, Some(millis)) => Ok(millis),
            (interval, None) => Err(InvalidInput::new("interval", format!("{:?} is not known", interval.as_str()))),
        }
    }
}

/// Bars of a range of times, oldest first, from [`Market::bars_iter`].
#[derive(Debug)]
pub struct BarsIter {
    market: Market,
    query: BarsQuery,
    /// Shortest distance from bar to bar.
    step: u64,
    /// Where the next page starts; none when the last is in.
    next: Option<u64>,
    page: VecDeque<Bar>,
}

impl BarsIter {
    /// Fetches the page that starts at `from`.
    ///
    /// A page is as long a time as holds at most 500 bars, so that none is left out, whether or not trading has
    /// gaps there; the next page starts right after that time.
    fn fetch(&mut self, from: u64) -> Result<()> {
        let page_end = from.saturating_add(u64::from(MAX_BARS) * self.step - 1);
        if self.query.to.is_none_or(|to| to > page_end) && self.query.from == Some(from) {
            // More than one page: let it end with the newest bar, not at a time that may be years ahead.
            let newest = BarsQuery { from: None, to: None, n: Some(1), ..self.query.clone() };
            let newest = self.market.bars(&newest)?.iter().map(|bar| bar.ts).max();
            self.query.to = match (self.query.to, newest) {
                (Some(to), Some(newest)) => Some(to.min(newest)),
                (to, newest) => to.or(newest),
            };
        }
        let Some(last) = self.query.to.filter(|to| *to >= from) else { return Ok(()) };
        let to = last.min(page_end);

        let mut bars = self.market.bars(&BarsQuery { from: Some(from), to: Some(to), ..self.query.clone() })?;
        bars.retain(|bar| (from..=to).contains(&bar.ts));
        bars.sort_by_key(|bar| bar.ts);
        bars.dedup_by_key(|bar| bar.ts);
        self.page = bars.into();
        self.next = to.checked_add(1).filter(|next| *next <= last);
        Ok(())
    }
}

impl Iterator for BarsIter {
    type Item = Result<Bar>;

    fn next(&mut self) -> Option<Result<Bar>> {
        loop {
            if let Some(bar) = self.page.pop_front() {
                return Some(Ok(bar));
            }
            let from = self.next.take()?;
            if let Err(e) = self.fetch(from) {
                return Some(Err(e));
            }
        }
    }
}

impl std::iter::FusedIterator for BarsIter {}
