//! `Allowance.Lease`: what is granted, given back and settled, on both databases and over several control planes.

use crate::support::{NOON, Plane, TestDb, config, on_both, record};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::usage::Draw;
use ccag_domain::{AccountId, NanoUsd, Period, TimeZone, UsageRecord};
use ccag_proto::v1;
use ccag_proto::v1::allowance_client::AllowanceClient;
use ccag_proto::v1::lease_request::Body as Up;
use ccag_proto::v1::lease_response::Body as Down;
use serde_json::json;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

on_both!(
    a_share_is_granted_settled_by_its_record_and_given_back,
    what_the_ledger_has_already_is_not_granted_again,
    a_broken_stream_gives_back_what_never_arrived,
    a_newer_stream_ends_the_older_one,
    a_new_run_waits_for_the_records_of_the_last,
    a_new_run_says_better_what_the_last_had_used,
    what_is_not_heard_of_any_more_gives_back_what_it_had_not_used,
    what_requests_used_between_the_last_word_and_the_end_of_the_connection_is_counted,
    what_is_unknown_or_belongs_to_another_period_is_not_granted,
    two_control_planes_never_grant_more_than_there_is,
    what_only_a_newer_data_plane_says_is_answered_and_grants_nothing,
);

const REPLICA: &str = "rep_test";

/// What a record of [`record`] costs: see the tests about intake.
const COST: i64 = 1_150_600;

/// A data plane's end of a stream.
pub(crate) struct Lease {
    out: mpsc::Sender<v1::LeaseRequest>,
    answers: tonic::Streaming<v1::LeaseResponse>,
}

impl Lease {
    pub(crate) async fn open(
        plane: &Plane,
        replica: &str,
        run: u64,
        stream: u64,
        totals: &[(&str, i64, i64)],
    ) -> Result<Self, Status> {
        let totals = totals
            .iter()
            .map(|(account, granted, returned)| v1::AccountTotals {
                account: (*account).to_owned(),
                granted: *granted,
                returned: *returned,
            });
        Self::open_with(
            plane,
            v1::LeaseHello {
                replica_id: replica.into(),
                run,
                stream,
                totals: totals.collect(),
                unrecorded: Vec::new(),
            },
        )
        .await
    }

    async fn open_with(plane: &Plane, hello: v1::LeaseHello) -> Result<Self, Status> {
        let (out, outbound) = mpsc::channel(4);
        let hello = Up::Hello(hello);
        out.send(v1::LeaseRequest { body: Some(hello) }).await.unwrap();
        let mut client = AllowanceClient::new(plane.channel().await);
        let mut answers = client.lease(ReceiverStream::new(outbound)).await?.into_inner();
        match answers.message().await?.unwrap().body.unwrap() {
            Down::Welcome(welcome) => assert!(welcome.lease_ms > 0),
            other @ Down::Answer(_) => panic!("not a welcome: {other:?}"),
        }
        Ok(Self { out, answers })
    }

    pub(crate) async fn say(
        &mut self,
        wishes: Vec<v1::Wish>,
        earlier_runs_delivered: bool,
    ) -> Result<Vec<v1::Granted>, Status> {
        let ask = Up::Ask(v1::LeaseAsk {
            wishes,
            earlier_runs_delivered,
            ahead_ms: 0,
        });
        self.out.send(v1::LeaseRequest { body: Some(ask) }).await.unwrap();
        match self.answers.message().await?.unwrap().body.unwrap() {
            Down::Answer(answer) => Ok(answer.granted),
            other @ Down::Welcome(_) => panic!("not an answer: {other:?}"),
        }
    }

    pub(crate) async fn ask(&mut self, account: &str, need: i64) -> v1::Granted {
        self.say(vec![wish(account, need)], true).await.unwrap().remove(0)
    }
}

pub(crate) fn wish(account: &str, need: i64) -> v1::Wish {
    v1::Wish {
        account: account.into(),
        least: need,
        need,
        ..v1::Wish::default()
    }
}

