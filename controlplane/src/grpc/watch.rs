//! `Config.Watch`: one task for each data plane.

use super::hub::{News, PAGE};
use super::{Services, Shares, homes, quotas};
use crate::app::capabilities;
use crate::latency::Latency;
use crate::store::Seen;
use crate::store::entity::replica;
use ccag_admin_api::Timestamp;
use ccag_domain::ids::ulid;
use ccag_domain::{LearntFact, ReplicaId, Revision, UnixMs};
use ccag_proto::v1;
use ccag_proto::v1::watch_request::Body as Up;
use ccag_proto::v1::watch_response::Body as Down;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// How often a data plane hears that what it holds is current.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long the first message may take.
const HELLO: Duration = Duration::from_secs(10);

/// How long a data plane may take to accept a message before its stream ends.
const SEND: Duration = Duration::from_secs(30);

/// How often an unchanged state is written to the database.
const WRITE_EVERY_MS: i64 = 15_000;

/// How often it is written while requests count against quotas.
const WRITE_QUOTAS_EVERY_MS: i64 = 5_000;

/// How many messages may wait in a stream.
const QUEUE: usize = 16;

/// How much of what a data plane has found is taken in at once, and how long that may take.
const MAX_FINDINGS: usize = 1_000;
const WRITE_FINDINGS: Duration = Duration::from_secs(10);

/// So many moved conversations go into one message.
const MAX_MOVED: usize = 5_000;

/// How much of what a data plane says about objects it refused is kept.
const MAX_REJECTED: usize = 50;

/// So many endpoints in trouble are kept of what a data plane says.
const MAX_TROUBLES: usize = 100;

#[tonic::async_trait]
impl v1::config_server::Config for Services {
    type WatchStream = ReceiverStream<Result<v1::WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<Streaming<v1::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if self.end.is_cancelled() {
            return Err(Status::unavailable("this control plane is shutting down"));
        }
        let (out, answer) = mpsc::channel(QUEUE);
        let services = self.clone();
        self.life.spawn("watch stream", async move {
            services.app.metrics.watch_streams.inc();
            let end = services.end.clone();
            let ended = tokio::select! {
                ended = follow(&services, request.into_inner(), &out) => ended,
                () = out.closed() => Ok(()),
                () = end.cancelled() => Err(Status::unavailable("this control plane is shutting down")),
            };
            if let Err(status) = ended {
                let _ = out.try_send(Err(status));
            }
            services.app.metrics.watch_streams.dec();
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }
}

type Out = mpsc::Sender<Result<v1::WatchResponse, Status>>;

async fn follow(
    services: &Services,
    mut inbound: Streaming<v1::WatchRequest>,
    out: &Out,
) -> Result<(), Status> {
    let first = tokio::time::timeout(HELLO, inbound.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello"))??;
    let Some(Up::Hello(hello)) = first.and_then(|message| message.body) else {
        return Err(Status::invalid_argument("the first message must be a hello"));
    };
    let mut member = Member::new(services, &hello)?;
    tracing::info!(replica = %member.row.id, name = %member.row.name, revision = hello.revision, "a data plane follows");
    // Subscribed before the database is read: nothing falls between the two.
    let mut news = services.hub.subscribe();
    let mut sent = Sent {
        epoch: hello.epoch,
        revision: hello.revision,
        takes_pieces: hello.takes_pieces,
    };
    catch_up(services, out, &mut sent).await?;
    for some in services.hub.all_moved().chunks(MAX_MOVED) {
        send_moved(out, some).await?;
    }
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            item = news.recv() => match item {
                Ok(News::Changes(changes)) => {
                    let fresh: Vec<_> = changes.iter().filter(|c| c.revision > sent.revision).cloned().collect();
                    // A gap means that this stream began to listen in the middle: the database has the rest.
                    match fresh.first() {
                        None => {}
                        Some(first) if first.revision == sent.revision + 1 => send_changes(out, fresh, &mut sent).await?,
                        Some(_) => catch_up(services, out, &mut sent).await?,
                    }
                }
                Ok(News::Moved(moved)) => send_moved(out, &moved).await?,
                Ok(News::Resync) | Err(RecvError::Lagged(_)) => catch_up(services, out, &mut sent).await?,
                Err(RecvError::Closed) => return Ok(()),
            },
            message = inbound.message() => match message? {
                Some(message) => match message.body {
                    Some(Up::Applied(applied)) => member.applied(services, applied),
                    Some(Up::Findings(findings)) => take(services, findings),
                    Some(Up::Hello(_)) => return Err(Status::invalid_argument("a second hello")),
                    // What only a newer data plane says. That is no reason to hang up on it.
                    None => tracing::debug!(replica = %member.row.id, "a data plane says what this version does not know"),
                },
                None => return Ok(()),
            },
            _ = heartbeat.tick() => {
                if let Some(revision) = services.hub.vouched() {
                    let now_ms = services.app.now_ms();
                    send(out, Down::Heartbeat(v1::Heartbeat { now_ms, revision })).await?;
                }
                send(out, Down::Quotas(services.shares.of_others(&member.row.id))).await?;
            }
        }
    }
}

