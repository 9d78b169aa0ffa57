//! Many data planes that are told the configuration.

use super::population::Population;
use super::{PATIENCE, Used};
use crate::admin::{Admin, unused};
use crate::arena::Control;
use crate::measure::percentile;
use crate::report::mebibytes;
use anyhow::{Context, Result, bail};
use ccag_proto::v1::watch_request::Body as Ask;
use ccag_proto::v1::watch_response::Body as Told;
use ccag_proto::v1::{Applied, Hello, ReplicaState, Snapshot as Part, WatchRequest, WatchResponse};
use prost::Message;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;

/// Connected data planes.
pub(crate) struct Planes {
    all: Vec<Plane>,
    /// How long it took from the first call until each held the configuration.
    held: Vec<Duration>,
    bytes: u64,
    objects: u64,
}

struct Plane {
    say: mpsc::Sender<WatchRequest>,
    told: tonic::Streaming<WatchResponse>,
    revision: u64,
}

/// How the configuration as a whole comes to all data planes, who ask for it at the same time.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) data_planes: usize,
    pub(crate) objects: u64,
    /// Of the message, for each data plane.
    pub(crate) bytes: u64,
    /// Milliseconds until the first, half of them, and the last held it.
    pub(crate) held_ms: [f64; 3],
    pub(crate) used: Used,
    /// Resident bytes of the control plane before and after.
    pub(crate) resident: [u64; 2],
}

/// How one change does.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) answered_ms: f64,
    pub(crate) with_all_ms: f64,
    pub(crate) bytes: u64,
}

impl Planes {
    /// Connects all at the same time, and waits until each holds the configuration.
    pub(crate) async fn connect(control: &Control, data_planes: usize) -> Result<Self> {
        let began = Instant::now();
        let connecting = (0..data_planes).map(|n| async move {
            let (plane, bytes, objects) = Plane::connect(control, n).await?;
            anyhow::Ok((plane, bytes, objects, began.elapsed()))
        });
        let connected = futures_util::future::try_join_all(connecting).await?;
        let mut planes = Self {
            all: Vec::new(),
            held: Vec::new(),
            bytes: 0,
            objects: 0,
        };
        for (plane, bytes, objects, held) in connected {
            planes.all.push(plane);
            planes.held.push(held);
            (planes.bytes, planes.objects) = (bytes, objects);
        }
        Ok(planes)
    }

    pub(crate) fn snapshot(&mut self, used: Used, before: u64, after: u64) -> Snapshot {
        Snapshot {
            data_planes: self.all.len(),
            objects: self.objects,
            bytes: self.bytes,
            held_ms: [0.0, 0.5, 1.0].map(|at| percentile(&mut self.held, at)),
            used,
            resident: [before, after],
        }
    }

    /// Makes a key, and waits until every data plane was told of it.
    pub(crate) async fn change(&mut self, admin: &Admin, who: &Population, n: usize) -> Result<Change> {
        let user = &who.keys[n % who.keys.len()].1;
        let key = json!({"name": unused("change", n), "user_id": user});
        let began = Instant::now();
        let told = futures_util::future::try_join_all(self.all.iter_mut().map(Plane::told_of_a_change));
        let made = async {
            admin.send(Method::POST, "/admin/keys", &key).await?;
            anyhow::Ok(began.elapsed())
        };
        let ((answered, told), with_all) = (tokio::try_join!(made, told)?, began.elapsed());
        Ok(Change {
            answered_ms: answered.as_secs_f64() * 1e3,
            with_all_ms: with_all.as_secs_f64() * 1e3,
            bytes: told.into_iter().max().unwrap_or_default(),
        })
    }
}

impl Plane {
    /// Connects, and waits for the configuration: how large it is, and how many objects it has.
    async fn connect(control: &Control, n: usize) -> Result<(Self, u64, u64)> {
        let (say, said) = mpsc::channel(4);
        let hello = Hello {
            replica_id: format!("rep_bench{n}"),
            name: format!("bench-{n}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            takes_pieces: true,
            ..Hello::default()
        };
        say.send(asks(Ask::Hello(hello))).await?;
        let mut client = control.config().await?;
        let mut plane = Self {
            say,
            told: client.watch(ReceiverStream::new(said)).await?.into_inner(),
            revision: 0,
        };
        let (mut bytes, mut objects) = (0, 0);
        loop {
            let message = plane.next().await?;
            let size = message.encoded_len() as u64;
            let Some(Told::Piece(piece)) = message.body else {
                continue;
            };
            let part = Part::decode(piece.snapshot)?;
            bytes += size;
            objects += part.objects.len() as u64;
            if piece.last {
                plane.applied(part.revision).await?;
                return Ok((plane, bytes, objects));
            }
        }
    }

    /// The size of the message that tells of the next change.
    async fn told_of_a_change(&mut self) -> Result<u64> {
        loop {
            let message = self.next().await?;
            let bytes = message.encoded_len() as u64;
            match message.body {
                Some(Told::Changes(batch)) => {
                    let revision = batch.changes.iter().map(|change| change.revision).max();
                    self.applied(revision.unwrap_or(self.revision)).await?;
                    return Ok(bytes);
                }
                Some(Told::Snapshot(_) | Told::Piece(_)) => {
                    bail!("a data plane was sent the whole configuration again")
                }
                // A sign of life, which is answered with one.
                _ => self.applied(self.revision).await?,
            }
        }
    }

    async fn next(&mut self) -> Result<WatchResponse> {
        let message = timeout(PATIENCE, self.told.message()).await;
        let message = message.context("the control plane says nothing more")??;
        message.context("the control plane ended the stream")
    }

    async fn applied(&mut self, revision: u64) -> Result<()> {
        self.revision = revision;
        let applied = Applied {
            revision,
            state: Some(ReplicaState::default()),
            ..Applied::default()
        };
        Ok(self.say.send(asks(Ask::Applied(applied))).await?)
    }
}

fn asks(body: Ask) -> WatchRequest {
    WatchRequest { body: Some(body) }
}

impl Snapshot {
    pub(crate) fn print(&self) {
        let [first, half, last] = self.held_ms;
        println!(
            "the configuration, {} objects in {:.1} MiB, to {} data planes at once: with the first after {first:.0} ms, half {half:.0} ms, all {last:.0} ms; CPU of the control plane {:.2} s; resident {:.0}, then {:.0} MiB",
            self.objects,
            mebibytes(self.bytes),
            self.data_planes,
            self.used.control_s,
            mebibytes(self.resident[0]),
            mebibytes(self.resident[1])
        );
    }
}
