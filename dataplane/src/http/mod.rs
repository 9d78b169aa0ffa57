//! What clients see.

mod body;
mod buffer;
mod count_tokens;
mod doctor;
mod error;
mod forward;
mod front;
mod memory;
mod messages;
mod models;
mod routes;
mod search;
mod session;
mod sse;
mod telemetry;
mod usage;

pub(crate) use forward::Forward;
pub use front::Front;
pub(crate) use memory::{BodyMemory, COUNT_COPIES, half_of_all};
pub(crate) use routes::{inference, no_room};
pub(crate) use telemetry::Relay;

use crate::admission::Admission;
use crate::allowance::Allowances;
use crate::auth::{self, Tokens};
use crate::bedrock::attempt::Bedrock;
use crate::explain::Refusals;
use crate::metrics::Metrics;
use crate::sync::{ConfigView, Current, NoView};
use crate::usage::Recorder;
use ccag_daemon::Lifecycle;
use ccag_domain::{Clock, Code, Problem, RequestId, Rng};
use ccag_search::Searcher;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a request waits for the news that its session was opened.
const SESSION_NEWS: Duration = Duration::from_secs(2);

/// What all requests share. Nothing in it is locked while a request waits.
pub(crate) struct Gateway {
    pub(crate) bedrock: Arc<Bedrock>,
    pub(crate) current: Arc<Current>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) admission: Admission,
    pub(crate) allowances: Arc<Allowances>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) life: Lifecycle,
    pub(crate) body_bytes: usize,
    pub(crate) body_memory: BodyMemory,
    pub(crate) ping: Duration,
    pub(crate) idle: Duration,
    pub(crate) forward: Option<Forward>,
    pub(crate) searcher: Searcher,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) tokens: Tokens,
    pub(crate) relay: Option<Relay>,
}

impl Gateway {
    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::generate(self.clock.as_ref(), self.rng.as_ref())
    }

    /// Waits until the session is known whose token a request shows, if it was opened a moment ago: its news may still be
    /// on the way here. Most requests wait for nothing.
    pub(crate) async fn caught_up(&self, headers: &HeaderMap) {
        let wait_until = Instant::now() + SESSION_NEWS;
        while let Ok(view) = self.current.view()
            && auth::is_ahead(headers, &view, &self.tokens)
            && Instant::now() < wait_until
        {
            tokio::time::sleep(SESSION_NEWS / 100).await;
        }
    }

    /// The configuration that this request is decided by, from beginning to end.
    pub(crate) fn view(&self) -> Result<Arc<ConfigView>, Problem> {
        self.current.view().map_err(|missing| {
            let message = match missing {
                NoView::NotYet => {
                    "this gateway has just started and has no configuration yet; try again in a moment"
                }
                NoView::Stale => {
                    "this gateway has not heard from its control plane for longer than its configuration may be \
                     trusted; requests are refused until the connection is back (administrators: see /readyz and the \
                     control plane's address)"
                }
            };
            Problem::new(Code::Unavailable, message).retry_after(match missing {
                NoView::NotYet => 2,
                NoView::Stale => 30,
            })
        })
    }
}
