//! Where requests go: strategies, constraints, and what is said when there is nowhere to go.

use crate::control::{ControlPlane, KEY, endpoint, team, usual};
use crate::fake::{Script, whole_message};
use crate::lanes::{is_probe, post_in, throttled};
use crate::sim::{signed_sim, world};
use crate::world::{Answer, Control, Options, Rig, ask, world_of};
use bedrock_sim::{Match, Rule, Sim};
use ccag_domain::config::Settings;
use ccag_domain::{
    ConfigObject, Endpoint, Geography, Lane, Lanes, ModelName, RegionPattern, RoutingPolicy, Strategy,
};
use std::collections::HashSet;

fn by(strategy: Strategy) -> RoutingPolicy {
    RoutingPolicy {
        strategy: Some(strategy),
        ..RoutingPolicy::default()
    }
}

fn models(names: &[&str]) -> RoutingPolicy {
    RoutingPolicy {
        models: Some(names.iter().map(|name| ModelName::canonical(name)).collect()),
        ..RoutingPolicy::default()
    }
}

fn within(geographies: &[Geography]) -> RoutingPolicy {
    RoutingPolicy {
        geographies: Some(geographies.to_vec()),
        ..RoutingPolicy::default()
    }
}

fn at(n: u32, region: &str) -> Endpoint {
    Endpoint {
        region: Some(region.to_owned()),
        ..endpoint(n, false)
    }
}

/// The usual objects with these endpoints, all of them the team's own in this order, and the team's policy.
fn objects(endpoints: Vec<Endpoint>, policy: RoutingPolicy) -> Vec<ConfigObject> {
    let numbers: Vec<u32> = endpoints
        .iter()
        .map(|e| e.id.as_str().rsplit('_').next().unwrap().parse().unwrap())
        .collect();
    let mut team = team("team_1", &numbers);
    team.routing = policy;
    let mut objects = usual();
    objects.extend(endpoints.into_iter().map(ConfigObject::Endpoint));
    objects.push(ConfigObject::Team(team));
    objects
}

fn refused(answer: &Answer) -> (u16, String, String) {
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    (answer.status, answer.error_type(), message)
}

fn paths(sim: &Sim) -> Vec<String> {
    sim.requests().into_iter().map(|one| one.path).collect()
}

#[tokio::test]
async fn primary_fallback_goes_down_the_teams_list() {
    let objects = objects(
        vec![endpoint(3, false), endpoint(1, false), endpoint(2, false)],
        by(Strategy::PrimaryFallback),
    );
    let (control, rig) = world_of(objects, Options::default()).await;
    for _ in 0..2 {
        rig.bedrock
            .push(Script::Status(503, "ServiceUnavailableException", "{}".into()));
    }
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    let asked: Vec<_> = rig
        .bedrock
        .asked()
        .iter()
        .map(|one| one.endpoint.clone())
        .collect();
    assert_eq!(asked, ["endpoint-3", "endpoint-1", "endpoint-2"]);
    let record = control.plane.stored(1).await.remove(0);
    let told = crate::control::explanation(&record);
    assert_eq!(told.route.strategy, "primary_fallback");
    // Those of others explain nothing of a request that went somewhere.
    assert!(told.route.not_tried.is_empty(), "{:?}", told.route);
}

#[tokio::test]
async fn round_robin_begins_elsewhere_within_one_conversation_and_sticky_does_not() {
    for (strategy, elsewhere) in [(Strategy::RoundRobin, true), (Strategy::Sticky, false)] {
        let objects = objects((1..=3).map(|n| endpoint(n, false)).collect(), by(strategy));
        let (_control, rig) = world_of(objects, Options::default()).await;
        for _ in 0..40 {
            rig.bedrock.push(Script::Whole(whole_message()));
            assert_eq!(post_in(&rig, "one", ask(false)).await.status, 200);
        }
        let asked: HashSet<_> = rig
            .bedrock
            .asked()
            .iter()
            .map(|one| one.endpoint.clone())
            .collect();
        assert_eq!(
            asked.len(),
            if elsewhere { 3 } else { 1 },
            "{strategy}: {asked:?}"
        );
    }
}

