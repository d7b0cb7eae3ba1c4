//! The writing of recordings: a tap that never waits, and a thread that writes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use serde_json::value::RawValue;

use super::privacy::Privacy;
use super::{RecordingError, part_of};
use crate::ws::Direction;

/// What an entry in the queue takes beside its text, in bytes.
const OVERHEAD: usize = 64;

/// Writes what a stream sends and receives to a file, in a thread of its own: the stream is never held up.
///
/// It looks on through [`StreamBuilder::tap`](crate::StreamBuilder::tap). What it writes is read by
/// [`Recording::open`](crate::Recording::open) and by the sandbox. One recorder is for one stream: two would be mixed up.
///
/// **Nothing private is written**, unless [asked for](RecorderBuilder::private). On a connection that is authenticated
/// the texts of these are: market data (`bbo`, `depth` and `depth-realtime` with their snapshots, `trades`,
/// `market-trades`, `bar`, `summary`, `ref-px`) and the messages that subscribe to it or ask for it; `connected`, `auth`,
/// `ping`, `pong`, `disconnected`. Of every other (orders, balances, all answers about an account, refusals, what this
/// version does not know) only the time, the direction and the kind are. The number of the account group, which is part of
/// the address, is written. **No key, secret or signature ever is**: the tap itself does not show them.
///
/// ```no_run
/// # use bitmax::{Channel, Client, Endpoint, Recorder};
/// # let client = Client::builder(Endpoint::ASCENDEX).build()?;
/// let recorder = Recorder::create("session.jsonl")?;
/// let stream = client.stream().tap(recorder.tap()).subscribe(Channel::bbo(["BTC/USDT"])).connect()?;
/// for event in stream.iter().take(1000) {
///     // …
/// }
/// let recorded = recorder.finish()?;
/// println!("{} texts, {} missed", recorded.texts, recorded.missed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder {
    feed: Feed,
    /// `None` once it is waited for.
    thread: Option<JoinHandle<Result<Recorded, RecordingError>>>,
}

/// Settings of a [`Recorder`], made by [`Recorder::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
pub struct RecorderBuilder {
    path: PathBuf,
    rotate_after: Option<u64>,
    private: bool,
    max_queued: usize,
}

/// What a [`Recorder`] has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Recorded {
    /// Texts of the client and of the server, the redacted among them.
    pub texts: u64,
    /// How many of them were redacted.
    pub redacted: u64,
    /// Texts for which there was no room in the queue: they are missing, and the file says where.
    pub missed: u64,
    /// Bytes, in all files.
    pub bytes: u64,
    /// Files.
    pub files: u32,
}

impl RecorderBuilder {
    /// Goes on in another file when one has so many bytes: after `name` in `name.1`, then `name.2` and so on; the name
    /// stays that of the oldest, and each file ends by saying that the next follows. A file is at most one entry longer.
    /// Defaults to never.
    pub fn rotate_after(mut self, bytes: u64) -> Self {
        self.rotate_after = Some(bytes.max(1));
        self
    }

    /// Whether what concerns an account is written too: orders, balances, ids, answers. Defaults to not.
    pub fn private(mut self, written: bool) -> Self {
        self.private = written;
        self
    }

    /// How many bytes may wait to be written. What comes when there is no room is missing from the recording, which says
    /// where, and how many texts. Defaults to 64 MiB.
    pub fn max_queued(mut self, bytes: usize) -> Self {
        self.max_queued = bytes;
        self
    }

    /// Creates the file, or empties it, and starts the thread.
    ///
    /// # Errors
    /// [`RecordingError::Write`] when the file cannot be written, or there is no thread to be had.
    pub fn start(self) -> Result<Recorder, RecordingError> {
        let failed = |source| RecordingError::Write { path: self.path.clone(), source };
        let file = File::create(&self.path).map_err(failed)?;
        let (notes, inbox) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            path: self.path.clone(),
            file: BufWriter::with_capacity(1 << 16, file),
            room: self.rotate_after,
            rotate_after: self.rotate_after,
            privacy: (!self.private).then(Privacy::default),
            recorded: Recorded { files: 1, ..Recorded::default() },
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new().name("bitmax-record".to_owned()).spawn(|| writer.run(inbox));
        let thread = Some(thread.map_err(failed)?);
        Ok(Recorder { feed: Feed { notes, shared, max_queued: self.max_queued }, thread })
    }
}

