//! What frames can be, good and bad, over real sockets: segments, fragments, violations, bounds, close codes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/ws.rs"]
mod ws;

use std::io::Write;

use bitmax::{Error, Event};
use ws::{CLOSE, PING, Peer, Server, TEXT, bbo, bbo_of, connected, frame, next, outage, quick, reconnected, show};

#[test]
fn messages_come_in_any_segments_and_fragments() {
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        // Byte by byte.
        for byte in frame(TEXT, bbo("BTC/USDT", 1).as_bytes()) {
            peer.raw(&[byte]);
        }
        // Fifty in one segment.
        peer.raw(&(2..52).flat_map(|ts| frame(TEXT, bbo("BTC/USDT", ts).as_bytes())).collect::<Vec<_>>());
        // One in fifty frames, with control frames between them, and the next message in the same segment.
        let text = bbo("BTC/USDT", 52) + &" ".repeat(50);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(text.len().div_ceil(50)).collect();
        let mut bytes = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            let last = n + 1 == pieces.len();
            bytes.extend(frame(u8::from(n == 0) | if last { 0x80 } else { 0 }, piece));
            if !last {
                bytes.extend(frame(if n % 2 == 0 { PING } else { 0x8a }, b"hi"));
            }
        }
        bytes.extend(frame(TEXT, bbo("BTC/USDT", 53).as_bytes()));
        peer.raw(&bytes);
        assert_eq!(peer.0.read().unwrap(), tungstenite::Message::Pong("hi".into()));
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().connect().unwrap();
    connected(&stream);
    for ts in 1..54 {
        bbo_of(&stream, ts);
    }
}

#[test]
fn a_frame_that_is_cut_off_is_not_delivered() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        let one = frame(TEXT, bbo("BTC/USDT", 1).as_bytes());
        let whole = [one.clone(), frame(TEXT, bbo("BTC/USDT", 2).as_bytes())].concat();
        match number {
            0..4 => {
                peer.raw(&whole[..[one.len() + 1, whole.len() - 1][number / 2]]);
                peer.leave(number % 2 == 0);
            }
            _ => {
                peer.raw(&whole);
                drop(peer.wait_for_close());
            }
        }
    });
    let stream = quick(server.client().stream()).connect().unwrap();
    connected(&stream);
    for _ in 0..4 {
        bbo_of(&stream, 1);
        assert_eq!(show(&outage(&stream)), "Exchange");
        reconnected(&stream);
    }
    bbo_of(&stream, 1);
    bbo_of(&stream, 2);
}

/// What breaks the protocol or the bound, the code that the client closes with, and what it tells.
fn violations() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let header = |length: u64| [&[TEXT, 127][..], &length.to_be_bytes()].concat();
    vec![
        ("no UTF-8", frame(TEXT, b"{\xff}"), 1007, "Exchange"),
        ("no UTF-8 in the end", [frame(0x01, b"\xc3"), frame(0x80, b"")].concat(), 1007, "Exchange"),
        ("compressed", frame(0xc1, b"{}"), 1002, "Exchange"),
        ("reserved bit 2", frame(0xa1, b"{}"), 1002, "Exchange"),
        ("reserved bit 3", frame(0x91, b"{}"), 1002, "Exchange"),
        ("compressed continuation", [frame(0x01, b"{"), frame(0xc0, b"}")].concat(), 1002, "Exchange"),
        ("unknown data", frame(0x83, b"{}"), 1002, "Exchange"),
        ("unknown control", frame(0x8b, b""), 1002, "Exchange"),
        ("masked", vec![TEXT, 0x82, 0, 0, 0, 0, b'{', b'}'], 1002, "Exchange"),
        ("the middle without a beginning", frame(0x80, b"{}"), 1002, "Exchange"),
        ("a beginning in the middle", [frame(0x01, b"{"), frame(TEXT, b"}")].concat(), 1002, "Exchange"),
        ("a control frame in pieces", frame(0x09, b""), 1002, "Exchange"),
        ("a long control frame", frame(PING, &[b'x'; 126]), 1002, "Exchange"),
        ("half a close code", frame(CLOSE, b"\x03"), 1002, "Exchange"),
        ("a close reason that is no UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007, "Exchange"),
        ("above the bound", frame(TEXT, &[b' '; 1001]), 1009, "too-large"),
        (
            "above the bound in pieces",
            [frame(0x01, &[b' '; 600]), frame(0x80, &[b' '; 600])].concat(),
            1009,
            "too-large",
        ),
        ("large by its own account", header(1 << 62), 1009, "too-large"),
        ("larger than can be", header(u64::MAX), 1009, "too-large"),
    ]
}

