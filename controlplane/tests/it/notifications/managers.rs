//! A team's manager and the destinations of the team.

use super::receiver::Receiver;
use super::{active, budget, history, open_accounts, put, spend, until, webhook};
use crate::console::Browser;
use crate::support::{Caller, Plane, TestDb, config, on_both};
use serde_json::{Value, json};

on_both!(
    a_manager_sets_up_destinations_of_their_own_team_and_sees_no_others,
    what_leads_into_private_networks_or_to_aws_is_for_admins,
    a_manager_sees_and_sends_again_only_what_is_about_their_team,
    a_teams_destination_does_not_end_what_the_variable_tells,
    a_destination_that_is_given_to_a_team_is_told_nothing_that_was_for_others,
);

const PATH: &str = "/admin/notifications/destinations";

/// A manager of a team of that name, and the team's id.
async fn manager(admin: &Caller, team: &str) -> (Caller, String) {
    let team_id = admin.post("/admin/teams", json!({"name": team})).await.id();
    let (caller, id) = admin.new_member(&format!("grace-{}", team.to_lowercase())).await;
    let change = json!({"role": "team_manager", "team_id": team_id}).to_string();
    let changed = admin.send("PATCH", &format!("/admin/users/{id}"), &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    (caller, team_id)
}

fn public(name: &str) -> Value {
    json!({"name": name, "settings": {"kind": "webhook", "url": "https://hooks.example.com/ccag"}})
}

async fn made(who: &Caller, body: Value) -> (String, Value) {
    let made = who.post(PATH, body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let view = made.json()["destination"].clone();
    (format!("{PATH}/{}", view["id"].as_str().unwrap()), view)
}

async fn names(who: &Caller) -> Vec<String> {
    let list = who.get(PATH).await;
    assert_eq!(list.status, 200, "{}", list.text);
    let list = list.json()["destinations"].as_array().unwrap().clone();
    list.iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn a_manager_sets_up_destinations_of_their_own_team_and_sees_no_others(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (grace, team) = manager(&admin, "Platform").await;
    let (_, other_team) = manager(&admin, "Other").await;
    let (ours, view) = made(&grace, public("Ours")).await;
    assert_eq!(view["team_id"], json!(team), "it is the manager's team's");
    let (everybody, _) = made(&admin, public("Everybody")).await;
    let mut of_other = public("Theirs");
    of_other["team_id"] = json!(other_team);
    let (theirs, _) = made(&admin, of_other.clone()).await;
    assert_eq!(names(&grace).await, ["Ours"]);
    assert_eq!(names(&admin).await, ["Everybody", "Ours", "Theirs"]);
    // Nothing of others, whether it is there or not, and nothing for others.
    let missing = format!("{PATH}/dst_01KB0ZJ7V5X2M7N4T6R8W9Y3QA");
    let update = json!({"name": "Mine", "categories": ["budget"], "enabled": true});
    let way = json!({"kind": "webhook", "url": "https://hooks.example.com/mine"});
    let mut refusals = Vec::new();
    for path in [&everybody, &theirs, &missing] {
        for answer in [
            grace.get(path).await,
            put(&grace, path, update.clone()).await,
            put(&grace, &format!("{path}/draft"), way.clone()).await,
            grace.send("DELETE", &format!("{path}/draft"), "").await,
            grace.post(&format!("{path}/test"), json!({})).await,
            grace.post(&format!("{path}/activate"), json!({})).await,
            grace.send("DELETE", path, "").await,
        ] {
            assert_eq!(answer.status, 403, "{path}: {}", answer.text);
            refusals.push(answer.json()["detail"].clone());
        }
    }
    assert_eq!(refusals[..14], [&refusals[14..], &refusals[14..]].concat());
    let said = refusals[1].as_str().unwrap();
    assert!(said.contains("team managers for their own team"), "{said}");
    of_other["name"] = json!("Spy");
    assert_eq!(grace.post(PATH, of_other).await.status, 403);
    let mut away = update.clone();
    away["team_id"] = json!(other_team);
    assert_eq!(put(&grace, &ours, away).await.status, 403);
    // Their own is changed, and stays the team's.
    let changed = put(&grace, &ours, update).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(
        (&changed.json()["name"], &changed.json()["team_id"]),
        (&json!("Mine"), &json!(team))
    );
    let drafted = put(&grace, &format!("{ours}/draft"), way).await;
    assert_eq!(drafted.status, 200, "{}", drafted.text);
    // A member of the team, and a manager without one, have nothing to do with it.
    let (member, id) = admin.new_member("ada").await;
    for body in [
        json!({"team_id": team}),
        json!({"team_id": null, "role": "team_manager"}),
    ] {
        let changed = admin
            .send("PATCH", &format!("/admin/users/{id}"), &body.to_string())
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        for path in [PATH, ours.as_str(), "/admin/notifications/deliveries"] {
            assert_eq!(member.get(path).await.status, 403, "{path}");
        }
        assert_eq!(member.post(PATH, public("No")).await.status, 403);
    }
    assert_eq!(grace.send("DELETE", &ours, "").await.status, 204);
    let audit = admin.get("/admin/audit?q=destination.").await.json();
    let entries = audit["entries"].as_array().unwrap();
    let by_grace = entries
        .iter()
        .filter(|entry| entry.to_string().contains("grace-platform"))
        .count();
    assert_eq!(by_grace, 4, "{entries:#?}");
    plane.stop().await;
}

async fn what_leads_into_private_networks_or_to_aws_is_for_admins(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (grace, team) = manager(&admin, "Platform").await;
    let (ours, _) = made(&grace, public("Ours")).await;
    for (field, way) in [
        (
            "kind",
            json!({"kind": "sns", "arn": "arn:aws:sns:eu-central-1:111122223333:ccag"}),
        ),
        (
            "kind",
            json!({"kind": "sns", "arn": "arn:aws:sns:eu-central-1:111122223333:ccag", "access_key_id": "AKIAEXAMPLE",
                   "secret_access_key": "x"}),
        ),
        (
            "kind",
            json!({"kind": "eventbridge", "arn": "arn:aws:events:eu-central-1:111122223333:event-bus/default"}),
        ),
        (
            "allow_private_address",
            json!({"kind": "webhook", "url": "http://10.0.0.7/x", "allow_private_address": true}),
        ),
        (
            "allow_private_address",
            json!({"kind": "smtp", "host": "mail.corp", "from": "a@example.com", "to": ["b@example.com"],
                   "allow_private_address": true}),
        ),
        (
            "url",
            json!({"kind": "webhook", "url": "https://169.254.169.254/latest"}),
        ),
    ] {
        for answer in [
            grace.post(PATH, json!({"name": "Spy", "settings": way})).await,
            put(&grace, &format!("{ours}/draft"), way.clone()).await,
        ] {
            assert_eq!(answer.status, 400, "{way}: {}", answer.text);
            assert_eq!(answer.json()["field"], field, "{}", answer.text);
        }
    }
    // An admin sets one up for the team: the manager tests and activates it, and cannot lead its secret elsewhere.
    let receiver = Receiver::start().await;
    let (path, _) = made(
        &admin,
        json!({"name": "Inside", "team_id": team, "settings": {
            "kind": "slack", "slack_url": receiver.url, "allow_private_address": true}}),
    )
    .await;
    let tested = grace.post(&format!("{path}/test"), json!({})).await.json();
    assert_eq!(tested["success"], true, "{tested}");
    assert_eq!(
        grace.post(&format!("{path}/activate"), json!({})).await.status,
        200
    );
    let drafted = put(&grace, &format!("{path}/draft"), json!({"kind": "slack"})).await;
    assert_eq!(
        (drafted.status, drafted.json()["field"].as_str()),
        (axum::http::StatusCode::BAD_REQUEST, Some("slack_url"))
    );
    // The console offers what can be had.
    let browser = Browser::of(&grace);
    let kinds = browser.get("/console/notifications/new").await.text;
    assert!(
        kinds.contains("kind=webhook") && kinds.contains("kind=smtp"),
        "{kinds}"
    );
    assert!(
        !kinds.contains("kind=sns") && !kinds.contains("kind=eventbridge"),
        "{kinds}"
    );
    let form = browser.get("/console/notifications/new?kind=webhook").await.text;
    assert!(
        !form.contains("allow_private_address") && !form.contains("name=\"team\""),
        "{form}"
    );
    let fields = [
        ("kind", "webhook"),
        ("name", "By form"),
        ("category", "budget"),
        ("url", "https://hooks.example.com/form"),
    ];
    let new = "/console/notifications/new?kind=webhook";
    let answer = browser.submit(new, "/console/notifications", &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(names(&grace).await, ["By form", "Inside", "Ours"]);
    plane.stop().await;
}

async fn a_manager_sees_and_sends_again_only_what_is_about_their_team(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (grace, team) = manager(&admin, "Platform").await;
    let (ours, all) = (Receiver::start().await, Receiver::start().await);
    let mut body = json!({"name": "Ours", "team_id": team, "settings": webhook(&ours)});
    active(&admin, body.clone()).await;
    body = json!({"name": "All", "settings": webhook(&all)});
    let (moved, _) = active(&admin, body).await;
    ours.answer(410);
    all.answer(410);
    budget(&admin, json!({})).await;
    budget(&admin, json!({"scope": "team", "team_id": team})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, Some(&team)).await;
    until(&admin, "", |all| {
        all.len() == 3 && all.iter().all(|one| one["answer"].is_string())
    })
    .await;
    let seen = history(&grace, "").await;
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen[0]["event"]["team"]["name"], "Platform");
    let list = grace.get("/admin/notifications/deliveries").await.json();
    assert_eq!(list["total"], 1);
    // The organisation's destination becomes the team's: what it was to be told of others stays theirs.
    let update = json!({"name": "All", "categories": ["budget"], "enabled": true, "team_id": team});
    assert_eq!(put(&admin, &moved, update).await.status, 200);
    let seen = history(&grace, "").await;
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert!(seen.iter().all(|one| one["event"]["team"]["name"] == "Platform"));
    let dead = until(&admin, "?state=dead", |all| all.len() == 2).await;
    let ids: Vec<&str> = seen.iter().map(|one| one["id"].as_str().unwrap()).collect();
    for one in &dead {
        let id = one["id"].as_str().unwrap();
        let again = format!("/admin/notifications/deliveries/{id}/resend");
        let expected = if ids.contains(&id) { 204 } else { 403 };
        let answer = grace.post(&again, json!({})).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
    assert!(dead.iter().any(|one| !ids.contains(&one["id"].as_str().unwrap())));
    plane.stop().await;
}

async fn a_teams_destination_does_not_end_what_the_variable_tells(db: TestDb) {
    let receiver = Receiver::start().await;
    let mut settings = config(&db);
    settings.notification_url = Some(receiver.url.clone());
    let plane = Plane::start_with(settings).await;
    let admin = plane.admin().await;
    let (grace, _) = manager(&admin, "Platform").await;
    made(&grace, public("Ours")).await;
    let of = async |who: &Caller| who.get(PATH).await.json()["environment"].clone();
    assert_eq!((of(&admin).await, of(&grace).await), (json!(true), json!(false)));
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    receiver.wait_for(1).await;
    plane.stop().await;
}

async fn a_destination_that_is_given_to_a_team_is_told_nothing_that_was_for_others(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (_, team) = manager(&admin, "Platform").await;
    let receiver = Receiver::start().await;
    let (path, _) = active(&admin, json!({"name": "Ops", "settings": webhook(&receiver)})).await;
    receiver.answer(503);
    budget(&admin, json!({})).await;
    open_accounts(&db).await;
    spend(plane.app(), 1, None).await;
    until(&admin, "", |all| all.len() == 1 && all[0]["answer"].is_string()).await;
    let update = json!({"name": "Ops", "categories": ["budget"], "enabled": true, "team_id": team});
    assert_eq!(put(&admin, &path, update).await.status, 200);
    let dead = history(&admin, "?state=dead").await;
    assert_eq!(
        dead[0]["answer"],
        "The destination was given to others before it could be told."
    );
    // With the team its destinations go.
    let members = admin.get(&format!("/admin/teams/{team}/members")).await.json();
    let user = members["users"][0]["id"].as_str().unwrap_or_default().to_owned();
    let refused = admin.send("DELETE", &format!("/admin/teams/{team}"), "").await;
    assert_eq!(refused.status, 409);
    assert_eq!(
        refused.json()["detail"],
        "The team `Platform` cannot be deleted: there is 1 member that belongs to it. Take them out of the team or move them to \
         another one first."
    );
    let out = admin
        .send("DELETE", &format!("/admin/teams/{team}/members/{user}"), "")
        .await;
    assert_eq!(out.status, 204, "{members} {}", out.text);
    assert_eq!(
        admin
            .send("DELETE", &format!("/admin/teams/{team}"), "")
            .await
            .status,
        204
    );
    assert!(names(&admin).await.is_empty());
    plane.stop().await;
}
