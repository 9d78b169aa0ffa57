//! `Config.Watch` over an in-memory connection: the snapshot, the changes in order, and what is taken up again.

use crate::support::{Plane, SYSTEM, TestDb, on_both};
use ccag_admin_api::CreateKey;
use ccag_controlplane::app::keys;
use ccag_domain::KeyDigest;
use ccag_proto::v1;
use ccag_proto::v1::config_client::ConfigClient;
use ccag_proto::v1::watch_request::Body as Up;
use ccag_proto::v1::watch_response::Body as Down;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

on_both!(
    a_newcomer_gets_everything_and_then_each_change_in_order,
    who_comes_back_gets_only_what_was_missed,
    another_databases_revision_means_a_new_snapshot,
    what_a_data_plane_reports_stands_in_the_fleet,
    conversations_that_moved_are_told_to_all_data_planes_and_to_those_that_come_later,
);

/// A data plane's end of the stream.
pub(crate) struct Follower {
    out: mpsc::Sender<v1::WatchRequest>,
    inbound: tonic::Streaming<v1::WatchResponse>,
}

impl Follower {
    pub(crate) async fn start(plane: &Plane, epoch: &str, revision: u64) -> Self {
        Self::start_as(plane, "rep_test", (epoch, revision)).await
    }

    /// The same as one data plane of several.
    pub(crate) async fn start_as(plane: &Plane, id: &str, (epoch, revision): (&str, u64)) -> Self {
        let (out, outbound) = mpsc::channel(8);
        let hello = v1::Hello {
            replica_id: id.into(),
            name: "test".into(),
            version: "1".into(),
            epoch: epoch.into(),
            revision,
            started_at_ms: 1,
            takes_pieces: false,
        };
        let hello = v1::WatchRequest {
            body: Some(Up::Hello(hello)),
        };
        out.send(hello).await.unwrap();
        let mut client = ConfigClient::new(plane.channel().await).max_decoding_message_size(64 << 20);
        let inbound = client
            .watch(ReceiverStream::new(outbound))
            .await
            .unwrap()
            .into_inner();
        Self { out, inbound }
    }

    /// The next message that is not sent again and again.
    async fn next(&mut self) -> Down {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), self.inbound.message());
            match message.await.unwrap().unwrap().unwrap().body.unwrap() {
                Down::Heartbeat(_) | Down::Quotas(_) => {}
                other => return other,
            }
        }
    }

    /// Waits until it is told of this many data planes, of which so many others are known, and returns what these use.
    pub(crate) async fn quotas(&mut self, data_planes: u32, known: u32) -> Vec<v1::QuotaUse> {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), self.inbound.message());
            if let Down::Quotas(told) = message.await.unwrap().unwrap().unwrap().body.unwrap()
                && (told.data_planes, told.known) == (data_planes, known)
                && (known == 0 || !told.others.is_empty())
            {
                return told.others;
            }
        }
    }

    /// Says what it uses of quotas, and whether it is about to stop: that is written down at once.
    pub(crate) async fn uses(&self, quotas: Vec<v1::QuotaUse>, draining: bool) {
        let applied = v1::Applied {
            state: Some(v1::ReplicaState {
                quotas,
                draining,
                ..v1::ReplicaState::default()
            }),
            ..v1::Applied::default()
        };
        let body = Some(Up::Applied(applied));
        self.out.send(v1::WatchRequest { body }).await.unwrap();
    }

    /// Says where a conversation has moved to.
    pub(crate) async fn move_conversation(&self, moved: &v1::MovedConversation) {
        let findings = v1::Findings {
            moved: vec![moved.clone()],
            ..v1::Findings::default()
        };
        let body = Some(Up::Findings(findings));
        self.out.send(v1::WatchRequest { body }).await.unwrap();
    }

    /// The next that is told of conversations.
    pub(crate) async fn moved(&mut self) -> Vec<v1::MovedConversation> {
        match self.next().await {
            Down::Moved(told) => told.moved,
            other => panic!("not a move: {other:?}"),
        }
    }

    pub(crate) async fn snapshot(&mut self) -> v1::Snapshot {
        match self.next().await {
            Down::Snapshot(snapshot) => snapshot,
            other => panic!("not a snapshot: {other:?}"),
        }
    }

    /// The next `count` changes, however they are batched.
    pub(crate) async fn changes(&mut self, count: usize) -> Vec<v1::Change> {
        let mut changes = Vec::new();
        while changes.len() < count {
            match self.next().await {
                Down::Changes(batch) => changes.extend(batch.changes),
                other => panic!("not changes: {other:?}"),
            }
        }
        changes
    }
}

async fn issue(plane: &Plane, name: &str) -> (ccag_domain::KeyId, KeyDigest) {
    let request = CreateKey {
        name: Some(name.into()),
        ..CreateKey::default()
    };
    let made = keys::issue(plane.app(), &SYSTEM, request).await.unwrap();
    (made.record.id, KeyDigest::of(made.key.reveal()))
}

fn key_of(change: &v1::Change) -> Option<&v1::KeyGrant> {
    match change.step.as_ref()? {
        v1::change::Step::Put(object) => match object.object.as_ref()? {
            v1::object::Object::Key(key) => Some(key),
            _ => None,
        },
        v1::change::Step::Remove(_) => None,
    }
}

