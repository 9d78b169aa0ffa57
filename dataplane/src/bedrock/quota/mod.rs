//! Quotas of AWS's: what Bedrock counts against them, so that requests go where there is room, and everybody has their share
//! where there is not.
//!
//! It is an estimate, and Bedrock's word is what holds: a request is never refused because it does not fit, only because its
//! team has more than its share of a quota that is short. Where nothing is known of a quota, nothing of this happens. See
//! `docs/routing.md` and ADR 22.

mod bucket;
mod exchange;
mod fair;
mod gauges;
mod places;
mod window;

pub(crate) use bucket::Verdict;
pub(crate) use gauges::{QuotaCounters, QuotaGauges};

use super::fault::Fault;
use bucket::{Elsewhere, Part};
use ccag_domain::routing::Candidate;
use ccag_domain::{Caller, Code, EndpointId, Model, Problem, Tokens, quota};
use places::{MAX_BUCKETS, Place, Places};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use window::STEP;

/// How long a conversation waits for room where its prompts are cached, before Bedrock is asked there all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// What other data planes use is forgotten if nobody has said it for so long.
const HEARSAY: Duration = Duration::from_secs(15);

/// The longest that somebody who has their share is sent away for.
const LONGEST: Duration = Duration::from_secs(20);

/// What is known of quotas here.
pub(crate) struct Quotas {
    places: Places,
    /// Where steps are counted from: a monotonic clock, since wall clocks jump.
    began: Instant,
    /// How many steps a test is ahead.
    #[cfg(test)]
    ahead: std::sync::atomic::AtomicU64,
    /// Told when something becomes free.
    freed: Notify,
    heard: Mutex<Heard>,
    pub(crate) counters: QuotaCounters,
}

/// What was heard of other data planes.
struct Heard {
    at: Option<Instant>,
    part: Part,
}

/// Who asks, and for how much.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) model: Arc<Model>,
    pub(crate) party: Party,
    /// What Bedrock sets aside for the request, in tokens.
    pub(crate) tokens: u64,
    /// Whether it is worth a moment to wait where the conversation lives.
    pub(crate) is_warm: bool,
    /// Whether it may still be refused: nothing has been asked for it yet.
    pub(crate) is_first: bool,
}

/// Who has a share of their own: a team, or a user who has none, or a key that is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Party {
    /// Of the id.
    digest: u64,
    is_team: bool,
}

impl Party {
    pub(crate) fn of(caller: &Caller) -> Self {
        let id = match (&caller.team_id, &caller.user_id) {
            (Some(team), _) => team.as_str(),
            (None, Some(user)) => user.as_str(),
            (None, None) => caller.key_id.as_str(),
        };
        Self {
            digest: quota::digest(&[id]),
            is_team: caller.team_id.is_some(),
        }
    }
}

/// How a route was judged.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What holds at each endpoint; empty if nothing stood in the way.
    verdicts: Vec<(EndpointId, Verdict)>,
    /// For how long room was waited for where the conversation lives.
    pub(crate) waited: Option<Duration>,
}

impl Judged {
    pub(crate) fn of(&self, endpoint: &EndpointId) -> Verdict {
        let found = self.verdicts.iter().find(|(id, _)| id == endpoint);
        found.map_or(Verdict::Room, |(_, verdict)| *verdict)
    }

    /// Whether whose request it is has their share at an endpoint.
    pub(crate) fn is_over_share(&self, endpoint: &EndpointId) -> bool {
        matches!(self.of(endpoint), Verdict::OverShare(_))
    }
}

/// Whose request it is has their share wherever it could go.
pub(crate) struct Refused {
    pub(crate) judged: Judged,
    pub(crate) fault: Fault,
}

impl Quotas {
    pub(crate) fn new() -> Self {
        Self {
            places: Places::default(),
            began: Instant::now(),
            #[cfg(test)]
            ahead: std::sync::atomic::AtomicU64::default(),
            freed: Notify::new(),
            heard: Mutex::new(Heard {
                at: None,
                part: Part::WHOLE,
            }),
            counters: QuotaCounters::default(),
        }
    }

