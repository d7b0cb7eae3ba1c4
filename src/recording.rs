//! Recorded sessions of a stream: the files, and how they are read.
//!
//! One entry a line, a JSON object; or all of them in one JSON list. `t` is when it happened, UTC seconds with up to nine
//! digits after the point; `dir` says what it is, and what else there is.
//!
//! | `dir` | | |
//! | --- | --- | --- |
//! | `connect` | a connection is tried | `url` |
//! | `c2s` | the client sent a text | `raw`, the text as it is; or `redacted`, what kind it was |
//! | `s2c` | the server sent a text | the same |
//! | `close` | the connection broke, or the attempt failed | `reason` |
//! | `gap` | texts are missing here, for which there was no room | `missed`, how many |
//! | `next` | the recording goes on in another file | `part`, its number |
//!
//! Other fields are passed over. Part 1 of `name` is the file `name.1`.

mod privacy;
mod recorder;

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use recorder::{Recorded, Recorder, RecorderBuilder};

/// The longest line that is read, in bytes. The largest message that a stream takes fits in, however it is escaped.
const MAX_LINE: usize = 64 << 20;
/// The longest JSON list that is read, in bytes.
const MAX_LIST: usize = 1 << 30;

/// A recorded session of a stream, to be [played](crate::StreamBuilder::replay). Cheap to clone.
///
/// What a [`Recorder`] writes is read, one JSON object a line, and the same objects in one JSON list. All of it is read at
/// once and kept in memory, which takes about as much as the texts.
///
/// ```no_run
/// use bitmax::{Client, Endpoint, Event, Recording};
/// let recording = Recording::open("session.jsonl")?;
/// let client = Client::builder(Endpoint::ASCENDEX).build()?; // it is not asked
/// let stream = client.stream().replay(&recording).connect()?;
/// for event in &stream {
///     if let Event::Depth(depth) = event {
///         println!("{} {} {}", depth.received, depth.symbol, depth.seqnum);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Recording {
    entries: Arc<Vec<Entry>>,
    cut_off: Option<usize>,
}

/// One thing that happened.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// UTC nanoseconds.
    pub(crate) at: u64,
    pub(crate) what: What,
}

#[derive(Debug, PartialEq)]
pub(crate) enum What {
    /// A connection is tried, to this URL.
    Connect(Box<str>),
    Sent(Box<str>),
    Received(Box<str>),
    /// The connection broke, or the attempt failed, for this reason.
    Closed(Box<str>),
    /// A text is not told.
    Redacted,
    /// So many texts are missing.
    Gap(u64),
    /// The recording goes on in this part.
    Next(u32),
}

impl Recording {
    /// Reads a file, and the parts in which it goes on, where it was written in [parts](RecorderBuilder::rotate_after).
    ///
    /// A last line that is not whole, as after a crash while recording, is left out: [`cut_off`](Self::cut_off) says so,
    /// and so does [the end](crate::CloseReason::EndOfRecording) when it is played.
    ///
    /// # Errors
    /// [`RecordingError::Read`] when a file cannot be read; [`RecordingError::Invalid`] when it is damaged or holds nothing
    /// that a server said, with the line. A line may have 64 MiB, a list 1 GiB.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let mut reading = Reading::default();
        let mut path = path.as_ref().to_owned();
        let mut part = 0;
        loop {
            let next = File::open(&path).and_then(|file| reading.read(&mut BufReader::with_capacity(1 << 16, file)));
            let invalid = |reason: &str| RecordingError::invalid(Some(&path), None, reason);
            match next.map_err(|e| RecordingError::reading(Some(&path), e))? {
                Some(next) if next == part + 1 || part == 0 => {
                    path = part_of(&path, next);
                    part = next;
                }
                Some(_) => return Err(invalid("it does not go on in its next part")),
                None => return reading.done().ok_or_else(|| invalid(NOTHING)),
            }
        }
    }

    /// Reads text in the form of such a file.
    ///
    /// # Errors
    /// [`RecordingError::Invalid`], as [`open`](Self::open); also when the text says that it goes on in another file.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let invalid = |reason: &str| RecordingError::invalid(None, None, reason);
        let mut reading = Reading::default();
        match reading.read(&mut text.as_bytes()).map_err(|e| RecordingError::reading(None, e))? {
            Some(part) => Err(invalid(&format!("it goes on in part {part}"))),
            None => reading.done().ok_or_else(|| invalid(NOTHING)),
        }
    }

    /// The number of its last line where that is not whole, from a crash while recording: it is left out. Counted from
    /// 1, in the last part.
    pub fn cut_off(&self) -> Option<usize> {
        self.cut_off
    }

    /// How many texts the recorder had no room for; they are missing. See [`RecorderBuilder::max_queued`].
    pub fn missed(&self) -> u64 {
        self.entries.iter().map(|entry| if let What::Gap(missed) = entry.what { missed } else { 0 }).sum()
    }

    /// The time from its first entry to its last.
    pub fn duration(&self) -> Duration {
        let ends = self.entries.first().zip(self.entries.last());
        Duration::from_nanos(ends.map_or(0, |(first, last)| last.at.saturating_sub(first.at)))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("entries", &self.entries.len())
            .field("cut_off", &self.cut_off)
            .finish_non_exhaustive()
    }
}

