//! Reading request bodies: once, within a limit, and politely when it is exceeded.

use super::Gateway;
use super::buffer::Buffer;
use super::memory::{Held, bound};
use axum::body::Body;
use bytes::Bytes;
use ccag_domain::{Code, Problem};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What is set aside for a body that does not say how long it is.
const FIRST_PART: usize = 64 * 1_024;

/// What is read and thrown away of a refused request: a client that is still sending does not read the answer, and would
/// see a reset instead.
const DRAIN_BYTES: usize = 128 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Reads the whole body.
///
/// # Errors
/// 413 above the limit, 400 for an encoding that we do not read or a body that breaks off, 504 for a client that pauses or takes
/// too long, 503 where there is no memory for it so many times.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    gateway: &Gateway,
    copies: usize,
) -> Result<(Bytes, Arc<Held>), Problem> {
    let (limit, memory) = (gateway.body_bytes, &gateway.body_memory);
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        drain(headers, body).await;
        return Err(Problem::new(
            Code::InvalidRequest,
            "the request body has a content-encoding; send it unencoded",
        ));
    }
    let declared = declared_length(headers);
    if declared.is_some_and(|length| length > limit as u64) {
        drain(headers, body).await;
        return Err(too_large(limit));
    }
    let known = declared.and_then(|n| usize::try_from(n).ok());
    let held = match memory.take(known.unwrap_or(FIRST_PART), copies).await {
        Ok(held) => held,
        Err(problem) => {
            drain(headers, body).await;
            return Err(problem);
        }
    };
    let mut buffer = Buffer::new(known);
    loop {
        match body.frame().await {
            None => return Ok(bound(buffer, held)),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if buffer.len() + data.len() > limit {
                    drop(buffer);
                    drain(headers, body).await;
                    return Err(too_large(limit));
                }
                if buffer.len() == 0 && declared == Some(data.len() as u64) {
                    return Ok(bound(Buffer::Whole(data), held));
                }
                let length = buffer.len() + data.len();
                if length > held.room()
                    && let Err(problem) = memory.extend(&held, length.next_power_of_two().min(limit))
                {
                    drop((buffer, held));
                    drain(headers, body).await;
                    return Err(problem);
                }
                buffer.push(&data, known.unwrap_or(limit));
            }
            Some(Err(error)) if took_too_long(&error) => {
                return Err(Problem::new(
                    Code::Timeout,
                    "the request body did not arrive in time",
                ));
            }
            Some(Err(_)) => {
                return Err(Problem::new(Code::InvalidRequest, "the request body broke off"));
            }
        }
    }
}

/// Reads what a client still sends of a refused request, so that it gets to see the answer. A client that waits to be told
/// to continue sends nothing, and is not told.
pub(super) async fn drain(headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}

/// Whether the server has given up on the body.
fn took_too_long(error: &axum::Error) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Anthropic's words, which clients recognise (Anthropic API reference, "Request size limits").
fn too_large(limit: usize) -> Problem {
    Problem::new(
        Code::TooLarge,
        format!("Request exceeds the maximum size: the body may have at most {limit} bytes"),
    )
}
