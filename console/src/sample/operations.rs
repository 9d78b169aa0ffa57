//! Samples of endpoints, models and prices.

use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::Field;
use crate::page::{
    AccessForm, CheckRow, DeleteEndpointPage, DeleteModelPage, EndpointForm, EndpointModelsPage,
    EndpointPage, EndpointQuotasPage, EndpointRow, EndpointTestPage, EndpointsPage, ImportOutcome,
    ImportPage, ImportedPrice, ModelForm, ModelPage, ModelRow, ModelsPage, Named, NetworkForm, OfferedRow,
    PriceForm, PricePage, PriceRow, QuotaRow, TeamEndpointChoice, TeamEndpointsPage, Tried,
};
use crate::path;
use ccag_domain::{Availability, EndpointState, Obstacle, QuotaKind, QuotaScope, Role};

fn endpoint(n: u32, name: &str, state: EndpointState, teams: usize) -> EndpointRow {
    EndpointRow {
        id: format!("end_{n}"),
        name: name.to_owned(),
        region: (n > 1).then(|| "eu-west-1".to_owned()),
        account: (n > 1).then(|| "111122223333".to_owned()),
        geography: (n == 3).then(|| "eu".to_owned()),
        weight: n,
        state,
        is_default: n == 1,
        teams,
    }
}

fn choice(row: &EndpointRow) -> TeamEndpointChoice {
    TeamEndpointChoice {
        priority: if row.is_default {
            "1".to_owned()
        } else {
            String::new()
        },
        id: row.id.clone(),
        name: row.name.clone(),
        place: "eu-west-1, account 111122223333".to_owned(),
        enabled: row.state != EndpointState::Disabled,
        chosen: row.teams > 0,
    }
}

