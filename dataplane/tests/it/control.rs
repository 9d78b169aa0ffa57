//! A control plane by script: it pushes what the test says, and keeps the usage that it is given.

use crate::treasury::Treasury;
use ccag_domain::identity::AccountState;
use ccag_domain::{
    Change, ConfigObject, Endpoint, EndpointId, Explanation, KeyDigest, KeyGrant, KeyId, ObjectKind,
    ObjectRef, Revision, Snapshot, Team, TeamId, User, UserId, catalogue, config::ChangeStep,
};
use ccag_proto::v1;
use ccag_proto::v1::allowance_server::AllowanceServer;
use ccag_proto::v1::config_server::{Config, ConfigServer};
use ccag_proto::v1::usage_server::{Usage, UsageServer};
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Shared by all streams.
pub struct Shared {
    snapshot: Mutex<Snapshot>,
    /// All changes after the first snapshot.
    changes: watch::Sender<Vec<v1::Change>>,
    pub applied: watch::Sender<u64>,
    pub hellos: Mutex<Vec<v1::Hello>>,
    pub rejected: Mutex<Vec<v1::Rejected>>,
    pub findings: Mutex<Vec<v1::Findings>>,
    /// Every record that arrived, repeated ones too.
    pub arrived: Mutex<Vec<v1::UsageRecord>>,
    pub stored: watch::Sender<HashMap<String, v1::UsageRecord>>,
    /// What explains refusals.
    pub explanations: watch::Sender<Vec<Explanation>>,
    /// Takes records in without acknowledging them.
    pub withhold_acks: AtomicBool,
    pub quarantine: Mutex<Vec<String>>,
    pub treasury: Treasury,
}

#[derive(Clone)]
pub struct Service(pub Arc<Shared>);

/// The control plane of one test.
#[derive(Clone)]
pub struct ControlPlane {
    pub shared: Arc<Shared>,
}

pub const KEY: &str = "sk-ccag-test-key-0000000000000000000000000000000000";
pub const JOIN_TOKEN: &str = "join-me";

pub fn endpoint(n: u32, default: bool) -> Endpoint {
    Endpoint {
        is_default: default,
        ..Endpoint::new(
            EndpointId::parse(&format!("end_{n}")).unwrap(),
            format!("endpoint-{n}"),
        )
    }
}

pub fn key(secret: &str, id: &str) -> KeyGrant {
    KeyGrant {
        id: KeyId::parse(id).unwrap(),
        digest: KeyDigest::of(secret),
        name: id.to_owned(),
        user_id: Some(UserId::parse("user_1").unwrap()),
        team_id: Some(TeamId::parse("team_1").unwrap()),
        expires_at_ms: None,
        rate_limit_rpm: None,
        session: false,
    }
}

pub fn user(id: &str) -> User {
    User {
        id: UserId::parse(id).unwrap(),
        state: AccountState::Active,
        team_id: None,
        search: None,
        role: None,
        groups: Vec::new(),
        email_domain: None,
    }
}

pub fn team(id: &str, endpoints: &[u32]) -> Team {
    Team {
        id: TeamId::parse(id).unwrap(),
        name: id.to_owned(),
        state: AccountState::Active,
        endpoints: endpoints
            .iter()
            .map(|n| EndpointId::parse(&format!("end_{n}")).unwrap())
            .collect(),
        guardrail: None,
        routing: ccag_domain::RoutingPolicy::default(),
    }
}

/// The catalogue, one default endpoint, one user in one team with one key.
pub fn usual() -> Vec<ConfigObject> {
    let mut objects: Vec<ConfigObject> = catalogue::models().into_iter().map(ConfigObject::Model).collect();
    objects.extend(catalogue::prices().into_iter().map(ConfigObject::Price));
    objects.extend([
        ConfigObject::Endpoint(endpoint(1, true)),
        ConfigObject::User(user("user_1")),
        ConfigObject::Team(team("team_1", &[])),
        ConfigObject::Key(key(KEY, "key_1")),
    ]);
    objects
}

impl ControlPlane {
    pub fn new(objects: Vec<ConfigObject>) -> Self {
        let snapshot = Snapshot {
            epoch: "epoch-1".into(),
            revision: Revision(100),
            objects,
        };
        Self {
            shared: Arc::new(Shared {
                snapshot: Mutex::new(snapshot),
                changes: watch::Sender::new(Vec::new()),
                applied: watch::Sender::new(0),
                hellos: Mutex::default(),
                rejected: Mutex::default(),
                findings: Mutex::default(),
                arrived: Mutex::default(),
                stored: watch::Sender::new(HashMap::new()),
                explanations: watch::Sender::new(Vec::new()),
                withhold_acks: AtomicBool::new(false),
                quarantine: Mutex::default(),
                treasury: Treasury::default(),
            }),
        }
    }

    /// What new data planes get.
    pub fn replace_snapshot(&self, objects: Vec<ConfigObject>) {
        self.shared.snapshot.lock().unwrap().objects = objects;
    }

    pub fn routes(&self) -> tonic::service::Routes {
        let service = Service(Arc::clone(&self.shared));
        tonic::service::Routes::new(ConfigServer::new(service.clone()))
            .add_service(UsageServer::new(service.clone()))
            .add_service(AllowanceServer::new(service))
    }

    /// Pushes a change and returns its revision.
    pub fn push(&self, step: ChangeStep) -> u64 {
        let mut revision = 0;
        self.shared.changes.send_modify(|changes| {
            revision = 101 + changes.len() as u64;
            changes.push(
                Change {
                    revision: Revision(revision),
                    step,
                }
                .into(),
            );
        });
        revision
    }

