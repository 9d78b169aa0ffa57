//! Samples of explained requests.

use super::{HOSTILE, NOW_MS, Sample, context, sample};
use crate::form::Field;
use crate::page::{RequestPage, RequestSearchPage};
use crate::path;
use ccag_domain::explanation::{
    AskedFor, Attempted, BudgetChecked, CandidateSeen, Ended, KeyShown, LeftOut, Names, NotTried, RefusedFor,
    Routed, Translated, told,
};
use ccag_domain::time::DAY_MS;
use ccag_domain::{CostLines, Explanation, Geography, Lane, NanoUsd, Role, Tokens, catalogue};

const ID: &str = "req_01KAV4M3C8TB7R6QF2J5XW9D0E";

fn budget(verdict: &'static str, spent: i64) -> BudgetChecked {
    BudgetChecked {
        id: "bud_01KAV4M3C8TB7R6QF2J5XW9D0E".to_owned(),
        scope: "team".into(),
        period: "monthly".into(),
        mode: "hard".into(),
        limit_nano_usd: NanoUsd::from_usd(800),
        ceiling_nano_usd: Some(NanoUsd::from_usd(800)),
        spent_nano_usd: NanoUsd(spent),
        needed_nano_usd: Some(NanoUsd(2_560_000_000)),
        basis: "most".into(),
        verdict: verdict.into(),
        drawn_nano_usd: (verdict == "passed").then_some(NanoUsd(2_970_000)),
    }
}

fn attempt(n: u32, status: u16) -> Attempted {
    Attempted {
        endpoint_id: format!("end_{n}"),
        endpoint: if n == 1 { HOSTILE } else { "Europe" }.to_owned(),
        lane: "invoke-model".into(),
        bedrock_model: "eu.anthropic.claude-opus-5-5".to_owned(),
        region: "eu-west-1".to_owned(),
        geography: "eu".into(),
        status: Some(status),
        error: (status != 200).then(|| "ThrottlingException".to_owned()),
        reached: true,
        took_ms: Some(412),
        aws_request_id: Some("0d1c2b3a-1111-2222-3333-444455556666".to_owned()),
        then: (status != 200).then(|| "next_endpoint".into()),
        without: None,
    }
}

fn explanation(status: u16, outcome: &'static str) -> Explanation {
    Explanation {
        version: 1,
        request_id: ID.to_owned(),
        at_ms: NOW_MS - 90_000,
        status,
        outcome: outcome.into(),
        replica_id: "rep_01KAV4M3C8TB7R6QF2J5XW9D0E".to_owned(),
        revision: 1_204,
        key: KeyShown {
            id: "key_1".to_owned(),
            user_id: Some("user_2".to_owned()),
            team_id: Some("team_2".to_owned()),
            team_by: Some("user".into()),
            header: "authorization".into(),
            verdict: "valid".into(),
        },
        asked: AskedFor {
            lowered_to: Some(4_096),
            said: HOSTILE.to_owned(),
            model: "claude-opus-5-5".to_owned(),
            streaming: true,
            input_estimate: 18_204,
            max_output: 32_000,
        },
        route: Routed {
            strategy: "least_throttled".into(),
            moved: false,
            waited_for_room_ms: Some(1_000),
            affinity: "session".into(),
            pool: "team".into(),
            candidates: vec![
                CandidateSeen {
                    endpoint_id: "end_1".to_owned(),
                    endpoint: HOSTILE.to_owned(),
                    weight: 1,
                    geography: "eu".into(),
                    in_trouble: true,
                    throttled: 3,
                    quota: None,
                },
                CandidateSeen {
                    endpoint_id: "end_3".to_owned(),
                    endpoint: "spare".to_owned(),
                    quota: Some("no_room".into()),
                    ..CandidateSeen::default()
                },
            ],
            not_tried: vec![NotTried {
                endpoint_id: "end_2".to_owned(),
                endpoint: HOSTILE.to_owned(),
                why: "geography_not_allowed".into(),
            }],
        },
        ..Explanation::default()
    }
}

fn page(explanation: &Explanation, cost: Option<&CostLines>) -> RequestPage {
    let names = Names {
        key: Some(HOSTILE.to_owned()),
        user: Some("Mira".to_owned()),
        team: None,
    };
    RequestPage {
        id: ID.to_owned(),
        status: explanation.status,
        key_id: Some("key_1".to_owned()),
        note: None,
        kept_until_ms: Some(NOW_MS + 30 * DAY_MS),
        parts: told(explanation, &names, cost),
    }
}

fn served() -> RequestPage {
    let tokens = Tokens {
        input: 1_204,
        output: 801,
        cache_read: 17_000,
        cache_write_5m: 0,
        cache_write_1h: 0,
    };
    let price = catalogue::prices().remove(0);
    let total = price.cost(Geography::Eu, Lane::InvokeModel, &tokens) + NanoUsd(10_000_000);
    let cost = CostLines::new(&price, (Geography::Eu, Lane::InvokeModel), &tokens, 1, total);
    let explanation = Explanation {
        budgets: vec![budget("passed", 12_000_000_000)],
        attempts: vec![attempt(1, 429), attempt(2, 200)],
        translation: Translated {
            surface: "invoke-model".to_owned(),
            version: "3+12".to_owned(),
            pinned: true,
            lessons: vec!["beta never-heard-of".to_owned()],
            betas_sent: vec!["interleaved-thinking-2025-05-14".to_owned()],
            betas_removed: vec![HOSTILE.to_owned()],
            ..Translated::default()
        },
        ended: Ended {
            attempts: 2,
            first_token_ms: Some(1_310),
            duration_ms: 9_042,
            web_searches: 1,
            ..Ended::default()
        },
        left_out: vec![LeftOut {
            list: "betas sent".into(),
            count: 3,
        }],
        ..explanation(200, "completed")
    };
    page(&explanation, Some(&cost))
}

fn refused() -> RequestPage {
    let explanation = Explanation {
        refusal: Some(RefusedFor {
            stage: "budget".into(),
            code: "budget-exceeded".into(),
            message: format!("The team {HOSTILE}'s monthly budget of $800.00 does not suffice."),
            field: Some("max_tokens".to_owned()),
        }),
        budgets: vec![budget("refused", 799_000_000_000)],
        ..explanation(429, "refused")
    };
    page(&explanation, None)
}

/// The pages about requests.
pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, &path::request(ID));
    let unknown = Field::new(HOSTILE).with_error(format!("`{HOSTILE}` is not the id of a request."));
    let of_ledger = RequestPage {
        note: Some("How this request was decided is not known, or no longer.".to_owned()),
        kept_until_ms: None,
        key_id: None,
        ..page(&explanation(502, "failed"), None)
    };
    vec![
        sample(
            "request-search",
            context(Role::Member, path::REQUESTS),
            RequestSearchPage::default(),
        ),
        sample("request-unknown", admin(), RequestSearchPage { id: unknown }),
        sample("request-served", admin(), served()),
        sample(
            "request-refused",
            context(Role::Member, &path::request(ID)),
            refused(),
        ),
        sample("request-ledger", admin(), of_ledger),
    ]
}
