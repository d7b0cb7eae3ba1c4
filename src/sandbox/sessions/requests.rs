//! What clients ask for on the stream (`req`), each answered once.

use super::message::ClientMessage;
use super::rows;
use super::{Asker, Later, Sessions, World};
use crate::Code;
use crate::sandbox::accounts::{Fields, OrderAnswer, Permission, Source, UserIx};
use crate::sandbox::engine::Category;
use crate::sandbox::wire::{self, Refusal};

/// Trades in one answer, at most, and where the client does not say.
const MAX_TRADES: usize = 100;
/// Snapshots that may be under way to one session at once.
const MAX_UNDER_WAY: usize = 100;

/// A request about an account: who asks, of which account, with what arguments.
struct Private<'a> {
    user: UserIx,
    category: Category,
    message: &'a ClientMessage,
    args: Fields<'a>,
}

impl Sessions {
    pub(super) fn request(&mut self, world: &mut World<'_>, asker: &Asker, message: &ClientMessage) {
        let now = world.now;
        let symbol = message.arg("symbol").unwrap_or_default();
        let answer = match message.action.as_str() {
            "depth-snapshot" | "depth-snapshot-top100" => match self.ask_snapshot(world, asker, message, symbol) {
                Ok(()) => return,
                Err(refusal) => Err(refusal),
            },
            "market-trades" => {
                let count =
                    message.number_arg("level").map_or(MAX_TRADES, |level| level.min(MAX_TRADES as u64) as usize);
                world.market.market_trades(message.id.as_ref(), &symbol, count)
            }
            action if is_private(action) => match self.user(asker, action) {
                Ok(user) => Ok(self.private(world, user, message).unwrap_or_else(|refusal| {
                    // These two are refused in the shape of their answers.
                    let m = match action {
                        "depth-snapshot-realtime" | "order-status" => action,
                        _ => "error",
                    };
                    wire::error(m, message.id.as_ref(), &refusal)
                })),
                Err(refusal) => Err(refusal),
            },
            action => Err(Refusal::new(Code::INVALID_WS_REQUEST_DATA, format!("Invalid request action: {action}"))),
        };
        match answer {
            Ok(text) => self.answer(asker, text, now),
            Err(refusal) => self.refuse(asker, message, &refusal, now),
        }
    }

    fn ask_snapshot(
        &mut self,
        world: &World<'_>,
        asker: &Asker,
        message: &ClientMessage,
        symbol: String,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&asker.session) else { return Ok(()) };
        if let Some(playback) = session.playback.as_mut().filter(|playback| playback.knows(&symbol)) {
            if !playback.ask_snapshot(&symbol) {
                return Err(Refusal::new(
                    Code::DATA_NOT_AVAILABLE,
                    format!("No further snapshot of {symbol} was recorded"),
                ));
            }
            self.play(asker.session, world.now);
            return Ok(());
        }
        // Unknown symbols are refused at once.
        world.market.symbol(&symbol)?;
        if session.under_way >= MAX_UNDER_WAY {
            return Err(Refusal::new(Code::TOO_MANY_REQUESTS, "Too many snapshots are under way"));
        }
        session.under_way += 1;
        let due = world.now.saturating_add(self.settings.snapshot_delay);
        self.put_off(due, Later::Snapshot { asker: asker.clone(), action: message.action.clone(), symbol });
        Ok(())
    }

    pub(super) fn answer_snapshot(&mut self, world: &World<'_>, asker: &Asker, action: &str, symbol: &str) {
        if let Some(session) = self.sessions.get_mut(&asker.session) {
            session.under_way = session.under_way.saturating_sub(1);
        }
        let text = world.market.depth_snapshot(action, symbol);
        self.answer(asker, text.unwrap_or_else(|refusal| wire::error("error", None, &refusal)), world.now);
    }

    fn private(&mut self, world: &mut World<'_>, user: UserIx, message: &ClientMessage) -> Result<String, Refusal> {
        let action = message.action.as_str();
        let args = message.args();
        if action == "depth-snapshot-realtime" {
            return world.market.realtime_snapshot(&args.echo("symbol"));
        }
        let name = match &message.account {
            Some(name) => name.as_str(),
            // So the documentation's own example.
            None if action == "cancel-all" => "cash",
            None => return Err(Refusal::new(Code::INVALID_WS_REQUEST_DATA, "Missing account")),
        };
        let category = world.accounts[user]
            .find_account(name)
            .ok_or_else(|| Refusal::new(Code::ACCOUNT_NOT_FOUND, format!("No such account: {name}")))?;
        let needed = if matches!(action, "place-order" | "cancel-order" | "cancel-all") {
            Permission::Trade
        } else {
            Permission::View
        };
        world.accounts.check_permission(user, needed)?;
        let private = Private { user, category, message, args };
        match action {
            "place-order" => Ok(private.place(world)),
            "cancel-order" => Ok(self.cancel(world, &private)),
            "cancel-all" => Ok(private.cancel_all(world)),
            "balance" => private.balance(world),
            "open-order" => private.open_orders(world),
            "margin-risk" => private.margin_risk(world),
            _ => private.order_status(world),
        }
    }

    /// In the ready mode, a cancel that fails is told to those who listen to the account as well.
    fn cancel(&mut self, world: &mut World<'_>, private: &Private<'_>) -> String {
        let Private { user, category, args, .. } = private;
        let answer = world.accounts.cancel(world.market, (*user, *category), args, world.now);
        let refused = answer.outcome.as_ref().err().map(|not_acted| not_acted.refusal.code);
        if matches!(refused, Some(Code::CANCEL_REFUSED | Code::INVALID_ORDER_ID)) {
            let request = world.accounts.request_id(*user, Source::Stream, args);
            let sn = world.market.act(|engine| engine.take_sn());
            let record = &world.accounts[*user];
            let listeners =
                self.listeners(record.account_id(*category), world.market.symbol(&args.echo("symbol")).ok());
            let text = rows::cancel_rejected(record, *category, args, request, sn, world.now);
            self.tell(&listeners, |ready| ready.then(|| text.clone()));
        }
        private.order_answer(world, &answer)
    }
}

