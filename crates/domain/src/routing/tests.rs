use super::*;
use crate::identity::AccountState;
use crate::{Discovery, OfferedProfile, Offers, PinnedProfile, Team, TeamId, catalogue};
use std::collections::HashMap;
use std::sync::Arc;

fn endpoint(n: u32, weight: u32) -> Endpoint {
    Endpoint {
        region: Some("us-east-1".into()),
        weight,
        ..Endpoint::new(EndpointId::parse(&format!("end_{n}")).unwrap(), format!("e{n}"))
    }
}

fn in_region(n: u32, region: &str) -> Endpoint {
    Endpoint {
        region: Some(region.to_owned()),
        ..endpoint(n, 1)
    }
}

fn team(endpoints: &[u32], routing: RoutingPolicy) -> Team {
    Team {
        id: TeamId::parse("team_1").unwrap(),
        name: "t".into(),
        state: AccountState::Active,
        endpoints: endpoints
            .iter()
            .map(|n| EndpointId::parse(&format!("end_{n}")).unwrap())
            .collect(),
        guardrail: None,
        routing,
    }
}

fn by(strategy: Strategy) -> RoutingPolicy {
    RoutingPolicy {
        strategy: Some(strategy),
        ..RoutingPolicy::default()
    }
}

fn within(geographies: &[Geography]) -> RoutingPolicy {
    RoutingPolicy {
        geographies: Some(geographies.to_vec()),
        ..RoutingPolicy::default()
    }
}

fn model(name: &str) -> Model {
    catalogue::models()
        .into_iter()
        .find(|m| m.name == ModelName::canonical(name))
        .unwrap()
}

/// The names of the endpoints in the order in which they are tried.
fn tried(policy: &RoutingPolicy, endpoints: &[Endpoint], conversation: u32, request: u32) -> Vec<String> {
    let (model, conversation, request) = (
        model("claude-opus-5-5"),
        conversation.to_string(),
        request.to_string(),
    );
    let ask = Ask {
        model: &model,
        conversation: &conversation,
        request: &request,
    };
    let team = team(&[], RoutingPolicy::default());
    let plan = Rules::of(Some(&team), policy, "").plan(&ask, endpoints.iter(), &|_| 0);
    plan.candidates.into_iter().map(|c| c.endpoint.name).collect()
}

/// How often each endpoint came first, by request, in one conversation.
fn shares(strategy: Strategy, endpoints: &[Endpoint], requests: u32) -> HashMap<String, u32> {
    let mut counts = HashMap::new();
    for request in 0..requests {
        let order = tried(&by(strategy), endpoints, 1, request);
        *counts.entry(order[0].clone()).or_default() += 1;
    }
    counts
}

#[test]
fn removing_an_endpoint_moves_only_its_own_conversations() {
    let three = [endpoint(1, 1), endpoint(2, 1), endpoint(3, 1)];
    let sticky = RoutingPolicy::default();
    for conversation in 0..500 {
        let before = &tried(&sticky, &three, conversation, 0)[0];
        let after = &tried(&sticky, &three[..2], conversation, 0)[0];
        assert!(before == "e3" || before == after);
    }
}

#[test]
fn a_conversation_stays_whatever_the_request_and_weights_share_conversations_out() {
    let endpoints = [endpoint(1, 1), endpoint(2, 3), endpoint(3, 0)];
    let mut counts: HashMap<String, u32> = HashMap::new();
    for conversation in 0..4_000 {
        let order = tried(&by(Strategy::Sticky), &endpoints, conversation, 7);
        if conversation < 100 {
            assert_eq!(order, tried(&by(Strategy::Sticky), &endpoints, conversation, 8));
        }
        *counts.entry(order[0].clone()).or_default() += 1;
    }
    assert!((850..1_150).contains(&counts["e1"]), "{counts:?}");
    assert_eq!(counts["e1"] + counts["e2"], 4_000, "none without weight");
}

