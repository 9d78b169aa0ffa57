use crate::{Person, Server};
use ccag_admin_api::{
    ImportReport, ModelSpec, ModelView, PinProfile, PinnedList, PinnedView, PriceChange, PriceList,
    PriceSpec, PriceView, Rate, SkippedRows, Timestamp, paths,
};
use ccag_domain::{Code, Geography, catalogue};
use serde_json::{Value, json};
use std::str::FromStr;

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    (server, person)
}

fn model(name: &str) -> ModelView {
    let models = catalogue::models();
    let model = models.iter().find(|model| model.name.as_str() == name).unwrap();
    ModelView::new(model, "admin", false)
}

fn price(name: &str) -> PriceView {
    let prices = catalogue::prices();
    let price = prices.iter().find(|price| price.model.as_str() == name).unwrap();
    PriceView::from(price)
}

/// The body that the last command has sent, and where.
fn last<T: serde::de::DeserializeOwned>(server: &Server) -> (String, T) {
    let (method, path, body) = server.sent().pop().unwrap();
    (format!("{method} {path}"), serde_json::from_str(&body).unwrap())
}

/// A table's lines, with one space between the cells.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_model_is_added_as_it_is_described() {
    let (server, person) = signed_in();
    server.answer("POST", paths::MODELS, &model("claude-opus-5-5"));
    let shown = person.ok(&[
        "models",
        "create",
        "claude-opus-5-5",
        "--bedrock-id",
        "anthropic.claude-opus-5-5",
        "--alias",
        "claude-opus-5-5-20261101",
        "--geography",
        "global",
        "--geography",
        "us",
        "--context",
        "1000000",
        "--counts-tokens",
        "--released",
        "2026-11-01",
    ]);
    let (asked, spec) = last::<ModelSpec>(&server);
    assert_eq!(asked, "POST /admin/models");
    assert_eq!(
        spec,
        ModelSpec {
            name: Some("claude-opus-5-5".into()),
            aliases: vec!["claude-opus-5-5-20261101".into()],
            display_name: None,
            bedrock_id: "anthropic.claude-opus-5-5".into(),
            geographies: vec![Geography::Global, Geography::Us],
            on_demand: Some(false),
            context_tokens: Some(1_000_000),
            max_output_tokens: None,
            counts_tokens: Some(true),
            output_burndown: None,
            released_at: Some(Timestamp::from_ms(1_793_491_200_000)),
        }
    );
    assert!(shown.contains("anthropic.claude-opus-5-5"), "{shown}");
    let unpriced = lines(&shown).contains(&"Priced: no".to_owned());
    assert!(unpriced, "one sees that it is not served yet: {shown}");
}

#[test]
fn a_model_is_found_and_replaced_under_any_of_its_names() {
    let (server, person) = signed_in();
    let arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc";
    for (name, path) in [
        ("claude-opus-5-5[1m]", "/admin/models/claude-opus-5-5%5B1m%5D"),
        (
            arn,
            "/admin/models/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Aapplication-inference-profile%2Fabc",
        ),
    ] {
        server.answer("GET", path, &model("claude-opus-5-5"));
        server.answer("PUT", path, &model("claude-opus-5-5"));
        server.answer("DELETE", path, &json!(null));
        assert_eq!(
            person.json(&["models", "show", name])["name"],
            "claude-opus-5-5",
            "{path}"
        );
        person.ok(&["models", "set", name, "--bedrock-id", "anthropic.other"]);
        let (asked, spec) = last::<ModelSpec>(&server);
        assert_eq!(asked, format!("PUT {path}"));
        assert_eq!((spec.name, spec.bedrock_id.as_str()), (None, "anthropic.other"));
        assert_eq!(
            person.ok(&["models", "delete", name]),
            format!("Deleted {name}.\n")
        );
    }
}

