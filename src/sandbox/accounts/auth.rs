//! Who asks: keys and signatures. Written apart from the client's signer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Accounts, UserIx};
use crate::Code;
use crate::sandbox::http::Request;
use crate::sandbox::wire::Refusal;

type Keyed = Hmac<Sha256>;

/// A secret, ready to check signatures with.
#[derive(Clone)]
pub(super) struct Secret {
    /// Keyed by the secret as it is, and by what it stands for in base64, which some clients sign with.
    keyed: Vec<Keyed>,
}

impl Secret {
    pub(super) fn new(secret: &str) -> Self {
        let decoded = STANDARD.decode(secret).ok();
        let keys = [Some(secret.as_bytes().to_vec()), decoded];
        Self { keyed: keys.iter().flatten().filter_map(|key| Keyed::new_from_slice(key).ok()).collect() }
    }

    /// Whether this is the signature of a message, in constant time.
    fn signed(&self, message: &str, signature: &[u8]) -> bool {
        self.keyed.iter().any(|keyed| keyed.clone().chain_update(message).verify_slice(signature).is_ok())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a client shows to prove who it is: headers, or the fields of an `auth` message.
#[derive(Clone, Copy)]
pub(crate) struct Proof<'a> {
    pub(crate) key: Option<&'a str>,
    /// UTC milliseconds, as sent: the signature is over this text.
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) signature: Option<&'a str>,
}

impl<'a> Proof<'a> {
    /// What the headers of a request say.
    pub(crate) fn of(request: &'a Request) -> Self {
        let header = |name| request.header(name).filter(|value| !value.is_empty());
        Self { key: header("x-auth-key"), timestamp: header("x-auth-timestamp"), signature: header("x-auth-signature") }
    }
}

impl Accounts {
    /// Who shows this proof. `prehashes`: what may stand after the time in what is signed.
    ///
    /// # Errors
    /// `AUTHORIZATION_NEEDED` where something is missing; `ACCOUNT_ERROR` for a key that nobody has (so the published
    /// refusal on the stream); `INVALID_TIMESTAMP` for a time outside of the window; `AUTHENTICATION_FAILED` for
    /// another signature.
    pub(crate) fn authenticate(&self, proof: Proof<'_>, prehashes: &[&str], now: u64) -> Result<UserIx, Refusal> {
        let (Some(key), Some(timestamp), Some(signature)) = (proof.key, proof.timestamp, proof.signature) else {
            return Err(Refusal::new(Code::AUTHORIZATION_NEEDED, "Key, timestamp and signature are needed"));
        };
        let user =
            self.by_key(key).ok_or_else(|| Refusal::new(Code::ACCOUNT_ERROR, "Unable to find User Account Data"))?;
        let time = timestamp
            .parse()
            .map_err(|_| Refusal::new(Code::INVALID_TIMESTAMP, format!("Invalid timestamp: {timestamp}")))?;
        self.check_time(time, now)?;
        let secret = &self[user].secret;
        // What is no base64 of a whole signature is none of anyone's.
        let signature = STANDARD.decode(signature).unwrap_or_default();
        match prehashes.iter().any(|prehash| secret.signed(&format!("{timestamp}+{prehash}"), &signature)) {
            true => Ok(user),
            false => Err(Refusal::new(Code::AUTHENTICATION_FAILED, "Signature does not match")),
        }
    }

    /// Whether a time that a client sent is close enough to now.
    ///
    /// # Errors
    /// `INVALID_TIMESTAMP`.
    pub(super) fn check_time(&self, time: u64, now: u64) -> Result<(), Refusal> {
        match time.abs_diff(now.saturating_add_signed(self.clock_skew)) <= self.acceptance_window {
            true => Ok(()),
            false => Err(Refusal::new(
                Code::INVALID_TIMESTAMP,
                format!("Time {time} is more than {} ms from the server's", self.acceptance_window),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk";
    const TWO: &str = "98dRnVqbIhriRMZJfax3EvSPRBJrIuZ6J755KcLz6napGUpzmApJmfBY7EY3yYZn";

    fn signed(secret: &str, message: &str, signature: &str) -> bool {
        Secret::new(secret).signed(message, &STANDARD.decode(signature).unwrap())
    }

    #[test]
    fn the_signatures_of_the_reference_hold() {
        for (secret, message, signature) in [
            (ONE, "1608133910000+info", "/pwaAgWZQ1Xd/J4yZ4ReHSPQxd3ORP/YR8TvAttqqYM="),
            (ONE, "1562952827927+user/info", "vBZf8OQuiTJIVbNpNHGY3zcUsK5gJpwb5lgCgarpxYI="),
            (TWO, "1562952827927000+user/info", "UlpDqbDlNYydgT57It2IGiZGts13GnfF+D6Cmzq7xQE="),
        ] {
            assert!(signed(secret, message, signature), "{message}");
            assert!(!signed(secret, &format!("{message}x"), signature));
        }
        assert!(!signed(TWO, "1608133910000+info", "/pwaAgWZQ1Xd/J4yZ4ReHSPQxd3ORP/YR8TvAttqqYM="));
    }

    #[test]
    fn the_decoded_secret_signs_as_well() {
        let key = STANDARD.decode(ONE).unwrap();
        let signature = Keyed::new_from_slice(&key).unwrap().chain_update("1+info").finalize().into_bytes();
        assert!(signed(ONE, "1+info", &STANDARD.encode(signature)));
        // A secret that is no base64 has but one way.
        assert_eq!(Secret::new("not base64!").keyed.len(), 1);
        assert_eq!(format!("{:?}", Secret::new("x")), "Secret");
    }
}
