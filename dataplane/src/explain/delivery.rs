//! Delivers what explains refusals to the control plane.
//!
//! It goes over `Usage.Report`, on streams of its own, so that no record waits for it. What is not acknowledged is sent again;
//! without a control plane it waits as long as there is room.

use super::Refusals;
use crate::backoff::Backoff;
use crate::sync::Link;
use ccag_domain::{ReplicaId, Rng};
use ccag_proto::v1;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The most in a batch.
const BATCH: usize = 100;

/// A batch that is not full is sent after this time.
const LINGER: Duration = Duration::from_millis(500);

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the last batches may take.
const LAST: Duration = Duration::from_secs(2);

/// Moves what explains refusals to the control plane.
pub(crate) struct Delivery {
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) link: Link,
    pub(crate) replica_id: ReplicaId,
    pub(crate) rng: Arc<dyn Rng>,
    /// Begins the last batches: no more refusals will come.
    pub(crate) closing: CancellationToken,
}

impl Delivery {
    pub(crate) async fn run(self) {
        tokio::select! {
            () = self.deliver() => {}
            () = self.closing.cancelled() => {
                let _ = tokio::time::timeout(LAST, self.flush()).await;
            }
        }
    }

    async fn deliver(&self) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        loop {
            self.refusals.ready().await;
            tokio::time::sleep(LINGER).await;
            match self.send().await {
                Ok(()) => backoff.reset(),
                Err(reason) => {
                    tracing::debug!(reason, "explanations of refusals cannot be delivered; they wait");
                    tokio::time::sleep(backoff.next(self.rng.as_ref())).await;
                }
            }
        }
    }

    async fn flush(&self) {
        while !self.refusals.is_empty() && self.send().await.is_ok() {}
    }

    /// Sends one batch and waits for its acknowledgement.
    async fn send(&self) -> Result<(), String> {
        let (explanations, mark) = self.refusals.first(BATCH);
        let batch = v1::UsageBatch {
            sequence: 1,
            records: Vec::new(),
            replica_id: self.replica_id.to_string(),
            explanations,
        };
        let mut client = self.link.usage();
        let exchange = async {
            let mut acks = client.report(tokio_stream::once(batch)).await?.into_inner();
            acks.message().await
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(Ok(Some(_))) => {
                self.refusals.delivered(mark);
                Ok(())
            }
            Ok(Ok(None)) => Err("the control plane ended the stream".to_owned()),
            Ok(Err(status)) => Err(format!("{}: {}", status.code(), status.message())),
            Err(_) => Err("no answer".to_owned()),
        }
    }
}
