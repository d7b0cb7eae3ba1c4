//! The thread that writes the state, about once a second while it changes.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sandbox::SandboxError;
use crate::sandbox::server::Desk;

/// How old what is in the file may be, if anything has changed since.
const AGE: Duration = Duration::from_secs(1);

/// Keeps a sandbox's state in a file. Dropping this writes it a last time.
#[derive(Debug)]
pub(crate) struct Keeper {
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

/// Whether it is over, and how that is told.
#[derive(Debug, Default)]
struct End(Mutex<bool>, Condvar);

impl Keeper {
    /// Writes the state once, and from then on whenever it has changed.
    ///
    /// # Errors
    /// [`SandboxError::WriteState`] when the first writing fails; [`SandboxError::Thread`].
    pub(crate) fn start(path: PathBuf, desk: Desk) -> Result<Self, SandboxError> {
        let mut began = Instant::now();
        let (mut version, state) = desk.enter(|exchange, _| (exchange.version(), exchange.keep()));
        state.save(&path).map_err(|source| SandboxError::WriteState { path: path.clone(), source })?;
        drop(state);
        let mut took = began.elapsed();
        let end = Arc::new(End::default());
        let told = Arc::clone(&end);
        let work = move || {
            let mut over = false;
            while !over {
                over = told.wait(until_next(took).saturating_sub(began.elapsed()));
                began = Instant::now();
                // No more than the copying holds the exchange up.
                let changed = desk.enter(|exchange, _| {
                    let newer = exchange.version();
                    (newer != version).then(|| (newer, exchange.keep()))
                });
                let Some((newer, state)) = changed else { continue };
                match state.save(&path) {
                    Ok(()) => version = newer,
                    // A full disk, say: the last state stays, and the next second tries again.
                    Err(e) => log::error!("writing the sandbox's state to {}: {e}", path.display()),
                }
                took = began.elapsed();
            }
        };
        let thread = thread::Builder::new().name("sandbox-state".to_owned()).spawn(work);
        Ok(Self { end, thread: Some(thread.map_err(SandboxError::Thread)?) })
    }
}

/// How long after a copy was taken the next is, where the last took so long to take and to write. What is in the file
/// stays there until the next is written: if that takes as long, until its time is up. A disk too slow for that is left
/// half of the time.
fn until_next(took: Duration) -> Duration {
    AGE - took.min(AGE / 2)
}

impl End {
    /// Waits so long, or for the end; whether it has come.
    fn wait(&self, time: Duration) -> bool {
        let over = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.1.wait_timeout_while(over, time, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.end.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.1.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread that keeps the sandbox's state panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_old_when_the_next_one_is_written() {
        for millis in [0, 1, 80, 499, 500] {
            let took = Duration::from_millis(millis);
            assert_eq!(until_next(took) + took, AGE, "{millis}");
        }
        assert_eq!(until_next(Duration::from_secs(7)), AGE / 2);
    }
}
