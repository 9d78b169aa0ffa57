//! Asks the control plane for shares of budgets and limits, on behalf of all requests, and gives back what is not needed.

use super::gaps::Gaps;
use super::slot::{Running, Said, Slot, When};
use super::{Allowances, Logbook};
use crate::backoff::Backoff;
use crate::sync::Link;
use crate::usage::Spool;
use ccag_allowance::{Answer, Refusal};
use ccag_domain::{AccountId, Clock, ReplicaId, Rng};
use ccag_proto::v1;
use ccag_proto::v1::lease_request::Body as Up;
use ccag_proto::v1::lease_response::Body as Down;
use prometheus_client::metrics::counter::Counter;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// How often everything that is in use is spoken about.
const BEAT: Duration = Duration::from_millis(250);

/// The same while requests wait that were told to, and for hard budgets.
const SHORT_BEAT: Duration = Duration::from_millis(50);

/// How often something is said at all, so that the lease lives on; of shares that only rest nothing is said in between. Requests
/// of other data planes wait a little longer than that for what rests here, once little is left.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The most accounts in one message.
const MAX_WISHES: usize = 2_000;

/// The most accounts in the first message of a stream: what one message can carry.
const MAX_TOTALS: usize = 10_000;

/// Speaks with the control plane about budgets and limits.
pub(crate) struct Leaser {
    pub(crate) allowances: Arc<Allowances>,
    pub(crate) link: Link,
    pub(crate) spool: Spool,
    /// What earlier runs have left that the control plane is to be told.
    pub(crate) logbook: Arc<Logbook>,
    pub(crate) replica_id: ReplicaId,
    /// Which run of this data plane it is.
    pub(crate) run: u64,
    /// Counts what is said.
    pub(crate) messages: Counter,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    /// All requests have ended.
    pub(crate) closing: CancellationToken,
}

/// A stream that was welcomed.
struct Stream {
    out: mpsc::Sender<v1::LeaseRequest>,
    answers: Streaming<v1::LeaseResponse>,
}

