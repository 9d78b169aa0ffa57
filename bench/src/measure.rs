//! The measurements.

use crate::Options;
use crate::arena::{Arena, Control, Subject, data_plane};
use crate::load::{AT_ONCE, Load, PACED, SMALL, clients};
use crate::programs::{free_address, program};
use anyhow::{Context, Result};
use ccag_bench::client::{Client, Shape, Target};
use ccag_bench::cpu::Meter;
use serde::Serialize;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// How long it takes until shares have grown to what the pace needs, and connections are made.
const LEAD: Duration = Duration::from_secs(2);

/// How long a pause is after which shares have gone back, and how many there are.
const PAUSE: Duration = Duration::from_secs(6);
const PAUSES: usize = 10;

/// At the pace of a model: of an answer that is there whole, the gateway writes the record before its first byte.
const SPOKEN: Shape = Shape {
    events: 4,
    text: 80,
    ..PACED
};

/// What a request costs two who answer it, in blocks that take turns.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) shape: &'static str,
    pub(crate) clients: usize,
    /// The one that the other is held against comes first.
    pub(crate) of: [Cost; 2],
}

/// What a request costs one of them.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    /// Nanoseconds or instructions for each request, block by block.
    pub(crate) each: Vec<f64>,
    /// The middle and the 99th hundredth of the times between the parts of an answer, in milliseconds.
    pub(crate) gaps: [f64; 2],
}

/// Who answers, and the meter of the process that does the work.
type Metered<'a> = (&'a Target, &'a Meter);

/// The gateway beside the thinnest proxy.
pub(crate) async fn cpu(arena: &Arena, options: &Options, shapes: &[Shape]) -> Result<Vec<Compared>> {
    compare([arena.null.metered(), arena.gateway.metered()], options, shapes).await
}

/// Somebody whom budgets and limits bound beside somebody whom none does.
pub(crate) async fn governance(arena: &Arena, options: &Options) -> Result<Governance> {
    let (bound, meter) = arena.gateway.metered();
    let before = arena.gateway.counters().await?;
    let of = compare(
        [(&arena.free, meter), (bound, meter)],
        options,
        &[SMALL, AT_ONCE, PACED],
    )
    .await?;
    let after = arena.gateway.counters().await?;
    Ok(Governance {
        of,
        requests: after.requests - before.requests,
        waits: after.waits - before.waits,
        messages: after.messages - before.messages,
    })
}

/// What budgets and limits cost, and how much had to be said about them.
#[derive(Debug, Serialize)]
pub(crate) struct Governance {
    pub(crate) of: Vec<Compared>,
    /// Requests of both, how many of them waited for the control plane, and how many messages about budgets went to it.
    pub(crate) requests: u64,
    pub(crate) waits: u64,
    pub(crate) messages: u64,
}

async fn compare(two: [Metered<'_>; 2], options: &Options, shapes: &[Shape]) -> Result<Vec<Compared>> {
    let mut all = Vec::new();
    for &shape in shapes {
        if options.shape.as_ref().is_some_and(|only| only != shape.name) {
            continue;
        }
        let mut of = two.map(|(target, _)| Cost {
            name: target.name,
            each: Vec::new(),
            gaps: [0.0; 2],
        });
        let mut gaps = [const { Vec::new() }; 2];
        for _ in 0..options.blocks {
            for (who, (cost, gaps)) in two.iter().zip(of.iter_mut().zip(&mut gaps)) {
                let (used, between) = block(*who, shape, options).await?;
                cost.each.push(used);
                gaps.extend(between);
            }
        }
        for (cost, gaps) in of.iter_mut().zip(&mut gaps) {
            cost.gaps = [0.5, 0.99].map(|at| percentile(gaps, at));
        }
        all.push(Compared {
            shape: shape.name,
            clients: clients(shape),
            of,
        });
    }
    Ok(all)
}

/// What each request of a block has cost.
async fn block(
    (target, meter): Metered<'_>,
    shape: Shape,
    options: &Options,
) -> Result<(f64, Vec<Duration>)> {
    let load = Load::start(target, shape).await?;
    tokio::time::sleep(LEAD).await;
    let (before, mark) = (load.answered(), meter.mark()?);
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let answered = load.answered() - before;
    let profile = format!("{}-{}", shape.name, target.name.replace(' ', "-"));
    let used = meter.since(&mark, &profile)?;
    let gaps = load.finish().await?;
    anyhow::ensure!(answered > 0, "{}: nothing was answered", target.name);
    Ok((used as f64 / answered as f64, gaps))
}

/// How long the first token took, one request after the other at fixed times.
#[derive(Debug, Serialize)]
pub(crate) struct FirstToken {
    pub(crate) of: &'static str,
    pub(crate) requests: usize,
    /// Milliseconds: the middle, the 90th and the 99th hundredth, and the longest.
    pub(crate) took: [f64; 4],
    /// The part of all that took more than thirty milliseconds: where an acknowledgement was waited for, it is forty.
    pub(crate) delayed: f64,
    /// The middle of those after a pause of some seconds, in milliseconds: shares have gone back by then, and connections are idle.
    pub(crate) after_pause: f64,
}

pub(crate) async fn first_token(arena: &Arena, options: &Options) -> Result<Vec<FirstToken>> {
    let targets = [&arena.bedrock, &arena.null.target, &arena.gateway.target];
    let (mut took, mut paused) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
    for _ in 0..PAUSES {
        tokio::time::sleep(PAUSE).await;
        for (target, paused) in targets.iter().zip(&mut paused) {
            paused.push(once(target).await?);
        }
    }
    for _ in 0..options.blocks {
        for (target, took) in targets.iter().zip(&mut took) {
            took.extend(asked_in_turn(target, options.seconds).await?);
        }
    }
    let all = targets.iter().zip(&mut took).zip(&mut paused);
    let of = all.map(|((target, took), paused)| FirstToken {
        of: target.name,
        after_pause: percentile(paused, 0.5),
        requests: took.len(),
        delayed: took.iter().filter(|took| took.as_millis() > 30).count() as f64 / took.len() as f64,
        took: [0.5, 0.9, 0.99, 1.0].map(|at| percentile(took, at)),
    });
    Ok(of.collect())
}

/// The first token of a request on a connection of its own, which is there.
async fn once(target: &Target) -> Result<Duration> {
    let mut client = Client::connect(target, SPOKEN).await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let asked = Instant::now();
    Ok(client.ask().await?.first - asked)
}

/// Requests at fixed times, whether or not the one before was quick: what waits for it counts. Those of the first seconds do not
/// count, in which shares of budgets and limits grow to what the pace needs.
async fn asked_in_turn(target: &Target, seconds: u64) -> Result<Vec<Duration>> {
    const EVERY: Duration = Duration::from_millis(60);
    let mut client = Client::connect(target, SPOKEN).await?;
    client.ask().await?;
    let begun = Instant::now() + LEAD;
    let mut took = Vec::new();
    let mut at = Instant::now() + EVERY;
    while at < begun + Duration::from_secs(seconds) {
        tokio::time::sleep_until(at).await;
        // The timer's own delay is nobody's.
        let now = Instant::now();
        let due = if now - at < Duration::from_millis(2) {
            now
        } else {
            at
        };
        let first = client.ask().await?.first - due;
        if at >= begun {
            took.push(first);
        }
        at += EVERY;
    }
    Ok(took)
}

/// At which time, in milliseconds, so large a part of all is over.
pub(crate) fn percentile(of: &mut [Duration], at: f64) -> f64 {
    of.sort_unstable();
    let last = of.len().saturating_sub(1) as f64;
    of.get((last * at).round() as usize)
        .map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
}

/// What open streams take.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) of: &'static str,
    pub(crate) streams: usize,
    /// Resident bytes before, and with all streams open.
    pub(crate) before: u64,
    pub(crate) open: u64,
}

