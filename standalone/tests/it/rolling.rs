//! Data planes that are restarted one after the other, with a load balancer before them and streams open all the time.

use crate::harness::{
    Balancer, Client, ControlPlane, DataPlane, MODEL, Reply, Sim, Tally, database, wait_until,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// About seven seconds of answer.
const PROMPT: &str = "tell me something [sim: text=600, events=20, gap=330]";

/// Clients that have a stream open all the time.
struct Streams {
    stop: Arc<AtomicBool>,
    ended: Arc<Mutex<Tally>>,
    workers: Vec<JoinHandle<()>>,
}

impl Streams {
    fn open(clients: Vec<Client>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(Mutex::new(Tally::default()));
        let workers = (0..)
            .zip(clients)
            .map(|(n, client)| {
                let (stop, ended) = (Arc::clone(&stop), Arc::clone(&ended));
                tokio::spawn(async move {
                    // Not all at once, as people are not.
                    tokio::time::sleep(Duration::from_millis(20 * n)).await;
                    while !stop.load(Ordering::Relaxed) {
                        let reply = client.try_stream(MODEL, &format!("client {n}: {PROMPT}")).await;
                        note(&ended, reply);
                    }
                })
            })
            .collect();
        Self { stop, ended, workers }
    }

    /// The ids of the answers that have ended well up to now.
    fn completed(&self) -> Vec<String> {
        self.ended.lock().unwrap().request_ids()
    }

    /// Lets every stream end.
    async fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.unwrap();
        }
        std::mem::take(&mut *self.ended.lock().unwrap())
    }
}

fn note(ended: &Mutex<Tally>, reply: Result<Reply, reqwest::Error>) {
    let mut tally = ended.lock().unwrap();
    match reply {
        Ok(reply) if reply.is_complete() => tally.completed.push(reply),
        Ok(reply) => tally.failed.push(format!("{} {}", reply.status, reply.body)),
        Err(error) => tally.failed.push(format!("{error:?}")),
    }
}

/// Restarts a data plane as a rolling update does, and says how many streams it had open.
async fn restart(
    plane: &mut DataPlane,
    secret: &str,
    streams: &Streams,
    admin: &crate::harness::Admin,
) -> i64 {
    // An HTTP/2 client of its own: it has to be told to go, and yet get its answer.
    let http2 = Client::http2(&plane.http, secret);
    let open = tokio::spawn({
        let http2 = http2.clone();
        async move { http2.stream(MODEL, PROMPT).await }
    });
    wait_until("streams are open", Duration::from_secs(30), || async {
        (plane.metric("in_flight").await >= 60).then_some(())
    })
    .await;
    let in_flight = plane.metric("in_flight").await;
    plane.process.as_ref().unwrap().terminate();
    wait_until("readiness is red", Duration::from_secs(2), || async {
        (!plane.is_ready().await).then_some(())
    })
    .await;
    // After the notice nobody new gets in, on whatever connection.
    wait_until("new connections are refused", Duration::from_secs(10), || async {
        let address = plane.http.trim_start_matches("http://").to_owned();
        tokio::net::TcpStream::connect(address)
            .await
            .is_err()
            .then_some(())
    })
    .await;
    assert!(plane.metric("in_flight").await > 0, "streams go on after that");
    let late = http2.try_stream(MODEL, "too late").await;
    assert!(
        late.is_err_and(|error| error.is_connect()),
        "the connection was given up"
    );
    let mut process = plane.process.take().unwrap();
    let status = process.ended(Duration::from_secs(60)).await;
    assert_eq!(status.code(), Some(0), "{}", process.output());
    assert!(open.await.unwrap().is_complete());
    // What it has served is in the ledger while it is gone.
    admin.ledger_with(&streams.completed()).await;
    plane.resume().await;
    in_flight
}

#[tokio::test(flavor = "multi_thread")]
async fn data_planes_that_are_restarted_one_by_one_break_no_stream_and_lose_no_record() {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    let mut planes = Vec::new();
    for n in 1..=3 {
        let notice = [("CCAG_DRAIN_NOTICE_S", "1".to_owned())];
        planes.push(DataPlane::start_with(&format!("data-{n}"), &[&control], &sim, &notice).await);
    }
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("streams").await;
    admin.fleet_of(3).await;
    let balancer = Balancer::start(&planes).await;

    let clients = (0..200).map(|_| Client::without_pool(&balancer.url, &secret));
    let streams = Streams::open(clients.collect());
    for plane in &mut planes {
        let open = restart(plane, &secret, &streams, &admin).await;
        eprintln!("restarted under {open} open streams");
        admin.fleet_of(3).await;
    }
    let tally = streams.finish().await;

    assert!(tally.failed.is_empty(), "broken: {:?}", tally.failed);
    let ledger = admin.ledger_with(&tally.request_ids()).await;
    let account = sim.settled().await;
    tally.assert_billed(&ledger, &account);
    assert_eq!(ledger.len(), account.len(), "a row for every answer, no more");
    for plane in &planes {
        let [emitted, delivered, quarantined] = plane.accounts().await;
        assert_eq!((emitted, quarantined), (delivered, 0));
    }
}
