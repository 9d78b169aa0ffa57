//! A control plane, a data plane and a simulated Bedrock.

use crate::harness::{ControlPlane, DataPlane, MODEL, Resident, Sim, message, wait_until};
use std::time::Duration;

/// As much as the bodies need twice, and more than any machine's default.
const BODY_MEMORY: u64 = 8 << 30;

pub(crate) struct Arena {
    pub(crate) sim: Sim,
    pub(crate) plane: DataPlane,
    pub(crate) resident: Resident,
    pub(crate) secret: String,
    _control: ControlPlane,
    _database: tempfile::TempDir,
}

impl Arena {
    /// Starts everything, and lets a few requests pass: what is made once is there then.
    pub(crate) async fn start() -> Self {
        let sim = Sim::start().await;
        let database = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/control.db", database.path().display());
        let control = ControlPlane::start("control", &url).await;
        let (_, secret) = control.admin().await.create_key("somebody").await;
        let room = [
            ("CCAG_BODY_MEMORY_BYTES", BODY_MEMORY.to_string()),
            ("CCAG_MAX_CONNECTIONS", "100000".to_owned()),
        ];
        let plane = DataPlane::start_with("data", &[&control], &sim, &room).await;
        let client = plane.client(&secret);
        wait_until("the key works", Duration::from_secs(30), || async {
            let reply = client.send(&message(MODEL, "hello")).await;
            (reply.status == 200).then_some(())
        })
        .await;
        for _ in 0..20 {
            assert!(client.stream(MODEL, "hello").await.is_complete());
        }
        sim.clear();
        Self {
            resident: Resident::new(plane.process.as_ref().unwrap().pid()),
            sim,
            plane,
            secret,
            _control: control,
            _database: database,
        }
    }

    /// Waits until no request runs and no record waits.
    pub(crate) async fn quiet(&self) {
        wait_until("it is quiet", Duration::from_secs(120), || async {
            let busy = self.plane.metric("in_flight").await + self.plane.metric("usage_spooled").await;
            (busy == 0).then_some(())
        })
        .await;
    }
}
