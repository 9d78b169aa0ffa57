//! What was used over time: by the API, in the console, and as a file.

use crate::console::Browser;
use crate::support::{Caller, NOON, Plane, TestDb, on_both, record};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::time::{DAY_MS, HOUR_MS};
use ccag_domain::{ModelName, TeamId, UsageRecord, UserId};
use serde_json::{Value, json};

on_both!(
    sums_over_time_are_those_of_the_ledger,
    users_are_new_once,
    models_are_measured_each,
    everybody_sees_what_they_may,
    a_budget_is_tried_out_on_what_was_used,
    a_budget_is_tried_out_and_charges_are_taken_along_in_the_console,
);

const HAIKU: &str = "claude-haiku-4-5";
const SONNET: &str = "claude-sonnet-4-6";

struct Made {
    plane: Plane,
    admin: Caller,
    ada: (Caller, UserId),
    bob: (Caller, UserId),
    red: TeamId,
}

/// Six requests: Ada's of the red team on three days and one of an hour ago, Bob's of yesterday, and one of nobody's.
async fn made(db: &TestDb) -> Made {
    let plane = Plane::start(db).await;
    let admin = plane.admin().await;
    let red = admin.post("/admin/teams", json!({"name": "=Red"})).await.id();
    let red = TeamId::parse(&red).unwrap();
    let (ada, ada_id) = admin.new_member("ada").await;
    let (bob, bob_id) = admin.new_member("bob").await;
    let (ada_id, bob_id) = (UserId::parse(&ada_id).unwrap(), UserId::parse(&bob_id).unwrap());
    let one = |seed: u64, model: &str, user: Option<&UserId>, team: Option<&TeamId>, ago: i64| UsageRecord {
        model: ModelName::canonical(model),
        user_id: user.cloned(),
        team_id: team.cloned(),
        started_at_ms: NOON - ago,
        first_token_ms: Some(u32::try_from(seed).unwrap() * 100),
        duration_ms: u32::try_from(seed).unwrap() * 1_000,
        ..record(seed)
    };
    let records = [
        one(1, HAIKU, Some(&ada_id), Some(&red), 40 * DAY_MS),
        one(2, HAIKU, Some(&ada_id), Some(&red), 2 * DAY_MS),
        one(3, SONNET, Some(&ada_id), Some(&red), DAY_MS),
        one(4, HAIKU, Some(&ada_id), Some(&red), HOUR_MS),
        one(5, SONNET, Some(&bob_id), None, DAY_MS),
        one(6, HAIKU, None, None, DAY_MS),
    ];
    let batch = records
        .into_iter()
        .map(|record| Incoming::Record(Box::new(record)));
    take_in(plane.app(), "rep_test", batch.collect()).await.unwrap();
    Made {
        plane,
        admin,
        ada: (ada, ada_id),
        bob: (bob, bob_id),
        red,
    }
}

fn requests(table: &Value) -> Vec<(String, Value, u64)> {
    let cells = table["cells"].as_array().unwrap();
    let cell = |cell: &Value| {
        let start = cell["start"].as_str().unwrap()[..10].to_owned();
        (start, cell["name"].clone(), cell["requests"].as_u64().unwrap())
    };
    cells.iter().map(cell).collect()
}