fn endpoint_samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::ENDPOINTS);
    let rows = vec![
        endpoint(1, "default", EndpointState::Draining, 0),
        endpoint(2, HOSTILE, EndpointState::Disabled, 1),
        endpoint(3, "Europe", EndpointState::Enabled, 12),
    ];
    let teams = vec![Named {
        id: "team_2".to_owned(),
        name: HOSTILE.to_owned(),
    }];
    let edit = EndpointPage {
        id: Some("end_2".to_owned()),
        name: HOSTILE.to_owned(),
        state: EndpointState::Draining,
        is_default: false,
        teams: teams.clone(),
        form: EndpointForm {
            name: Field::new(HOSTILE),
            region: Field::new("eu-west-1"),
            state: Field::new("draining"),
            access: AccessForm {
                kind: Field::new("keys"),
                session_tags: Field::new("user"),
                stored: Some(format!(
                    "the access key that ends in {HOSTILE}, set at 2026-11-26"
                )),
                request_metadata: true,
                ..AccessForm::default()
            },
            network: NetworkForm {
                proxy_url: Field::new(HOSTILE),
                proxy_user: Field::new(HOSTILE),
                ca_certificates: Field::new(HOSTILE),
                has_password: true,
                ..NetworkForm::default()
            },
            ..EndpointForm::default()
        },
        trouble: None,
    };
    let refused = EndpointPage {
        form: EndpointForm {
            role_arn: Field::new(HOSTILE).with_error("This is not the ARN of a role."),
            weight: Field::new("x").with_error("Give a number."),
            access: AccessForm {
                secret_access_key: Field::new("").with_error(HOSTILE),
                ..AccessForm::default()
            },
            network: NetworkForm {
                proxy_url: Field::new(HOSTILE).with_error("This is not the URL of a proxy."),
                ca_certificates: Field::new(HOSTILE).with_error("These are not certificates."),
                ..NetworkForm::default()
            },
            ..EndpointForm::default()
        },
        ..EndpointPage::default()
    };
    let delete = |teams| DeleteEndpointPage {
        id: "end_2".to_owned(),
        name: HOSTILE.to_owned(),
        is_default: true,
        teams,
    };
    let of_team = TeamEndpointsPage {
        team_id: "team_1".to_owned(),
        team: HOSTILE.to_owned(),
        endpoints: rows.iter().map(choice).collect(),
        trouble: Some("The endpoint is gone.".to_owned()),
    };
    let offered = |model: Option<&str>, invoked: bool, availability: Option<Availability>| OfferedRow {
        model: model.map(str::to_owned),
        bedrock_id: "anthropic.claude-opus-5-5".to_owned(),
        invoked: invoked.then(|| ("us.anthropic.claude-opus-5-5".to_owned(), "us".to_owned())),
        legacy: !invoked,
        availability,
    };
    let hindered = Availability::Hindered {
        by: vec![Obstacle::NotInRegion, Obstacle::AgreementFailed],
        agreement_error: Some(HOSTILE.to_owned()),
    };
    let unknown = Availability::Unknown {
        why: HOSTILE.to_owned(),
    };
    let models = EndpointModelsPage {
        id: "end_2".to_owned(),
        name: HOSTILE.to_owned(),
        discovered_at_ms: Some(NOW_MS - 60_000),
        error: Some(HOSTILE.to_owned()),
        rows: vec![
            offered(Some("claude-opus-5-5"), true, Some(Availability::Available)),
            offered(Some("claude-opus-4-1"), false, Some(hindered)),
            offered(None, false, Some(unknown)),
            offered(None, true, None),
        ],
        left_out: vec![HOSTILE.to_owned()],
    };
    let quota = |model: Option<&str>, kind, scope, used| QuotaRow {
        name: HOSTILE.to_owned(),
        model: model.map(str::to_owned),
        shared: scope == QuotaScope::All,
        scope,
        kind,
        limit: 1_000_000,
        used,
        counted: (kind != QuotaKind::TokensPerDay).then_some(912_000),
        made_of: "12 requests: 2,000 input, 1,000 cache writes, 5,000 output × 10; 60,000 cache reads"
            .to_owned(),
    };
    let quotas = EndpointQuotasPage {
        id: "end_2".to_owned(),
        name: HOSTILE.to_owned(),
        asked_at_ms: Some(NOW_MS - 3_600_000),
        error: Some(HOSTILE.to_owned()),
        rows: vec![
            quota(
                Some("claude-opus-5-5"),
                QuotaKind::TokensPerMinute,
                QuotaScope::CrossRegion,
                Some(1_200_000),
            ),
            quota(
                Some("claude-sonnet-5-5"),
                QuotaKind::TokensPerDay,
                QuotaScope::Global,
                Some(850_000),
            ),
            quota(None, QuotaKind::TokensPerDay, QuotaScope::All, Some(53_000)),
            quota(None, QuotaKind::RequestsPerMinute, QuotaScope::OnDemand, None),
        ],
        others: 151,
    };
    let unknown_quotas = EndpointQuotasPage {
        id: "end_2".to_owned(),
        name: HOSTILE.to_owned(),
        ..EndpointQuotasPage::default()
    };
    let check = |on: Option<&str>, tried: Tried| CheckRow {
        action: "bedrock:InvokeModelWithResponseStream".to_owned(),
        on: on.map(str::to_owned),
        tried,
        message: (tried != Tried::Allowed).then(|| HOSTILE.to_owned()),
    };
    let test = EndpointTestPage {
        id: "end_2".to_owned(),
        name: HOSTILE.to_owned(),
        own_credentials: true,
        rows: Some(vec![
            check(None, Tried::Allowed),
            check(Some("claude-opus-5-5"), Tried::Denied),
            check(Some(HOSTILE), Tried::Failed),
        ]),
        missing_policy: Some(HOSTILE.to_owned()),
    };
    let untested = EndpointTestPage {
        rows: None,
        missing_policy: None,
        ..test.clone()
    };
    vec![
        sample("endpoint-test", admin(), test),
        sample("endpoint-untested", admin(), untested),
        sample("endpoint-quotas", admin(), quotas),
        sample("endpoint-quotas-unknown", admin(), unknown_quotas),
        sample("endpoint-models", admin(), models),
        sample("endpoints", admin(), EndpointsPage { rows }),
        sample("endpoints-empty", admin(), EndpointsPage::default()),
        sample("endpoint", admin(), edit),
        sample("endpoint-new", admin(), EndpointPage::default()),
        sample("endpoint-refused", admin(), refused),
        sample("endpoint-delete", admin(), delete(Vec::new())),
        sample("endpoint-delete-refused", admin(), delete(teams)),
        sample("team-endpoints", admin(), of_team),
    ]
}

