//! With what endpoints are called, in whose name, in which tier, and draining: against bedrock-sim.

use crate::control::{KEY, endpoint, key, usual};
use crate::lanes::{on, post_in, with_lanes};
use crate::sim::{signed_sim, world};
use crate::world::{Rig, ask};
use bedrock_sim::{Action, Received, Sim};
use ccag_domain::{
    Access, AccessKeys, ConfigObject, CredentialSource, Endpoint, Lane, ServiceSecret, ServiceTier,
    SessionTags,
};
use serde_json::json;
use std::sync::Arc;

const TIER: &str = "x-amzn-bedrock-service-tier";
const METADATA: &str = "x-amzn-bedrock-request-metadata";
const OWN_ID: &str = "AKIAIOSFODNN7EXAMPLE";

fn with(change: impl FnOnce(&mut Endpoint, &mut Access)) -> ConfigObject {
    let mut changed = endpoint(1, true);
    let mut access = Access::default();
    change(&mut changed, &mut access);
    changed.access = Arc::new(access);
    ConfigObject::Endpoint(changed)
}

fn own_keys() -> CredentialSource {
    CredentialSource::Keys(Some(AccessKeys {
        id: ServiceSecret::new(OWN_ID),
        secret: ServiceSecret::new("own-secret"),
        session_token: None,
    }))
}

fn invocations(sim: &Sim) -> Vec<Received> {
    let mut all = sim.requests();
    all.retain(|request| request.path != "/");
    all
}

fn header<'r>(request: &'r Received, name: &str) -> Option<&'r str> {
    let mut all = request.headers.iter();
    all.find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

