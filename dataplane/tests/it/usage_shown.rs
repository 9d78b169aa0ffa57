//! `GET /api/oauth/usage`.

use crate::control::{ControlPlane, KEY, usual};
use crate::world::{Control, Options, Rig, world_of};
use ccag_domain::{
    Budget, BudgetAction, BudgetId, BudgetMode, BudgetRule, BudgetScope, ConfigObject, NanoUsd, Period,
    Posture, TeamId, TimeZone, UserId,
};
use http_body_util::Full;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const PATH: &str = "/api/oauth/usage";

fn budget(id: &str, scope: BudgetScope, dollars: i64, period: Period) -> ConfigObject {
    ConfigObject::Budget(Budget {
        id: BudgetId::parse(id).unwrap(),
        scope,
        amount: NanoUsd::from_usd(dollars),
        period,
        time_zone: TimeZone::UTC,
        mode: BudgetMode::Balanced,
        rules: vec![BudgetRule {
            at_percent: 100,
            action: BudgetAction::Block,
        }],
        raises: Vec::new(),
        posture: Posture::Granted,
    })
}

/// A user's monthly budget of $500 and their team's daily one of $1000, with $411.40 spent in each.
async fn world() -> (Control, Rig) {
    let user = BudgetScope::User(UserId::parse("user_1").unwrap());
    let team = BudgetScope::Team(TeamId::parse("team_1").unwrap());
    let plane = ControlPlane::new(Vec::new());
    let treasury = &plane.shared.treasury;
    for id in ["bud_user", "bud_team"] {
        let spent = NanoUsd(411_400_000_000);
        treasury.spent.lock().unwrap().insert(id.to_owned(), spent);
        let ceiling = NanoUsd::from_usd(1_000);
        treasury.ceilings.lock().unwrap().insert(id.to_owned(), ceiling);
    }
    let mut objects = usual();
    objects.push(budget("bud_user", user, 500, Period::Monthly));
    objects.push(budget("bud_team", team, 1_000, Period::Daily));
    plane.replace_snapshot(objects);
    let control = Control::start(plane).await;
    let rig = Rig::start(control.addr, Options::default()).await;
    (control, rig)
}

async fn ask(rig: &Rig) -> Value {
    let answer = rig.get(PATH).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_client_that_has_sent_nothing_yet_sees_what_is_spent() {
    let (control, rig) = world().await;
    let request = rig
        .request("GET", PATH, "")
        .header("authorization", format!("Bearer {KEY}"))
        .body(Full::default())
        .unwrap();
    let answer = rig.send(request).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let shown = answer.json();
    assert_eq!(
        shown["extra_usage"],
        json!({
            "is_enabled": true, "monthly_limit": 50_000, "used_credits": 41_140, "utilization": 82,
            "currency": "USD",
        })
    );
    let mut rows: Vec<_> = shown["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["group"].as_str().unwrap(), &row["percent"], &row["is_active"]))
        .collect();
    rows.sort_unstable_by_key(|row| row.0);
    assert_eq!(
        rows,
        [
            ("daily", &json!(41), &json!(false)),
            ("monthly", &json!(82), &json!(true))
        ]
    );
    // Looking draws nothing.
    assert_eq!(control.plane.shared.treasury.books("bud_user").1, 0);
}

#[tokio::test]
async fn what_others_have_spent_meanwhile_is_seen() {
    let (control, rig) = world().await;
    ask(&rig).await;
    let treasury = &control.plane.shared.treasury;
    treasury.spend("bud_user", NanoUsd::from_usd(50));
    assert_eq!(ask(&rig).await["extra_usage"]["used_credits"], 46_140);
}

#[tokio::test]
async fn a_silent_control_plane_delays_the_answer_by_a_second_at_most() {
    let (control, rig) = world().await;
    control.plane.shared.treasury.mute.store(true, Ordering::Relaxed);
    let began = std::time::Instant::now();
    assert_eq!(ask(&rig).await, json!({"limits": []}));
    assert!(began.elapsed().as_millis() < 2_000, "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_budgets_no_limit_is_claimed_and_nobody_is_asked() {
    let (control, rig) = world_of(usual(), Options::default()).await;
    assert_eq!(ask(&rig).await, json!({"limits": []}));
    assert_eq!(control.plane.shared.treasury.streams.load(Ordering::Relaxed), 0);
    let stranger = rig
        .request("GET", PATH, "sk-ccag-nobody")
        .body(Full::default())
        .unwrap();
    let refused = rig.send(stranger).await;
    assert_eq!(
        (refused.status, refused.error_type().as_str()),
        (401, "authentication_error")
    );
    let posted = rig.send(rig.request("POST", PATH, KEY).body(Full::default()).unwrap());
    assert_eq!(posted.await.status, 405);
}