#[tokio::test]
async fn least_throttled_leaves_an_endpoint_that_throttles_also_when_it_has_recovered() {
    let objects = objects(
        vec![endpoint(1, false), endpoint(2, false)],
        by(Strategy::LeastThrottled),
    );
    let (control, rig) = world_of(objects, Options::default()).await;
    rig.bedrock.push(Script::Status(
        429,
        "ThrottlingException",
        r#"{"message":"Too many tokens, please wait before trying again."}"#.into(),
    ));
    for _ in 0..6 {
        rig.bedrock.push(Script::Whole(whole_message()));
        assert_eq!(post_in(&rig, "one", ask(false)).await.status, 200);
    }
    let asked: Vec<_> = rig
        .bedrock
        .asked()
        .iter()
        .map(|one| one.endpoint.clone())
        .collect();
    assert!(asked[1..].iter().all(|one| *one != asked[0]), "{asked:?}");
    let record = control.plane.stored(2).await.pop().unwrap();
    let told = crate::control::explanation(&record);
    let counts: Vec<_> = told.route.candidates.iter().map(|one| one.throttled).collect();
    assert_eq!(counts, [0, 1]);
}

#[tokio::test]
async fn a_model_that_the_team_may_not_use_is_refused_listed_and_counted_nowhere() {
    let objects = objects(vec![endpoint(2, false)], models(&["claude-haiku-4-5"]));
    let (control, rig) = world_of(objects, Options::default()).await;
    let opus = ask(false).replace("claude-haiku-4-5", "claude-opus-5-5");
    for said in [
        opus.clone(),
        opus.replace("claude-opus-5-5", "eu.anthropic.claude-opus-5-5"),
    ] {
        let (status, kind, message) = refused(&rig.post(said).await);
        assert_eq!((status, kind.as_str()), (400, "policy_blocked"));
        assert!(
            message.contains("claude-opus-5-5") && message.contains("claude-haiku-4-5"),
            "{message}"
        );
    }
    let count = rig.request("POST", "/v1/messages/count_tokens", KEY);
    let counted = rig.send(count.body(opus.into_bytes().into()).unwrap()).await;
    assert_eq!(refused(&counted).0, 400);
    assert!(rig.bedrock.asked().is_empty());
    let list = rig
        .send(rig.request("GET", "/v1/models", KEY).body("".into()).unwrap())
        .await;
    let ids: Vec<_> = list.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].clone())
        .collect();
    assert_eq!(ids, ["claude-haiku-4-5"]);
    let one = rig
        .request("GET", "/v1/models/claude-opus-5-5", KEY)
        .body("".into())
        .unwrap();
    assert_eq!(rig.send(one).await.status, 404);
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    drop(control);
}

#[tokio::test]
async fn data_stays_where_it_may_be_on_every_lane_in_counts_and_in_probes() {
    let sim = signed_sim().await;
    let mut dublin = at(2, "eu-west-1");
    dublin.lanes = Lanes::new([Lane::Mantle, Lane::Messages]);
    let objects = objects(vec![dublin, at(3, "us-east-1")], within(&[Geography::Global]));
    let (control, rig) = world(&sim, objects).await;
    for n in 0..8 {
        let session = format!("session-{n}");
        assert_eq!(post_in(&rig, &session, ask(true)).await.status, 200);
        let count = rig
            .request("POST", "/v1/messages/count_tokens", KEY)
            .header("x-claude-code-session-id", &session);
        let count = count.body(ask(false).into_bytes().into()).unwrap();
        assert_eq!(rig.send(count).await.status, 200);
    }
    let records = control.plane.stored(9).await;
    assert!(records.iter().any(is_probe), "one lane was probed");
    for record in records {
        assert_eq!(record.geography, "global", "{record:?}");
    }
    for path in paths(&sim) {
        assert!(!path.contains("mantle"), "{path}");
        assert!(!path.contains("/eu.") && !path.contains("/us."), "{path}");
    }
}

