//! `Allowance.Lease`: data planes draw on budgets and limits.

use super::Services;
use crate::app::allowances::{self, Answers, Granted, LEASE_MS, Superseded, Wish};
use crate::store::StoreError;
use crate::store::allowances::HolderStream;
use ccag_allowance::{Answer, Refusal, Report, Totals, Want};
use ccag_domain::ReplicaId;
use ccag_proto::v1;
use ccag_proto::v1::lease_request::Body as Up;
use ccag_proto::v1::lease_response::Body as Down;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

/// How long one message may take. The data plane waits a little longer before it goes to another control plane.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long the first message may take.
const HELLO: Duration = Duration::from_secs(10);

/// How often it is tried to write down what was said last.
const LAST_TRIES: usize = 5;

/// The most accounts that one message may be about.
const MAX_WISHES: usize = 10_000;

#[tonic::async_trait]
impl v1::allowance_server::Allowance for Services {
    type LeaseStream = ReceiverStream<Result<v1::LeaseResponse, Status>>;

    async fn lease(
        &self,
        request: Request<Streaming<v1::LeaseRequest>>,
    ) -> Result<Response<Self::LeaseStream>, Status> {
        if self.end.is_cancelled() {
            return Err(shutting_down());
        }
        let (out, answer) = mpsc::channel(4);
        let services = self.clone();
        self.life.spawn("lease stream", async move {
            if let Err(status) = serve(&services, request.into_inner(), &out).await {
                let _ = out.try_send(Err(status));
            }
        });
        Ok(Response::new(ReceiverStream::new(answer)))
    }
}

type Out = mpsc::Sender<Result<v1::LeaseResponse, Status>>;

fn shutting_down() -> Status {
    Status::unavailable("this control plane is shutting down")
}

