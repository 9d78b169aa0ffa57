//! What holds for routes: said for teams and the organisation, told to data planes, and shown as where a request would go.

use crate::console::Browser;
use crate::support::{Answer, Caller, Plane, SYSTEM, TestDb, on_both};
use crate::watch::Follower;
use ccag_admin_api::{CreateTeam, RoutingSpec};
use ccag_controlplane::app::{routing, teams};
use ccag_domain::{Code, Geography, RoutingPolicy, Strategy, TeamId};
use ccag_proto::v1;
use serde_json::{Value, json};

on_both!(
    what_is_said_is_kept_pushed_and_taken_back,
    endpoints_and_strategy_are_one_change,
    what_cannot_be_read_lets_nothing_through,
);

async fn team(plane: &Plane, name: &str) -> TeamId {
    let request = CreateTeam { name: name.into() };
    teams::create(plane.app(), &SYSTEM, request).await.unwrap().id
}

fn put(change: &v1::Change) -> v1::object::Object {
    match change.step.clone().unwrap() {
        v1::change::Step::Put(object) => object.object.unwrap(),
        v1::change::Step::Remove(gone) => panic!("{gone:?}"),
    }
}

fn of_team(change: &v1::Change) -> ccag_domain::Team {
    match put(change) {
        v1::object::Object::Team(team) => team.try_into().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn of_settings(change: &v1::Change) -> RoutingPolicy {
    match put(change) {
        v1::object::Object::Settings(settings) => {
            ccag_domain::config::Settings::try_from(settings).unwrap().routing
        }
        other => panic!("{other:?}"),
    }
}

async fn what_is_said_is_kept_pushed_and_taken_back(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let team = team(&plane, "Platform").await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let organisation = RoutingSpec {
        strategy: Some(Strategy::Weighted),
        geographies: Some(vec![Geography::Eu, Geography::Eu]),
        ..RoutingSpec::default()
    };
    let view = routing::set_organisation(app, &SYSTEM, organisation)
        .await
        .unwrap();
    assert_eq!(view.in_force.geographies, [Geography::Eu]);
    let pushed = of_settings(&follower.changes(1).await[0]);
    assert_eq!(pushed.strategy, Some(Strategy::Weighted));
    assert_eq!(pushed.geographies, Some(vec![Geography::Eu]));
    let own = RoutingSpec {
        strategy: Some(Strategy::RoundRobin),
        models: Some(vec![
            "eu.anthropic.claude-haiku-4-5-20251001-v1:0".into(),
            "claude-haiku-4-5".into(),
        ]),
        regions: Some(Vec::new()),
        ..RoutingSpec::default()
    };
    let view = routing::set_team(app, &SYSTEM, &team, own).await.unwrap();
    assert_eq!(
        view.own.models.as_deref(),
        Some(&["claude-haiku-4-5".to_owned()][..])
    );
    assert_eq!(view.own.geographies, None);
    assert_eq!(view.in_force.strategy, Strategy::RoundRobin);
    assert_eq!(view.in_force.geographies, [Geography::Eu], "the organisation's");
    let pushed = of_team(&follower.changes(1).await[0]).routing;
    assert_eq!(
        (pushed.strategy, pushed.regions),
        (Some(Strategy::RoundRobin), Some(Vec::new()))
    );
    let silent = routing::set_team(app, &SYSTEM, &team, RoutingSpec::default())
        .await
        .unwrap();
    assert_eq!(silent.in_force.strategy, Strategy::Weighted);
    assert!(of_team(&follower.changes(1).await[0]).routing.is_silent());
    assert_eq!(
        db.count("SELECT COUNT(*) FROM audit WHERE action = 'team.routing' OR action = 'routing.update'")
            .await,
        3
    );
    let missing = TeamId::parse("team_missing").unwrap();
    let unknown = routing::set_team(app, &SYSTEM, &missing, RoutingSpec::default()).await;
    assert_eq!(unknown.unwrap_err().code, Code::NotFound);
    plane.stop().await;
}

async fn endpoints_and_strategy_are_one_change(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let a = admin.post("/admin/endpoints", json!({"name": "a"})).await.id();
    let b = admin.post("/admin/endpoints", json!({"name": "b"})).await.id();
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let path = format!("/admin/teams/{team}/endpoints");
    let body = json!({"routing_strategy": "primary_fallback",
        "endpoints": [{"endpoint_id": b, "priority": 0}, {"endpoint_id": a, "priority": 1}]});
    let set = admin.send("PUT", &path, &body.to_string()).await;
    assert_eq!(set.json()["routing_strategy"], "primary_fallback", "{}", set.text);
    let pushed = of_team(&follower.changes(1).await[0]);
    assert_eq!(pushed.routing.strategy, Some(Strategy::PrimaryFallback));
    let ids: Vec<_> = pushed.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(ids, [b.as_str(), a.as_str()]);
    // Without a word the strategy stays, and the name of earlier gateways is understood.
    let body = json!({"endpoints": [{"endpoint_id": a}]});
    let set = admin.send("PUT", &path, &body.to_string()).await;
    assert_eq!(set.json()["routing_strategy"], "primary_fallback");
    let body = json!({"endpoints": [], "routing_strategy": "sticky_user"});
    let set = admin.send("PUT", &path, &body.to_string()).await;
    assert_eq!(set.json()["routing_strategy"], "sticky");
    let wrong = json!({"endpoints": [{"endpoint_id": "end_missing"}], "routing_strategy": "weighted"});
    assert_eq!(admin.send("PUT", &path, &wrong.to_string()).await.status, 400);
    assert_eq!(
        admin.get(&path).await.json()["routing_strategy"],
        "sticky",
        "nothing of it"
    );
    plane.stop().await;
}

async fn what_cannot_be_read_lets_nothing_through(db: TestDb) {
    let plane = Plane::start(&db).await;
    let id = team(&plane, "Platform").await;
    let connection = db.connect().await;
    for sql in [
        format!("UPDATE teams SET routing = '{{\"tides\": true}}' WHERE id = '{id}'"),
        "INSERT INTO settings (name, value) VALUES ('routing', '{\"tides\": true}')".to_owned(),
    ] {
        sea_orm::ConnectionTrait::execute_unprepared(&connection, &sql)
            .await
            .unwrap();
    }
    let mut follower = Follower::start(&plane, "", 0).await;
    let snapshot = follower.snapshot().await;
    let objects = snapshot.objects.into_iter().map(|object| object.object.unwrap());
    for object in objects {
        match object {
            v1::object::Object::Team(team) => panic!("{team:?}"),
            v1::object::Object::Settings(settings) => {
                let settings = ccag_domain::config::Settings::try_from(settings).unwrap();
                assert_eq!(settings.routing, RoutingPolicy::sealed());
            }
            _ => {}
        }
    }
    plane.stop().await;
}

fn refused(answer: &Answer, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["field"], field, "{}", answer.text);
}

#[tokio::test]
async fn a_wrong_rule_is_refused_by_the_field_that_is_wrong() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    for path in [
        "/admin/settings/routing".to_owned(),
        format!("/admin/teams/{team}/routing"),
    ] {
        for (body, field) in [
            (json!({"strategy": "by_moonlight"}), "strategy"),
            (json!({"models": ["claude-opus-99"]}), "models"),
            (json!({"geographies": ["mars"]}), "geographies[0]"),
            (json!({"regions": ["eu"]}), "regions"),
            (json!({"regions": ["eu-west"]}), "regions"),
            (json!({"regions": ["eu-west-1", "EU-"]}), "regions"),
            (json!({"colour": "red"}), "colour"),
        ] {
            refused(&admin.send("PUT", &path, &body.to_string()).await, 400, field);
        }
        assert_eq!(admin.get(&path).await.json()["own"]["strategy"], Value::Null);
    }
    let (member, _) = admin.new_member("member").await;
    for path in [
        "/admin/settings/routing".to_owned(),
        "/admin/settings/routing/preview?model=claude-haiku-4-5".to_owned(),
        format!("/admin/teams/{team}/routing"),
        format!("/admin/teams/{team}/routing/preview?model=claude-haiku-4-5"),
    ] {
        assert_eq!(member.get(&path).await.status, 403, "{path}");
    }
    plane.stop().await;
}