impl Private<'_> {
    fn order_answer(&self, world: &World<'_>, answer: &OrderAnswer) -> String {
        rows::order_answer(&world.accounts[self.user], answer)
    }

    fn place(&self, world: &mut World<'_>) -> String {
        let account = (self.user, self.category);
        let answer = world.accounts.place(world.market, account, Source::Stream, &self.args, world.now);
        self.order_answer(world, &answer)
    }

    fn cancel_all(&self, world: &mut World<'_>) -> String {
        let answer = world.accounts.cancel_all(world.market, (self.user, self.category), &self.args, world.now);
        self.order_answer(world, &answer)
    }

    /// An answer about the account.
    fn answer<T: serde::Serialize>(&self, world: &World<'_>, m: &str, data: T) -> String {
        rows::of_account(m, self.message.id.as_ref(), &world.accounts[self.user], self.category, data)
    }

    fn balance(&self, world: &World<'_>) -> Result<String, Refusal> {
        let asset = self.args.text("asset")?;
        let rows = world.accounts.balances(world.market, self.user, self.category, asset.as_deref(), false)?;
        let rows = rows.into_iter().map(|(asset, balance)| rows::BalanceRow::of(asset, &balance, None, self.category));
        Ok(self.answer(world, "balance", rows.collect::<Vec<_>>()))
    }

    /// Those of some products, or with `*` or nothing of all.
    fn open_orders(&self, world: &World<'_>) -> Result<String, Refusal> {
        let names = self.args.text("symbols")?.unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "*");
        let symbols = names.map(|name| world.market.symbol(name)).collect::<Result<Vec<_>, _>>()?;
        let orders = world.accounts.open_orders(world.market, self.user, self.category, None);
        let wanted = orders.filter(|order| symbols.is_empty() || symbols.contains(&order.symbol));
        let rows = wanted.map(|order| rows::OrderRow::open(order, world.market.engine()));
        Ok(self.answer(world, "open-order", rows.collect::<Vec<_>>()))
    }

    fn margin_risk(&self, world: &World<'_>) -> Result<String, Refusal> {
        if self.category != Category::Margin {
            return Err(Refusal::new(Code::INVALID_MARGIN_ACCOUNT, "margin-risk is for the margin account"));
        }
        if let Some(symbol) = self.args.text("symbol")? {
            world.market.symbol(&symbol)?;
        }
        let risk = world.accounts.margin_risk(world.market, self.user);
        Ok(self.answer(world, "margin-risk", rows::MarginRiskRow::of(&risk)))
    }

    fn order_status(&self, world: &World<'_>) -> Result<String, Refusal> {
        let ids = self.args.text("orderId")?;
        let ids = ids.ok_or_else(|| Refusal::new(Code::INVALID_ARGUMENT, "Missing orderId"))?;
        let account = world.accounts[self.user].account_id(self.category);
        let data = world.accounts.statuses(world.market, (self.user, self.category), &ids, |order| {
            wire::value(&rows::StatusRow::of(order, account, self.category))
        })?;
        Ok(rows::order_status(self.message.id.as_ref(), data))
    }
}

/// Whether a request needs to be authenticated.
fn is_private(action: &str) -> bool {
    const ACTIONS: [&str; 8] = [
        "place-order",
        "cancel-order",
        "cancel-all",
        "balance",
        "open-order",
        "margin-risk",
        "order-status",
        "depth-snapshot-realtime",
    ];
    ACTIONS.contains(&action)
}
