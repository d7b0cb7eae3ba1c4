//! What of the users outlives an exchange, beside what the engine keeps of them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::transfers::SubTransfer;
use super::wallet::Movement;
use super::{Accounts, Profile};
use crate::sandbox::engine::UserId;
use crate::sandbox::market::Random;

/// What is kept of all users. Their keys, secrets and ids follow from the seed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    random: Random,
    users: Vec<KeptUser>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptUser {
    profile: Profile,
    cash: Journal,
    margin: Journal,
    wallet: VecDeque<Movement>,
    sub_transfers: VecDeque<SubTransfer>,
}

impl Accounts {
    /// How often something happened that is to be kept.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// What is to be kept.
    pub(crate) fn keep(&self) -> Kept {
        let users = self.users.iter().map(|record| KeptUser {
            profile: record.profile.clone(),
            cash: record.cash.keep(),
            margin: record.margin.keep(),
            wallet: record.wallet.clone(),
            sub_transfers: record.sub_transfers.clone(),
        });
        Kept { random: self.random.clone(), users: users.collect() }
    }

    /// The users in the engine.
    pub(crate) fn engine_ids(&self) -> Vec<UserId> {
        self.users.iter().map(|record| record.id).collect()
    }

    /// Takes users in, as the engine knows them by now.
    ///
    /// # Errors
    /// What does not add up.
    pub(crate) fn restore(&mut self, kept: Kept, ids: &[UserId]) -> Result<(), String> {
        if ids.is_empty() || ids.len() != kept.users.len() {
            return Err(format!("{} users with accounts, and {} with names", ids.len(), kept.users.len()));
        }
        let known = |user: super::UserIx| user.0 < ids.len();
        self.random = kept.random;
        for (user, id) in kept.users.into_iter().zip(ids) {
            let parties = user.sub_transfers.iter().flat_map(|transfer| [transfer.from.user, transfer.to.user]);
            if !parties.chain(user.profile.parent).all(known) {
                return Err("a user names another that there is not".to_owned());
            }
            let (ix, _) = self.add_record(*id, user.profile);
            let record = &mut self[ix];
            (record.cash, record.margin) = (user.cash, user.margin);
            (record.wallet, record.sub_transfers) = (user.wallet, user.sub_transfers);
        }
        Ok(())
    }
}
