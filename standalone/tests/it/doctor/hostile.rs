//! A proxy before a gateway that does what proxies should not.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderValue, TRANSFER_ENCODING,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// What proxies should.
    Honest,
    /// Holds server-sent events back until the answer is complete.
    Collects,
    /// Says that it has compressed answers.
    Compresses,
    /// Sends no event on.
    Swallows,
    /// Hangs up when nothing comes for so long.
    HangsUp(Duration),
    /// Takes a header away.
    Strips(&'static str),
    /// Takes bodies of so many bytes at most.
    TakesOnly(usize),
    /// Says that it is another time.
    Dates(&'static str),
    /// Leads all to the second address.
    Misleads,
    /// Answers everything itself.
    Parks,
}

/// It ends with the test.
pub(super) struct Hostile {
    pub(super) url: String,
    task: JoinHandle<()>,
}

struct Inner {
    habit: Habit,
    to: String,
    other: String,
    client: reqwest::Client,
}

impl Hostile {
    /// Before `to`; `other` is where those are led that are misled.
    pub(super) async fn before(to: &str, other: &str, habit: Habit) -> Self {
        let inner = Arc::new(Inner {
            habit,
            to: to.to_owned(),
            other: other.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(inner);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, task }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    if inner.habit == Habit::Parks {
        return (axum::http::StatusCode::NOT_FOUND, "<html>not here</html>").into_response();
    }
    if let Habit::TakesOnly(most) = inner.habit
        && let Some(length) = head.headers.get(CONTENT_LENGTH)
        && length.to_str().unwrap().parse::<usize>().unwrap() > most
    {
        return (axum::http::StatusCode::PAYLOAD_TOO_LARGE, "<html>413</html>").into_response();
    }
    if let Habit::Strips(name) = inner.habit {
        head.headers.remove(name);
    }
    head.headers.remove(HOST);
    let base = match inner.habit {
        Habit::Misleads => &inner.other,
        _ => &inner.to,
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let sent = inner
        .client
        .request(head.method, format!("{base}{path}"))
        .headers(head.headers)
        .body(reqwest::Body::wrap_stream(body.into_data_stream()))
        .send()
        .await;
    let Ok(answer) = sent else {
        return axum::http::StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    let headers = response.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    let is_stream = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    match inner.habit {
        Habit::Dates(date) => drop(headers.insert(DATE, HeaderValue::from_static(date))),
        Habit::Compresses if is_stream => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        _ => {}
    }
    let chunks = answer.bytes_stream().map(|chunk| chunk.map_err(io::Error::other));
    *response.body_mut() = match inner.habit {
        Habit::Collects => {
            let whole: Vec<_> = chunks.collect().await;
            Body::from_stream(stream::iter(whole))
        }
        Habit::Swallows if is_stream => Body::from_stream(chunks.filter(|_| async { false })),
        Habit::HangsUp(after) => Body::from_stream(until_silent(chunks, after)),
        _ => Body::from_stream(chunks),
    };
    response
}

fn until_silent<T>(
    chunks: impl Stream<Item = io::Result<T>> + Send + 'static,
    after: Duration,
) -> impl Stream<Item = io::Result<T>> + Send {
    stream::unfold(Some(Box::pin(chunks)), move |chunks| async move {
        let mut chunks = chunks?;
        match tokio::time::timeout(after, chunks.next()).await {
            Ok(chunk) => Some((chunk?, Some(chunks))),
            Err(_) => Some((Err(io::Error::other("silent for too long")), None)),
        }
    })
}
