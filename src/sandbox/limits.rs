//! Who is kept out. No sockets and no clock in it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::Code;

/// An address that may not open the stream for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ban {
    /// UTC ms.
    pub(crate) until: u64,
    pub(crate) code: Code,
    pub(crate) reason: String,
}

/// All limits of clients, and who has gone beyond them.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    bans: BTreeMap<IpAddr, Ban>,
}

impl Limits {
    pub(crate) fn ban(&mut self, address: IpAddr, ban: Ban) {
        self.bans.insert(address, ban);
    }

    pub(crate) fn lift_ban(&mut self, address: IpAddr) {
        self.bans.remove(&address);
    }

    /// Whether an address is banned now, and why.
    pub(crate) fn banned(&self, address: IpAddr, now: u64) -> Option<&Ban> {
        self.bans.get(&address).filter(|ban| now < ban.until)
    }
}
