//! What AWS says an endpoint offers, and what data planes are told of it.

use crate::connect_proxy::ConnectProxy;
use crate::support::{NOON, Plane, SYSTEM, TestDb, config, on_both};
use crate::watch::Follower;
use bedrock_sim::{Action, Availability as Said, Ending, Match, Rule, Sim};
use ccag_admin_api::{CheckResult, EndpointModels, OfferedModel, PinProfile};
use ccag_aws::{AwsCredentials, AwsSettings};
use ccag_controlplane::app::{discovery, endpoints};
use ccag_domain::{Availability, Code, EndpointId, Geography, Obstacle};
use ccag_proto::v1;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

on_both!(
    what_aws_lists_is_kept_and_pushed_once,
    an_application_profile_is_chosen_for_its_own_model_only,
    a_refusal_of_aws_leaves_what_was_known,
    aws_is_asked_again_by_one_of_several_control_planes,
    what_stands_in_a_models_way_is_shown_until_it_is_gone_and_moves_no_request,
    without_the_permission_availability_is_unknown_and_the_rest_is_found,
    a_test_names_the_action_and_the_resource_that_are_missing,
    a_role_that_cannot_be_assumed_is_all_that_a_test_says,
    a_test_says_what_is_wrong_with_the_proxy,
);

const SONNET: &str = "us.anthropic.claude-sonnet-5-5";

pub(crate) async fn plane(db: &TestDb, sim: &Sim) -> (Plane, EndpointId) {
    plane_asking(db, sim, None).await
}

async fn plane_asking(db: &TestDb, sim: &Sim, every: Option<Duration>) -> (Plane, EndpointId) {
    let mut config = config(db);
    config.discover_every = every;
    config.aws = AwsSettings {
        region: Some("us-east-1".into()),
        control_url: Some(sim.base_url()),
        quotas_url: Some(sim.base_url()),
        runtime_url: Some(sim.base_url()),
        sts_url: Some(sim.base_url()),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
        ..AwsSettings::default()
    };
    let plane = Plane::start_with(config).await;
    let list = endpoints::list(plane.app(), &SYSTEM).await.unwrap();
    (plane, list.endpoints[0].id.clone())
}

fn invoked(models: &EndpointModels, name: &str) -> Option<(String, Geography)> {
    let found = offered(models, name);
    found.invoked.as_ref().map(|i| (i.id.clone(), i.geography))
}

fn offered<'m>(models: &'m EndpointModels, name: &str) -> &'m OfferedModel {
    let mut all = models.models.iter();
    all.find(|m| m.model.as_deref() == Some(name)).unwrap()
}

fn availability(models: &EndpointModels, name: &str) -> Option<Availability> {
    offered(models, name)
        .availability
        .as_ref()
        .map(|a| a.known.clone())
}

fn about(model: &str, action: Action) -> Rule {
    Rule {
        matches: Match {
            model: Some(model.into()),
            operation: Some("availability".into()),
            ..Match::default()
        },
        ..Rule::always(action)
    }
}

pub(crate) fn endpoint_of(change: &v1::Change) -> v1::Endpoint {
    match change.step.clone().unwrap() {
        v1::change::Step::Put(object) => match object.object.unwrap() {
            v1::object::Object::Endpoint(endpoint) => endpoint,
            other => panic!("{other:?}"),
        },
        v1::change::Step::Remove(gone) => panic!("{gone:?}"),
    }
}

