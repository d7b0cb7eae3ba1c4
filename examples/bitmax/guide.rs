//! An example for each command, which its help shows.

use clap::{Command, builder::StyledStr};

/// What the help of the whole program ends with.
pub(crate) const START: &str = "\
Keys:
  BITMAX_API_KEY and BITMAX_API_SECRET; the embedded exchange brings its own

Two terminals on one exchange, which tells its addresses, a key and its secret:
  bitmax sandbox --port 8080
  bitmax watch order:cash --rest http://127.0.0.1:8080 --ws ws://127.0.0.1:8080

The help of each command shows an example.";

/// Every command with one way to use it.
const EXAMPLES: &[(&str, &str)] = &[
    ("assets", "assets"),
    ("products", "products margin"),
    ("ticker", "ticker BTC/USDT ETH/USDT"),
    ("bar-intervals", "bar-intervals"),
    ("bars", "bars BTC/USDT 60 --n 1200"),
    ("depth", "depth BTC/USDT"),
    ("trades", "trades ETH/USDT --n 20"),
    ("risk-limits", "risk-limits"),
    ("latency", "latency"),
    ("info", "info"),
    ("fees", "fees --by-symbol"),
    ("balance", "balance cash --asset USDT"),
    ("margin-risk", "margin-risk"),
    ("transfer", "transfer 100 USDT cash margin"),
    (
        "subuser-transfer",
        "subuser-transfer 10 USDT --from-user parentUser --to-user desk --from-account cash --to-account cash",
    ),
    ("subuser-transfers", "subuser-transfers --asset USDT --page 1"),
    ("balance-snapshot", "balance-snapshot cash 2026-07-01"),
    ("balance-history", "balance-history cash --sn 0 --limit 100"),
    ("deposit-addresses", "deposit-addresses USDT --blockchain ERC20"),
    ("wallet-transactions", "wallet-transactions --asset USDT --type deposit"),
    ("place", "place cash BTC/USDT buy limit 0.01 --price 30000 --post-only --resp accept"),
    ("place-batch", "place-batch cash orders.json"),
    ("cancel", "cancel cash ORDER_ID BTC/USDT"),
    ("cancel-batch", "cancel-batch cash orders.json"),
    ("cancel-all", "cancel-all cash BTC/USDT"),
    ("order", "order cash ORDER_ID"),
    ("open-orders", "open-orders cash BTC/USDT"),
    ("order-history-current", "order-history-current cash --n 20 --executed-only"),
    ("order-history", "order-history cash --symbol BTC/USDT --all"),
    ("watch", "watch bbo:BTC/USDT trades:BTC/USDT --for 10"),
    ("book", "book BTC/USDT --levels 8 --for 10"),
    ("record", "record session.jsonl depth:BTC/USDT trades:BTC/USDT --for 10"),
    ("request", "request depth-snapshot-top100 --symbol BTC/USDT"),
    ("sandbox", "sandbox --port 8080 --seed 7"),
    ("completions", "completions bash"),
];

/// Adds its example to the help of each command.
pub(crate) fn with_examples(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (name, example)| {
        let title = command.get_styles().get_header();
        let text = format!("{title}Example:{title:#}\n  bitmax {example}");
        command.mut_subcommand(name, |one| one.after_help(StyledStr::from(text)))
    })
}
