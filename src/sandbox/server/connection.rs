//! One connection: HTTP requests and answers in turn, until it ends or becomes a stream.

use std::io;
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::Line;
use super::{Shared, receive, stream};
use crate::sandbox::exchange::Exchange;
use crate::sandbox::faults::Fault;
use crate::sandbox::http::{self, Request, Response};
use crate::sandbox::millis;
use crate::sandbox::sessions::SessionId;

/// How long a connection may say nothing, and how long an answer may take to be read.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long a client has to read an answer after which the connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long an answer waits for something to tell before it falls back to an acknowledgement, ms.
const EXPIRY: u64 = 5_000;

/// What a request leads to.
enum Next<'a> {
    Answer(Response),
    /// The stream, with the key that accepts it.
    Stream(String, Admission<'a>),
}

/// A client that was let in. Whether it gets there or not, its place is free in the end.
struct Admission<'a> {
    shared: &'a Shared,
    id: SessionId,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.shared.close(self.id);
    }
}

pub(super) fn serve(shared: &Arc<Shared>, line: &Arc<Line>, from: IpAddr) -> io::Result<()> {
    line.socket().set_nodelay(true)?;
    line.socket().set_read_timeout(Some(PATIENCE))?;
    line.socket().set_write_timeout(Some(PATIENCE))?;
    let mut buffer = Vec::new();
    loop {
        match http::parse(&buffer) {
            Ok(None) => {
                if receive(line, &mut buffer)? == 0 {
                    return Ok(());
                }
            }
            Ok(Some((request, used))) => {
                buffer.drain(..used);
                let Some(next) = act(shared, line, &request, from)? else { return Ok(()) };
                match next {
                    Next::Stream(key, admission) => {
                        log::info!("{} {} -> 101", request.method, request.path);
                        line.send(&Response::switch_to_websocket(key).to_bytes(true))?;
                        return stream::serve(shared, line, admission.id, buffer);
                    }
                    // An answer to HEAD has no body, and no method but the known ones has a call here.
                    Next::Answer(response)
                        if !request.keep_alive || request.method == "HEAD" || request.is_upgrade() =>
                    {
                        log::info!("{} {} -> {}, closing", request.method, request.path, response.status);
                        return farewell(line, &response);
                    }
                    Next::Answer(response) => {
                        log::info!("{} {} -> {}", request.method, request.path, response.status);
                        line.send(&response.to_bytes(true))?;
                    }
                }
            }
            Err(refusal) => {
                log::info!("malformed request -> {}", refusal.status);
                return farewell(line, &refusal);
            }
        }
    }
}

/// Does what a request asks for, with what is to go wrong in it. `None`: nothing more is said on this connection.
fn act<'a>(shared: &'a Shared, line: &Line, request: &Request, from: IpAddr) -> io::Result<Option<Next<'a>>> {
    let (faults, mut due) = shared.enter(|exchange, now| (exchange.faults_at(request), now));
    let mut refused = None;
    for fault in &faults {
        match fault {
            Fault::Cut => return Ok(None),
            Fault::LoseRequest => return line.ignore().map(|()| None),
            Fault::DelayRequest(time) => {
                due = due.saturating_add(millis(*time));
                shared.pause_until(due);
            }
            Fault::Refuse(reply) => refused = Some(Response::from(reply)),
            _ => {}
        }
    }
    let mut next = match refused {
        Some(response) => Next::Answer(response),
        None if request.is_upgrade() => upgrade(shared, request, from).unwrap_or_else(Next::Answer),
        None => {
            let answer =
                |exchange: &mut Exchange, now| (exchange.answer(request, from, &faults, now), exchange.awaited());
            Next::Answer(match shared.enter(answer) {
                (response, None) => response,
                (response, Some(awaited)) => {
                    due = due.saturating_add(EXPIRY);
                    let done = shared.watch_until(due, |exchange| exchange.done(&awaited));
                    due = due.min(shared.clock.now());
                    done.unwrap_or(response)
                }
            })
        }
    };
    for fault in &faults {
        match fault {
            Fault::LoseAnswer => return line.ignore().map(|()| None),
            Fault::DelayAnswer(time) => {
                due = due.saturating_add(millis(*time));
                shared.pause_until(due);
            }
            Fault::Replace(reply) => next = Next::Answer(reply.into()),
            Fault::Break(how) => line.break_off(*how),
            _ => {}
        }
    }
    Ok(Some(next))
}

/// Lets a client in, or gives the answer that refuses it.
fn upgrade<'a>(shared: &'a Shared, request: &Request, from: IpAddr) -> Result<Next<'a>, Response> {
    let key = request.upgrade_key()?;
    let id = shared.enter(|exchange, now| exchange.admit(request, from, now))?;
    Ok(Next::Stream(tungstenite::handshake::derive_accept_key(key.as_bytes()), Admission { shared, id }))
}

/// Answers for the last time. What the client still sends is read for a moment: a socket that is closed with
/// unread bytes is reset, and the answer lost with it.
fn farewell(line: &Line, response: &Response) -> io::Result<()> {
    line.send(&response.to_bytes(false))?;
    line.socket().shutdown(Shutdown::Write)?;
    let end = Instant::now() + FAREWELL;
    let mut rest = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        line.socket().set_read_timeout(Some(left))?;
        rest.clear();
        if receive(line, &mut rest)? == 0 {
            return Ok(());
        }
    }
}
