//! One connection's socket, and how it is broken.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};

use super::lock;
use crate::sandbox::faults::Break;

/// How often a line that was shut is read from, at most.
const MAX_UNHEARD: usize = 64;

/// Everything that a connection reads and writes goes through here.
#[derive(Debug)]
pub(super) struct Line {
    socket: TcpStream,
    state: Mutex<State>,
    /// Rung at the end.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many more bytes are sent before the end, if an end was set.
    left: Option<u64>,
    mute: bool,
    deaf: bool,
    shut: bool,
}

impl Line {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, state: Mutex::default(), ended: Condvar::new() }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends it all, or as much as the line still bears.
    ///
    /// # Errors
    /// What the system says; `ConnectionAborted` where the line has broken.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let (whole, ends) = {
            let mut state = lock(&self.state);
            if state.mute {
                return Ok(());
            }
            let whole =
                state.left.map_or(bytes.len(), |left| bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            state.left = state.left.map(|left| left - whole as u64);
            (whole, state.left == Some(0))
        };
        (&self.socket).write_all(bytes.get(..whole).unwrap_or_default())?;
        if ends {
            self.shut();
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut, as was asked for"));
        }
        Ok(())
    }

    /// Waits for bytes; how many came. 0: the client has gone, or the line was shut.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..MAX_UNHEARD {
            self.hear();
            let n = (&self.socket).read(buffer)?;
            let state = lock(&self.state);
            // What came before a shut line was closed is read, so that its end is no reset, but not heard.
            if n == 0 || !(state.deaf || state.shut) {
                return Ok(n);
            }
        }
        Ok(0)
    }

    /// Hears nothing more, until the client has gone.
    pub(super) fn ignore(&self) -> io::Result<()> {
        self.socket.set_read_timeout(None)?;
        let mut chunk = [0; 4096];
        while self.receive(&mut chunk)? > 0 {}
        Ok(())
    }

    /// Waits while the line is deaf.
    fn hear(&self) {
        let mut state = lock(&self.state);
        while state.deaf && !state.shut {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn break_off(&self, how: Break) {
        let mut state = lock(&self.state);
        match how {
            Break::After(0) => {
                drop(state);
                self.shut();
            }
            Break::After(bytes) => state.left = Some(bytes),
            Break::Mute => state.mute = true,
            Break::Deaf => state.deaf = true,
        }
    }

    /// Ends the connection for whoever reads or writes it.
    pub(super) fn shut(&self) {
        lock(&self.state).shut = true;
        self.ended.notify_all();
        if let Err(e) = self.socket.shutdown(Shutdown::Both) {
            log::trace!("shutting a socket: {e}");
        }
    }
}
