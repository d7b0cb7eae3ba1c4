//! An idle stream costs nothing: alone in its program, because it counts threads and their wake-ups.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![cfg(target_os = "linux")]

#[path = "support/ws.rs"]
mod ws;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use bitmax::{Channel, Event};
use ws::{PATIENCE, Peer, Server};

/// The voluntary context switches of each thread of this process, by the thread's name.
fn switches() -> Vec<(String, u64)> {
    let mut threads = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // A thread can end while it is looked at.
        let (Ok(name), Ok(status)) =
            (fs::read_to_string(folder.join("comm")), fs::read_to_string(folder.join("status")))
        else {
            continue;
        };
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        threads.push((name.trim().to_owned(), count.trim().parse().unwrap()));
    }
    threads
}

fn of_streams() -> Vec<u64> {
    switches().into_iter().filter(|(name, _)| name.starts_with("bitmax")).map(|(_, count)| count).collect()
}

/// Run by `.ci/run`: what is measured is time passing.
#[test]
#[ignore = "takes 12 s"]
fn an_idle_stream_wakes_for_its_deadlines_only() {
    let (subscribed, is_subscribed) = mpsc::channel();
    let server = Server::start(move |_, socket| {
        socket.set_read_timeout(None).unwrap();
        let mut peer = Peer::greet(socket);
        peer.acknowledge_sub();
        subscribed.send(()).unwrap();
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().subscribe(Channel::bbo(["BTC/USDT"])).connect().unwrap();
    is_subscribed.recv_timeout(PATIENCE).unwrap();
    loop {
        if let Event::Subscribed(_) = stream.recv_timeout(PATIENCE).unwrap() {
            break;
        }
    }
    let before = of_streams();
    assert_eq!(before.len(), 1, "one thread a stream");
    assert!(stream.recv_timeout(Duration::from_secs(12)).is_err(), "nothing happens");
    let after = of_streams();
    let woken = after[0] - before[0];
    println!("{woken} voluntary context switches in 12 s");
    assert!(woken <= 4, "{woken} wake-ups");
    drop(stream);
    assert!(of_streams().is_empty(), "the thread is gone");
}