async fn what_only_a_newer_data_plane_says_is_answered_and_grants_nothing(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    assert_eq!(lease.ask(&account, COST).await.amount, COST);
    // On the wire a member of a `oneof` that nobody knows is as good as none.
    lease.out.send(v1::LeaseRequest { body: None }).await.unwrap();
    let answer = lease.answers.message().await.unwrap().unwrap().body;
    assert!(matches!(answer, Some(Down::Answer(answer)) if answer.granted.is_empty()));
    assert_eq!(lease.ask(&account, COST).await.amount, COST, "the stream goes on");
    plane.stop().await;
}

/// A budget for everybody, and its present account.
async fn budget(plane: &Plane, amount: i64) -> String {
    let body = json!({"scope": "organisation", "amount_usd": NanoUsd(amount).to_string(), "mode": "hard"});
    let made = plane.admin().await.post("/admin/budgets", body).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    account_of(&id)
}

fn account_of(budget: &str) -> String {
    let start = Period::Monthly.around(NOON, &TimeZone::UTC).start_ms;
    format!("{budget}/{start}")
}

/// A record of this moment that has drawn on an account.
fn drawn(seed: u64, account: &str, run: u64) -> UsageRecord {
    UsageRecord {
        started_at_ms: NOON,
        draws: vec![Draw {
            account: AccountId::parse(account).unwrap(),
            amount: NanoUsd(COST),
        }],
        run,
        ..record(seed)
    }
}

async fn take(plane: &Plane, records: Vec<UsageRecord>) {
    let incoming = records
        .into_iter()
        .map(|record| Incoming::Record(Box::new(record)));
    take_in(plane.app(), REPLICA, incoming.collect()).await.unwrap();
}

/// Lets the time pass in which a mere report is only kept in mind.
fn wait_to_write(plane: &Plane) {
    plane.clock.0.fetch_add(1_001, Ordering::Relaxed);
}

/// Asks for nothing, to see how an account stands: what is spent, and what is granted.
async fn standing(plane: &Plane, lease: &mut Lease, account: &str) -> (i64, i64) {
    wait_to_write(plane);
    let granted = lease.ask(account, 0).await;
    (granted.spent, granted.held)
}

async fn a_share_is_granted_settled_by_its_record_and_given_back(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    let granted = lease.ask(&account, 4 * COST).await;
    assert_eq!(
        (granted.amount, granted.spent, granted.held),
        (4 * COST, 0, 4 * COST)
    );
    let refused = lease.ask(&account, 7 * COST).await;
    assert_eq!((refused.amount, refused.refusal()), (0, v1::Refusal::Busy));
    let refused = lease.ask(&account, 11 * COST).await;
    assert_eq!(refused.refusal(), v1::Refusal::Exhausted);
    // The record comes twice, and settles once.
    take(&plane, vec![drawn(1, &account, 1), drawn(1, &account, 1)]).await;
    take(&plane, vec![drawn(1, &account, 1)]).await;
    assert_eq!(standing(&plane, &mut lease, &account).await, (COST, 3 * COST));
    let back = v1::Wish {
        returned: 2 * COST,
        ..wish(&account, 0)
    };
    let granted = lease.say(vec![back], true).await.unwrap().remove(0);
    assert_eq!((granted.spent, granted.held), (COST, COST));
}

async fn what_the_ledger_has_already_is_not_granted_again(db: TestDb) {
    let plane = Plane::start(&db).await;
    let records = (1..=5).map(|seed| UsageRecord {
        started_at_ms: NOON,
        ..record(seed)
    });
    take(&plane, records.collect()).await;
    let account = budget(&plane, 8 * COST).await;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    assert_eq!(
        lease.ask(&account, 4 * COST).await.refusal(),
        v1::Refusal::Exhausted
    );
    assert_eq!(lease.ask(&account, 3 * COST).await.amount, 3 * COST);
}

