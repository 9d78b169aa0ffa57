//! `ccag explain`.

use crate::{Person, Server};
use ccag_admin_api::{ExplanationSource, ExplanationView, Timestamp, paths};
use ccag_domain::explanation::{Attempted, BudgetChecked, Ended, KeyShown, Routed};
use ccag_domain::{Code, CostLines, Explanation, Geography, Lane, NanoUsd, RequestId, Tokens, catalogue};

const ID: &str = "req_01KAV4M3C8TB7R6QF2J5XW9D0E";

fn view() -> ExplanationView {
    let price = catalogue::prices()
        .into_iter()
        .find(|price| price.model.as_str() == "claude-opus-5-5")
        .unwrap();
    let tokens = Tokens {
        input: 1_204,
        output: 801,
        cache_read: 17_001,
        ..Tokens::default()
    };
    let way = (Geography::Us, Lane::InvokeModel);
    let total = price.cost(way.0, way.1, &tokens);
    let attempt = |endpoint: &str, status: u16, then: Option<&'static str>| Attempted {
        endpoint: endpoint.to_owned(),
        lane: "invoke-model".into(),
        bedrock_model: "us.anthropic.claude-opus-5-5".to_owned(),
        region: "us-east-1".to_owned(),
        geography: "us".into(),
        status: Some(status),
        error: (status != 200).then(|| "ThrottlingException".to_owned()),
        reached: true,
        took_ms: Some(1_412),
        then: then.map(Into::into),
        ..Attempted::default()
    };
    ExplanationView {
        request_id: RequestId::parse(ID).unwrap(),
        source: ExplanationSource::DataPlane,
        note: None,
        kept_until: Some(Timestamp::from_ms(1_798_104_600_000)),
        key_name: Some("laptop\u{1b}[2J".into()),
        user_name: Some("mira".into()),
        team_name: None,
        explanation: Explanation {
            version: 1,
            request_id: ID.into(),
            at_ms: 1_795_512_600_000,
            status: 200,
            outcome: "completed".into(),
            key: KeyShown {
                id: "key_1".into(),
                user_id: Some("user_1".into()),
                header: "authorization".into(),
                verdict: "valid".into(),
                ..KeyShown::default()
            },
            budgets: vec![BudgetChecked {
                id: "bud_1".into(),
                scope: "user".into(),
                period: "monthly".into(),
                mode: "balanced".into(),
                limit_nano_usd: NanoUsd::from_usd(40),
                ceiling_nano_usd: Some(NanoUsd::from_usd(40)),
                spent_nano_usd: NanoUsd(12_500_000_000),
                needed_nano_usd: Some(NanoUsd(300_000_000)),
                basis: "likely".into(),
                verdict: "passed".into(),
                drawn_nano_usd: Some(total),
            }],
            route: Routed {
                strategy: "sticky".into(),
                affinity: "session".into(),
                pool: "default".into(),
                ..Routed::default()
            },
            attempts: vec![
                attempt("one", 429, Some("next_endpoint")),
                attempt("two", 200, None),
            ],
            ended: Ended {
                attempts: 2,
                duration_ms: 9_042,
                ..Ended::default()
            },
            ..Explanation::default()
        },
        cost: Some(CostLines::new(&price, way, &tokens, 0, total)),
        ledger: None,
    }
}

#[test]
fn a_request_is_explained_in_aligned_words_and_figures_that_add_up() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.answer("GET", &paths::explanation(ID), &view());
    // As it is pasted.
    let shown = person.ok(&["explain", &format!("  {ID}\n")]);
    let sent = server.sent();
    assert_eq!(sent[0].1, paths::explanation(ID));
    for line in [
        "What became of it",
        "  Outcome: completed: the whole answer was produced",
        "  Key:            laptop\u{fffd}[2J (key_1)",
        "  User:           mira (user_1)",
        "  Budget  Bounds              Limit   Spent  Set aside  Mode, and why so much                         Verdict        Drawn",
        "  bud_1   the user, monthly  $40.00  $12.50      $0.30  balanced: nine of ten answers are not longer  passed   $0.02665982",
        "  1  one       us.anthropic.claude-opus-5-5 through invoke-model  us-east-1 (us)  429 ThrottlingException  1,412 ms  another endpoint may do better",
        "  2  two       us.anthropic.claude-opus-5-5 through invoke-model  us-east-1 (us)  200                      1,412 ms",
        "  Premium: × 1.100 (profile of a geography)",
        "  For             Count             Price  With premium",
        "  input           1,204   $4.00 / million  $0.005297600",
        "  output            801  $20.00 / million  $0.017622000",
        "  cache read     17,001   $0.20 / million  $0.003740220",
        "  in the ledger                            $0.026659820",
        "Kept until 2026-12-24 09:30 UTC; the ledger keeps what it cost.",
    ] {
        assert!(
            shown.lines().any(|shown| shown.contains(line)),
            "{line}\n\n{shown}"
        );
    }
    let json = person.json(&["explain", ID]);
    assert_eq!(json["explanation"]["attempts"][0]["then"], "next_endpoint");
    assert_eq!(json["cost"]["total_nano_usd"], 26_659_820);
}

#[test]
fn what_the_ledger_alone_knows_is_said_to_be_that() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let view = ExplanationView {
        source: ExplanationSource::Ledger,
        note: Some("How this request was decided is not known.".into()),
        kept_until: None,
        ..view()
    };
    server.answer("GET", &paths::explanation(ID), &view);
    let shown = person.ok(&["explain", ID]);
    assert!(
        shown.starts_with("How this request was decided is not known.\n\n"),
        "{shown}"
    );
    assert!(!shown.contains("Kept until"));
}

#[test]
fn an_unknown_request_is_a_refusal_in_the_servers_words() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let message = "Nothing is known of a request `req_1`. Explanations are kept for 30 days.";
    server.refuse("GET", &paths::explanation("req_1"), Code::NotFound, message, None);
    let done = person.run(&["explain", "req_1"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.contains(message), "{}", done.stderr);
    assert_eq!(person.run(&["explain", " "]).code, 2);
}
