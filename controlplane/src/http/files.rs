//! Answers of any size.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ccag_domain::Problem;
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::Serialize;

/// A file that is written as pages of rows come.
pub(super) async fn streamed<R: Send + 'static>(
    pages: impl Stream<Item = Result<Vec<R>, Problem>> + Send + 'static,
    head: String,
    write: impl FnMut(&[R]) -> String + Send + 'static,
    kind: &'static str,
    name: &'static str,
) -> Result<Response, Problem> {
    let body = body(pages, head, write, "").await?;
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, body).into_response())
}

/// An object of JSON with a long list at its end, which is written as pages of its elements come. `empty` is the object without
/// them.
pub(super) async fn streamed_json<R: Serialize + Send + 'static>(
    pages: impl Stream<Item = Result<Vec<R>, Problem>> + Send + 'static,
    empty: &impl Serialize,
) -> Result<Response, Problem> {
    const END: &str = "]}";
    let empty = serde_json::to_string(empty).unwrap_or_default();
    let head = empty.strip_suffix(END).unwrap_or_default().to_owned();
    let mut is_first = true;
    let write = move |rows: &[R]| {
        let mut text = String::with_capacity(rows.len() * 300);
        for row in rows {
            if !std::mem::replace(&mut is_first, false) {
                text.push(',');
            }
            // A row is made of text and numbers: it can always be written.
            text.push_str(&serde_json::to_string(row).unwrap_or_default());
        }
        text
    };
    let body = body(pages, head, write, END).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A failure on the way breaks it off, so that nobody takes a part for the whole.
async fn body<R: Send + 'static>(
    pages: impl Stream<Item = Result<Vec<R>, Problem>> + Send + 'static,
    head: String,
    mut write: impl FnMut(&[R]) -> String + Send + 'static,
    end: &'static str,
) -> Result<Body, Problem> {
    let mut pages = Box::pin(pages);
    // The first page is read before the status goes out.
    let first = pages.next().await.transpose()?.unwrap_or_default();
    let start = Bytes::from(head + &write(&first));
    let rest = pages.map_ok(move |rows| Bytes::from(write(&rows)));
    let end = Some(Bytes::from_static(end.as_bytes())).filter(|end| !end.is_empty());
    let body = futures_util::stream::once(async move { Ok::<_, Problem>(start) })
        .chain(rest)
        .chain(futures_util::stream::iter(end.map(Ok)));
    Ok(Body::from_stream(body))
}
