//! What is listed: assets and products with the figures that the live exchange had in April 2021, and prices of that
//! time to begin with.

use rust_decimal::Decimal;

use super::engine::{Commission, ProductSpec, Status};
use crate::{Asset, Symbol};

/// An asset and where it can be moved.
#[derive(Debug, Clone)]
pub(crate) struct ListedAsset {
    pub(crate) asset: Asset,
    pub(crate) name: String,
    /// Digits after the point in deposits and withdrawals.
    pub(crate) native_scale: u32,
    pub(crate) chains: &'static [&'static str],
    /// What a withdrawal costs, in the asset.
    pub(crate) withdrawal_fee: Decimal,
    /// About what it is worth in USDT; the market moves around it.
    pub(crate) usdt: Decimal,
}

/// A product and what goes on in it.
#[derive(Debug, Clone)]
pub(crate) struct ListedProduct {
    pub(crate) spec: ProductSpec,
    /// What it is listed under: the quote asset, or `USDS` for those of dollars.
    pub(crate) domain: Asset,
    /// Trades a minute that the market's own participants make, about; 0: they leave it alone.
    pub(crate) activity: u32,
}

/// A decimal: digits, and how many of them stand after the point.
type Digits = (i64, u32);

/// Code, name, native scale, chains, withdrawal fee, worth in USDT.
type AssetRow = (&'static str, &'static str, u32, &'static [&'static str], Digits, Digits);

const ASSETS: &[AssetRow] = &[
    ("USDT", "Tether", 4, &["Omni", "ERC20", "TRC20"], (30, 0), (1, 0)),
    ("BTC", "Bitcoin", 8, &["Bitcoin"], (5, 4), (61_000, 0)),
    ("ETH", "Ethereum", 8, &["ERC20"], (8, 3), (2_380, 0)),
    ("LTC", "Litecoin", 8, &["Litecoin"], (1, 2), (308, 0)),
    ("XRP", "Ripple", 6, &["Ripple"], (25, 2), (156, 2)),
    ("ADA", "Cardano", 6, &["Cardano"], (1, 0), (142, 2)),
    ("LINK", "ChainLink", 8, &["ERC20"], (7, 1), (425, 1)),
    ("DOT", "Polkadot", 8, &["Polkadot"], (1, 1), (432, 1)),
    ("DOGE", "Dogecoin", 8, &["Dogecoin"], (20, 0), (31, 2)),
    ("SOL", "Solana", 8, &["Solana"], (1, 1), (258, 1)),
    ("CHZ", "Chiliz", 8, &["ERC20"], (30, 0), (63, 2)),
    ("BCH", "Bitcoin Cash", 8, &["Bitcoin Cash"], (1, 3), (905, 0)),
    ("EOS", "EOS", 4, &["EOS"], (1, 1), (65, 1)),
    ("XLM", "Stellar", 7, &["Stellar"], (1, 1), (59, 2)),
    ("ATOM", "Cosmos", 6, &["Cosmos"], (1, 1), (228, 1)),
    ("XTZ", "Tezos", 6, &["Tezos"], (5, 1), (68, 1)),
    ("UNI", "Uniswap", 8, &["ERC20"], (1, 0), (355, 1)),
    ("MATIC", "Polygon", 8, &["ERC20"], (20, 0), (39, 2)),
    ("FIL", "Filecoin", 8, &["Filecoin"], (5, 2), (172, 0)),
    ("ETC", "Ethereum Classic", 8, &["Ethereum Classic"], (1, 2), (363, 1)),
];

/// Base, quote, digits of the tick, digits of the lot, least and greatest notional, margin, reserve rate, activity.
type ProductRow = (&'static str, &'static str, u32, u32, Digits, Digits, bool, Digits, u32);

