//! Sessions that run away.

use crate::Person;
use crate::server::{Server, made_at};
use ccag_admin_api::*;
use ccag_domain::{Code, KeyId, NanoUsd, PauseId, UserId};
use serde_json::{Value, json};

const SETTING: &str = "/admin/settings/session-breaker";
const TEAM: &str = "/admin/teams/team_1/session-breaker";
const LIST: &str = "/admin/paused-sessions";

fn paused(id: &str, resumed: bool) -> PausedSessionView {
    PausedSessionView {
        id: PauseId::parse(id).unwrap(),
        session_id: "6f1c2f5e".into(),
        user_id: Some(UserId::parse("user_2").unwrap()),
        key_id: KeyId::parse("key_1").unwrap(),
        team_id: None,
        owner: "ada".into(),
        reason: PauseKind::Spend,
        measured_usd: Some(Usd(NanoUsd(6_400_000_000))),
        limit_usd: Some(Usd(NanoUsd::from_usd(5))),
        measured_agents: None,
        limit_agents: None,
        message: "it spent $6.40 within a minute, and $5.00 are allowed".into(),
        paused_at: made_at(),
        resumed_at: resumed.then(made_at),
        resumed_by: None,
    }
}

fn breaker(usd: Option<i64>, agents: Option<u32>, source: BreakerSource) -> SessionBreakerView {
    SessionBreakerView {
        usd_per_minute: usd.map(|usd| Usd(NanoUsd::from_usd(usd))),
        agents_per_minute: agents,
        source,
    }
}

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    (server, person)
}

#[test]
fn paused_sessions_are_listed_and_resumed() {
    let (server, person) = signed_in();
    let list = |paused_sessions: Vec<PausedSessionView>| PausedSessionList {
        total: paused_sessions.len() as u64,
        paused_sessions,
        next_cursor: None,
    };
    server.answer("GET", LIST, &list(Vec::new()));
    assert_eq!(person.ok(&["sessions", "paused"]), "No session is paused.\n");
    server.answer("GET", LIST, &list(vec![paused("pau_1", false)]));
    let shown = person.ok(&["sessions", "paused"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("ID     WHOSE  SESSION   PAUSED"), "{shown}");
    assert!(
        lines[1].starts_with("pau_1  ada    6f1c2f5e")
            && lines[1].ends_with("it spent $6.40 within a minute, and $5.00 are allowed"),
        "{shown}"
    );
    server.sent();
    server.add_user("user_2", "ada");
    let all = person.json(&["sessions", "paused", "--all", "--user", "ada"]);
    assert_eq!(all["paused_sessions"][0]["measured_usd"], "6.40");
    let asked = server.sent().pop().unwrap().1;
    assert!(
        asked.contains("state=all") && asked.contains("user_id=user_2"),
        "{asked}"
    );

    let resume = format!("{LIST}/pau_1/resume");
    server.answer("POST", &resume, &paused("pau_1", true));
    assert_eq!(
        person.ok(&["sessions", "resume", "pau_1"]),
        "Session 6f1c2f5e of ada goes on.\n"
    );
    let gone = "This session has been resumed already.";
    server.refuse("POST", &resume, Code::Conflict, gone, None);
    let done = person.run(&["sessions", "resume", "pau_1"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains(gone), "{}", done.stderr);
    assert_eq!(person.run(&["sessions", "resume", "6f1c2f5e"]).code, 2);
}

#[test]
fn what_a_session_may_do_is_set_whole() {
    let (server, person) = signed_in();
    server.add_team("team_1", "Platform");
    let organisation = breaker(Some(5), None, BreakerSource::Organisation);
    server.answer("GET", SETTING, &organisation);
    server.answer("PUT", SETTING, &organisation);
    let shown = person.ok(&["sessions", "breaker"]);
    assert_eq!(
        shown,
        "Dollars within a minute: $5.00\nAgents within a minute:  no limit\nFrom:                    the organisation's word\n"
    );
    server.sent();
    person.ok(&["sessions", "set-breaker", "--usd-per-minute", "5"]);
    let body = |server: &Server| -> Value { serde_json::from_str(&server.sent().pop().unwrap().2).unwrap() };
    assert_eq!(body(&server), json!({"usd_per_minute": "5.00"}));
    person.ok(&["sessions", "set-breaker", "--none"]);
    assert_eq!(body(&server), json!({}));

    server.answer("PUT", TEAM, &breaker(None, Some(30), BreakerSource::Team));
    let set = person.json(&[
        "sessions",
        "set-breaker",
        "--team",
        "platform",
        "--agents-per-minute",
        "30",
    ]);
    assert_eq!(
        (&set["agents_per_minute"], &set["source"]),
        (&json!(30), &json!("team"))
    );
    server.answer("DELETE", TEAM, &());
    server.answer("GET", TEAM, &organisation);
    let cleared = person.json(&["sessions", "clear-breaker", "Platform"]);
    assert_eq!(cleared["source"], "organisation");
    for wrong in [
        &["sessions", "set-breaker"][..],
        &["sessions", "set-breaker", "--none", "--usd-per-minute", "5"],
        &["sessions", "set-breaker", "--usd-per-minute", "much"],
        &["sessions", "set-breaker", "--agents-per-minute", "0"],
    ] {
        assert_eq!(person.run(wrong).code, 2, "{wrong:?}");
    }
}
