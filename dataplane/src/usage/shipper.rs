//! Delivers spooled records to the control plane, at least once.

use super::recorder::Recorder;
use super::spool::{Acked, SpoolReader};
use crate::backoff::Backoff;
use crate::sync::Link;
use ccag_proto::v1;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// The most records in a batch.
const BATCH: usize = 500;

/// A batch that is not full is sent after this time.
const LINGER: Duration = Duration::from_millis(200);

/// How many batches may be under way.
const WINDOW: usize = 4;

/// A batch that is not acknowledged in this time is delivered again on another stream.
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// What the last flush may take.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// Moves records from the spool to the control plane.
pub(crate) struct Shipper {
    pub(crate) link: Link,
    pub(crate) recorder: Arc<Recorder>,
    /// Begins the last flush: no more records will come.
    pub(crate) closing: CancellationToken,
}

/// A batch on its way.
struct Sent {
    sequence: u64,
    last_seq: u64,
    records: u64,
    sent_at: Instant,
}

/// Why a stream ended.
enum Ended {
    /// Everything was delivered and no more will come.
    Flushed,
    Lost(String),
}

impl Shipper {
    pub(crate) async fn run(self) {
        let mut reader = self.recorder.spool.reader();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let deadline = self.flush_deadline();
        tokio::pin!(deadline);
        loop {
            let worked = tokio::select! {
                outcome = self.deliver(&mut reader, &mut backoff) => outcome,
                () = &mut deadline => break,
            };
            if worked {
                break;
            }
        }
        let left = self.recorder.spool.backlog();
        if left > 0 {
            tracing::warn!(
                records = left,
                "usage records stay in the spool; they are delivered after the next start"
            );
        }
    }

    /// Resolves some time after the closing began.
    async fn flush_deadline(&self) {
        self.closing.cancelled().await;
        tokio::time::sleep(LAST_FLUSH).await;
    }

    /// Waits for records and delivers them until the connection is lost; true when all is done.
    async fn deliver(&self, reader: &mut SpoolReader, backoff: &mut Backoff) -> bool {
        tokio::select! {
            () = reader.ready() => self.recorder.publish(),
            () = self.closing.cancelled() => if !reader.has_next() { return true },
        }
        let acked_before = self.recorder.spool.acked();
        match self.stream(reader).await {
            Ended::Flushed => return true,
            Ended::Lost(reason) => {
                if self.recorder.spool.acked() > acked_before {
                    backoff.reset();
                }
                self.recorder.metrics.usage_delivery_failures.inc();
                tracing::debug!(%reason, "usage delivery interrupted");
                let backlog = self.recorder.spool.backlog();
                backoff.complain(|| tracing::warn!(%reason, backlog, "usage records cannot be delivered; they wait in the spool"));
            }
        }
        self.link.turn();
        reader.rewind();
        tokio::time::sleep(backoff.next(self.recorder.rng.as_ref())).await;
        false
    }

    async fn stream(&self, reader: &mut SpoolReader) -> Ended {
        let (out, outbound) = mpsc::channel(WINDOW);
        let mut sent = VecDeque::new();
        let mut sequence = 0;
        // The first batch goes ahead of the call: a server may answer only once it has read something.
        if let Err(error) = self.send_batch(reader, &out, &mut sent, &mut sequence).await {
            return Ended::Lost(error.to_string());
        }
        let mut client = self.link.usage();
        let opened = tokio::time::timeout(ACK_TIMEOUT, client.report(ReceiverStream::new(outbound))).await;
        let mut acks = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Ended::Lost(describe(&status)),
            Err(_) => return Ended::Lost("no answer".to_owned()),
        };
        loop {
            let closing = self.closing.is_cancelled();
            if closing && sent.is_empty() && !reader.has_next() {
                return Ended::Flushed;
            }
            tokio::select! {
                ack = acks.message() => if let Err(reason) = self.take_ack(ack, &mut sent).await {
                    return Ended::Lost(reason);
                },
                () = self.next_batch_due(reader, &sent) => {
                    if let Err(error) = self.send_batch(reader, &out, &mut sent, &mut sequence).await {
                        return Ended::Lost(error.to_string());
                    }
                }
                () = ack_overdue(&sent) => return Ended::Lost("an acknowledgement is overdue".to_owned()),
                () = self.closing.cancelled(), if !closing => {}
            }
        }
    }

    /// Resolves when there is something to send and room to send it, after a pause in which a batch can fill up.
    async fn next_batch_due(&self, reader: &SpoolReader, sent: &VecDeque<Sent>) {
        if sent.len() >= WINDOW {
            return std::future::pending().await;
        }
        reader.ready().await;
        self.recorder.publish();
        if self.recorder.spool.backlog() < BATCH as u64 && !self.closing.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    async fn send_batch(
        &self,
        reader: &mut SpoolReader,
        out: &mpsc::Sender<v1::UsageBatch>,
        sent: &mut VecDeque<Sent>,
        sequence: &mut u64,
    ) -> io::Result<()> {
        // Fresh records are in the page cache: this is a few hundred kilobytes of memory copying.
        let read = reader.read(BATCH)?;
        let Some(last_seq) = read.last().map(|(seq, _)| *seq) else {
            return Ok(());
        };
        let records: Vec<_> = read.into_iter().map(|(_, payload)| payload.into()).collect();
        *sequence += 1;
        sent.push_back(Sent {
            sequence: *sequence,
            last_seq,
            records: records.len() as u64,
            sent_at: Instant::now(),
        });
        let replica_id = self.recorder.replica_id.to_string();
        let batch = v1::UsageBatch {
            sequence: *sequence,
            records,
            replica_id,
            explanations: Vec::new(),
        };
        // The channel holds as many batches as the window; a closed one shows when acknowledgements end.
        let _ = out.send(batch).await;
        Ok(())
    }

    async fn take_ack(
        &self,
        ack: Result<Option<v1::UsageAck>, Status>,
        sent: &mut VecDeque<Sent>,
    ) -> Result<(), String> {
        let ack = match ack {
            Ok(Some(ack)) => ack,
            Ok(None) => return Err("the control plane ended the stream".to_owned()),
            Err(status) => return Err(describe(&status)),
        };
        for id in &ack.quarantined {
            tracing::error!(
                usage_id = id,
                "the control plane can never store this usage record and put it aside"
            );
        }
        let mut records = 0;
        let mut up_to = None;
        while let Some(batch) = sent.pop_front_if(|batch| batch.sequence <= ack.sequence) {
            records += batch.records;
            up_to = Some(batch.last_seq);
        }
        if let Some(seq) = up_to {
            let quarantined = records.min(ack.quarantined.len() as u64);
            let acked = Acked {
                seq,
                delivered: records - quarantined,
                quarantined,
            };
            let spool = self.recorder.spool.clone();
            match tokio::task::spawn_blocking(move || spool.ack(acked)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "cannot tidy the usage spool"),
                Err(error) => tracing::warn!(%error, "tidying the usage spool was interrupted"),
            }
            self.recorder.publish();
        }
        Ok(())
    }
}

async fn ack_overdue(sent: &VecDeque<Sent>) {
    match sent.front() {
        Some(oldest) => tokio::time::sleep_until(oldest.sent_at + ACK_TIMEOUT).await,
        None => std::future::pending().await,
    }
}

fn describe(status: &Status) -> String {
    format!("{}: {}", status.code(), status.message())
}
