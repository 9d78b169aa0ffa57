//! Frames in, server-sent events out: what has arrived goes out in one piece.

use bytes::Bytes;
use ccag_translate::eventstream::{FrameReader, Message, Scratch};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a streamed answer.
#[derive(Debug)]
pub struct Events {
    upstream: Incoming,
    reader: FrameReader,
    scratch: Scratch,
}

impl Events {
    pub(super) fn new(upstream: Incoming) -> Self {
        Self {
            upstream,
            reader: FrameReader::new(),
            scratch: Scratch::default(),
        }
    }

    fn decode(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            let frame = self.reader.next().map_err(io::Error::other)?;
            let Some(frame) = frame else { return Ok(out) };
            match frame.message(&mut self.scratch).map_err(io::Error::other)? {
                Message::Chunk(json) => {
                    out.extend_from_slice(b"event: ");
                    out.extend_from_slice(kind(json));
                    out.extend_from_slice(b"\ndata: ");
                    out.extend_from_slice(json);
                    out.extend_from_slice(b"\n\n");
                }
                Message::Exception { kind, message, .. } | Message::Error { code: kind, message } => {
                    return Err(io::Error::other(format!("{kind}: {message}")));
                }
                Message::Unknown { .. } => {}
            }
        }
    }
}

/// The first string behind `"type":`, which Bedrock puts first.
fn kind(json: &[u8]) -> &[u8] {
    let rest = json.strip_prefix(br#"{"type":""#).unwrap_or_default();
    rest.split(|byte| *byte == b'"').next().unwrap_or_default()
}

impl Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            match ready!(Pin::new(&mut this.upstream).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    this.reader.push(&data);
                    let out = this.decode()?;
                    if !out.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(out.into()))));
                    }
                }
            }
        }
    }
}
