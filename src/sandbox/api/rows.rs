//! Rows of the public answers, with the field names of the reference.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use crate::sandbox::engine::{Commission, Fixed, Level, Status};
use crate::sandbox::market::Market;
use crate::sandbox::products::{ListedAsset, ListedProduct};
use crate::sandbox::wire;
use crate::{Asset, Symbol};

/// Digits after the point in the books.
const PRECISION: u32 = 9;
/// When everything here began to trade: 2019-01-01.
const TRADING_START: u64 = 1_546_300_800_000;

/// Money: a string in plain notation.
fn text<S: Serializer>(decimal: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&decimal.normalize())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssetV1<'a> {
    asset_code: Asset,
    asset_name: &'a str,
    precision_scale: u32,
    native_scale: u32,
    #[serde(serialize_with = "text")]
    withdrawal_fee: Decimal,
    #[serde(serialize_with = "text")]
    min_withdrawal_amt: Decimal,
    status: &'static str,
}

impl<'a> AssetV1<'a> {
    pub(super) fn of(asset: &'a ListedAsset) -> Self {
        Self {
            asset_code: asset.asset,
            asset_name: &asset.name,
            precision_scale: PRECISION,
            native_scale: asset.native_scale,
            withdrawal_fee: asset.withdrawal_fee,
            min_withdrawal_amt: min_withdrawal(asset),
            status: "Normal",
        }
    }
}

fn min_withdrawal(asset: &ListedAsset) -> Decimal {
    asset.withdrawal_fee * Decimal::TWO
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssetV2<'a> {
    asset_code: Asset,
    asset_name: &'a str,
    precision_scale: u32,
    native_scale: u32,
    block_chain: Vec<Chain>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chain {
    chain_name: &'static str,
    #[serde(serialize_with = "text")]
    withdraw_fee: Decimal,
    allow_deposit: bool,
    allow_withdraw: bool,
    #[serde(serialize_with = "text")]
    min_deposit_amt: Decimal,
    #[serde(serialize_with = "text")]
    min_withdrawal: Decimal,
    num_confirmations: u32,
}

impl<'a> AssetV2<'a> {
    pub(super) fn of(asset: &'a ListedAsset) -> Self {
        let chain = |name: &&'static str| Chain {
            chain_name: name,
            withdraw_fee: asset.withdrawal_fee,
            allow_deposit: true,
            allow_withdraw: true,
            min_deposit_amt: Decimal::ZERO,
            min_withdrawal: min_withdrawal(asset),
            num_confirmations: 12,
        };
        Self {
            asset_code: asset.asset,
            asset_name: &asset.name,
            precision_scale: PRECISION,
            native_scale: asset.native_scale,
            block_chain: asset.chains.iter().map(chain).collect(),
        }
    }
}

fn commission(commission: Commission) -> &'static str {
    match commission {
        Commission::Base => "Base",
        Commission::Quote => "Quote",
        Commission::Received => "Received",
    }
}

fn status(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Normal) => "Normal",
        Some(Status::InternalTrading) => "InternalTrading",
        Some(Status::NoTrading) | None => "NoTrading",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProductV1 {
    symbol: Symbol,
    display_name: Symbol,
    base_asset: Asset,
    quote_asset: Asset,
    status: &'static str,
    #[serde(serialize_with = "text")]
    min_notional: Decimal,
    #[serde(serialize_with = "text")]
    max_notional: Decimal,
    margin_tradable: bool,
    commission_type: &'static str,
    #[serde(serialize_with = "text")]
    commission_reserve_rate: Decimal,
    #[serde(serialize_with = "text")]
    tick_size: Decimal,
    #[serde(serialize_with = "text")]
    lot_size: Decimal,
}

impl ProductV1 {
    pub(super) fn of(product: &ListedProduct, now: Option<Status>) -> Self {
        let spec = &product.spec;
        Self {
            symbol: spec.symbol,
            display_name: spec.symbol,
            base_asset: spec.base,
            quote_asset: spec.quote,
            status: status(now),
            min_notional: spec.min_notional,
            max_notional: spec.max_notional,
            margin_tradable: spec.margin_tradable,
            commission_type: commission(spec.commission),
            commission_reserve_rate: spec.reserve_rate,
            tick_size: spec.tick_size,
            lot_size: spec.lot_size,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CategoryProduct {
    symbol: Symbol,
    display_name: Symbol,
    domain: Asset,
    trading_start_time: u64,
    collapse_decimals: String,
    #[serde(serialize_with = "text")]
    min_qty: Decimal,
    #[serde(serialize_with = "text")]
    max_qty: Decimal,
    #[serde(serialize_with = "text")]
    min_notional: Decimal,
    #[serde(serialize_with = "text")]
    max_notional: Decimal,
    status_code: &'static str,
    status_message: &'static str,
    #[serde(serialize_with = "text")]
    tick_size: Decimal,
    use_tick: bool,
    #[serde(serialize_with = "text")]
    lot_size: Decimal,
    use_lot: bool,
    commission_type: &'static str,
    #[serde(serialize_with = "text")]
    commission_reserve_rate: Decimal,
    qty_scale: u32,
    price_scale: u32,
    notional_scale: u32,
}

impl CategoryProduct {
    pub(super) fn of(product: &ListedProduct, now: Option<Status>) -> Self {
        let spec = &product.spec;
        let steps = [100, 10, 1].map(|times| (spec.tick_size * Decimal::from(times)).normalize().to_string());
        Self {
            symbol: spec.symbol,
            display_name: spec.symbol,
            domain: product.domain,
            trading_start_time: TRADING_START,
            collapse_decimals: steps.join(","),
            min_qty: spec.min_qty,
            max_qty: spec.max_qty,
            min_notional: spec.min_notional,
            max_notional: spec.max_notional,
            status_code: status(now),
            status_message: "",
            tick_size: spec.tick_size,
            use_tick: false,
            lot_size: spec.lot_size,
            use_lot: false,
            commission_type: commission(spec.commission),
            commission_reserve_rate: spec.reserve_rate,
            qty_scale: spec.lot_size.normalize().scale(),
            price_scale: spec.tick_size.normalize().scale(),
            notional_scale: if spec.quote.as_str() == "USDT" { 4 } else { PRECISION },
        }
    }
}

#[derive(Serialize)]
pub(super) struct Ticker {
    symbol: Symbol,
    open: Fixed,
    close: Fixed,
    high: Fixed,
    low: Fixed,
    volume: Fixed,
    ask: Vec<Fixed>,
    bid: Vec<Fixed>,
    r#type: &'static str,
}

impl Ticker {
    pub(super) fn of(market: &Market, symbol: Symbol) -> Option<Self> {
        let (day, bbo) = (market.day(symbol)?, market.bbo(symbol)?);
        // An empty side is an empty list: the reference says nothing of it.
        let side = |level: Option<Level>| level.iter().flat_map(wire::pair).collect();
        Some(Self {
            symbol,
            open: day.open,
            close: day.close,
            high: day.high,
            low: day.low,
            volume: day.volume,
            ask: side(bbo.ask),
            bid: side(bbo.bid),
            r#type: "spot",
        })
    }
}
