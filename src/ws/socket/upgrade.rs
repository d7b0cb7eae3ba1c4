//! The connection, which hands the answer to the upgrade on as a whole.
//!
//! Of an answer that is no upgrade the library takes for the body what comes in one read with the end of the head. A
//! server that writes the two apart says in the second why it refuses, so the end of the head is kept back until then.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use httparse::{EMPTY_HEADER, Header, Response, Status};
use tungstenite::stream::MaybeTlsStream;

use super::connect::Wire;

/// The longest head that is waited for. What is wrong with a longer one is for the library to say.
const MAX_HEAD: usize = 16 * 1024;
/// As much of a body as is waited for: the library reads so much at once, and any refusal of the protocol is shorter.
const MAX_BODY: usize = 4095;
const MAX_HEADERS: usize = 124;

/// The connection.
#[derive(Debug)]
pub(super) struct Io {
    pub(super) stream: MaybeTlsStream<Wire>,
    /// The answer to the upgrade, until all that was read of it is handed on.
    answer: Option<Answer>,
}

impl Io {
    pub(super) fn new(stream: MaybeTlsStream<Wire>) -> Self {
        Self { stream, answer: Some(Answer::default()) }
    }
}

impl Read for Io {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(answer) = &mut self.answer else { return self.stream.read(buffer) };
        let n = answer.read(&mut self.stream, buffer)?;
        if answer.bytes.len() == answer.given {
            self.answer = None;
        }
        Ok(n)
    }
}

