//! Exactly one record for every request that reached Bedrock.

use crate::control::{ControlPlane, KEY, usual};
use crate::fake::{Script, hello, whole_message};
use crate::world::{Control, Options, Rig, ask, config, usual_world, world_of};
use ccag_daemon::Lifecycle;
use ccag_dataplane::{DataPlane, StartError};
use ccag_proto::v1;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_record_tells_everything_but_the_conversation() {
    let (control, rig) = usual_world().await;
    rig.bedrock.events(hello().iter().map(String::as_str));
    let request = rig
        .request("POST", "/v1/messages", KEY)
        .header("x-claude-code-session-id", "5e55-1017")
        .body(ask(true).into_bytes().into())
        .unwrap();
    let answer = rig.send(request).await;
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.request_id, answer.header("request-id").unwrap());
    assert_eq!(record.key_id, "key_1");
    assert_eq!(
        (record.user_id.as_deref(), record.team_id.as_deref()),
        (Some("user_1"), Some("team_1"))
    );
    assert_eq!(
        (record.model.as_str(), record.geography.as_str()),
        ("claude-haiku-4-5", "us")
    );
    assert_eq!(
        (record.endpoint_id.as_str(), record.attempts, record.status),
        ("end_1", 1, 200)
    );
    assert_eq!(record.session_id.as_deref(), Some("5e55-1017"));
    assert_eq!(record.replica_id, rig.plane.replica_id().as_str());
    assert_eq!(record.outcome(), v1::Outcome::Completed);
    let tokens = record.tokens.unwrap();
    assert_eq!(
        (
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write_5m
        ),
        (12, 7, 4, 3)
    );
    assert!(!record.estimated && record.error.is_none() && record.first_token_ms.is_some());
}

/// Runs a data plane on a runtime of its own and drops all of it in the middle of its work, as `kill -9` would: nothing is
/// flushed, finished or closed.
async fn killed(dir: &Arc<tempfile::TempDir>, control: std::net::SocketAddr, requests: usize) {
    let dir = Arc::clone(dir);
    let live_and_die = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let rig = Rig::start(
                control,
                Options {
                    dir,
                    ..Options::default()
                },
            )
            .await;
            for _ in 0..requests {
                rig.bedrock.push(Script::Whole(whole_message()));
                assert_eq!(rig.post(ask(false)).await.status, 200);
            }
            // The destructors would be the beginning of an orderly end.
            std::mem::forget(rig);
        });
        runtime.shutdown_background();
    };
    tokio::task::spawn_blocking(live_and_die).await.unwrap();
}

#[tokio::test]
async fn records_survive_a_kill_and_are_delivered_again_under_the_same_ids() {
    let control = Control::start(ControlPlane::new(usual())).await;
    let shared = Arc::clone(&control.plane.shared);
    shared.withhold_acks.store(true, Ordering::Relaxed);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    killed(&dir, control.addr, 7).await;
    control.plane.stored(1).await;
    shared.withhold_acks.store(false, Ordering::Relaxed);
    // The killed process's lock on the directory is gone with its files; here they live on in this process.
    let copy = Arc::new(tempfile::tempdir().unwrap());
    copy_dir(dir.path(), copy.path());
    let rig = Rig::start(
        control.addr,
        Options {
            dir: copy,
            ..Options::default()
        },
    )
    .await;
    rig.bedrock.push(Script::Whole(whole_message()));
    rig.post(ask(false)).await;
    let stored = control.plane.stored(8).await;
    rig.delivered().await;
    assert_eq!(stored.len(), 8, "nothing lost, nothing twice");
    let arrived = shared.arrived.lock().unwrap();
    assert!(arrived.len() > 8, "some were delivered again");
    let ids: HashSet<_> = arrived.iter().map(|r| &r.id).collect();
    assert_eq!(ids.len(), 8);
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn usage_waits_for_a_control_plane_that_is_gone_and_inference_goes_on() {
    let (control, rig) = usual_world().await;
    let addr = control.addr;
    let plane = control.stop().await;
    for _ in 0..20 {
        rig.bedrock.push(Script::Whole(whole_message()));
        assert_eq!(rig.post(ask(false)).await.status, 200);
    }
    assert_eq!(rig.plane.undelivered(), 20);
    let control = Control::start_at(plane, addr).await;
    assert_eq!(control.plane.stored(20).await.len(), 20);
}

#[tokio::test]
async fn an_orderly_end_delivers_everything_first() {
    let (control, rig) = usual_world().await;
    for _ in 0..5 {
        rig.bedrock.push(Script::Whole(whole_message()));
        rig.post(ask(false)).await;
    }
    rig.stop().await;
    assert_eq!(control.plane.shared.stored.borrow().len(), 5);
}

#[tokio::test]
async fn a_full_spool_refuses_requests_instead_of_dropping_records() {
    let control = Control::start(ControlPlane::new(usual())).await;
    let rig = Rig::start(
        control.addr,
        Options {
            change: Box::new(|config| config.spool_max_bytes = 2_000),
            ..Options::default()
        },
    )
    .await;
    let addr = control.addr;
    let plane = control.stop().await;
    let mut served = 0;
    let refused = loop {
        rig.bedrock.push(Script::Whole(whole_message()));
        let answer = rig.post(ask(false)).await;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        assert!(served < 100);
    };
    assert_eq!(
        (refused.status, refused.error_type().as_str()),
        (529, "overloaded_error")
    );
    assert_eq!(rig.plane.undelivered(), served);
    let _control = Control::start_at(plane, addr).await;
    rig.delivered().await;
    assert_eq!(rig.post(ask(false)).await.status, 200);
}

#[tokio::test]
async fn quarantined_records_are_let_go() {
    let (control, rig) = usual_world().await;
    control
        .plane
        .shared
        .quarantine
        .lock()
        .unwrap()
        .push("use_bad".into());
    rig.bedrock.push(Script::Whole(whole_message()));
    rig.post(ask(false)).await;
    control.plane.stored(1).await;
    rig.delivered().await;
    for line in [
        "usage_emitted_total 1",
        "usage_delivered_total 0",
        "usage_quarantined_total 1",
        "usage_spooled 0",
        "usage_unaccounted 0",
    ] {
        let line = format!("ccag_dataplane_{line}\n");
        assert!(rig.metrics().contains(&line), "{line}{}", rig.metrics());
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_does_not_start() {
    let (control, rig) = usual_world().await;
    let second = DataPlane::start(config(rig.dir.path().to_owned(), control.addr), &Lifecycle::new()).await;
    assert!(matches!(second, Err(StartError::Spool(_))));
}

#[tokio::test]
async fn hundreds_at_once_leave_a_record_each() {
    let (control, rig) = world_of(usual(), Options::default()).await;
    let rig = Arc::new(rig);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..200 {
        rig.bedrock.push(Script::Whole(whole_message()));
        let rig = Arc::clone(&rig);
        requests.spawn(async move { rig.post(ask(false)).await.status });
    }
    let statuses = requests.join_all().await;
    assert!(statuses.iter().all(|s| *s == 200));
    assert_eq!(control.plane.stored(200).await.len(), 200);
}
