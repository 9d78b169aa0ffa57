//! Versions of the rules, admins' own rules, lessons, and counts of what clients send.

use crate::support::{NOON, Plane, SYSTEM, TestDb, on_both};
use ccag_admin_api::{CapabilitiesView, WriteRule};
use ccag_controlplane::app::capabilities;
use ccag_domain::{Code, EndpointId, LearntFact};
use ccag_proto::v1;
use ccag_proto::v1::config_client::ConfigClient;
use ccag_proto::v1::watch_request::Body as Up;
use ccag_proto::v1::watch_response::Body as Down;
use ccag_translate::profile::RuleBook;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;

on_both!(
    the_shipped_rules_are_published_once,
    every_change_of_a_rule_makes_a_version_and_old_ones_stay,
    a_rule_that_makes_no_sense_changes_nothing,
    a_lesson_is_stored_once_and_forgotten_on_request,
    old_versions_are_forgotten_with_what_was_learnt_under_them,
    what_data_planes_find_is_pushed_to_all_and_shown,
);

const BETA: &str = "unheard-of-2030-01-01";

fn rule(action: &str) -> WriteRule {
    WriteRule {
        surface: "invoke-model".into(),
        table: "betas".into(),
        rule: json!({"name": BETA, "do": action, "source": "a test"}),
    }
}

fn fact(version: &str) -> LearntFact {
    LearntFact {
        endpoint_id: EndpointId::parse("end_1").unwrap(),
        bedrock_model: "us.anthropic.claude-opus-5-5".into(),
        surface: "invoke-model".into(),
        version: version.into(),
        kind: "beta".into(),
        value: BETA.into(),
        learnt_at_ms: NOON,
    }
}

async fn view(plane: &Plane) -> CapabilitiesView {
    capabilities::view(plane.app(), &SYSTEM).await.unwrap()
}

fn versions(view: &CapabilitiesView) -> Vec<String> {
    let surface = view
        .surfaces
        .iter()
        .find(|s| s.surface == "invoke-model")
        .unwrap();
    surface.versions.iter().map(|v| v.version.clone()).collect()
}

/// What the rules in force say about the beta.
async fn in_force(plane: &Plane) -> Option<Value> {
    let book = capabilities::book(plane.app(), &SYSTEM, "invoke-model", None)
        .await
        .unwrap();
    let rows = book["betas"].as_array().unwrap();
    rows.iter()
        .find(|row| row["name"] == BETA)
        .map(|row| row["do"].clone())
}

async fn the_shipped_rules_are_published_once(db: TestDb) {
    let shipped = RuleBook::invoke_model().version();
    let plane = Plane::start(&db).await;
    assert_eq!(versions(&view(&plane).await), [shipped]);
    plane.stop().await;
    let plane = Plane::start(&db).await;
    assert_eq!(
        versions(&view(&plane).await),
        [shipped],
        "a restart publishes nothing"
    );
    plane.stop().await;
}

async fn every_change_of_a_rule_makes_a_version_and_old_ones_stay(db: TestDb) {
    let shipped = RuleBook::invoke_model().version();
    let plane = Plane::start(&db).await;
    let app = plane.app();
    assert_eq!(in_force(&plane).await, None);
    let added = capabilities::add_rule(app, &SYSTEM, rule("keep")).await.unwrap();
    assert_eq!(in_force(&plane).await, Some(json!("keep")));
    capabilities::replace_rule(app, &SYSTEM, &added.id, rule("drop"))
        .await
        .unwrap();
    assert_eq!(in_force(&plane).await, Some(json!("drop")));
    // Of two rules about the same thing the one that was made last decides.
    plane.clock.0.fetch_add(1_000, Ordering::Relaxed);
    let second = capabilities::add_rule(app, &SYSTEM, rule("refuse"))
        .await
        .unwrap();
    assert_eq!(in_force(&plane).await, Some(json!("refuse")));
    capabilities::delete_rule(app, &SYSTEM, &second.id).await.unwrap();
    capabilities::delete_rule(app, &SYSTEM, &added.id).await.unwrap();
    assert_eq!(in_force(&plane).await, None);
    let now = view(&plane).await;
    assert!(now.rules.is_empty());
    let expected: Vec<String> = (2..=6).rev().map(|n| format!("{shipped}+{n}")).collect();
    assert_eq!(versions(&now)[..5], expected);
    let old = format!("{shipped}+2");
    let old = capabilities::book(app, &SYSTEM, "invoke-model", Some(&old))
        .await
        .unwrap();
    assert_eq!(old["betas"][0]["do"], "keep", "a version is never changed");
    let gone = capabilities::delete_rule(app, &SYSTEM, &added.id)
        .await
        .unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    plane.stop().await;
}

async fn a_rule_that_makes_no_sense_changes_nothing(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let wrong = [
        WriteRule {
            table: "planets".into(),
            ..rule("keep")
        },
        WriteRule {
            surface: "mars".into(),
            ..rule("keep")
        },
        rule("ponder"),
        WriteRule {
            rule: json!({"name": BETA, "do": "keep", "source": ""}),
            ..rule("keep")
        },
        WriteRule {
            rule: json!({"name": "x".repeat(10_000), "do": "keep", "source": "s"}),
            ..rule("keep")
        },
        WriteRule {
            rule: json!("keep"),
            ..rule("keep")
        },
    ];
    for request in wrong {
        let problem = capabilities::add_rule(app, &SYSTEM, request).await.unwrap_err();
        assert_eq!(problem.code, Code::InvalidRequest, "{problem}");
        assert!(problem.field.is_some(), "{problem}");
    }
    let now = view(&plane).await;
    assert_eq!((now.rules.len(), versions(&now).len()), (0, 1));
    plane.stop().await;
}