impl Write for Io {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[derive(Debug, Default)]
struct Answer {
    bytes: Vec<u8>,
    /// How many of them were handed on.
    given: usize,
    /// Where the next read is to end at most.
    end: usize,
}

impl Answer {
    fn read(&mut self, stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        while self.end == 0 {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(n @ 1..) => {
                    self.bytes.extend(chunk.iter().take(n));
                    self.end = whole(&self.bytes);
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return Err(e),
                // Its end, found again by the next read; before it comes what there is.
                _ if !self.bytes.is_empty() => self.end = head_of(&self.bytes).unwrap_or(self.bytes.len()),
                end => return end,
            }
        }
        let mut next = self.bytes.get(self.given..self.end).unwrap_or_default();
        let n = next.read(buffer)?;
        self.given += n;
        if self.given == self.end {
            self.end = self.bytes.len();
        }
        Ok(n)
    }
}

/// Where the first read of an answer is to end that is here as a whole; 0 of one that is not: just before the end of its
/// head, so that the end comes in one read with the body.
fn whole(bytes: &[u8]) -> usize {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    match response.parse(bytes) {
        // An upgrade is the library's affair from its first line on.
        Ok(Status::Partial) if response.code != Some(101) && bytes.len() < MAX_HEAD => 0,
        Ok(Status::Complete(head)) => {
            let body = bytes.get(head..).unwrap_or_default();
            let is_here = match response.code {
                Some(100..200 | 204 | 304) => true,
                _ => body.len() >= MAX_BODY || is_whole(response.headers, body),
            };
            if is_here { head - 1 } else { 0 }
        }
        _ => bytes.len(),
    }
}

/// Where the head ends but for its last byte.
fn head_of(bytes: &[u8]) -> Option<usize> {
    match Response::new(&mut [EMPTY_HEADER; MAX_HEADERS]).parse(bytes) {
        Ok(Status::Complete(head)) => Some(head - 1),
        _ => None,
    }
}

/// Whether a body is here as a whole, where that is known before the connection ends.
fn is_whole(headers: &[Header<'_>], body: &[u8]) -> bool {
    let header = |name: &str| {
        let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    if header("transfer-encoding").is_some_and(is_chunked) {
        return chunks(body).1;
    }
    let length = header("content-length").and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// Whether a `Transfer-Encoding` says that the body comes in chunks.
pub(super) fn is_chunked(encoding: &str) -> bool {
    encoding.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
}

/// What is in the chunks of a body, and whether the last of them is there.
fn chunks(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Ok(Status::Complete((start, size))) = httparse::parse_chunk_size(body) {
        if size == 0 {
            return (content, true);
        }
        let chunk = body.get(start..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend(chunk.iter().take(size));
        // The end of the line that a chunk ends with is not of it.
        body = chunk.get(size.saturating_add(2)..).unwrap_or_default();
    }
    (content, false)
}

/// A body as it was meant.
pub(super) fn content<'a>(encoding: Option<&str>, body: &'a [u8]) -> Cow<'a, [u8]> {
    if encoding.is_some_and(is_chunked) { Cow::Owned(chunks(body).0) } else { Cow::Borrowed(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it has been given, piece by piece, with a pause after each.
    struct Pieces(Vec<Vec<u8>>, bool);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            match self.0.is_empty() {
                true => Ok(0),
                false => self.0.remove(0).as_slice().read(buffer),
            }
        }
    }

    /// The reads of an answer, and how many pieces were left when the first gave something.
    fn reads(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, usize) {
        let mut stream = Pieces(pieces.iter().map(|piece| piece.to_vec()).collect(), false);
        let (mut answer, mut reads, mut left) = (Answer::default(), Vec::new(), 0);
        let mut buffer = [0; 4096];
        loop {
            match answer.read(&mut stream, &mut buffer) {
                Ok(0) => return (reads, left),
                Ok(n) => {
                    if reads.is_empty() {
                        left = stream.0.len();
                    }
                    reads.push(buffer[..n].to_vec());
                }
                Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
            }
            if answer.given == answer.bytes.len() && !answer.bytes.is_empty() {
                return (reads, left);
            }
        }
    }

    const LENGTH: &str = "HTTP/1.1 401 Unauthorized\r\nX: y\r\ncontent-length: 5\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
    const BARE: &str = "HTTP/1.1 401 Unauthorized\r\n\r\n";
    const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn wherever_an_answer_is_cut_its_body_comes_with_the_end_of_its_head() {
        for (head, body) in [(LENGTH, "abcde"), (CHUNKED, "2\r\nab\r\n3;x\r\ncde\r\n0\r\n"), (BARE, "abcde")] {
            let whole = [head, body].concat();
            for cut in 1..whole.len() {
                let (start, end) = whole.as_bytes().split_at(cut);
                let (reads, _) = reads(&[start, end]);
                assert_eq!(reads.len(), 2, "{cut} of {whole:?}");
                assert_eq!(reads[1], [&head.as_bytes()[head.len() - 1..], body.as_bytes()].concat(), "{cut}");
                assert_eq!(reads.concat(), whole.as_bytes());
            }
        }
        assert_eq!(&*content(Some("chunked"), b"2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n"), b"abcde");
        assert_eq!(&*content(Some("chunked"), b"5\r\nab"), b"ab");
        assert_eq!(&*content(Some("gzip"), b"ab"), b"ab");
    }

    #[test]
    fn an_upgrade_and_what_has_no_body_wait_for_nothing() {
        let greeting: &[u8] = &[0x81, 2, b'h', b'i'];
        let (reads_of, left) = reads(&[UPGRADE.as_bytes(), greeting]);
        assert_eq!((reads_of.concat(), left), (UPGRADE.as_bytes().to_vec(), 1));
        let together = [UPGRADE.as_bytes(), greeting].concat();
        assert_eq!(reads(&[&together]).0.concat(), together);
        for head in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"] {
            assert_eq!(reads(&[head.as_bytes(), b"more"]).1, 1, "{head}");
        }
    }

    #[test]
    fn what_is_too_long_or_no_answer_is_handed_on_as_it_is() {
        let long = [BARE.as_bytes(), &[b'x'; 4090]].concat();
        assert_eq!(reads(&[&long[..4000], &long[4000..], &[b'y'; 4000], b"never read"]).1, 1);
        assert_eq!(reads(&[b"no answer\r\n\r\n", b"more"]).0.concat(), b"no answer\r\n\r\n");
        assert_eq!(reads(&[b"HTTP/1.1 4"]).0.concat(), b"HTTP/1.1 4", "cut off");
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; MAX_HEAD]].concat();
        let pieces: Vec<&[u8]> = endless.chunks(4000).collect();
        assert!(reads(&pieces).0.concat().len() >= MAX_HEAD);
    }
}