#[test]
fn what_breaks_the_protocol_ends_the_connection_and_is_told() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        if let Some((what, bytes, code, _)) = violations().get(number) {
            peer.raw(bytes);
            assert_eq!(peer.wait_for_close().map(|frame| u16::from(frame.code)), Some(*code), "{what}");
        } else {
            drop(peer.wait_for_close());
        }
    });
    let stream = quick(server.client().stream()).max_message_size(1000).connect().unwrap();
    connected(&stream);
    for (what, _, _, told) in violations() {
        assert_eq!(show(&outage(&stream)), told, "{what}");
        reconnected(&stream);
    }
}

/// The rest of the message is on its way or never comes: the connection is closed either way, and says why.
#[test]
fn a_message_far_above_the_bound_is_not_waited_for() {
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        if number == 0 {
            let length = 64 << 20;
            peer.raw(&[&[TEXT, 127][..], &u64::to_be_bytes(length)].concat());
            // Until the client does not take it any more.
            let chunk = vec![b' '; 1 << 16];
            let sent = (0..length >> 16).take_while(|_| peer.0.get_mut().write_all(&chunk).is_ok()).count();
            assert!((sent as u64) < length >> 16);
        } else {
            drop(peer.wait_for_close());
        }
    });
    let stream = quick(server.client().stream()).connect().unwrap();
    connected(&stream);
    assert!(matches!(outage(&stream), Error::TooLarge(n) if n == 8 << 20));
    reconnected(&stream);
}

#[test]
fn binary_data_is_told_and_not_fatal() {
    let server = Server::start(|_, socket| {
        let mut peer = Peer::greet(socket);
        peer.raw(&[frame(0x82, b"{\xff}"), frame(TEXT, bbo("BTC/USDT", 1).as_bytes())].concat());
        drop(peer.wait_for_close());
    });
    let stream = server.client().stream().connect().unwrap();
    connected(&stream);
    assert!(matches!(next(&stream), Event::Undecodable(u) if u.text == "{\u{fffd}}"));
    bbo_of(&stream, 1);
}

#[test]
fn every_close_code_is_told_and_answered() {
    const CODES: [u16; 22] = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000,
        4999, // Not to be sent:
        0, 999, 1004, 1005, 1006, 1015, 5000,
    ];
    /// What the client makes of a code: one that is not to be sent is a violation.
    fn heard(code: u16) -> u16 {
        if code >= 1000 && !matches!(code, 1004..=1006 | 1015 | 5000..) { code } else { 1002 }
    }
    let server = Server::start(|number, socket| {
        let mut peer = Peer::greet(socket);
        if let Some(code) = CODES.get(number) {
            peer.raw(&frame(CLOSE, &[&code.to_be_bytes(), &b"bye"[..]].concat()));
            assert_eq!(peer.wait_for_close().map(|frame| u16::from(frame.code)), Some(heard(*code)), "{code}");
        } else if number == CODES.len() {
            peer.raw(&frame(CLOSE, b""));
            assert_eq!(peer.wait_for_close(), None);
        } else {
            drop(peer.wait_for_close());
        }
    });
    let stream = quick(server.client().stream()).connect().unwrap();
    connected(&stream);
    for code in CODES {
        match outage(&stream) {
            Error::ClosedByServer(frame) => {
                assert_eq!(frame.code, Some(heard(code)));
                assert!(frame.reason == "bye" || heard(code) != code, "{frame:?}");
            }
            other => panic!("{code}: {other:?}"),
        }
        reconnected(&stream);
    }
    assert_eq!(show(&outage(&stream)), "closed None ");
    reconnected(&stream);
}