async fn sums_over_time_are_those_of_the_ledger(db: TestDb) {
    let made = made(&db).await;
    let admin = &made.admin;
    let table = admin
        .get("/admin/analytics?group_by=team&step=day&days=3")
        .await
        .json();
    let mut found = requests(&table);
    found.sort_by_key(|(start, name, _)| (start.clone(), name.to_string()));
    let day = |text: &str, name: Value, n| (text.to_owned(), name, n);
    assert_eq!(
        found,
        [
            day("2026-11-22", json!("=Red"), 1),
            day("2026-11-23", json!("=Red"), 1),
            day("2026-11-23", Value::Null, 2),
            day("2026-11-24", json!("=Red"), 1),
        ]
    );
    // Every step comes to the same.
    let summary = admin.get("/admin/usage/summary?days=60").await.json();
    for step in ["hour", "day", "week", "month"] {
        let table = admin
            .get(&format!("/admin/analytics?step={step}&days=60"))
            .await
            .json();
        let cells = table["cells"].as_array().unwrap();
        let sum = |what: &str| cells.iter().map(|cell| cell[what].as_i64().unwrap()).sum::<i64>();
        for what in ["requests", "input_tokens", "output_tokens", "cost_nano_usd"] {
            assert_eq!(json!(sum(what)), summary["total"][what], "{step} {what}");
        }
        let starts: Vec<&str> = cells.iter().map(|cell| cell["start"].as_str().unwrap()).collect();
        assert!(starts.is_sorted_by(|a, b| a < b), "{starts:?}");
    }
    let months = admin.get("/admin/analytics?step=month&days=60").await.json();
    assert_eq!(requests(&months)[0].0, "2026-10-01");
    // Several of a kind, and what belongs to none.
    let asked = format!(
        "/admin/analytics?days=60&team_id={},none&model={SONNET}",
        made.red
    );
    assert_eq!(
        requests(&admin.get(&asked).await.json()),
        [day("2026-11-23", Value::Null, 2)]
    );
    let asked = format!("/admin/analytics?days=60&team_id=none&user_id={}", made.bob.1);
    assert_eq!(requests(&admin.get(&asked).await.json()).len(), 1);
    // As a file, in which a name is no formula.
    let file = admin
        .get("/admin/analytics?group_by=team&step=month&days=60&format=csv")
        .await;
    assert!(
        file.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let lines: Vec<&str> = file.text.split("\r\n").collect();
    assert!(lines[0].starts_with("start,id,name,requests"), "{lines:?}");
    assert_eq!(
        lines.iter().filter(|line| line.contains(",\"'=Red\",")).count(),
        2,
        "{lines:?}"
    );
    // What cannot be asked is said.
    for (wrong, field) in [
        ("step=hour&days=100", "step"),
        ("from=2026-11-02&to=2026-11-01", "from"),
        ("group_by=day", "group_by"),
    ] {
        let refused = admin.get(&format!("/admin/analytics?{wrong}")).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["field"]),
            (400, &json!(field)),
            "{wrong}"
        );
    }
    let forecast = admin.get("/admin/analytics/forecast").await.json();
    let this_month = admin.get("/admin/usage/summary?from=2026-11-01").await.json();
    assert_eq!(forecast["spent_nano_usd"], this_month["total"]["cost_nano_usd"]);
    assert_eq!(forecast["until"], "2026-12-01T00:00:00.000Z");
    made.plane.stop().await;
}

async fn users_are_new_once(db: TestDb) {
    let made = made(&db).await;
    let found = made.admin.get("/admin/analytics/activity?days=3").await.json();
    // Ada was there forty days ago; what belongs to nobody is nobody's.
    assert_eq!(found["users"], 2);
    let days: Vec<(&str, u64, u64)> = found["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| {
            let count = |what: &str| day[what].as_u64().unwrap();
            (&day["day"].as_str().unwrap()[..10], count("active"), count("new"))
        })
        .collect();
    assert_eq!(
        days,
        [("2026-11-22", 1, 0), ("2026-11-23", 2, 1), ("2026-11-24", 1, 0)]
    );
    // The 23rd was a Monday: three requests at noon, and one of today's at eleven.
    assert_eq!(
        (&found["week"][0][12], &found["week"][1][11]),
        (&json!(3), &json!(1))
    );
    let all = made.admin.get("/admin/analytics/activity?days=60").await.json();
    let new: u64 = all["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["new"].as_u64().unwrap())
        .sum();
    assert_eq!((new, &all["users"]), (2, &json!(2)));
    made.plane.stop().await;
}

