//! How much clients of the stream may do, and who is kept out for having done more. No sockets and no clock in it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::clock::MINUTE;
use crate::Code;

/// How long messages are ignored and addresses are banned, ms.
const PENALTY: u64 = 15 * MINUTE;
/// The time in which attempts to connect are counted, ms.
pub(crate) const ATTEMPTS_WINDOW: u64 = 5 * MINUTE;

/// How many messages of a kind one session may send in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Level 1: with one more, messages of the kind are ignored for 15 minutes.
    pub ignore: u32,
    /// Level 2: with one more, ignored ones counted, the session is ended and its address banned for 15 minutes.
    pub ban: u32,
}

/// How much clients of the stream may do: [`SandboxBuilder::limits`](crate::sandbox::SandboxBuilder::limits). Begin with
/// [`reference`](Self::reference) and change what is to be different. The *risk limits* calls tell these figures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLimits {
    /// `auth`, `ping` and `pong`, together. On the exchange 800 and 1000.
    pub admin: Threshold,
    /// `sub` and `unsub`, together. On the exchange 150 and 200.
    pub subscriptions: Threshold,
    /// All requests, those about orders and for snapshots among them, and messages that say nothing. On the exchange
    /// 10 000 and 10 000.
    pub requests: Threshold,
    /// `place-order`, `cancel-order` and `cancel-all`, together. On the exchange 8000 and 10 000.
    pub orders: Threshold,
    /// Snapshots of the depth. On the exchange 400 and 500.
    pub snapshots: Threshold,
    /// Sessions of an address and account group at once. On the exchange 20.
    pub sessions_of_group: u32,
    /// Sessions of an address at once. On the exchange 300.
    pub sessions_of_address: u32,
    /// Attempts of an address to open the stream in 5 minutes; with one more it is banned for 15. On the exchange 45.
    pub attempts: u32,
}

impl StreamLimits {
    /// The figures of the exchange.
    pub const fn reference() -> Self {
        Self::times(1)
    }

    const fn times(factor: u32) -> Self {
        const fn threshold(factor: u32, ignore: u32, ban: u32) -> Threshold {
            Threshold { ignore: factor * ignore, ban: factor * ban }
        }
        Self {
            admin: threshold(factor, 800, 1000),
            subscriptions: threshold(factor, 150, 200),
            requests: threshold(factor, 10_000, 10_000),
            orders: threshold(factor, 8000, 10_000),
            snapshots: threshold(factor, 400, 500),
            sessions_of_group: factor * 20,
            sessions_of_address: factor * 300,
            attempts: factor * 45,
        }
    }
}

impl Default for StreamLimits {
    /// A thousand times the figures of the exchange, so that no test meets them by accident.
    fn default() -> Self {
        Self::times(1000)
    }
}

/// A kind of message, of which one session may send only so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Admin,
    Subscription,
    Request,
    Order,
    Snapshot,
}

impl StreamLimits {
    fn threshold(&self, kind: Kind) -> Threshold {
        match kind {
            Kind::Admin => self.admin,
            Kind::Subscription => self.subscriptions,
            Kind::Request => self.requests,
            Kind::Order => self.orders,
            Kind::Snapshot => self.snapshots,
        }
    }
}

/// What is to be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Heard,
    Ignored,
    /// Its session is to end.
    Banned,
}

/// What one session has sent, by kind.
#[derive(Debug, Default)]
pub(crate) struct Meter([Count; 5]);

#[derive(Debug, Default)]
struct Count {
    /// When the minute began in which is counted.
    since: u64,
    messages: u32,
    ignored_until: u64,
}

impl Meter {
    /// Counts one more message.
    pub(crate) fn count(&mut self, limits: &StreamLimits, kind: Kind, now: u64) -> Verdict {
        let threshold = limits.threshold(kind);
        let Some(count) = self.0.get_mut(kind as usize) else { return Verdict::Heard };
        if now.saturating_sub(count.since) >= MINUTE {
            (count.since, count.messages) = (now, 0);
        }
        count.messages = count.messages.saturating_add(1);
        if count.messages > threshold.ban {
            return Verdict::Banned;
        }
        if count.messages > threshold.ignore && count.ignored_until <= now {
            log::warn!("{kind:?} messages of a session are ignored: more than {} in a minute", threshold.ignore);
            count.ignored_until = now.saturating_add(PENALTY);
        }
        if now < count.ignored_until { Verdict::Ignored } else { Verdict::Heard }
    }
}

/// An address that may not open the stream for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ban {
    /// UTC ms.
    pub(crate) until: u64,
    pub(crate) code: Code,
    pub(crate) reason: String,
}

/// Who is kept out, and who has tried to come in.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) limits: StreamLimits,
    bans: BTreeMap<IpAddr, Ban>,
    attempts: BTreeMap<IpAddr, VecDeque<u64>>,
}

