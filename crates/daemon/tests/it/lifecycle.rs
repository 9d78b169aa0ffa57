use crate::eventually;
use ccag_daemon::Lifecycle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn readiness_is_red_until_the_last_guard_is_dropped_and_again_once_the_end_begins() {
    let life = Lifecycle::new();
    assert!(life.is_ready());
    let config = life.ready_guard("first configuration");
    let spool = life.ready_guard("spool");
    assert_eq!(life.waiting_for(), ["first configuration", "spool"]);
    drop(config);
    assert!(!life.is_ready());
    assert_eq!(life.waiting_for(), ["spool"]);
    drop(spool);
    assert!(life.is_ready());
    life.begin_shutdown();
    assert!(!life.is_ready());
}

#[tokio::test]
async fn a_guard_lost_to_a_panic_never_turns_readiness_green() {
    let life = Lifecycle::new();
    let guard = life.ready_guard("migrations");
    life.spawn("migrations", async move {
        let _guard = guard;
        panic!("broken");
    });
    eventually("the task ended", || life.running().is_empty()).await;
    assert_eq!(life.waiting_for(), ["migrations"]);
}

#[tokio::test]
async fn a_panic_in_a_spawned_task_begins_the_shutdown() {
    let life = Lifecycle::new();
    life.spawn("shipper", async { panic!("broken") });
    tokio::time::timeout(Duration::from_secs(5), life.shutdown().cancelled_owned())
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(5), life.drain(Duration::from_secs(60)))
        .await
        .unwrap();
}

#[tokio::test]
async fn drain_waits_for_tasks_that_still_have_something_to_finish() {
    let life = Lifecycle::new();
    let flushed = Arc::new(AtomicBool::new(false));
    let (shutdown, done) = (life.shutdown(), flushed.clone());
    life.spawn("shipper", async move {
        shutdown.cancelled().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        done.store(true, Ordering::SeqCst);
    });
    life.drain(Duration::from_secs(30)).await;
    assert!(flushed.load(Ordering::SeqCst));
    assert!(!life.force().is_cancelled());
}

#[tokio::test]
async fn after_the_deadline_tasks_are_forced_and_those_that_do_not_listen_are_left_behind() {
    let life = Lifecycle::new();
    let force = life.force();
    let stopped = Arc::new(AtomicBool::new(false));
    let done = stopped.clone();
    life.spawn("streams", async move {
        force.cancelled().await;
        done.store(true, Ordering::SeqCst);
    });
    life.spawn("deaf", std::future::pending());
    let begun = Instant::now();
    life.drain(Duration::from_millis(100)).await;
    assert!(stopped.load(Ordering::SeqCst));
    assert_eq!(life.running(), ["deaf"]);
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn the_first_signal_begins_the_shutdown_and_the_second_forces_it() {
    let life = Lifecycle::new();
    life.install_signals();
    terminate();
    eventually("the shutdown began", || life.shutdown().is_cancelled()).await;
    assert!(!life.force().is_cancelled());
    terminate();
    eventually("the shutdown was forced", || life.force().is_cancelled()).await;
}

fn terminate() {
    let pid = std::process::id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    assert!(sent.success());
}