async fn models_are_measured_each(db: TestDb) {
    let made = made(&db).await;
    let found = made.admin.get("/admin/analytics/performance?days=3").await.json();
    let of = |name: &str| {
        let models = found["models"].as_array().unwrap();
        models.iter().find(|row| row["id"] == name).unwrap().clone()
    };
    let (haiku, sonnet) = (of(HAIKU), of(SONNET));
    assert_eq!((&haiku["requests"], &sonnet["requests"]), (&json!(3), &json!(2)));
    // 200, 400 and 600 ms; known to within 19 %.
    let middle = haiku["first_token"]["p50_ms"].as_u64().unwrap();
    assert!((400..480).contains(&middle), "{haiku}");
    let last = haiku["duration"]["p99_ms"].as_u64().unwrap();
    assert!((6_000..7_200).contains(&last), "{haiku}");
    assert_eq!(found["endpoints"].as_array().unwrap().len(), 1);
    assert_eq!(found["endpoints"][0]["requests"], 5);
    made.plane.stop().await;
}

async fn everybody_sees_what_they_may(db: TestDb) {
    let made = made(&db).await;
    let count = |table: &Value| requests(table).iter().map(|(_, _, n)| n).sum::<u64>();
    let everything = "/admin/analytics?days=60";
    assert_eq!(count(&made.admin.get(everything).await.json()), 6);
    assert_eq!(count(&made.ada.0.get(everything).await.json()), 4);
    let others = format!("{everything}&user_id={}", made.ada.1);
    assert_eq!(count(&made.bob.0.get(&others).await.json()), 0);
    assert_eq!(
        made.bob.0.get("/admin/analytics/activity?days=60").await.json()["users"],
        1
    );
    // In the console as well.
    let page = Browser::of(&made.admin).get("/console/analytics?range=90d").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("=Red") && page.text.contains("no team"),
        "{}",
        page.text
    );
    let own = Browser::of(&made.bob.0).get("/console/analytics?range=90d").await;
    assert!(
        !own.text.contains("=Red") && !own.text.contains("ada"),
        "{}",
        own.text
    );
    for page in ["", "/activity", "/models"] {
        for query in [
            "",
            "?range=custom&from=soon",
            "?step=hour&range=year",
            "?team=none&user=x&key=y&model=z&endpoint=e",
        ] {
            let page = Browser::of(&made.admin)
                .get(&format!("/console/analytics{page}{query}"))
                .await;
            assert_eq!(page.status, 200, "{query}: {}", page.text);
        }
    }
    let file = Browser::of(&made.admin)
        .get("/console/analytics/export?range=90d&by=user")
        .await;
    assert!(
        file.text.contains(",ada,")
            && file.headers["content-disposition"]
                .to_str()
                .unwrap()
                .contains("csv")
    );
    made.plane.stop().await;
}

