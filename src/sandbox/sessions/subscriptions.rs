//! Who is told what: `sub`, `unsub` and the way of a publication to its subscribers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::message::ClientMessage;
use super::{Asker, Output, SessionId, Sessions, World};
use crate::sandbox::accounts::{Permission, UserIx};
use crate::sandbox::channel;
use crate::sandbox::wire::{self, Refusal};
use crate::{Code, Symbol};

/// Symbols in one `sub` or `unsub`, at most.
const MAX_SYMBOLS: usize = 10;

impl Sessions {
    pub(super) fn subscribe(&mut self, world: &mut World<'_>, asker: &Asker, message: &ClientMessage) {
        let (id, now) = (asker.session, world.now);
        let channels = match channels(message) {
            Ok(channels) => channels,
            Err(refusal) => return self.refuse(asker, message, &refusal, now),
        };
        for channel in channels {
            let playback = self.sessions.get(&id).and_then(|s| s.playback.as_ref());
            let recorded = playback.is_some_and(|p| p.knows(channel::argument(&channel)));
            let channel = match self.check_channel(world, asker, &channel) {
                Ok(channel) => channel,
                Err(refusal) if refusal.code == Code::SYMBOL_ERROR && recorded => channel,
                Err(refusal) if matches!(refusal.code, Code::AUTHORIZATION_NEEDED | Code::INVALID_WS_REQUEST_DATA) => {
                    self.refuse(asker, message, &refusal, now);
                    continue;
                }
                Err(refusal) => {
                    let refused = wire::subscription_refused(message.id.as_ref(), &channel, &refusal);
                    self.answer(asker, refused, now);
                    continue;
                }
            };
            self.answer(asker, wire::acknowledged("sub", message.id.as_ref(), &channel), now);
            match self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) {
                Some(playback) => playback.subscribe(&channel, now),
                None => {
                    self.subscribers.entry(channel.as_str().into()).or_default().insert(id);
                    self.outputs.extend(world.market.newest(&channel).map(|text| Output::Text(id, text)));
                }
            }
        }
        self.play(id, now);
    }

    /// A channel that a session may subscribe to, as it is kept and acknowledged: with an account's id for its name.
    fn check_channel(&self, world: &World<'_>, asker: &Asker, channel: &str) -> Result<String, Refusal> {
        match channel.split(':').collect::<Vec<_>>().as_slice() {
            ["order", account, symbol @ ..] if symbol.len() <= 1 => {
                let user = self.user(asker, channel)?;
                world.accounts.check_permission(user, Permission::View)?;
                let account = account_id(world, user, account)
                    .ok_or_else(|| Refusal::new(Code::ACCOUNT_NOT_FOUND, format!("No such account: {account}")))?;
                for symbol in symbol {
                    world.market.symbol(symbol)?;
                }
                Ok(order_channel(account, symbol.first().copied()))
            }
            ["depth-realtime", ..] => {
                self.user(asker, channel)?;
                world.market.check_channel(channel).map(|()| channel.to_owned())
            }
            _ => world.market.check_channel(channel).map(|()| channel.to_owned()),
        }
    }

    pub(super) fn unsubscribe(&mut self, world: &World<'_>, asker: &Asker, message: &ClientMessage) {
        let id = asker.session;
        let patterns = match channels(message) {
            Ok(patterns) => patterns,
            Err(refusal) => return self.refuse(asker, message, &refusal, world.now),
        };
        for pattern in patterns {
            let pattern = self.resolve(world, asker, &pattern).unwrap_or(pattern);
            self.forget(id, &pattern);
            if let Some(playback) = self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) {
                playback.unsubscribe(&pattern);
            }
            self.answer(asker, wire::acknowledged("unsub", message.id.as_ref(), &pattern), world.now);
        }
    }

    /// A pattern that names an account, with the account's id.
    fn resolve(&self, world: &World<'_>, asker: &Asker, pattern: &str) -> Option<String> {
        let (account, symbol) = match pattern.strip_prefix("order:")?.split_once(':') {
            Some((account, symbol)) => (account, Some(symbol)),
            None => (pattern.strip_prefix("order:")?, None),
        };
        let user = self.user(asker, pattern).ok()?;
        Some(order_channel(account_id(world, user, account)?, symbol))
    }

    /// Ends the subscriptions of a session that match.
    pub(super) fn forget(&mut self, id: SessionId, pattern: &str) {
        self.subscribers.retain(|channel, ids| {
            if channel::matches(pattern, channel) {
                ids.remove(&id);
            }
            !ids.is_empty()
        });
    }

    /// Whether anyone listens to a channel.
    pub(crate) fn is_subscribed(&self, channel: &str) -> bool {
        self.subscribers.contains_key(channel)
    }

    /// Hands a message to everyone who subscribed to its channel.
    pub(crate) fn publish(&mut self, channel: &str, text: &Arc<str>) {
        let ids = self.subscribers.get(channel).into_iter().flatten();
        self.outputs.extend(ids.map(|id| Output::Text(*id, Arc::clone(text))));
    }

    /// Who is to be told what happens to an account: in one product, or of no product.
    pub(crate) fn listeners(&self, account: &str, symbol: Option<Symbol>) -> BTreeSet<SessionId> {
        let whole = order_channel(account, None);
        match symbol {
            Some(symbol) => {
                let one = order_channel(account, Some(symbol.as_str()));
                [whole, one]
                    .iter()
                    .filter_map(|channel| self.subscribers.get(channel.as_str()))
                    .flatten()
                    .copied()
                    .collect()
            }
            None => {
                let from = self.subscribers.range(Box::<str>::from(whole.as_str())..);
                let of_account = from.take_while(|(channel, _)| channel::matches(&whole, channel));
                of_account.flat_map(|(_, ids)| ids).copied().collect()
            }
        }
    }

    /// Hands a message to sessions, in each as it is for its mode of acknowledgement.
    pub(crate) fn tell(&mut self, ids: &BTreeSet<SessionId>, text: impl Fn(bool) -> Option<String>) {
        let mut texts: [Option<Option<Arc<str>>>; 2] = [None, None];
        for id in ids {
            let ready = self.sessions.get(id).is_some_and(|session| session.ready);
            let Some(known) = texts.get_mut(usize::from(ready)) else { continue };
            let text = known.get_or_insert_with(|| text(ready).map(Arc::from));
            self.outputs.extend(text.iter().map(|text| Output::Text(*id, Arc::clone(text))));
        }
    }
}

fn account_id<'a>(world: &'a World<'_>, user: UserIx, name: &str) -> Option<&'a str> {
    let record = &world.accounts[user];
    record.find_account(name).map(|category| record.account_id(category))
}

/// What happens to an account is told on this channel.
fn order_channel(account: &str, symbol: Option<&str>) -> String {
    match symbol {
        Some(symbol) => format!("order:{account}:{symbol}"),
        None => format!("order:{account}"),
    }
}

/// The channels, or patterns of channels, that a message names.
fn channels(message: &ClientMessage) -> Result<Vec<String>, Refusal> {
    let refused = |why: String| Err(Refusal::new(Code::INVALID_WS_REQUEST_DATA, why));
    let channels = channel::each(&message.ch);
    if message.ch.is_empty() || channels.is_empty() {
        return refused("Missing channel".into());
    }
    if channels.len() > MAX_SYMBOLS {
        return refused(format!("Too many symbols in one message: {}, at most {MAX_SYMBOLS}", channels.len()));
    }
    Ok(channels)
}
