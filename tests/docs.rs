//! The pages of `docs/` name everything that there is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

/// The texts between quotation marks in a source that begin like this.
fn texts<'a>(source: &'a str, beginning: &str) -> Vec<&'a str> {
    source.split('"').skip(1).step_by(2).filter(|text| text.starts_with(beginning)).collect()
}

#[test]
fn every_endpoint_and_action_stands_in_the_table_of_the_protocol() {
    let page = include_str!("../docs/protocol.md");
    let paths = texts(include_str!("../src/rest/endpoint.rs"), "/api/pro/");
    assert!(paths.len() > 30, "{paths:?}");
    let actions = [
        "place-order",
        "cancel-order",
        "cancel-all",
        "depth-snapshot",
        "depth-snapshot-top100",
        "depth-snapshot-realtime",
        "market-trades",
        "balance",
        "open-order",
        "order-status",
        "margin-risk",
    ];
    let channels = ["bbo:", "depth:", "depth-realtime:", "trades:", "bar:", "summary:", "ref-px:", "order:"];
    let missing: Vec<String> = paths
        .iter()
        .map(|path| format!("{path}` |"))
        .chain(actions.iter().map(|action| format!("| `req {action}` |")))
        .chain(channels.iter().map(|channel| format!("| `{channel}")))
        .filter(|wanted| !page.contains(wanted))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
