//! The side of the control plane that grants shares of budgets, in memory.

use crate::control::Service;
use ccag_allowance::{Account, Draw, Holding, Refusal, Report, Totals, Want};
use ccag_domain::{AccountId, AccountName, NanoUsd};
use ccag_proto::v1;
use ccag_proto::v1::allowance_server::Allowance;
use ccag_proto::v1::lease_request::Body as Up;
use ccag_proto::v1::lease_response::Body as Down;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// All accounts, by name, each with its one holder.
#[derive(Default)]
pub struct Treasury {
    accounts: Mutex<HashMap<String, (Account, Holding)>>,
    /// The most that may be spent, by budget.
    pub ceilings: Mutex<HashMap<String, NanoUsd>>,
    /// The most permits that may be taken, by limit or key.
    pub permits: Mutex<HashMap<String, i64>>,
    /// How many data planes are said to share what there is.
    pub holders: AtomicU32,
    /// What others have spent already, by budget.
    pub spent: Mutex<HashMap<String, NanoUsd>>,
    /// Answers nothing.
    pub mute: AtomicBool,
    pub streams: AtomicUsize,
    pub asks: AtomicUsize,
}

impl Treasury {
    fn with<T>(&self, account: &str, work: impl FnOnce(&mut Account, &mut Holding) -> T) -> Option<T> {
        let name = AccountId::parse(account)?.name()?;
        let (owner, ceiling) = match &name {
            AccountName::Budget { budget, .. } => {
                let ceiling = *self.ceilings.lock().unwrap().get(budget.as_str())?;
                (budget.to_string(), ceiling.0)
            }
            AccountName::Limit { limit, .. } => (limit.to_string(), self.permits(limit.as_str())?),
            AccountName::Key(key) => (key.to_string(), self.permits(key.as_str())?),
            AccountName::Throttle { budget, rate, .. } => (budget.to_string(), i64::from(*rate)),
        };
        let mut accounts = self.accounts.lock().unwrap();
        let (account, holding) = accounts.entry(account.to_owned()).or_insert_with(|| {
            let is_money = matches!(name, AccountName::Budget { .. });
            let spent = self
                .spent
                .lock()
                .unwrap()
                .get(&owner)
                .copied()
                .filter(|_| is_money);
            let account = Account {
                settled: spent.unwrap_or_default().0,
                ..Account::default()
            };
            (account, Holding::default())
        });
        account.ceiling = Some(ceiling);
        Some(work(account, holding))
    }

    fn permits(&self, owner: &str) -> Option<i64> {
        self.permits.lock().unwrap().get(owner).copied()
    }

    /// A record has arrived for the first time.
    pub fn settle(&self, record: &v1::UsageRecord) {
        for draw in &record.draws {
            let one = Draw {
                amount: draw.amount,
                earlier_run: false,
            };
            self.with(&draw.account, |account, holding| {
                account.settle(draw.amount, Some((holding, one)))
            });
        }
    }

    /// Others have spent something of a budget that has an account.
    pub fn spend(&self, budget: &str, amount: NanoUsd) {
        let mut accounts = self.accounts.lock().unwrap();
        for (id, (account, _)) in accounts.iter_mut() {
            if id.starts_with(&format!("{budget}/")) {
                account.settled += amount.0;
            }
        }
    }

    /// The account of a budget that has one: settled and held.
    pub fn books(&self, budget: &str) -> (i64, i64) {
        let accounts = self.accounts.lock().unwrap();
        let found = accounts
            .iter()
            .find(|(id, _)| id.starts_with(&format!("{budget}/")));
        found.map_or((0, 0), |(_, (account, _))| (account.settled, account.held))
    }

    /// How many permits of a limit are held.
    pub fn taken(&self, account: &str) -> i64 {
        let accounts = self.accounts.lock().unwrap();
        accounts.get(account).map_or(0, |(account, _)| account.held)
    }

    fn answer(&self, wish: v1::Wish) -> v1::Granted {
        let want = Want {
            least: wish.least,
            need: wish.need,
            comfort: wish.comfort,
        };
        let said = Report {
            unused: wish.unused,
            exposed: wish.exposed,
            kept: wish.kept,
        };
        let answered = self.with(&wish.account, |account, holding| {
            account.report(holding, wish.returned, said);
            let answer = account.grant(holding, want, 1);
            (answer, account.settled, account.held)
        });
        let Some((answer, spent, held)) = answered else {
            return v1::Granted {
                account: wish.account,
                refusal: v1::Refusal::Unknown.into(),
                ..v1::Granted::default()
            };
        };
        let refusal = match answer.refusal {
            None => v1::Refusal::Unspecified,
            Some(Refusal::Exhausted) => v1::Refusal::Exhausted,
            Some(Refusal::Busy) => v1::Refusal::Busy,
        };
        v1::Granted {
            account: wish.account,
            amount: answer.amount,
            refusal: refusal.into(),
            scarce: answer.scarce,
            spent,
            held,
        }
    }

    async fn serve(
        &self,
        mut inbound: Streaming<v1::LeaseRequest>,
        out: mpsc::Sender<Result<v1::LeaseResponse, Status>>,
    ) {
        self.streams.fetch_add(1, Ordering::Relaxed);
        while let Ok(Some(message)) = inbound.message().await {
            if self.mute.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            let body = match message.body.unwrap() {
                Up::Hello(hello) => {
                    for totals in hello.totals {
                        let known = Totals {
                            granted: totals.granted,
                            returned: totals.returned,
                        };
                        self.with(&totals.account, |account, holding| account.resume(holding, known));
                    }
                    let holders = self.holders.load(Ordering::Relaxed);
                    Down::Welcome(v1::Welcome {
                        lease_ms: 30_000,
                        holders,
                    })
                }
                Up::Ask(ask) => {
                    self.asks.fetch_add(1, Ordering::Relaxed);
                    let granted = ask.wishes.into_iter().map(|wish| self.answer(wish)).collect();
                    let holders = self.holders.load(Ordering::Relaxed);
                    Down::Answer(v1::LeaseAnswer { granted, holders })
                }
            };
            if out
                .send(Ok(v1::LeaseResponse { body: Some(body) }))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

#[tonic::async_trait]
impl Allowance for Service {
    type LeaseStream = ReceiverStream<Result<v1::LeaseResponse, Status>>;

    async fn lease(
        &self,
        request: Request<Streaming<v1::LeaseRequest>>,
    ) -> Result<Response<Self::LeaseStream>, Status> {
        let (out, answers) = mpsc::channel(4);
        let (shared, inbound) = (Arc::clone(&self.0), request.into_inner());
        tokio::spawn(async move { shared.treasury.serve(inbound, out).await });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}
