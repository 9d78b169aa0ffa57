//! `Usage.Report`: batches up, acknowledgements down.

use super::Services;
use crate::app::explanations;
use crate::app::intake::{self, Receipt, understand};
use crate::store::StoreError;
use bytes::Bytes;
use ccag_proto::v1;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// How long a batch may take before the data plane has to send it again. It waits 30 s for an acknowledgement.
const PATIENCE: Duration = Duration::from_secs(25);

#[tonic::async_trait]
impl v1::usage_server::Usage for Services {
    type ReportStream = ReceiverStream<Result<v1::UsageAck, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<v1::UsageBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        if self.end.is_cancelled() {
            return Err(Status::unavailable("this control plane is shutting down"));
        }
        let (out, answer) = mpsc::channel(4);
        let services = self.clone();
        self.life.spawn("usage stream", async move {
            if let Err(status) = receive(&services, request.into_inner(), &out).await {
                let _ = out.try_send(Err(status));
            }
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }
}

type Out = mpsc::Sender<Result<v1::UsageAck, Status>>;

/// Takes in records, and then what explains refusals, which may come alone.
async fn take_in(
    services: &Services,
    replica_id: &str,
    records: Vec<Bytes>,
    explanations: &[Bytes],
) -> Result<Receipt, StoreError> {
    let mut receipt = Receipt::default();
    if !records.is_empty() {
        let incoming = records.into_iter().map(|message| understand(message.into()));
        receipt = intake::take_in(&services.app, replica_id, incoming.collect()).await?;
    }
    explanations::take_in(&services.app, replica_id, explanations).await?;
    Ok(receipt)
}

/// Takes batches one after the other. A batch that has begun is finished before the stream ends.
async fn receive(
    services: &Services,
    mut inbound: Streaming<v1::UsageBatch>,
    out: &Out,
) -> Result<(), Status> {
    loop {
        let batch = tokio::select! {
            batch = inbound.message() => batch?,
            () = services.end.cancelled() => {
                return Err(Status::unavailable("this control plane is shutting down"));
            }
        };
        let Some(batch) = batch else { return Ok(()) };
        let taken = take_in(services, &batch.replica_id, batch.records, &batch.explanations);
        let receipt = match tokio::time::timeout(PATIENCE, taken).await {
            Ok(Ok(receipt)) => receipt,
            Ok(Err(error)) => {
                services.app.metrics.db_error("usage");
                tracing::warn!(%error, "a usage batch could not be stored; the data plane will send it again");
                return Err(Status::unavailable(
                    "the batch could not be stored; send it again",
                ));
            }
            Err(_) => {
                services.app.metrics.db_error("usage");
                tracing::warn!("storing a usage batch took too long; the data plane will send it again");
                return Err(Status::unavailable(
                    "storing the batch took too long; send it again",
                ));
            }
        };
        let ack = v1::UsageAck {
            sequence: batch.sequence,
            quarantined: receipt.quarantined,
        };
        if out.send(Ok(ack)).await.is_err() {
            return Ok(());
        }
    }
}
