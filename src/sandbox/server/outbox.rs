//! What one client of the stream is still to be sent: filled by anyone, emptied by the stream's own writer, bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

use tungstenite::protocol::CloseFrame;

use super::line::Line;
use super::lock;
use crate::sandbox::faults::Break;

/// One thing to write.
#[derive(Debug)]
pub(crate) enum Item {
    /// A text message.
    Text(Arc<str>),
    /// Bytes that are frames already.
    Frames(Vec<u8>),
    /// A close frame; nothing is written after it.
    Close(Option<CloseFrame>),
    /// The connection breaks here.
    Break(Break),
}

#[derive(Debug)]
pub(super) struct Outbox {
    line: Arc<Line>,
    queue: Mutex<Queue>,
    filled: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Nothing more is taken in.
    closed: bool,
}

impl Outbox {
    pub(super) fn new(line: Arc<Line>, limit: usize) -> Self {
        Self { line, queue: Mutex::default(), filled: Condvar::new(), limit }
    }

    /// Never waits. A client that leaves too much unread is dropped.
    pub(super) fn push(&self, item: Item) {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return;
        }
        queue.bytes += match &item {
            Item::Text(text) => text.len(),
            Item::Frames(bytes) => bytes.len(),
            Item::Close(_) | Item::Break(_) => 0,
        };
        if queue.bytes > self.limit {
            log::debug!("a client of the stream does not read: dropped with {} bytes unread", queue.bytes);
            *queue = Queue { closed: true, ..Queue::default() };
            self.line.shut();
        } else {
            queue.closed = matches!(item, Item::Close(_));
            queue.items.push_back(item);
        }
        self.filled.notify_one();
    }

    /// Takes nothing more in; what is there is still written.
    pub(super) fn end(&self) {
        lock(&self.queue).closed = true;
        self.filled.notify_one();
    }

    /// Waits for something to write and takes all there is. `None`: that was all.
    pub(super) fn take(&self) -> Option<VecDeque<Item>> {
        let mut queue = lock(&self.queue);
        loop {
            if !queue.items.is_empty() {
                queue.bytes = 0;
                return Some(std::mem::take(&mut queue.items));
            }
            if queue.closed {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.queue).items.is_empty()
    }
}
