//! The server's end of one connection.

use super::HttpSite;
use crate::measure::recorder::{self, ErrorClass};
use crate::subject::body::site::{Broken, Buffers};
use crate::subject::body::stack::Stack;
use crate::workload::http::server::Server;

/// Answers what comes until the client closes, asks for it, or must be refused.
pub(super) async fn serve<S: Stack>(stream: &mut S::Stream, site: &HttpSite) -> Result<(), Broken> {
    let mut buffers = Buffers::new(Vec::with_capacity(site.pages.answer_bytes_max()), site.pages.buffer());
    let mut server = Server::default();
    let mut count = buffers.more::<S>(stream).await?;
    loop {
        if count == 0 {
            return if buffers.filled == 0 { Ok(()) } else { Err(Broken::new(ErrorClass::Read)) };
        }
        buffers.outgoing.clear();
        let turn = server.take(&site.pages, &buffers.incoming[..buffers.filled], &mut buffers.outgoing);
        buffers.consume(turn.consumed);
        if site.is_server {
            let bytes = site.workload.bytes_per_operation();
            recorder::with(&site.control, |recorder| (0..turn.served).for_each(|_| recorder.served(bytes)));
        }
        let len = buffers.outgoing.len();
        if turn.is_damaged || turn.closes {
            if len > 0 {
                buffers.send::<S>(stream, len).await?;
            }
            return if turn.is_damaged { Err(Broken::new(ErrorClass::Mismatch)) } else { Ok(()) };
        }
        count = if len > 0 { S::exchange(stream, &mut buffers, len).await? } else { buffers.more::<S>(stream).await? };
    }
}