fn model(name: &str, price: Option<(&str, &str)>) -> ModelRow {
    ModelRow {
        name: name.to_owned(),
        title: name.to_owned(),
        bedrock_id: format!("anthropic.{name}"),
        context_tokens: 1_000_000,
        price: price.map(|(input, output)| (input.to_owned(), output.to_owned())),
        source: "built-in".to_owned(),
    }
}

fn price_row(n: i64, until: bool) -> PriceRow {
    PriceRow {
        id: format!("price_{n}"),
        rates: ["4.00", "20.00", "0.20", "5.00", "8.00"].map(str::to_owned),
        regional_permille: 1_100,
        source: HOSTILE.to_owned(),
        from_ms: NOW_MS - n * 86_400_000,
        until_ms: until.then_some(NOW_MS - (n - 1) * 86_400_000),
    }
}

fn model_samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::MODELS);
    let rows = vec![
        model("claude-opus-5-5", Some(("4.00", "20.00"))),
        model(HOSTILE, None),
    ];
    let models = ModelsPage {
        search: HOSTILE.to_owned(),
        rows,
    };
    let edit = ModelPage {
        name: Some("claude-opus-5-5".to_owned()),
        title: HOSTILE.to_owned(),
        source: "admin".to_owned(),
        priced: true,
        form: ModelForm::default(),
        trouble: None,
    };
    let refused = ModelPage {
        form: ModelForm {
            name: Field::new(HOSTILE).with_error("This is no name."),
            ..ModelForm::default()
        },
        ..ModelPage::default()
    };
    let prices = PricePage {
        name: "claude-opus-5-5".to_owned(),
        title: HOSTILE.to_owned(),
        form: PriceForm {
            input: Field::new("x").with_error("Write dollars per million tokens."),
            ..PriceForm::default()
        },
        history: vec![price_row(1, false), price_row(2, true)],
        trouble: None,
    };
    let outcome = ImportOutcome {
        dry_run: true,
        summary: "24 of 360 prices used".to_owned(),
        changed: vec![ImportedPrice {
            model: "claude-opus-5-5".to_owned(),
            before: None,
            after: ("3.50".to_owned(), "17.50".to_owned()),
            notes: vec![HOSTILE.to_owned()],
        }],
        unchanged: vec!["claude-haiku-4-5".to_owned()],
        skipped: vec![HOSTILE.to_owned()],
    };
    let imported = ImportPage {
        outcome: Some(outcome),
        trouble: None,
    };
    let no_list = ImportPage {
        outcome: None,
        trouble: Some(HOSTILE.to_owned()),
    };
    let member = || context(Role::Member, path::MODELS);
    let delete = DeleteModelPage {
        name: "claude-opus-5-5".to_owned(),
        title: HOSTILE.to_owned(),
    };
    vec![
        sample("models", admin(), models.clone()),
        sample("models-member", member(), models),
        sample("models-none-fits", admin(), ModelsPage::default()),
        sample("model", admin(), edit.clone()),
        sample("model-member", member(), edit),
        sample("model-new", admin(), ModelPage::default()),
        sample("model-refused", admin(), refused),
        sample("model-delete", admin(), delete),
        sample("model-prices", admin(), prices.clone()),
        sample("model-prices-member", member(), prices),
        sample("prices-import", admin(), ImportPage::default()),
        sample("prices-imported", admin(), imported),
        sample("prices-import-refused", admin(), no_list),
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = endpoint_samples();
    samples.extend(model_samples());
    samples
}
