//! Sessions recorded from the sandbox over a real socket and played again, through a socket and without.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use bitmax::model::{AccountCategory, Side};
use bitmax::sandbox::{Break, Sandbox};
use bitmax::{
    Authentication, Channel, Client, CloseReason, Direction, Endpoint, Error, Event, NewOrder, Recorded, Recorder,
    Recording, RecordingError, Stream, StreamBuilder,
};

const PATIENCE: Duration = Duration::from_secs(30);
const SYMBOLS: [&str; 2] = ["BTC/USDT", "ETH/USDT"];

/// A file of this test's own, and no parts of an earlier run.
fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{name}.jsonl"));
    for part in 1..200 {
        drop(std::fs::remove_file(format!("{}.{part}", path.display())));
    }
    path
}

/// A client of nobody: whatever it is asked to send fails.
fn nobody() -> Client {
    Client::builder(Endpoint::new("http://127.0.0.1:1", "ws://127.0.0.1:1").unwrap()).build().unwrap()
}

type Text = (Direction, String, u64);

/// A tap that keeps every text.
fn keeper() -> (impl FnMut(Direction, &str, u64) + Send, Receiver<Text>) {
    let (seen, texts) = mpsc::channel();
    (move |direction, text: &str, at| drop(seen.send((direction, text.to_owned(), at))), texts)
}

fn next(stream: &Stream) -> Event {
    stream.recv_timeout(PATIENCE).expect("another event")
}

/// What must be the same: all of an event, but what a recording cannot tell.
fn shown(event: &Event) -> String {
    match event {
        Event::Disconnected(_) => "Disconnected".to_owned(),
        Event::ConnectFailed(_) => "ConnectFailed".to_owned(),
        Event::Reconnected { attempts, .. } => format!("Reconnected {attempts}"),
        event => format!("{event:?}"),
    }
}

