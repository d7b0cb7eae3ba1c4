//! Requests that wait for their answers: pure data.

use std::collections::VecDeque;
use std::time::Duration;

/// Names a request to whoever waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) u64);

#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// By deadline: mostly each is due after all before it.
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

impl Waiting {
    fn has(&self, key: &str) -> bool {
        self.id == key || self.name.as_deref() == Some(key)
    }
}

impl Pending {
    /// Waits for the answer that has this id, or this name.
    pub(crate) fn add(&mut self, token: Token, id: String, name: Option<String>, deadline: Duration) {
        let at = self.waiting.iter().rposition(|w| w.deadline <= deadline).map_or(0, |at| at + 1);
        self.waiting.insert(at, Waiting { token, id, name, deadline });
    }

    /// Whether a request waits for an answer that has this id or name.
    pub(crate) fn awaits(&self, key: &str) -> bool {
        self.waiting.iter().any(|w| w.has(key))
    }

    /// The request that is due first of those whose answer has this id or name; it waits no more.
    pub(crate) fn take(&mut self, key: &str) -> Option<Token> {
        let at = self.waiting.iter().position(|w| w.has(key))?;
        self.waiting.remove(at).map(|waiting| waiting.token)
    }

    /// When the first of them is overdue.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.waiting.front().map(|waiting| waiting.deadline)
    }

    /// Those that are overdue; they wait no more.
    pub(crate) fn overdue(&mut self, now: Duration) -> Vec<Token> {
        let late = self.waiting.iter().take_while(|w| w.deadline <= now).count();
        self.waiting.drain(..late).map(|waiting| waiting.token).collect()
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
    fn each_answer_ends_one_request_the_first_due_of_its_id_or_name() {
        let mut pending = Pending::default();
        for (token, id, name, deadline) in
            [(1, "a", None, 9), (2, "b", None, 3), (3, "3", Some("a"), 5), (4, "a", None, 5)]
        {
            pending.add(Token(token), id.to_owned(), name.map(str::to_owned), Duration::from_secs(deadline));
        }
        assert_eq!(pending.deadline(), Some(Duration::from_secs(3)));
        assert_eq!(pending.take("x"), None);
        assert_eq!(pending.take("a"), Some(Token(3)));
        assert_eq!(pending.overdue(Duration::from_secs(2)), []);
        assert_eq!(pending.overdue(Duration::from_secs(3)), [Token(2)]);
        assert_eq!(pending.take("b"), None, "late");
        assert_eq!(pending.take("a"), Some(Token(4)));
        assert_eq!(pending.drain().collect::<Vec<_>>(), [Token(1)]);
        assert_eq!(pending.deadline(), None);
    }
}