async fn what_aws_lists_is_kept_and_pushed_once(db: TestDb) {
    // The lists come in pages of seven.
    let sim = Sim::builder().page(7).start().await.unwrap();
    let arn = sim.application_profile("Team blue", SONNET);
    let (plane, id) = plane(&db, &sim).await;
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let before = discovery::models(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(before.discovered_at, None);

    let found = discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(found.discovered_at.unwrap().ms(), NOON);
    assert_eq!(
        invoked(&found, "claude-sonnet-5-5"),
        Some((SONNET.to_owned(), Geography::Us))
    );
    // The simulator has it in no region alone; the catalogue agrees.
    assert!(offered(&found, "claude-opus-4-1").legacy);
    let sonnet = offered(&found, "claude-sonnet-5-5");
    let own: Vec<_> = sonnet.profiles.iter().filter(|p| p.application).collect();
    assert_eq!(
        (own.len(), own[0].id.as_str(), own[0].geography),
        (1, arn.as_str(), Geography::Us)
    );

    let pushed = endpoint_of(&follower.changes(1).await[0]).discovery.unwrap();
    assert!(pushed.profiles.len() > 40, "all pages: {}", pushed.profiles.len());
    assert!(
        pushed
            .profiles
            .iter()
            .any(|p| p.id == arn && p.foundation_model == "anthropic.claude-sonnet-5-5")
    );
    // The same answer again is no news: nobody is told.
    plane.clock.0.store(NOON + 60_000, Ordering::Relaxed);
    let revision = db.count("SELECT revision FROM config_revision").await;
    let again = discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(again.discovered_at.unwrap().ms(), NOON + 60_000);
    assert_eq!(db.count("SELECT revision FROM config_revision").await, revision);
    sim.application_profile("Team red", SONNET);
    discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(
        db.count("SELECT revision FROM config_revision").await,
        revision + 1
    );
    plane.stop().await;
    sim.shutdown().await;
}

async fn an_application_profile_is_chosen_for_its_own_model_only(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let arn = sim.application_profile("Team blue", SONNET);
    let (plane, id) = plane(&db, &sim).await;
    let app = plane.app();
    let pin = |model: &str, arn: &str| PinProfile {
        model_id: model.into(),
        aip_arn: arn.into(),
        reason: Some("costs of team blue".into()),
    };
    // Never discovered: AWS is asked what is behind it.
    let wrong = discovery::pin(app, &SYSTEM, &id, pin("claude-opus-5-5", &arn))
        .await
        .unwrap_err();
    assert_eq!(
        (wrong.code, wrong.field.as_deref()),
        (Code::InvalidRequest, Some("aip_arn"))
    );
    let unknown = format!("{}x", arn);
    let unknown = discovery::pin(app, &SYSTEM, &id, pin("claude-sonnet-5-5", &unknown))
        .await
        .unwrap_err();
    assert_eq!(unknown.code, Code::BadUpstream);
    let no_arn = discovery::pin(app, &SYSTEM, &id, pin("claude-sonnet-5-5", SONNET))
        .await
        .unwrap_err();
    assert_eq!(no_arn.field.as_deref(), Some("aip_arn"));
    let mut follower = Follower::start(&plane, "", 0).await;
    follower.snapshot().await;
    let made = discovery::pin(app, &SYSTEM, &id, pin("anthropic.claude-sonnet-5-5", &arn))
        .await
        .unwrap();
    assert_eq!(
        (made.model_id.as_str(), made.geography),
        ("claude-sonnet-5-5", Geography::Us)
    );
    let pushed = endpoint_of(&follower.changes(1).await[0]);
    assert_eq!(
        (pushed.pinned[0].model.as_str(), &pushed.pinned[0].arn),
        ("claude-sonnet-5-5", &arn)
    );
    let twice = discovery::pin(app, &SYSTEM, &id, pin("claude-sonnet-5-5", &arn))
        .await
        .unwrap_err();
    assert_eq!(twice.code, Code::Conflict);
    let shown = discovery::models(app, &SYSTEM, &id).await.unwrap();
    assert_eq!(
        invoked(&shown, "claude-sonnet-5-5"),
        Some((arn.clone(), Geography::Us))
    );
    discovery::unpin(app, &SYSTEM, &id, "claude-sonnet-5-5[1m]")
        .await
        .unwrap();
    assert_eq!(discovery::pinned(app, &SYSTEM, &id).await.unwrap().overrides, []);
    let gone = discovery::unpin(app, &SYSTEM, &id, "claude-sonnet-5-5")
        .await
        .unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    plane.stop().await;
    sim.shutdown().await;
}

async fn a_refusal_of_aws_leaves_what_was_known(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let app = plane.app();
    discovery::discover(app, &SYSTEM, &id).await.unwrap();
    let revision = db.count("SELECT revision FROM config_revision").await;
    sim.shutdown().await;
    plane.clock.0.store(NOON + 1_000, Ordering::Relaxed);
    let refused = discovery::discover(app, &SYSTEM, &id).await.unwrap_err();
    assert_eq!(refused.code, Code::BadUpstream);
    let shown = discovery::models(app, &SYSTEM, &id).await.unwrap();
    assert_eq!(shown.discovered_at.unwrap().ms(), NOON);
    assert!(shown.error.as_ref().unwrap().contains("cannot be reached"));
    assert!(invoked(&shown, "claude-sonnet-5-5").is_some());
    assert_eq!(db.count("SELECT revision FROM config_revision").await, revision);
    plane.stop().await;
}

async fn aws_is_asked_again_by_one_of_several_control_planes(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let every = Some(Duration::from_millis(50));
    let (first, id) = plane_asking(&db, &sim, every).await;
    let mut planes = vec![first];
    if db.is_postgres() {
        planes.push(plane_asking(&db, &sim, every).await.0);
    }
    // Nobody is asked about an endpoint that nobody has wanted to know of.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sim.requests().len(), 0);
    discovery::discover(planes[0].app(), &SYSTEM, &id).await.unwrap();
    sim.clear();
    let arn = sim.application_profile("Team blue", SONNET);
    for plane in &planes {
        plane.clock.0.store(NOON + 1_000, Ordering::Relaxed);
    }
    let mut known = false;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let models = discovery::models(planes[0].app(), &SYSTEM, &id).await.unwrap();
        known = models
            .models
            .iter()
            .flat_map(|m| &m.profiles)
            .any(|p| p.id == arn);
        if known {
            break;
        }
    }
    assert!(known, "AWS was not asked again");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = sim
        .requests()
        .iter()
        .filter(|r| r.path.starts_with("/foundation-models?"))
        .count();
    assert_eq!(asked, 1, "each control plane asked");
    for plane in planes {
        plane.stop().await;
    }
    sim.shutdown().await;
}

