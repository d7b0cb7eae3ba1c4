//! What a stream tells about itself, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/ws.rs"]
mod ws;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bitmax::{Event, Stream, StreamHandle, StreamStats};
use ws::{GREETING, PATIENCE, Peer, Server, bbo};

/// The statistics, once they are as they should be.
fn until(handle: &StreamHandle, holds: impl Fn(&StreamStats) -> bool) -> StreamStats {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = handle.stats();
        if holds(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        std::thread::yield_now();
    }
}

fn next(stream: &Stream) -> Event {
    stream.recv_timeout(PATIENCE).expect("an event in time")
}

#[test]
fn messages_bytes_queue_and_lag_are_counted() {
    let texts: Vec<String> = (0..10).map(|ts| bbo("A/B", ts)).collect();
    let bytes = u64::try_from(GREETING.len() + texts.iter().map(String::len).sum::<usize>()).unwrap();
    let server = Server::start(move |_, socket| {
        let mut peer = Peer::greet(socket);
        texts.iter().for_each(|text| peer.say(text));
        peer.0.send(tungstenite::Message::binary(vec![0; 7])).unwrap();
        peer.wait_for_close();
    });
    let before = Instant::now();
    let stream = server.client().stream().max_queued(4).connect().unwrap();
    let handle = stream.handle();
    // Nobody takes an event: connected, four quotes, the marker, and the binary message that cannot be read.
    let stats = until(&handle, |stats| stats.messages == 12 && stats.queued == 7);
    assert_eq!((stats.bytes, stats.dropped, stats.reconnections), (bytes + 7, 6, 0));
    assert_eq!((stats.round_trip, stats.clock_offset), (None, None));
    assert!(stats.newest_age.unwrap() <= before.elapsed());
    until(&handle, |later| later.newest_age > stats.newest_age);

    for queued in (0..7).rev() {
        next(&stream);
        if queued > 1 {
            assert_eq!(handle.stats().queued, queued);
        }
    }
    // The newest of what was dropped follows the marker.
    assert!(matches!(next(&stream), Event::Bbo(bbo) if bbo.ts == 9));
    let stats = until(&handle, |stats| stats.queued == 0);
    assert_eq!((stats.messages, stats.dropped), (12, 6));

    drop(stream);
    assert_eq!(handle.stats().messages, 12, "readable when the stream has ended");
}

#[test]
fn pings_measure_the_way_and_the_clock() {
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        assert_eq!(peer.hear(), r#"{"op":"ping"}"#);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + 5000;
        peer.say(&format!(r#"{{"m":"pong","code":0,"ts":{now}}}"#));
        peer.wait_for_close();
    });
    let began = Instant::now();
    let stream = server.client().stream().connect().unwrap();
    stream.ping().unwrap();
    let stats = until(&stream, |stats| stats.round_trip.is_some());
    let round_trip = stats.round_trip.unwrap();
    assert!(round_trip <= began.elapsed());
    // The server's clock is read within the round trip.
    let wrong = stats.clock_offset.unwrap().abs_diff(5000);
    assert!(wrong <= u64::try_from(round_trip.as_millis()).unwrap() / 2 + 2, "{stats:?}");
}

#[test]
fn silence_is_measured_by_the_streams_own_pings_and_reconnections_are_counted() {
    let server = Server::start(|connection, socket| {
        let mut peer = Peer::greet(socket);
        if connection < 2 {
            return;
        }
        while peer.hear() != r#"{"op":"ping"}"# {}
        peer.say(r#"{"m":"pong","code":0}"#);
        peer.wait_for_close();
    });
    let builder = server.client().stream().ping_after(Duration::from_millis(50));
    let stream = builder.backoff(Duration::from_millis(5), Duration::from_millis(50)).connect().unwrap();
    let stats = until(&stream, |stats| stats.round_trip.is_some());
    assert_eq!((stats.reconnections, stats.clock_offset), (2, None));
}
