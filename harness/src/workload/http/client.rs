//! A client's requests, and the judgement of what comes back.

use httparse::Header;

use super::body::Body;
use super::request::{HEAD_BYTES_MAX, connection, number};
use super::{HttpWorkload, PATH};

/// Most fields of an answer.
const FIELDS_MAX: usize = 32;

/// What all connections of a client share.
#[derive(Debug)]
pub struct Client {
    keep: Box<[u8]>,
    close: Box<[u8]>,
    wanted: Body,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not whole yet.
    Partial,
    /// Status, length and sum are right, and nothing follows; whether the server keeps the connection.
    Right {
        /// The server keeps the connection.
        keeps: bool,
    },
    /// Another status than 200.
    Status,
    /// Not HTTP, another length or other bytes than agreed on, or more bytes than one answer.
    Wrong,
}

impl Client {
    /// The client of a workload.
    pub fn new(workload: &HttpWorkload) -> Self {
        let body = Body::new(workload.request_body);
        let request = |option: &str| {
            let length = if body.bytes().is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.bytes().len()) };
            let head = format!(
                "{} {PATH} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: zokio-bench\r\nAccept: */*\r\n{length}{option}\r\n",
                workload.method.name()
            );
            [head.as_bytes(), body.bytes()].concat().into_boxed_slice()
        };
        Self { keep: request(""), close: request("Connection: close\r\n"), wanted: Body::new(workload.body) }
    }

    /// A request; `is_last`: the connection shall end behind its answer.
    #[inline]
    pub fn request(&self, is_last: bool) -> &[u8] {
        if is_last { &self.close } else { &self.keep }
    }

    /// The place of the byte to damage so that a server must refuse a request: the end of its body, or of its path.
    pub fn fragile_byte(&self, is_last: bool) -> usize {
        let request = self.request(is_last);
        let has_body = !request.ends_with(b"\r\n\r\n");
        let target = request.iter().position(|&byte| byte == b'/').unwrap_or(0);
        if has_body { request.len() - 1 } else { target + PATH.len() - 1 }
    }

    /// A buffer with room for the longest answer, and for a byte that must not be there.
    pub fn buffer(&self) -> Vec<u8> {
        vec![0; HEAD_BYTES_MAX + self.wanted.bytes().len() + 1]
    }

    /// Judges all that has come since the request.
    #[inline]
    pub fn judge(&self, bytes: &[u8]) -> Verdict {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        let head = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Verdict::Partial,
            _ => return Verdict::Wrong,
        };
        if parsed.code != Some(200) {
            return Verdict::Status;
        }
        let (mut length, mut lengths, mut keeps) = (None, 0, parsed.version == Some(1));
        for Header { name, value } in &*parsed.headers {
            if name.eq_ignore_ascii_case("content-length") {
                length = number(value);
                lengths += 1;
            } else if name.eq_ignore_ascii_case("connection") {
                keeps = connection(value, keeps);
            }
        }
        if lengths != 1 || length != Some(self.wanted.bytes().len()) {
            return Verdict::Wrong;
        }
        let body = &bytes[head..];
        if body.len() < self.wanted.bytes().len() {
            return Verdict::Partial;
        }
        if self.wanted.is(body) { Verdict::Right { keeps } } else { Verdict::Wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::http::HttpMethod;

    fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
        [format!("HTTP/1.1 {status}\r\n{fields}\r\n").as_bytes(), body].concat()
    }

    #[test]
    fn only_the_right_answer_is_right_and_only_when_it_is_whole() {
        let workload =
            HttpWorkload { method: HttpMethod::Get, body: 20, request_body: 0, requests_per_connection: 0, connections: 1, nodelay: true };
        let client = Client::new(&workload);
        let body = Body::new(20);
        let right = answer("200 OK", "content-length: 20\r\n", body.bytes());
        for end in 0..right.len() {
            assert_eq!(client.judge(&right[..end]), Verdict::Partial, "{end} bytes");
        }
        assert_eq!(client.judge(&right), Verdict::Right { keeps: true });
        assert_eq!(
            client.judge(&answer("200 OK", "Content-Length: 20\r\nConnection: close\r\n", body.bytes())),
            Verdict::Right { keeps: false }
        );
        for at in right.len() - 20..right.len() {
            let mut damaged = right.clone();
            damaged[at] ^= 0x20;
            assert_eq!(client.judge(&damaged), Verdict::Wrong, "byte {at}");
        }
        let cases = [
            (answer("404 Not Found", "Content-Length: 20\r\n", body.bytes()), Verdict::Status),
            (answer("200 OK", "Content-Length: 19\r\n", body.bytes()), Verdict::Wrong),
            (answer("200 OK", "Content-Length: 20\r\nContent-Length: 20\r\n", body.bytes()), Verdict::Wrong),
            (answer("200 OK", "", body.bytes()), Verdict::Wrong),
            (answer("200 OK", "Content-Length: 20\r\n", &[body.bytes(), b"!"].concat()), Verdict::Wrong),
            (b"HELLO 200 OK\r\n".to_vec(), Verdict::Wrong),
        ];
        for (bytes, verdict) in cases {
            assert_eq!(client.judge(&bytes), verdict, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn the_fragile_byte_is_the_end_of_the_path_or_of_the_body() {
        for (method, request_body, byte) in [(HttpMethod::Get, 0, b'y'), (HttpMethod::Post, 3, b'#')] {
            let client =
                Client::new(&HttpWorkload { method, body: 1, request_body, requests_per_connection: 0, connections: 1, nodelay: true });
            for is_last in [false, true] {
                assert_eq!(client.request(is_last)[client.fragile_byte(is_last)], byte);
            }
        }
    }
}
