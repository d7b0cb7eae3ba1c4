//! Orders and balances of an account, kept true.

mod event;
mod order;
mod own;
mod repair;
mod state;

pub use event::{BalanceChange, Contradiction, ContradictionKind, RepairFailed, TrackedBalance, TrackerEvent};
pub use order::{Fill, OrderStage, TrackedOrder, Transition};

#[cfg(test)]
mod tests;