impl Gate {
    pub(crate) fn new(limits: StreamLimits) -> Self {
        Self { limits, bans: BTreeMap::new(), attempts: BTreeMap::new() }
    }

    /// Bans an address for so long, ms.
    pub(crate) fn ban(&mut self, address: IpAddr, time: u64, reason: &str, now: u64) {
        log::warn!("{address} is banned from the stream: {reason}");
        let until = now.saturating_add(time);
        self.bans.insert(address, Ban { until, code: Code::TOO_MANY_REQUESTS, reason: reason.to_owned() });
    }

    /// Bans an address for going beyond a limit.
    pub(crate) fn punish(&mut self, address: IpAddr, reason: &str, now: u64) {
        self.ban(address, PENALTY, reason, now);
    }

    pub(crate) fn lift_ban(&mut self, address: IpAddr) {
        self.bans.remove(&address);
        self.attempts.remove(&address);
    }

    /// Whether an address is banned now, and why.
    pub(crate) fn banned(&self, address: IpAddr, now: u64) -> Option<&Ban> {
        self.bans.get(&address).filter(|ban| now < ban.until)
    }

    /// Takes note that an address wants to open the stream; whether it is banned.
    pub(crate) fn attempt(&mut self, address: IpAddr, now: u64) -> Option<&Ban> {
        if self.banned(address, now).is_none() {
            let attempts = self.attempts.entry(address).or_default();
            while attempts.front().is_some_and(|time| time.saturating_add(ATTEMPTS_WINDOW) <= now) {
                attempts.pop_front();
            }
            attempts.push_back(now);
            let (count, most) = (attempts.len(), self.limits.attempts);
            if count > most as usize {
                self.attempts.remove(&address);
                self.punish(address, &format!("exceeds MAX_REQ_COUNT_PER_IP[{most}], {count} requests recently"), now);
            }
        }
        self.banned(address, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn limits(ignore: u32, ban: u32) -> StreamLimits {
        StreamLimits { orders: Threshold { ignore, ban }, ..StreamLimits::reference() }
    }

    #[test]
    fn too_many_messages_are_ignored_for_a_while_and_far_too_many_are_the_end() {
        let limits = limits(3, 5);
        let mut meter = Meter::default();
        let mut verdicts = |times: &[u64]| -> Vec<Verdict> {
            times.iter().map(|now| meter.count(&limits, Kind::Order, *now)).collect()
        };
        use Verdict::{Banned, Heard, Ignored};
        assert_eq!(verdicts(&[100_000; 3]), [Heard; 3]);
        assert_eq!(verdicts(&[160_000; 4]), [Heard, Heard, Heard, Ignored], "a new minute");
        assert_eq!(verdicts(&[161_000, 220_000, 160_000 + PENALTY - 1]), [Ignored; 3], "for 15 minutes");
        assert_eq!(verdicts(&[160_000 + PENALTY]), [Heard]);
        let later = 10 * PENALTY;
        assert_eq!(verdicts(&[later; 6]), [Heard, Heard, Heard, Ignored, Ignored, Banned]);
        assert_eq!(meter.count(&limits, Kind::Admin, later), Heard, "another kind");
    }

    #[test]
    fn where_both_levels_are_one_the_end_comes_at_once() {
        let (limits, mut meter) = (limits(2, 2), Meter::default());
        let verdicts: Vec<_> = (0..3).map(|_| meter.count(&limits, Kind::Order, 0)).collect();
        assert_eq!(verdicts, [Verdict::Heard, Verdict::Heard, Verdict::Banned]);
    }

    #[test]
    fn attempts_are_counted_for_five_minutes() {
        let mut gate = Gate::new(StreamLimits { attempts: 3, ..StreamLimits::reference() });
        let address = Ipv4Addr::LOCALHOST.into();
        for now in [0, 0, 0, ATTEMPTS_WINDOW, ATTEMPTS_WINDOW, ATTEMPTS_WINDOW] {
            assert_eq!(gate.attempt(address, now), None);
        }
        let ban = gate.attempt(address, ATTEMPTS_WINDOW + 1).unwrap().clone();
        assert_eq!(ban.until, ATTEMPTS_WINDOW + 1 + PENALTY);
        assert_eq!(ban.reason, "exceeds MAX_REQ_COUNT_PER_IP[3], 4 requests recently");
        assert!(gate.attempt(Ipv4Addr::UNSPECIFIED.into(), ATTEMPTS_WINDOW + 1).is_none());
        assert!(gate.attempt(address, ban.until).is_none());
        gate.ban(address, 10, "by hand", ban.until);
        gate.lift_ban(address);
        assert!(gate.banned(address, ban.until).is_none());
    }
}