const NOTHING: &str = "no message of a server is in it";

/// The file of a part of the recording that is in this file, or goes on in it.
fn part_of(path: &Path, part: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    // From one part to the next.
    if part > 1
        && path.extension().is_some_and(|extension| *extension == *(part - 1).to_string())
        && let Some(stem) = path.file_stem()
    {
        name = path.with_file_name(stem).into();
    }
    let number: OsString = format!(".{part}").into();
    name.push(number);
    name.into()
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    cut_off: Option<usize>,
}

/// What is wrong with a file, and where.
#[derive(Debug)]
struct Damage {
    line: usize,
    reason: String,
}

impl Damage {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }

    /// What JSON says of a text that begins at this line.
    fn json(first_line: usize, e: &serde_json::Error) -> Self {
        let text = e.to_string();
        let place = format!(" at line {} column {}", e.line(), e.column());
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        Self::new(first_line + e.line().saturating_sub(1), format!("{reason} (column {})", e.column()))
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl StdError for Damage {}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::other(damage)
    }
}

impl Reading {
    /// Reads one file, and says in which part the recording goes on.
    fn read(&mut self, file: &mut impl BufRead) -> Result<Option<u32>, io::Error> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = file.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
            if read > MAX_LINE {
                return Err(Damage::new(number, "it is longer than 64 MiB").into());
            }
            let text = line.trim_ascii();
            match text.first() {
                None if read == 0 => break,
                None => continue,
                Some(b'[') if self.entries.is_empty() => {
                    self.list(number, &line, file)?;
                    break;
                }
                Some(_) => {}
            }
            match serde_json::from_slice(text) {
                Ok(Entry { what: What::Next(part), .. }) => return Ok(Some(part)),
                Ok(entry) => self.entries.push(entry),
                // Whoever wrote it did not come to its end.
                Err(_) if !line.ends_with(b"\n") => {
                    self.cut_off = Some(number);
                    break;
                }
                Err(e) => return Err(Damage::json(number, &e).into()),
            }
        }
        Ok(None)
    }

    /// Reads a list that begins at this line.
    fn list(&mut self, first_line: usize, line: &[u8], file: &mut impl BufRead) -> Result<(), io::Error> {
        let mut text = line.to_vec();
        file.by_ref().take(MAX_LIST as u64 + 1).read_to_end(&mut text)?;
        if text.len() > MAX_LIST {
            return Err(Damage::new(first_line, "the list is longer than 1 GiB: write one entry a line").into());
        }
        self.entries = serde_json::from_slice(&text).map_err(|e| Damage::json(first_line, &e))?;
        Ok(())
    }

    /// The recording, if there is something in it.
    fn done(self) -> Option<Recording> {
        let said = self.entries.iter().any(|entry| matches!(entry.what, What::Received(_)));
        said.then(|| Recording { entries: Arc::new(self.entries), cut_off: self.cut_off })
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "an entry")]
        struct Wire<'a> {
            #[serde(borrow)]
            t: &'a RawValue,
            dir: Box<str>,
            #[serde(default)]
            raw: Option<Box<str>>,
            #[serde(default)]
            url: Option<Box<str>>,
            #[serde(default)]
            reason: Option<Box<str>>,
            #[serde(default)]
            redacted: Option<IgnoredAny>,
            #[serde(default)]
            missed: Option<u64>,
            #[serde(default)]
            part: Option<u32>,
        }
        let Wire { t, dir, raw, url, reason, redacted, missed, part } = Wire::deserialize(deserializer)?;
        let at = nanos(t.get()).ok_or_else(|| D::Error::custom("the time (`t`) is no number of seconds since 1970"))?;
        let what = match (&*dir, raw) {
            ("connect", _) => What::Connect(url.unwrap_or_default()),
            ("c2s", Some(raw)) => What::Sent(raw),
            ("s2c", Some(raw)) => What::Received(raw),
            ("c2s" | "s2c", None) if redacted.is_some() => What::Redacted,
            ("c2s" | "s2c", None) => return Err(D::Error::custom("a message without its text (`raw`)")),
            ("close", _) => What::Closed(reason.unwrap_or_default()),
            ("gap", _) => What::Gap(missed.ok_or_else(|| D::Error::missing_field("missed"))?),
            ("next", _) => What::Next(part.ok_or_else(|| D::Error::missing_field("part"))?),
            (other, _) => return Err(D::Error::custom(format!("unknown direction {other:?}"))),
        };
        Ok(Self { at, what })
    }
}

