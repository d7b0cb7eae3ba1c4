//! Who opens the stream: from where, by which path, and as whom.

use std::net::IpAddr;

use super::accounts::{Accounts, Proof, UserIx};
use super::http::Request;
use super::wire::Refusal;
use crate::Code;

/// A client that opens the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// The account group of the path.
    pub(crate) group: Option<u32>,
    /// What stands after the time in what is signed.
    prehash: &'static str,
    /// Who it is, where that is known.
    pub(crate) user: Option<UserIx>,
}

impl Visitor {
    /// Whoever comes by this path: `/G/api/pro/v1/stream`, where the account group may be missing, or with `v2`.
    /// `None` for any other.
    pub(crate) fn new(path: &str, address: IpAddr) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (group, path) = match path.split_once('/') {
            Some((group, rest)) if group != "api" => (Some(group.parse().ok()?), rest),
            _ => (None, path),
        };
        let prehash = match path {
            "api/pro/v1/stream" => "stream",
            "api/pro/v2/stream" => "v2/stream",
            _ => return None,
        };
        Some(Self { address, group, prehash, user: None })
    }

    /// Whether the headers of an upgrade say who it is, rightly or not.
    pub(crate) fn is_named(request: &Request) -> bool {
        ["x-auth-key", "x-auth-timestamp", "x-auth-signature"].iter().any(|name| request.header(name).is_some())
    }

    /// Who shows this proof.
    ///
    /// # Errors
    /// As [`Accounts::authenticate`]; `ACCOUNT_NOT_FOUND` where the path's account group is missing or not the
    /// user's.
    pub(crate) fn authenticate(&self, accounts: &Accounts, proof: Proof<'_>, now: u64) -> Result<UserIx, Refusal> {
        let user = accounts.authenticate(proof, &[self.prehash], now)?;
        match self.group {
            Some(group) if group == accounts[user].group => Ok(user),
            Some(group) => Err(Refusal::new(Code::ACCOUNT_NOT_FOUND, format!("No such account in group {group}"))),
            None => Err(Refusal::new(Code::ACCOUNT_NOT_FOUND, "The path has no account group: public data only")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn paths_of_the_stream() {
        let visitor = |path: &str| Visitor::new(path, Ipv4Addr::LOCALHOST.into()).map(|v| (v.group, v.prehash));
        assert_eq!(visitor("/0/api/pro/v1/stream"), Some((Some(0), "stream")));
        assert_eq!(visitor("/12/api/pro/v2/stream"), Some((Some(12), "v2/stream")));
        assert_eq!(visitor("/api/pro/v1/stream"), Some((None, "stream")));
        assert_eq!(visitor("/api/pro/v2/stream"), Some((None, "v2/stream")));
        for path in ["/x/api/pro/v1/stream", "/api/pro/v3/stream", "/-1/api/pro/v1/stream", "/stream", "", "//"] {
            assert_eq!(visitor(path), None, "{path}");
        }
    }
}
