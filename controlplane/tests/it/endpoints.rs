//! Endpoints and which teams use them: through the verbs on both databases, through HTTP, and what data planes are told.

use crate::support::{Answer, Plane, SYSTEM, TestDb, on_both};
use crate::watch::Follower;
use ccag_admin_api::{AssignedEndpoint, CreateEndpoint, CreateTeam, SetTeamEndpoints};
use ccag_controlplane::app::{endpoints, teams};
use ccag_domain::{Code, EndpointId, TeamId};
use ccag_proto::v1;
use serde_json::json;

on_both!(
    an_endpoint_that_a_team_uses_cannot_be_deleted,
    the_last_default_endpoint_cannot_be_lost,
    a_new_default_is_the_only_one_and_was_there_before_the_old_one_went,
    a_teams_endpoints_are_pushed_whole,
);

async fn endpoint(plane: &Plane, name: &str) -> EndpointId {
    let request: CreateEndpoint = serde_json::from_value(json!({"name": name})).unwrap();
    endpoints::create(plane.app(), &SYSTEM, request).await.unwrap().id
}

async fn team(plane: &Plane, name: &str) -> TeamId {
    let request = CreateTeam { name: name.into() };
    teams::create(plane.app(), &SYSTEM, request).await.unwrap().id
}

async fn assign(plane: &Plane, team: &TeamId, ids: &[&EndpointId]) {
    let endpoints = ids.iter().map(|id| AssignedEndpoint {
        endpoint_id: (*id).clone(),
        priority: None,
    });
    let request = SetTeamEndpoints {
        endpoints: endpoints.collect(),
        routing_strategy: None,
    };
    endpoints::assign(plane.app(), &SYSTEM, team, request)
        .await
        .unwrap();
}

async fn default_endpoint(plane: &Plane) -> EndpointId {
    let list = endpoints::list(plane.app(), &SYSTEM).await.unwrap();
    list.endpoints.into_iter().find(|e| e.is_default).unwrap().id
}

async fn an_endpoint_that_a_team_uses_cannot_be_deleted(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (own, team) = (endpoint(&plane, "own").await, team(&plane, "Platform").await);
    assign(&plane, &team, &[&own]).await;
    let refused = endpoints::delete(plane.app(), &SYSTEM, &own).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.message.contains("`Platform`"), "{}", refused.message);
    let shown = endpoints::find(plane.app(), &SYSTEM, &own).await.unwrap();
    assert_eq!(shown.teams[0].name, "Platform");
    assign(&plane, &team, &[]).await;
    endpoints::delete(plane.app(), &SYSTEM, &own).await.unwrap();
    let gone = endpoints::find(plane.app(), &SYSTEM, &own).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    plane.stop().await;
}

async fn the_last_default_endpoint_cannot_be_lost(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let default = default_endpoint(&plane).await;
    let patch = |body| serde_json::from_value(body).unwrap();
    for refused in [
        endpoints::delete(app, &SYSTEM, &default).await.unwrap_err(),
        endpoints::update(app, &SYSTEM, &default, patch(json!({"is_default": false})))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code, Code::Conflict);
        assert!(refused.message.contains("only default"), "{}", refused.message);
    }
    let second = endpoint(&plane, "second").await;
    endpoints::update(app, &SYSTEM, &second, patch(json!({"is_default": true})))
        .await
        .unwrap();
    endpoints::delete(app, &SYSTEM, &default).await.unwrap();
    assert_eq!(default_endpoint(&plane).await, second);
    plane.stop().await;
}

fn endpoint_of(change: &v1::Change) -> &v1::Endpoint {
    match change.step.as_ref().unwrap() {
        v1::change::Step::Put(object) => match object.object.as_ref().unwrap() {
            v1::object::Object::Endpoint(endpoint) => endpoint,
            other => panic!("{other:?}"),
        },
        v1::change::Step::Remove(gone) => panic!("{gone:?}"),
    }
}

async fn a_new_default_is_the_only_one_and_was_there_before_the_old_one_went(db: TestDb) {
    let plane = Plane::start(&db).await;
    let old = default_endpoint(&plane).await;
    let new = endpoint(&plane, "new").await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    endpoints::set_default(plane.app(), &SYSTEM, &new).await.unwrap();
    let changes = follower.changes(2).await;
    let steps: Vec<_> = changes
        .iter()
        .map(endpoint_of)
        .map(|e| (e.id.as_str(), e.is_default))
        .collect();
    assert_eq!(steps, [(new.as_str(), true), (old.as_str(), false)]);
    let disable = serde_json::from_value(json!({"enabled": false})).unwrap();
    endpoints::update(plane.app(), &SYSTEM, &old, disable)
        .await
        .unwrap();
    let refused = endpoints::set_default(plane.app(), &SYSTEM, &old)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    let missing = EndpointId::parse("end_missing").unwrap();
    let unknown = endpoints::set_default(plane.app(), &SYSTEM, &missing)
        .await
        .unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
    assert_eq!(default_endpoint(&plane).await, new);
    plane.stop().await;
}