/// A number of seconds as nanoseconds: exactly, as far as there are digits for it.
fn nanos(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        let seconds = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
        return u64::try_from(seconds.as_nanos()).ok();
    }
    let digits = fraction.bytes().map(|b| u64::from(b - b'0')).chain(std::iter::repeat(0)).take(9);
    let fraction = digits.fold(0, |nanos, digit| nanos * 10 + digit);
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// Why a session could not be recorded, or a recording not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordingError {
    /// A file could not be read.
    #[non_exhaustive]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[non_exhaustive]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no recording, or damaged.
    #[non_exhaustive]
    Invalid {
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// The line, counted from 1; `None` when it is about the whole.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
}

impl RecordingError {
    fn invalid(path: Option<&Path>, line: Option<usize>, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.map(Path::to_owned), line, reason: reason.into() }
    }

    /// What reading failed with: for damage or by the system.
    fn reading(path: Option<&Path>, e: io::Error) -> Self {
        match (e.downcast::<Damage>(), path) {
            (Ok(Damage { line, reason }), path) => Self::invalid(path, Some(line), reason),
            (Err(source), Some(path)) => Self::Read { path: path.to_owned(), source },
            (Err(source), None) => Self::invalid(None, None, source.to_string()),
        }
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::Invalid { path, line, reason } => {
                match path {
                    Some(path) => write!(f, "{} is no recording", path.display())?,
                    None => f.write_str("not a recording")?,
                }
                match line {
                    Some(line) => write!(f, ": line {line}: {reason}"),
                    None => write!(f, ": {reason}"),
                }
            }
        }
    }
}