#[test]
fn a_model_that_is_not_described_well_is_refused_here_or_there() {
    let (server, person) = signed_in();
    for (args, said) in [
        (&["models", "create", "m"][..], "--bedrock-id"),
        (
            &[
                "models",
                "create",
                "m",
                "--bedrock-id",
                "b",
                "--geography",
                "moon",
            ],
            "write global, us, eu",
        ),
        (
            &["models", "create", "m", "--bedrock-id", "b", "--context", "many"],
            "invalid",
        ),
        (
            &["models", "create", "m", "--bedrock-id", "b", "--released", "soon"],
            "invalid",
        ),
    ] {
        let done = person.run(args);
        assert_eq!(done.code, 2, "{args:?}");
        assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
    }
    assert!(server.sent().is_empty());
    let message = "There is a model of this name already.";
    server.refuse("POST", paths::MODELS, Code::Conflict, message, Some("name"));
    let done = person.run(&[
        "models",
        "create",
        "claude-opus-5-5",
        "--bedrock-id",
        "anthropic.x",
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains(message) && done.stderr.contains("field:   name"),
        "{}",
        done.stderr
    );
    assert_eq!(person.run(&["models", "show", "claude-opus-9"]).code, 1);
    assert_eq!(person.run(&["models", "delete", "claude-opus-9"]).code, 1);
}

#[test]
fn a_price_is_sent_as_it_is_written_and_shown_as_it_counts() {
    let (server, person) = signed_in();
    let path = "/admin/pricing/claude-haiku-4-5";
    server.answer("PUT", path, &price("claude-haiku-4-5"));
    let rates = [
        "pricing",
        "set",
        "claude-haiku-4-5",
        "--input",
        "1.00",
        "--output",
        "5",
        "--cache-read",
        "0.1",
        "--cache-write",
        "1.25",
    ];
    let shown = person.ok(&rates);
    let (asked, spec) = last::<PriceSpec>(&server);
    let rate = |text: &str| Rate::from_str(text).unwrap();
    let plain = PriceSpec {
        input_rate: rate("1"),
        output_rate: rate("5"),
        cache_read_rate: rate("0.1"),
        cache_write_rate: rate("1.25"),
        cache_write_1h_rate: None,
        long_context: None,
        regional_permille: None,
        in_region_permille: None,
        gov_permille: None,
        mantle_permille: None,
        aws_sku: None,
    };
    assert_eq!((asked, spec), (format!("PUT {path}"), plain.clone()));
    assert!(
        lines(&shown)
            .iter()
            .any(|line| line.starts_with("claude-haiku-4-5 $1.00 $5.00 $0.10 $1.25 $2.00 110.0 %")),
        "{shown}"
    );

    let long = [
        "--long-above",
        "200000",
        "--long-input",
        "2",
        "--long-output",
        "7.5",
        "--long-cache-read",
        "0.2",
        "--long-cache-write",
        "2.5",
        "--regional",
        "1200",
    ];
    person.ok(&[&rates[..], &long].concat());
    let (_, spec) = last::<PriceSpec>(&server);
    assert_eq!(spec.regional_permille, Some(1_200));
    let tier = spec.long_context.unwrap();
    assert_eq!(
        (
            tier.above_prompt_tokens,
            tier.input_rate,
            tier.cache_write_1h_rate
        ),
        (200_000, rate("2"), None)
    );
}

#[test]
fn a_price_that_says_too_little_or_nonsense_is_refused() {
    let (server, person) = signed_in();
    let rates = ["--input", "1", "--output", "5", "--cache-read", "0.1"];
    let set = |more: &[&str]| person.run(&[&["pricing", "set", "m"], &rates[..], more].concat());
    for (more, said) in [
        (&[][..], "--cache-write"),
        (&["--cache-write", "free"], "--cache-write"),
        (&["--cache-write", "-1"], "--cache-write"),
        (&["--cache-write", "1", "--long-above", "200000"], "--long-input"),
        (&["--cache-write", "1", "--long-input", "2"], "--long-above"),
    ] {
        let done = set(more);
        assert_eq!(done.code, 2, "{more:?}");
        assert!(done.stderr.contains(said), "{more:?}: {}", done.stderr);
    }
    assert!(server.sent().is_empty());
    let message = "There is no model of this name.";
    server.refuse("PUT", "/admin/pricing/m", Code::NotFound, message, None);
    let done = set(&["--cache-write", "1"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains(message), "{}", done.stderr);
    let done = person.run(&["pricing", "reset", "nothing"]);
    assert_eq!(done.code, 1);
}

#[test]
fn prices_have_a_history_and_can_be_given_up() {
    let (server, person) = signed_in();
    let shown = person.ok(&["pricing", "list", "--history", "--model", "claude-opus-5-5"]);
    assert!(
        lines(&shown)
            .iter()
            .any(|line| line.starts_with("MODEL INPUT") && line.ends_with("SOURCE FROM UNTIL")),
        "{shown}"
    );
    let asked = server.asked();
    assert_eq!(
        asked.last().unwrap().1,
        "/admin/pricing?history=true&model=claude-opus-5-5"
    );
    person.ok(&["pricing", "list"]);
    assert_eq!(server.asked().last().unwrap().1, "/admin/pricing");
    let list: PriceList = serde_json::from_value(person.json(&["pricing", "list"])).unwrap();
    assert_eq!(list.prices.len(), catalogue::prices().len());
    server.answer("DELETE", "/admin/pricing/claude-opus-5-5", &json!(null));
    assert!(
        person
            .ok(&["pricing", "reset", "claude-opus-5-5"])
            .contains("built-in")
    );
}

fn report(dry_run: bool) -> ImportReport {
    ImportReport {
        dry_run,
        published: Some("2026-11-20T00:00:00Z".into()),
        rows_read: 1_500,
        rows_used: 12,
        changed: vec![PriceChange {
            model: "claude-haiku-4-5".into(),
            before: None,
            after: price("claude-haiku-4-5"),
            notes: vec!["the one-hour rate is twice the input".into()],
        }],
        unchanged: vec!["claude-opus-5-5".into()],
        skipped: vec![SkippedRows {
            model: Some("claude-sonnet-5-5".into()),
            reason: "an admin has set its price".into(),
            rows: 4,
        }],
    }
}

#[test]
fn a_price_list_is_taken_in_from_a_file_or_standard_input() {
    let (server, person) = signed_in();
    let path = paths::PRICING_IMPORT;
    let file = person.home.path().join("prices.csv");
    std::fs::write(&file, "a,list\n").unwrap();
    let file = file.to_str().unwrap();

    server.answer("POST", path, &report(true));
    let shown = person.ok(&["pricing", "import", file, "--dry-run"]);
    let (method, asked, body) = server.sent().pop().unwrap();
    assert_eq!((method.as_str(), body.as_str()), ("POST", "a,list\n"));
    assert_eq!(asked, format!("{path}?dry_run=true"));
    for part in [
        "12 of 1,500 prices in the list, published 2026-11-20T00:00:00Z, belong to models",
        "Nothing was changed.",
        "claude-haiku-4-5: the one-hour rate is twice the input",
        "The same as before: claude-opus-5-5",
        "4 rows: claude-sonnet-5-5: an admin has set its price",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    server.answer("POST", path, &report(false));
    let done = person.with_input(&["pricing", "import", "-", "--overwrite"], "from a pipe");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(!done.stdout.contains("Nothing was changed"), "{}", done.stdout);
    let (_, asked, body) = server.sent().pop().unwrap();
    assert_eq!(
        (asked, body.as_str()),
        (format!("{path}?overwrite=true"), "from a pipe")
    );
    assert_eq!(person.json(&["pricing", "import", file])["rows_used"], 12);
}

#[test]
fn a_price_list_that_is_not_there_or_none_changes_nothing() {
    let (server, person) = signed_in();
    let done = person.run(&["pricing", "import", "/nowhere/prices.csv"]);
    assert_eq!(done.code, 6);
    assert!(
        done.stderr.contains("cannot read /nowhere/prices.csv"),
        "{}",
        done.stderr
    );
    assert!(server.sent().is_empty());
    let message = "This is not a price list of AWS's.";
    server.refuse("POST", paths::PRICING_IMPORT, Code::InvalidRequest, message, None);
    let done = person.with_input(&["pricing", "import", "-"], "<html>");
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains(message), "{}", done.stderr);
}

fn offers(error: Option<&str>) -> Value {
    let profile = |id: &str, geography: &str, application: bool| json!({"id": id, "name": id, "geography": geography, "application": application});
    json!({
        "endpoint_id": "end_1",
        "discovered_at": Timestamp::from_ms(1_795_512_600_000),
        "error": error,
        "models": [
            {
                "model": "claude-opus-5-5",
                "bedrock_id": "anthropic.claude-opus-5-5",
                "invoked": {"id": "eu.anthropic.claude-opus-5-5", "geography": "eu"},
                "profiles": [
                    profile("eu.anthropic.claude-opus-5-5", "eu", false),
                    profile("global.anthropic.claude-opus-5-5", "global", false),
                    profile("arn:own", "eu", true),
                ],
                "on_demand": false,
                "legacy": false,
            },
            {
                "model": null,
                "bedrock_id": "anthropic.claude-unheard-of",
                "invoked": null,
                "profiles": [],
                "on_demand": true,
                "legacy": true,
            },
        ],
        "left_out": [{"id": "zz.anthropic.claude-opus-5-5", "reason": "its geography is not known"}],
    })
}

#[test]
fn what_an_endpoint_offers_is_shown_and_asked_for() {
    let (server, person) = signed_in();
    server.answer("GET", "/admin/endpoints/end_1/models", &offers(None));
    server.answer("POST", "/admin/endpoints/end_1/discover", &offers(None));
    let shown = person.ok(&["endpoints", "models", "end_1"]);
    let lines = lines(&shown);
    assert_eq!(lines[0], "AWS was asked at 2026-11-24 09:30 UTC.");
    for line in [
        "claude-opus-5-5 anthropic.claude-opus-5-5 eu.anthropic.claude-opus-5-5 eu eu global",
        "not in the catalogue anthropic.claude-unheard-of not to be had here - legacy",
        "zz.anthropic.claude-opus-5-5 is left out: its geography is not known",
    ] {
        assert!(lines.iter().any(|l| l.starts_with(line)), "{line}: {shown}");
    }
    for args in [
        &["endpoints", "discover", "end_1"][..],
        &["endpoints", "models", "end_1", "--discover"],
    ] {
        server.sent();
        assert_eq!(person.ok(args), shown);
        let (method, path, _) = server.sent().pop().unwrap();
        assert_eq!(
            (method.as_str(), path.as_str()),
            ("POST", "/admin/endpoints/end_1/discover")
        );
    }
    let json = person.json(&["endpoints", "models", "end_1"]);
    assert_eq!(json["models"][0]["invoked"]["geography"], "eu");
}

#[test]
fn an_endpoint_that_cannot_be_asked_says_why() {
    let (server, person) = signed_in();
    let reason = "the role may not list inference profiles";
    server.answer("GET", "/admin/endpoints/end_1/models", &offers(Some(reason)));
    let shown = person.ok(&["endpoints", "models", "end_1"]);
    assert!(
        shown.starts_with(&format!("AWS could not be asked the last time: {reason}\n")),
        "{shown}"
    );
    let message = "AWS could not be asked: it took too long.";
    server.refuse(
        "POST",
        "/admin/endpoints/end_1/discover",
        Code::Unavailable,
        message,
        None,
    );
    let done = person.run(&["endpoints", "discover", "end_1"]);
    assert_eq!((done.code, done.stdout.as_str()), (5, ""));
    assert!(done.stderr.contains(message), "{}", done.stderr);
    server.answer("GET", paths::ENDPOINTS, &json!({"endpoints": []}));
    let done = person.run(&["endpoints", "discover", "europe"]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("no endpoint is called `europe`"),
        "{}",
        done.stderr
    );
}

#[test]
fn application_profiles_are_pinned_and_let_go() {
    let (server, person) = signed_in();
    let arn = "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/abc";
    let pinned = PinnedView {
        model_id: "claude-opus-5-5".into(),
        aip_arn: arn.into(),
        geography: Geography::Eu,
        reason: Some("costs of team A".into()),
        created_at: Timestamp::from_ms(1_795_512_600_000),
    };
    let path = "/admin/endpoints/end_1/aip-overrides";
    server.answer(
        "GET",
        path,
        &PinnedList {
            overrides: Vec::new(),
        },
    );
    server.answer("POST", path, &pinned);
    server.answer("DELETE", &format!("{path}/claude-opus-5-5"), &json!(null));
    assert!(
        person
            .ok(&["endpoints", "aip-overrides", "list", "end_1"])
            .contains("AWS's own profiles are invoked for all models.")
    );
    let shown = person.ok(&[
        "endpoints",
        "aip-overrides",
        "add",
        "end_1",
        "--model",
        "claude-opus-5-5",
        "--arn",
        arn,
        "--reason",
        "costs of team A",
    ]);
    let (_, sent) = last::<PinProfile>(&server);
    assert_eq!(
        (sent.model_id.as_str(), sent.aip_arn.as_str()),
        ("claude-opus-5-5", arn)
    );
    assert_eq!(
        lines(&shown)[1],
        format!("claude-opus-5-5 eu 2026-11-24 09:30 costs of team A {arn}")
    );
    let shown = person.ok(&[
        "endpoints",
        "aip-overrides",
        "remove",
        "end_1",
        "--model",
        "claude-opus-5-5",
    ]);
    assert_eq!(shown, "AWS's own profile is invoked for claude-opus-5-5 again.\n");
    let message = "The profile belongs to another model.";
    server.refuse("POST", path, Code::InvalidRequest, message, Some("aip_arn"));
    let done = person.run(&[
        "endpoints",
        "aip-overrides",
        "add",
        "end_1",
        "--model",
        "m",
        "--arn",
        arn,
    ]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains(message) && done.stderr.contains("field:   aip_arn"),
        "{}",
        done.stderr
    );
}
