//! What endpoints offer, and whether the account may use it.

use crate::Person;
use crate::server::Server;
use axum::routing::{get, post};
use axum::{Json, Router};
use ccag_admin_api::{
    AvailabilityView, EndpointModels, EndpointQuotas, InvokedAs, OfferedModel, QuotaUsage, QuotaView,
    Timestamp, paths,
};
use ccag_domain::{Availability, EndpointId, Geography, Obstacle, QuotaKind, QuotaScope};

const ID: &str = "end_1";

/// The routes of the stand-in for the control plane that are about this.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(paths::ENDPOINT_MODELS, get(before))
        .route(paths::ENDPOINT_DISCOVER, post(found))
        .route(paths::ENDPOINT_QUOTAS, get(quotas))
}

fn offered(name: &str, availability: Option<Availability>) -> OfferedModel {
    OfferedModel {
        model: Some(name.to_owned()),
        bedrock_id: format!("anthropic.{name}"),
        invoked: Some(InvokedAs {
            id: format!("us.anthropic.{name}"),
            geography: Geography::Us,
        }),
        profiles: Vec::new(),
        on_demand: false,
        legacy: false,
        availability: availability.map(|known| AvailabilityView {
            text: known.to_string(),
            known,
        }),
    }
}

fn models(discovered_at: Option<Timestamp>, models: Vec<OfferedModel>) -> Json<EndpointModels> {
    Json(EndpointModels {
        endpoint_id: EndpointId::parse(ID).unwrap(),
        discovered_at,
        error: None,
        models,
        left_out: Vec::new(),
    })
}

async fn before() -> Json<EndpointModels> {
    models(None, vec![offered("claude-opus-5-5", None)])
}

async fn found() -> Json<EndpointModels> {
    let missing = Availability::Hindered {
        by: vec![Obstacle::AgreementMissing],
        agreement_error: None,
    };
    let unknown = Availability::Unknown {
        why: "the role lacks bedrock:GetFoundationModelAvailability".to_owned(),
    };
    models(
        Some(Timestamp::from_ms(1_795_512_600_000)),
        vec![
            offered("claude-opus-5-5", Some(Availability::Available)),
            offered("claude-sonnet-5-5", Some(missing)),
            offered("claude-haiku-5-5", Some(unknown)),
        ],
    )
}

/// The last cell of the row that begins with `name`.
fn last_cell<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit("  ").next().unwrap().trim()
}

#[test]
fn models_are_shown_with_what_stands_in_their_way() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let before = person.ok(&["endpoints", "models", ID]);
    assert_eq!(last_cell(&before, "claude-opus-5-5"), "-", "{before}");

    let found = person.ok(&["endpoints", "discover", ID]);
    for (name, shown) in [
        ("MODEL", "AVAILABILITY"),
        ("claude-opus-5-5", "available"),
        ("claude-sonnet-5-5", "agreement not accepted"),
        ("claude-haiku-5-5", "unknown"),
    ] {
        assert_eq!(last_cell(&found, name), shown, "{found}");
    }
    for line in [
        "\n\nagreement not accepted: the first request accepts it if the role has aws-marketplace:Subscribe",
        "\nunknown: the role lacks bedrock:GetFoundationModelAvailability\n",
    ] {
        assert!(found.contains(line), "{found}");
    }

    let json = person.json(&["endpoints", "models", ID, "--discover"]);
    let availability = |n: usize| &json["models"][n]["availability"];
    assert_eq!(availability(0)["text"], "available");
    assert_eq!(availability(1)["state"], "hindered");
    assert_eq!(availability(1)["by"][0], "agreement_missing");
}

async fn quotas() -> Json<EndpointQuotas> {
    Json(EndpointQuotas {
        endpoint_id: EndpointId::parse(ID).unwrap(),
        asked_at: Some(Timestamp::from_ms(1_795_512_600_000)),
        error: Some("the role lacks servicequotas:ListServiceQuotas".to_owned()),
        quotas: vec![QuotaView {
            code: "L-1".to_owned(),
            name: "Cross-Region InvokeModel tokens per minute for Anthropic Claude Opus 5.5".to_owned(),
            model: Some("claude-opus-5-5".to_owned()),
            scope: QuotaScope::CrossRegion,
            kind: QuotaKind::TokensPerMinute,
            limit: 1_000_000,
            used: Some(250_000),
            usage: Some(QuotaUsage::default()),
            counted: Some(612_000),
        }],
        others: 7,
    })
}

#[test]
fn quotas_are_shown_with_what_is_used_of_them() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let shown = person.ok(&["endpoints", "quotas", ID]);
    let line = shown
        .lines()
        .find(|line| line.starts_with("claude-opus-5-5"))
        .unwrap();
    for part in ["tokens/min, cross-region", "1000000", "250000", "25 %", "612000"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(
        shown.contains("7 other quotas") && shown.contains("the role lacks"),
        "{shown}"
    );
    assert_eq!(
        person.json(&["endpoints", "quotas", ID, "--discover"])["others"],
        7
    );
}
