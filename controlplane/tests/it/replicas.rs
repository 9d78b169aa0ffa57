//! Several control planes on one Postgres.

use crate::support::{PASSWORD, Plane, TestDb, config, record};
use crate::watch::Follower;
use ccag_proto::v1;
use ccag_proto::v1::usage_client::UsageClient;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_at_once_on_an_empty_database_make_one_installation() {
    let db = TestDb::postgres().await;
    let (one, two) = tokio::join!(Plane::start(&db), Plane::start(&db));
    for (table, rows) in [("users", 1), ("endpoints", 1), ("config_revision", 1)] {
        assert_eq!(
            db.count(&format!("SELECT COUNT(*) FROM {table}")).await,
            rows,
            "{table}"
        );
    }
    let signed_in_here = one.admin().await;
    // A session made by one is good at the other.
    let mut there = two.caller();
    there.token.clone_from(&signed_in_here.token);
    assert_eq!(there.get("/auth/me").await.status, 200);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_does_the_other_shows_at_once() {
    let db = TestDb::postgres().await;
    let (one, two) = tokio::join!(Plane::start(&db), Plane::start(&db));
    let (here, there) = (one.admin().await, two.admin().await);
    let made = here
        .post("/admin/keys", serde_json::json!({"name": "shared"}))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let revoked = there
        .post(
            &format!("/admin/keys/{}/revoke", made.id()),
            serde_json::json!({}),
        )
        .await;
    assert!(revoked.status.is_success(), "{}", revoked.text);
    assert_eq!(
        here.get(&format!("/admin/keys/{}", made.id())).await.json()["state"],
        "revoked"
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_planes_of_one_hear_of_conversations_that_moved_at_data_planes_of_the_other() {
    let db = TestDb::postgres().await;
    let (one, two) = tokio::join!(Plane::start(&db), Plane::start(&db));
    let (mut here, mut there) = (
        Follower::start(&one, "", 0).await,
        Follower::start(&two, "", 0).await,
    );
    here.snapshot().await;
    there.snapshot().await;
    let moved = v1::MovedConversation {
        conversation: b"sixteen bytes it".as_slice().into(),
        endpoint_id: "end_2".into(),
    };
    // It is a hint, and lost as long as nobody listens yet.
    let say_again = async {
        loop {
            here.move_conversation(&moved).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        heard = there.moved() => assert_eq!(heard, std::slice::from_ref(&moved)),
        () = say_again => {}
    }
    one.stop().await;
    two.stop().await;
}

async fn deliver(plane: &Plane, records: Vec<v1::UsageRecord>) -> v1::UsageAck {
    let batch = v1::UsageBatch {
        sequence: 1,
        records: records
            .iter()
            .map(|record| prost::Message::encode_to_vec(record).into())
            .collect(),
        replica_id: "rep_test".into(),
        explanations: Vec::new(),
    };
    let mut client = UsageClient::new(plane.channel().await);
    let answer = client.report(tokio_stream::once(batch)).await.unwrap();
    let ack = tokio::time::timeout(Duration::from_secs(20), async {
        answer.into_inner().message().await
    });
    ack.await.unwrap().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_reaches_both_at_once_is_counted_once() {
    let db = TestDb::postgres().await;
    let (one, two) = tokio::join!(Plane::start(&db), Plane::start(&db));
    let records: Vec<v1::UsageRecord> = (0..200).map(|n| record(n).into()).collect();
    let (first, second) = tokio::join!(deliver(&one, records.clone()), deliver(&two, records));
    assert!(first.quarantined.is_empty() && second.quarantined.is_empty());
    assert_eq!(db.count("SELECT COUNT(*) FROM usage_records").await, 200);
    let counted = "SELECT CAST(SUM(requests) AS BIGINT) FROM usage_rollups_hourly";
    assert_eq!(db.count(counted).await, 200);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_is_503_and_then_all_is_well_again() {
    let db = TestDb::postgres().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    db.set_available(false).await;
    let refused = admin.get("/admin/keys").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert!(
        plane.life.is_ready(),
        "a database that is down is no reason to take the process out of service"
    );
    db.set_available(true).await;
    let mut status = 503;
    for _ in 0..100 {
        status = admin.get("/admin/keys").await.status.as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status, 200);
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_without_the_join_token_is_turned_away() {
    let db = TestDb::postgres().await;
    let mut guarded = config(&db);
    guarded.join_token = Some("the-right-join-token".to_owned().into());
    let plane = Plane::start_with(guarded).await;
    let batch = v1::UsageBatch::default();
    let mut client = UsageClient::new(plane.channel().await);
    let refused = client.report(tokio_stream::once(batch)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert!(!refused.message().contains("the-right-join-token"));
    let mut request = tonic::Request::new(tokio_stream::once(v1::UsageBatch::default()));
    let token = "Bearer the-right-join-token".parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut client = UsageClient::new(plane.channel().await);
    assert!(client.report(request).await.is_ok());
    assert_ne!(PASSWORD, "the-right-join-token");
    plane.stop().await;
}
