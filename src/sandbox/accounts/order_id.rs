//! The server's ids of orders, by the documented method, so that a client can know them beforehand.

use super::Random;
use crate::OrderId;
use crate::sandbox::engine::ClientId;

/// Where an order came from: the first letter of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A REST call.
    Rest,
    /// A request on the stream.
    Stream,
    /// The program that runs the sandbox.
    Program,
}

/// How much of the time, of the user's id and of the client's id goes into an order's id, and how long it may be.
const TIME: usize = 11;
const UID: usize = 11;
const TAIL: usize = 9;
const LENGTH: usize = 32;

/// Letter, time in hexadecimal digits, user, and the end of the client's own id. A client id of fewer than nine
/// letters and digits, or none, is not used: then the end is drawn.
pub(crate) fn order_id(
    source: Source,
    time: u64,
    uid: &str,
    client_id: Option<&ClientId>,
    random: &mut Random,
) -> Option<OrderId> {
    let letter = match source {
        Source::Rest => 'a',
        Source::Stream => 's',
        Source::Program => 'r',
    };
    let usable = client_id
        .map(ClientId::as_str)
        .filter(|id| id.bytes().filter(u8::is_ascii_alphanumeric).count() >= TAIL)
        .map_or_else(|| word(random, TAIL), str::to_owned);
    let time = format!("{time:x}");
    let id = format!("{letter}{}{}{}", last(&time, TIME), last(uid, UID), last(&usable, TAIL));
    OrderId::new(id.get(..LENGTH).unwrap_or(&id)).ok()
}

fn last(text: &str, count: usize) -> &str {
    text.get(text.len().saturating_sub(count)..).unwrap_or(text)
}

/// Letters and digits, drawn.
pub(super) fn word(random: &mut Random, length: usize) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let sign = |_| SIGNS.get(random.below(SIGNS.len() as u64) as usize).copied().map_or('0', char::from);
    (0..length).map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(source: Source, time: u64, uid: &str, client_id: &str) -> String {
        order_id(source, time, uid, ClientId::new(client_id).as_ref(), &mut Random::new(1)).unwrap().to_string()
    }

    #[test]
    fn ids_are_those_of_the_reference() {
        let rest = id(Source::Rest, 1_575_646_506_746, "U9490877774", "ROunD0hpprO2KEgkVK30FOIpPK3zuGGh");
        assert_eq!(rest, "a16edbd9aefaU9490877774pPK3zuGGh");
        let stream = id(Source::Stream, 1_576_015_687_614, "0866943712", "xxxxx1523b505d");
        assert_eq!(stream, "s16ef1daefbe08669437121523b505d");
        assert!(id(Source::Rest, 1_586_435_683_655, "U5843449924", "123456789").starts_with("a1715eef7547U5843449924"));
    }

    #[test]
    fn a_short_client_id_is_not_used() {
        for short in ["12345678", "1-2-3-4-5-6-7-8", "", "ab"] {
            let id = id(Source::Rest, 1_575_646_506_746, "U9490877774", short);
            assert_eq!(id.len(), 32);
            assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
        }
        assert!(id(Source::Rest, 1, "U1", "1-2-3-4-5-6-7-8-9").ends_with("5-6-7-8-9"));
    }

    #[test]
    fn drawn_ends_differ_and_ids_are_cut_to_their_length() {
        let mut random = Random::new(7);
        let ids: Vec<_> =
            (0..100).filter_map(|_| order_id(Source::Rest, u64::MAX, "U123456789012345", None, &mut random)).collect();
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!((ids.len(), distinct.len()), (100, 100));
        assert!(ids.iter().all(|id| id.as_str().len() == LENGTH && id.as_str().starts_with("affffffff")));
    }
}