#[tokio::test]
async fn an_endpoint_outside_the_allowed_regions_and_geographies_is_never_asked_even_if_all_others_fail() {
    let sim = signed_sim().await;
    let mut policy = within(&[Geography::Eu]);
    policy.regions = RegionPattern::parse("eu-").map(|region| vec![region]);
    let endpoints = vec![at(2, "eu-west-1"), at(3, "us-east-1"), at(4, "eu-central-1")];
    let (control, rig) = world(&sim, objects(endpoints, policy)).await;
    sim.script(Rule {
        matches: Match::default(),
        ..Rule::always(throttled())
    });
    let answer = rig.post(ask(false)).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(
        paths(&sim).iter().all(|path| path.contains("/eu.anthropic")),
        "{:?}",
        paths(&sim)
    );
    let record = control.plane.stored(1).await.remove(0);
    let told = crate::control::explanation(&record);
    let asked: HashSet<_> = told.attempts.iter().map(|one| one.region.as_str()).collect();
    assert_eq!(asked, HashSet::from(["eu-west-1", "eu-central-1"]));
    let left: Vec<_> = told
        .route
        .not_tried
        .iter()
        .map(|one| (one.endpoint.as_str(), one.why.as_ref()))
        .collect();
    assert_eq!(left, [("endpoint-3", "region_not_allowed")]);
}

#[tokio::test]
async fn a_request_that_has_nowhere_to_go_says_what_decided_and_the_explanation_names_every_endpoint() {
    let mut off = at(3, "us-east-1");
    off.enabled = false;
    let mut bound = at(4, "eu-west-1");
    bound.geography = Some(Geography::InRegion);
    let endpoints = vec![at(2, "us-east-1"), off, bound];
    let mut objects = objects(endpoints, within(&[Geography::Eu]));
    let mut role = at(5, "eu-west-1");
    role.role_arn = Some("arn:aws:iam::111122223333:role/other".into());
    objects.push(ConfigObject::Endpoint(role));
    let (control, rig) = world_of(objects, Options::default()).await;
    let opus = ask(false).replace("claude-haiku-4-5", "claude-opus-5-5");
    let (status, kind, message) = refused(&rig.post(opus).await);
    assert_eq!((status, kind.as_str()), (400, "policy_blocked"));
    assert!(
        message.contains("(eu)") && message.contains("claude-opus-5-5"),
        "{message}"
    );
    for secret in ["endpoint-", "arn:", "111122223333"] {
        assert!(!message.contains(secret), "{message}");
    }
    let told = control.plane.explained(1).await.remove(0);
    assert_eq!(told.route.strategy, "sticky");
    let mut left: Vec<_> = told
        .route
        .not_tried
        .iter()
        .map(|one| (one.endpoint.as_str(), one.why.as_ref()))
        .collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            ("endpoint-1", "not_assigned"),
            ("endpoint-2", "geography_not_allowed"),
            ("endpoint-3", "geography_not_allowed"),
            ("endpoint-4", "model_not_offered"),
            ("endpoint-5", "not_assigned"),
        ]
    );
}

#[tokio::test]
async fn the_organisations_word_holds_for_teams_that_say_nothing_and_settings_that_cannot_be_read_let_nothing_through()
 {
    let mut objects = objects(vec![endpoint(2, false)], by(Strategy::RoundRobin));
    objects.push(ConfigObject::Settings(Settings {
        routing: models(&["claude-opus-5-5"]),
        ..Settings::default()
    }));
    let plane = ControlPlane::new(objects);
    let control = Control::start(plane).await;
    let rig = Rig::start(control.addr, Options::default()).await;
    assert_eq!(refused(&rig.post(ask(false)).await).0, 400);
    let revision = control.plane.put(ConfigObject::Settings(Settings::default()));
    control.plane.applied(revision).await;
    rig.bedrock.push(Script::Whole(whole_message()));
    assert_eq!(rig.post(ask(false)).await.status, 200);
    let mut wire = ccag_proto::v1::Settings::from(Settings::default());
    wire.routing = Some(ccag_proto::v1::RoutingPolicy {
        strategy: Some("by_moonlight".into()),
        ..Default::default()
    });
    let object = ccag_proto::v1::Object {
        object: Some(ccag_proto::v1::object::Object::Settings(wire)),
    };
    let revision = control.plane.push_raw(ccag_proto::v1::change::Step::Put(object));
    control.plane.applied(revision).await;
    let (status, _, message) = refused(&rig.post(ask(false)).await);
    assert_eq!(status, 529, "{message}");
    assert_eq!(rig.bedrock.asked().len(), 1);
}
