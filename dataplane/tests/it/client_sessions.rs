//! Sessions of clients: tokens that name them, and what policies allow their users.

use crate::control::{key, user, usual};
use crate::fake::{Script, whole_message};
use crate::world::{Control, Options, Rig, ask, world_of};
use ccag_domain::{
    Clock, ConfigObject, KeyGrant, KeyId, ModelName, ModelPolicy, ObjectKind, PolicyId, PolicyMatch, Role,
    SigningKey, User, UserId,
};
use ccag_session_token::{Claims, Signer};
use std::time::{Duration, Instant};

/// The secret behind the digest of a session's grant, which nobody has outside tests.
const NOBODYS: &str = "sk-ccag-nobodys";

fn signer(number: u8) -> Signer {
    Signer::from_seed(&format!("sig_{number}"), &[number; 32]).unwrap()
}

fn signing_key(number: u8) -> ConfigObject {
    ConfigObject::SigningKey(SigningKey {
        id: format!("sig_{number}"),
        public: *signer(number).public(),
        expires_at_ms: None,
    })
}

fn session(id: &str) -> ConfigObject {
    ConfigObject::Key(KeyGrant {
        session: true,
        ..key(NOBODYS, id)
    })
}

fn claims(rig: &Rig, session: &str, revision: u64) -> Claims {
    let now = rig.clock.now_ms();
    Claims::new(
        UserId::parse("user_1").unwrap(),
        KeyId::parse(session).unwrap(),
        now,
        now + 3_600_000,
        revision,
    )
}

fn token(rig: &Rig, session: &str, revision: u64) -> String {
    signer(1).sign(&claims(rig, session, revision)).unwrap()
}

async fn world(more: Vec<ConfigObject>) -> (Control, Rig) {
    let mut objects = usual();
    objects.push(signing_key(1));
    objects.extend(more);
    world_of(objects, Options::default()).await
}

fn answer_once(rig: &Rig) {
    rig.bedrock.push(Script::Whole(whole_message()));
}