/// The same without the time of receipt.
fn undated(shown: &str) -> String {
    let mut parts = shown.split("received: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn assert_same<T: PartialEq + std::fmt::Debug>(ours: &[T], theirs: &[T]) {
    let differs = ours.iter().zip(theirs).position(|(a, b)| a != b);
    let at = differs.unwrap_or(ours.len().min(theirs.len()));
    let show = |all: &[T]| all.get(at).map(|one| format!("{one:?}").chars().take(300).collect::<String>());
    assert!(ours == theirs, "{} and {}, at {at}: {:?}, {:?}", ours.len(), theirs.len(), show(ours), show(theirs));
}

/// Plays a recording to its end: the events but the last, and the texts.
fn play(recording: &Recording, set: impl FnOnce(StreamBuilder) -> StreamBuilder) -> (Vec<Event>, Vec<Text>) {
    let (tap, texts) = keeper();
    let stream = set(nobody().stream()).replay(recording).tap(tap).connect().unwrap();
    let mut events: Vec<Event> = stream.iter().collect();
    assert!(matches!(events.pop(), Some(Event::Closed(CloseReason::EndOfRecording { cut_off: None, .. }))));
    drop(stream);
    (events, texts.iter().collect())
}

/// Waits until the server has answered a ping: all it was told before it has heard, and all it has sent is here.
fn settle(stream: &Stream, texts: &Receiver<Text>, seen: &mut Vec<Text>) {
    stream.ping().unwrap();
    loop {
        let text = texts.recv_timeout(PATIENCE).expect("a pong");
        seen.push(text);
        if seen.last().is_some_and(|(direction, text, _)| *direction == Direction::Received && text.contains("pong")) {
            return;
        }
    }
}

fn market(builder: StreamBuilder) -> StreamBuilder {
    builder.subscribe(Channel::depth(SYMBOLS)).subscribe(Channel::trades(SYMBOLS))
}

#[test]
fn a_live_session_with_an_outage_gives_the_same_events_and_texts() {
    let path = file("live");
    let sandbox = Sandbox::start().unwrap();
    let recorder = Recorder::create(&path).unwrap();
    let client = Client::builder(sandbox.endpoint()).build().unwrap();
    let (mut keep, texts) = keeper();
    let mut record = recorder.tap();
    let tap = move |direction, text: &str, at| {
        record(direction, text, at);
        keep(direction, text, at);
    };
    // One subscription is refused.
    let builder = market(client.stream()).subscribe(Channel::bbo(["BTC/USDT", "NO/SUCH"])).tap(tap);
    let stream = builder.backoff(Duration::from_millis(1), Duration::from_millis(1)).connect().unwrap();

    let mut events = Vec::new();
    for broken in [true, false] {
        for symbol in SYMBOLS {
            stream.request_snapshot(symbol).unwrap();
        }
        // An answer to a request is no event, here or there.
        stream.market_trades("BTC/USDT", 3).unwrap();
        let (mut snapshots, mut data) = (0, 0);
        while snapshots < SYMBOLS.len() || data < 40 {
            let event = next(&stream);
            data += usize::from(matches!(event, Event::Bbo(_) | Event::Trades(_) | Event::Depth(_)));
            snapshots += usize::from(matches!(&event, Event::Depth(depth) if depth.kind.is_snapshot()));
            events.push(event);
        }
        if broken {
            sandbox.sessions().iter().for_each(|session| session.break_off(Break::After(0)));
            while !matches!(events.last(), Some(Event::Reconnected { .. })) {
                events.push(next(&stream));
            }
        }
    }
    stream.close();
    events.extend(&stream);
    assert!(matches!(events.pop(), Some(Event::Closed(CloseReason::Requested))));
    drop(stream);
    let Recorded { missed, redacted, .. } = recorder.finish().unwrap();
    assert_eq!((missed, redacted), (0, 0));

    let recording = Recording::open(&path).unwrap();
    let (replayed, replayed_texts) = play(&recording, |builder| builder);
    assert!(replayed_texts.iter().any(|(direction, why, _)| *direction == Direction::Closed && !why.is_empty()));
    assert_same(&replayed_texts, &texts.iter().collect::<Vec<_>>());
    let [live, replayed] = [events, replayed].map(|events| events.iter().map(shown).collect::<Vec<_>>());
    assert_same(&replayed, &live);
    // And once more, to a program that subscribes as the first did.
    let (again, _) = play(&recording, market);
    assert_same(&again.iter().map(shown).collect::<Vec<_>>(), &live);
}

/// Records a quiet sandbox, whose time goes by hand, then plays that through another's socket in the same way.
#[test]
fn a_session_is_the_same_through_a_socket_without_one_and_live() {
    let path = file("socket");
    let mut runs = Vec::new();
    for replay in [false, true] {
        let builder = Sandbox::builder().start_time(1_700_000_000_000);
        let builder = if replay { builder.replay(&path) } else { builder };
        let sandbox = builder.start().unwrap();
        let recorder = (!replay).then(|| Recorder::create(&path).unwrap());
        let mut record = recorder.as_ref().map(Recorder::tap);
        let (mut keep, texts) = keeper();
        // A text each millisecond, so that what was said after the subscription is due after it.
        let mut clock = 0;
        let tap = move |direction, text: &str, at| {
            clock += 1_000_000;
            record.iter_mut().for_each(|record| record(direction, text, clock));
            keep(direction, text, at);
        };
        let client = Client::builder(sandbox.endpoint()).build().unwrap();
        let stream = market(client.stream()).tap(tap).connect().unwrap();
        let mut events: Vec<Event> = (0..=2 * SYMBOLS.len()).map(|_| next(&stream)).collect();
        for symbol in SYMBOLS {
            stream.request_snapshot(symbol).unwrap();
        }
        let mut seen = Vec::new();
        settle(&stream, &texts, &mut seen);
        if replay {
            sandbox.advance(Duration::from_secs(60));
        } else {
            for _ in 0..40 {
                sandbox.advance(Duration::from_millis(500));
                settle(&stream, &texts, &mut seen);
            }
        }
        // What the recording has, however long that takes: its own client, live, has said so often that all is here.
        let wanted = runs.first().map_or(0, |(_, texts): &(_, Vec<String>)| texts.len());
        let told = |seen: &[Text]| -> Vec<String> {
            let data = |(direction, text, _): &&Text| {
                let live = ["\"connected\"", "\"sub\"", "\"pong\""];
                *direction == Direction::Received && !live.iter().any(|m| text.starts_with(&format!("{{\"m\":{m}")))
            };
            seen.iter().filter(data).map(|(_, text, _)| text.clone()).collect()
        };
        while told(&seen).len() < wanted {
            seen.push(texts.recv_timeout(PATIENCE).expect("another text"));
        }
        settle(&stream, &texts, &mut seen);
        stream.close();
        events.extend(&stream);
        events.pop();
        drop(stream);
        if let Some(recorder) = recorder {
            recorder.finish().unwrap();
        }
        runs.push((events.iter().map(|event| undated(&shown(event))).collect::<Vec<_>>(), told(&seen)));
    }
    let [(live, texts), (socket, socket_texts)] = runs.try_into().unwrap();
    assert!(texts.len() > 100, "{}", texts.len());
    assert_same(&socket_texts, &texts);
    assert_same(&socket, &live);
    let (plain, _) = play(&Recording::open(&path).unwrap(), |builder| builder);
    assert_same(&plain.iter().map(|event| undated(&shown(event))).collect::<Vec<_>>(), &live);
}

/// A session with an order, in the file's text and in events. Each way to authenticate, and whether it is told.
fn of_account(name: &str, way: Authentication, private: bool) -> (Sandbox, String, String, Vec<String>) {
    let path = file(name);
    let sandbox = Sandbox::start().unwrap();
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap();
    let recorder = Recorder::builder(&path).private(private).start().unwrap();
    let stream = client.stream().authenticate(way).tap(recorder.tap());
    let stream = stream.subscribe(Channel::orders(AccountCategory::Cash)).subscribe(Channel::bbo(["BTC/USDT"]));
    let stream = stream.connect().unwrap();
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "10000").unwrap();
    let ack = stream.place(AccountCategory::Cash, &order).unwrap();
    let id = ack.info.order_id().unwrap().as_str().to_owned();
    let mut events = Vec::new();
    let (mut orders, mut quotes) = (0, 0);
    while orders == 0 || quotes == 0 {
        let event = next(&stream);
        orders += usize::from(matches!(event, Event::Order(_)));
        quotes += usize::from(matches!(event, Event::Bbo(_)));
        events.push(event);
    }
    stream.close();
    events.extend(&stream);
    events.pop();
    drop(stream);
    recorder.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    (sandbox, text, id, events.iter().map(shown).collect())
}