/// Ticks and lots are powers of ten, as they were on the live exchange.
const PRODUCTS: &[ProductRow] = &[
    ("BTC", "USDT", 2, 5, (5, 0), (400_000, 0), true, (1, 3), 120),
    ("ETH", "USDT", 2, 3, (5, 0), (400_000, 0), true, (1, 3), 90),
    ("ETH", "BTC", 6, 3, (9_091, 8), (7_272_727_272, 9), true, (1, 3), 20),
    ("LTC", "USDT", 2, 3, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("XRP", "USDT", 5, 0, (5, 0), (400_000, 0), true, (1, 3), 40),
    ("ADA", "USDT", 5, 0, (5, 0), (400_000, 0), true, (1, 3), 30),
    ("LINK", "USDT", 4, 1, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("DOT", "USDT", 4, 1, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("DOGE", "USDT", 7, 0, (5, 0), (400_000, 0), true, (1, 3), 60),
    ("SOL", "USDT", 4, 1, (5, 0), (200_000, 0), false, (2, 3), 20),
    ("CHZ", "USDT", 6, 0, (5, 0), (200_000, 0), false, (2, 3), 10),
    ("BCH", "USDT", 2, 3, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("EOS", "USDT", 4, 2, (5, 0), (400_000, 0), true, (1, 3), 30),
    ("XLM", "USDT", 5, 0, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("ATOM", "USDT", 4, 1, (5, 0), (400_000, 0), true, (1, 3), 10),
    ("XTZ", "USDT", 4, 2, (5, 0), (200_000, 0), true, (2, 3), 10),
    ("UNI", "USDT", 3, 2, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("MATIC", "USDT", 6, 0, (5, 0), (200_000, 0), true, (2, 3), 20),
    ("FIL", "USDT", 3, 2, (5, 0), (400_000, 0), true, (1, 3), 20),
    ("ETC", "USDT", 4, 2, (5, 0), (400_000, 0), true, (1, 3), 20),
];

fn decimal((digits, scale): Digits) -> Decimal {
    Decimal::new(digits, scale)
}

/// What products of a quote asset are listed under.
pub(crate) fn domain(quote: Asset) -> Asset {
    let dollars = Asset::new("USDS").ok().filter(|_| quote.as_str() == "USDT");
    dollars.unwrap_or(quote)
}

/// The assets, in the order of listing.
pub(crate) fn assets() -> Vec<ListedAsset> {
    let rows = ASSETS.iter().filter_map(|&(code, name, native_scale, chains, fee, usdt)| {
        let asset = Asset::new(code).ok()?;
        let (name, withdrawal_fee, usdt) = (name.to_owned(), decimal(fee), decimal(usdt));
        Some(ListedAsset { asset, name, native_scale, chains, withdrawal_fee, usdt })
    });
    rows.collect()
}

/// The products, in the order of listing.
pub(crate) fn products() -> Vec<ListedProduct> {
    let rows = PRODUCTS.iter().filter_map(|&(base, quote, tick, lot, min, max, margin_tradable, reserve, activity)| {
        let reserve_rate = decimal(reserve);
        // What the live exchange charged without discounts: large and small capitalisation.
        let fee = if reserve == (1, 3) { (85, 5) } else { (1, 3) };
        let spec = ProductSpec {
            symbol: Symbol::new(&format!("{base}/{quote}")).ok()?,
            base: Asset::new(base).ok()?,
            quote: Asset::new(quote).ok()?,
            tick_size: Decimal::new(1, tick),
            lot_size: Decimal::new(1, lot),
            min_qty: Decimal::new(1, 9),
            max_qty: Decimal::from(1_000_000_000),
            min_notional: decimal(min),
            max_notional: decimal(max),
            commission: Commission::Quote,
            reserve_rate,
            maker_fee: decimal(fee),
            taker_fee: decimal(fee),
            margin_tradable,
            status: Status::Normal,
        };
        Some(ListedProduct { domain: domain(spec.quote), spec, activity })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::engine::{Engine, Settings};

    #[test]
    fn everything_listed_is_well_formed() {
        assert_eq!(assets().len(), ASSETS.len());
        assert_eq!(products().len(), PRODUCTS.len());
        let mut engine = Engine::new(Settings::default());
        for product in products() {
            engine.add_product(&product.spec).unwrap();
            for asset in [product.spec.base, product.spec.quote] {
                assert!(assets().iter().any(|listed| listed.asset == asset));
            }
        }
    }

    #[test]
    fn figures_are_the_recorded_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/recorded/products-v1-2021-04.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            return eprintln!("skipped: no recording at ../shared/recorded");
        };
        let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
        for product in products() {
            let spec = &product.spec;
            let row = recorded["data"].as_array().unwrap().iter().find(|row| row["symbol"] == spec.symbol.as_str());
            let row = row.unwrap();
            let figure = |name: &str| row[name].as_str().unwrap().parse::<Decimal>().unwrap();
            assert_eq!(figure("tickSize"), spec.tick_size, "{}", spec.symbol);
            assert_eq!(figure("lotSize"), spec.lot_size, "{}", spec.symbol);
            assert_eq!(figure("minNotional"), spec.min_notional, "{}", spec.symbol);
            assert_eq!(figure("maxNotional"), spec.max_notional, "{}", spec.symbol);
            assert_eq!(figure("commissionReserveRate"), spec.reserve_rate, "{}", spec.symbol);
            assert_eq!(row["marginTradable"], spec.margin_tradable, "{}", spec.symbol);
        }
    }
}