#[test]
fn round_robin_is_even_and_weighted_follows_the_weights() {
    let endpoints = [endpoint(1, 1), endpoint(2, 3), endpoint(3, 0)];
    let even = shares(Strategy::RoundRobin, &endpoints, 4_000);
    assert!((1_850..2_150).contains(&even["e1"]), "{even:?}");
    assert_eq!(
        even["e1"] + even["e2"],
        4_000,
        "an endpoint of no weight steps in only"
    );
    let weighted = shares(Strategy::Weighted, &endpoints, 4_000);
    assert!((850..1_150).contains(&weighted["e1"]), "{weighted:?}");
    assert_eq!(tried(&by(Strategy::RoundRobin), &endpoints, 1, 1)[2], "e3");
}

#[test]
fn primary_fallback_keeps_the_teams_order_and_that_of_names_without_one() {
    let endpoints = [endpoint(3, 1), endpoint(1, 100), endpoint(2, 0)];
    let organisation = by(Strategy::PrimaryFallback);
    assert_eq!(tried(&organisation, &endpoints, 1, 1), ["e1", "e2", "e3"]);
    let team = team(&[2, 3, 1], by(Strategy::PrimaryFallback));
    let model = model("claude-opus-5-5");
    for request in ["a", "b", "c"] {
        let ask = Ask {
            model: &model,
            conversation: request,
            request,
        };
        let silent = RoutingPolicy::default();
        let plan = Rules::of(Some(&team), &silent, "").plan(&ask, endpoints.iter(), &|_| 0);
        let names: Vec<_> = plan.candidates.iter().map(|c| c.endpoint.name.as_str()).collect();
        assert_eq!(names, ["e2", "e3", "e1"]);
    }
}

#[test]
fn least_throttled_goes_by_throttles_and_then_by_the_conversation() {
    let endpoints = [endpoint(1, 1), endpoint(2, 1), endpoint(3, 1), endpoint(4, 0)];
    let organisation = by(Strategy::LeastThrottled);
    let model = model("claude-opus-5-5");
    let plan = |conversation: &str, throttled: &dyn Fn(&Endpoint) -> u32| -> Vec<String> {
        let ask = Ask {
            model: &model,
            conversation,
            request: "r",
        };
        let plan = Rules::of(None, &organisation, "").plan(&ask, endpoints.iter(), throttled);
        plan.candidates.into_iter().map(|c| c.endpoint.name).collect()
    };
    let busy = |e: &Endpoint| {
        if e.name == "e4" {
            0
        } else {
            u32::from(e.name == "e2") * 5
        }
    };
    for conversation in 0..50 {
        let calm = plan(&conversation.to_string(), &|_| 0);
        assert_eq!(calm, tried(&by(Strategy::Sticky), &endpoints, conversation, 0));
        let order = plan(&conversation.to_string(), &busy);
        assert_eq!(order[2..], ["e2", "e4"]);
        let kept: Vec<_> = calm.iter().filter(|name| order[..2].contains(name)).collect();
        assert!(
            kept.iter().zip(&order).all(|(a, b)| *a == b),
            "{calm:?} {order:?}"
        );
    }
}

#[test]
fn a_team_with_endpoints_never_leaves_through_another() {
    let own = Endpoint {
        is_default: false,
        ..endpoint(1, 1)
    };
    let other = endpoint(2, 1);
    let (team, silent) = (team(&[1], RoutingPolicy::default()), RoutingPolicy::default());
    let model = model("claude-opus-5-5");
    let ask = Ask {
        model: &model,
        conversation: "c",
        request: "r",
    };
    let plan = |team: Option<&Team>, endpoints: &[Endpoint]| {
        let rules = Rules::of(team, &silent, "");
        let plan = rules.plan(&ask, endpoints.iter(), &|_| 0);
        let names: Vec<_> = plan.candidates.iter().map(|c| c.endpoint.name.clone()).collect();
        let left: Vec<_> = plan.left_out.iter().map(|one| one.why).collect();
        let code = rules
            .check_plan(&plan, &model.name)
            .err()
            .map(|problem| problem.code);
        (names, left, code)
    };
    let all = [own.clone(), other.clone()];
    assert_eq!(
        plan(Some(&team), &all),
        (vec!["e1".to_owned()], vec![Exclusion::NotAssigned], None)
    );
    assert_eq!(
        plan(None, &all),
        (vec!["e2".to_owned()], vec![Exclusion::NotDefault], None)
    );
    let off = Endpoint {
        enabled: false,
        ..own
    };
    assert_eq!(
        plan(Some(&team), &[off, other]),
        (
            vec![],
            vec![Exclusion::Disabled, Exclusion::NotAssigned],
            Some(Code::Overloaded)
        )
    );
    assert_eq!(plan(Some(&team), &[]), (vec![], vec![], Some(Code::Overloaded)));
    assert_eq!(plan(None, &[]), (vec![], vec![], Some(Code::Overloaded)));
}

