//! Ids of orders: the client's own, and the server's, known before it answers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::InvalidInput;
use crate::symbol::{OrderId, name};
use crate::text::Text;

name! {
    /// The client's own id of an order or a cancel: 2 to 32 letters and digits. `Copy`.
    ///
    /// The protocol's `id`. The last nine characters become a part of the server's id of the order, if there are so
    /// many; with fewer, an order whose answer is lost cannot be asked about.
    ClientOrderId, 32, "id",
    |text| text.len() >= 2 && text.bytes().all(|b| b.is_ascii_alphanumeric()),
    "an id of 2 to 32 letters and digits"
}

impl ClientOrderId {
    /// Draws an id of 32 letters and digits at random.
    ///
    /// # Errors
    /// [`InvalidInput`] naming `id` when the system gives no randomness.
    pub fn random() -> Result<Self, InvalidInput> {
        const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut id = String::with_capacity(Self::MAX_LEN);
        while id.len() < Self::MAX_LEN {
            let mut bytes = [0; 48];
            getrandom::fill(&mut bytes)
                .map_err(|e| InvalidInput::new("id", format!("cannot be drawn at random: {e}")))?;
            // Six bits at a time, without those that are none of the 62, so that each is as likely.
            let signs = bytes.iter().filter_map(|byte| SIGNS.get(usize::from(byte & 63)));
            id.extend(signs.take(Self::MAX_LEN - id.len()).map(|sign| char::from(*sign)));
        }
        Self::new(&id)
    }
}

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
    let text = format!("{letter}{}{}{}", last(&time, 11), last(uid, 11), tail(id));
    OrderId::new(text.get(..32).unwrap_or(&text)).ok()
}

/// What the server's id ends in, for a client's id that it uses.
pub(crate) fn tail(id: &str) -> &str {
    last(id, 9)
}

/// The last so many bytes of a text, or all of it.
fn last(text: &str, n: usize) -> &str {
    text.get(text.len().saturating_sub(n)..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_letters_and_digits() {
        for good in ["a1", "iGwzbzWxxcHwno4b8VCvh8aaYCJaPALm"] {
            assert_eq!(ClientOrderId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a", "a-b", "a_b", "é9", "jHAfoOqZmRv3GP1URJ5624moJ9RCG2@3", &"a".repeat(33)] {
            assert_eq!(ClientOrderId::new(bad).unwrap_err().field(), "id", "{bad}");
        }
        let drawn: Vec<_> = (0..100).map(|_| ClientOrderId::random().unwrap()).collect();
        let mut seen: Vec<u8> = drawn.iter().flat_map(|id| id.as_str().bytes()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert!(drawn.iter().all(|id| id.as_str().len() == 32));
        assert_eq!(seen.len(), 62, "3200 of them hold every one of 62, but for one time in 10^20");
        assert_ne!(drawn[0].as_str()[23..], drawn[1].as_str()[23..]);
    }

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
