//! One connection: HTTP requests and answers in turn, until it ends or becomes a stream.

use std::io;
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::Line;
use super::{Shared, receive, stream};
use crate::sandbox::faults::Fault;
use crate::sandbox::http::{self, Request, Response};
use crate::sandbox::millis;

/// How long a connection may say nothing, and how long an answer may take to be read.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long a client has to read an answer after which the connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a request leads to.
enum Next {
    Answer(Response),
    /// The stream, with the key that accepts it.
    Stream(String),
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
                    Next::Stream(key) => {
                        log::debug!("{} {} -> 101", request.method, request.path);
                        line.send(&Response::switch_to_websocket(key).to_bytes(true))?;
                        return stream::serve(shared, line, buffer);
                    }
                    // An answer to HEAD has no body, and no method but the known ones has a call here.
                    Next::Answer(response)
                        if !request.keep_alive || request.method == "HEAD" || request.is_upgrade() =>
                    {
                        log::debug!("{} {} -> {}, closing", request.method, request.path, response.status);
                        return farewell(line, &response);
                    }
                    Next::Answer(response) => {
                        log::debug!("{} {} -> {}", request.method, request.path, response.status);
                        line.send(&response.to_bytes(true))?;
                    }
                }
            }
            Err(refusal) => {
                log::debug!("malformed request -> {}", refusal.status);
                return farewell(line, &refusal);
            }
        }
    }
}

/// Does what a request asks for, with what is to go wrong in it. `None`: nothing more is said on this connection.
fn act(shared: &Shared, line: &Line, request: &Request, from: IpAddr) -> io::Result<Option<Next>> {
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
        None if request.is_upgrade() => upgrade(shared, request, from).map_or_else(Next::Answer, Next::Stream),
        None => Next::Answer(shared.enter(|exchange, now| exchange.answer(request, from, now))),
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

/// The key that accepts an upgrade to the stream, or the answer that refuses it.
fn upgrade(shared: &Shared, request: &Request, from: IpAddr) -> Result<String, Response> {
    if !is_stream(&request.path) {
        return Err(Response::plain(404, "no such stream"));
    }
    let key = request.upgrade_key()?;
    shared.enter(|exchange, now| exchange.admit(from, now))?;
    Ok(tungstenite::handshake::derive_accept_key(key.as_bytes()))
}

/// `/G/api/pro/v1/stream`, where the account group may be missing; `v2` is the same.
fn is_stream(path: &str) -> bool {
    let path = match path.strip_prefix('/').and_then(|rest| rest.split_once('/')) {
        Some((group, rest)) if group.parse::<u32>().is_ok() => rest,
        _ => path.strip_prefix('/').unwrap_or(path),
    };
    matches!(path, "api/pro/v1/stream" | "api/pro/v2/stream")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_stream() {
        for path in ["/0/api/pro/v1/stream", "/12/api/pro/v2/stream", "/api/pro/v1/stream", "/api/pro/v2/stream"] {
            assert!(is_stream(path), "{path}");
        }
        for path in ["/x/api/pro/v1/stream", "/api/pro/v3/stream", "/-1/api/pro/v1/stream", "/stream", "", "//"] {
            assert!(!is_stream(path), "{path}");
        }
    }
}