#[test]
fn the_model_id_follows_the_endpoints_region() {
    let mut e = endpoint(1, 1);
    let silent = RoutingPolicy::default();
    let ask = |e: &Endpoint, name: &str| {
        let rules = Rules::of(None, &silent, "eu-west-1");
        rules.assess(e, &model(name)).map(|model| model.id)
    };
    assert_eq!(
        ask(&e, "claude-opus-5-5").unwrap(),
        "us.anthropic.claude-opus-5-5"
    );
    e.region = None;
    assert_eq!(
        ask(&e, "claude-opus-5-5").unwrap(),
        "eu.anthropic.claude-opus-5-5"
    );
    e.geography = Some(Geography::Global);
    assert_eq!(
        ask(&e, "claude-opus-5-5").unwrap(),
        "global.anthropic.claude-opus-5-5"
    );
    e.geography = Some(Geography::InRegion);
    assert_eq!(ask(&e, "claude-opus-5-5"), Err(Exclusion::ModelNotOffered));
    assert_eq!(
        ask(&e, "claude-haiku-4-5").unwrap(),
        "anthropic.claude-haiku-4-5-20251001-v1:0"
    );
}

#[test]
fn geographies_choose_among_the_profiles_of_an_endpoint_and_not_only_among_endpoints() {
    let opus = model("claude-opus-5-5");
    let asked = |policy: &RoutingPolicy, endpoint: &Endpoint| {
        let rules = Rules::of(None, policy, "");
        rules.assess(endpoint, &opus).map(|model| model.id)
    };
    let profile = |geography: Geography| OfferedProfile {
        id: format!("{geography}.anthropic.claude-opus-5-5"),
        name: String::new(),
        foundation_model: "anthropic.claude-opus-5-5".into(),
        geography,
        application: false,
    };
    let mut dublin = in_region(1, "eu-west-1");
    dublin.offers = Arc::new(Offers {
        discovery: Some(Discovery {
            at_ms: 1,
            profiles: vec![profile(Geography::Global), profile(Geography::Eu)],
            on_demand: Vec::new(),
        }),
        pinned: vec![PinnedProfile {
            model: opus.name.clone(),
            arn: "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/a".into(),
            geography: Geography::Global,
        }],
        ..Offers::default()
    });
    let eu = within(&[Geography::Eu]);
    assert!(
        asked(&RoutingPolicy::default(), &dublin)
            .unwrap()
            .starts_with("arn:")
    );
    assert_eq!(asked(&eu, &dublin).unwrap(), "eu.anthropic.claude-opus-5-5");
    let us = within(&[Geography::Us]);
    assert_eq!(asked(&us, &dublin), Err(Exclusion::GeographyNotAllowed));
    // What the endpoint itself is bound to holds besides.
    dublin.geography = Some(Geography::Global);
    assert_eq!(asked(&eu, &dublin), Err(Exclusion::GeographyNotAllowed));
    // Without discovery the catalogue stands in.
    let global = within(&[Geography::Global]);
    assert_eq!(
        asked(&global, &in_region(2, "eu-west-1")).unwrap(),
        "global.anthropic.claude-opus-5-5"
    );
}