/// Where a stream stands.
struct Sent {
    epoch: String,
    revision: u64,
    takes_pieces: bool,
}

/// Sends what the data plane lacks: changes if the history reaches back to where it is, else everything.
async fn catch_up(services: &Services, out: &Out, sent: &mut Sent) -> Result<(), Status> {
    let store = &services.app.store;
    let fail = |error: crate::store::StoreError| {
        services.app.metrics.db_error("hub");
        tracing::debug!(%error, "a data plane could not be brought up to date");
        Status::unavailable("the configuration cannot be read at the moment")
    };
    if !sent.epoch.is_empty() && store.find_position().await.map_err(fail)?.epoch == sent.epoch {
        while let Some(rows) = store
            .list_changes(Revision(sent.revision), PAGE)
            .await
            .map_err(fail)?
        {
            if rows.is_empty() {
                return Ok(());
            }
            let changes = rows.into_iter().map(|row| row.change.into()).collect();
            send_changes(out, changes, sent).await?;
        }
    }
    let snapshot = services.hub.snapshot().await.map_err(fail)?;
    services.app.metrics.snapshots_sent.inc();
    sent.epoch.clone_from(&snapshot.epoch);
    sent.revision = snapshot.revision;
    if sent.takes_pieces {
        for piece in snapshot.pieces() {
            send(out, piece).await?;
        }
        return Ok(());
    }
    let whole = snapshot
        .whole()
        .map_err(|error| Status::internal(format!("the configuration was encoded wrongly: {error}")))?;
    send(out, Down::Snapshot(whole)).await
}

async fn send_changes(out: &Out, changes: Vec<v1::Change>, sent: &mut Sent) -> Result<(), Status> {
    if let Some(last) = changes.last() {
        sent.revision = last.revision;
    }
    send(out, Down::Changes(v1::ChangeBatch { changes })).await
}

async fn send_moved(out: &Out, moved: &[v1::MovedConversation]) -> Result<(), Status> {
    let moved = moved.to_vec();
    send(out, Down::Moved(v1::MovedConversations { moved })).await
}

async fn send(out: &Out, body: Down) -> Result<(), Status> {
    let message = Ok(v1::WatchResponse { body: Some(body) });
    match tokio::time::timeout(SEND, out.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Status::cancelled("the data plane has gone")),
        Err(_) => Err(Status::deadline_exceeded("the data plane does not take messages")),
    }
}

/// What is known of the data plane at the other end.
struct Member {
    row: replica::Model,
    fleet: super::FleetWriter,
    shares: Shares,
    lag: Latency,
    written_at_ms: UnixMs,
}

impl Member {
    fn new(services: &Services, hello: &v1::Hello) -> Result<Self, Status> {
        let id = ReplicaId::parse(&hello.replica_id)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let app = &services.app;
        let row = replica::Model {
            id: id.into(),
            name: plain(&hello.name),
            version: plain(&hello.version),
            started_at_ms: hello.started_at_ms,
            connected: true,
            connected_to: format!("{}/{}", app.instance, ulid(&*app.clock, &*app.rng)),
            applied_revision: i64::try_from(hello.revision).unwrap_or(0),
            apply_p99_ms: None,
            rejected: "[]".to_owned(),
            in_flight: 0,
            spooled_records: 0,
            draining: false,
            troubles: "[]".to_owned(),
            quota_use: "[]".to_owned(),
            spool_bytes: 0,
            spool_max_bytes: 0,
            last_seen_ms: app.now_ms(),
        };
        let member = Self {
            row,
            fleet: services.fleet.clone(),
            shares: services.shares.clone(),
            lag: Latency::default(),
            written_at_ms: app.now_ms(),
        };
        member.fleet.seen(member.row.clone());
        member.shares.joined(&member.row.id, &member.row.connected_to);
        Ok(member)
    }