async fn asked(rig: &Rig) {
    let answer = rig.post(ask(true)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn other_credentials_are_used_from_the_next_request_on() {
    let sim = Sim::builder()
        .credential("AKIDEXAMPLE", "a-secret")
        .credential(OWN_ID, "own-secret")
        .start()
        .await
        .unwrap();
    let (control, rig) = world(&sim, usual()).await;
    asked(&rig).await;
    let own = with(|_, access| access.credentials = own_keys());
    control.plane.applied(control.plane.put(own)).await;
    asked(&rig).await;
    let signers: Vec<_> = invocations(&sim).into_iter().map(|r| r.signed_by).collect();
    assert_eq!(signers, [Some("AKIDEXAMPLE".into()), Some(OWN_ID.into())]);
    // Those that have not arrived are not replaced by the data plane's own.
    let missing = with(|_, access| access.credentials = CredentialSource::Keys(None));
    control.plane.applied(control.plane.put(missing)).await;
    assert_eq!(rig.post(ask(true)).await.status, 529);
    assert_eq!(invocations(&sim).len(), 2);
}

#[tokio::test]
async fn each_users_requests_go_through_a_session_that_is_tagged_with_them() {
    const OTHER: &str = "sk-ccag-test-key-1111111111111111111111111111111111";
    let sim = signed_sim().await;
    let mut objects = usual();
    objects.push(ConfigObject::Key(ccag_domain::KeyGrant {
        user_id: None,
        ..key(OTHER, "key_2")
    }));
    objects.push(with(|endpoint, access| {
        endpoint.role_arn = Some("arn:aws:iam::111122223333:role/bedrock".into());
        access.session_tags = SessionTags::User;
    }));
    let (_control, rig) = world(&sim, objects).await;
    for secret in [KEY, KEY, OTHER] {
        let answer = rig.post_with(secret, ask(true)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let sessions = sim.sessions();
    let names: Vec<_> = sessions.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["user_1", "ccag-dataplane"]);
    let tags: Vec<_> = sessions[0].tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        tags,
        ["ccag:team=team_1", "ccag:team-name=team_1", "ccag:user=user_1"]
    );
    let signers: Vec<_> = invocations(&sim).into_iter().map(|r| r.signed_by).collect();
    let of = |n: usize| Some(sessions[n].access_key_id.clone());
    assert_eq!(signers, [of(0), of(0), of(1)]);
}

#[tokio::test]
async fn a_service_tier_is_asked_for_and_left_out_where_bedrock_refuses_it() {
    let sim = signed_sim().await;
    let mut objects = usual();
    objects.push(with(|_, access| access.service_tier = Some(ServiceTier::Flex)));
    let (control, rig) = world(&sim, objects).await;
    asked(&rig).await;
    assert_eq!(header(&invocations(&sim)[0], TIER), Some("flex"));
    sim.clear();
    sim.script(on(
        "stream",
        Action::Error {
            status: 400,
            error_type: "ValidationException".into(),
            message: "The provided serviceTier is not supported for this model.".into(),
        },
    ));
    // Refused once more without it: then it is the request's own fault.
    assert_eq!(rig.post(ask(true)).await.status, 400);
    let tiers: Vec<_> = invocations(&sim)
        .iter()
        .map(|r| header(r, TIER).map(str::to_owned))
        .collect();
    assert_eq!(tiers, [Some("flex".to_owned()), None]);
    sim.clear_script();
    sim.clear();
    asked(&rig).await;
    assert_eq!(
        header(&invocations(&sim)[0], TIER),
        None,
        "later requests begin without it"
    );
    control.plane.stored(3).await;
}

#[tokio::test]
async fn on_mantle_the_tier_stands_in_the_body_instead_of_the_clients() {
    let sim = signed_sim().await;
    let mut objects = with_lanes(&[Lane::Mantle]);
    objects.push(with(|endpoint, access| {
        endpoint.lanes = ccag_domain::Lanes::new([Lane::Mantle]);
        access.service_tier = Some(ServiceTier::Priority);
    }));
    let (control, rig) = world(&sim, objects).await;
    assert_eq!(post_in(&rig, "first", ask(false)).await.status, 200);
    control.plane.stored(2).await;
    sim.clear();
    let body = json!({"model": "claude-haiku-4-5", "max_tokens": 64, "service_tier": "auto",
        "messages": [{"role": "user", "content": "hi"}]});
    let answer = post_in(&rig, "second", body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = invocations(&sim).remove(0);
    assert!(sent.path.contains("/mantle/"), "{}", sent.path);
    assert_eq!(sent.body.matches("service_tier").count(), 1, "{}", sent.body);
    assert!(
        sent.body.contains(r#""service_tier":"priority""#),
        "{}",
        sent.body
    );
    assert_eq!(header(&sent, TIER), None);
}

#[tokio::test]
async fn bedrock_is_told_whose_request_it_is_and_is_asked_without_it_where_it_refuses() {
    let sim = signed_sim().await;
    let mut objects = usual();
    objects.push(with(|_, access| access.request_metadata = true));
    let (_control, rig) = world(&sim, objects).await;
    asked(&rig).await;
    assert_eq!(
        header(&invocations(&sim)[0], METADATA),
        Some(r#"{"team":"team_1","user":"user_1","key":"key_1"}"#)
    );
    sim.clear();
    let refusal = Action::Error {
        status: 400,
        error_type: "ValidationException".into(),
        message: "Request metadata contains a value that violates the regular expression".into(),
    };
    sim.script(bedrock_sim::Rule {
        times: Some(1),
        ..on("stream", refusal)
    });
    asked(&rig).await;
    let told: Vec<_> = invocations(&sim)
        .iter()
        .map(|r| header(r, METADATA).is_some())
        .collect();
    assert_eq!(told, [true, false]);
}

#[tokio::test]
async fn an_endpoint_that_asks_for_nothing_sends_nothing() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, usual()).await;
    asked(&rig).await;
    let sent = invocations(&sim).remove(0);
    assert_eq!((header(&sent, TIER), header(&sent, METADATA)), (None, None));
}

#[tokio::test]
async fn a_drained_endpoint_keeps_its_conversations_and_gets_no_new_ones() {
    let sim = signed_sim().await;
    let mut objects = usual();
    let second = endpoint(2, true);
    objects.push(ConfigObject::Endpoint(second.clone()));
    let (control, rig) = world(&sim, objects).await;
    let told = |n: usize| format!("turn {n} of a conversation");
    let turn = |history: bool| {
        let mut messages = vec![json!({"role": "user", "content": told(1)})];
        if history {
            messages.push(json!({"role": "assistant", "content": "yes"}));
            messages.push(json!({"role": "user", "content": told(2)}));
        }
        json!({"model": "claude-haiku-4-5", "max_tokens": 64, "messages": messages}).to_string()
    };
    // Find a session that is on the first endpoint.
    let mut on_first = Vec::new();
    for n in 0..12 {
        let session = format!("before-{n}");
        assert_eq!(post_in(&rig, &session, turn(false)).await.status, 200);
        let records = control.plane.stored(n + 1).await;
        if records.last().unwrap().endpoint_id == "end_1" {
            on_first.push(session);
        }
    }
    assert!(!on_first.is_empty());
    let mut drained = endpoint(1, true);
    drained.draining = true;
    control
        .plane
        .applied(control.plane.put(ConfigObject::Endpoint(drained.clone())))
        .await;
    let count = control.plane.stored(12).await.len();
    assert_eq!(post_in(&rig, &on_first[0], turn(true)).await.status, 200);
    let kept = control.plane.stored(count + 1).await;
    assert_eq!(
        kept.last().unwrap().endpoint_id,
        "end_1",
        "it goes on where it is"
    );
    for n in 0..12 {
        let session = format!("after-{n}");
        for history in [false, true] {
            assert_eq!(post_in(&rig, &session, turn(history)).await.status, 200);
        }
    }
    let after = control.plane.stored(count + 25).await;
    assert!(
        after[count + 1..].iter().all(|r| r.endpoint_id == "end_2"),
        "new conversations stay away, with their second turn too"
    );
    // Alone, it serves.
    let mut gone = second;
    gone.enabled = false;
    control
        .plane
        .applied(control.plane.put(ConfigObject::Endpoint(gone)))
        .await;
    assert_eq!(post_in(&rig, "alone", turn(false)).await.status, 200);
}