impl Leaser {
    /// Works until the data plane closes; then everything goes back.
    pub(crate) async fn run(self) {
        // What earlier runs have spooled is delivered when the spool has been acknowledged up to here.
        let earlier = self.spool.written();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        let mut stream_number = 0;
        while !self.closing.is_cancelled() {
            if self.allowances.slots.is_empty() && !self.logbook.has_left() {
                // No budget and no limit has met a request yet: nothing is held, and nothing to be said.
                tokio::select! {
                    () = self.allowances.slots.added.notified() => {}
                    () = self.closing.cancelled() => return,
                }
                continue;
            }
            stream_number += 1;
            let lost = match self.open(stream_number).await {
                Ok(mut stream) => {
                    backoff.reset();
                    match self.follow(&mut stream, earlier).await {
                        Ok(()) => return self.logbook.end(),
                        Err(status) => status,
                    }
                }
                Err(status) => status,
            };
            self.allowances.contact.failed();
            // Whoever waits need not wait any longer.
            self.allowances
                .slots
                .all()
                .iter()
                .for_each(|slot| slot.changed.notify_waiters());
            tracing::debug!(reason = %lost, "the control plane cannot be asked about budgets");
            backoff.complain(
                || tracing::warn!(reason = %lost, "the control plane cannot be asked about budgets; each budget says what is served meanwhile"),
            );
            self.link.turn();
            tokio::select! {
                () = tokio::time::sleep(backoff.next(self.rng.as_ref())) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    async fn open(&self, stream: u64) -> Result<Stream, Status> {
        let allowances = &self.allowances;
        if !allowances.contact.now().may_hold() {
            // What was granted may be somebody else's by now.
            allowances
                .slots
                .all()
                .iter()
                .for_each(|slot| slot.give_back_all());
        }
        let all = allowances.slots.all();
        let totals = all.iter().filter_map(|slot| {
            let totals = slot.totals()?;
            Some(v1::AccountTotals {
                account: slot.id.to_string(),
                granted: totals.granted,
                returned: totals.returned,
            })
        });
        let hello = v1::LeaseHello {
            replica_id: self.replica_id.to_string(),
            run: self.run,
            stream,
            totals: totals.take(MAX_TOTALS).collect(),
            unrecorded: self.logbook.tell(),
        };
        let (out, outbound) = mpsc::channel(1);
        let sent = Instant::now();
        let _ = out
            .send(v1::LeaseRequest {
                body: Some(Up::Hello(hello)),
            })
            .await;
        let mut client = self.link.allowance();
        let opening = async {
            let mut answers = client.lease(ReceiverStream::new(outbound)).await?.into_inner();
            match answers.message().await?.and_then(|message| message.body) {
                Some(Down::Welcome(welcome)) => Ok((answers, welcome)),
                _ => Err(Status::internal("the control plane did not say welcome")),
            }
        };
        let (answers, welcome) = tokio::time::timeout(ANSWER, opening)
            .await
            .map_err(|_| Status::deadline_exceeded("no answer"))??;
        self.logbook.told();
        allowances.flights.hard_began.notify_one();
        allowances
            .contact
            .heard(sent, Some(Duration::from_millis(welcome.lease_ms)));
        allowances.contact.shared_by(welcome.holders);
        // All that is known is spoken about with the first message.
        allowances
            .slots
            .all()
            .iter()
            .for_each(|slot| allowances.slots.list(slot));
        Ok(Stream { out, answers })
    }

    /// Speaks on a stream until it is lost, or until everything has been given back.
    async fn follow(&self, stream: &mut Stream, earlier: u64) -> Result<(), Status> {
        let mut next_beat = Instant::now();
        let (mut said_at, mut rested_at) = (Instant::now(), Instant::now());
        let mut gaps = Gaps::new(SHORT_BEAT);
        let flights = &self.allowances.flights;
        let mut resting: Vec<Arc<Slot>> = Vec::new();
        loop {
            let when = if self.closing.is_cancelled() {
                self.allowances.slots.all().iter().for_each(|slot| {
                    slot.give_back_all();
                    self.allowances.slots.list(slot);
                });
                When::Last
            } else {
                tokio::select! {
                    // A beat that is due comes first: between beats only old things are said of what requests use.
                    biased;
                    () = tokio::time::sleep_until(next_beat) => When::Beat,
                    () = self.allowances.wake.notified() => When::Between,
                    () = self.closing.cancelled() => continue,
                }
            };
            let quiet = said_at.elapsed() < SIGN_OF_LIFE;
            if when == When::Beat {
                self.allowances.slots.ripen(Instant::now());
                if rested_at.elapsed() >= SIGN_OF_LIFE {
                    rested_at = Instant::now();
                    resting
                        .drain(..)
                        .for_each(|slot| self.allowances.slots.list(&slot));
                }
            }
            let mut listed = self.allowances.slots.take_listed();
            let made = Instant::now();
            let exposed = match when {
                When::Between => HashMap::new(),
                When::Beat | When::Last => flights.exposed(),
            };
            if when == When::Between {
                // Only what somebody waits for, here or elsewhere; the rest is said with the next beat.
                let (urgent, later): (Vec<_>, Vec<_>) = listed.into_iter().partition(|slot| slot.is_urgent());
                later.iter().for_each(|slot| self.allowances.slots.list(slot));
                listed = urgent;
            }
            let mut waits = false;
            if !(listed.is_empty() && quiet) {
                said_at = Instant::now();
                for some in chunks(&listed) {
                    waits |= self.speak(stream, some, &exposed, when, earlier).await?;
                }
            }
            let mut hard = false;
            for slot in listed {
                if slot.is_idle() {
                    continue;
                }
                if slot.is_resting() {
                    resting.push(slot);
                } else {
                    hard |= slot.is_hard();
                    self.allowances.slots.list(&slot);
                }
            }
            match when {
                When::Last => return Ok(()),
                When::Beat => {
                    gaps.replaced(made, Instant::now());
                    flights.look_ahead(gaps.ahead());
                    if self.allowances.slots.forget_over(self.clock.now_ms()) {
                        self.allowances.callers.forget();
                    }
                    next_beat = Instant::now() + if waits || hard { SHORT_BEAT } else { BEAT };
                }
                When::Between if waits || hard => next_beat = next_beat.min(Instant::now() + SHORT_BEAT),
                When::Between => {}
            }
        }
    }

    /// Says what there is to say of some accounts, and takes the answer. True if requests go on waiting.
    async fn speak(
        &self,
        stream: &mut Stream,
        slots: &[Arc<Slot>],
        exposed: &HashMap<usize, Running>,
        when: When,
        earlier: u64,
    ) -> Result<bool, Status> {
        let ahead = self.allowances.flights.ahead();
        let wishes = slots.iter().map(|slot| {
            let running = exposed.get(&Arc::as_ptr(slot).addr()).copied();
            slot.wish(running.unwrap_or_default(), ahead, when)
        });
        let ask = v1::LeaseAsk {
            wishes: wishes.collect(),
            ahead_ms: u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX),
            earlier_runs_delivered: self.spool.acked() >= earlier,
        };
        self.messages.inc();
        let sent = Instant::now();
        let gone = || Status::unavailable("the stream was closed");
        stream
            .out
            .send(v1::LeaseRequest {
                body: Some(Up::Ask(ask)),
            })
            .await
            .map_err(|_| gone())?;
        let message = tokio::time::timeout(ANSWER, stream.answers.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no answer"))??;
        let Some(Down::Answer(answer)) = message.and_then(|message| message.body) else {
            return Err(gone());
        };
        self.allowances.contact.heard(sent, None);
        self.allowances.contact.shared_by(answer.holders);
        for granted in answer.granted {
            let Some(slot) =
                AccountId::parse(&granted.account).and_then(|id| self.allowances.slots.find(&id))
            else {
                continue;
            };
            slot.hear(said(&granted), granted.spent);
        }
        Ok(slots.iter().any(|slot| slot.is_waited_for()))
    }
}

fn chunks(slots: &[Arc<Slot>]) -> Vec<&[Arc<Slot>]> {
    if slots.is_empty() {
        // A sign of life.
        return vec![&[]];
    }
    slots.chunks(MAX_WISHES).collect()
}

fn said(granted: &v1::Granted) -> Said {
    let refusal = match granted.refusal() {
        v1::Refusal::Unknown => return Said::Unknown,
        v1::Refusal::Unspecified => None,
        v1::Refusal::Exhausted => Some(Refusal::Exhausted),
        v1::Refusal::Busy => Some(Refusal::Busy),
    };
    Said::Answer(Answer {
        amount: granted.amount.max(0),
        refusal,
        scarce: granted.scarce,
    })
}