    fn applied(&mut self, services: &Services, applied: v1::Applied) {
        let now = services.app.now_ms();
        let before = self.row.clone();
        let row = &mut self.row;
        row.applied_revision = i64::try_from(applied.revision).unwrap_or(0);
        if let Some(state) = applied.state {
            row.in_flight = i64::from(state.in_flight);
            row.spooled_records = i64::try_from(state.spooled_records).unwrap_or(i64::MAX);
            row.spool_bytes = i64::try_from(state.spool_bytes).unwrap_or(i64::MAX);
            row.spool_max_bytes = i64::try_from(state.spool_max_bytes).unwrap_or(i64::MAX);
            row.draining = state.draining;
            row.troubles = troubles_json(&state.troubles);
            let uses = quotas::read(state.quotas);
            row.quota_use = serde_json::to_string(&uses).unwrap_or_else(|_| "[]".to_owned());
            self.shares.said(&row.id, uses);
        }
        if row.applied_revision != before.applied_revision {
            if let Some(made_at) = services.hub.made_at(applied.revision) {
                let lag_ms = u64::try_from(now - made_at).unwrap_or(0);
                self.lag.record(lag_ms, None);
                row.apply_p99_ms = self.lag.duration_ms(990).and_then(|ms| i64::try_from(ms).ok());
                let seconds = Duration::from_millis(lag_ms).as_secs_f64();
                services.app.metrics.apply_lag_seconds.observe(seconds);
            }
            // What was refused at an earlier revision is history.
            row.rejected = "[]".to_owned();
        }
        if !applied.rejected.is_empty() {
            row.rejected = rejected_json(&applied.rejected);
            tracing::error!(replica = %row.id, count = applied.rejected.len(), "a data plane refused configuration objects");
        }
        row.last_seen_ms = now;
        let changed = row.applied_revision != before.applied_revision
            || row.rejected != before.rejected
            || row.draining != before.draining
            || row.troubles != before.troubles;
        let every = match row.quota_use == before.quota_use {
            true => WRITE_EVERY_MS,
            false => WRITE_QUOTAS_EVERY_MS,
        };
        if changed || now - self.written_at_ms >= every {
            self.written_at_ms = now;
            self.fleet.seen(row.clone());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.fleet.gone(&self.row.id, &self.row.connected_to);
        self.shares.left(&self.row.id, &self.row.connected_to);
    }
}

/// Writes down what requests have shown, without making the stream wait for the database.
fn take(services: &Services, findings: v1::Findings) {
    let mut facts = Vec::new();
    for message in findings.learnt.into_iter().take(MAX_FINDINGS) {
        match LearntFact::try_from(message) {
            Ok(fact) => facts.push(fact),
            Err(error) => tracing::warn!(%error, "a data plane has learnt something that cannot be read"),
        }
    }
    let seen = findings.seen.into_iter().take(MAX_FINDINGS).map(|one| Seen {
        kind: plain(&one.kind),
        name: plain(&one.name),
        known: one.known,
        count: i64::try_from(one.count).unwrap_or(i64::MAX),
    });
    let moved: Vec<_> = findings.moved.into_iter().filter(homes::is_sound).collect();
    let (app, hub, seen) = (services.app.clone(), Arc::clone(&services.hub), seen.collect());
    services.life.spawn("findings", async move {
        if !moved.is_empty() {
            hub.moved(moved).await;
        }
        let write = async {
            capabilities::learn(&app, facts).await?;
            capabilities::count(&app, seen).await
        };
        match tokio::time::timeout(WRITE_FINDINGS, write).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => tracing::debug!(%problem, "what a data plane has found could not be written"),
            Err(_) => app.metrics.db_error("findings"),
        }
    });
}

/// Text from a data plane, fit to be stored and shown.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn troubles_json(troubles: &[v1::EndpointTrouble]) -> String {
    let list: Vec<_> = troubles
        .iter()
        .take(MAX_TROUBLES)
        .map(|trouble| ccag_admin_api::EndpointTrouble {
            endpoint_id: plain(&trouble.endpoint_id),
            endpoint: String::new(),
            model: trouble.model.as_deref().map(plain),
            cause: plain(&trouble.cause),
            text: String::new(),
            since: Timestamp::from_ms(trouble.since_ms),
            until: Timestamp::from_ms(trouble.until_ms),
        })
        .collect();
    serde_json::to_string(&list).unwrap_or_else(|_| "[]".to_owned())
}

fn rejected_json(rejected: &[v1::Rejected]) -> String {
    let list: Vec<_> = rejected
        .iter()
        .take(MAX_REJECTED)
        .map(|r| ccag_admin_api::RejectedObject {
            kind: plain(&r.kind),
            id: plain(&r.id),
            reason: plain(&r.reason),
        })
        .collect();
    serde_json::to_string(&list).unwrap_or_else(|_| "[]".to_owned())
}
