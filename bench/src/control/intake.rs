//! Records that data planes deliver, as fast as they are acknowledged.

use super::population::Population;
use super::{Meters, Options, PATIENCE, Used};
use crate::admin::{Admin, MODEL};
use crate::arena::Control;
use crate::measure::percentile;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ccag_proto::v1::{self, UsageBatch, UsageRecord};
use prost::Message;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;

/// How many records a batch holds, and how many batches may be under way: as a data plane does.
const BATCH: u64 = 500;
const WINDOW: usize = 4;

/// How the request of a record was decided, as it is kept of what a data plane has written.
const EXPLANATION: &str = include_str!("explanation.json");

/// What was taken in.
#[derive(Debug, Serialize)]
pub(crate) struct Intake {
    records: u64,
    reporters: usize,
    seconds: f64,
    /// Of one record, as it is delivered.
    bytes_each: usize,
    used: Used,
    /// How long the acknowledgement of a batch took, in milliseconds: the middle, and the longest.
    acknowledged_ms: [f64; 2],
}

/// Delivers records, and holds what the ledger then has against what was delivered.
pub(crate) async fn measure(
    control: &Control,
    admin: &Admin,
    who: &Population,
    meters: &Meters,
    options: &Options,
) -> Result<Intake> {
    let decided = decided(who)?;
    let before = requests(admin).await?;
    let began = Instant::now();
    let each = options.records / options.reporters as u64;
    let delivering = (0..options.reporters).map(|n| deliver(control, (who, &decided), n, each));
    let (waits, used) = meters
        .during(futures_util::future::try_join_all(delivering))
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let records = each * options.reporters as u64;
    let counted = requests(admin).await? - before;
    ensure!(
        counted == records,
        "{records} were delivered, and {counted} are counted"
    );
    let mut waits: Vec<Duration> = waits.into_iter().flatten().collect();
    Ok(Intake {
        records,
        reporters: options.reporters,
        seconds,
        bytes_each: record((who, &decided), 0, 0, now_ms()).encoded_len(),
        used,
        acknowledged_ms: [0.5, 1.0].map(|at| percentile(&mut waits, at)),
    })
}

/// How many requests the sums count.
async fn requests(admin: &Admin) -> Result<u64> {
    let summary = admin.get("/admin/usage/summary").await?;
    summary["total"]["requests"]
        .as_u64()
        .context("no sum of requests")
}

/// One data plane's records, a few batches under way: how long each batch took.
async fn deliver(
    control: &Control,
    who: (&Population, &Bytes),
    reporter: usize,
    records: u64,
) -> Result<Vec<Duration>> {
    let (say, said) = mpsc::channel(WINDOW);
    let mut batches = (0..records.div_ceil(BATCH)).map(|n| batch(who, reporter, n, records));
    let mut sent = VecDeque::new();
    // The first batches go ahead of the call: a server may answer only once it has read something.
    send(&say, &mut batches, &mut sent).await?;
    let mut client = control.usage().await?;
    let mut acks = client.report(ReceiverStream::new(said)).await?.into_inner();
    let mut waits = Vec::new();
    while !sent.is_empty() {
        let ack = timeout(PATIENCE, acks.message()).await;
        let ack = ack.context("nothing is acknowledged any more")??;
        let ack = ack.context("the control plane ended the stream")?;
        ensure!(ack.quarantined.is_empty(), "put aside: {:?}", ack.quarantined);
        while let Some((_, at)) = sent.pop_front_if(|(sequence, _)| *sequence <= ack.sequence) {
            waits.push(at.elapsed());
        }
        send(&say, &mut batches, &mut sent).await?;
    }
    Ok(waits)
}

/// Sends as many batches as may be under way.
async fn send(
    say: &mpsc::Sender<UsageBatch>,
    batches: &mut impl Iterator<Item = UsageBatch>,
    sent: &mut VecDeque<(u64, Instant)>,
) -> Result<()> {
    while sent.len() < WINDOW
        && let Some(batch) = batches.next()
    {
        sent.push_back((batch.sequence, Instant::now()));
        say.send(batch).await?;
    }
    Ok(())
}