async fn a_lesson_is_stored_once_and_forgotten_on_request(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let version = versions(&view(&plane).await).remove(0);
    capabilities::learn(app, vec![fact(&version)]).await.unwrap();
    capabilities::learn(app, vec![fact(&version)]).await.unwrap();
    let learnt = view(&plane).await.learnt;
    assert_eq!(learnt.len(), 1);
    assert_eq!(
        db.count("SELECT COUNT(*) FROM config_changes WHERE kind = 'learnt_fact'")
            .await,
        1
    );
    capabilities::forget(app, &SYSTEM, &learnt[0].id).await.unwrap();
    assert!(view(&plane).await.learnt.is_empty());
    let again = capabilities::forget(app, &SYSTEM, &learnt[0].id)
        .await
        .unwrap_err();
    assert_eq!(again.code, Code::NotFound);
    plane.stop().await;
}

async fn old_versions_are_forgotten_with_what_was_learnt_under_them(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let first = versions(&view(&plane).await).remove(0);
    capabilities::learn(app, vec![fact(&first)]).await.unwrap();
    let added = capabilities::add_rule(app, &SYSTEM, rule("keep")).await.unwrap();
    for _ in 0..20 {
        capabilities::replace_rule(app, &SYSTEM, &added.id, rule("drop"))
            .await
            .unwrap();
    }
    let now = view(&plane).await;
    assert_eq!(versions(&now).len(), 20);
    assert!(!versions(&now).contains(&first));
    assert!(now.learnt.is_empty());
    plane.stop().await;
}

async fn what_data_planes_find_is_pushed_to_all_and_shown(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (out, outbound) = tokio::sync::mpsc::channel(8);
    let send = |body| v1::WatchRequest { body: Some(body) };
    let hello = v1::Hello {
        replica_id: "rep_test".into(),
        ..Default::default()
    };
    out.send(send(Up::Hello(hello))).await.unwrap();
    let mut client = ConfigClient::new(plane.channel().await).max_decoding_message_size(64 << 20);
    let mut inbound = client
        .watch(ReceiverStream::new(outbound))
        .await
        .unwrap()
        .into_inner();
    let seen = |count| v1::SeenFeature {
        kind: "beta".into(),
        name: BETA.into(),
        known: false,
        count,
    };
    let findings = v1::Findings {
        learnt: vec![fact("1").into(), v1::LearntFact::default()],
        seen: vec![seen(2)],
        moved: Vec::new(),
    };
    out.send(send(Up::Findings(findings))).await.unwrap();
    let pushed = async {
        loop {
            let Some(Down::Changes(batch)) = inbound.message().await.unwrap().unwrap().body else {
                continue;
            };
            for change in batch.changes {
                if let Some(v1::change::Step::Put(object)) = change.step
                    && let Some(v1::object::Object::LearntFact(fact)) = object.object
                {
                    return fact;
                }
            }
        }
    };
    let pushed = tokio::time::timeout(Duration::from_secs(10), pushed)
        .await
        .expect("the lesson is pushed");
    assert_eq!(pushed, v1::LearntFact::from(fact("1")));
    out.send(send(Up::Findings(v1::Findings {
        learnt: Vec::new(),
        seen: vec![seen(3)],
        moved: Vec::new(),
    })))
    .await
    .unwrap();
    for _ in 0..500 {
        let now = view(&plane).await;
        if now.seen.first().is_some_and(|seen| seen.count == 5) {
            assert_eq!((now.seen[0].name.as_str(), now.seen[0].known), (BETA, false));
            plane.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the counts were not added up: {:?}", view(&plane).await.seen);
}

#[tokio::test]
async fn the_admin_api_shows_and_changes_rules_for_admins_alone() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let body = json!({"table": "betas", "rule": {"name": BETA, "do": "keep", "source": "ticket 7"}});
    let added = admin.post("/admin/capabilities/rules", body.clone()).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let shown = admin.get("/admin/capabilities").await.json();
    assert_eq!(shown["rules"][0]["rule"]["source"], "ticket 7");
    let book = admin.get("/admin/capabilities/books/invoke-model").await.json();
    assert_eq!(book["betas"][0]["name"], BETA);
    assert_eq!(book["version"], shown["surfaces"][0]["version"]);
    let path = format!("/admin/capabilities/rules/{}", added.id());
    let bad = json!({"table": "betas", "rule": {"name": BETA, "do": "ponder", "source": "s"}});
    let refused = admin.send("PUT", &path, &bad.to_string()).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(
        refused.json()["detail"].as_str().unwrap().contains("ponder"),
        "{}",
        refused.text
    );

    let (member, _) = admin.new_member("member").await;
    for (method, path, body) in [
        ("GET", "/admin/capabilities", String::new()),
        ("GET", "/admin/capabilities/books/invoke-model", String::new()),
        ("POST", "/admin/capabilities/rules", body.to_string()),
        ("PUT", path.as_str(), body.to_string()),
        ("DELETE", path.as_str(), String::new()),
        ("DELETE", "/admin/capabilities/learnt/learnt_x", String::new()),
    ] {
        let answer = member.send(method, path, &body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
    }
    assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    assert_eq!(admin.send("DELETE", &path, "").await.status, 404);
    assert_eq!(admin.get("/admin/capabilities/books/mars").await.status, 404);
    plane.stop().await;
}