#[test]
fn what_is_private_is_written_only_if_asked_for_and_secrets_never() {
    for (way, name) in [(Authentication::Header, "header"), (Authentication::Message, "message")] {
        for private in [false, true] {
            let (sandbox, text, order, live) = of_account(&format!("{name}-{private}"), way, private);
            assert!(!text.contains(sandbox.api_key()) && !text.contains(sandbox.api_secret()));
            assert_eq!(text.contains("\\\"op\\\":\\\"auth\\\""), way == Authentication::Message);
            assert_eq!(text.contains(&order), private, "{name}");
            for word in ["accountId", "order:", "place-order"] {
                assert_eq!(text.contains(word), private, "{name}: {word}");
            }
            assert_eq!(text.contains("\"redacted\":\"order\""), !private);
            let replayed: Vec<String> = play(&Recording::parse(&text).unwrap(), |b| b).0.iter().map(shown).collect();
            let public = |event: &&String| {
                private || ["Connected", "Bbo", "Subscribed(\"bbo"].iter().any(|e| event.starts_with(e))
            };
            assert_same(&replayed, &live.iter().filter(public).cloned().collect::<Vec<_>>());
        }
    }
}

const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/session-small.json");

/// Writes a session of a few texts through the recorder's tap.
fn written(recorder: &Recorder, texts: &[Text]) {
    let mut tap = recorder.tap();
    texts.iter().for_each(|(direction, text, at)| tap(*direction, text, *at));
}

#[test]
fn a_recording_of_a_replay_is_the_same_recording_in_parts_or_whole() {
    let (_, texts) = play(&Recording::open(SMALL).unwrap(), |builder| builder);
    let path = file("parts");
    for (rotate_after, files) in [(None, 1..=1), (Some(4000), 3..=9), (Some(1), 40..=60)] {
        let mut builder = Recorder::builder(&path);
        if let Some(bytes) = rotate_after {
            builder = builder.rotate_after(bytes);
        }
        let recorder = builder.start().unwrap();
        written(&recorder, &texts);
        let recorded = recorder.finish().unwrap();
        assert!(files.contains(&recorded.files), "{recorded:?}");
        assert_eq!(play(&Recording::open(&path).unwrap(), |builder| builder).1, texts);
        let part = |n: u32| PathBuf::from(format!("{}.{n}", path.display()));
        let sizes = (1..recorded.files).map(|n| std::fs::metadata(part(n)).unwrap().len());
        assert_eq!(sizes.sum::<u64>() + std::fs::metadata(&path).unwrap().len(), recorded.bytes);
        if files == (3..=9) {
            // A part alone is a recording, too: it goes on from there.
            assert!(Recording::open(part(1)).unwrap().duration() < Recording::open(&path).unwrap().duration());
            // The sandbox plays all of them.
            drop(Sandbox::builder().replay(&path).start().unwrap());
            std::fs::remove_file(part(2)).unwrap();
            let error = Recording::open(&path).unwrap_err();
            assert!(matches!(&error, RecordingError::Read { path, .. } if *path == part(2)), "{error}");
        }
    }
}

