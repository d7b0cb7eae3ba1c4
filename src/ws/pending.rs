//! Requests that wait for their answers: pure data.

use std::collections::VecDeque;
use std::time::Duration;

/// Names a request to whoever waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) u64);

#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    token: Token,
    id: String,
    /// What else its answer can be known by.
    name: Option<String>,
    deadline: Duration,
}

impl Pending {
    /// Waits for the answer that has this id, or this name.
    pub(crate) fn add(&mut self, token: Token, id: String, name: Option<String>, deadline: Duration) {
        self.waiting.push_back(Waiting { token, id, name, deadline });
    }

    /// The request that has waited longest for an answer with this id or name; it waits no more.
    pub(crate) fn take(&mut self, key: &str) -> Option<Token> {
        let at = self.waiting.iter().position(|w| w.id == key || w.name.as_deref() == Some(key))?;
        self.waiting.remove(at).map(|waiting| waiting.token)
    }

    /// When the first of them is overdue.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// Those that are overdue; they wait no more.
    pub(crate) fn overdue(&mut self, now: Duration) -> Vec<Token> {
        let (late, waiting): (VecDeque<Waiting>, _) = self.waiting.drain(..).partition(|w| w.deadline <= now);
        self.waiting = waiting;
        late.into_iter().map(|waiting| waiting.token).collect()
    }

    /// All of them; none waits any more.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Token> + '_ {
        self.waiting.drain(..).map(|waiting| waiting.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_ends_one_request_the_oldest_of_its_id_or_name() {
        let mut pending = Pending::default();
        for (token, id, name, deadline) in [(1, "1", Some("a"), 9), (2, "b", None, 3), (3, "a", None, 5)] {
            pending.add(Token(token), id.to_owned(), name.map(str::to_owned), Duration::from_secs(deadline));
        }
        assert_eq!(pending.deadline(), Some(Duration::from_secs(3)));
        assert_eq!(pending.take("x"), None);
        assert_eq!(pending.take("a"), Some(Token(1)));
        assert_eq!(pending.overdue(Duration::from_secs(4)), [Token(2)]);
        assert_eq!(pending.take("b"), None, "late");
        assert_eq!(pending.drain().collect::<Vec<_>>(), [Token(3)]);
        assert_eq!(pending.deadline(), None);
    }
}
