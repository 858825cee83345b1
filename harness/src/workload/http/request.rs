//! One request from the front of a buffer.
//!
//! Bytes may end anywhere: [`parse`] is asked again with more. What it cannot accept it refuses with the status that says why; a
//! refused connection is closed, for nobody knows where the next request would begin.

use httparse::{Error, Header};

/// Longest head: request line and all fields.
pub const HEAD_BYTES_MAX: usize = 4 << 10;
/// Most fields of a head.
const FIELDS_MAX: usize = 64;

/// Statuses a server answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200.
    Ok,
    /// 400: not HTTP, contradictory, or a body that is not the one agreed on.
    BadRequest,
    /// 404: another path.
    NotFound,
    /// 405: another method.
    MethodNotAllowed,
    /// 411: a body without `Content-Length`.
    LengthRequired,
    /// 413: a body longer than the one agreed on.
    ContentTooLarge,
    /// 431: a head longer than [`HEAD_BYTES_MAX`], or of too many fields.
    HeadTooLarge,
    /// 505: not HTTP/1.0 or 1.1.
    VersionNotSupported,
}

impl Status {
    /// Number and reason, as in a status line.
    pub fn text(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::LengthRequired => "411 Length Required",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// A request whose head is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'b> {
    /// `GET`, `POST`, …
    pub method: &'b str,
    /// The path and what follows it.
    pub target: &'b str,
    /// Bytes of the head.
    pub head: usize,
    /// Bytes of the body behind it, by its `Content-Length`.
    pub body: usize,
    /// The client wants the connection kept.
    pub keeps: bool,
}

/// The request at the front of `bytes`; `None` while its head is not whole.
///
/// # Errors
/// The status to refuse it with.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<Option<Request<'_>>, Status> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head)) if head <= HEAD_BYTES_MAX => {
            let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
                return Err(Status::BadRequest);
            };
            let fields = Fields::read(parsed.headers, version)?;
            Ok(Some(Request { method, target, head, body: fields.body, keeps: fields.keeps }))
        }
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => Ok(None),
        Ok(_) | Err(Error::TooManyHeaders) => Err(Status::HeadTooLarge),
        Err(Error::Version) => Err(Status::VersionNotSupported),
        Err(_) => Err(Status::BadRequest),
    }
}

/// What the fields of a head say about its message.
struct Fields {
    body: usize,
    keeps: bool,
}

impl Fields {
    fn read(headers: &[Header<'_>], version: u8) -> Result<Self, Status> {
        let (mut length, mut hosts, mut keeps) = (None, 0, version == 1);
        for Header { name, value } in headers {
            if name.eq_ignore_ascii_case("host") {
                hosts += 1;
            } else if name.eq_ignore_ascii_case("connection") {
                keeps = connection(value, keeps);
            } else if name.eq_ignore_ascii_case("content-length") {
                let number = number(value).ok_or(Status::BadRequest)?;
                if length.replace(number).is_some_and(|other| other != number) {
                    return Err(Status::BadRequest);
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Status::LengthRequired);
            }
        }
        if hosts > 1 || (version == 1 && hosts == 0) {
            return Err(Status::BadRequest);
        }
        Ok(Self { body: length.unwrap_or(0), keeps })
    }
}

/// Digits alone: a sign, a space or a list is no length (RFC 9110, section 8.6).
pub(super) fn number(value: &[u8]) -> Option<usize> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

/// Whether a field `Connection` keeps the connection, `keeps` being what the version says.
pub(super) fn connection(value: &[u8], keeps: bool) -> bool {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).fold(keeps, |keeps, option| {
        if option.eq_ignore_ascii_case(b"close") { false } else { keeps || option.eq_ignore_ascii_case(b"keep-alive") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_only_when_it_is_whole() {
        let bytes = b"POST /body HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\nConnection: Close\r\n\r\nhelloGET";
        let head = bytes.len() - 8;
        for end in 0..head {
            assert_eq!(parse(&bytes[..end]), Ok(None), "{end} bytes");
        }
        let whole = Request { method: "POST", target: "/body", head, body: 5, keeps: false };
        for end in head..=bytes.len() {
            assert_eq!(parse(&bytes[..end]), Ok(Some(whole)), "{end} bytes");
        }
    }

    #[test]
    fn what_cannot_be_accepted_is_refused_with_the_status_that_says_why() {
        let cases = [
            ("GET /body HTTP/1.1\r\n\r\n", Status::BadRequest), // no host
            ("GET /body HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Status::BadRequest),
            ("GET /body HTTP/2.0\r\nHost: a\r\n\r\n", Status::VersionNotSupported),
            ("GET /body\r\nHost: a\r\n\r\n", Status::BadRequest),
            ("G\u{1}T /body HTTP/1.1\r\nHost: a\r\n\r\n", Status::BadRequest),
            ("GET /body HTTP/1.1\r\nHost : a\r\n\r\n", Status::BadRequest),
            ("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", Status::BadRequest),
            ("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", Status::BadRequest),
            ("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", Status::BadRequest),
            ("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", Status::BadRequest),
            ("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Status::LengthRequired),
        ];
        for (text, status) in cases {
            assert_eq!(parse(text.as_bytes()), Err(status), "{text}");
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_refused_before_its_end() {
        let endless = format!("GET /body HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(parse(&endless.as_bytes()[..HEAD_BYTES_MAX - 1]), Ok(None));
        assert_eq!(parse(&endless.as_bytes()[..HEAD_BYTES_MAX]), Err(Status::HeadTooLarge));
        assert_eq!(parse(format!("{endless}\r\n\r\n").as_bytes()), Err(Status::HeadTooLarge));
        let many = format!("GET /body HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(FIELDS_MAX));
        assert_eq!(parse(many.as_bytes()), Err(Status::HeadTooLarge));
    }

    #[test]
    fn the_connection_is_kept_as_version_and_field_say() {
        let cases =
            [("1.1", "", true), ("1.1", "close", false), ("1.1", "x, CLOSE", false), ("1.0", "", false), ("1.0", "Keep-Alive", true)];
        for (version, option, keeps) in cases {
            let field = if option.is_empty() { String::new() } else { format!("Connection: {option}\r\n") };
            let text = format!("GET /body HTTP/{version}\r\nHost: a\r\n{field}\r\n");
            assert_eq!(parse(text.as_bytes()).expect("sound").expect("whole").keeps, keeps, "{version} {option}");
        }
    }
}
