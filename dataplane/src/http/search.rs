//! Answers of requests that search the web.

use super::Gateway;
use super::error::{render, set_aws_request_id, set_request_id};
use super::messages::{InFlight, failed, not_recorded};
use super::sse::set_headers;
use crate::bedrock::attempt::{Answer, walk};
use crate::bedrock::job::Job;
use crate::search::{Context, Ended, Session, Sink, Wanted, answer_from_search};
use crate::usage::Ticket;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use ccag_domain::routing::Candidate;
use ccag_domain::{Code, Outcome, Problem, RequestId};
use ccag_translate::search::Merged;
use ccag_translate::stream::error_event;
use futures_util::future::BoxFuture;
use http::{HeaderValue, header};
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use tokio::sync::mpsc;

/// One request that searches.
pub(super) struct Task {
    pub(super) wanted: Wanted,
    pub(super) route: Vec<Candidate>,
    pub(super) job: Job,
    pub(super) ticket: Ticket,
    pub(super) in_flight: InFlight,
    /// Whether the client wants a stream.
    pub(super) streaming: bool,
}

/// Serves it. As with any request, the status goes out when Bedrock has begun to answer.
pub(super) async fn serve(gateway: &Arc<Gateway>, task: Task) -> Response {
    let Task {
        mut wanted,
        route,
        job,
        ticket,
        in_flight,
        streaming,
    } = task;
    let request_id = ticket.request_id().clone();
    let context = context(gateway, &request_id);
    // A guardrail looks at what a model is asked and says: without a model nothing would look at the query.
    let is_guarded = route
        .iter()
        .any(|candidate| job.lane.guardrail(candidate).is_some());
    if let Some(query) = wanted.shortcut.take().filter(|_| !is_guarded)
        && let Some(candidate) = route.first().cloned()
    {
        let model_said = job.model_said;
        let work = move |sink| -> BoxFuture<'static, Ended> {
            Box::pin(async move {
                answer_from_search(context, wanted, query, model_said, &candidate, ticket, sink).await
            })
        };
        return answer(work, &request_id, None, in_flight, streaming).await;
    }
    let (source, lane, model_said) = (job.source.clone(), job.lane.again(), job.model_said.clone());
    let opened = match walk(Arc::clone(&gateway.bedrock), route.clone(), job, ticket).await {
        Ok(Answer::Stream(opened)) => *opened,
        Ok(Answer::Whole(whole)) => {
            // A streaming job is answered by a stream: dropping the ticket records what this one cost at most.
            drop(whole);
            let problem = Problem::new(Code::BadUpstream, "Bedrock's answer is not a stream");
            return render(&problem, &request_id);
        }
        Err(failure) => return failed(*failure, gateway, &request_id).await,
    };
    let aws_request_id = opened.aws_request_id.clone();
    let session = Session {
        context,
        wanted,
        route,
        source,
        lane,
        model_said,
    };
    let work = move |sink| -> BoxFuture<'static, Ended> { Box::pin(session.run(opened, sink)) };
    answer(work, &request_id, aws_request_id.as_deref(), in_flight, streaming).await
}

fn context(gateway: &Gateway, request_id: &RequestId) -> Context {
    Context {
        bedrock: Arc::clone(&gateway.bedrock),
        searcher: gateway.searcher.clone(),
        metrics: Arc::clone(&gateway.metrics),
        life: gateway.life.clone(),
        force: gateway.life.force(),
        request_id: request_id.clone(),
        ping: gateway.ping,
        idle: gateway.idle,
    }
}

async fn answer(
    work: impl FnOnce(Sink) -> BoxFuture<'static, Ended>,
    request_id: &RequestId,
    aws_request_id: Option<&str>,
    in_flight: InFlight,
    streaming: bool,
) -> Response {
    let mut response = if streaming {
        let (to, events) = mpsc::unbounded_channel();
        let work = work(Sink::new(Some(to.clone())));
        let id = request_id.clone();
        let body = StreamBody {
            work: Some(Box::pin(async move {
                let last = last_event(work.await, &id).await;
                // The receiver is this body.
                let _ = to.send(last);
            })),
            events,
            _in_flight: in_flight,
        };
        let mut response = Response::new(Body::new(body));
        set_headers(response.headers_mut());
        response
    } else {
        whole_answer(work(Sink::new(None)).await, request_id).await
    };
    let headers = response.headers_mut();
    set_request_id(headers, request_id);
    set_aws_request_id(headers, aws_request_id);
    response
}

/// Spools the record, and gives what may go out when it is safe.
async fn last_event(ended: Ended, request_id: &RequestId) -> Bytes {
    let (recorded, held) = match ended {
        Ended::Whole { ticket, ending, .. } => (
            ticket.finish_and_wait(ending).await,
            Bytes::from_static(Merged::stop()),
        ),
        Ended::Broken {
            ticket,
            ending,
            event,
            ..
        } => (ticket.finish_and_wait(ending).await, event.into()),
    };
    if recorded.is_ok() {
        return held;
    }
    tracing::error!(%request_id, "the usage record could not be spooled in time");
    let mut event = Vec::new();
    error_event(&not_recorded(), Some(request_id.as_str()), &mut event);
    event.into()
}

/// The same for a client that does not stream.
async fn whole_answer(ended: Ended, request_id: &RequestId) -> Response {
    let (recorded, response) = match ended {
        Ended::Whole { ticket, ending, body } => {
            let mut response = Response::new(Body::from(body));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            (ticket.finish_and_wait(ending).await, response)
        }
        Ended::Broken {
            ticket,
            mut ending,
            problem,
            ..
        } => {
            // The client gets nothing of the message, but a status.
            ending.outcome = Outcome::Failed;
            ending.status = problem.code.status();
            (ticket.finish_and_wait(ending).await, render(&problem, request_id))
        }
    };
    match recorded {
        Ok(()) => response,
        Err(_) => render(&not_recorded(), request_id),
    }
}

/// A body that does the work it shows: driven by the connection that it is written to. There is no task behind it, a slow
/// client slows the work down, and a client that goes away drops it, with the connections to Bedrock and to the search
/// service.
struct StreamBody {
    work: Option<BoxFuture<'static, ()>>,
    events: mpsc::UnboundedReceiver<Bytes>,
    _in_flight: InFlight,
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if let Ok(bytes) = this.events.try_recv() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(work) = &mut this.work else {
                return Poll::Ready(None);
            };
            if work.as_mut().poll(cx).is_ready() {
                this.work = None;
                continue;
            }
            return match this.events.try_recv() {
                Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Err(_) => Poll::Pending,
            };
        }
    }
}