async fn a_newcomer_gets_everything_and_then_each_change_in_order(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (_, digest) = issue(&plane, "before").await;
    let mut follower = Follower::start(&plane, "", 0).await;
    let snapshot = follower.snapshot().await;
    let has = |wanted: &dyn Fn(&v1::object::Object) -> bool| {
        snapshot
            .objects
            .iter()
            .filter_map(|o| o.object.as_ref())
            .any(wanted)
    };
    assert!(has(
        &|o| matches!(o, v1::object::Object::Key(k) if k.digest[..] == digest.0)
    ));
    assert!(has(
        &|o| matches!(o, v1::object::Object::Model(m) if m.name == "claude-opus-5-5")
    ));
    assert!(has(
        &|o| matches!(o, v1::object::Object::Price(p) if p.model == "claude-opus-5-5")
    ));
    assert!(has(
        &|o| matches!(o, v1::object::Object::Endpoint(e) if e.is_default && e.enabled)
    ));
    assert!(has(&|o| matches!(o, v1::object::Object::Settings(_))));

    let (first, first_digest) = issue(&plane, "first").await;
    issue(&plane, "second").await;
    keys::revoke(plane.app(), &SYSTEM, &first).await.unwrap();
    let changes = follower.changes(3).await;
    let revisions: Vec<u64> = changes.iter().map(|c| c.revision).collect();
    assert!(
        revisions.is_sorted() && revisions[0] > snapshot.revision,
        "{revisions:?}"
    );
    // The state of an object is read when its change is sent: a key that is revoked already may never be shown.
    if let Some(key) = key_of(&changes[0]) {
        assert_eq!(key.digest[..], first_digest.0);
    }
    let Some(v1::change::Step::Remove(removed)) = &changes[2].step else {
        panic!("a revoked key is removed: {:?}", changes[2]);
    };
    assert_eq!(
        (removed.kind.as_str(), removed.id.as_str()),
        ("key", first.as_str())
    );
    plane.stop().await;
}

async fn who_comes_back_gets_only_what_was_missed(db: TestDb) {
    let plane = Plane::start(&db).await;
    let snapshot = Follower::start(&plane, "", 0).await.snapshot().await;
    let (missed, _) = issue(&plane, "missed").await;
    let mut follower = Follower::start(&plane, &snapshot.epoch, snapshot.revision).await;
    let changes = follower.changes(1).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(key_of(&changes[0]).unwrap().id, missed.as_str());
    plane.stop().await;
}

async fn another_databases_revision_means_a_new_snapshot(db: TestDb) {
    let plane = Plane::start(&db).await;
    let mut stranger = Follower::start(&plane, "another-epoch", 1).await;
    let snapshot = stranger.snapshot().await;
    assert_ne!(snapshot.epoch, "another-epoch");
    // A revision that this database has not reached cannot be its own either.
    let mut ahead = Follower::start(&plane, &snapshot.epoch, snapshot.revision + 1_000_000).await;
    assert_eq!(ahead.snapshot().await.revision, snapshot.revision);
    plane.stop().await;
}

async fn what_a_data_plane_reports_stands_in_the_fleet(db: TestDb) {
    let plane = Plane::start(&db).await;
    let mut follower = Follower::start(&plane, "", 0).await;
    let revision = follower.snapshot().await.revision;
    let admin = plane.admin().await;
    let endpoint = admin.get("/admin/endpoints").await.json()["endpoints"][0].clone();
    let applied = v1::Applied {
        revision,
        rejected: vec![v1::Rejected {
            kind: "endpoint".into(),
            id: "end_x".into(),
            reason: "geography cannot be `mars`".into(),
        }],
        state: Some(v1::ReplicaState {
            in_flight: 3,
            spooled_records: 5,
            spool_bytes: 4_096,
            spool_max_bytes: 1 << 30,
            draining: false,
            troubles: vec![v1::EndpointTrouble {
                endpoint_id: endpoint["id"].as_str().unwrap().into(),
                model: Some("m".into()),
                cause: "throttled".into(),
                since_ms: 1_000,
                until_ms: 3_000,
            }],
            quotas: Vec::new(),
        }),
    };
    let applied = v1::WatchRequest {
        body: Some(Up::Applied(applied)),
    };
    follower.out.send(applied).await.unwrap();
    let mut seen = serde_json::Value::Null;
    for _ in 0..100 {
        seen = admin.get("/admin/fleet").await.json();
        if seen["replicas"][0]["applied_revision"] == revision {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let replica = &seen["replicas"][0];
    assert_eq!(replica["applied_revision"], revision, "{seen}");
    assert_eq!(
        (&replica["in_flight"], &replica["spooled_records"]),
        (&3.into(), &5.into()),
        "{seen}"
    );
    assert!(replica["rejected"].to_string().contains("mars"), "{seen}");
    let trouble = &replica["troubles"][0];
    assert_eq!(
        (&trouble["endpoint"], &trouble["model"], &trouble["cause"]),
        (&endpoint["name"], &"m".into(), &"throttled".into()),
        "{seen}"
    );
    assert_eq!(trouble["text"], ccag_domain::Trouble::Throttled.told());
    assert_eq!(trouble["since"], "1970-01-01T00:00:01.000Z");
    plane.stop().await;
}

async fn conversations_that_moved_are_told_to_all_data_planes_and_to_those_that_come_later(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (mut one, mut other) = (
        Follower::start(&plane, "", 0).await,
        Follower::start(&plane, "", 0).await,
    );
    let snapshot = other.snapshot().await;
    one.snapshot().await;
    let moved = |conversation: &'static [u8]| v1::MovedConversation {
        conversation: conversation.into(),
        endpoint_id: "end_2".into(),
    };
    // What cannot be a name of one is not handed on.
    one.move_conversation(&moved(b"short")).await;
    let sound = moved(b"sixteen bytes it");
    one.move_conversation(&sound).await;
    assert_eq!(other.moved().await, std::slice::from_ref(&sound));
    let mut late = Follower::start(&plane, &snapshot.epoch, snapshot.revision).await;
    assert_eq!(late.moved().await, [sound]);
    plane.stop().await;
}