    fn step(&self) -> u64 {
        let step = u64::try_from(self.began.elapsed().as_millis() / STEP.as_millis()).unwrap_or(u64::MAX);
        #[cfg(test)]
        let step = step + self.ahead.load(std::sync::atomic::Ordering::Relaxed);
        step
    }

    /// Puts the candidates into the order in which there is room for a request, and otherwise leaves it. A conversation whose
    /// prompts are cached at the first one waits for room there a moment, and stays. `is_out` says what is in trouble: there
    /// nobody waits, nor where Bedrock has not throttled for an hour, since the estimate may be wrong.
    ///
    /// # Errors
    /// [`Refused`] where whose request it is has their share of every quota, and others want theirs.
    pub(crate) async fn admit(
        &self,
        route: &mut [Candidate],
        asking: &Asking,
        is_out: impl Fn(&Candidate) -> bool,
    ) -> Result<Judged, Box<Refused>> {
        if route.iter().all(|one| one.endpoint.offers.quotas.is_empty()) {
            return Ok(Judged::default());
        }
        let Some(home) = route.first() else {
            return Ok(Judged::default());
        };
        let mut first = self.judge(home, asking);
        let mut waited = None;
        if first == Verdict::NoRoom && asking.is_warm && !is_out(home) && self.binds(home, asking) {
            let began = Instant::now();
            first = self.room(home, asking).await;
            waited = Some(began.elapsed());
        }
        if first == Verdict::Room {
            return Ok(Judged {
                verdicts: Vec::new(),
                waited,
            });
        }
        let others = route.iter().skip(1).map(|one| self.judge(one, asking));
        let verdicts: Vec<Verdict> = std::iter::once(first).chain(others).collect();
        let passed = home.endpoint.id.clone();
        let judged = Judged {
            verdicts: route
                .iter()
                .zip(&verdicts)
                .map(|(one, verdict)| (one.endpoint.id.clone(), *verdict))
                .collect(),
            waited,
        };
        let is_over = |verdict: &Verdict| matches!(verdict, Verdict::OverShare(_));
        if asking.is_first && verdicts.iter().all(is_over) {
            self.counters.refused(&passed);
            let fault = over_share(&verdicts, asking.party.is_team);
            return Err(Box::new(Refused { judged, fault }));
        }
        let stays = asking.is_warm && first == Verdict::NoRoom;
        route.sort_by_key(|one| match judged.of(&one.endpoint.id) {
            Verdict::Room => 0,
            Verdict::NoRoom if stays && one.endpoint.id == passed => 0,
            Verdict::NoRoom => 1,
            Verdict::OverShare(_) => 2,
        });
        if route.first().is_some_and(|one| one.endpoint.id != passed) {
            self.counters.passed_over(&passed);
        }
        Ok(judged)
    }