impl Memory {
    /// Kibibytes for each.
    pub(crate) fn each(&self) -> f64 {
        self.open.saturating_sub(self.before) as f64 / self.streams as f64 / 1_024.0
    }
}

pub(crate) async fn memory(arena: &Arena, options: &Options) -> Result<Vec<Memory>> {
    let mut all = Vec::new();
    for subject in [&arena.null, &arena.gateway] {
        all.push(held(subject, options.streams).await?);
    }
    Ok(all)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark's own clients, which are ended"
)]
async fn held(subject: &Subject, streams: usize) -> Result<Memory> {
    let slow = Shape {
        name: "held",
        gap_ms: 2_000,
        ..AT_ONCE
    };
    let before = subject.meter.resident()?;
    let mut asking = Vec::new();
    for _ in 0..streams {
        let mut client = Client::connect(&subject.target, slow).await?;
        asking.push(tokio::spawn(async move { client.ask().await.map(|_| ()) }));
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    let open = subject.meter.resident()?;
    for asking in &asking {
        anyhow::ensure!(
            !asking.is_finished(),
            "{}: a stream ended early",
            subject.target.name
        );
        asking.abort();
    }
    // What the streams leave to be written down is not the next one's.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(Memory {
        of: subject.target.name,
        streams,
        before,
        open,
    })
}

/// What a data plane holds in memory after a time under load.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) minute: f64,
    pub(crate) resident: u64,
    pub(crate) answered: u64,
}

/// Paced streams for a long time, and what is resident twice a minute.
pub(crate) async fn hours(arena: &Arena, options: &Options) -> Result<Vec<Sample>> {
    const EVERY: Duration = Duration::from_secs(30);
    let load = Load::start(&arena.gateway.target, PACED).await?;
    let began = Instant::now();
    let mut all = Vec::new();
    while began.elapsed() < Duration::from_secs(options.minutes * 60) {
        tokio::time::sleep(EVERY).await;
        let answered = load.answered();
        let before = all.last().map_or(0, |sample: &Sample| sample.answered);
        all.push(Sample {
            minute: began.elapsed().as_secs_f64() / 60.0,
            resident: arena.gateway.meter.resident()?,
            answered,
        });
        if answered == before {
            // All clients have given up: what comes of them says why.
            break;
        }
    }
    load.finish().await?;
    Ok(all)
}

/// A data plane that nobody asks.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    /// Bytes of the program's file.
    pub(crate) program: u64,
    /// Milliseconds until it may be asked, of several starts.
    pub(crate) ready: Vec<f64>,
    /// Resident bytes, ten seconds later.
    pub(crate) resident: u64,
    /// Microseconds of CPU time in each second.
    pub(crate) cpu: f64,
}

pub(crate) async fn idle(options: &Options) -> Result<Idle> {
    const STARTS: usize = 5;
    let files = TempDir::new()?;
    let control = Control::start(options, files.path()).await?;
    let nowhere = free_address()?;
    let mut ready = Vec::new();
    let mut last = None;
    for n in 0..STARTS {
        let data = files.path().join(format!("data-{n}"));
        drop(last.take());
        let started = data_plane(options, &control, nowhere, &data, &[]).await?;
        ready.push(started.after.as_secs_f64() * 1_000.0);
        last = Some(started);
    }
    let last = last.context("it was started")?;
    let meter = Meter::new(last.process.pid(), None);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mark = meter.mark()?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(Idle {
        program: program(options, "ccag-dataplane")?.metadata()?.len(),
        ready,
        resident: meter.resident()?,
        cpu: meter.since(&mark, "idle")? as f64 / 5_000.0,
    })
}