async fn a_broken_stream_gives_back_what_never_arrived(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    lease.ask(&account, 3 * COST).await;
    lease.ask(&account, 5 * COST).await;
    drop(lease);
    // The second grant was never seen, and one was given back on the way.
    let known = [(account.as_str(), 3 * COST, COST)];
    let mut lease = Lease::open(&plane, REPLICA, 1, 2, &known).await.unwrap();
    let seen = v1::Wish {
        returned: COST,
        ..wish(&account, 0)
    };
    assert_eq!(lease.say(vec![seen], true).await.unwrap()[0].held, 2 * COST);
}

async fn a_newer_stream_ends_the_older_one(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut older = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    let _newer = Lease::open(&plane, REPLICA, 1, 2, &[]).await.unwrap();
    let refused = older.say(vec![wish(&account, COST)], true).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Aborted);
    let late = Lease::open(&plane, REPLICA, 1, 1, &[]).await.err().unwrap();
    assert_eq!(late.code(), tonic::Code::Aborted);
}

async fn a_new_run_waits_for_the_records_of_the_last(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    lease.ask(&account, 6 * COST).await;
    // Two requests have ended, one runs and has used half a record's cost.
    let said = v1::Wish {
        unused: 4 * COST,
        exposed: COST / 2,
        ..wish(&account, 0)
    };
    wait_to_write(&plane);
    lease.say(vec![said], true).await.unwrap();
    drop(lease);
    let mut lease = Lease::open(&plane, REPLICA, 2, 1, &[]).await.unwrap();
    let waiting = lease.say(vec![wish(&account, 5 * COST)], false).await.unwrap();
    assert_eq!(
        (waiting[0].refusal(), waiting[0].held),
        (v1::Refusal::Busy, 6 * COST)
    );
    take(&plane, vec![drawn(1, &account, 1), drawn(2, &account, 1)]).await;
    let delivered = lease.say(vec![wish(&account, 5 * COST)], true).await.unwrap();
    assert_eq!((delivered[0].amount, delivered[0].spent), (5 * COST, 2 * COST));
    assert_eq!(delivered[0].held, 5 * COST + COST / 2);
    // Half of a request was being used when the run ended: whoever needs that is not told to wait for it.
    let mut other = Lease::open(&plane, "rep_other", 1, 1, &[]).await.unwrap();
    let left = 10 * COST - 2 * COST - COST / 2;
    assert_eq!(other.ask(&account, left).await.refusal(), v1::Refusal::Busy);
    assert_eq!(
        other.ask(&account, left + 1).await.refusal(),
        v1::Refusal::Exhausted
    );
}

async fn a_new_run_says_better_what_the_last_had_used(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    let said = v1::Wish {
        unused: 6 * COST,
        exposed: 3 * COST,
        ..wish(&account, 6 * COST)
    };
    lease.say(vec![said], true).await.unwrap();
    drop(lease);
    let hello = v1::LeaseHello {
        replica_id: REPLICA.into(),
        run: 2,
        stream: 1,
        unrecorded: vec![v1::Unrecorded {
            account: account.clone(),
            used: COST,
        }],
        ..v1::LeaseHello::default()
    };
    let mut lease = Lease::open_with(&plane, hello.clone()).await.unwrap();
    // Said twice, it counts once.
    drop(lease);
    lease = Lease::open_with(&plane, v1::LeaseHello { stream: 2, ..hello })
        .await
        .unwrap();
    assert_eq!(standing(&plane, &mut lease, &account).await, (0, COST));
    assert_eq!(lease.ask(&account, 9 * COST).await.amount, 9 * COST);
}

