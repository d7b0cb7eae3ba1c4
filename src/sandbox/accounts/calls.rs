//! The private calls of REST: a request to an answer. A call is an entry of the table; signature, permission and
//! account group are checked once for all.

use serde_json::{Value, json};

use super::history::Page;
use super::order_rows::{self, HistoryRow, OldHistoryRow, OrderRow};
use super::rows::{self, AddressRow, BalanceRow, MarginRiskRow, MovementRow, Paged, SubTransferRow};
use super::transfers::{SubTransferFilter, missing};
use super::users::{Permission, category};
use super::wallet::Address;
use super::{Accounts, Fields, OrderAnswer, Proof, Record, Source, UserIx};
use crate::sandbox::clock::{DAY, MINUTE};
use crate::sandbox::engine::{Category, Order};
use crate::sandbox::http::{Request, Response};
use crate::sandbox::market::Market;
use crate::sandbox::wire::{self, Refusal};
use crate::{Code, Decimal, Symbol};

/// Rows of order history in one answer, at most, and without `limit`.
const MAX_HISTORY: usize = 1000;
const DEFAULT_HISTORY: usize = 500;
/// Entries of a journal in one answer, at most.
const MAX_JOURNAL: usize = 500;
/// How many calls for snapshots and journals are served in a minute, together.
const REPORTS: usize = 8;

/// One call.
struct Call {
    method: &'static str,
    /// With `G` for the account group, `AC` for the category.
    path: &'static str,
    /// What may stand after the time in what is signed, with `AC` likewise.
    prehashes: &'static [&'static str],
    permission: Permission,
    act: fn(&mut Context<'_>) -> Result<String, Refusal>,
}

/// What a call can look at and act on.
struct Context<'a> {
    accounts: &'a mut Accounts,
    market: &'a mut Market,
    request: &'a Request,
    user: UserIx,
    category: Category,
    now: u64,
}

const fn call(
    method: &'static str,
    path: &'static str,
    prehashes: &'static [&'static str],
    permission: Permission,
    act: fn(&mut Context<'_>) -> Result<String, Refusal>,
) -> Call {
    Call { method, path, prehashes, permission, act }
}

const CALLS: &[Call] = {
    use Permission::{Trade, Transfer, View};
    &[
        call("GET", "api/pro/v1/info", &["info"], View, info),
        call("GET", "G/api/pro/v1/spot/fee/info", &["fee"], View, fee_schedule),
        call("GET", "G/api/pro/v1/spot/fee", &["fee"], View, fees),
        call("GET", "G/api/pro/v1/AC/balance", &["balance"], View, balance),
        call("GET", "G/api/pro/v1/margin/risk", &["margin/risk"], View, margin_risk),
        call("POST", "G/api/pro/v1/margin/risk", &["margin/risk"], View, margin_risk),
        call("POST", "G/api/pro/v1/transfer", &["transfer"], Transfer, transfer),
        call("POST", "G/api/pro/v2/subuser/subuser-transfer", &["subuser-transfer"], Transfer, sub_transfer),
        call("POST", "G/api/pro/v2/subuser/subuser-transfer-hist", &["subuser-transfer-hist"], View, sub_transfers),
        call("GET", "api/pro/data/v1/AC/balance/snapshot", &["data/v1/AC/balance/snapshot"], View, balance_snapshot),
        call("GET", "api/pro/data/v1/AC/balance/history", &["data/v1/AC/balance/history"], View, balance_history),
        call("GET", "api/pro/v1/wallet/deposit/address", &["wallet/deposit/address"], View, deposit_addresses),
        call("GET", "api/pro/v1/wallet/transactions", &["wallet/transactions"], View, transactions),
        call("POST", "G/api/pro/v1/AC/order", &["order"], Trade, place),
        call("DELETE", "G/api/pro/v1/AC/order", &["order"], Trade, cancel),
        call("DELETE", "G/api/pro/v1/AC/order/all", &["order/all"], Trade, cancel_all),
        call("POST", "G/api/pro/v1/AC/order/batch", &["order/batch"], Trade, place_batch),
        call("DELETE", "G/api/pro/v1/AC/order/batch", &["order/batch"], Trade, cancel_batch),
        call("GET", "G/api/pro/v1/AC/order/status", &["order/status"], View, status),
        call("GET", "G/api/pro/v1/AC/order/open", &["order/open"], View, open),
        call("GET", "G/api/pro/v1/AC/order/hist/current", &["order/hist/current"], View, current_history),
        call("GET", "api/pro/data/v2/order/hist", &["data/v2/order/hist"], View, history),
        call("GET", "G/api/pro/v2/order/hist", &["order/hist", "v2/order/hist"], View, history),
        call("GET", "G/api/pro/v1/order/hist", &["order/hist"], View, old_history),
    ]
};

