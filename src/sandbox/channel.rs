//! Names of channels as in `sub` and `unsub`: `depth:BTC/USDT`, `bar:1:BTC/USDT`, `bar:*:BTC/USDT`.

/// The kind of a channel: what stands before the first colon.
pub(crate) fn kind(channel: &str) -> &str {
    channel.split(':').next().unwrap_or_default()
}

/// What a channel is of: what stands after the last colon (a symbol, an asset, an account).
pub(crate) fn argument(channel: &str) -> &str {
    channel.rsplit(':').next().unwrap_or_default()
}

/// One channel for each symbol of a list: `depth:A/B,C/D` stands for `depth:A/B` and `depth:C/D`.
pub(crate) fn each(list: &str) -> Vec<String> {
    match list.rsplit_once(':') {
        Some((prefix, arguments)) => {
            let arguments = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty());
            arguments.map(|argument| format!("{prefix}:{argument}")).collect()
        }
        None => vec![list.to_owned()],
    }
}

/// Whether `unsub` with this pattern ends the channel: `*` stands for any part, and what is missing at the end too.
pub(crate) fn matches(pattern: &str, channel: &str) -> bool {
    let mut parts = channel.split(':');
    pattern.split(':').all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart() {
        assert_eq!(each("depth:A/B,C/D, E/F,"), ["depth:A/B", "depth:C/D", "depth:E/F"]);
        assert_eq!(each("bar:1:A/B"), ["bar:1:A/B"]);
        assert_eq!(each("depth"), ["depth"]);
        assert_eq!(each("depth:"), [""; 0]);
        assert_eq!((kind("bar:1:A/B"), argument("bar:1:A/B")), ("bar", "A/B"));
    }

    #[test]
    fn patterns_match_any_part() {
        for pattern in ["bar:*:A/B", "bar:1:*", "bar:1", "bar", "*", "bar:1:A/B"] {
            assert!(matches(pattern, "bar:1:A/B"), "{pattern}");
        }
        for pattern in ["bar:5", "bar:*:C/D", "depth:*", "bar:1:A/B:x", ""] {
            assert!(!matches(pattern, "bar:1:A/B"), "{pattern}");
        }
        assert!(matches("depth:*", "depth:A/B") && !matches("depth:*", "depth-realtime:A/B"));
    }
}
