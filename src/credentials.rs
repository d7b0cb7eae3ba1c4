//! The API key and its secret.

use std::fmt;

use crate::error::InvalidInput;
use crate::sign::{Signature, Signer};

/// An API key with its secret.
///
/// The secret is turned into the signer's keyed state at once and not kept; neither it nor the key is ever shown
/// by `Debug`, written to a log, or told in an error.
///
/// ```
/// use bitmax::Credentials;
/// let credentials = Credentials::new("key", "secret")?;
/// assert_eq!(format!("{credentials:?}"), "Credentials { .. }");
/// # Ok::<(), bitmax::InvalidInput>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    key: Box<str>,
    signer: Signer,
}

impl Credentials {
    /// A key and its secret. The secret is used as it is, not decoded.
    ///
    /// # Errors
    /// [`InvalidInput`] naming `key` or `secret` when it is empty, or holds anything but visible ASCII: a space
    /// or a line break that came along from a file, say.
    pub fn new(key: &str, secret: &str) -> Result<Self, InvalidInput> {
        for (field, text) in [("key", key), ("secret", secret)] {
            if text.is_empty() {
                return Err(InvalidInput::new(field, "is empty"));
            }
            if !text.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(InvalidInput::new(field, "holds white space or something else that no key has"));
            }
        }
        Ok(Self { key: key.into(), signer: Signer::new(secret) })
    }

    /// The key and the secret of the environment: `BITMAX_API_KEY` and `BITMAX_API_SECRET`.
    ///
    /// # Errors
    /// [`InvalidInput`] naming the variable that is missing, or what [`new`](Self::new) refuses.
    pub fn from_env() -> Result<Self, InvalidInput> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with another place to look the two names up.
    ///
    /// ```
    /// use bitmax::Credentials;
    /// let missing = Credentials::from_lookup(|_| None).unwrap_err();
    /// assert_eq!(missing.field(), "BITMAX_API_KEY");
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidInput> {
        let find = |name| lookup(name).ok_or_else(|| InvalidInput::new(name, "is not set"));
        Self::new(&find("BITMAX_API_KEY")?, &find("BITMAX_API_SECRET")?)
    }

    /// Signs `<millis>+<prehash>`, for a call that this crate does not have. The time is in UTC milliseconds, the same as
    /// in the header `x-auth-timestamp`; the prehash is the call's API path in the exchange's documentation, which is
    /// not always the path of its address.
    ///
    /// ```
    /// use bitmax::Credentials;
    /// let secret = "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk";
    /// let signature = Credentials::new("key", secret)?.sign(1_608_133_910_000, "info");
    /// assert_eq!(signature.as_str(), "/pwaAgWZQ1Xd/J4yZ4ReHSPQxd3ORP/YR8TvAttqqYM=");
    /// # Ok::<(), bitmax::InvalidInput>(())
    /// ```
    pub fn sign(&self, millis: u64, prehash: &str) -> Signature {
        self.signer.sign(millis, prehash)
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What a server (or a proxy's page) says, with a key and a signature that it echoes blotted out; `None` where it does not.
///
/// Piece by piece between what is no letter or digit, so that they are found also where that is escaped; pieces of less
/// than eight characters are no secret, and likely to stand there by chance.
pub(crate) fn concealed(said: &[u8], secrets: [&str; 2]) -> Option<String> {
    let pieces = secrets.iter().flat_map(|secret| secret.split(|c: char| !c.is_ascii_alphanumeric()));
    let mut text = String::from_utf8_lossy(said);
    let mut found = false;
    for piece in pieces.filter(|piece| piece.len() >= 8) {
        if text.contains(piece) {
            text = text.replace(piece, "********").into();
            found = true;
        }
    }
    found.then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_in_the_environment_by_name() {
        let environment = |name: &str| match name {
            "BITMAX_API_KEY" => Some("k".to_owned()),
            "BITMAX_API_SECRET" => Some("s".to_owned()),
            _ => None,
        };
        assert_eq!(Credentials::from_lookup(environment).unwrap().key(), "k");
        let half = |name: &str| environment(name).filter(|_| name.ends_with("KEY"));
        assert_eq!(Credentials::from_lookup(half).unwrap_err().field(), "BITMAX_API_SECRET");
    }

    #[test]
    fn what_no_key_has_is_refused_without_being_shown() {
        for (key, secret, field) in
            [("", "s", "key"), ("k", "", "secret"), ("k\n", "s", "key"), ("k", "hid den", "secret")]
        {
            let error = Credentials::new(key, secret).unwrap_err();
            assert_eq!(error.field(), field);
            assert!(!format!("{error} {error:?}").contains("hid"));
        }
    }
}
