use crate::{Person, Server};
use serde_json::json;

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    (server, person)
}

#[test]
fn a_new_key_is_shown_once_ready_to_use() {
    let (server, person) = signed_in();
    let shown = person.ok(&["keys", "create", "--name", "laptop", "--expires", "90d"]);
    let secret = format!("sk-ccag-AbCdEf{}", "x".repeat(37));
    assert!(
        shown.contains(&format!("export ANTHROPIC_BASE_URL={}\n", server.url())),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("export ANTHROPIC_AUTH_TOKEN={secret}\n")),
        "{shown}"
    );
    let created = person.json(&["keys", "create", "--rate-limit", "60"]);
    assert_eq!(created["key"], secret);
    assert_eq!(created["rate_limit_rpm"], 60);
    assert_eq!(created["created_at"], "2026-11-24T09:30:00.000Z");
    assert!(!person.ok(&["keys", "list"]).contains(&secret));
}

#[test]
fn keys_are_listed_over_all_pages_with_names_for_people_and_ids_for_scripts() {
    let (server, person) = signed_in();
    for n in 0..5 {
        server.add_key(&format!("key_{n}"), &format!("name {n}"), "sk-ccag-000000");
    }
    let shown = person.ok(&["keys", "list"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 6, "{shown}");
    assert_eq!(
        lines[0],
        "ID     NAME    PREFIX          USER   TEAM  STATE   RPM  CREATED           EXPIRES"
    );
    assert_eq!(
        lines[1],
        "key_0  name 0  sk-ccag-000000  admin  -     active    -  2026-11-24 09:30  -"
    );
    let list = person.json(&["keys", "list"]);
    assert_eq!(list["keys"].as_array().unwrap().len(), 5);
    assert_eq!(list["keys"][4]["user_id"], "user_admin");
    assert_eq!(list["next_cursor"], json!(null));
}

#[test]
fn keys_are_revoked_by_name_id_or_secret_and_the_secret_stays_here() {
    let (server, person) = signed_in();
    server.add_key("key_1", "laptop", "sk-ccag-111111");
    server.add_key("key_2", "ci", "sk-ccag-222222");
    server.add_key("key_3", "leaked", "sk-ccag-333333");
    let secret = format!("sk-ccag-333333{}", "y".repeat(37));
    let shown = person.ok(&["keys", "revoke", "laptop", "key_2", &secret]);
    assert_eq!(
        shown,
        "Revoked key_1 (laptop).\nRevoked key_2 (ci).\nRevoked key_3 (leaked).\n"
    );
    assert!(server.asked().iter().all(|(_, path, _)| !path.contains("yyyy")));
    assert_eq!(
        person.json(&["keys", "list", "--state", "active"])["keys"],
        json!([])
    );
    assert_eq!(person.json(&["keys", "show", "ci"])["state"], "revoked");
}

#[test]
fn a_name_that_two_keys_have_is_not_guessed_at() {
    let (server, person) = signed_in();
    server.add_key("key_1", "laptop", "sk-ccag-111111");
    server.add_key("key_2", "Laptop", "sk-ccag-222222");
    let done = person.run(&["keys", "revoke", "key_1", "laptop"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("key_1 (active), key_2 (active)"),
        "{}",
        done.stderr
    );
    let done = person.run(&["keys", "revoke", "key_1", "phone"]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("no key is called `phone`"),
        "{}",
        done.stderr
    );
    let keys = person.json(&["keys", "list", "--state", "active"]);
    assert_eq!(
        keys["keys"].as_array().unwrap().len(),
        2,
        "nothing was revoked before all names were known"
    );
}

#[test]
fn a_key_is_changed_field_by_field() {
    let (server, person) = signed_in();
    server.add_team("team_1", "Platform");
    server.add_key("key_1", "laptop", "sk-ccag-111111");
    let key = person.json(&[
        "keys",
        "update",
        "laptop",
        "--team",
        "platform",
        "--rate-limit",
        "5",
    ]);
    assert_eq!(
        (&key["team_id"], &key["rate_limit_rpm"]),
        (&json!("team_1"), &json!(5))
    );
    assert_eq!(key["user_id"], "user_admin");
    let key = person.json(&[
        "keys",
        "update",
        "laptop",
        "--no-team",
        "--no-user",
        "--name",
        "desk",
    ]);
    assert_eq!((&key["team_id"], &key["user_id"]), (&json!(null), &json!(null)));
    assert_eq!(
        (&key["name"], &key["rate_limit_rpm"]),
        (&json!("desk"), &json!(5))
    );
    assert_eq!(
        person.json(&["keys", "delete", "desk"]),
        json!({"deleted": ["key_1"]})
    );
}

#[test]
fn teams_have_members() {
    let (server, person) = signed_in();
    server.add_user("user_1", "dev@example.com");
    let team = person.json(&["teams", "create", "Platform"]);
    assert_eq!(team["id"], "team_platform");
    let twice = person.run(&["teams", "create", "Platform"]);
    assert_eq!(twice.code, 1);
    assert!(
        twice.stderr.contains("there is a team of this name already"),
        "{}",
        twice.stderr
    );
    person.ok(&["teams", "add-member", "platform", "dev@example.com"]);
    let members = person.ok(&["teams", "members", "Platform"]);
    assert!(members.contains("dev@example.com"), "{members}");
    assert_eq!(person.run(&["teams", "delete", "Platform"]).code, 1);
    person.ok(&["teams", "remove-member", "Platform", "user_1"]);
    assert_eq!(
        person.ok(&["teams", "members", "Platform"]),
        "This team has no members.\n"
    );
    assert_eq!(
        person.json(&["teams", "suspend", "Platform"])["state"],
        "suspended"
    );
    assert_eq!(person.json(&["teams", "activate", "Platform"])["state"], "active");
    assert_eq!(
        person.json(&["teams", "rename", "Platform", "Core"])["name"],
        "Core"
    );
    assert_eq!(
        person.ok(&["teams", "delete", "Core"]),
        "Deleted team_platform.\n"
    );
    assert!(person.ok(&["teams", "list"]).starts_with("No teams."));
}

#[test]
fn users_are_managed_by_name() {
    let (server, person) = signed_in();
    server.add_team("team_1", "Platform");
    let created = person.with_input(
        &[
            "--json",
            "users",
            "create",
            "dev@example.com",
            "--team",
            "Platform",
            "--password-stdin",
        ],
        "twelve chars\n",
    );
    let user: serde_json::Value = serde_json::from_str(&created.stdout).unwrap();
    assert_eq!(
        (&user["email"], &user["role"]),
        (&json!("dev@example.com"), &json!("member"))
    );
    assert_eq!(user["display_name"], "knows 12");
    let name = "dev@example.com";
    assert_eq!(
        person.json(&["users", "set-role", name, "admin"])["role"],
        "admin"
    );
    assert_eq!(
        person.json(&["users", "set-team", name, "--none"])["team_id"],
        json!(null)
    );
    assert_eq!(
        person.json(&["users", "set-team", name, "platform"])["team_id"],
        "team_1"
    );
    assert_eq!(person.json(&["users", "suspend", name])["state"], "suspended");
    assert_eq!(person.json(&["users", "activate", name])["state"], "active");
    let list = person.ok(&["users", "list", "--role", "admin"]);
    assert!(
        list.contains("dev@example.com") && list.contains("Platform"),
        "{list}"
    );
    person.ok(&["users", "delete", name]);
    assert_eq!(person.run(&["users", "show", name]).code, 1);
}

#[test]
fn usage_is_shown_with_exact_dollars_in_line() {
    let (_server, person) = signed_in();
    let shown = person.ok(&[
        "usage",
        "summary",
        "--by",
        "team",
        "--from",
        "2026-11-01",
        "--to",
        "2026-11-24",
    ]);
    insta::assert_snapshot!(shown);
    let total = person.ok(&["usage", "summary"]);
    assert!(total.contains("$12.500000004"), "{total}");
    let json = person.json(&["usage", "summary", "--by", "team", "--days", "7"]);
    assert_eq!(json["total"]["cost_nano_usd"], json!(12_500_000_004_i64));
}

#[test]
fn the_ledger_is_exported_as_it_comes() {
    let (server, person) = signed_in();
    assert_eq!(
        person.ok(&["--json", "usage", "export", "--team", "team_1"]),
        "{\"request_id\":\"req_1\"}\n"
    );
    let asked = server.asked();
    assert_eq!(
        asked.last().unwrap().1,
        "/admin/usage/export?team_id=team_1&format=jsonl"
    );
    let file = person.home.path().join("ledger.csv");
    let args = ["usage", "export", "--format", "csv", "-o", file.to_str().unwrap()];
    let shown = person.ok(&args);
    assert!(shown.starts_with("Wrote "), "{shown}");
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("id,request_id,")
    );
    let again = person.run(&args);
    assert_eq!(again.code, 6, "a file that is there is not overwritten");
}

#[test]
fn the_gateway_is_shown() {
    let (_server, person) = signed_in();
    let fleet = person.ok(&["fleet"]);
    assert!(
        fleet.starts_with("Newest revision: 42\n\nNAME  STATE      APPLIED  BEHIND"),
        "{fleet}"
    );
    assert!(
        fleet.contains("warning: dp-b could not apply endpoint end_1: its region is not known"),
        "{fleet}"
    );
    assert_eq!(person.json(&["fleet"])["replicas"][1]["lag"], 2);
    let status = person.ok(&["status"]);
    assert!(
        status.contains("Up for:      1 d 2 h, since 2026-11-24 09:30 UTC\n"),
        "{status}"
    );
    assert!(
        status.contains("2 connected, 1 of them up to date, 3 known"),
        "{status}"
    );
    assert!(person.ok(&["models"]).contains("anthropic.claude-"));
    let prices = person.ok(&["pricing"]);
    assert!(
        prices.contains("claude-sonnet-4-5 above 200,000 tokens"),
        "{prices}"
    );
    assert!(prices.contains("110.0 %"), "{prices}");
}

#[test]
fn names_cannot_steer_the_terminal() {
    let (server, person) = signed_in();
    server.add_key("key_1", "\u{1b}]0;owned\u{7}", "sk-ccag-111111");
    let shown = person.ok(&["keys", "list"]);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    assert!(!person.ok(&["keys", "revoke", "key_1"]).contains('\u{1b}'));
}

#[test]
fn completions_are_written_for_every_shell() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(person.ok(&["completions", shell]).contains("ccag"), "{shell}");
    }
}
