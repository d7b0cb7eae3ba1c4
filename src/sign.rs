//! The signature of a request, which REST and the stream share: pure, without clock or allocation.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The keyed state of HMAC-SHA256, which is copied for each signature.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

/// A signature as it is sent, of [`Credentials::sign`](crate::Credentials::sign): 44 characters of base64. `Debug` does
/// not show them.
pub struct Signature([u8; 44]);

impl Signer {
    /// The key is the secret's bytes as they are.
    pub(crate) fn new(secret: &str) -> Self {
        // cannot fail: HMAC takes a key of any length
        Self(Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// Signs `<timestamp>+<path>`. The time is in UTC milliseconds; the path is the call's *prehash*, which is not
    /// always the path of its address.
    pub(crate) fn sign(&self, millis: u64, path: &str) -> Signature {
        let mut mac = self.0.clone();
        let mut digits = [0; 20];
        mac.update(decimal(millis, &mut digits));
        mac.update(b"+");
        mac.update(path.as_bytes());
        let mut text = [0; 44];
        // cannot fail: 32 bytes make 44 characters
        STANDARD.encode_slice(mac.finalize().into_bytes(), &mut text).unwrap_or_default();
        Signature(text)
    }
}

impl Signature {
    /// The characters, for the header `x-auth-signature` or the field `sig`.
    pub fn as_str(&self) -> &str {
        // cannot fail: base64 is ASCII
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").finish_non_exhaustive()
    }
}

/// The digits of a number.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        // cannot fail: below 10
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    digits.get(20 - used..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_signatures_of_the_reference() {
        let one = "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk";
        let two = "98dRnVqbIhriRMZJfax3EvSPRBJrIuZ6J755KcLz6napGUpzmApJmfBY7EY3yYZn";
        for (secret, millis, path, signature) in [
            (one, 1_608_133_910_000, "info", "/pwaAgWZQ1Xd/J4yZ4ReHSPQxd3ORP/YR8TvAttqqYM="),
            (one, 1_562_952_827_927, "user/info", "vBZf8OQuiTJIVbNpNHGY3zcUsK5gJpwb5lgCgarpxYI="),
            (two, 1_562_952_827_927_000, "user/info", "UlpDqbDlNYydgT57It2IGiZGts13GnfF+D6Cmzq7xQE="),
        ] {
            assert_eq!(Signer::new(secret).sign(millis, path).as_str(), signature);
        }
    }

    #[test]
    fn writes_every_number() {
        for number in [0, 7, 10, 1_608_133_910_000, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
