//! The client of `Config.Watch`.

use super::Current;
use super::apply::{self, Applied, Pieces};
use super::disk::Disk;
use super::link::Link;
use crate::backoff::Backoff;
use crate::bedrock::health::{EndpointHealth, Place, Standing};
use crate::bedrock::homes::Homes;
use crate::bedrock::quota::Quotas;
use crate::metrics::Metrics;
use crate::profiles::Learning;
use crate::usage::Spool;
use ccag_daemon::{Lifecycle, ReadyGuard};
use ccag_domain::{Clock, ReplicaId, Rng, UnixMs};
use ccag_proto::v1;
use ccag_proto::v1::watch_response::Body;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// How often the control plane is told that this data plane lives.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// A control plane that is silent for longer than this is given up: it sends a heartbeat every few seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// How long the snapshot on disk may lag behind.
const SAVE_DELAY: Duration = Duration::from_millis(500);

/// How often the time of the last contact is written down.
const CONTACT_EVERY: Duration = Duration::from_secs(15);

/// Who this data plane is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: ReplicaId,
    pub(crate) name: String,
    pub(crate) started_at_ms: UnixMs,
}

/// Everything the watcher needs.
pub(crate) struct Watch {
    pub(crate) link: Link,
    pub(crate) identity: Identity,
    pub(crate) current: Arc<Current>,
    pub(crate) disk: Disk,
    pub(crate) spool: Spool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) learning: Arc<Learning>,
    pub(crate) homes: Arc<Homes>,
    pub(crate) health: Arc<EndpointHealth>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) life: Lifecycle,
    /// Ends the watcher: after the last request, not when the shutdown begins, so that revocations reach a draining data
    /// plane too.
    pub(crate) closing: CancellationToken,
    /// Dropped with the first view.
    pub(crate) ready: Option<ReadyGuard>,
}

/// Why a stream ended.
enum Ended {
    Closing,
    Lost(String),
}