impl Recorder {
    /// Settings for a recorder that writes this file.
    pub fn builder(path: impl Into<PathBuf>) -> RecorderBuilder {
        RecorderBuilder { path: path.into(), rotate_after: None, private: false, max_queued: 64 << 20 }
    }

    /// Starts a recorder with every setting at its default.
    ///
    /// # Errors
    /// As [`RecorderBuilder::start`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RecordingError> {
        Self::builder(path).start()
    }

    /// What is to look on: for [`StreamBuilder::tap`](crate::StreamBuilder::tap). It copies a text and never waits.
    pub fn tap(&self) -> impl FnMut(Direction, &str, u64) + Send + 'static {
        let feed = self.feed.clone();
        move |direction, text, at| feed.put(direction, text, at)
    }

    /// Whether it still writes. It stops when a file cannot be written, a full disk say; what comes then is not recorded,
    /// and [`finish`](Self::finish) tells why.
    pub fn is_writing(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits until all that has happened so far is written, handed to the system that is, and ends the recording.
    /// Dropping the recorder does the same; a failure then goes to the log.
    ///
    /// # Errors
    /// [`RecordingError::Write`] when a file could not be written, at any time. What was written before is there.
    pub fn finish(mut self) -> Result<Recorded, RecordingError> {
        self.end()
    }

    fn end(&mut self) -> Result<Recorded, RecordingError> {
        let Some(thread) = self.thread.take() else { return Ok(Recorded::default()) };
        if self.feed.notes.send(Note::Finish).is_err() {
            log::trace!("the recorder's thread has ended already");
        }
        // cannot fail: the thread has nothing in it that panics
        thread.join().unwrap_or_else(|_| Ok(Recorded::default()))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Err(e) = self.end() {
            log::error!("the recording is not whole: {e}");
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// What reaches the thread.
enum Note {
    Text {
        at: u64,
        direction: Direction,
        text: Box<str>,
    },
    /// So many texts are missing here, the first from then.
    Gap {
        at: u64,
        missed: u64,
    },
    Finish,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes in the queue.
    queued: AtomicUsize,
    /// Texts missed since the last that fitted, and when the first of them came.
    missed: AtomicU64,
    missed_at: AtomicU64,
}

impl Shared {
    fn gap(&self) -> Option<Note> {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        (missed > 0).then(|| Note::Gap { at: self.missed_at.load(Ordering::Relaxed), missed })
    }
}

/// The stream's end of the queue.
#[derive(Clone)]
struct Feed {
    notes: mpsc::Sender<Note>,
    shared: Arc<Shared>,
    max_queued: usize,
}

impl Feed {
    fn put(&self, direction: Direction, text: &str, at: u64) {
        let size = text.len() + OVERHEAD;
        if self.shared.queued.load(Ordering::Relaxed).saturating_add(size) > self.max_queued {
            if self.shared.missed.fetch_add(1, Ordering::Relaxed) == 0 {
                self.shared.missed_at.store(at, Ordering::Relaxed);
            }
            return;
        }
        self.shared.queued.fetch_add(size, Ordering::Relaxed);
        let gap = self.shared.gap();
        for note in gap.into_iter().chain([Note::Text { at, direction, text: text.into() }]) {
            if self.notes.send(note).is_err() {
                log::trace!("the recording has ended");
            }
        }
    }
}

/// The thread.
struct Writer {
    /// The file that is being written.
    path: PathBuf,
    file: BufWriter<File>,
    rotate_after: Option<u64>,
    /// Bytes that the file may still take.
    room: Option<u64>,
    /// `None`: what is private is written too.
    privacy: Option<Privacy>,
    recorded: Recorded,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self, inbox: mpsc::Receiver<Note>) -> Result<Recorded, RecordingError> {
        let result = self.write_all(&inbox);
        let result = result.map_err(|source| RecordingError::Write { path: self.path, source });
        if let Err(e) = &result {
            log::error!("the recording ends: {e}");
        }
        result.map(|()| self.recorded)
    }

    fn write_all(&mut self, inbox: &mpsc::Receiver<Note>) -> io::Result<()> {
        loop {
            let note = match inbox.try_recv() {
                Ok(note) => note,
                Err(TryRecvError::Empty) => {
                    // Whoever looks into the file, or finds it after a crash, finds all that has come.
                    self.file.flush()?;
                    let Ok(note) = inbox.recv() else { break };
                    note
                }
                Err(TryRecvError::Disconnected) => break,
            };
            match note {
                Note::Text { at, direction, text } => {
                    self.shared.queued.fetch_sub(text.len() + OVERHEAD, Ordering::Relaxed);
                    self.text(at, direction, &text)?;
                }
                Note::Gap { at, missed } => self.gap(at, missed)?,
                Note::Finish => break,
            }
        }
        if let Some(Note::Gap { at, missed }) = self.shared.gap() {
            self.gap(at, missed)?;
        }
        self.file.flush()
    }

    fn text(&mut self, at: u64, direction: Direction, text: &str) -> io::Result<()> {
        let private = self.privacy.as_mut().and_then(|privacy| privacy.private_kind(direction, text));
        let mut line = match direction {
            Direction::Connect => Line { url: Some(text), ..Line::new("connect") },
            Direction::Closed => Line { reason: Some(text), ..Line::new("close") },
            Direction::Sent => Line { raw: Some(text), ..Line::new("c2s") },
            Direction::Received => Line { raw: Some(text), ..Line::new("s2c") },
        };
        if matches!(direction, Direction::Sent | Direction::Received) {
            self.recorded.texts += 1;
        }
        if let Some(kind) = &private {
            self.recorded.redacted += 1;
            (line.raw, line.redacted) = (None, Some(kind.as_str()));
        }
        self.line(at, line)
    }

    fn gap(&mut self, at: u64, missed: u64) -> io::Result<()> {
        self.recorded.missed += missed;
        log::warn!("{missed} texts are missing from a recording: they came faster than it could be written");
        self.line(at, Line { missed: Some(missed), ..Line::new("gap") })
    }

    /// Writes a line, in the next file if this one is full.
    fn line(&mut self, at: u64, line: Line<'_>) -> io::Result<()> {
        if self.room == Some(0) {
            let part = self.recorded.files;
            let path = part_of(&self.path, part);
            // First the file, then the word that it follows: it must be there, and be this one's.
            let file = File::create(&path)?;
            self.put(at, Line { part: Some(part), ..Line::new("next") })?;
            self.file.flush()?;
            (self.path, self.file) = (path, BufWriter::with_capacity(1 << 16, file));
            self.recorded.files += 1;
            self.room = self.rotate_after;
        }
        self.put(at, line)
    }

    fn put(&mut self, at: u64, line: Line<'_>) -> io::Result<()> {
        let t = format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
        let t = RawValue::from_string(t)?;
        let mut text = serde_json::to_string(&Line { t: Some(&t), ..line })?;
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        let size = text.len() as u64;
        self.recorded.bytes += size;
        self.room = self.room.map(|room| room.saturating_sub(size));
        Ok(())
    }
}

/// One line of the file.
#[derive(Serialize)]
struct Line<'a> {
    t: Option<&'a RawValue>,
    dir: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
}

impl Line<'_> {
    fn new(dir: &'static str) -> Self {
        Self { t: None, dir, url: None, raw: None, redacted: None, reason: None, missed: None, part: None }
    }
}
