//! A data plane that starts while its control plane is gone, with whatever is on its disk.

use crate::control::{ControlPlane, KEY, usual};
use crate::fake::{Script, whole_message};
use crate::world::{Control, Options, Rig, ask, world_of};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The directory of a data plane that has served and was stopped, and its control plane, which is gone too.
async fn left_behind() -> (Arc<TempDir>, ControlPlane, SocketAddr) {
    let (control, rig) = world_of(usual(), Options::default()).await;
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    let (dir, addr) = (Arc::clone(&rig.dir), control.addr);
    rig.stop().await;
    (dir, control.stop().await, addr)
}

fn start_in(dir: &Arc<TempDir>) -> Options {
    Options {
        dir: Arc::clone(dir),
        ..Options::default()
    }
}

fn snapshot(dir: &TempDir) -> PathBuf {
    dir.path().join("snapshot.bin")
}

fn gauge(rig: &Rig, name: &str) -> Option<i64> {
    let start = format!("ccag_dataplane_configuration_{name} ");
    let metrics = rig.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    line.map(|value| value.parse().unwrap())
}

/// It waits, and serves as soon as its control plane is back.
async fn waits_for_its_control_plane(dir: &Arc<TempDir>, plane: ControlPlane, addr: SocketAddr) {
    let rig = Rig::start_unready(addr, start_in(dir)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(rig.life.waiting_for(), ["first configuration"]);
    assert_eq!(gauge(&rig, "trusted"), Some(0));
    assert_eq!(rig.post(ask(false)).await.status, 503);
    assert!(rig.bedrock.asked().is_empty());
    let _control = Control::start_at(plane, addr).await;
    rig.ready().await;
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    assert_eq!(gauge(&rig, "trusted"), Some(1));
}

#[tokio::test]
async fn a_snapshot_that_somebody_changed_is_refused_and_the_data_plane_waits() {
    let (dir, plane, addr) = left_behind().await;
    let mut bytes = std::fs::read(snapshot(&dir)).unwrap();
    assert!(!bytes.windows(5).any(|w| w == b"key_1"), "it is sealed");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(snapshot(&dir), bytes).unwrap();
    waits_for_its_control_plane(&dir, plane, addr).await;
}

#[tokio::test]
async fn a_snapshot_that_was_cut_short_is_refused_and_the_data_plane_waits() {
    let (dir, plane, addr) = left_behind().await;
    let bytes = std::fs::read(snapshot(&dir)).unwrap();
    std::fs::write(snapshot(&dir), &bytes[..bytes.len() / 2]).unwrap();
    waits_for_its_control_plane(&dir, plane, addr).await;
}

#[tokio::test]
async fn the_snapshot_of_another_installation_is_refused_and_the_data_plane_waits() {
    let (dir, plane, addr) = left_behind().await;
    let mut options = start_in(&dir);
    options.change = Box::new(|config| {
        let ccag_dataplane::ControlLink::Url { join_token, .. } = &mut config.control else {
            panic!("it has a URL");
        };
        *join_token = Some("another-token".to_owned().into());
    });
    let rig = Rig::start_unready(addr, options).await;
    assert_eq!(rig.life.waiting_for(), ["first configuration"]);
    rig.stop().await;
    // With its own it is as good as before: nobody has written over it.
    let rig = Rig::start(addr, start_in(&dir)).await;
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post_with(KEY, ask(false)).await.status, 200);
    drop(plane);
}

#[tokio::test]
async fn without_proof_of_when_the_control_plane_was_heard_of_nothing_is_served() {
    let (dir, plane, addr) = left_behind().await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    std::fs::write(dir.path().join("last-contact"), format!("{}\n", now.as_millis())).unwrap();
    let rig = Rig::start(addr, start_in(&dir)).await;
    assert_eq!(rig.post(ask(false)).await.status, 503);
    assert_eq!(gauge(&rig, "age_seconds"), None);
    assert_eq!(gauge(&rig, "trusted"), Some(0));
    let _control = Control::start_at(plane, addr).await;
    rig.bedrock.push(Script::Whole(whole_message()));
    for _ in 0..500 {
        if gauge(&rig, "trusted") == Some(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(rig.post(ask(false)).await.status, 200);
}

#[tokio::test]
async fn the_age_of_what_is_held_and_how_long_it_is_trusted_can_be_watched() {
    let (dir, _plane, addr) = left_behind().await;
    let mut options = start_in(&dir);
    options.change = Box::new(|config| config.trust = Duration::from_secs(600));
    let rig = Rig::start(addr, options).await;
    assert!(gauge(&rig, "age_seconds").is_some_and(|age| (0..60).contains(&age)));
    assert_eq!(
        (gauge(&rig, "trust_seconds"), gauge(&rig, "trusted")),
        (Some(600), Some(1))
    );
    rig.clock.forward(500_000);
    assert!(gauge(&rig, "age_seconds").is_some_and(|age| (500..560).contains(&age)));
    assert_eq!(gauge(&rig, "trusted"), Some(1));
    rig.clock.forward(200_000);
    assert_eq!(gauge(&rig, "trusted"), Some(0));
    assert_eq!(rig.post(ask(false)).await.status, 503);
}
