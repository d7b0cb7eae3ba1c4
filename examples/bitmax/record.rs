//! What a stream sends and receives, in a file.

use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use bitmax::{Channel, Event, InvalidInput, Recorder, StreamBuilder, Symbol};
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::interrupt::closes;
use crate::stream::{End, each};

/// Write what a stream sends and receives, for `sandbox --replay`
///
/// Of each depth channel the snapshot is asked for too, so that the recording gives books.
#[derive(Args)]
pub(crate) struct RecordCommand {
    /// The file; one that is there is overwritten
    file: PathBuf,
    /// As on the wire: bbo:BTC/USDT, bar:1:BTC/USDT, order:cash
    #[arg(required = true, value_name = "CHANNEL")]
    channels: Vec<Recorded>,
    /// Write what concerns the account too; if not said, only that there was something
    #[arg(long)]
    private: bool,
    /// Go on in FILE.1, FILE.2 and so on, each when the one before it has so many bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    rotate: Option<u64>,
    #[command(flatten)]
    end: End,
}

/// A channel, and the books that it changes.
#[derive(Clone)]
struct Recorded {
    channel: Channel,
    books: Vec<Symbol>,
}

impl FromStr for Recorded {
    type Err = InvalidInput;
    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let symbols = text.strip_prefix("depth:").map(|symbols| symbols.split(',').map(Symbol::new).collect());
        Ok(Self { channel: text.parse()?, books: symbols.transpose()?.unwrap_or_default() })
    }
}

impl RecordCommand {
    pub(crate) fn is_private(&self) -> bool {
        self.channels.iter().any(|recorded| recorded.channel.is_private())
    }

    pub(crate) fn run(self, builder: StreamBuilder, json: bool) -> Result<(), Failure> {
        let mut recorder = Recorder::builder(&self.file).private(self.private);
        if let Some(bytes) = self.rotate {
            recorder = recorder.rotate_after(bytes);
        }
        let recorder = recorder.start()?;
        let mut books = Vec::new();
        let mut builder = builder.tap(recorder.tap());
        for recorded in self.channels {
            builder = builder.subscribe(recorded.channel);
            books.extend(recorded.books);
        }
        let stream = builder.connect()?;
        closes(&stream);
        let followed = each(&stream, &self.end, |event| {
            if matches!(event, Event::Connected { .. } | Event::Reconnected { .. }) {
                books.iter().try_for_each(|symbol| stream.request_snapshot(symbol))?;
            }
            if !recorder.is_writing() {
                // `finish` says why.
                stream.close();
            }
            Ok(crate::events::is_data(&event))
        });
        drop(stream);
        let recorded = recorder.finish()?;
        followed?;
        let mut out = io::stdout().lock();
        if json {
            let line = json!({
                "texts": recorded.texts,
                "redacted": recorded.redacted,
                "missed": recorded.missed,
                "bytes": recorded.bytes,
                "files": recorded.files,
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(
                out,
                "{} texts, {} redacted, {} missed; {} bytes in {} file(s)",
                recorded.texts, recorded.redacted, recorded.missed, recorded.bytes, recorded.files
            )?;
        }
        Ok(())
    }
}
