//! A sandbox whose state is kept in a file: what comes back, what is refused, and what is left after an end at any
//! moment.
//!
//! `cargo test` builds the examples; `cargo test --test sandbox_state` alone does not: run `cargo build --examples`
//! before, with `--release` for the hundred kills.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::model::{AccountKind, Side};
use bitmax::sandbox::{OrderRequest, Permission, ProductOptions, Sandbox, SandboxError, UserOptions};
use bitmax::{
    CancelOrder, Client, Credentials, Decimal, Endpoint, NewOrder, OrderHistoryQuery, OrderId, SubuserTransfer,
    SubuserTransfersQuery, WalletQuery,
};
use serde_json::Value;
use support::program;

const START: u64 = 1_700_000_000_000;

/// A file of this test's own, which goes with this.
struct Kept(PathBuf);

impl Kept {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("bitmax-state-{}-{number}", std::process::id()));
        assert!(!file.exists());
        Self(file)
    }

    fn start(&self) -> Sandbox {
        Sandbox::builder().start_time(START).state(&self.0).start().unwrap()
    }

    fn refusal(&self) -> String {
        match Sandbox::builder().state(&self.0).start() {
            Err(SandboxError::InvalidState { path, reason, .. }) => {
                assert_eq!(path, self.0);
                reason
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for file in [self.0.clone(), self.0.with_extension("new")] {
            std::fs::remove_file(file).ok();
        }
    }
}

fn client(sandbox: &Sandbox, user: usize) -> Client {
    let credentials = sandbox.users()[user].credentials();
    Client::builder(sandbox.endpoint()).credentials(credentials).retries(0).build().unwrap()
}

/// All that a user is told of its own.
fn told(sandbox: &Sandbox, user: usize) -> Vec<String> {
    let client = client(sandbox, user);
    let mut told = vec![format!("{:?}", client.info().unwrap())];
    for category in [Cash, Margin] {
        let account = client.account(category).unwrap();
        told.push(format!("{:?}", account.balances(&Default::default()).unwrap()));
        told.push(format!("{:?}", account.open_orders(None).unwrap()));
        told.push(format!("{:?}", account.balance_history(0, None).unwrap()));
        told.push(format!("{:?}", account.order_history(&OrderHistoryQuery::new().limit(100)).unwrap()));
        let own = &sandbox.users()[user];
        told.push(format!("{:?} {:?}", own.open_orders(category), own.ended_orders(category)));
    }
    told.push(format!("{:?}", client.wallet().transactions(&WalletQuery::new()).unwrap()));
    told
}

/// What there is of each asset, if it adds up.
fn supplies(sandbox: &Sandbox) -> Vec<Decimal> {
    let client = Client::builder(sandbox.endpoint()).build().unwrap();
    let assets = client.market().assets().unwrap();
    let supply = |asset: &str| {
        let supply = sandbox.supply(asset).unwrap();
        assert_eq!(supply.total, supply.balances + supply.fees, "{asset}");
        supply.total
    };
    assets.iter().map(|asset| supply(asset.asset_code.as_str())).collect()
}

#[test]
fn everything_comes_back() {
    let kept = Kept::new();
    let sandbox = kept.start();
    let name = UserOptions::new().name("second").permissions([Permission::View, Permission::Trade]).vip(3, 50);
    sandbox.add_user(name.sub_user_of(sandbox.user()));
    sandbox.add_product(&ProductOptions::new("ABC/USDT")).unwrap();
    let [first, second] = [0, 1].map(|n| sandbox.users()[n].clone());
    second.fund(Cash, "ABC", 50).unwrap();
    second.fund(Cash, "USDT", 1_000).unwrap();
    first.withdraw("BTC", "0.5").unwrap();
    let (from, to) = (("parentUser", AccountKind::Cash), ("second", AccountKind::Cash));
    client(&sandbox, 0).subuser_transfer(&SubuserTransfer::new("100", "USDT", from, to).unwrap()).unwrap();
    for (user, order) in [
        (&first, OrderRequest::buy("ABC/USDT", 3).limit(90)),
        (&first, OrderRequest::buy("ABC/USDT", 1).limit(90).margin()),
        (&second, OrderRequest::sell("ABC/USDT", 1).limit(90)),
        (&second, OrderRequest::sell("ABC/USDT", 7).limit(110).client_id("seventh")),
        (&second, OrderRequest::sell("ABC/USDT", 2).stop(70)),
        (&first, OrderRequest::buy("ABC/USDT", 2).limit(130).stop(120)),
        (&first, OrderRequest::sell("BTC/USDT", "0.01")),
        (&first, OrderRequest::buy("BTC/USDT", "0.01").limit(10_000)),
    ] {
        user.place(&order).unwrap();
    }
    let gone = first.place(&OrderRequest::buy("ABC/USDT", 1).limit(50)).unwrap();
    first.cancel(gone).unwrap();
    sandbox.halt("ETH/BTC").unwrap();
    sandbox.advance(Duration::from_secs(30));

    let before = [told(&sandbox, 0), told(&sandbox, 1)];
    let (now, supply) = (sandbox.now(), supplies(&sandbox));
    let transfers = |sandbox: &Sandbox| {
        format!("{:?}", client(sandbox, 0).subuser_transfers(&SubuserTransfersQuery::new()).unwrap())
    };
    let transferred = transfers(&sandbox);
    assert!(transferred.contains("100"));
    drop(sandbox);

    let sandbox = kept.start();
    assert_eq!(sandbox.now(), now);
    assert_eq!([told(&sandbox, 0), told(&sandbox, 1)], before);
    assert_eq!(transfers(&sandbox), transferred);
    assert_eq!(supplies(&sandbox), supply);
    assert_eq!((sandbox.api_key(), sandbox.api_secret()), (first.api_key(), first.api_secret()));

    // And it goes on: orders in their turn, numbers without gaps backwards, halted products halted.
    let [first, second] = [0, 1].map(|n| sandbox.users()[n].clone());
    let newest = |user: &bitmax::sandbox::User| user.ended_orders(Cash).last().unwrap().sn;
    let last = newest(&second);
    second.place(&OrderRequest::sell("ABC/USDT", "2.5").limit(90)).unwrap();
    assert!(newest(&second) > last);
    let left = |category| first.open_orders(category).iter().map(|o| o.quantity - o.filled).sum::<Decimal>();
    let half = "0.5".parse::<Decimal>().unwrap();
    assert_eq!(left(Margin), half, "the later of two at one price");
    let halted = first.place(&OrderRequest::buy("ETH/BTC", 1).limit("0.03")).unwrap_err();
    assert!(matches!(halted, SandboxError::Refused { .. }), "{halted}");
    assert_eq!(supplies(&sandbox), supply);
}

#[test]
fn a_user_remembers_no_more_than_before() {
    let kept = Kept::new();
    let sandbox = kept.start();
    sandbox.add_user(UserOptions::new().history(2));
    let end_two = |sandbox: &Sandbox| {
        let user = sandbox.users()[1].clone();
        user.fund(Cash, "USDT", 100).unwrap();
        let ended = [(); 2].map(|()| {
            let id = user.place(&OrderRequest::buy("BTC/USDT", "0.001").limit(10_000)).unwrap();
            user.cancel(id).unwrap();
            id
        });
        let known: Vec<_> = user.ended_orders(Cash).iter().map(|order| order.id).collect();
        assert_eq!(known, ended);
    };
    end_two(&sandbox);
    drop(sandbox);
    end_two(&kept.start());
}

#[test]
fn an_order_is_run_over_by_a_market_that_woke_up_elsewhere() {
    let kept = Kept::new();
    let sandbox = kept.start();
    let user = sandbox.user();
    let bid = user.place(&OrderRequest::buy("BTC/USDT", "0.01").limit(40_000)).unwrap();
    let ask = user.place(&OrderRequest::sell("BTC/USDT", "0.01").limit(90_000)).unwrap();
    let supply = supplies(&sandbox);
    drop(sandbox);
    // Days on, until the price is far enough from where it was for one that rests close to it.
    let mut close = None;
    for day in 1..100 {
        let later = Sandbox::builder().start_time(START + day * 86_400_000).state(&kept.0).start().unwrap();
        assert_eq!(supplies(&later), supply, "day {day}");
        let user = later.user();
        assert!([bid, ask].iter().all(|id| user.open_orders(Cash).iter().any(|order| order.id == *id)));
        match close {
            None => {
                let trades = Client::builder(later.endpoint()).build().unwrap();
                let price = trades.market().ticker("BTC/USDT").unwrap().bid.unwrap().price.round();
                close = Some(user.place(&OrderRequest::buy("BTC/USDT", "0.01").limit(price - Decimal::ONE)).unwrap());
            }
            Some(id) if user.ended_orders(Cash).iter().any(|order| order.id == id) => return,
            Some(_) => {}
        }
    }
    panic!("the price only rose, for a hundred days");
}

#[test]
fn a_state_of_a_lively_market_is_none_of_a_quiet_one() {
    let kept = Kept::new();
    let start = || Sandbox::builder().quiet().start_time(START).state(&kept.0).start();
    let sandbox = start().unwrap();
    sandbox.user().place(&OrderRequest::sell("BTC/USDT", 1).limit(50_000)).unwrap();
    drop(sandbox);
    assert_eq!(start().unwrap().user().open_orders(Cash).len(), 1);
    let refusal = kept.refusal();
    assert!(refusal.contains("add up"), "{refusal}");

    let kept = Kept::new();
    drop(kept.start());
    match Sandbox::builder().quiet().state(&kept.0).start() {
        Err(SandboxError::InvalidState { reason, .. }) => assert!(reason.contains("add up"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_state_is_refused_and_stays_as_it_is() {
    let kept = Kept::new();
    drop(kept.start());
    let whole = std::fs::read(&kept.0).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (bytes, reason) in [
        (&b""[..], "does not begin"),
        (b"{}", "does not begin"),
        (b"bitmax-sandbox-state 2 00\n{}", "version"),
        (&whole[..middle], "checksum"),
        (&flipped, "checksum"),
    ] {
        std::fs::write(&kept.0, bytes).unwrap();
        let refusal = kept.refusal();
        assert!(refusal.contains(reason), "{refusal}");
        assert_eq!(std::fs::read(&kept.0).unwrap(), bytes);
    }
    std::fs::write(&kept.0, &whole).unwrap();
    drop(kept.start());

    let nowhere = std::env::temp_dir().join("bitmax-no-such-directory/state");
    let error = Sandbox::builder().state(&nowhere).start().unwrap_err();
    assert!(matches!(&error, SandboxError::WriteState { path, .. } if *path == nowhere), "{error}");
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let kept = Kept::new();
    let _sandbox = kept.start();
    assert_eq!(std::fs::metadata(&kept.0).unwrap().permissions().mode() & 0o777, 0o600);
}

// --- Ends at any moment ---

fn wall_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A sandbox in a process of its own, which goes with this.
struct Process {
    child: Child,
    port: u16,
    /// Key and secret.
    credentials: [String; 2],
    /// Little, so that nobody has to read it before the end.
    log: BufReader<ChildStderr>,
}

impl Process {
    fn start(file: &Path) -> Self {
        let mut command = Command::new(program());
        command.args(["sandbox", "--state"]).arg(file).env_clear().stdout(Stdio::piped());
        command.env("RUST_LOG", "warn,bitmax::sandbox::state=debug").stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap();
        let port = text("rest").rsplit(':').next().unwrap().parse().unwrap();
        Self { child, port, credentials: ["key", "secret"].map(|name| text(name).to_owned()), log }
    }

    /// Ends it as `kill -9` does; the time just before.
    fn kill(&mut self) -> u64 {
        let at = wall_millis();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        at
    }

    /// Of when the states are that it began to write, once it has ended.
    fn begun(&mut self) -> Vec<u64> {
        let lines = (&mut self.log).lines().map(Result::unwrap);
        lines.map(|line| line.rsplit_once(" state of ").unwrap().1.parse().unwrap()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An order that was acknowledged: sent not before the first and acknowledged not after the second time.
type Placed = (OrderId, u64, u64);

/// Trades until the sandbox is gone; `done` is called after each order.
fn trade(port: u16, credentials: Credentials, side: &Side, done: impl Fn()) -> Vec<Placed> {
    let endpoint = Endpoint::new(format!("http://127.0.0.1:{port}"), format!("ws://127.0.0.1:{port}"));
    let client = Client::builder(endpoint.unwrap()).credentials(credentials).retries(0).build().unwrap();
    let mut placed = Vec::new();
    let mut go_on = || -> Result<(), bitmax::Error> {
        let account = client.account(Cash)?;
        for n in 0.. {
            let order = match n % 3 {
                0 => NewOrder::market("BTC/USDT", side.clone(), "0.001")?,
                _ => NewOrder::limit(
                    "BTC/USDT",
                    side.clone(),
                    "0.001",
                    if *side == Side::Buy { "20000" } else { "120000" },
                )?
                .into(),
            };
            let sent = wall_millis();
            let answer = account.place(&order)?;
            let id = answer.info.order_id().unwrap();
            placed.push((id, sent, wall_millis()));
            done();
            if n % 3 == 1 {
                match account.cancel(&CancelOrder::new(id, "BTC/USDT")?) {
                    // The other side's `cancel_all` came first.
                    Err(bitmax::Error::Refused(_)) => {}
                    answer => drop(answer?),
                }
                client.transfer("0.5", "USDT", AccountKind::Cash, AccountKind::Margin)?;
            }
            if n % 300 == 299 {
                account.cancel_all(None)?;
            }
        }
        Ok(())
    };
    // It ends with the sandbox, by whatever error that is for a client.
    assert!(go_on().is_err());
    placed
}

/// How old a state was at the kill, ms: at most, the one that was left, and the newest, which may not have been written
/// whole.
#[derive(Debug, Default)]
struct Ages {
    left: u64,
    begun: u64,
}

/// Kills a sandbox so many times, each after 1 to `most` orders.
fn kill_at_random_moments(times: u64, most: u64) -> Ages {
    let kept = Kept::new();
    let copy = Kept::new();
    let (mut ages, mut supply, mut key) = (Ages::default(), None, None);
    for round in 0..times {
        let mut process = Process::start(&kept.0);
        assert_eq!(*key.get_or_insert(process.credentials.clone()), process.credentials, "round {round}");
        let (done, (reached, is_reached)) = (AtomicU64::new(0), mpsc::channel());
        let random = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
        let last = 1 + random / 1_000 % most;
        let [key, secret] = &process.credentials;
        let (port, credentials) = (process.port, Credentials::new(key, secret).unwrap());
        let (killed, placed) = std::thread::scope(|scope| {
            let trading = [Side::Buy, Side::Sell].map(|side| {
                let (credentials, done, reached) = (credentials.clone(), &done, reached.clone());
                let count = move || {
                    if done.fetch_add(1, Ordering::Relaxed) + 1 == last {
                        reached.send(()).unwrap();
                    }
                };
                scope.spawn(move || trade(port, credentials, &side, count))
            });
            is_reached.recv_timeout(Duration::from_secs(60)).unwrap();
            let killed = process.kill();
            (killed, trading.map(|thread| thread.join().unwrap()).concat())
        });
        assert!(placed.len() as u64 >= last, "round {round}");

        let state = std::fs::read_to_string(&kept.0).unwrap();
        let body: Value = serde_json::from_str(state.split_once('\n').unwrap().1).unwrap();
        let then = body["now"].as_u64().unwrap();
        let begun = process.begun();
        let newest = *begun.last().unwrap();
        assert!(begun.iter().rev().take(2).any(|begun| *begun == then), "round {round}: {then} of {begun:?}");
        ages.left = ages.left.max(killed.saturating_sub(then));
        ages.begun = ages.begun.max(killed.saturating_sub(newest));
        std::fs::copy(&kept.0, &copy.0).unwrap();
        let sandbox = Sandbox::builder().state(&copy.0).start().unwrap();
        let supplies = supplies(&sandbox);
        assert_eq!(*supply.get_or_insert(supplies.clone()), supplies, "round {round}");
        let user = sandbox.user();
        let known: std::collections::BTreeSet<OrderId> =
            user.open_orders(Cash).into_iter().chain(user.ended_orders(Cash)).map(|order| order.id).collect();
        for (id, sent, acknowledged) in placed {
            assert!(acknowledged >= then || known.contains(&id), "round {round}: {id} of before {then} is missing");
            assert!(sent <= then || !known.contains(&id), "round {round}: {id} of after {then} is there");
        }
    }
    ages
}

#[test]
fn a_sandbox_killed_under_load_starts_again_with_all_that_was_written() {
    eprintln!("at most, ms old: {:?}", kill_at_random_moments(5, 600));
}

/// For optimised builds: in others writing alone takes up to a second.
#[cfg(not(debug_assertions))]
#[test]
#[ignore = "kills a hundred processes, each within some seconds"]
fn a_sandbox_killed_a_hundred_times_starts_again_with_what_was_a_second_ago() {
    let ages = kill_at_random_moments(100, 6_000);
    eprintln!("at most, ms old: {ages:?}");
    // What is on the disk is older by what the disk and the others on this machine take for a writing.
    assert!(ages.begun <= 1_250, "more than a second, and what it takes to wake up");
}