async fn what_stands_in_a_models_way_is_shown_until_it_is_gone_and_moves_no_request(db: TestDb) {
    const OPUS: &str = "claude-opus-5-5";
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let app = plane.app();
    let before = discovery::models(app, &SYSTEM, &id).await.unwrap();
    assert_eq!(availability(&before, OPUS), None, "AWS was not asked");
    let missing = Said {
        agreement: "NOT_AVAILABLE".into(),
        authorization: "NOT_AUTHORIZED".into(),
        entitlement: "NOT_AVAILABLE".into(),
        ..Said::default()
    };
    sim.script(about("claude-opus-5-5", Action::Availability(missing)));
    let failed = Said {
        agreement: "ERROR".into(),
        agreement_error: Some("no payment method".into()),
        ..Said::default()
    };
    sim.script(about("claude-sonnet-5-5", Action::Availability(failed)));
    let found = discovery::discover(app, &SYSTEM, &id).await.unwrap();
    let revision = db.count("SELECT revision FROM config_revision").await;
    assert_eq!(
        availability(&found, OPUS),
        Some(Availability::Hindered {
            by: vec![Obstacle::NotAuthorized, Obstacle::AgreementMissing],
            agreement_error: None
        })
    );
    let text = &offered(&found, "claude-sonnet-5-5")
        .availability
        .as_ref()
        .unwrap()
        .text;
    assert!(text.starts_with("agreement failed: no payment method"), "{text}");
    assert_eq!(
        availability(&found, "claude-haiku-5-5"),
        Some(Availability::Available)
    );
    // The first request makes the agreement: it must not be kept from being sent.
    assert!(invoked(&found, OPUS).is_some());
    assert_eq!(
        discovery::models(app, &SYSTEM, &id).await.unwrap(),
        found,
        "it is kept"
    );

    // Accepted a minute later; no data plane hears of it.
    sim.clear_script();
    let found = discovery::discover(app, &SYSTEM, &id).await.unwrap();
    assert_eq!(availability(&found, OPUS), Some(Availability::Available));
    assert_eq!(db.count("SELECT revision FROM config_revision").await, revision);
    plane.stop().await;
    sim.shutdown().await;
}

async fn without_the_permission_availability_is_unknown_and_the_rest_is_found(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    sim.script(about(
        "",
        Action::Error {
            status: 403,
            error_type: "AccessDeniedException".into(),
            message: "User: arn:aws:sts::111122223333:assumed-role/ccag/x is not authorized".into(),
        },
    ));
    let (plane, id) = plane(&db, &sim).await;
    let found = discovery::discover(plane.app(), &SYSTEM, &id).await.unwrap();
    assert_eq!(found.error, None);
    assert!(invoked(&found, "claude-opus-5-5").is_some());
    let text = &offered(&found, "claude-opus-5-5")
        .availability
        .as_ref()
        .unwrap()
        .text;
    assert_eq!(
        text,
        "unknown: the role lacks bedrock:GetFoundationModelAvailability"
    );
    plane.stop().await;
    sim.shutdown().await;
}

#[tokio::test]
async fn wrong_credentials_are_told_with_what_helps() {
    let sim = Sim::builder()
        .credential("AKIDEXAMPLE", "another-secret")
        .start()
        .await
        .unwrap();
    let db = TestDb::sqlite().await;
    let (plane, id) = plane(&db, &sim).await;
    let admin = plane.admin().await;
    let answer = admin
        .post(&format!("/admin/endpoints/{id}/discover"), json!({}))
        .await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("ListInferenceProfiles was refused with 403"),
        "{detail}"
    );
    assert!(detail.contains("bedrock:ListFoundationModels"), "{detail}");
    let (member, _) = admin.new_member("member").await;
    for (method, path) in [
        ("POST", "discover"),
        ("GET", "models"),
        ("GET", "aip-overrides"),
        ("GET", "quotas"),
    ] {
        let path = format!("/admin/endpoints/{id}/{path}");
        assert_eq!(member.send(method, &path, "").await.status, 403, "{path}");
    }
    plane.stop().await;
    sim.shutdown().await;
}

