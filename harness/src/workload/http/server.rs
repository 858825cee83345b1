//! A server's answers: the fields nginx sends, in its order, with a date of this second.

use super::body::Body;
use super::date::{DATE_BYTES, Date};
use super::request::{self, HEAD_BYTES_MAX, Request, Status};
use super::{HttpMethod, HttpWorkload, PATH};

/// Where the date stands in every answer.
const DATE: &[u8] = b"Date: ";

/// What all connections of a server share: its answers, made before the first request.
#[derive(Debug)]
pub struct Pages {
    method: HttpMethod,
    wanted: Body,
    keep: Answer,
    close: Answer,
}

/// An answer but for its date.
#[derive(Clone, Debug)]
struct Answer {
    bytes: Box<[u8]>,
    date_at: usize,
}

impl Pages {
    /// The answers of a workload.
    pub fn new(workload: &HttpWorkload) -> Self {
        let body = Body::new(workload.body);
        let page = |keeps| Answer::new(Status::Ok, keeps, "", body.bytes());
        Self { method: workload.method, wanted: Body::new(workload.request_body), keep: page(true), close: page(false) }
    }

    /// A buffer as long as the longest request.
    pub fn buffer(&self) -> Vec<u8> {
        vec![0; HEAD_BYTES_MAX + self.wanted.bytes().len()]
    }

    /// Bytes of the longest answer that a sound request gets.
    pub fn answer_bytes_max(&self) -> usize {
        self.keep.bytes.len().max(self.close.bytes.len())
    }

    /// The status that a request with a whole head deserves before its body is read.
    pub fn status_of(&self, target: &str, method: &str, body: usize) -> Status {
        if target != PATH {
            Status::NotFound
        } else if method != self.method.name() {
            Status::MethodNotAllowed
        } else if body > self.wanted.bytes().len() {
            Status::ContentTooLarge
        } else {
            Status::Ok
        }
    }

    /// Whether the body of a request is the one agreed on.
    #[inline]
    pub fn is_wanted(&self, body: &[u8]) -> bool {
        self.wanted.is(body)
    }

    /// The method that the path allows.
    pub fn method(&self) -> HttpMethod {
        self.method
    }
}

impl Answer {
    fn new(status: Status, keeps: bool, fields: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {}\r\nServer: zokio-bench\r\nDate: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {}\r\n{fields}\r\n",
            status.text(),
            " ".repeat(DATE_BYTES),
            body.len(),
            if keeps { "keep-alive" } else { "close" },
        );
        let bytes: Box<[u8]> = [head.as_bytes(), body].concat().into();
        let date_at = bytes.windows(DATE.len()).position(|part| part == DATE).expect("the head has a date") + DATE.len();
        Self { bytes, date_at }
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>, date: &[u8; DATE_BYTES]) {
        let at = out.len() + self.date_at;
        out.extend_from_slice(&self.bytes);
        out[at..at + DATE_BYTES].copy_from_slice(date);
    }
}

/// What a server has done with the bytes it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Bytes used up; the rest is the beginning of a request.
    pub consumed: usize,
    /// Requests answered with what they asked for.
    pub served: u32,
    /// A body was not the one agreed on.
    pub is_damaged: bool,
    /// The connection ends once the answers are sent.
    pub closes: bool,
}

/// The server's end of one connection.
#[derive(Clone, Debug)]
pub struct Server {
    date: Date,
}

impl Default for Server {
    fn default() -> Self {
        Self { date: Date::new() }
    }
}

