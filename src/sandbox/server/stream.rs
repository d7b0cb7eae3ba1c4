//! One client of the stream: the connection's thread reads, a second one writes from the outbox.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::line::Line;
use super::outbox::{Item, Outbox};
use super::{Shared, join, spawn};
use crate::sandbox::sessions::SessionId;

/// The longest message that a client may send, in bytes.
const MAX_MESSAGE: usize = 256 * 1024;
/// How long a client may take to read a message.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to close after it was told to.
const GOODBYE: Duration = Duration::from_secs(2);

/// Serves the stream of a client that was let in, from after the upgrade until it ends. `part` is what came with the
/// upgrade.
pub(super) fn serve(shared: &Arc<Shared>, line: &Arc<Line>, id: SessionId, part: Vec<u8>) -> io::Result<()> {
    line.socket().set_read_timeout(None)?;
    line.socket().set_write_timeout(Some(PATIENCE))?;
    let outbox = Arc::new(Outbox::new(Arc::clone(line), shared.max_unread));
    shared.open(id, &outbox);
    let writer = {
        let (shared, line, outbox) = (Arc::clone(shared), Arc::clone(line), Arc::clone(&outbox));
        spawn("sandbox-stream", move || {
            match write(&shared, id, &line, &outbox) {
                // Whether the client answers a close or not, the reader is to come to an end.
                Ok(()) if outbox.ends_within(GOODBYE) => {}
                Ok(()) => log::debug!("session {id} is not closed by its client"),
                Err(e) => log::debug!("session {id}: {e}"),
            }
            outbox.end();
            line.shut();
        })
    };
    match writer {
        Ok(writer) => {
            read(shared, id, &mut Ears { line, outbox: &outbox }, part);
            shared.close(id);
            join(writer);
        }
        Err(e) => log::warn!("session {id}: {e}"),
    }
    Ok(())
}

impl Shared {
    fn open(&self, id: SessionId, outbox: &Arc<Outbox>) {
        let mut hall = super::lock(&self.hall);
        hall.exchange.open(id, self.clock.now());
        hall.outboxes.insert(id, Arc::clone(outbox));
        self.hand_out(&mut hall);
    }

    pub(super) fn close(&self, id: SessionId) {
        let mut hall = super::lock(&self.hall);
        hall.exchange.close(id);
        if let Some(outbox) = hall.outboxes.remove(&id) {
            outbox.end();
        }
    }
}

/// The reading side as WebSocket sees it: what it writes of its own (pongs, the answer to a close) goes the way of
/// everything else, through the outbox.
struct Ears<'a> {
    line: &'a Line,
    outbox: &'a Outbox,
}

impl Read for Ears<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.line.receive(buffer)
    }
}

impl Write for Ears<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbox.push(Item::Frames(bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(shared: &Shared, id: SessionId, ears: &mut Ears<'_>, part: Vec<u8>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let mut context = WebSocketContext::from_partially_read(part, Role::Server, Some(config));
    loop {
        match context.read(ears) {
            Ok(Message::Text(text)) => shared.enter(|exchange, now| exchange.receive(id, &text, now)),
            // Not part of this protocol: read as text that is no JSON.
            Ok(Message::Binary(_)) => shared.enter(|exchange, now| exchange.receive(id, "", now)),
            // Control frames are answered underneath; after a close the next read ends.
            Ok(_) => {}
            Err(e) => return log::debug!("session {id}: {e}"),
        }
    }
}

fn write(shared: &Shared, id: SessionId, line: &Line, outbox: &Outbox) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(items) = outbox.take() {
        bytes.clear();
        for item in items {
            match item {
                Item::Frames(frames) => bytes.extend_from_slice(&frames),
                Item::Text(text) => {
                    let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
                    header.format(text.len() as u64, &mut bytes).map_err(io::Error::other)?;
                    bytes.extend_from_slice(text.as_bytes());
                }
                Item::Close(reason) => Frame::close(reason).format(&mut bytes).map_err(io::Error::other)?,
                Item::Break(how) => {
                    line.send(&bytes)?;
                    bytes.clear();
                    line.break_off(how);
                }
            }
        }
        line.send(&bytes)?;
        if shared.paced && outbox.is_empty() {
            shared.enter(|exchange, now| exchange.taken(id, now));
        }
    }
    Ok(())
}
