use super::*;
use std::collections::BTreeMap;

use super::engine::Trade;

const START: u64 = 1_700_000_000_000;

#[test]
fn the_market_stays_sound_for_every_seed() {
    for seed in 0..2 {
        let mut market = Market::new(seed, false, START);
        let symbols: Vec<Symbol> = market.products().map(|product| product.spec.symbol).collect();
        let mut trades = 0;
        for _ in 0..600 {
            market.advance(market.deadline());
            let told = market.drain();
            trades += told.iter().filter(|p| matches!(p, Publication::Trades(..))).count();
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
    let market = Market::new(1, false, START);
    let code = |channel: &str| market.check_channel(channel).map_err(|refusal| refusal.code);
    for channel in
        ["bbo:BTC/USDT", "depth:BTC/USDT", "trades:CHZ/USDT", "summary:ETH/BTC", "bar:1m:BTC/USDT", "ref-px:BTC"]
    {
        assert_eq!(code(channel), Ok(()), "{channel}");
        assert_eq!(market.newest(channel).is_some(), !channel.starts_with("depth") && !channel.starts_with("trades"));
    }
    for channel in ["bbo:BTC", "bar:1:NO/USDT", "ref-px:BTC/USDT"] {
        assert_eq!(code(channel), Err(Code::SYMBOL_ERROR), "{channel}");
    }
    for channel in ["", "bbo", "bar:BTC/USDT", "bar:2:BTC/USDT", "bbo:1:BTC/USDT", "dance:BTC/USDT"] {
        assert_eq!(code(channel), Err(Code::INVALID_WS_REQUEST_DATA), "{channel}");
    }
    assert_eq!(code("order:cash"), Err(Code::INVALID_WS_REQUEST_DATA), "no channel of the market");
}

/// What the trades of one minute make.
fn bar_of(trades: &[Trade]) -> Option<[Fixed; 5]> {
    let prices = || trades.iter().map(|trade| trade.price);
    let volume = trades.iter().map(|trade| trade.quantity).sum();
    Some([trades.first()?.price, prices().max()?, prices().min()?, trades.last()?.price, volume])
}

/// Lives through so many steps; the trades of each product.
fn live(market: &mut Market, steps: u64) -> BTreeMap<Symbol, Vec<Trade>> {
    let mut all: BTreeMap<Symbol, Vec<Trade>> = BTreeMap::new();
    for _ in 0..steps {
        market.advance(market.deadline());
        for publication in market.drain() {
            if let Publication::Trades(symbol, trades) = publication {
                all.entry(symbol).or_default().extend(trades);
            }
        }
    }
    all
}

#[test]
fn bars_are_those_of_the_trades() {
    let mut market = Market::new(3, false, START);
    let trades = live(&mut market, 3 * 600);
    let minute = Interval::named("1").unwrap();
    assert_eq!(trades.len(), market.products().count(), "every product trades");
    for (symbol, trades) in &trades {
        // The first minute had begun before the market did.
        let bars = market.bars(*symbol, minute, START, u64::MAX, 10);
        assert!(bars.len() >= 2);
        for bar in bars {
            let in_it = |trade: &&Trade| minute.start(trade.time) == bar.start;
            let of_it: Vec<Trade> = trades.iter().filter(in_it).copied().collect();
            let made = [bar.open, bar.high, bar.low, bar.close, bar.volume];
            let flat = [bar.open, bar.open, bar.open, bar.open, Fixed::ZERO];
            assert_eq!(made, bar_of(&of_it).unwrap_or(flat), "{symbol}");
        }
        let newest: Vec<Trade> = market.trades(*symbol, 3).copied().collect();
        assert!(trades.ends_with(&newest));
    }
}

#[test]
#[ignore = "lives through an hour: some seconds in release, half a minute in debug"]
fn an_hour_has_quiet_times_bursts_and_gaps() {
    let mut market = Market::new(1, false, START);
    let trades = live(&mut market, 36_000);
    let products: Vec<ListedProduct> = market.products().cloned().collect();
    let mut gaps = 0;
    for product in products {
        let symbol = product.spec.symbol;
        let trades = &trades[&symbol];
        let mut minutes = [0; 60];
        for trade in trades {
            let minute = (trade.time - START) / MINUTE;
            minutes[(minute as usize).min(59)] += 1;
        }
        minutes.sort_unstable();
        let [quiet, usual, lively] = [minutes[0], minutes[30], minutes[59]];
        assert!(2 * quiet < usual && 2 * usual < lively, "{symbol}: {quiet} {usual} {lively} trades a minute");
        assert!((product.activity / 2..product.activity * 2).contains(&(trades.len() as u32 / 60)), "{symbol}");
        let buys = trades.iter().filter(|trade| !trade.buyer_is_maker).count();
        assert!((trades.len() / 4..trades.len() * 3 / 4).contains(&buys), "{symbol}: {buys} buys");
        let far = |pair: &[Trade]| (pair[1].price - pair[0].price).units().abs() * 1_000 > pair[0].price.units();
        gaps += trades.windows(2).filter(|pair| far(pair)).count();
        // Where the price went on: enough for who holds the wrong side to lose by.
        let prices = || trades.iter().map(|trade| trade.price.units());
        let (high, low) = (prices().max().unwrap(), prices().min().unwrap());
        assert!((high - low) * 200 > low, "{symbol} stayed within half a hundredth");
    }
    assert!((5..200).contains(&gaps), "{gaps} gaps of a thousandth");
}
