//! One connection: HTTP requests and answers in turn, until it ends or becomes a stream.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Shared, receive, stream};
use crate::sandbox::http::{self, Request, Response};

/// How long a connection may say nothing, and how long an answer may take to be read.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long a client has to read an answer after which the connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) fn serve(shared: &Arc<Shared>, socket: &Arc<TcpStream>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut buffer = Vec::new();
    loop {
        match http::parse(&buffer) {
            Ok(None) => {
                if receive(socket, &mut buffer)? == 0 {
                    return Ok(());
                }
            }
            Ok(Some((request, used))) => {
                buffer.drain(..used);
                if request.is_upgrade() {
                    match accept_key(&request) {
                        Ok(key) => {
                            log::debug!("{} {} -> 101", request.method, request.path);
                            socket.as_ref().write_all(&Response::switch_to_websocket(key).to_bytes(true))?;
                            return stream::serve(shared, socket, buffer);
                        }
                        Err(refusal) => return finish(socket, &request, &refusal),
                    }
                }
                let response = shared.answer(&request);
                // An answer to HEAD has no body, and no method but the known ones has a call here.
                if !request.keep_alive || request.method == "HEAD" {
                    return finish(socket, &request, &response);
                }
                log::debug!("{} {} -> {}", request.method, request.path, response.status);
                socket.as_ref().write_all(&response.to_bytes(true))?;
            }
            Err(refusal) => {
                log::debug!("malformed request -> {}", refusal.status);
                return farewell(socket, &refusal);
            }
        }
    }
}

fn accept_key(request: &Request) -> Result<String, Response> {
    if !is_stream(&request.path) {
        return Err(Response::plain(404, "no such stream"));
    }
    request.upgrade_key().map(|key| tungstenite::handshake::derive_accept_key(key.as_bytes()))
}

/// `/G/api/pro/v1/stream`, where the account group may be missing; `v2` is the same.
fn is_stream(path: &str) -> bool {
    let path = match path.strip_prefix('/').and_then(|rest| rest.split_once('/')) {
        Some((group, rest)) if group.parse::<u32>().is_ok() => rest,
        _ => path.strip_prefix('/').unwrap_or(path),
    };
    matches!(path, "api/pro/v1/stream" | "api/pro/v2/stream")
}

fn finish(socket: &TcpStream, request: &Request, response: &Response) -> io::Result<()> {
    log::debug!("{} {} -> {}, closing", request.method, request.path, response.status);
    farewell(socket, response)
}

/// Answers for the last time. What the client still sends is read for a moment: a socket that is closed with
/// unread bytes is reset, and the answer lost with it.
fn farewell(mut socket: &TcpStream, response: &Response) -> io::Result<()> {
    socket.write_all(&response.to_bytes(false))?;
    socket.shutdown(Shutdown::Write)?;
    let end = Instant::now() + FAREWELL;
    let mut rest = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        socket.set_read_timeout(Some(left))?;
        rest.clear();
        if receive(socket, &mut rest)? == 0 {
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