impl Watch {
    pub(crate) async fn run(mut self) {
        if self.current.held().is_some() {
            self.ready = None;
        }
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut save_at: Option<Instant> = None;
        while !self.closing.is_cancelled() {
            let (ended, was_good) = self.stream(&mut save_at).await;
            let Ended::Lost(reason) = ended else { break };
            self.metrics.control_connected.set(0);
            if was_good {
                backoff.reset();
                tracing::warn!(%reason, "lost the control plane; going on with what is held");
            } else {
                tracing::debug!(%reason, "cannot reach the control plane");
                backoff.complain(|| tracing::warn!(%reason, "still cannot reach the control plane"));
            }
            self.link.turn();
            let pause = backoff.next(self.rng.as_ref());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.closing.cancelled() => break,
            }
        }
        if save_at.is_some() {
            self.save().await;
        }
    }

    /// One connection, to its end; tells whether anything came through it.
    async fn stream(&mut self, save_at: &mut Option<Instant>) -> (Ended, bool) {
        let (out, outbound) = mpsc::channel(16);
        // The channel is new and empty.
        let _ = out.try_send(self.hello());
        let mut client = self.link.config();
        let opened = tokio::select! {
            opened = client.watch(ReceiverStream::new(outbound)) => opened,
            () = tokio::time::sleep(SILENCE) => Err(Status::deadline_exceeded("no answer")),
            () = self.closing.cancelled() => return (Ended::Closing, false),
        };
        let mut inbound = match opened {
            Ok(response) => response.into_inner(),
            Err(status) => return (Ended::Lost(self.describe(&status)), false),
        };
        let mut was_good = false;
        let mut pieces = Pieces::default();
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut contact = tokio::time::interval(CONTACT_EVERY);
        contact.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_until = Instant::now() + SILENCE;
        let learning = Arc::clone(&self.learning);
        let (homes, health) = (Arc::clone(&self.homes), Arc::clone(&self.health));
        loop {
            let save_due = save_at.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
            tokio::select! {
                biased;
                message = inbound.message() => match message {
                    Ok(Some(message)) => {
                        if !was_good {
                            tracing::info!("connected to the control plane");
                            self.metrics.control_connected.set(1);
                        }
                        was_good = true;
                        silent_until = Instant::now() + SILENCE;
                        self.current.heard();
                        let rejected = match self.take(message, &mut pieces) {
                            Ok(Some(rejected)) => rejected,
                            Ok(None) => continue,
                            Err(reason) => return (Ended::Lost(reason), was_good),
                        };
                        save_at.get_or_insert(Instant::now() + SAVE_DELAY);
                        if out.send(self.applied(rejected)).await.is_err() {
                            return (Ended::Lost("the stream was closed".into()), was_good);
                        }
                    }
                    Ok(None) => return (Ended::Lost("the control plane ended the stream".into()), was_good),
                    Err(status) => return (Ended::Lost(self.describe(&status)), was_good),
                },
                () = self.closing.cancelled() => return (Ended::Closing, was_good),
                _ = beat.tick() => {
                    // A full channel means that the connection does not move; the silence will end it.
                    let _ = out.try_send(self.applied(Vec::new()));
                    self.report(&out);
                }
                // The first message was a snapshot or the word that nothing is missing: what comes back is recognised.
                () = learning.news(), if was_good => self.report(&out),
                () = homes.news(), if was_good => self.report(&out),
                () = health.news.notified(), if was_good => {
                    let _ = out.try_send(self.applied(Vec::new()));
                }
                _ = contact.tick() => self.save_contact(),
                () = tokio::time::sleep_until(save_due), if save_at.is_some() => {
                    *save_at = None;
                    self.save().await;
                }
                () = tokio::time::sleep_until(silent_until) => {
                    return (Ended::Lost("the control plane fell silent".into()), was_good);
                }
            }
        }
    }

    /// Applies a message; `Some` if the view changed, with what had to be rejected.
    ///
    /// # Errors
    /// Why nothing more can be understood on this stream.
    fn take(
        &mut self,
        message: v1::WatchResponse,
        pieces: &mut Pieces,
    ) -> Result<Option<Vec<v1::Rejected>>, String> {
        let Some(body) = message.body else { return Ok(None) };
        let applied = match body {
            Body::Heartbeat(_) => None,
            Body::Moved(told) => {
                self.homes.heard(told.moved);
                None
            }
            Body::Quotas(shares) => {
                self.quotas.heard(shares);
                None
            }
            Body::Snapshot(snapshot) => Some(apply::snapshot(snapshot)),
            Body::Piece(piece) => pieces.add(piece)?,
            Body::Changes(batch) => match self.current.held() {
                Some(held) => Some(apply::changes(&held, batch)),
                None => {
                    tracing::error!("the control plane sent changes before any snapshot");
                    None
                }
            },
        };
        Ok(applied.map(|applied| self.hold(applied)))
    }

    /// From now on this is what holds. Returns what had to be rejected.
    fn hold(&mut self, Applied { view, rejected }: Applied) -> Vec<v1::Rejected> {
        self.metrics
            .applied_revision
            .set(i64::try_from(view.revision().0).unwrap_or(i64::MAX));
        self.metrics.rejected_objects.inc_by(rejected.len() as u64);
        tracing::debug!(revision = %view.revision(), keys = view.key_count(), "configuration applied");
        self.health.keep(|id| view.has_endpoint(id));
        self.quotas.keep(|id| view.has_endpoint(id));
        self.current.set(view);
        self.ready = None;
        rejected
    }

    fn hello(&self) -> v1::WatchRequest {
        let held = self.current.held();
        let hello = v1::Hello {
            replica_id: self.identity.id.to_string(),
            name: self.identity.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: held.as_ref().map(|v| v.epoch().to_owned()).unwrap_or_default(),
            revision: held.as_ref().map_or(0, |v| v.revision().0),
            started_at_ms: self.identity.started_at_ms,
            takes_pieces: true,
        };
        v1::WatchRequest {
            body: Some(v1::watch_request::Body::Hello(hello)),
        }
    }

    fn applied(&self, rejected: Vec<v1::Rejected>) -> v1::WatchRequest {
        let applied = v1::Applied {
            revision: self.current.held().map_or(0, |v| v.revision().0),
            rejected,
            state: Some(v1::ReplicaState {
                in_flight: u32::try_from(self.metrics.in_flight.get()).unwrap_or(0),
                spooled_records: self.spool.backlog(),
                draining: self.life.shutdown().is_cancelled(),
                troubles: self.troubles(),
                quotas: self.quotas.told(),
                spool_bytes: self.spool.bytes(),
                spool_max_bytes: self.spool.max_bytes(),
            }),
        };
        v1::WatchRequest {
            body: Some(v1::watch_request::Body::Applied(applied)),
        }
    }

    /// The endpoints that are out of order, as it looks from here.
    fn troubles(&self) -> Vec<v1::EndpointTrouble> {
        let trouble = |(place, standing): (Place, Standing)| v1::EndpointTrouble {
            endpoint_id: place.endpoint.into(),
            model: place.model,
            cause: standing.cause.as_str().to_owned(),
            since_ms: standing.since_ms,
            until_ms: standing.until_ms,
        };
        self.health.standings().into_iter().map(trouble).collect()
    }

    /// Tells what requests have shown. What a full channel does not take is told with the next sign of life.
    fn report(&self, out: &mpsc::Sender<v1::WatchRequest>) {
        let Ok(permit) = out.try_reserve() else { return };
        let held = self.current.held();
        let learnt = self
            .learning
            .report(held.as_ref().map(|view| view.lessons().as_ref()));
        let moved = self.homes.untold();
        if learnt.is_some() || !moved.is_empty() {
            let findings = v1::Findings {
                moved,
                ..learnt.unwrap_or_default()
            };
            permit.send(v1::WatchRequest {
                body: Some(v1::watch_request::Body::Findings(findings)),
            });
        }
    }

    fn save_contact(&self) {
        if self.current.held().is_some()
            && let Err(error) = self
                .disk
                .save_contact(self.clock.now_ms() - self.current.age_ms())
        {
            tracing::warn!(%error, "cannot note the time of the last contact");
        }
    }

    async fn save(&self) {
        self.save_contact();
        let Some(view) = self.current.held() else { return };
        let disk = self.disk.clone();
        match tokio::task::spawn_blocking(move || disk.save(&view)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot save the configuration for the next start");
            }
            Err(error) => tracing::error!(%error, "saving the configuration was interrupted"),
        }
    }

    /// The status, and what the most common ones mean here.
    fn describe(&self, status: &Status) -> String {
        if let Some(trouble) = self.link.tls().take_trouble() {
            return trouble;
        }
        match status.code() {
            tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => {
                format!(
                    "the control plane refused the join token ({}); check CCAG_JOIN_TOKEN",
                    status.message()
                )
            }
            code => format!("{code}: {}", status.message()),
        }
    }
}
