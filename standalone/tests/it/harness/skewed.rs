//! A data plane in this process whose clock is wrong.

use super::gateway::JOIN_TOKEN;
use super::process::free_port;
use super::sim::Sim;
use ccag_daemon::{Lifecycle, SystemClock, bind, serve};
use ccag_dataplane::{DataPlane, World, config};
use ccag_domain::{Clock, UnixMs};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Goes wrong by so many milliseconds, always the same.
struct WrongClock(i64);

impl Clock for WrongClock {
    fn now_ms(&self) -> UnixMs {
        SystemClock.now_ms() + self.0
    }
}

/// It ends with the test.
pub(crate) struct SkewedPlane {
    pub(crate) http: String,
    life: Arc<Lifecycle>,
    _data_dir: tempfile::TempDir,
}

impl SkewedPlane {
    pub(crate) async fn start(name: &str, control: &str, sim: &Sim, wrong_by_ms: i64) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let http = format!("127.0.0.1:{}", free_port());
        let vars: HashMap<String, String> = [
            ("CCAG_HTTP_LISTEN", http.as_str()),
            ("CCAG_CONTROL_PLANE", control),
            ("CCAG_JOIN_TOKEN", JOIN_TOKEN),
            ("CCAG_DATA_DIR", data_dir.path().to_str().unwrap()),
            ("CCAG_REPLICA_NAME", name),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let mut config = config::load_from(None, &vars).unwrap();
        config.plane.aws = sim.aws();
        let life = Arc::new(Lifecycle::new());
        let listener = bind(config.http_listen).await.unwrap();
        let world = World {
            clock: Arc::new(WrongClock(wrong_by_ms)),
            ..World::default()
        };
        let plane = DataPlane::start_in(config.plane, &life, world).await.unwrap();
        let front = plane.front();
        let serving = Arc::clone(&life);
        tokio::spawn(async move { serve(&serving, listener, front, Duration::from_secs(1)).await });
        super::wait_until("it is ready", Duration::from_secs(20), || async {
            life.is_ready().then_some(())
        })
        .await;
        Self {
            http: format!("http://{http}"),
            life,
            _data_dir: data_dir,
        }
    }
}

impl Drop for SkewedPlane {
    fn drop(&mut self) {
        self.life.force_shutdown();
    }
}