#[test]
fn a_lane_that_would_lead_out_of_the_allowed_geographies_is_no_lane() {
    let mut endpoint = in_region(1, "eu-west-1");
    endpoint.lanes = Lanes::new([Lane::Mantle, Lane::Messages]);
    let model = model("claude-opus-5-5");
    let lanes = |policy: &RoutingPolicy| {
        let ask = Ask {
            model: &model,
            conversation: "c",
            request: "r",
        };
        let plan = Rules::of(None, policy, "").plan(&ask, std::iter::once(&endpoint), &|_| 0);
        plan.candidates[0].endpoint.lanes.clone()
    };
    assert_eq!(lanes(&within(&[Geography::Eu])), endpoint.lanes);
    assert_eq!(lanes(&RoutingPolicy::default()), endpoint.lanes);
    assert_eq!(lanes(&within(&[Geography::Global])), Lanes::new([Lane::Messages]));
}

#[test]
fn regions_are_exact_or_begin_alike() {
    let region = |text: &str| RegionPattern::parse(text);
    assert!(region("eu-").unwrap().matches("eu-central-1"));
    assert!(!region("eu-").unwrap().matches("us-east-1"));
    assert!(region("us-east-1").unwrap().matches("us-east-1"));
    assert!(!region("us-east-1").unwrap().matches("us-east-11"));
    for bad in ["", "eu", "-", "-eu", "EU-", "eu-*", "1-a", "eu-west-1 "] {
        assert_eq!(region(bad), None, "{bad}");
    }
    let policy = RoutingPolicy {
        regions: Some(vec![region("eu-").unwrap()]),
        ..RoutingPolicy::default()
    };
    let opus = model("claude-opus-5-5");
    let here = |home: &str, e: &Endpoint| {
        Rules::of(None, &policy, home)
            .assess(e, &opus)
            .map(|m| m.geography)
    };
    assert_eq!(here("", &in_region(1, "eu-west-3")), Ok(Geography::Eu));
    assert_eq!(
        here("", &in_region(1, "us-east-1")),
        Err(Exclusion::RegionNotAllowed)
    );
    let mut homely = endpoint(1, 1);
    homely.region = None;
    assert_eq!(here("eu-west-1", &homely), Ok(Geography::Eu));
    assert_eq!(here("us-east-1", &homely), Err(Exclusion::RegionNotAllowed));
}

#[test]
fn what_a_team_does_not_say_the_organisation_says() {
    let organisation = RoutingPolicy {
        strategy: Some(Strategy::Weighted),
        models: Some(vec![ModelName::canonical("claude-haiku-4-5")]),
        geographies: Some(vec![Geography::Eu]),
        regions: None,
    };
    let silent = team(&[], RoutingPolicy::default());
    let of_team = Rules::of(Some(&silent), &organisation, "");
    assert_eq!(of_team.strategy(), Strategy::Weighted);
    assert_eq!(of_team.geographies(), [Geography::Eu]);
    let speaks = team(
        &[],
        RoutingPolicy {
            strategy: Some(Strategy::RoundRobin),
            models: Some(Vec::new()),
            ..RoutingPolicy::default()
        },
    );
    let of_team = Rules::of(Some(&speaks), &organisation, "");
    assert_eq!(of_team.strategy(), Strategy::RoundRobin);
    assert!(
        of_team.allows(&ModelName::canonical("claude-opus-5-5")),
        "it lifts that"
    );
    assert_eq!(of_team.geographies(), [Geography::Eu], "and not this");
}

