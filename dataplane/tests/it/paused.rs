//! What a data plane does about paused sessions.

use crate::control::{KEY, key, usual};
use crate::fake::{Script, whole_message};
use crate::world::{Answer, Options, Rig, ask, world_of};
use bytes::Bytes;
use ccag_domain::{
    ConfigObject, NanoUsd, ObjectKind, PauseId, PauseReason, PausedSession, SessionOwner, UserId,
};
use http_body_util::Full;

const RUNAWAY: &str = "6f1c2f5e-8f5e-4a2b-9d3e-0c1b2a394857";

fn paused(resume_url: Option<&str>) -> ConfigObject {
    ConfigObject::PausedSession(PausedSession {
        id: PauseId::parse("pau_1").unwrap(),
        owner: SessionOwner::User(UserId::parse("user_1").unwrap()),
        session_id: RUNAWAY.to_owned(),
        reason: PauseReason::Spend {
            measured: NanoUsd(6_400_000_000),
            limit: NanoUsd::from_usd(5),
        },
        paused_at_ms: 0,
        resume_url: resume_url.map(str::to_owned),
    })
}

async fn post(rig: &Rig, key: &str, session: &str, agent: Option<&str>) -> Answer {
    rig.bedrock.push(Script::Whole(whole_message()));
    let mut request = rig
        .request("POST", "/v1/messages?beta=true", key)
        .header("x-claude-code-session-id", session);
    if let Some(agent) = agent {
        request = request.header("x-claude-code-agent-id", agent);
    }
    rig.send(request.body(Full::new(Bytes::from(ask(false)))).unwrap())
        .await
}

#[tokio::test]
async fn a_paused_session_is_refused_and_told_how_to_go_on_until_it_is_resumed() {
    let other = "sk-ccag-other-key-000000000000000000000000000000000";
    let mut objects = usual();
    let mut others = key(other, "key_2");
    others.user_id = None;
    objects.push(ConfigObject::Key(others));
    let (control, rig) = world_of(objects, Options::default()).await;
    assert_eq!(post(&rig, KEY, RUNAWAY, None).await.status, 200);
    let revision = control.plane.put(paused(None));
    control.plane.applied(revision).await;
    let refused = post(&rig, KEY, RUNAWAY, Some("a7d08065281fb7853")).await;
    assert_eq!(
        (refused.status, refused.error_type().as_str()),
        (429, "billing_error"),
        "{}",
        refused.text()
    );
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert_eq!(
        refused.json()["error"]["message"],
        "This session is paused: it spent $6.40 within a minute, and $5.00 are allowed. Nothing more of it is served \
         until it is resumed: in the console of this gateway under Paused sessions, with `ccag sessions resume pau_1`, \
         or by an administrator. Other sessions go on."
    );
    assert_eq!(rig.bedrock.asked().len(), 1);
    // Another session of the same user goes on, and so does one of somebody else that has the same id.
    assert_eq!(post(&rig, KEY, "another", None).await.status, 200);
    assert_eq!(post(&rig, other, RUNAWAY, None).await.status, 200);
    let revision = control.plane.remove(ObjectKind::PausedSession, "pau_1");
    control.plane.applied(revision).await;
    assert_eq!(post(&rig, KEY, RUNAWAY, None).await.status, 200);
}

#[tokio::test]
async fn a_pause_is_known_after_a_restart_without_the_control_plane() {
    let (control, rig) = world_of(usual(), Options::default()).await;
    let url = "https://claude.example.com/console/sessions";
    let revision = control.plane.put(paused(Some(url)));
    control.plane.applied(revision).await;
    let (dir, addr) = (rig.dir.clone(), control.addr);
    rig.stop().await;
    control.stop().await;
    let options = Options {
        dir,
        ..Options::default()
    };
    let rig = Rig::start(addr, options).await;
    let refused = post(&rig, KEY, RUNAWAY, None).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains(url), "{}", refused.text());
}

#[tokio::test]
async fn a_record_says_which_agent_asked_and_not_what_is_no_name() {
    let (control, rig) = world_of(usual(), Options::default()).await;
    let long = "a".repeat(129);
    for agent in [None, Some("a7d08065281fb7853"), Some(""), Some(long.as_str())] {
        assert_eq!(post(&rig, KEY, "s", agent).await.status, 200);
    }
    let records = control.plane.stored(4).await;
    let agents: Vec<_> = records
        .iter()
        .filter_map(|record| record.agent_id.as_deref())
        .collect();
    assert_eq!(agents, ["a7d08065281fb7853"]);
    assert!(
        records
            .iter()
            .all(|record| record.session_id.as_deref() == Some("s"))
    );
}

#[tokio::test]
async fn nobody_passes_for_the_gateway_itself() {
    let (control, rig) = world_of(usual(), Options::default()).await;
    assert_eq!(post(&rig, KEY, "lane-probe", None).await.status, 200);
    assert_eq!(control.plane.stored(1).await[0].session_id, None);
}