async fn a_test_names_the_action_and_the_resource_that_are_missing(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let passed = discovery::test(plane.app(), &SYSTEM, &id).await.unwrap();
    assert!(passed.passed && passed.own_credentials, "{passed:?}");
    assert_eq!(passed.missing_policy, None);
    let tried = |action: &str| passed.checks.iter().filter(|c| c.action == action).count();
    assert_eq!(tried("bedrock:ListInferenceProfiles"), 1);
    assert!(tried("bedrock:InvokeModelWithResponseStream") > 5);
    // No model has answered, and nothing is billed.
    assert!(sim.account().iter().all(|asked| asked.ending == Ending::Failed));

    sim.deny("bedrock:InvokeModelWithResponseStream");
    sim.deny("bedrock:ListFoundationModels");
    let test = discovery::test(plane.app(), &SYSTEM, &id).await.unwrap();
    assert!(!test.passed);
    let denied: Vec<_> = test
        .checks
        .iter()
        .filter(|c| c.result == CheckResult::Denied)
        .collect();
    assert!(
        denied.iter().all(|c| c.action != "bedrock:InvokeModel"),
        "{denied:?}"
    );
    let sonnet = denied
        .iter()
        .find(|c| c.on.as_deref() == Some("claude-sonnet-5-5"))
        .unwrap();
    assert_eq!(sonnet.action, "bedrock:InvokeModelWithResponseStream");
    assert!(sonnet.resource.as_ref().unwrap().ends_with(SONNET), "{sonnet:?}");
    assert!(
        sonnet.message.as_ref().unwrap().contains("not authorized"),
        "{sonnet:?}"
    );
    let policy = test.missing_policy.unwrap();
    let actions: Vec<_> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["Action"].clone())
        .collect();
    assert_eq!(
        actions,
        [
            json!(["bedrock:ListFoundationModels"]),
            json!(["bedrock:InvokeModelWithResponseStream"])
        ]
    );
    sim.allow_all();
    assert!(discovery::test(plane.app(), &SYSTEM, &id).await.unwrap().passed);
    plane.stop().await;
}

async fn a_role_that_cannot_be_assumed_is_all_that_a_test_says(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let role = "arn:aws:iam::444455556666:role/bedrock";
    let change = serde_json::from_value(json!({"role_arn": role})).unwrap();
    endpoints::update(plane.app(), &SYSTEM, &id, change)
        .await
        .unwrap();
    sim.deny("sts:AssumeRole");
    let test = discovery::test(plane.app(), &SYSTEM, &id).await.unwrap();
    assert!(!test.own_credentials);
    let [check] = test.checks.as_slice() else {
        panic!("{test:?}")
    };
    assert_eq!(
        (check.action.as_str(), check.on.as_deref()),
        ("sts:AssumeRole", Some(role))
    );
    assert_eq!(check.resource.as_deref(), Some(role));
    // As soon as it may, it can.
    sim.allow_all();
    assert!(discovery::test(plane.app(), &SYSTEM, &id).await.unwrap().passed);
    plane.stop().await;
}

async fn a_test_says_what_is_wrong_with_the_proxy(db: TestDb) {
    let sim = Sim::builder().start().await.unwrap();
    let (plane, id) = plane(&db, &sim).await;
    let admin = plane.admin().await;
    let (open, closed) = (ConnectProxy::start(200).await, ConnectProxy::start(407).await);
    for (proxy, passes) in [(&open, true), (&closed, false)] {
        let body = json!({"proxy": {"url": proxy.url}}).to_string();
        let path = format!("/admin/endpoints/{id}");
        assert_eq!(admin.send("PATCH", &path, &body).await.status, 200);
        let test = discovery::test(plane.app(), &SYSTEM, &id).await.unwrap();
        assert_eq!(test.passed, passes, "{test:?}");
        if !passes {
            let message = test.checks[0].message.as_deref().unwrap();
            assert!(message.contains("wants a user and a password (407)"), "{message}");
            assert_eq!(
                (test.checks.len(), test.checks[0].result),
                (1, CheckResult::Failed)
            );
        }
    }
    assert!(open.connected() > 0, "AWS was reached through it");
    assert_eq!((closed.connected(), closed.asked().len()), (0, 1));
    plane.stop().await;
    sim.shutdown().await;
}
