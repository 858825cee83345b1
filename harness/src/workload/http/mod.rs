//! HTTP/1.1 over loopback: requests on kept connections, or a connection for each.
//!
//! | part | holds |
//! |---|---|
//! | [`body`] | what the bytes of a body are, and the sum both ends know |
//! | [`request`] | a server's side: one request from the front of a buffer |
//! | [`server`] | a server's answers to whatever has arrived |
//! | [`client`] | the requests, and the judgement of an answer |
//!
//! Parts are free of I/O: every subject's bytes go through the same code, and tests cut them at every position.

pub mod body;
pub mod client;
mod date;
pub mod request;
pub mod server;

use serde::{Deserialize, Serialize};

/// The one path a server knows.
pub const PATH: &str = "/body";

/// The table `[scenario.http]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpWorkload {
    /// What a request asks for.
    pub method: HttpMethod,
    /// Bytes of an answer's body.
    pub body: u64,
    /// Bytes of a request's body; 0 for `get`.
    pub request_body: u64,
    /// Requests on one connection, the last of them with `Connection: close`; 0: the connection is kept to the end.
    pub requests_per_connection: u32,
    /// Connections open at the same time, one per user.
    pub connections: u32,
    /// TCP_NODELAY on both ends.
    pub nodelay: bool,
}

/// Methods of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpMethod {
    /// No body goes up.
    Get,
    /// A body goes up, checked by the server before it answers.
    Post,
}

impl HttpMethod {
    /// On the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl HttpWorkload {
    /// The metric that is compared.
    pub const PRIMARY_METRIC: &str = "requests_per_s";

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self.method {
            HttpMethod::Get => "the client checks status, length and checksum of every body",
            HttpMethod::Post => {
                "the server checks length and checksum of every body it gets; the client checks status, length and checksum of every answer"
            }
        }
    }

    /// Body bytes that one request moves, both directions; heads are not counted, for their length is the server's choice.
    pub fn bytes_per_operation(&self) -> u64 {
        self.body.saturating_add(self.request_body)
    }
}