async fn a_budget_is_tried_out_on_what_was_used(db: TestDb) {
    let made = made(&db).await;
    let admin = &made.admin;
    let ask = async |who: &Caller, query: &str| {
        let answer = who.get(&format!("/admin/analytics/what-if?{query}")).await;
        (answer.status.as_u16(), answer.json())
    };
    // Everybody's last thirty days: five requests, nobody's among them.
    let (status, all) = ask(admin, "scope=organisation&amount_usd=0&period=total").await;
    assert_eq!(status, 200, "{all}");
    assert_eq!(
        (&all["refused_requests"], &all["spent_usd"]),
        (&json!(5), &all["over_usd"])
    );
    assert_eq!(all["periods"].as_array().unwrap().len(), 1);
    let (_, roomy) = ask(admin, "scope=organisation&amount_usd=1000").await;
    assert_eq!(
        (&roomy["refused_requests"], &roomy["over_usd"]),
        (&json!(0), &json!("0.00"))
    );
    assert_eq!(roomy["spent_usd"], all["spent_usd"]);
    // Each user's: Ada has three requests of those days, Bob one; what is nobody's counts for no one.
    let (_, each) = ask(admin, "scope=each_user&amount_usd=0&period=weekly").await;
    assert_eq!(
        (&each["refused_requests"], &each["refused_subjects"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(
        (&each["subjects"][0]["name"], &each["subjects"][0]["id"]),
        (&json!("ada"), &json!(made.ada.1))
    );
    assert_eq!(each["subjects"][0]["refused_requests"], 3);
    // Of the red team's members.
    let query = format!("scope=each_member&team_id={}&amount_usd=0", made.red);
    assert_eq!(ask(admin, &query).await.1["refused_subjects"], 1);
    for (query, field) in [
        ("scope=team&amount_usd=5", "team_id"),
        ("scope=organisation&amount_usd=5&days=90", "days"),
        ("scope=organisation&amount_usd=5&policy=harsh", "policy"),
        ("scope=organisation&amount_usd=5&time_zone=Nowhere", "time_zone"),
        ("scope=organisation&amount_usd=-5", "amount_usd"),
    ] {
        let (status, refused) = ask(admin, query).await;
        assert_eq!((status, &refused["field"]), (400, &json!(field)), "{query}");
    }
    assert_eq!(ask(&made.ada.0, "scope=organisation&amount_usd=5").await.0, 403);
    made.plane.stop().await;
}

async fn a_budget_is_tried_out_and_charges_are_taken_along_in_the_console(db: TestDb) {
    let made = made(&db).await;
    let browser = Browser::of(&made.admin);
    let page = browser.get("/console/budgets/try").await.text;
    assert!(page.contains("Try it out") && !page.contains("Period by period"));
    let fits = "scope=organisation&amount=0&period=total&time_zone=UTC&policy=standard&days=30";
    let page = browser.get(&format!("/console/budgets/try?{fits}")).await.text;
    assert!(page.contains("Period by period") && page.contains("nothing is served"));
    let each = fits.replace("organisation", "each_user");
    let page = browser.get(&format!("/console/budgets/try?{each}")).await.text;
    assert!(page.contains(">bob<"), "{page}");
    for (wrong, message) in [
        ("days=30", "Give 1 to 62 days."),
        ("amount=0", "Write dollars as a plain decimal"),
        ("scope=organisation", "Name the user who is meant."),
        ("time_zone=UTC", "IANA"),
    ] {
        let (name, _) = wrong.split_once('=').unwrap();
        let instead = match name {
            "days" => "days=90",
            "amount" => "amount=much",
            "scope" => "scope=user",
            _ => "time_zone=Nowhere",
        };
        let asked = fits.replace(wrong, instead);
        let answer = browser.get(&format!("/console/budgets/try?{asked}")).await;
        assert!(answer.status == 200 && answer.text.contains(message), "{name}");
        assert!(!answer.text.contains("Period by period"));
    }
    let own = Browser::of(&made.bob.0).get("/console/budgets/try").await.text;
    assert!(own.contains("You see your own usage only"));

    let spend = browser.get("/console/analytics?range=90d").await.text;
    assert!(spend.contains("Download charges"));
    let day = |ago: i64| {
        let at = ccag_admin_api::Timestamp::from_ms(NOON - ago);
        at.date()
    };
    let file = async |who: &Browser, from: i64, to: i64| {
        let address = format!("/console/analytics/focus?from={}&to={}", day(from), day(to));
        who.get(&address).await.text
    };
    // One day, which is the first and the last: three requests of it, of one class of tokens or another.
    let one = file(&browser, DAY_MS, DAY_MS).await;
    assert!(one.lines().count() > 3, "{one}");
    let two = file(&browser, 2 * DAY_MS, DAY_MS).await;
    assert!(two.lines().count() > one.lines().count());
    let bobs = file(&Browser::of(&made.bob.0), DAY_MS, DAY_MS).await;
    assert!(bobs.lines().count() < one.lines().count() && bobs.lines().count() > 1);
    let refused = browser.get("/console/analytics/focus?from=soon").await;
    assert_eq!(refused.status, 400);
}