async fn a_teams_endpoints_are_pushed_whole(db: TestDb) {
    let plane = Plane::start(&db).await;
    let (a, b) = (endpoint(&plane, "a").await, endpoint(&plane, "b").await);
    let team = team(&plane, "Platform").await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let ids = |change: &v1::Change| match change.step.clone().unwrap() {
        v1::change::Step::Put(object) => match object.object.unwrap() {
            v1::object::Object::Team(team) => team.endpoint_ids,
            other => panic!("{other:?}"),
        },
        v1::change::Step::Remove(gone) => panic!("{gone:?}"),
    };
    assign(&plane, &team, &[&a, &b]).await;
    assert_eq!(ids(&follower.changes(1).await[0]), [a.as_str(), b.as_str()]);
    // One change from one set to the other: at no revision is the team without endpoints of its own.
    assign(&plane, &team, &[&b]).await;
    assert_eq!(ids(&follower.changes(1).await[0]), [b.as_str()]);
    plane.stop().await;
}

fn refused(answer: &Answer, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["field"], field, "{}", answer.text);
}

#[tokio::test]
async fn endpoints_are_made_changed_replaced_and_deleted_over_http() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let made = admin
        .post(
            "/admin/endpoints",
            json!({
                "name": "Gov", "region": "us-gov-west-1", "routing_prefix": "us-gov", "weight": 3,
                "role_arn": "arn:aws-us-gov:iam::111122223333:role/ccag", "external_id": "shared-secret",
                "lanes": ["mantle"], "guardrail": {"id": "gr1", "version": "2"},
            }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/admin/endpoints/{}", made.id());
    let shown = admin.get(&path).await.json();
    assert_eq!(shown, made.json());
    assert_eq!(shown["geography"], "us-gov");
    assert_eq!(shown["lanes"], json!(["mantle", "invoke-model"]));
    assert_eq!(
        shown["guardrail"],
        json!({"id": "gr1", "version": "2", "trace": "disabled", "tag_input": false})
    );

    let patched = admin
        .send(
            "PATCH",
            &path,
            r#"{"geography":null,"enabled":false,"guardrail":null,"lanes":null}"#,
        )
        .await
        .json();
    assert_eq!(
        (&patched["geography"], &patched["enabled"], &patched["guardrail"]),
        (&json!(null), &json!(false), &json!(null))
    );
    assert_eq!(patched["lanes"], json!(["invoke-model"]));
    assert_eq!(patched["external_id"], "shared-secret");
    // Without its role an external id means nothing.
    let patched = admin.send("PATCH", &path, r#"{"role_arn":null}"#).await.json();
    assert_eq!(patched["external_id"], json!(null));
    let replaced = admin.send("PUT", &path, r#"{"name":"Gov 2"}"#).await.json();
    assert_eq!(
        (&replaced["region"], &replaced["weight"], &replaced["enabled"]),
        (&json!(null), &json!(1), &json!(true))
    );
    assert_eq!(
        admin.send("PUT", &format!("{path}/default"), "").await.status,
        200
    );
    let listed = admin.get("/admin/endpoints").await.json();
    let defaults: Vec<_> = listed["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["is_default"] == true)
        .map(|e| e["name"].clone())
        .collect();
    assert_eq!(defaults, [json!("Gov 2")]);
    assert_eq!(admin.send("DELETE", &path, "").await.status, 409);
    plane.stop().await;
}

#[tokio::test]
async fn a_wrong_endpoint_is_refused_by_the_field_that_is_wrong() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for (body, field) in [
        (json!({"name": " "}), "name"),
        (json!({"name": "x", "region": "us-east-1.evil.example"}), "region"),
        (
            json!({"name": "x", "role_arn": "arn:aws:iam::1:role/x"}),
            "role_arn",
        ),
        (
            json!({"name": "x", "region": "cn-north-1", "role_arn": "arn:aws:iam::111122223333:role/x"}),
            "role_arn",
        ),
        (json!({"name": "x", "external_id": "abc"}), "external_id"),
        (json!({"name": "x", "geography": "mars"}), "geography"),
        (
            json!({"name": "x", "runtime_url": "http://bedrock.example"}),
            "runtime_url",
        ),
        (json!({"name": "x", "mantle_url": "nonsense"}), "mantle_url"),
        (json!({"name": "x", "weight": 10_001}), "weight"),
        (json!({"name": "x", "weight": -1}), "weight"),
        (json!({"name": "x", "lanes": ["pigeon"]}), "lanes[0]"),
        (
            json!({"name": "x", "guardrail": {"id": "A B", "version": "1"}}),
            "guardrail.id",
        ),
        (
            json!({"name": "x", "guardrail": {"id": "a", "version": "0"}}),
            "guardrail.version",
        ),
        (json!({"name": "x", "colour": "red"}), "colour"),
    ] {
        refused(&admin.post("/admin/endpoints", body).await, 400, field);
    }
    let again = admin.post("/admin/endpoints", json!({"name": "DEFAULT"})).await;
    refused(&again, 409, "name");
    assert_eq!(admin.get("/admin/endpoints/end_missing").await.status, 404);
    plane.stop().await;
}

#[tokio::test]
async fn a_teams_endpoints_are_read_and_set_over_http() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let path = format!("/admin/teams/{team}/endpoints");
    assert_eq!(
        admin.get(&path).await.json(),
        json!({"endpoints": [], "uses_default": true, "routing_strategy": "sticky"})
    );
    let a = admin.post("/admin/endpoints", json!({"name": "a"})).await.id();
    let b = admin.post("/admin/endpoints", json!({"name": "b"})).await.id();
    let put = |body: serde_json::Value| {
        let (admin, path) = (admin.clone(), path.clone());
        async move { admin.send("PUT", &path, &body.to_string()).await }
    };
    let set = put(json!({"endpoints": [
        {"endpoint_id": a, "priority": 5}, {"endpoint_id": b, "priority": 1},
    ]}))
    .await;
    let names: Vec<_> = set.json()["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["name"].clone(), e["priority"].clone()))
        .collect();
    assert_eq!(names, [(json!("b"), json!(1)), (json!("a"), json!(5))]);
    assert_eq!(admin.get(&path).await.json(), set.json());
    for wrong in [
        json!({"endpoints": [{"endpoint_id": "end_missing"}]}),
        json!({"endpoints": [{"endpoint_id": a}, {"endpoint_id": a}]}),
    ] {
        refused(&put(wrong).await, 400, "endpoints");
    }
    // A refused assignment changes nothing.
    assert_eq!(admin.get(&path).await.json(), set.json());
    let team_path = format!("/admin/teams/{team}");
    let guarded = admin
        .send(
            "PATCH",
            &team_path,
            r#"{"guardrail":{"id":"gr1","version":"DRAFT"}}"#,
        )
        .await;
    assert_eq!(
        guarded.json()["guardrail"]["version"],
        "DRAFT",
        "{}",
        guarded.text
    );
    let renamed = admin.send("PATCH", &team_path, r#"{"name":"P"}"#).await;
    assert_eq!(renamed.json()["guardrail"]["id"], "gr1");
    plane.stop().await;
}

#[tokio::test]
async fn members_neither_see_nor_change_endpoints() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (member, _) = admin.new_member("member").await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let id = default_endpoint(&plane).await;
    for (method, path, body) in [
        ("GET", "/admin/endpoints".to_owned(), ""),
        ("POST", "/admin/endpoints".to_owned(), r#"{"name":"x"}"#),
        ("GET", format!("/admin/endpoints/{id}"), ""),
        ("PUT", format!("/admin/endpoints/{id}"), r#"{"name":"x"}"#),
        ("PATCH", format!("/admin/endpoints/{id}"), r#"{"name":"x"}"#),
        ("DELETE", format!("/admin/endpoints/{id}"), ""),
        ("PUT", format!("/admin/endpoints/{id}/default"), ""),
        ("GET", format!("/admin/teams/{team}/endpoints"), ""),
        (
            "PUT",
            format!("/admin/teams/{team}/endpoints"),
            r#"{"endpoints":[]}"#,
        ),
    ] {
        let answer = member.send(method, &path, body).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
        let nobody = plane.caller().send(method, &path, body).await;
        assert_eq!(nobody.status, 401, "{method} {path}: {}", nobody.text);
    }
    plane.stop().await;
}