async fn what_is_not_heard_of_any_more_gives_back_what_it_had_not_used(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lost = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    lost.ask(&account, 9 * COST).await;
    let said = v1::Wish {
        unused: 8 * COST,
        exposed: COST,
        ..wish(&account, 0)
    };
    wait_to_write(&plane);
    lost.say(vec![said], true).await.unwrap();
    let mut other = Lease::open(&plane, "rep_other", 1, 1, &[]).await.unwrap();
    assert_eq!(other.ask(&account, 2 * COST).await.refusal(), v1::Refusal::Busy);
    plane.clock.0.fetch_add(61_000, Ordering::Relaxed);
    // Whoever speaks is not lost; whoever is silent is, as soon as it is looked for.
    let granted = loop {
        let granted = other.ask(&account, 2 * COST).await;
        if granted.amount > 0 {
            break granted;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(
        granted.held,
        2 * COST + 2 * COST,
        "what it had used stays held, and what its requests were using"
    );
    take(&plane, vec![drawn(1, &account, 1)]).await;
    assert_eq!(standing(&plane, &mut other, &account).await, (COST, 3 * COST));
}

async fn what_requests_used_between_the_last_word_and_the_end_of_the_connection_is_counted(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let mut lost = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    lost.ask(&account, 9 * COST).await;
    // In a tenth of a second everything is used that there is.
    let said = v1::Wish {
        unused: 8 * COST,
        exposed: COST,
        pace: 70 * COST,
        ..wish(&account, 0)
    };
    wait_to_write(&plane);
    lost.say(vec![said], true).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    drop(lost);
    let mut other = Lease::open(&plane, "rep_other", 1, 1, &[]).await.unwrap();
    // What is lost is exhausted, and not busy any more, once it is known to be used.
    let need = 2 * COST;
    loop {
        match other.ask(&account, need).await {
            granted if granted.refusal() == v1::Refusal::Exhausted => break,
            granted => assert_eq!(granted.amount, 0),
        }
        plane.clock.0.fetch_add(61_000, Ordering::Relaxed);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(standing(&plane, &mut other, &account).await, (0, 9 * COST));
}

async fn what_is_unknown_or_belongs_to_another_period_is_not_granted(db: TestDb) {
    let plane = Plane::start(&db).await;
    let account = budget(&plane, 10 * COST).await;
    let (budget, start) = account.split_once('/').unwrap();
    let start: i64 = start.parse().unwrap();
    let next = Period::Monthly.around(NOON, &TimeZone::UTC).end_ms;
    let mut lease = Lease::open(&plane, REPLICA, 1, 1, &[]).await.unwrap();
    for unknown in [
        format!("bud_nobody/{start}"),
        format!("{budget}/{}", start + 1),
        format!("{budget}/{next}"),
        format!("{budget}/{start}/user_1"),
        "nonsense".to_owned(),
    ] {
        let granted = lease.ask(&unknown, 1).await;
        assert_eq!(
            (granted.amount, granted.refusal()),
            (0, v1::Refusal::Unknown),
            "{unknown}"
        );
    }
    assert_eq!(lease.ask(&account, 1).await.amount, 1);
}

async fn two_control_planes_never_grant_more_than_there_is(db: TestDb) {
    let first = Plane::start(&db).await;
    // SQLite has one control plane; its two data planes meet there.
    let second = if db.is_postgres() {
        Some(Plane::start_with(config(&db)).await)
    } else {
        None
    };
    let account = budget(&first, 100 * COST).await;
    let mut leases = Vec::new();
    for (n, plane) in [&first, second.as_ref().unwrap_or(&first)]
        .into_iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        let name = format!("rep_{n}");
        leases.push(Lease::open(plane, &name, 1, 1, &[]).await.unwrap());
    }
    let mut asking = tokio::task::JoinSet::new();
    for mut lease in leases {
        let account = account.clone();
        asking.spawn(async move {
            let mut got = 0;
            for _ in 0..40 {
                got += lease.ask(&account, COST).await.amount;
            }
            got
        });
    }
    let granted: i64 = asking.join_all().await.into_iter().sum();
    assert_eq!(granted, 100 * COST);
}