#[tokio::test]
async fn a_token_lets_in_its_session_and_what_it_uses_is_the_sessions() {
    let (control, rig) = world(vec![session("key_s")]).await;
    answer_once(&rig);
    let answer = rig.post_with(&token(&rig, "key_s", 1), ask(false)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(
        (record.key_id.as_str(), record.user_id.as_deref()),
        ("key_s", Some("user_1"))
    );
    // Nobody gets in by the digest of a session's grant, and no token opens a key that is none.
    assert_eq!(rig.post_with(NOBODYS, ask(false)).await.status, 401);
    assert_eq!(
        rig.post_with(&token(&rig, "key_1", 1), ask(false)).await.status,
        401
    );
}

#[tokio::test]
async fn a_token_that_is_over_forged_or_of_another_key_or_user_is_refused_with_what_to_do() {
    let (control, rig) = world(vec![session("key_s")]).await;
    let refused = async |token: &str, said: &str| {
        let answer = rig.post_with(token, ask(false)).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
    };
    let good = token(&rig, "key_s", 1);
    let (signed, _) = good.rsplit_once('.').unwrap();
    refused(&format!("{signed}.AAAA"), "not one of this gateway").await;
    let by_another = signer(2).sign(&claims(&rig, "key_s", 1)).unwrap();
    refused(&by_another, "not one of this gateway").await;
    let mut someone_elses = claims(&rig, "key_s", 1);
    someone_elses.user_id = UserId::parse("user_2").unwrap();
    refused(&signer(1).sign(&someone_elses).unwrap(), "/login").await;
    refused(&token(&rig, "key_gone", 1), "has been ended").await;
    // A key that is taken back takes its tokens with it, also those that were seen before.
    answer_once(&rig);
    assert_eq!(rig.post_with(&good, ask(false)).await.status, 200);
    control
        .plane
        .applied(control.plane.remove(ObjectKind::SigningKey, "sig_1"))
        .await;
    refused(&good, "not one of this gateway").await;
    control.plane.applied(control.plane.put(signing_key(1))).await;
    rig.clock.forward(3_600_000 + 31_000);
    refused(&good, "has expired").await;
}

#[tokio::test]
async fn a_session_that_ends_is_refused_within_one_second() {
    let (control, rig) = world(vec![session("key_s")]).await;
    let token = token(&rig, "key_s", 1);
    let ended = Instant::now();
    control.plane.remove(ObjectKind::Key, "key_s");
    loop {
        answer_once(&rig);
        if rig.post_with(&token, ask(false)).await.status == 401 {
            break;
        }
        assert!(ended.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_session_of_which_the_news_is_still_on_its_way_is_waited_for() {
    let (control, rig) = world(Vec::new()).await;
    answer_once(&rig);
    let token = token(&rig, "key_s", 101);
    let late = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        control.plane.put(session("key_s"))
    };
    let (answer, revision) = tokio::join!(rig.post_with(&token, ask(false)), late);
    assert_eq!((answer.status, revision), (200, 101), "{}", answer.text());
    // One of which no news is to come is refused at once.
    let asked = Instant::now();
    let old = self::token(&rig, "key_other", 101);
    assert_eq!(rig.post_with(&old, ask(false)).await.status, 401);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn policies_hold_for_sessions_and_keys_and_the_highest_has_the_last_word() {
    let known = User {
        role: Some(Role::Member),
        groups: vec!["Interns".into()],
        email_domain: Some("corp.example".into()),
        ..user("user_1")
    };
    let (control, rig) = world(vec![session("key_s"), ConfigObject::User(known)]).await;
    let policy = |id: &str, priority, subject, models: &[&str]| {
        ConfigObject::ModelPolicy(ModelPolicy {
            id: PolicyId::parse(id).unwrap(),
            name: format!("Policy {id}"),
            priority,
            subject,
            models: models.iter().map(|name| ModelName::canonical(name)).collect(),
        })
    };
    let interns = PolicyMatch {
        groups: vec!["interns".into()],
        ..PolicyMatch::default()
    };
    let others = PolicyMatch {
        roles: vec![Role::Admin],
        ..PolicyMatch::default()
    };
    control
        .plane
        .put(policy("pol_1", 0, PolicyMatch::default(), &["claude-haiku-4-5"]));
    control.plane.put(policy("pol_2", 9, others, &[]));
    let last = control
        .plane
        .put(policy("pol_3", 5, interns, &["claude-sonnet-4-6"]));
    control.plane.applied(last).await;
    let token = token(&rig, "key_s", 1);
    for secret in [token.as_str(), crate::control::KEY] {
        let answer = rig.post_with(secret, ask(false)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("Policy pol_3") && answer.text().contains("claude-sonnet-4-6"));
    }
    let models = rig.get("/v1/models").await.json();
    assert_eq!(models["data"].as_array().unwrap().len(), 1, "{models}");
    assert_eq!(models["data"][0]["id"], "claude-sonnet-4-6");
    control
        .plane
        .applied(control.plane.remove(ObjectKind::ModelPolicy, "pol_3"))
        .await;
    answer_once(&rig);
    assert_eq!(rig.post_with(&token, ask(false)).await.status, 200);
}

#[tokio::test]
async fn telemetry_is_taken_from_everybody() {
    let (_control, rig) = world(Vec::new()).await;
    for (path, kind, body) in [
        ("/v1/metrics", "application/x-protobuf", ""),
        ("/v1/logs", "application/json", "{}"),
        ("/v1/traces", "application/json", "{}"),
    ] {
        let request = rig.request("POST", path, "nobody's").header("content-type", kind);
        let answer = rig.send(request.body("payload".into()).unwrap()).await;
        assert_eq!((answer.status, answer.text()), (200, body), "{path}");
    }
}