/// Answers message by message. One that has begun is finished before the stream ends.
async fn serve(
    services: &Services,
    mut inbound: Streaming<v1::LeaseRequest>,
    out: &Out,
) -> Result<(), Status> {
    let first = tokio::time::timeout(HELLO, inbound.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello"))??;
    let Some(Up::Hello(hello)) = first.and_then(|message| message.body) else {
        return Err(Status::invalid_argument("the first message must be a hello"));
    };
    let from = holder(&hello)?;
    let totals: Vec<_> = hello.totals.into_iter().take(MAX_WISHES).map(totals).collect();
    let unrecorded = hello.unrecorded.into_iter().take(MAX_WISHES);
    let unrecorded = unrecorded.map(|one| (one.account, one.used)).collect();
    let begun = allowances::hello(&services.app, &from, &totals, &unrecorded);
    let holders = within(services, begun).await?;
    let lease_ms = u64::try_from(LEASE_MS).unwrap_or(0);
    send(out, Down::Welcome(v1::Welcome { lease_ms, holders })).await?;
    let mut kept = Kept::default();
    let ended = answer_all(services, &mut inbound, out, &from, &mut kept).await;
    // However the stream ended: if the data plane is gone, this is the last that was heard of it.
    write_down(services, &from, &kept.last_words()).await;
    ended
}

/// Writes what was said last. Where the database is not able to take it now, it is tried again: what requests have used that
/// leave no record is known from here alone.
async fn write_down(services: &Services, from: &HolderStream, last: &[Wish]) {
    for _ in 0..LAST_TRIES {
        if last.is_empty() {
            return;
        }
        match within(services, allowances::ask(&services.app, from, last, false)).await {
            Ok(_) => return,
            // The data plane is back, and speaks for itself.
            Err(status) if status.code() == Code::Aborted => return,
            Err(_) => tokio::time::sleep(KEEP).await,
        }
    }
    tracing::error!(
        replica = from.replica_id,
        "what a data plane said last of its budgets could not be written down: if it is lost, what its requests used in the last second is missing from them"
    );
}

async fn answer_all(
    services: &Services,
    inbound: &mut Streaming<v1::LeaseRequest>,
    out: &Out,
    from: &HolderStream,
    kept: &mut Kept,
) -> Result<(), Status> {
    loop {
        let message = tokio::select! {
            message = inbound.message() => message?,
            () = tokio::time::sleep(KEEP), if !kept.reports.is_empty() => {
                // It has fallen silent: what it said last is written before it counts as lost.
                let last = kept.take();
                within(services, allowances::ask(&services.app, from, &last, false)).await?;
                kept.noted(last);
                continue;
            }
            () = services.end.cancelled() => return Err(shutting_down()),
        };
        let Some(message) = message else { return Ok(()) };
        let ask = match message.body {
            Some(Up::Ask(ask)) => ask,
            Some(Up::Hello(_)) => return Err(Status::invalid_argument("a second hello")),
            // What only a newer data plane says. It waits for an answer all the same, and gets one that grants nothing.
            None => v1::LeaseAsk::default(),
        };
        if ask.wishes.len() > MAX_WISHES {
            return Err(Status::invalid_argument("too many accounts in one message"));
        }
        kept.hear(&ask);
        let wishes: Vec<Wish> = ask.wishes.into_iter().map(wish).collect();
        let answers = match kept.answer(&wishes, services.app.now_ms()) {
            Some(answers) => answers,
            None => {
                // What was only kept for other accounts goes along.
                let all = kept.with_kept(wishes);
                let asked = allowances::ask(&services.app, from, &all, ask.earlier_runs_delivered);
                let answers = within(services, asked).await?;
                kept.written(all, &answers, services.app.now_ms());
                answers
            }
        };
        let body = v1::LeaseAnswer {
            granted: answers.granted.into_iter().map(answer).collect(),
            holders: answers.holders,
        };
        send(out, Down::Answer(body)).await?;
    }
}

/// For how long a mere report is kept before it is written down.
const KEEP: Duration = Duration::from_secs(1);

/// What was said since the last transaction. Data planes report several times a second what they hold; that is of use only
/// when they are lost, so it is kept here, and written with the next wish, after a second, or when the stream ends.
#[derive(Default)]
struct Kept {
    reports: HashMap<String, Wish>,
    /// What was written last of each account, and what was answered.
    known: HashMap<String, (Wish, Granted)>,
    written_at_ms: i64,
    holders: u32,
    heard: Heard,
}

/// What was said last of how fast requests use what there is.
struct Heard {
    at: Instant,
    /// For how long ahead it was said what they will have used.
    ahead: Duration,
    /// What they use in a second, by account.
    paces: HashMap<String, i64>,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            ahead: Duration::ZERO,
            paces: HashMap::new(),
        }
    }
}

impl Heard {
    /// What requests have used by now beyond what was said.
    fn beyond(&self, account: &str) -> i64 {
        let late = self.at.elapsed().saturating_sub(self.ahead);
        let late_ms = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
        let pace = self.paces.get(account).copied().unwrap_or(0).max(0);
        pace.saturating_mul(late_ms) / 1_000
    }
}

impl Kept {
    fn hear(&mut self, ask: &v1::LeaseAsk) {
        self.heard.at = Instant::now();
        self.heard.ahead = Duration::from_millis(ask.ahead_ms);
        for wish in &ask.wishes {
            self.heard.paces.insert(wish.account.clone(), wish.pace);
        }
    }

    /// What is to be written when the stream has ended: what was only kept, and, where the end came later than the last word
    /// allowed for, what requests will have used meanwhile.
    fn last_words(&mut self) -> Vec<Wish> {
        let mut last: Vec<Wish> = self.take();
        for (account, (wish, _)) in &self.known {
            if self.heard.beyond(account) > 0 && last.iter().all(|kept| &kept.account != account) {
                last.push(Wish {
                    want: Want::default(),
                    ..wish.clone()
                });
            }
        }
        for wish in &mut last {
            let exposed = wish.said.exposed.saturating_add(self.heard.beyond(&wish.account));
            wish.said.exposed = exposed.min(wish.said.unused.max(wish.said.exposed));
        }
        last
    }

