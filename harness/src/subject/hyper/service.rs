//! The same pages as our own server's, served by hyper: it adds date and length, we add the other fields.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, SERVER};
use hyper::{Request, Response, StatusCode, Version};

use crate::measure::recorder::{self, ErrorClass};
use crate::subject::body::http::HttpSite;
use crate::workload::http::body::Body;
use crate::workload::http::request::Status;

/// The pages of a trial, and the body of the right one.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) site: Arc<HttpSite>,
    body: Bytes,
}

impl Page {
    pub(super) fn new(site: HttpSite) -> Self {
        let body = Bytes::copy_from_slice(Body::new(site.workload.body).bytes());
        Self { site: Arc::new(site), body }
    }

    /// Answers one request.
    pub(super) async fn answer(self, request: Request<Incoming>) -> Result<Response<Once>, hyper::Error> {
        let site = &self.site;
        let length = usize::try_from(request.body().size_hint().exact().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let asks =
            |word: &str| request.headers().get(CONNECTION).is_some_and(|option| option.as_bytes().eq_ignore_ascii_case(word.as_bytes()));
        let keeps = if request.version() < Version::HTTP_11 { asks("keep-alive") } else { !asks("close") };
        let mut status = site.pages.status_of(request.uri().path(), request.method().as_str(), length);
        // A body of no bytes is never asked for: nothing is awaited on the way of a GET.
        let is_wanted = status != Status::Ok || length == 0 || site.pages.is_wanted(&whole(request.into_body(), length).await?);
        if !is_wanted || (status == Status::Ok && length == 0 && site.workload.request_body > 0) {
            recorder::with(&site.control, |recorder| recorder.failure(ErrorClass::Mismatch, None));
            status = Status::BadRequest;
        }
        if status == Status::Ok && site.is_server {
            let bytes = site.workload.bytes_per_operation();
            recorder::with(&site.control, |recorder| recorder.served(bytes));
        }
        Ok(self.response(status, keeps))
    }

    fn response(self, status: Status, keeps: bool) -> Response<Once> {
        let body = if status == Status::Ok { self.body } else { Bytes::from_static(status.text().as_bytes()) };
        let mut response = Response::new(Once(Some(body)));
        let number = status.text().get(..3).and_then(|number| StatusCode::from_bytes(number.as_bytes()).ok());
        *response.status_mut() = number.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let fields = response.headers_mut();
        fields.insert(SERVER, HeaderValue::from_static("zokio-bench"));
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        fields.insert(CONNECTION, HeaderValue::from_static(if keeps { "keep-alive" } else { "close" }));
        if status == Status::MethodNotAllowed {
            fields.insert(ALLOW, HeaderValue::from_static(self.site.pages.method().name()));
        }
        response
    }
}

/// A body whose length is known, in one piece.
async fn whole(mut body: Incoming, length: usize) -> Result<Vec<u8>, hyper::Error> {
    let mut bytes = Vec::with_capacity(length);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// A body of one piece.
pub(super) struct Once(Option<Bytes>);

impl hyper::body::Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