fn batch(who: (&Population, &Bytes), reporter: usize, n: u64, records: u64) -> UsageBatch {
    let now = now_ms();
    let all = n * BATCH..((n + 1) * BATCH).min(records);
    UsageBatch {
        sequence: n + 1,
        records: all
            .map(|n| record(who, reporter, n, now).encode_to_vec().into())
            .collect(),
        replica_id: format!("rep_bench{reporter}"),
        explanations: Vec::new(),
    }
}

/// What explains each record, as data planes send it.
fn decided(who: &Population) -> Result<Bytes> {
    let explained = UsageRecord {
        explanation: Some(EXPLANATION.into()),
        decided: None,
        ..record((who, &Bytes::new()), 0, 0, now_ms())
    };
    let record = ccag_domain::UsageRecord::try_from(explained)?;
    let decided = UsageRecord::from(record).decided;
    decided.context("what explains a record cannot be read")
}

/// A request of a conversation with Claude Code, its keys in turn, and what explains it.
fn record((who, decided): (&Population, &Bytes), reporter: usize, n: u64, now_ms: i64) -> UsageRecord {
    let run = std::process::id();
    // Apart from each other, so that reporters do not all write of the same keys at the same time.
    let at = (n as usize).wrapping_mul(7_919).wrapping_add(reporter * 104_729) % who.keys.len();
    let (key, user) = who.keys[at].clone();
    UsageRecord {
        id: format!("use_{now_ms:x}-{run}-{reporter}-{n}"),
        request_id: format!("req_{now_ms:x}-{run}-{reporter}-{n}"),
        aws_request_id: Some("01234567-89ab-cdef-0123-456789abcdef".to_owned()),
        key_id: key,
        user_id: Some(user),
        team_id: Some(who.team.clone()),
        model: MODEL.to_owned(),
        bedrock_model: "us.anthropic.claude-sonnet-4-6".to_owned(),
        geography: "us".to_owned(),
        endpoint_id: who.endpoint.clone(),
        streaming: true,
        outcome: v1::Outcome::Completed.into(),
        status: 200,
        tokens: Some(v1::Tokens {
            input: 12,
            output: 350 + n % 100,
            cache_read: 60_000,
            cache_write_5m: 1_500,
            cache_write_1h: 0,
        }),
        attempts: 1,
        started_at_ms: now_ms - (n % 60_000) as i64,
        first_token_ms: Some(900),
        duration_ms: 9_000,
        session_id: Some(format!("00000000-0000-4000-8000-{:012x}", at as u64)),
        replica_id: format!("rep_bench{reporter}"),
        surface: String::new(),
        decided: Some(decided.clone()),
        tools: vec![v1::ToolCalls {
            name: if n.is_multiple_of(2) { "Read" } else { "Bash" }.to_owned(),
            calls: 1,
            failed: 0,
        }],
        ..UsageRecord::default()
    }
}

fn now_ms() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp_nanos() as i64 / 1_000_000
}

impl Intake {
    pub(crate) fn print(&self) {
        let [half, longest] = self.acknowledged_ms;
        let per_second = |seconds: f64| self.records as f64 / seconds;
        println!(
            "{} records of {} bytes from {} data planes at once: taken in, added up and acknowledged in {:.1} s, {:.0} a second; {:.0} for each CPU second of the control plane; a batch of {BATCH} took {half:.0} ms (half), {longest:.0} ms (longest)",
            self.records,
            self.bytes_each,
            self.reporters,
            self.seconds,
            per_second(self.seconds),
            per_second(self.used.control_s),
        );
        if let Some(database) = self.used.database_s {
            println!(
                "with the CPU time of the database: {:.0} for each CPU second",
                per_second(self.used.control_s + database)
            );
        }
    }
}
