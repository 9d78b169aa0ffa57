//! Where requests may go: what is sent, and what is shown of the answers.

use crate::{Person, server::Server};
use ccag_admin_api::*;
use ccag_domain::{Code, EndpointId, Geography, Strategy};
use serde_json::{Value, json};

const ROUTING: &str = "/admin/settings/routing";
const OF_TEAM: &str = "/admin/teams/team_1/routing";

fn view(own: RoutingSpec) -> RoutingView {
    RoutingView {
        in_force: RoutingInForce {
            strategy: own.strategy.unwrap_or_default(),
            geographies: vec![Geography::Eu],
            ..RoutingInForce::default()
        },
        own,
    }
}

#[test]
fn what_is_not_given_stays_and_what_is_unset_is_left_to_the_organisation() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_team("team_1", "Platform");
    let held = RoutingSpec {
        strategy: Some(Strategy::Weighted),
        models: Some(vec!["claude-haiku-4-5".into()]),
        ..RoutingSpec::default()
    };
    server.answer("GET", OF_TEAM, &view(held.clone()));
    server.answer("PUT", OF_TEAM, &view(held));
    let body = |server: &Server| -> Value { serde_json::from_str(&server.sent().pop().unwrap().2).unwrap() };
    let set = |more: &[&str]| person.ok(&[&["teams", "set-routing", "platform"], more].concat());
    set(&["--geography", "eu", "--geography", "in-region", "--region", "eu-"]);
    assert_eq!(
        body(&server),
        json!({"strategy": "weighted", "models": ["claude-haiku-4-5"], "geographies": ["eu", "in-region"],
               "regions": ["eu-"]})
    );
    set(&["--any-model", "--unset", "strategy"]);
    assert_eq!(
        body(&server),
        json!({"strategy": null, "models": [], "geographies": null, "regions": null})
    );
    set(&["--strategy", "sticky_user"]);
    assert_eq!(body(&server)["strategy"], "sticky");
    let shown = person.ok(&["teams", "routing", "platform"]);
    assert!(shown.contains("eu (the organisation's word)"), "{shown}");
    assert!(
        shown.contains("weighted: each request begins at another endpoint"),
        "{shown}"
    );
    for wrong in [
        &["teams", "set-routing", "platform"][..],
        &["teams", "set-routing", "platform", "--strategy", "by_moonlight"],
        &["teams", "set-routing", "platform", "--geography", "mars"],
        &["teams", "set-routing", "platform", "--any-model", "--model", "a"],
        &["routing", "set"],
    ] {
        assert_eq!(person.run(wrong).code, 2, "{wrong:?}");
    }
    server.answer("GET", ROUTING, &view(RoutingSpec::default()));
    assert!(person.ok(&["routing", "show"]).contains("(nothing is said)"));
}

#[test]
fn a_preview_shows_what_is_tried_and_what_is_left_out_or_the_refusal() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_team("team_1", "Platform");
    let endpoint_id = EndpointId::parse("end_1").unwrap();
    let mut preview = RoutePreview {
        model: "claude-opus-5-5".into(),
        strategy: Strategy::Sticky,
        uses_own: true,
        candidates: vec![PreviewCandidate {
            endpoint_id: endpoint_id.clone(),
            name: "dublin".into(),
            bedrock_model: "eu.anthropic.claude-opus-5-5".into(),
            geography: Geography::Eu,
            first_permille: 667,
        }],
        left_out: vec![PreviewLeftOut {
            endpoint_id,
            name: "virginia".into(),
            reason: "disabled".into(),
            message: "disabled".into(),
        }],
        refusal: None,
    };
    let path = format!("{OF_TEAM}/preview");
    server.answer("GET", &path, &preview);
    server.sent();
    let shown = person.ok(&["teams", "preview-route", "platform", "claude-opus-5-5[1m]"]);
    assert!(
        server
            .sent()
            .pop()
            .unwrap()
            .1
            .contains("model=claude-opus-5-5%5B1m%5D")
    );
    for part in [
        "the team's own endpoints",
        "dublin",
        "66.7 %",
        "virginia",
        "disabled",
    ] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    preview.candidates.clear();
    preview.refusal = Some(PreviewRefusal::new(Code::PolicyBlocked, "not there".into()));
    server.answer("GET", "/admin/settings/routing/preview", &preview);
    let shown = person.ok(&["routing", "preview", "claude-opus-5-5"]);
    assert!(shown.contains("Refused with 400: not there"), "{shown}");
}
