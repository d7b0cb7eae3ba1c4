//! How much may be said in a minute, so that the exchange neither ignores nor bans.

use std::time::Duration;

use crate::pace::Window;

/// Messages a minute, by the groups that share a count. Defaults to the exchange's first level: what is sent
/// beyond it is ignored for 15 minutes, and beyond its second the address is banned.
///
/// The figures in force come from [`Market::risk_limits`](crate::Market::risk_limits):
/// [`MessageLimits::from`](#impl-From<%26RiskLimits>-for-MessageLimits) reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageLimits {
    /// `auth`, `ping` and `pong` together. Defaults to 800.
    pub admin: u32,
    /// `sub` and `unsub` together. Defaults to 150.
    pub subscriptions: u32,
    /// All requests, orders and snapshots among them. Defaults to 10 000.
    pub requests: u32,
    /// Orders and cancels. Defaults to 8000.
    pub orders: u32,
    /// Snapshots of books. Defaults to 400.
    pub snapshots: u32,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { admin: 800, subscriptions: 150, requests: 10_000, orders: 8000, snapshots: 400 }
    }
}

impl From<&crate::model::RiskLimits> for MessageLimits {
    /// The first level of the exchange's figures; what it does not name stays at its default.
    fn from(limits: &crate::model::RiskLimits) -> Self {
        let threshold = &limits.web_socket.message_threshold;
        let least = |map: &std::collections::BTreeMap<String, u32>, names: &[&str], default: u32| {
            names.iter().filter_map(|name| map.get(*name).copied()).min().unwrap_or(default)
        };
        let (ops, requests) = (&threshold.level1_op_threshold, &threshold.level1_req_threshold);
        let default = Self::default();
        Self {
            admin: least(ops, &["auth", "ping", "pong"], default.admin),
            subscriptions: least(ops, &["sub", "unsub"], default.subscriptions),
            requests: least(ops, &["req"], default.requests),
            orders: least(requests, &["place_order", "cancel_order", "cancel_all"], default.orders),
            snapshots: least(requests, &["depth_snapshot", "depth_snapshot_top100"], default.snapshots),
        }
    }
}

/// What a message counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Admin,
    Subscription,
    Order,
    Snapshot,
    /// Any other request.
    Request,
}

/// What was said in the last minute.
#[derive(Debug)]
pub(crate) struct Budget {
    admin: Window,
    subscriptions: Window,
    requests: Window,
    orders: Window,
    snapshots: Window,
}

impl Budget {
    pub(crate) fn new(limits: &MessageLimits) -> Self {
        Self {
            admin: Window::new(limits.admin),
            subscriptions: Window::new(limits.subscriptions),
            requests: Window::new(limits.requests),
            orders: Window::new(limits.orders),
            snapshots: Window::new(limits.snapshots),
        }
    }

    /// Takes the place of one message.
    ///
    /// # Errors
    /// How long until there is one; nothing is taken.
    pub(crate) fn take(&mut self, kind: Kind, now: Duration) -> Result<(), Duration> {
        let windows: &mut [&mut Window] = match kind {
            Kind::Admin => &mut [&mut self.admin],
            Kind::Subscription => &mut [&mut self.subscriptions],
            Kind::Order => &mut [&mut self.requests, &mut self.orders],
            Kind::Snapshot => &mut [&mut self.requests, &mut self.snapshots],
            Kind::Request => &mut [&mut self.requests],
        };
        let wait = windows.iter_mut().map(|window| window.wait(now)).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        windows.iter_mut().for_each(|window| window.take(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn no_minute_holds_more_than_the_limit() {
        let mut budget = Budget::new(&MessageLimits { subscriptions: 3, ..MessageLimits::default() });
        for at in [0, 10, 59] {
            assert_eq!(budget.take(Kind::Subscription, at * S), Ok(()));
        }
        assert_eq!(budget.take(Kind::Subscription, 59 * S), Err(S));
        assert_eq!(budget.take(Kind::Subscription, 60 * S), Ok(()));
        assert_eq!(budget.take(Kind::Subscription, 60 * S), Err(10 * S));
        assert_eq!(budget.take(Kind::Admin, 60 * S), Ok(()), "another group");
    }

    #[test]
    fn orders_and_snapshots_are_requests_too() {
        let mut budget = Budget::new(&MessageLimits { requests: 3, orders: 2, ..MessageLimits::default() });
        assert_eq!(budget.take(Kind::Order, S), Ok(()));
        assert_eq!(budget.take(Kind::Order, S), Ok(()));
        assert!(budget.take(Kind::Order, S).is_err());
        assert_eq!(budget.take(Kind::Snapshot, S), Ok(()));
        assert_eq!(budget.take(Kind::Request, 2 * S), Err(59 * S));
    }

    #[test]
    fn the_figures_in_force_are_read() {
        let text = include_str!("../../tests/fixtures/rest/risk-limits-v2.json");
        let answer: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut limits: crate::model::RiskLimits = serde_json::from_str(&answer["data"].to_string()).unwrap();
        assert_eq!(MessageLimits::from(&limits), MessageLimits::default());

        let threshold = &mut limits.web_socket.message_threshold;
        let figures = |figures: &[(&str, u32)]| figures.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        threshold.level1_op_threshold = figures(&[("ping", 9), ("auth", 8), ("sub", 7), ("req", 6), ("later", 1)]);
        threshold.level1_req_threshold = figures(&[("place_order", 4), ("cancel_order", 5)]);
        let expected = MessageLimits { admin: 8, subscriptions: 7, requests: 6, orders: 4, snapshots: 400 };
        assert_eq!(MessageLimits::from(&limits), expected);
    }
}
