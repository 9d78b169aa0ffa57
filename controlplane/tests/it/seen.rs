//! Which tools are called, and how sessions go.

use crate::console::Browser;
use crate::support::{Caller, NOON, Plane, TestDb, on_both, record};
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::time::DAY_MS;
use ccag_domain::{TeamId, ToolCalls, ToolCounts, UsageRecord, UserId};
use serde_json::{Value, json};

on_both!(
    calls_of_tools_are_counted_once_and_seen_by_whom_they_may,
    a_team_with_too_many_tools_has_others,
    sessions_are_counted_once_and_grow,
    records_of_older_data_planes_count_as_before,
);

const MINUTE: i64 = 60_000;

fn tools(calls: &[(&str, u32, u32)]) -> ToolCounts {
    let one = |(name, calls, failed): &(&str, u32, u32)| ToolCalls {
        name: (*name).to_owned(),
        calls: *calls,
        failed: *failed,
    };
    ToolCounts::of_calls(calls.iter().map(one).collect())
}

pub(crate) async fn store(plane: &Plane, records: &[UsageRecord]) {
    let batch = records.iter().cloned().map(|one| Incoming::Record(Box::new(one)));
    take_in(plane.app(), "rep_test", batch.collect()).await.unwrap();
}

/// Groups with their calls and failures.
async fn cells(who: &Caller, query: &str) -> Vec<(Value, Value, u64, u64)> {
    let found = who.get(&format!("/admin/analytics/tools?{query}")).await.json();
    let cell = |cell: &Value| {
        let count = |name: &str| cell[name].as_u64().unwrap();
        (
            cell["id"].clone(),
            cell["name"].clone(),
            count("calls"),
            count("failed"),
        )
    };
    found["cells"].as_array().unwrap().iter().map(cell).collect()
}

fn group(id: &str, calls: u64, failed: u64) -> (Value, Value, u64, u64) {
    (json!(id), Value::Null, calls, failed)
}

async fn calls_of_tools_are_counted_once_and_seen_by_whom_they_may(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let red = admin.post("/admin/teams", json!({"name": "Red"})).await.id();
    let red = TeamId::parse(&red).unwrap();
    let (ada, ada_id) = admin.new_member("ada").await;
    let (bob, bob_id) = admin.new_member("bob").await;
    let of = |seed: u64, user: &str, ago: i64, calls: &[(&str, u32, u32)]| UsageRecord {
        user_id: Some(UserId::parse(user).unwrap()),
        team_id: Some(red.clone()),
        started_at_ms: NOON - ago,
        tools: tools(calls),
        ..record(seed)
    };
    let records = [
        of(
            1,
            &ada_id,
            40 * DAY_MS,
            &[("Bash", 2, 0), ("mcp__github__create_issue", 1, 0)],
        ),
        of(2, &ada_id, DAY_MS, &[("Bash", 3, 1)]),
        of(
            3,
            &bob_id,
            MINUTE,
            &[("mcp__github__get_issue", 4, 0), ("=Read", 1, 0)],
        ),
    ];
    store(&plane, &records).await;
    // A batch that was not acknowledged comes once more, with a new one.
    let more = of(4, &bob_id, MINUTE, &[("Bash", 1, 0)]);
    store(&plane, &[records[2].clone(), more, records[0].clone()]).await;

    assert_eq!(
        cells(&admin, "days=60").await,
        [
            group("Bash", 6, 1),
            group("mcp__github__get_issue", 4, 0),
            group("(other)", 1, 0),
            group("mcp__github__create_issue", 1, 0)
        ]
    );
    assert_eq!(
        cells(&admin, "days=60&group_by=server").await,
        [(Value::Null, Value::Null, 7, 1), group("github", 5, 0)]
    );
    assert_eq!(
        cells(&admin, "days=60&group_by=team").await,
        [(json!(red.as_str()), json!("Red"), 12, 1)]
    );
    let by_user = |calls: [u64; 2]| {
        let mut rows = [
            (json!(ada_id.as_str()), json!("ada"), calls[0]),
            (json!(bob_id.as_str()), json!("bob"), calls[1]),
        ];
        rows.sort_by_key(|row| std::cmp::Reverse(row.2));
        rows
    };
    let users = async |query: &str| {
        let rows = cells(&admin, query).await.into_iter();
        rows.map(|(id, name, calls, _)| (id, name, calls))
            .collect::<Vec<_>>()
    };
    // Equal counts are in the order of ids; these are not equal.
    assert_eq!(users("days=60&group_by=user&tool=Bash").await, by_user([5, 1]));
    assert_eq!(
        users("days=60&group_by=user&server=github").await,
        by_user([1, 4])
    );
    assert_eq!(users("days=3&group_by=user").await, by_user([3, 6]));
    assert_eq!(cells(&admin, "days=60&group_by=key").await.len(), 1);
    assert_eq!(
        cells(&admin, &format!("days=60&user_id={ada_id}&model=claude-opus-5-5")).await,
        [group("Bash", 5, 1), group("mcp__github__create_issue", 1, 0)]
    );
    assert!(cells(&admin, "days=60&model=claude-haiku-4-5").await.is_empty());

    // In time: whole months and days come to the same.
    let found = admin
        .get("/admin/analytics/tools?days=60&step=month&group_by=server&server=none")
        .await
        .json();
    let calls: u64 = found["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| cell["calls"].as_u64().unwrap())
        .sum();
    assert_eq!(
        (calls, found["calls"].as_u64(), found["failed"].as_u64()),
        (7, Some(7), Some(1))
    );
    let refused = admin.get("/admin/analytics/tools?step=hour").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("step"))
    );

    // Whoever sees their own use only sees their own calls.
    assert_eq!(cells(&ada, "days=60").await[0], group("Bash", 5, 1));
    assert_eq!(cells(&bob, "days=60&tool=Bash").await, [group("Bash", 1, 0)]);

    let file = admin.get("/admin/analytics/tools?days=60&format=csv").await;
    let text = file.text;
    assert!(
        text.starts_with("start,id,name,server,calls,failed\r\n"),
        "{text}"
    );
    assert!(text.contains("mcp__github__get_issue,,github,4,0\r\n"), "{text}");
    let browser = Browser::of(&admin);
    let page = browser.get("/console/analytics/tools?range=90d").await;
    assert!(page.text.contains("mcp__github__create_issue") && page.text.contains("Red"));
    let narrowed = browser
        .get("/console/analytics/tools?range=90d&server=github")
        .await
        .text;
    assert!(narrowed.contains("get_issue") && !narrowed.contains(">Bash<"));
    let file = browser
        .get("/console/analytics/tools/export?range=90d&by=user")
        .await
        .text;
    assert!(file.contains(",bob,"), "{file}");
    plane.stop().await;
}