#[test]
fn what_there_was_no_room_for_is_told_in_its_place() {
    let (_, texts) = play(&Recording::open(SMALL).unwrap(), |builder| builder);
    let path = file("gap");
    let recorder = Recorder::builder(&path).max_queued(150).start().unwrap();
    // The greeting fits, a change does not, a trade does again once the greeting is written.
    let long = "x".repeat(200);
    let greeting = texts.iter().find(|(_, text, _)| text.contains("connected")).unwrap();
    let mut tap = recorder.tap();
    tap(greeting.0, &greeting.1, 1);
    for at in 2..9 {
        tap(Direction::Received, &long, at);
    }
    let recorded = recorder.finish().unwrap();
    assert_eq!((recorded.texts, recorded.missed), (1, 7));
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.missed(), 7);
    let (events, _) = play(&recording, |builder| builder);
    assert!(matches!(&events[1], Event::Lagged(lag) if lag.dropped == [("*".into(), 7)]), "{events:?}");
}

#[test]
fn failures_to_write_are_values() {
    let nowhere = Recorder::create("/nowhere/at/all.jsonl").unwrap_err();
    assert!(matches!(nowhere, RecordingError::Write { .. }) && nowhere.to_string().contains("/nowhere/at/all.jsonl"));
    let full = Path::new("/dev/full");
    if !full.exists() {
        return println!("skipped: there is no full disk here");
    }
    let recorder = Recorder::create(full).unwrap();
    written(&recorder, &[(Direction::Received, "{}".to_owned(), 1)]);
    let error = recorder.finish().unwrap_err();
    assert!(matches!(&error, RecordingError::Write { path, .. } if path == full), "{error}");
}

#[test]
fn a_recording_cut_off_by_a_crash_is_played_up_to_there_and_told() {
    let (_, texts) = play(&Recording::open(SMALL).unwrap(), |builder| builder);
    let path = file("cut");
    let recorder = Recorder::create(&path).unwrap();
    written(&recorder, &texts);
    recorder.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().count();
    std::fs::write(&path, &text[..text.len() - 9]).unwrap();
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.cut_off(), Some(lines));
    let last = nobody().stream().replay(&recording).connect().unwrap().iter().last();
    assert!(
        matches!(last, Some(Event::Closed(CloseReason::EndOfRecording { cut_off: Some(line), .. })) if line == lines)
    );
    drop(Sandbox::builder().replay(&path).start().unwrap());
}

#[test]
fn nothing_is_sent_where_a_recording_is_played() {
    let recording = Recording::open(SMALL).unwrap();
    let stream = nobody().stream().authenticate(Authentication::Header).replay(&recording).connect().unwrap();
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "10000").unwrap();
    let error = stream.place(AccountCategory::Cash, &order).unwrap_err();
    assert!(matches!(error, Error::NotReady(_)) && !error.may_have_executed(), "{error}");
    assert!(matches!(stream.depth_snapshot("BTC/USDT"), Err(Error::NotReady(_))));
    // What has no answer is taken: the recording tells what comes of it.
    stream.request_snapshot("BTC/USDT").unwrap();
    stream.subscribe(Channel::bbo(["BTC/USDT"])).unwrap();
    stream.ping().unwrap();
    assert!(matches!(next(&stream), Event::Connected { .. }));
    assert!(stream.iter().count() > 30);
    assert!(stream.stats().messages > 30 && stream.stats().dropped == 0);
    assert_eq!(stream.recv_timeout(PATIENCE).unwrap_err(), RecvTimeoutError::Disconnected);
    assert_eq!(stream.try_recv().unwrap_err(), TryRecvError::Disconnected);
    assert!(matches!(stream.ping(), Err(Error::Closed)));
}

#[test]
fn a_recording_keeps_its_time_if_asked_to() {
    let recording = Recording::open(SMALL).unwrap();
    for times in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = nobody().stream().replay(&recording).replay_speed(times).connect();
        assert!(matches!(refused, Err(Error::InvalidInput(e)) if e.field() == "replay_speed"));
    }
    // The first entry is played at once and is no event, the next only after hours.
    let stream = nobody().stream().replay(&recording).replay_speed(1e-6).connect().unwrap();
    assert_eq!(stream.try_recv().unwrap_err(), TryRecvError::Empty);
    assert_eq!(stream.recv_timeout(Duration::from_millis(1)).unwrap_err(), RecvTimeoutError::Timeout);
    // Whoever waits for it hears of an end from elsewhere.
    let handle = stream.handle();
    std::thread::spawn(move || handle.close());
    assert!(matches!(stream.recv(), Ok(Event::Closed(CloseReason::Requested))));
    // Fast enough it is all there soon.
    let stream = nobody().stream().replay(&recording).replay_speed(1e6).connect().unwrap();
    let events = std::iter::from_fn(|| stream.recv_timeout(PATIENCE).ok());
    assert!(matches!(events.last(), Some(Event::Closed(CloseReason::EndOfRecording { .. }))));
}