    pub fn put(&self, object: ConfigObject) -> u64 {
        self.push(ChangeStep::Put(Box::new(object)))
    }

    pub fn remove(&self, kind: ObjectKind, id: &str) -> u64 {
        self.push(ChangeStep::Remove(ObjectRef {
            kind,
            id: id.to_owned(),
        }))
    }

    /// Pushes something on the wire that the domain has no word for.
    pub fn push_raw(&self, step: v1::change::Step) -> u64 {
        let mut revision = 0;
        self.shared.changes.send_modify(|changes| {
            revision = 101 + changes.len() as u64;
            changes.push(v1::Change {
                revision,
                step: Some(step),
            });
        });
        revision
    }

    pub async fn applied(&self, revision: u64) {
        self.shared
            .applied
            .subscribe()
            .wait_for(|at| *at >= revision)
            .await
            .unwrap();
    }

    /// The explanations of at least so many refusals, in the order in which they arrived.
    pub async fn explained(&self, count: usize) -> Vec<Explanation> {
        let mut known = self.shared.explanations.subscribe();
        let all = known.wait_for(|known| known.len() >= count).await.unwrap();
        all.clone()
    }

    /// The records once there are so many, in the order in which they came: their requests may have begun in one millisecond.
    pub async fn stored(&self, count: usize) -> Vec<v1::UsageRecord> {
        let mut stored = self.shared.stored.subscribe();
        let all = stored.wait_for(|records| records.len() >= count).await.unwrap();
        let arrived = self.shared.arrived.lock().unwrap();
        let mut seen = HashSet::new();
        let first = arrived
            .iter()
            .filter(|record| all.contains_key(&record.id) && seen.insert(record.id.clone()));
        first.cloned().collect()
    }
}

/// What explains a refusal, as it travels.
fn refusal(bytes: &[u8]) -> Explanation {
    let text = std::str::from_utf8(bytes).unwrap();
    Explanation::read(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What explains a record.
pub fn explanation(record: &v1::UsageRecord) -> Explanation {
    *ccag_domain::UsageRecord::try_from(record.clone())
        .unwrap()
        .explanation
        .unwrap()
}

#[tonic::async_trait]
impl Config for Service {
    type WatchStream = Out<v1::WatchResponse>;

    async fn watch(
        &self,
        request: Request<Streaming<v1::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut inbound = request.into_inner();
        let shared = Arc::clone(&self.0);
        let (tx, rx) = mpsc::channel(16);
        tokio::spawn(async move {
            let Ok(Some(first)) = inbound.message().await else {
                return;
            };
            let Some(v1::watch_request::Body::Hello(hello)) = first.body else {
                return;
            };
            let (epoch, mut sent) = (hello.epoch.clone(), hello.revision);
            shared.hellos.lock().unwrap().push(hello);
            let mut changes = shared.changes.subscribe();
            if epoch != "epoch-1" {
                let snapshot = shared.snapshot.lock().unwrap().clone();
                sent = snapshot.revision.0;
                let body = Some(v1::watch_response::Body::Snapshot(snapshot.into()));
                let _ = tx.send(Ok(v1::WatchResponse { body })).await;
            }
            let heartbeat = v1::Heartbeat {
                now_ms: 0,
                revision: sent,
            };
            let body = Some(v1::watch_response::Body::Heartbeat(heartbeat));
            let _ = tx.send(Ok(v1::WatchResponse { body })).await;
            loop {
                let batch: Vec<_> = changes
                    .borrow_and_update()
                    .iter()
                    .filter(|c| c.revision > sent)
                    .cloned()
                    .collect();
                if let Some(last) = batch.last() {
                    sent = last.revision;
                    let body = Some(v1::watch_response::Body::Changes(v1::ChangeBatch {
                        changes: batch,
                    }));
                    if tx.send(Ok(v1::WatchResponse { body })).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    message = inbound.message() => {
                        let Ok(Some(message)) = message else { return };
                        match message.body {
                            Some(v1::watch_request::Body::Applied(applied)) => {
                                shared.rejected.lock().unwrap().extend(applied.rejected);
                                shared.applied.send_replace(applied.revision);
                            }
                            Some(v1::watch_request::Body::Findings(findings)) => {
                                shared.findings.lock().unwrap().push(findings);
                            }
                            _ => {}
                        }
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(rx))))
    }
}

#[tonic::async_trait]
impl Usage for Service {
    type ReportStream = Out<v1::UsageAck>;

    async fn report(
        &self,
        request: Request<Streaming<v1::UsageBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let shared = Arc::clone(&self.0);
        let inbound = request.into_inner();
        let acks = inbound.filter_map(move |batch| {
            let batch = batch.ok()?;
            let records: Vec<_> = batch
                .records
                .iter()
                .map(|bytes| v1::UsageRecord::decode(bytes.as_ref()).unwrap())
                .collect();
            let explanations = batch.explanations.iter().map(|bytes| refusal(bytes));
            let explanations: Vec<_> = explanations.collect();
            shared
                .explanations
                .send_modify(|known| known.extend(explanations));
            shared.arrived.lock().unwrap().extend(records.iter().cloned());
            shared.stored.send_modify(|stored| {
                for record in records {
                    if !stored.contains_key(&record.id) {
                        shared.treasury.settle(&record);
                    }
                    stored.insert(record.id.clone(), record);
                }
            });
            if shared.withhold_acks.load(Ordering::Relaxed) {
                return None;
            }
            let quarantined = std::mem::take(&mut *shared.quarantine.lock().unwrap());
            Some(Ok(v1::UsageAck {
                sequence: batch.sequence,
                quarantined,
            }))
        });
        Ok(Response::new(Box::pin(acks)))
    }
}