impl Server {
    /// Answers all whole requests at the front of `bytes`, in their order, at the end of `out`.
    #[inline]
    pub fn take(&mut self, pages: &Pages, bytes: &[u8], out: &mut Vec<u8>) -> Turn {
        let mut turn = Turn::default();
        while !turn.closes && turn.consumed < bytes.len() {
            let rest = &bytes[turn.consumed..];
            let request = match request::parse(rest) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(status) => {
                    turn.closes = true;
                    self.refuse(pages, status, false, out);
                    break;
                }
            };
            if !self.answer(pages, &request, rest, &mut turn, out) {
                break;
            }
        }
        turn
    }

    /// Answers one request; false while its body is not whole.
    #[inline]
    fn answer(&mut self, pages: &Pages, request: &Request<'_>, rest: &[u8], turn: &mut Turn, out: &mut Vec<u8>) -> bool {
        let status = pages.status_of(request.target, request.method, request.body);
        if status != Status::Ok {
            // A body that nobody wants is not read, so the connection cannot go on behind it.
            turn.closes = !request.keeps || request.body > 0;
            turn.consumed += request.head;
            self.refuse(pages, status, !turn.closes, out);
            return true;
        }
        let Some(body) = rest.get(request.head..request.head + request.body) else { return false };
        turn.consumed += request.head + request.body;
        if !pages.is_wanted(body) {
            (turn.is_damaged, turn.closes) = (true, true);
            self.refuse(pages, Status::BadRequest, false, out);
            return true;
        }
        turn.served += 1;
        turn.closes = !request.keeps;
        let page = if request.keeps { &pages.keep } else { &pages.close };
        page.append(out, self.date.now());
        true
    }

    #[cold]
    fn refuse(&mut self, pages: &Pages, status: Status, keeps: bool, out: &mut Vec<u8>) {
        let allow = format!("Allow: {}\r\n", pages.method.name());
        let fields = if status == Status::MethodNotAllowed { allow.as_str() } else { "" };
        let text = format!("{}\n", status.text());
        Answer::new(status, keeps, fields, text.as_bytes()).append(out, self.date.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::http::client::{Client, Verdict};

    fn workload(method: HttpMethod, request_body: u64) -> HttpWorkload {
        HttpWorkload { method, body: 13, request_body, requests_per_connection: 0, connections: 1, nodelay: true }
    }

    /// Feeds `bytes` in two pieces; all answers, and whether the connection ended.
    fn answers(pages: &Pages, bytes: &[u8], cut: usize) -> (Vec<u8>, Turn) {
        let (mut server, mut out, mut sum) = (Server::default(), Vec::new(), Turn::default());
        for end in [cut, bytes.len()] {
            let turn = server.take(pages, &bytes[sum.consumed..end], &mut out);
            sum.consumed += turn.consumed;
            sum.served += turn.served;
            sum.is_damaged |= turn.is_damaged;
            sum.closes |= turn.closes;
            if sum.closes {
                break;
            }
        }
        (out, sum)
    }

    fn status_lines(out: &[u8]) -> Vec<String> {
        let text = String::from_utf8(out.to_vec()).expect("ASCII");
        text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
    }

    #[test]
    fn requests_in_a_pipeline_are_answered_in_order_wherever_the_bytes_are_cut() {
        for (method, request_body) in [(HttpMethod::Get, 0), (HttpMethod::Post, 21)] {
            let workload = workload(method, request_body);
            let (pages, client) = (Pages::new(&workload), Client::new(&workload));
            let other = b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n";
            let bytes = [client.request(false), other, client.request(true), b"GET /unread".as_slice()].concat();
            for cut in 0..=bytes.len() {
                let (out, turn) = answers(&pages, &bytes, cut);
                assert_eq!((turn.served, turn.closes, turn.is_damaged), (2, true, false), "{method:?} cut at {cut}");
                assert_eq!(status_lines(&out), ["200", "404", "200"], "{method:?} cut at {cut}");
                assert_eq!(turn.consumed, bytes.len() - b"GET /unread".len());
            }
        }
    }

    #[test]
    fn an_answer_has_the_fields_of_nginx_in_its_order_and_the_client_takes_it() {
        let workload = workload(HttpMethod::Get, 0);
        let (pages, client) = (Pages::new(&workload), Client::new(&workload));
        let (out, _) = answers(&pages, client.request(false), 0);
        let text = String::from_utf8(out.clone()).expect("ASCII");
        let names: Vec<&str> =
            text.lines().skip(1).take_while(|line| !line.is_empty()).filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(names, ["Server", "Date", "Content-Type", "Content-Length", "Connection"]);
        assert!(text.contains(" GMT\r\n") && text.contains("Content-Length: 13\r\nConnection: keep-alive\r\n\r\n!\"#$%"), "{text}");
        assert_eq!(client.judge(&out), Verdict::Right { keeps: true });
        assert_eq!(client.judge(&answers(&pages, client.request(true), 0).0), Verdict::Right { keeps: false });
    }

    #[test]
    fn every_refusal_has_its_status_and_says_whether_the_connection_goes_on() {
        let post = |length: &str, body: &str| format!("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        let cases = [
            // (request, status, closes, damaged)
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "404", false, false),
            ("GET /body HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405", false, false),
            ("BREW /body HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405", false, false),
            (post("6", "abcdef"), "413", true, false),
            (post("5", "abcde"), "400", true, true),
            (post("4", "!\"#$"), "400", true, true),
            ("nonsense\r\n\r\n".to_owned(), "400", true, false),
            (format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD_BYTES_MAX)), "431", true, false),
        ];
        let pages = Pages::new(&workload(HttpMethod::Post, 5));
        for (request, status, closes, is_damaged) in cases {
            let (out, turn) = answers(&pages, request.as_bytes(), 0);
            assert_eq!((status_lines(&out), turn.closes, turn.is_damaged, turn.served), (vec![status.to_owned()], closes, is_damaged, 0));
            let text = String::from_utf8(out).expect("ASCII");
            assert_eq!(text.contains("Allow: POST\r\n"), status == "405", "{text}");
            assert_eq!(text.contains("Connection: close\r\n"), closes, "{text}");
        }
    }
}
