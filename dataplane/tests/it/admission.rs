//! Who is let in, and how fast that changes.

use crate::control::{KEY, key, team, user, usual};
use crate::fake::{Script, whole_message};
use crate::world::{Control, Options, Rig, ask, usual_world, world_of};
use ccag_domain::identity::AccountState;
use ccag_domain::{ConfigObject, ModelName, ObjectKind, UnixMs};
use ccag_proto::v1;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn answer_once(rig: &Rig) {
    rig.bedrock.push(Script::Whole(whole_message()));
}

#[tokio::test]
async fn a_key_works_as_api_key_and_as_bearer_token_and_beside_a_stranger() {
    let (_control, rig) = usual_world().await;
    let headers: [&[(&str, &str)]; 4] = [
        &[("x-api-key", KEY)],
        &[("authorization", &format!("Bearer {KEY}"))],
        &[
            ("x-api-key", "sk-ant-other"),
            ("authorization", &format!("bearer {KEY}")),
        ],
        &[("x-api-key", KEY), ("authorization", "Basic abc")],
    ];
    for case in headers {
        answer_once(&rig);
        let mut request = http::Request::post(format!("http://{}/v1/messages", rig.addr));
        for (name, value) in case {
            request = request.header(*name, *value);
        }
        let answer = rig
            .send(request.body(ask(false).into_bytes().into()).unwrap())
            .await;
        assert_eq!(answer.status, 200, "{case:?}");
    }
}