async fn make(admin: &Caller, body: Value) -> String {
    let made = admin.post("/admin/endpoints", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

#[tokio::test]
async fn a_preview_says_what_would_be_tried_how_often_first_and_why_the_others_would_not() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let a = make(&admin, json!({"name": "a", "region": "eu-west-1", "weight": 1})).await;
    let b = make(
        &admin,
        json!({"name": "b", "region": "eu-central-1", "weight": 3}),
    )
    .await;
    let c = make(&admin, json!({"name": "c", "region": "us-east-1"})).await;
    let d = make(
        &admin,
        json!({"name": "d", "region": "eu-north-1", "enabled": false}),
    )
    .await;
    let endpoints: Vec<_> = [&a, &c, &b, &d]
        .iter()
        .map(|id| json!({"endpoint_id": id}))
        .collect();
    let body = json!({"endpoints": endpoints, "routing_strategy": "sticky"});
    let assign = format!("/admin/teams/{team}/endpoints");
    let set = admin.send("PUT", &assign, &body.to_string()).await;
    assert_eq!(set.status, 200);
    let path = format!("/admin/teams/{team}/routing");
    let rules = |body: Value| {
        let (admin, path) = (admin.clone(), path.clone());
        async move {
            let set = admin.send("PUT", &path, &body.to_string()).await;
            assert_eq!(set.status, 200, "{}", set.text);
        }
    };
    let preview = |model: &str| {
        let (admin, path) = (admin.clone(), format!("{path}/preview?model={model}"));
        async move { admin.get(&path).await }
    };
    let tried = |shown: &Value| -> Vec<(String, u64)> {
        let candidates = shown["candidates"].as_array().unwrap().iter();
        candidates
            .map(|one| {
                (
                    one["name"].as_str().unwrap().to_owned(),
                    one["first_permille"].as_u64().unwrap(),
                )
            })
            .collect()
    };
    let left = |shown: &Value| -> Vec<(String, String)> {
        let left = shown["left_out"].as_array().unwrap().iter();
        left.map(|one| {
            (
                one["name"].as_str().unwrap().to_owned(),
                one["reason"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
    };
    rules(json!({"geographies": ["eu"]})).await;
    let shown = preview("claude-opus-5-5").await.json();
    assert_eq!(tried(&shown), [("b".to_owned(), 750), ("a".to_owned(), 250)]);
    assert_eq!(
        shown["candidates"][0]["bedrock_model"],
        "eu.anthropic.claude-opus-5-5"
    );
    let mut reasons = left(&shown);
    let others = reasons.split_off(2);
    reasons.sort();
    assert_eq!(
        reasons,
        [
            ("c".to_owned(), "geography_not_allowed".to_owned()),
            ("d".to_owned(), "disabled".to_owned())
        ]
    );
    assert_eq!(others, [("default".to_owned(), "not_assigned".to_owned())]);
    rules(json!({"strategy": "primary_fallback"})).await;
    let shown = preview("claude-opus-5-5").await.json();
    let order: Vec<_> = tried(&shown);
    assert_eq!(
        order,
        [("a".to_owned(), 1_000), ("c".to_owned(), 0), ("b".to_owned(), 0)]
    );
    rules(json!({"strategy": "round_robin", "regions": ["eu-"]})).await;
    assert_eq!(
        tried(&preview("claude-opus-5-5").await.json()),
        [("a".to_owned(), 500), ("b".to_owned(), 500)]
    );
    rules(json!({"models": ["claude-haiku-4-5"], "geographies": ["jp"]})).await;
    let refusal = preview("claude-opus-5-5").await.json()["refusal"].clone();
    assert_eq!(
        (&refusal["status"], &refusal["code"]),
        (&json!(400), &json!("policy-blocked"))
    );
    assert!(refusal["message"].as_str().unwrap().contains("claude-haiku-4-5"));
    let refusal = preview("claude-haiku-4-5").await.json()["refusal"].clone();
    assert!(refusal["message"].as_str().unwrap().contains("(jp)"), "{refusal}");
    assert_eq!(preview("claude-opus-99").await.status, 404);
    plane.stop().await;
}

#[tokio::test]
async fn the_console_sets_rules_and_the_order_of_endpoints_and_shows_the_route() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let browser = Browser::of(&admin);
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let a = make(&admin, json!({"name": "dublin", "region": "eu-west-1"})).await;
    let b = make(&admin, json!({"name": "virginia", "region": "us-east-1"})).await;
    let endpoints = format!("/console/teams/{team}/endpoints");
    let (place_a, place_b) = (format!("place-{a}"), format!("place-{b}"));
    let chosen = [
        ("endpoint", a.as_str()),
        ("endpoint", b.as_str()),
        (place_a.as_str(), "2"),
        (place_b.as_str(), "x"),
    ];
    let refused = browser.submit(&endpoints, &endpoints, &chosen).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text
            .contains("The place of “virginia” is not a whole number"),
        "{}",
        refused.text
    );
    let chosen = [
        ("endpoint", a.as_str()),
        ("endpoint", b.as_str()),
        (place_a.as_str(), "2"),
        (place_b.as_str(), "1"),
    ];
    assert_eq!(browser.submit(&endpoints, &endpoints, &chosen).await.status, 303);
    let path = format!("/console/teams/{team}/routing");
    let page = browser.get(&path).await.text;
    assert!(page.contains("virginia, dublin"), "in the team's order");
    let wrong = browser
        .submit(&path, &path, &[("geographies", "mars"), ("regions", "eu-")])
        .await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("“mars” is no geography"), "{}", wrong.text);
    let wrong = browser
        .submit(&path, &path, &[("models", "claude-opus-99")])
        .await;
    assert!(wrong.text.contains("There is no model"), "{}", wrong.text);
    let rules = [
        ("strategy", "primary_fallback"),
        ("geographies", "eu, global"),
        ("models", "any"),
        ("regions", ""),
    ];
    let saved = browser.submit(&path, &path, &rules).await;
    let shown = browser.follow(&saved).await;
    assert!(
        shown.text.contains("Saved: the first endpoint of the list"),
        "{}",
        shown.text
    );
    let said = admin.get(&format!("/admin/teams/{team}/routing")).await.json()["own"].clone();
    assert_eq!(
        said,
        json!({"strategy": "primary_fallback", "models": [], "geographies": ["global", "eu"], "regions": null})
    );
    let route = browser.get(&format!("{path}?model=claude-opus-5-5")).await.text;
    let place = |what: &str| {
        route
            .rfind(what)
            .unwrap_or_else(|| panic!("no {what} in {route}"))
    };
    assert!(place("global.anthropic.claude-opus-5-5") < place("eu.anthropic.claude-opus-5-5"));
    assert!(route.contains("not one of the team&#x27;s own") || route.contains("not one of the team's own"));
    // The organisation's page, and what a team leaves to it.
    let here = "/console/endpoints/routing";
    let saved = browser.submit(here, here, &[("regions", "eu-")]).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let page = browser.get(&path).await.text;
    assert!(page.contains("eu- (the organisation"), "{page}");
    let route = browser.get(&format!("{path}?model=claude-opus-5-5")).await.text;
    assert!(route.contains("its region is not allowed"), "{route}");
    let teams = browser.get("/console/teams").await.text;
    assert!(teams.contains("Routing of Platform: primary_fallback"));
    plane.stop().await;
}