async fn a_team_with_too_many_tools_has_others(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    // Twenty records of twenty names each, in three batches.
    let records: Vec<UsageRecord> = (0..20_u64)
        .map(|seed| {
            let names: Vec<String> = (0..20).map(|n| format!("tool_{seed}_{n}")).collect();
            let calls: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 0)).collect();
            UsageRecord {
                tools: tools(&calls),
                ..record(seed + 1)
            }
        })
        .collect();
    for part in records.chunks(7) {
        store(&plane, part).await;
    }
    let found = admin.get("/admin/analytics/tools?days=1").await.json();
    assert_eq!(found["calls"], 400);
    let cells = found["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 301);
    assert_eq!(
        (&cells[0]["id"], &cells[0]["calls"]),
        (&json!("(other)"), &json!(100))
    );
    // A name that has its place keeps it.
    let again = UsageRecord {
        tools: tools(&[("tool_0_0", 1, 0), ("tool_19_19", 1, 0)]),
        ..record(99)
    };
    store(&plane, &[again]).await;
    let found = admin
        .get("/admin/analytics/tools?days=1&tool=tool_0_0,(other)")
        .await
        .json();
    let calls: Vec<_> = found["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| &cell["calls"])
        .collect();
    assert_eq!(calls, [&json!(101), &json!(2)]);
    plane.stop().await;
}

async fn sessions_are_counted_once_and_grow(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let of = |seed: u64, session: Option<&str>, ago: i64| UsageRecord {
        session_id: session.map(str::to_owned),
        started_at_ms: NOON - ago,
        duration_ms: 1_000,
        ..record(seed)
    };
    let first = [
        of(1, Some("a"), DAY_MS + 2 * MINUTE),
        of(2, Some("a"), DAY_MS + MINUTE),
        of(3, Some("b"), 5 * MINUTE),
        of(4, None, 5 * MINUTE),
        of(5, Some(UsageRecord::LANE_PROBE), 5 * MINUTE),
    ];
    store(&plane, &first).await;
    // It goes on today, and counts on the day on which it began.
    store(&plane, &[first[0].clone(), of(6, Some("a"), 2 * MINUTE)]).await;
    let found = admin.get("/admin/analytics/sessions?days=3").await.json();
    assert_eq!((&found["sessions"], &found["requests"]), (&json!(2), &json!(4)));
    let days = found["days"].as_array().unwrap();
    let day = |at: usize| {
        let count = |name: &str| days[at][name].as_i64().unwrap();
        (count("sessions"), count("requests"), count("length_ms"))
    };
    assert_eq!(days.len(), 2);
    assert_eq!(day(0), (1, 3, DAY_MS + 1_000));
    assert_eq!(day(1), (1, 1, 1_000));
    let refused = admin.get("/admin/analytics/sessions?model=claude-opus-5-5").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &json!("model"))
    );
    let page = Browser::of(&admin)
        .get("/console/analytics/activity?range=7d")
        .await;
    assert!(page.text.contains("Sessions"));
    plane.stop().await;
}

async fn records_of_older_data_planes_count_as_before(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    store(&plane, &[record(1), record(2)]).await;
    let found = admin.get("/admin/analytics?days=2&step=month").await.json();
    assert_eq!(found["cells"][0]["requests"], 2);
    assert!(cells(&admin, "days=2").await.is_empty());
    let lost = admin.get("/admin/analytics/cache-misses?days=2").await.json();
    assert_eq!(lost["reasons"], json!([]));
    plane.stop().await;
}
