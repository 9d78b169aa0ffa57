//! A load balancer as people put in front of data planes: it asks for readiness, and spreads new connections.

use super::gateway::{DataPlane, answers};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How often readiness is asked for.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// It ends with the test.
pub(crate) struct Balancer {
    pub(crate) url: String,
    tasks: Vec<JoinHandle<()>>,
}

struct Target {
    address: String,
    readiness: String,
}

impl Balancer {
    /// Spreads connections over these data planes, round robin, leaving out those that are not ready.
    pub(crate) async fn start(planes: &[DataPlane]) -> Self {
        let targets: Vec<Target> = planes
            .iter()
            .map(|plane| Target {
                address: plane.http.trim_start_matches("http://").to_owned(),
                readiness: plane.readiness(),
            })
            .collect();
        let targets = Arc::new(targets);
        let ready = Arc::new(Mutex::new(vec![true; targets.len()]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let probes = (0..targets.len()).map(|n| {
            let (targets, ready) = (Arc::clone(&targets), Arc::clone(&ready));
            tokio::spawn(async move {
                loop {
                    let is_ready = answers(targets[n].readiness.clone()).await;
                    ready.lock().unwrap()[n] = is_ready;
                    tokio::time::sleep(PROBE_EVERY).await;
                }
            })
        });
        let mut tasks: Vec<_> = probes.collect();
        tasks.push(tokio::spawn(spread(listener, Arc::clone(&targets), ready)));
        Self { url, tasks }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn spread(listener: TcpListener, targets: Arc<Vec<Target>>, ready: Arc<Mutex<Vec<bool>>>) {
    let next = AtomicUsize::new(0);
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let ready = ready.lock().unwrap().clone();
        let first = next.fetch_add(1, Ordering::Relaxed);
        let order: Vec<usize> = (0..targets.len())
            .map(|n| (first + n) % targets.len())
            .filter(|n| ready[*n])
            .collect();
        let targets = Arc::clone(&targets);
        tokio::spawn(async move {
            for n in order {
                // One that refuses is passed over, as by every balancer.
                if let Ok(mut server) = TcpStream::connect(&targets[n].address).await {
                    let _ = server.set_nodelay(true);
                    let _ = client.set_nodelay(true);
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}