    /// Waits a moment for room.
    async fn room(&self, home: &Candidate, asking: &Asking) -> Verdict {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let verdict = self.judge(home, asking);
            if verdict != Verdict::NoRoom || tokio::time::timeout_at(deadline, freed).await.is_err() {
                return verdict;
            }
        }
    }

    /// The quotas of a candidate that is not asked yet.
    fn place(&self, candidate: &Candidate, asking: &Asking) -> Option<Arc<Place>> {
        // The lane is chosen when it is asked; it is looked for in this order.
        let lanes = candidate.endpoint.lanes.as_slice();
        let lane = lanes.first().copied().unwrap_or(candidate.lane);
        self.places.of(candidate, lane, &asking.model)
    }

    /// Whether Bedrock has shown lately that it goes by the quotas of a candidate.
    fn binds(&self, candidate: &Candidate, asking: &Asking) -> bool {
        let step = self.step();
        self.place(candidate, asking)
            .is_some_and(|place| place.buckets.iter().any(|bucket| bucket.binds(step)))
    }

    /// What holds at a candidate: the worst of its quotas.
    fn judge(&self, candidate: &Candidate, asking: &Asking) -> Verdict {
        let Some(place) = self.place(candidate, asking) else {
            return Verdict::Room;
        };
        let (part, step) = (self.part(), self.step());
        let verdicts = place.buckets.iter().map(|bucket| {
            let need = bucket.need(asking.tokens);
            bucket.judge(asking.party.digest, need, part, step)
        });
        verdicts
            .max_by_key(|verdict| match verdict {
                Verdict::Room => Duration::ZERO,
                Verdict::NoRoom => Duration::from_millis(1),
                Verdict::OverShare(wait) => *wait,
            })
            .unwrap_or(Verdict::Room)
    }

    /// Bedrock is about to be asked: what it sets aside is set aside here, too. `None` if nothing is known of a quota.
    pub(crate) fn reserve(self: &Arc<Self>, candidate: &Candidate, asking: &Asking) -> Option<Hold> {
        let place = self.places.of(candidate, candidate.lane, &asking.model)?;
        let step = self.step();
        let mut names = [0; MAX_BUCKETS];
        for (name, bucket) in names.iter_mut().zip(&place.buckets) {
            *name = bucket.reserve(asking.party.digest, bucket.need(asking.tokens), step);
        }
        Some(Hold {
            quotas: Arc::clone(self),
            place,
            names,
            tokens: asking.tokens,
            burndown: asking.model.output_burndown,
            is_settled: false,
        })
    }

    /// Bedrock has throttled a model there.
    pub(crate) fn throttled(&self, candidate: &Candidate, model: &Model) {
        if let Some(place) = self.places.of(candidate, candidate.lane, model) {
            let step = self.step();
            place.buckets.iter().for_each(|bucket| bucket.throttled(step));
        }
    }

    /// Forgets endpoints that are no more.
    pub(crate) fn keep(&self, is_known: impl Fn(&EndpointId) -> bool) {
        self.places.keep(is_known);
    }

    /// How much of each quota is to be seen from here. If nobody says any more what others use, as many as there were last have
    /// their part.
    fn part(&self) -> Part {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.part.known > 1 && heard.at.is_some_and(|at| at.elapsed() >= HEARSAY) {
            heard.part.known = 1;
            for bucket in self.places.buckets() {
                bucket.heard(Elsewhere::default());
            }
        }
        heard.part
    }
}

/// The refusal, with about how long it holds.
fn over_share(verdicts: &[Verdict], is_team: bool) -> Fault {
    let waits = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::OverShare(wait) => Some(*wait),
        Verdict::Room | Verdict::NoRoom => None,
    });
    let wait = waits.min().unwrap_or_default().min(LONGEST);
    let wait_s = u32::try_from(wait.as_secs()).unwrap_or(1).max(1);
    let who = if is_team {
        "your team has its"
    } else {
        "you have your"
    };
    let text = format!(
        "the quota of AWS's for this model is short at the moment, and {who} share of it; others want theirs. Try again when \
         retry-after says, or send less at a time. Fewer max_tokens help: as many are set aside while a request runs."
    );
    let problem = Problem::new(Code::RateLimited, text).retry_after(wait_s);
    Fault::refused_here(Fault::OVER_SHARE, problem)
}

/// What is set aside for a request that runs. Dropped without being settled, it is free again.
pub(crate) struct Hold {
    quotas: Arc<Quotas>,
    place: Arc<Place>,
    /// Under which name it is counted in each.
    names: [u64; MAX_BUCKETS],
    tokens: u64,
    burndown: u32,
    is_settled: bool,
}

impl Hold {
    /// The request is over and has used these tokens.
    pub(crate) fn settle(mut self, tokens: &Tokens) {
        self.free(quota::settled(tokens, self.burndown));
    }

    fn free(&mut self, used: u64) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let step = self.quotas.step();
        for (name, bucket) in self.names.iter().zip(&self.place.buckets) {
            bucket.settle(*name, bucket.need(self.tokens), used, step);
        }
        self.quotas.freed.notify_waiters();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.free(0);
    }
}

#[cfg(test)]
mod tests;