#[test]
fn a_refusal_names_what_decided_and_no_endpoint() {
    let opus = model("claude-opus-5-5");
    let ask = Ask {
        model: &opus,
        conversation: "c",
        request: "r",
    };
    let refused = |policy: &RoutingPolicy, endpoints: &[Endpoint]| {
        let rules = Rules::of(None, policy, "");
        let plan = rules.plan(&ask, endpoints.iter(), &|_| 0);
        let problem = rules.check_plan(&plan, &opus.name).unwrap_err();
        assert!(!problem.message.contains("e1"), "{}", problem.message);
        (problem.code, problem.message)
    };
    let (code, text) = refused(&within(&[Geography::Eu]), &[endpoint(1, 1)]);
    assert_eq!(code, Code::PolicyBlocked);
    assert!(
        text.contains("claude-opus-5-5") && text.contains("(eu)"),
        "{text}"
    );
    // The one that is off would do, so that is what decided.
    let off = Endpoint {
        enabled: false,
        ..in_region(2, "eu-west-1")
    };
    let (code, text) = refused(&within(&[Geography::Eu]), &[endpoint(1, 1), off]);
    assert_eq!(code, Code::Overloaded);
    assert!(text.contains("disabled"), "{text}");
    let elsewhere = RoutingPolicy {
        regions: Some(vec![RegionPattern::parse("eu-").unwrap()]),
        ..RoutingPolicy::default()
    };
    let (code, text) = refused(&elsewhere, &[endpoint(1, 1)]);
    assert_eq!(code, Code::PolicyBlocked);
    assert!(text.contains("(eu-)"), "{text}");
    let mut nowhere = endpoint(1, 1);
    nowhere.geography = Some(Geography::InRegion);
    assert_eq!(refused(&RoutingPolicy::default(), &[nowhere]).0, Code::NotFound);
}

#[test]
fn a_model_that_is_not_allowed_is_refused_by_name_with_those_that_are() {
    let policy = RoutingPolicy {
        models: Some(vec![ModelName::canonical("claude-haiku-4-5")]),
        ..RoutingPolicy::default()
    };
    let rules = Rules::of(None, &policy, "");
    let problem = rules
        .check_model(&ModelName::canonical("claude-opus-5-5"))
        .unwrap_err();
    assert_eq!(problem.code, Code::PolicyBlocked);
    assert!(problem.message.contains("claude-opus-5-5") && problem.message.contains("claude-haiku-4-5"));
    assert!(
        rules
            .check_model(&ModelName::canonical("claude-haiku-4-5[1m]"))
            .is_ok()
    );
    let sealed = RoutingPolicy::sealed();
    let nothing = Rules::of(None, &sealed, "");
    assert_eq!(
        nothing
            .check_model(&ModelName::canonical("claude-haiku-4-5"))
            .unwrap_err()
            .code,
        Code::Overloaded
    );
}

#[test]
fn a_policy_survives_json_and_one_that_says_more_than_is_understood_is_unreadable() {
    let policy = RoutingPolicy {
        strategy: Some(Strategy::LeastThrottled),
        models: Some(Vec::new()),
        geographies: Some(vec![Geography::InRegion]),
        regions: Some(vec![RegionPattern::parse("eu-").unwrap()]),
    };
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<RoutingPolicy>(&json).unwrap(), policy);
    let earlier: RoutingPolicy = serde_json::from_str(r#"{"strategy":"sticky_user"}"#).unwrap();
    assert_eq!(earlier, by(Strategy::Sticky));
    for unreadable in [
        r#"{"hours":[9,17]}"#,
        r#"{"regions":["Europe"]}"#,
        r#"{"strategy":"x"}"#,
    ] {
        assert!(
            serde_json::from_str::<RoutingPolicy>(unreadable).is_err(),
            "{unreadable}"
        );
    }
}

#[test]
fn a_drained_endpoint_is_tried_when_there_is_no_other() {
    let mut route: Vec<_> = [endpoint(1, 1), endpoint(2, 1), endpoint(3, 1)]
        .into_iter()
        .map(|endpoint| Candidate {
            endpoint,
            model: crate::BedrockModel {
                id: "m".into(),
                geography: Geography::Us,
            },
            lane: Lane::InvokeModel,
        })
        .collect();
    route[0].endpoint.draining = true;
    drained_last(&mut route);
    let names: Vec<_> = route.iter().map(|one| one.endpoint.name.as_str()).collect();
    assert_eq!(names, ["e2", "e3", "e1"]);
}