/// Answers a private call; `None` for what is none. A refusal comes with status 200, as most do on the live exchange.
pub(crate) fn answer(accounts: &mut Accounts, market: &mut Market, request: &Request, now: u64) -> Option<Response> {
    let found: Vec<_> = CALLS.iter().filter_map(|call| Some((call, matched(call.path, &request.path)?))).collect();
    if found.is_empty() {
        return None;
    }
    let Some((call, place)) = found.iter().find(|(call, _)| call.method == request.method) else {
        let allowed: Vec<_> = found.iter().map(|(call, _)| call.method).collect();
        let refusal = Refusal::new(Code::METHOD_NOT_ALLOWED, "HTTP method is not allowed");
        return Some(Response::json(405, wire::failure(&refusal)).with("Allow", &allowed.join(", ")));
    };
    Some(match authorize(accounts, call, *place, request, now) {
        Err(refusal) => Response::json(200, wire::failure(&refusal)),
        Ok(user) => {
            let category = place.category.unwrap_or(Category::Cash);
            let mut context = Context { accounts, market, request, user, category, now };
            match (call.act)(&mut context) {
                Ok(body) => Response::json(200, body),
                Err(refusal) if refusal.code == Code::TOO_MANY_REQUESTS => {
                    Response::json(429, wire::failure(&refusal)).with("Retry-After", "60")
                }
                Err(refusal) => Response::json(200, wire::failure(&refusal)),
            }
        }
    })
}

/// What a path says beyond which call it is.
#[derive(Clone, Copy, Default)]
struct Place {
    group: Option<u32>,
    category: Option<Category>,
}

