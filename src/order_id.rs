//! The server's ids of orders, known before it answers.

use crate::symbol::OrderId;

/// The way that an order is sent, which its id tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrderSource {
    /// By REST: `a`.
    Rest,
    /// Over the stream: `s`.
    Stream,
}

/// The id that the server gives to an order: the source's letter, the order's `time` (UTC milliseconds) in lower-case
/// hex, the user's UID, and the last nine characters of the client's id.
///
/// `None` for a client's id of fewer than nine letters or digits, which the server does not use, and for an empty UID.
/// When an acknowledgement arrives, its id is the truth.
///
/// ```
/// use bitmax::{OrderSource, order_id};
/// let id = order_id(OrderSource::Rest, 1_575_646_506_746, "U9490877774", "ROunD0hpprO2KEgkVK30FOIpPK3zuGGh");
/// assert_eq!(id.unwrap().as_str(), "a16edbd9aefaU9490877774pPK3zuGGh");
/// ```
pub fn order_id(source: OrderSource, time: u64, uid: &str, id: &str) -> Option<OrderId> {
    if uid.is_empty() || id.len() < 9 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let letter = match source {
        OrderSource::Rest => 'a',
        OrderSource::Stream => 's',
    };
    let time = format!("{time:x}");
    let text = format!("{letter}{}{}{}", last(&time, 11), last(uid, 11), last(id, 9));
    OrderId::new(text.get(..32).unwrap_or(&text)).ok()
}

/// The last so many bytes of a text, or all of it.
fn last(text: &str, n: usize) -> &str {
    text.get(text.len().saturating_sub(n)..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ids_are_computed() {
        let id = |source, time, uid, id| order_id(source, time, uid, id).unwrap().as_str().to_owned();
        let place_done = id(OrderSource::Rest, 1_575_646_506_746, "U9490877774", "ROunD0hpprO2KEgkVK30FOIpPK3zuGGh");
        assert_eq!(place_done, "a16edbd9aefaU9490877774pPK3zuGGh");
        // An older UID has ten characters, and the id 31.
        let over_stream = id(OrderSource::Stream, 1_576_015_687_614, "0866943712", "17e1f6809122469589ffc991523b505d");
        assert_eq!(over_stream, "s16ef1daefbe08669437121523b505d");
        let first_parts = id(OrderSource::Rest, 1_586_435_683_655, "U5843449924", "123456789");
        assert!(first_parts.starts_with("a1715eef7547U5843449924") && first_parts.len() == 32);
    }

    #[test]
    fn long_parts_are_cut_and_short_ids_give_none() {
        let id = order_id(OrderSource::Rest, u64::MAX, "xxU1234567890", "0123456789abc").unwrap();
        assert_eq!(id.as_str(), "afffffffffffU1234567890456789abc");
        for short in ["", "12345678", "1234-6789", "12345678é"] {
            assert_eq!(order_id(OrderSource::Rest, 1, "U1", short), None, "{short}");
        }
        assert_eq!(order_id(OrderSource::Rest, 1, "", "123456789"), None);
        assert_eq!(order_id(OrderSource::Rest, 1, "ééééééééé", "123456789"), None);
    }
}
