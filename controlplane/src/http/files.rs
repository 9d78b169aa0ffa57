//! Files of any size.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ccag_domain::Problem;
use futures_util::{Stream, StreamExt, TryStreamExt};

/// A file that is written as pages of rows come. A failure on the way breaks it off, so that nobody takes a part for the whole.
pub(super) async fn streamed<R: Send + 'static>(
    pages: impl Stream<Item = Result<Vec<R>, Problem>> + Send + 'static,
    head: String,
    write: impl Fn(&[R]) -> String + Send + 'static,
    kind: &'static str,
    name: &'static str,
) -> Result<Response, Problem> {
    let mut pages = Box::pin(pages);
    // The first page is read before the status goes out.
    let first = pages.next().await.transpose()?.unwrap_or_default();
    let start = Bytes::from(head + &write(&first));
    let rest = pages.map_ok(move |rows| Bytes::from(write(&rows)));
    let body = futures_util::stream::once(async move { Ok::<_, Problem>(start) }).chain(rest);
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}
