//! The answer to a request, to be waited for now or later.

use std::cell::Cell;
use std::fmt;
use std::sync::mpsc::{Receiver, TryRecvError};

use super::socket::Answer;
use crate::error::{Error, Result};

/// The answer to come of a request that is under way on a stream.
///
/// It ends by itself: with the answer, with [`Error::Timeout`] when the request's time is over, or with
/// [`Error::ConnectionLost`]. Dropping it takes nothing back: the request was sent, and what it asked for happens. An
/// answer about an account that comes after that is an event: [`Event::LateAnswer`](crate::Event::LateAnswer), or
/// [`Event::Refused`](crate::Event::Refused).
#[must_use = "the request is sent whether or not its answer is waited for"]
pub struct Reply<T> {
    answer: Receiver<Result<Answer>>,
    read: fn(Answer) -> Result<T>,
    /// Whether the answer was taken.
    taken: Cell<bool>,
}

impl<T> Reply<T> {
    pub(crate) fn new(answer: Receiver<Result<Answer>>, read: fn(Answer) -> Result<T>) -> Self {
        Self { answer, read, taken: Cell::new(false) }
    }

    /// Waits for the answer, no longer than the request's time. There is none any more where
    /// [`try_wait`](Self::try_wait) gave it: that is [`Error::ConnectionLost`].
    ///
    /// # Errors
    /// [`Error::NotReady`], [`Error::RateLimited`] or [`Error::Closed`]: not sent. [`Error::Refused`]: the exchange said
    /// no. [`Error::Timeout`], [`Error::ConnectionLost`], [`Error::Decode`]: it may have acted.
    pub fn wait(self) -> Result<T> {
        self.answer.recv().map_err(|_| Error::ConnectionLost)?.and_then(self.read)
    }

    /// The answer, if it is there. After it there is none again.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn try_wait(&self) -> Option<Result<T>> {
        if self.taken.get() {
            return None;
        }
        let answer = match self.answer.try_recv() {
            Ok(answer) => answer.and_then(self.read),
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(Error::ConnectionLost),
        };
        self.taken.set(true);
        Some(answer)
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::Message;

    #[test]
    fn an_answer_is_there_once() {
        for answer in [Some(Ok(Message::Ping { hp: None })), Some(Err(Error::Closed)), None] {
            let (sender, receiver) = mpsc::sync_channel(1);
            let reply = Reply::new(receiver, |_| Ok(()));
            assert!(reply.try_wait().is_none());
            let expected = match &answer {
                Some(Ok(_)) => "Ok(())",
                Some(Err(_)) => "Err(Closed)",
                None => "Err(ConnectionLost)",
            };
            answer.into_iter().for_each(|answer| sender.send(answer).unwrap());
            drop(sender);
            assert_eq!(format!("{:?}", reply.try_wait().unwrap()), expected);
            assert!(reply.try_wait().is_none() && reply.try_wait().is_none(), "after {expected}");
            assert!(matches!(reply.wait(), Err(Error::ConnectionLost)));
        }
    }
}