    /// The answer to mere reports; `None` if there is a wish among them, or it is time to write.
    fn answer(&mut self, wishes: &[Wish], now_ms: i64) -> Option<Answers> {
        if now_ms - self.written_at_ms >= i64::try_from(KEEP.as_millis()).unwrap_or(0) {
            return None;
        }
        let mut granted = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let (known, answered) = self.known.get(&wish.account)?;
            if wish.want != Want::default() || wish.returned != known.returned {
                return None;
            }
            granted.push(Granted {
                answer: answered.answer.map(|answer| Answer {
                    amount: 0,
                    refusal: None,
                    ..answer
                }),
                ..answered.clone()
            });
        }
        for wish in wishes {
            self.reports.insert(wish.account.clone(), wish.clone());
        }
        let holders = self.holders;
        Some(Answers { granted, holders })
    }

    /// Wishes, and what was kept of other accounts.
    fn with_kept(&mut self, wishes: Vec<Wish>) -> Vec<Wish> {
        for wish in &wishes {
            self.reports.remove(&wish.account);
        }
        let mut all = wishes;
        all.extend(self.take());
        all
    }

    fn written(&mut self, wishes: Vec<Wish>, answers: &Answers, now_ms: i64) {
        self.written_at_ms = now_ms;
        self.holders = answers.holders;
        for (wish, granted) in wishes.into_iter().zip(&answers.granted) {
            self.known.insert(wish.account.clone(), (wish, granted.clone()));
        }
    }

    /// What was only kept is written.
    fn noted(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            if let Some((known, _)) = self.known.get_mut(&wish.account) {
                *known = wish;
            }
        }
    }

    fn take(&mut self) -> Vec<Wish> {
        self.reports.drain().map(|(_, wish)| wish).collect()
    }
}

async fn send(out: &Out, body: Down) -> Result<(), Status> {
    out.send(Ok(v1::LeaseResponse { body: Some(body) }))
        .await
        .map_err(|_| Status::cancelled("the data plane has gone"))
}

/// Waits for the database, but not for long.
async fn within<T>(
    services: &Services,
    work: impl Future<Output = Result<Result<T, Superseded>, StoreError>>,
) -> Result<T, Status> {
    let unavailable = || {
        services.app.metrics.db_error("allowance");
        Status::unavailable("budgets cannot be asked for at the moment")
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(Ok(done))) => Ok(done),
        Ok(Ok(Err(Superseded))) => Err(Status::aborted("a newer stream of this data plane has begun")),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a data plane could not be answered about budgets");
            Err(unavailable())
        }
        Err(_) => Err(unavailable()),
    }
}

fn holder(hello: &v1::LeaseHello) -> Result<HolderStream, Status> {
    let id =
        ReplicaId::parse(&hello.replica_id).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let count =
        |n: u64| i64::try_from(n).map_err(|_| Status::invalid_argument("the run or stream is absurd"));
    Ok(HolderStream {
        replica_id: id.to_string(),
        run: count(hello.run)?,
        stream: count(hello.stream)?,
    })
}

fn totals(message: v1::AccountTotals) -> (String, Totals) {
    let totals = Totals {
        granted: message.granted.max(0),
        returned: message.returned.max(0),
    };
    (message.account, totals)
}

fn wish(message: v1::Wish) -> Wish {
    Wish {
        account: message.account,
        want: Want {
            least: message.least,
            need: message.need,
            comfort: message.comfort,
        },
        returned: message.returned,
        said: Report {
            unused: message.unused,
            exposed: message.exposed,
            kept: message.kept,
        },
    }
}

fn answer(granted: Granted) -> v1::Granted {
    let refusal = match granted.answer.map(|answer| answer.refusal) {
        None => v1::Refusal::Unknown,
        Some(None) => v1::Refusal::Unspecified,
        Some(Some(Refusal::Exhausted)) => v1::Refusal::Exhausted,
        Some(Some(Refusal::Busy)) => v1::Refusal::Busy,
    };
    v1::Granted {
        account: granted.account,
        amount: granted.answer.map_or(0, |answer| answer.amount),
        refusal: refusal.into(),
        scarce: granted.answer.is_some_and(|answer| answer.scarce),
        spent: granted.spent,
        held: granted.held,
    }
}