/// Whether a path is of this pattern.
fn matched(pattern: &str, path: &str) -> Option<Place> {
    let mut place = Place::default();
    let mut parts = path.strip_prefix('/')?.split('/');
    for wanted in pattern.split('/') {
        let part = parts.next()?;
        match wanted {
            "G" => place.group = Some(part.parse().ok()?),
            "AC" => place.category = Some(category(part)?),
            _ if wanted == part => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(place)
}

/// Who calls, if allowed to.
fn authorize(accounts: &Accounts, call: &Call, place: Place, request: &Request, now: u64) -> Result<UserIx, Refusal> {
    let category = super::users::lower_label(place.category.unwrap_or(Category::Cash));
    let prehashes: Vec<_> = call.prehashes.iter().map(|prehash| prehash.replace("AC", category)).collect();
    let prehashes: Vec<_> = prehashes.iter().map(String::as_str).collect();
    let user = accounts.authenticate(Proof::of(request), &prehashes, now)?;
    accounts.check_permission(user, call.permission)?;
    match place.group.filter(|group| *group != accounts[user].group) {
        None => Ok(user),
        Some(group) => Err(Refusal::new(Code::ACCOUNT_NOT_FOUND, format!("No such account in group {group}"))),
    }
}

/// Reading parameters and bodies.
impl<'a> Context<'a> {
    fn record(&self) -> &Record {
        &self.accounts[self.user]
    }

    fn param(&self, name: &str) -> Option<&'a str> {
        self.request.param(name)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        crate::sandbox::api::number(self.request, name)
    }

    /// How many are wanted: at least one, and no more than there may be.
    fn count(&self, name: &str, default: usize, max: usize) -> Result<usize, Refusal> {
        match self.number(name)? {
            Some(0) => Err(Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid {name}: 0"))),
            Some(count) => Ok(usize::try_from(count).unwrap_or(max).min(max)),
            None => Ok(default),
        }
    }

    /// Number and size of a page.
    fn page(&self, default: usize, max: usize) -> Result<Paging, Refusal> {
        Paging::new(self.number("page")?, self.number("pageSize")?, default, max)
    }

    fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The symbol that rows are wanted of, if any.
    fn symbol(&self) -> Result<Option<Symbol>, Refusal> {
        self.param("symbol").map(|name| self.market.symbol(name)).transpose()
    }

    /// The fields of the body; an empty body has none.
    fn fields(&self) -> Result<Fields<'a>, Refusal> {
        if self.request.body.is_empty() {
            return Ok(Fields::default());
        }
        let text = std::str::from_utf8(&self.request.body)
            .map_err(|_| Refusal::new(Code::INVALID_JSON_FORMAT, "The request is not valid UTF-8"))?;
        Fields::parse(text)
    }

    /// Counts a call of which only so many are served in a minute.
    fn limit_reports(&mut self) -> Result<(), Refusal> {
        let now = self.now;
        let reports = &mut self.accounts[self.user].reports;
        while reports.front().is_some_and(|time| time.saturating_add(MINUTE) <= now) {
            reports.pop_front();
        }
        if reports.len() >= REPORTS {
            return Err(Refusal::new(Code::TOO_MANY_REQUESTS, format!("More than {REPORTS} requests in a minute")));
        }
        reports.push_back(now);
        Ok(())
    }
}

/// Which page is wanted.
struct Paging {
    page: usize,
    size: usize,
}

impl Paging {
    fn new(page: Option<u64>, size: Option<u64>, default: usize, max: usize) -> Result<Self, Refusal> {
        let within = |name: &str, number: Option<u64>, default, max| {
            usize::try_from(number.unwrap_or(default as u64))
                .ok()
                .filter(|number| (1..=max).contains(number))
                .ok_or_else(|| Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid {name}")))
        };
        // A page beyond any row is empty.
        let page = within("page", page, 1, u32::MAX as usize)?;
        Ok(Self { page, size: within("pageSize", size, default, max)? })
    }

    /// The rows of the page, whether there are more, and how many there are in all.
    fn cut<T>(&self, rows: impl Iterator<Item = T>) -> (Vec<T>, bool, usize) {
        let skip = (self.page - 1).saturating_mul(self.size);
        let mut total = 0;
        let mut page = Vec::new();
        for row in rows {
            if total >= skip && page.len() < self.size {
                page.push(row);
            }
            total += 1;
        }
        (page, total > skip.saturating_add(self.size), total)
    }
}

/// The account.
fn info(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let record = cx.record();
    let may = |permission| record.profile.permissions.contains(&permission);
    Ok(wire::success(json!({
        "accountGroup": record.group,
        "email": format!("{}@example.com", record.name),
        "expireTime": -1,
        "allowedIps": [],
        "cashAccount": [record.cash_id],
        "marginAccount": [record.margin_id],
        "userUID": record.uid,
        "tradePermission": may(Permission::Trade),
        "transferPermission": may(Permission::Transfer),
        "viewPermission": may(Permission::View),
    })))
}

/// A rate, of which the user pays so many percent.
fn discounted(record: &Record, rate: Decimal) -> String {
    (rate * Decimal::new(i64::from(record.profile.fee_percent.min(100)), 2)).normalize().to_string()
}

fn fee_schedule(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let record = cx.record();
    let fee = |rate| json!({"maker": discounted(record, rate), "taker": discounted(record, rate)});
    Ok(wire::success(json!({
        "domain": "spot",
        "userUID": record.uid,
        "vipLevel": record.profile.vip_level,
        "genericFee": {"largeCap": fee(Decimal::new(85, 5)), "smallCap": fee(Decimal::new(1, 3))},
    })))
}

/// The list comes under both names that clients know it by.
fn fees(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let record = cx.record();
    let rows: Vec<Value> = cx
        .market
        .products()
        .map(|product| {
            let spec = &product.spec;
            let fee = json!({"maker": discounted(record, spec.maker_fee), "taker": discounted(record, spec.taker_fee)});
            json!({"symbol": spec.symbol, "fee": fee})
        })
        .collect();
    Ok(wire::success(json!({
        "domain": "spot",
        "userUID": record.uid,
        "vipLevel": record.profile.vip_level,
        "productFee": rows,
        "fees": rows,
    })))
}

/// Balances and transfers.
fn balance(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let rows = cx.accounts.balances(cx.market, cx.user, cx.category, cx.param("asset"), cx.flag("showAll"))?;
    let rows = rows.into_iter().map(|(asset, balance)| BalanceRow::of(asset, balance, cx.category));
    Ok(wire::success(rows.collect::<Vec<_>>()))
}

fn margin_risk(cx: &mut Context<'_>) -> Result<String, Refusal> {
    Ok(wire::success(MarginRiskRow::of(&cx.accounts.margin_risk(cx.market, cx.user))))
}

fn transfer(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let fields = cx.fields()?;
    cx.accounts.transfer(cx.market, cx.user, &fields, cx.now)?;
    Ok(wire::json(&json!({"code": 0})))
}

fn sub_transfer(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let fields = cx.fields()?;
    cx.accounts.sub_transfer(cx.market, cx.user, &fields, cx.now)?;
    let names = ["acFrom", "acTo", "amount", "asset", "userFrom", "userTo"];
    let info: serde_json::Map<_, _> =
        names.map(|name| (name.to_owned(), Value::from(fields.echo(name)))).into_iter().collect();
    Ok(wire::json(&json!({"code": 0, "info": info})))
}

fn sub_transfers(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let fields = cx.fields()?;
    let paging = Paging::new(fields.whole("page")?, fields.whole("pageSize")?, 10, 10)?;
    let filter = SubTransferFilter {
        user: fields.text("subUserId")?.map(|name| cx.accounts.member(cx.user, &name)).transpose()?,
        asset: fields.text("asset")?,
        start: fields.whole("startTime")?,
        end: fields.whole("endTime")?,
    };
    let (data, _, total) = paging.cut(cx.accounts.sub_transfers(cx.user, &filter)?);
    Ok(wire::success(Paged {
        data: data.into_iter().map(|transfer| SubTransferRow::of(transfer, cx.accounts)).collect(),
        has_next: None,
        limit: Some(paging.size),
        page: paging.page,
        page_size: paging.size,
        total_size: Some(total),
    }))
}

/// The balances at the beginning of a day, UTC.
fn balance_snapshot(cx: &mut Context<'_>) -> Result<String, Refusal> {
    cx.limit_reports()?;
    let date = cx.param("date").ok_or_else(|| missing("date"))?;
    let time = day(date).ok_or_else(|| Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid date: {date}")))?;
    let journal = cx.record().journal(cx.category);
    let snapshot = Some(time)
        .filter(|time| *time <= cx.now)
        .and_then(|time| journal.snapshot(time, cx.now))
        .ok_or_else(|| Refusal::new(Code::DATA_NOT_AVAILABLE, format!("There is no snapshot of {date}")))?;
    Ok(rows::snapshot(cx.record(), cx.category, time, &snapshot))
}

/// When a day `YYYY-mm-dd` begins, UTC ms; `None` for what is none or before 1970.
fn day(date: &str) -> Option<u64> {
    let mut parts = date.splitn(3, '-');
    let mut number = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u64>().ok()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let months = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let at = usize::try_from(month.checked_sub(1)?).ok()?;
    if day == 0 || day > *months.get(at)? {
        return None;
    }
    // Leap days of all years before this one.
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let before = year.checked_sub(1970)? * 365 + leaps(year - 1) - leaps(1969);
    Some((before + months.iter().take(at).sum::<u64>() + day - 1) * DAY)
}

fn balance_history(cx: &mut Context<'_>) -> Result<String, Refusal> {
    cx.limit_reports()?;
    let sn = cx.number("sn")?.ok_or_else(|| missing("sn"))?;
    let limit = cx.count("limit", MAX_JOURNAL, MAX_JOURNAL)?;
    let entries = cx.record().journal(cx.category).from(sn, cx.now).take(limit);
    Ok(rows::journal(cx.record(), cx.category, entries))
}

/// The wallet.
fn deposit_addresses(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let asset = cx.market.asset(cx.param("asset").ok_or_else(|| missing("asset"))?)?;
    let mut addresses = cx.accounts.deposit_addresses(cx.user, asset);
    // Clients send `None` as well: what is no chain of the asset asks for all of them.
    let wanted =
        |address: &Address| cx.param("blockchain").is_some_and(|name| address.chain.eq_ignore_ascii_case(name));
    if addresses.iter().any(wanted) {
        addresses.retain(wanted);
    }
    let rows: Vec<_> = addresses.iter().map(AddressRow::of).collect();
    Ok(wire::success(json!({"asset": asset.asset, "assetName": asset.name, "address": rows})))
}

fn transactions(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let paging = cx.page(20, 50)?;
    let asset = cx.param("asset").map(|name| cx.market.asset(name).map(|listed| listed.asset)).transpose()?;
    let deposits = match cx.param("txType").map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("deposit") => Some(true),
        Some("withdrawal") => Some(false),
        Some(other) => return Err(Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid txType: {other}"))),
    };
    let wallet = cx.record().wallet.iter().rev().filter(|movement| {
        asset.is_none_or(|asset| asset == movement.asset) && deposits.is_none_or(|wanted| wanted == movement.deposit)
    });
    let (data, more, _) = paging.cut(wallet.map(MovementRow::of));
    let (page, page_size) = (paging.page, paging.size);
    Ok(wire::success(Paged { data, has_next: Some(more), limit: None, page, page_size, total_size: None }))
}

/// Requests about orders.
type OrderRequest = fn(&mut Accounts, &mut Market, (UserIx, Category), &Fields<'_>, u64) -> OrderAnswer;

fn order_request(cx: &mut Context<'_>, request: OrderRequest) -> Result<String, Refusal> {
    let fields = cx.fields()?;
    let answer = request(cx.accounts, cx.market, (cx.user, cx.category), &fields, cx.now);
    Ok(order_rows::order_answer(cx.record(), &answer))
}

fn place(cx: &mut Context<'_>) -> Result<String, Refusal> {
    order_request(cx, |accounts, market, account, fields, now| {
        accounts.place(market, account, Source::Rest, fields, now)
    })
}

fn place_batch(cx: &mut Context<'_>) -> Result<String, Refusal> {
    order_request(cx, |accounts, market, account, fields, now| {
        accounts.place_batch(market, account, Source::Rest, fields, now)
    })
}

fn cancel(cx: &mut Context<'_>) -> Result<String, Refusal> {
    order_request(cx, Accounts::cancel)
}

fn cancel_batch(cx: &mut Context<'_>) -> Result<String, Refusal> {
    order_request(cx, Accounts::cancel_batch)
}

fn cancel_all(cx: &mut Context<'_>) -> Result<String, Refusal> {
    order_request(cx, Accounts::cancel_all)
}

/// Questions about orders.
fn status(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let ids = cx.param("orderId").ok_or_else(|| missing("orderId"))?;
    let data =
        cx.accounts.statuses(cx.market, (cx.user, cx.category), ids, |order| wire::value(&OrderRow::of(order)))?;
    Ok(order_rows::of_account(cx.record(), cx.category, true, data))
}

fn order_rows<'m>(cx: &Context<'_>, orders: impl Iterator<Item = &'m Order>) -> String {
    order_rows::of_account(cx.record(), cx.category, false, orders.map(OrderRow::of).collect::<Vec<_>>())
}

fn open(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let symbol = cx.symbol()?;
    Ok(order_rows(cx, cx.accounts.open_orders(cx.market, cx.user, cx.category, symbol)))
}

/// Ended orders, newest first.
fn current_history(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let (symbol, count) = (cx.symbol()?, cx.count("n", MAX_HISTORY, MAX_HISTORY)?);
    let executed_only = cx.flag("executedOnly");
    let orders = cx.accounts.ended_orders(cx.market, cx.user, cx.category, symbol);
    Ok(order_rows(cx, orders.filter(|order| !executed_only || !order.filled.is_zero()).take(count)))
}

fn history(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let account = cx.param("account").ok_or_else(|| missing("account"))?;
    let page = Page {
        symbol: cx.symbol()?,
        start: cx.number("startTime")?,
        end: cx.number("endTime")?,
        seqnum: cx.number("seqNum")?,
        limit: cx.count("limit", DEFAULT_HISTORY, MAX_HISTORY)?,
    };
    let Some(category) = account_or_futures(cx.record(), account)? else {
        return Ok(wire::success::<[Value; 0]>([]));
    };
    let id = cx.record().account_id(category);
    let orders = cx.accounts.history(cx.market, cx.user, category, &page);
    Ok(wire::success(orders.into_iter().map(|order| HistoryRow::of(order, id)).collect::<Vec<_>>()))
}

/// The account of this name or id; `None` for futures, of which there are none here.
fn account_or_futures(record: &Record, name: &str) -> Result<Option<Category>, Refusal> {
    if name.eq_ignore_ascii_case("futures") {
        return Ok(None);
    }
    let found = record.find_account(name);
    found.map(Some).ok_or_else(|| Refusal::new(Code::ACCOUNT_NOT_FOUND, format!("No such account: {name}")))
}

fn old_history(cx: &mut Context<'_>) -> Result<String, Refusal> {
    let paging = cx.page(20, DEFAULT_HISTORY)?;
    let (symbol, start, end) = (cx.symbol()?, cx.number("startTime")?, cx.number("endTime")?);
    let category = account_or_futures(cx.record(), cx.param("category").unwrap_or("cash"))?;
    let same = |name: &str, value: &str| {
        cx.param(name).is_none_or(|wanted| wanted.replace('_', "").eq_ignore_ascii_case(value))
    };
    let wanted = |order: &&Order| {
        same("orderType", order.order_type.as_str())
            && same("side", order.side.as_str())
            && same("status", order.status.as_str())
            && start.is_none_or(|start| start <= order.updated)
            && end.is_none_or(|end| order.updated <= end)
    };
    let rows = category.into_iter().flat_map(|category| {
        let id = cx.record().account_id(category);
        let orders = cx.accounts.ended_orders(cx.market, cx.user, category, symbol).filter(wanted);
        orders.map(move |order| OldHistoryRow::of(order, category, id))
    });
    let (data, more, _) = paging.cut(rows);
    let (page, page_size, limit) = (paging.page, paging.size, Some(DEFAULT_HISTORY));
    Ok(wire::success(Paged { data, has_next: Some(more), limit, page, page_size, total_size: None }))
}