impl StdError for RecordingError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            Self::Invalid { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"t":1.5,"dir":"s2c","raw":"{\"m\":\"ping\"}"}"#;

    #[test]
    fn both_forms_are_read() {
        let entries = [
            r#"{"t": 1618677608.08947, "dir": "connect", "url": "ws://x"}"#,
            r#"{"dir":"c2s","raw":"a\"b","t":1618677608.9205272}"#,
            LINE,
            r#"{"t":2,"dir":"s2c","redacted":"order"}"#,
            r#"{"t":3e0,"dir":"close","reason":"gone","other":[1]}"#,
            r#"{"t":4.000000001,"dir":"gap","missed":7}"#,
        ];
        let expected = [
            (1_618_677_608_089_470_000, What::Connect("ws://x".into())),
            (1_618_677_608_920_527_200, What::Sent("a\"b".into())),
            (1_500_000_000, What::Received(r#"{"m":"ping"}"#.into())),
            (2_000_000_000, What::Redacted),
            (3_000_000_000, What::Closed("gone".into())),
            (4_000_000_001, What::Gap(7)),
        ]
        .map(|(at, what)| Entry { at, what });
        for text in [entries.join("\n"), format!("\r\n[\n{}]\n", entries.join(",\n")), entries.join("\r\n\n") + "\n\n"]
        {
            let recording = Recording::parse(&text).unwrap();
            assert_eq!(recording.entries(), expected);
            assert_eq!((recording.cut_off(), recording.missed()), (None, 7));
        }
    }

    #[test]
    fn damage_is_refused_with_line_and_reason() {
        for (text, reason) in [
            ("", "not a recording: no message of a server"),
            ("\n \n", "no message of a server"),
            ("[", "line 1: EOF"),
            ("[]", "no message of a server"),
            (r#"{"t":1,"dir":"connect"}"#, "no message of a server"),
            (r#"{"t":1,"dir":"s2c","redacted":""}"#, "no message of a server"),
            (&format!("[\n{LINE},\n{{\"t\":1,\"dir\":\"up\"}}]"), "line 3: unknown direction \"up\""),
            (&format!("[{LINE}]\n]"), "line 2: trailing characters"),
            (&format!("{LINE}\n{{\"t\":1,\"dir\":\"s2c\"}}\n{LINE}"), "line 2: a message without its text"),
            (&format!("{LINE}\n\n{{\"dir\":\"s2c\",\"raw\":\"\"}}\n"), "line 3: missing field `t`"),
            (&format!("{LINE}\n{LINE}{LINE}\n"), "line 2: trailing characters (column 47)"),
            (&format!("{LINE}\nrubbish\n{LINE}"), "line 2: expected value"),
            (&format!("{LINE}\n{{\"t\":-1,\"dir\":\"s2c\",\"raw\":\"\"}}\n"), "line 2: the time"),
            (&format!("{LINE}\n{{\"t\":1e300,\"dir\":\"s2c\",\"raw\":\"\"}}\n"), "line 2: the time"),
            (&format!("{LINE}\n{{\"t\":99999999999,\"dir\":\"s2c\",\"raw\":\"\"}}\n"), "line 2: the time"),
            (&format!("{LINE}\n{{\"t\":1,\"dir\":\"gap\"}}\n"), "line 2: missing field `missed`"),
            (&format!("{LINE}\n{{\"t\":1,\"dir\":\"next\",\"part\":1}}\n"), "goes on in part 1"),
        ] {
            let error = Recording::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_is_in_memory() {
        let mut endless = BufReader::new(LINE.as_bytes().chain(&b"\n"[..]).chain(io::repeat(b'x')));
        let error = Reading::default().read(&mut endless).unwrap_err().downcast::<Damage>().unwrap();
        assert_eq!((error.line, error.reason.as_str()), (2, "it is longer than 64 MiB"));
    }

    #[test]
    fn what_was_cut_off_is_left_out_and_told() {
        let whole = format!("{LINE}\n{LINE}\n{}", LINE.replace("ping", "pöng"));
        assert_eq!(Recording::parse(&whole).unwrap().cut_off(), None);
        for cut in 1..LINE.len() {
            let bytes = whole.as_bytes();
            let mut reading = Reading::default();
            reading.read(&mut &bytes[..bytes.len() - cut]).unwrap();
            let recording = reading.done().unwrap();
            assert_eq!((recording.entries().len(), recording.cut_off()), (2, Some(3)), "{cut}");
        }
    }

    proptest::proptest! {
        /// Whatever is in a file, it is read or refused, and what was read is in it.
        #[test]
        fn any_text_is_read_or_refused(
            lines in proptest::collection::vec(proptest::sample::select(vec![
                LINE, "", "[", "]", ",", "{", "null", r#"{"t":1e9,"dir":"close"}"#, r#"{"t":0,"dir":"gap","missed":3}"#,
                r#"{"t":2,"dir":"c2s","raw":"\u00e9"}"#, r#"{"t":2,"dir":"next","part":4294967295}"#, "\u{e9}",
            ]), 0..8),
            cut in 0usize..400,
        ) {
            let text = lines.join("\n");
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            if let Ok(recording) = Recording::parse(&text[..cut]) {
                proptest::prop_assert!(recording.entries().len() <= lines.len());
                proptest::prop_assert!(recording.cut_off().is_none_or(|line| line <= lines.len()));
            }
        }
    }

    #[test]
    fn parts_are_named_after_the_first() {
        for (path, part, expected) in [
            ("a/b.jsonl", 1, "a/b.jsonl.1"),
            ("a/b.jsonl.1", 2, "a/b.jsonl.2"),
            ("b.9", 10, "b.10"),
            ("b.3", 1, "b.3.1"),
            ("b.3", 2, "b.3.2"),
        ] {
            assert_eq!(part_of(Path::new(path), part), Path::new(expected));
        }
    }
}