#[tokio::test]
async fn strangers_are_told_what_to_do_and_not_to_retry() {
    let (_control, rig) = usual_world().await;
    for secret in [
        "",
        "sk-ccag-unknown",
        &"x".repeat(5_000),
        "not ascii: é".trim_end_matches('é'),
    ] {
        let answer = rig.post_with(secret, ask(true)).await;
        assert_eq!(
            (answer.status, answer.error_type().as_str()),
            (401, "authentication_error")
        );
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert!(
            answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .contains("key")
        );
    }
    assert!(rig.bedrock.asked().is_empty());
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_one_second() {
    let (control, rig) = usual_world().await;
    answer_once(&rig);
    assert_eq!(rig.post(ask(false)).await.status, 200);
    let revoked_at = Instant::now();
    control.plane.remove(ObjectKind::Key, "key_1");
    while rig.post(ask(false)).await.status != 401 {
        answer_once(&rig);
        assert!(revoked_at.elapsed() < Duration::from_secs(1));
    }
    assert!(revoked_at.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn expired_suspended_and_orphaned_keys_are_refused() {
    let (control, rig) = usual_world().await;
    let expiring = |at: UnixMs| {
        let mut grant = key("sk-ccag-expiring", "key_2");
        grant.expires_at_ms = Some(at);
        ConfigObject::Key(grant)
    };
    let at = ccag_domain::Clock::now_ms(rig.clock.as_ref()) + 60_000;
    control.plane.applied(control.plane.put(expiring(at))).await;
    answer_once(&rig);
    assert_eq!(rig.post_with("sk-ccag-expiring", ask(false)).await.status, 200);
    rig.clock.forward(61_000);
    let answer = rig.post_with("sk-ccag-expiring", ask(false)).await;
    assert!(answer.status == 401 && answer.text().contains("expired"));

    let mut suspended = user("user_1");
    suspended.state = AccountState::Suspended;
    control
        .plane
        .applied(control.plane.put(ConfigObject::User(suspended)))
        .await;
    assert!(rig.post(ask(false)).await.text().contains("deactivated"));
    control.plane.put(ConfigObject::User(user("user_1")));
    let mut suspended = team("team_1", &[]);
    suspended.state = AccountState::Suspended;
    control
        .plane
        .applied(control.plane.put(ConfigObject::Team(suspended)))
        .await;
    assert!(rig.post(ask(false)).await.text().contains("suspended"));
    control
        .plane
        .applied(control.plane.remove(ObjectKind::Team, "team_1"))
        .await;
    assert_eq!(rig.post(ask(false)).await.status, 401);
    assert_eq!(rig.bedrock.asked().len(), 1);
}

#[tokio::test]
async fn a_rate_limit_is_told_with_the_time_to_wait() {
    let mut limited = key(KEY, "key_1");
    limited.rate_limit_rpm = Some(2);
    let mut objects = usual();
    objects.push(ConfigObject::Key(limited));
    let mut blocked = key("sk-ccag-zero", "key_2");
    blocked.rate_limit_rpm = Some(0);
    objects.push(ConfigObject::Key(blocked));
    let (_control, rig) = world_of(objects, Options::default()).await;
    for _ in 0..2 {
        answer_once(&rig);
        assert_eq!(rig.post(ask(false)).await.status, 200);
    }
    let answer = rig.post(ask(false)).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (429, "rate_limit_error")
    );
    let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    let answer = rig.post_with("sk-ccag-zero", ask(false)).await;
    assert_eq!(
        (answer.status, answer.header("x-should-retry")),
        (429, Some("false"))
    );
}

#[tokio::test]
async fn unknown_and_unpriced_models_are_refused_however_they_are_named() {
    let (control, rig) = usual_world().await;
    let ask_for = |model: &str| ask(false).replace("claude-haiku-4-5", model);
    let answer = rig.post(ask_for("claude-nonesuch")).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (404, "not_found_error")
    );
    assert!(answer.text().contains("/v1/models"));
    control
        .plane
        .applied(control.plane.remove(ObjectKind::Price, "claude-haiku-4-5"))
        .await;
    for name in [
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        "claude-haiku-4-5[1m]",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
    ] {
        let answer = rig.post(ask_for(name)).await;
        assert!(
            answer.status == 404 && answer.text().contains("price"),
            "{name}: {}",
            answer.text()
        );
    }
    assert!(rig.bedrock.asked().is_empty());
}

#[tokio::test]
async fn every_name_of_a_model_is_recorded_as_the_same() {
    let (control, rig) = usual_world().await;
    let names = [
        "claude-haiku-4-5-20251001",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "claude-haiku-4-5",
    ];
    for name in names {
        answer_once(&rig);
        let answer = rig.post(ask(false).replace("claude-haiku-4-5", name)).await;
        assert_eq!(answer.json()["model"], name);
    }
    let records = control.plane.stored(3).await;
    assert!(
        records
            .iter()
            .all(|r| r.model == ModelName::canonical("claude-haiku-4-5").as_str())
    );
}

#[tokio::test]
async fn an_object_that_cannot_be_read_blocks_only_itself_and_is_reported() {
    let (control, rig) = usual_world().await;
    let mut broken: v1::KeyGrant = key(KEY, "key_1").into();
    broken.digest = vec![1].into();
    let put = v1::change::Step::Put(v1::Object {
        object: Some(v1::object::Object::Key(broken)),
    });
    control
        .plane
        .put(ConfigObject::Key(key("sk-ccag-second", "key_2")));
    control.plane.applied(control.plane.push_raw(put)).await;
    assert_eq!(rig.post(ask(false)).await.status, 401);
    answer_once(&rig);
    assert_eq!(rig.post_with("sk-ccag-second", ask(false)).await.status, 200);
    let rejected = control.plane.shared.rejected.lock().unwrap().clone();
    assert_eq!(
        (rejected[0].kind.as_str(), rejected[0].id.as_str()),
        ("key", "key_1")
    );
}

#[tokio::test]
async fn a_restarted_data_plane_serves_from_its_disk_while_the_control_plane_is_gone() {
    let (control, rig) = usual_world().await;
    control
        .plane
        .applied(control.plane.put(ConfigObject::Key(key("sk-ccag-late", "key_2"))))
        .await;
    let (addr, dir) = (control.addr, Arc::clone(&rig.dir));
    let id = rig.plane.replica_id().clone();
    rig.stop().await;
    let plane = control.stop().await;
    let options = Options {
        dir: Arc::clone(&dir),
        ..Options::default()
    };
    let rig = Rig::start(addr, options).await;
    assert_eq!(rig.plane.replica_id(), &id);
    for secret in [KEY, "sk-ccag-late"] {
        answer_once(&rig);
        assert_eq!(rig.post_with(secret, ask(false)).await.status, 200);
    }
    // It comes back, and hears of what was missed.
    plane.remove(ObjectKind::Key, "key_2");
    let _control = Control::start_at(plane.clone(), addr).await;
    plane.applied(102).await;
    assert_eq!(rig.post_with("sk-ccag-late", ask(false)).await.status, 401);
    let hellos = plane.shared.hellos.lock().unwrap().clone();
    assert_eq!(
        (
            hellos.last().unwrap().epoch.as_str(),
            hellos.last().unwrap().revision
        ),
        ("epoch-1", 101)
    );
    assert_eq!(plane.stored(2).await.len(), 2);
}

#[tokio::test]
async fn what_is_held_is_trusted_for_a_limited_time_only() {
    let (control, rig) = usual_world().await;
    control.stop().await;
    rig.clock.forward(23 * 3_600_000);
    answer_once(&rig);
    assert_eq!(rig.post(ask(false)).await.status, 200);
    rig.clock.forward(2 * 3_600_000);
    let answer = rig.post(ask(false)).await;
    assert_eq!(
        (answer.status, answer.error_type().as_str()),
        (503, "overloaded_error")
    );
    assert!(answer.text().contains("control plane"));
}

#[tokio::test]
async fn a_data_plane_without_any_configuration_is_not_ready_and_says_so() {
    let nobody = "127.0.0.1:9".parse().unwrap();
    let rig = Rig::start_unready(nobody, Options::default()).await;
    assert!(!rig.life.is_ready());
    assert_eq!(rig.life.waiting_for(), ["first configuration"]);
    let answer = rig.post(ask(false)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    assert_eq!(rig.get("/v1/models").await.status, 503);
    assert_eq!(
        rig.send(
            rig.request("HEAD", "/api/hello", "")
                .body(Default::default())
                .unwrap()
        )
        .await
        .status,
        200
    );
}
