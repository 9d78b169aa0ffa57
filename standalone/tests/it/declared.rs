//! A gateway as files say: `ccag apply`, `ccag diff` and `ccag export`.

use crate::command_line::Terminal;
use crate::harness::standalone;
use serde_json::{Value, json};

const FILE: &str = r"
settings:
  routing: {strategy: sticky}
  session_breaker: {usd_per_minute: 5, agents_per_minute: 40}
  sign_in: {password_sign_in: true, login_notice: Be kind.}
  web_search: {mode: disabled}
endpoints:
  - name: Frankfurt
    region: eu-central-1
    geography: eu
    role_arn: arn:aws:iam::123456789012:role/claude
    weight: 3
  - name: Keys
    region: us-west-2
    credentials:
      kind: keys
      access_key_id: {env: DECLARED_ID}
      secret_access_key: {env: DECLARED_SECRET}
teams:
  - name: Platform
    endpoints: [Frankfurt, {name: Keys, priority: 7}]
    routing: {strategy: primary_fallback, geographies: [eu]}
    session_breaker: {usd_per_minute: '2.50'}
  - name: Research
users:
  - {username: ada, email: ada@example.com, role: member, team: Platform}
  - {username: builder, kind: service, role: auditor}
budgets:
  - {scope: organisation, amount_usd: 1000, policy: soft, mode: balanced}
  - scope: team
    team: Platform
    period: weekly
    amount_usd: '250.50'
    time_zone: Europe/Berlin
    policy:
      - {at_percent: 50, action: notify}
      - {at_percent: 90, action: restrict, models: [claude-haiku-4-5]}
      - {at_percent: 100, action: block}
  - {scope: user, user: ada, amount_usd: 90}
limits:
  - {scope: each_user, kind: requests_per_minute, amount: 60}
  - {scope: team, team: Research, kind: tokens_per_minute, amount: 100000, models: [claude-opus-4-5]}
policies:
  - name: No web
    priority: 10
    match: {teams: [Platform], groups: [contractors]}
    models: [claude-sonnet-4-5, claude-haiku-4-5]
    settings: {permissions: {deny: [WebFetch]}, empty: null}
identity_providers:
  - name: Corp
    issuer_url: https://login.example.com
    client_id: ccag
    client_secret: {env: DECLARED_SECRET}
    enabled: false
    rules:
      default_team: Research
      group_mappings: [{group: admins, role: admin}, {group: platform, team: Platform}]
";

/// What is to be done, in words: `create budgets team Platform weekly`.
fn steps(plan: &Value) -> Vec<String> {
    let steps = plan["changes"].as_array().unwrap().iter();
    let word = |step: &Value, field: &str| step[field].as_str().unwrap().to_owned();
    steps
        .map(|step| {
            format!(
                "{} {} {}",
                word(step, "action"),
                word(step, "section"),
                word(step, "name")
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_applied_once_and_drift_is_shown_and_undone() {
    let it = standalone().await;
    let terminal = Terminal::signed_in(&it);
    let file = terminal.home.path().join("gateway.yaml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    write(FILE);

    let (code, _, errors) = terminal.run(&["diff", "-f", path], "");
    assert_eq!(code, 2, "a variable that is not set: {errors}");
    assert!(errors.contains("DECLARED_ID"), "{errors}");
    let with = |arguments: &[&str]| {
        terminal.run_with(
            arguments,
            "",
            &[
                ("DECLARED_ID", "AKIAIOSFODNN7EXAMPLE"),
                ("DECLARED_SECRET", "hush-hush-hush-hush-hush-hush-hush-hush"),
            ],
        )
    };

    let (code, plan, errors) = with(&["diff", "-f", path]);
    assert_eq!(code, 1, "{errors}");
    let planned = steps(&plan);
    assert!(
        planned.contains(&"create budgets team Platform weekly".to_owned()),
        "{planned:?}"
    );
    assert!(
        !plan
            .to_string()
            .contains("hush-hush-hush-hush-hush-hush-hush-hush")
            && !plan.to_string().contains("AKIAIOSFODNN7EXAMPLE")
    );
    let (code, _, errors) = with(&["apply", "-f", path]);
    assert_eq!(code, 2, "nobody can be asked: {errors}");
    let (code, done, errors) = with(&["apply", "-f", path, "--yes"]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(steps(&done), planned);

    // The second time nothing is to be done.
    let (code, plan, errors) = with(&["diff", "-f", path]);
    assert_eq!(steps(&plan), Vec::<String>::new(), "{plan:#}");
    assert_eq!(code, 0, "{errors}");
    let (code, again, _) = with(&["apply", "-f", path, "--yes"]);
    assert_eq!((code, steps(&again)), (0, vec![]));
    let not_in_file = again["not_in_file"].as_array().unwrap();
    assert!(
        not_in_file.iter().all(|one| one["kind"] == "endpoint"),
        "{not_in_file:?}"
    );

    // What somebody changes by hand is found, and only that.
    let budgets = terminal.ok(&["budgets", "list"]);
    let weekly = budgets["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["period"] == "weekly")
        .unwrap();
    let id = weekly["id"].as_str().unwrap();
    terminal.ok(&["budgets", "update", id, "--amount", "300"]);
    terminal.ok(&["users", "suspend", "ada"]);
    terminal.ok(&["teams", "create", "Extra"]);
    let (code, plan, _) = with(&["diff", "-f", path, "--prune"]);
    let mut found = steps(&plan);
    found.retain(|step| !step.contains("endpoints"));
    assert_eq!(
        (code, found),
        (
            1,
            vec![
                "update budgets team Platform weekly".to_owned(),
                "delete teams Extra".to_owned()
            ]
        )
    );
    assert_eq!(
        plan["changes"][0]["changes"],
        json!([{"field": "amount_usd", "from": "300.00", "to": "250.50"}])
    );

    // What can only be made anew is, and the rest of it stays.
    let (code, _, errors) = with(&["apply", "-f", path, "--yes"]);
    assert_eq!(code, 0, "{errors}");
    write(
        &FILE
            .replace("Europe/Berlin", "Europe/Paris")
            .replace("{username: ada,", "{username: ada, state: active,"),
    );
    let (_, done, errors) = with(&["apply", "-f", path, "--yes"]);
    assert_eq!(
        steps(&done),
        ["update users ada", "replace budgets team Platform weekly"],
        "{errors}"
    );

    // What is written reads back as what there is.
    let exported = terminal.ok(&["export"]);
    assert!(!exported.to_string().contains("hush"));
    write(&exported.to_string());
    let (code, plan, errors) = terminal.run(&["diff", "-f", path, "--prune"], "");
    assert_eq!((code, steps(&plan)), (0, vec![]), "{plan:#} {errors}");

    // What is wrong is said with its place, and nothing is done.
    for (text, place) in [
        ("teams: [{name: New, colour: red}]", "teams[0]"),
        ("budgets: [{scope: team, team: Nobody, amount_usd: 1}]", "Nobody"),
        (
            "limits: [{scope: each_user, kind: requests_per_minute, amount: many}]",
            "limits[0]",
        ),
        ("teams: [{name: Twice}, {name: Twice}]", "twice"),
        ("nonsense: 1", "nonsense"),
        ("teams: [", "gateway.yaml"),
        ("settings: {routing: {strategy: upwards}}", "settings.routing"),
    ] {
        write(text);
        let (code, _, errors) = terminal.run(&["apply", "-f", path, "--yes"], "");
        assert_eq!(code, 2, "{text}: {errors}");
        assert!(errors.contains(place), "{text}: {errors}");
    }
}
