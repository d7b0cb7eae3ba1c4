//! The public calls as a table: how each is made, what is to arrive at the server, and the sample that answers it.

use bitmax::model::{AccountCategory, BarInterval};
use bitmax::{BarsQuery, Client, Result};
use serde::Serialize;
use serde_json::Value;

/// One public call.
pub struct PublicCall {
    /// The sample that answers it.
    pub fixture: &'static str,
    pub path: &'static str,
    pub query: &'static [(&'static str, &'static str)],
    /// Makes the call and writes what it returned.
    pub call: fn(&Client) -> Result<Value>,
}

fn written<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|value| serde_json::to_value(value).unwrap())
}

const IP: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3));

pub const PUBLIC: &[PublicCall] = &[
    PublicCall {
        fixture: "assets-v2",
        path: "/api/pro/v2/assets",
        query: &[],
        call: |client| written(client.market().assets()),
    },
    PublicCall {
        fixture: "assets-v1",
        path: "/api/pro/v1/assets",
        query: &[],
        call: |client| written(client.market().assets_v1()),
    },
    PublicCall {
        fixture: "products-cash",
        path: "/api/pro/v1/cash/products",
        query: &[],
        call: |client| written(client.market().products(AccountCategory::Cash)),
    },
    PublicCall {
        fixture: "products-cash",
        path: "/api/pro/v1/margin/products",
        query: &[],
        call: |client| written(client.market().products(AccountCategory::Margin)),
    },
    PublicCall {
        fixture: "products-v1",
        path: "/api/pro/v1/products",
        query: &[],
        call: |client| written(client.market().products_v1()),
    },
    PublicCall {
        fixture: "ticker-one",
        path: "/api/pro/v1/spot/ticker",
        query: &[("symbol", "ASD/USDT")],
        call: |client| written(client.market().ticker("ASD/USDT")),
    },
    PublicCall {
        fixture: "ticker-list",
        path: "/api/pro/v1/spot/ticker",
        query: &[("symbol", "ASD/USDT,")],
        call: |client| written(client.market().tickers(["ASD/USDT"])),
    },
    PublicCall {
        fixture: "ticker-list",
        path: "/api/pro/v1/spot/ticker",
        query: &[("symbol", "ASD/USDT,BTC-PERP,")],
        call: |client| written(client.market().tickers(["ASD/USDT", "BTC-PERP"])),
    },
    PublicCall {
        fixture: "ticker-list",
        path: "/api/pro/v1/spot/ticker",
        query: &[],
        call: |client| written(client.market().all_tickers()),
    },
    PublicCall {
        fixture: "bar-intervals",
        path: "/api/pro/v1/barhist/info",
        query: &[],
        call: |client| written(client.market().bar_intervals()),
    },
    PublicCall {
        fixture: "bars",
        path: "/api/pro/v1/barhist",
        query: &[("symbol", "ASD/USDT"), ("interval", "1")],
        call: |client| written(client.market().bars(&BarsQuery::new("ASD/USDT", BarInterval::Min1)?)),
    },
    PublicCall {
        fixture: "bars",
        path: "/api/pro/v1/barhist",
        query: &[("symbol", "ASD/USDT"), ("interval", "1m"), ("from", "5"), ("to", "6"), ("n", "500")],
        call: |client| {
            let query = BarsQuery::new("ASD/USDT", BarInterval::Month1)?.from(5).to(6).n(500);
            written(client.market().bars(&query))
        },
    },
    PublicCall {
        fixture: "depth",
        path: "/api/pro/v1/depth",
        query: &[("symbol", "ASD/USDT")],
        call: |client| written(client.market().depth("ASD/USDT")),
    },
    PublicCall {
        fixture: "trades",
        path: "/api/pro/v1/trades",
        query: &[("symbol", "ASD/USDT")],
        call: |client| written(client.market().trades("ASD/USDT", None)),
    },
    PublicCall {
        fixture: "trades",
        path: "/api/pro/v1/trades",
        query: &[("symbol", "ASD/USDT"), ("n", "100")],
        call: |client| written(client.market().trades("ASD/USDT", Some(100))),
    },
    PublicCall {
        fixture: "risk-limits-v2",
        path: "/api/pro/v2/risk-limit-info",
        query: &[],
        call: |client| written(client.market().risk_limits(None)),
    },
    PublicCall {
        fixture: "risk-limits-v2",
        path: "/api/pro/v2/risk-limit-info",
        query: &[("ip", "10.1.2.3")],
        call: |client| written(client.market().risk_limits(Some(IP))),
    },
    PublicCall {
        fixture: "risk-limits-v1",
        path: "/api/pro/v1/risk-limit-info",
        query: &[("ip", "10.1.2.3")],
        call: |client| written(client.market().risk_limits_v1(Some(IP))),
    },
    PublicCall {
        fixture: "latency",
        path: "/api/pro/v1/exchange-info",
        query: &[("requestTime", "1640052379050")],
        call: |client| written(client.market().exchange_info(1_640_052_379_050)),
    },
];
