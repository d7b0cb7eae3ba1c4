//! What one client of the stream is still to be sent: filled by anyone, emptied by the stream's own writer, bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

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

impl Item {
    /// What it takes to hold it, in bytes: an empty message is not nothing.
    fn size(&self) -> usize {
        let held = match self {
            Self::Text(text) => text.len(),
            Self::Frames(bytes) => bytes.len(),
            Self::Close(_) | Self::Break(_) => 0,
        };
        size_of::<Self>() + held
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    line: Arc<Line>,
    queue: Mutex<Queue>,
    /// Rung when there is something to write, and at the end.
    filled: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Of the items, and of those that the writer holds.
    bytes: usize,
    /// Of those that the writer holds.
    taken: usize,
    /// Nothing more is taken in.
    closed: bool,
    /// The client has gone.
    ended: bool,
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
        queue.bytes += item.size();
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

    /// The client has gone: nothing more is taken in; what is there is still written.
    pub(super) fn end(&self) {
        let mut queue = lock(&self.queue);
        (queue.closed, queue.ended) = (true, true);
        self.filled.notify_one();
    }

    /// Waits until the client has gone, for so long; whether it has.
    pub(super) fn ends_within(&self, patience: Duration) -> bool {
        let queue = lock(&self.queue);
        let waited = self.filled.wait_timeout_while(queue, patience, |queue| !queue.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Waits for something to write and takes all there is, now that what was taken before is written. `None`: that was
    /// all.
    pub(super) fn take(&self) -> Option<VecDeque<Item>> {
        let mut queue = lock(&self.queue);
        queue.bytes = queue.bytes.saturating_sub(std::mem::take(&mut queue.taken));
        loop {
            if !queue.items.is_empty() {
                queue.taken = queue.bytes;
                return Some(std::mem::take(&mut queue.items));
            }
            if queue.closed {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.queue).items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    /// An outbox for so many empty items, of a client that does not read.
    fn outbox(items: usize) -> (Outbox, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let line = Line::new(listener.accept().unwrap().0);
        (Outbox::new(Arc::new(line), items * size_of::<Item>()), client)
    }

    fn push(outbox: &Outbox, count: usize) {
        (0..count).for_each(|_| outbox.push(Item::Frames(Vec::new())));
    }

    fn is_dropped(outbox: &Outbox) -> bool {
        lock(&outbox.queue).closed
    }

    #[test]
    fn what_has_no_content_takes_room_too() {
        let (outbox, _client) = outbox(10);
        push(&outbox, 10);
        assert!(!is_dropped(&outbox));
        push(&outbox, 1);
        assert!(is_dropped(&outbox));
    }

    #[test]
    fn what_is_being_written_is_unread_still() {
        let (outbox, _client) = outbox(10);
        push(&outbox, 6);
        assert_eq!(outbox.take().unwrap().len(), 6);
        push(&outbox, 4);
        // The six have been written.
        assert_eq!(outbox.take().unwrap().len(), 4);
        push(&outbox, 6);
        assert!(!is_dropped(&outbox));
        push(&outbox, 1);
        assert!(is_dropped(&outbox));
        assert!(outbox.take().is_none());
    }
}
