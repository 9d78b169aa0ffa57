//! What the admin API's JSON looks like.
#![expect(clippy::unwrap_used, reason = "tests")]

use ccag_admin_api::*;
use ccag_domain::{
    Availability, Code, EndpointId, Geography, KeyId, Lane, NanoUsd, Obstacle, Outcome, PriceId, Problem,
    ReplicaId, RequestId, TeamId, UsageId, UserId,
};
use serde_json::json;

fn key_view() -> KeyView {
    KeyView {
        id: KeyId::parse("key_1").unwrap(),
        prefix: "sk-ccag-abcdef".into(),
        name: "laptop".into(),
        user_id: Some(UserId::parse("user_1").unwrap()),
        team_id: None,
        state: KeyState::Active,
        is_active: true,
        rate_limit_rpm: None,
        created_at: Timestamp::from_ms(1_795_512_600_000),
        expires_at: None,
        revoked_at: None,
    }
}

#[test]
fn a_created_key_is_flat_and_its_secret_is_not_printed() {
    let created = CreatedKey {
        key: Secret::new("sk-ccag-secret"),
        record: key_view(),
    };
    let json = serde_json::to_value(&created).unwrap();
    assert_eq!(json["key"], "sk-ccag-secret");
    assert_eq!(json["id"], "key_1");
    assert_eq!(json["created_at"], "2026-11-24T09:30:00.000Z");
    assert_eq!(json["team_id"], json!(null));
    assert!(!format!("{created:?}").contains("sk-ccag-secret"));
    assert_eq!(serde_json::from_value::<CreatedKey>(json).unwrap(), created);
}

#[test]
fn a_patch_tells_absent_from_null_from_a_value() {
    let update: UpdateKey = serde_json::from_value(json!({"user_id": null, "team_id": "team_1"})).unwrap();
    assert_eq!(update.name, None);
    assert_eq!(update.rate_limit_rpm, Patch::Keep);
    assert_eq!(update.user_id, Patch::Clear);
    assert_eq!(update.team_id, Patch::Set(TeamId::parse("team_1").unwrap()));
    assert_eq!(
        serde_json::to_value(&update).unwrap(),
        json!({"user_id": null, "team_id": "team_1"})
    );
    assert_eq!(Patch::Keep.apply(Some(1)), Some(1));
    assert_eq!(Patch::Clear.apply(Some(1)), None);
    assert_eq!(Patch::Set(2).apply(Some(1)), Some(2));
}

#[test]
fn requests_refuse_what_they_do_not_know() {
    let typo = serde_json::from_value::<CreateKey>(json!({"nmae": "x"})).unwrap_err();
    assert!(typo.to_string().contains("unknown field `nmae`"), "{typo}");
    assert!(serde_json::from_value::<UpdateUser>(json!({"admin": true})).is_err());
    assert!(serde_json::from_value::<CreateKey>(json!({"team_id": "user_1"})).is_err());
    assert!(serde_json::from_value::<SetTeam>(json!({})).is_err());
    assert!(serde_json::from_value::<SetTeam>(json!({"team_id": null})).is_ok());
}

#[test]
fn answers_may_grow() {
    let mut json = serde_json::to_value(key_view()).unwrap();
    json["colour"] = json!("red");
    assert_eq!(serde_json::from_value::<KeyView>(json).unwrap(), key_view());
}

#[test]
fn a_problem_is_rfc_9457() {
    let problem = Problem::new(Code::InvalidRequest, "the name is empty").field("name");
    let body = ProblemBody::new(&problem, RequestId::parse("req_1").unwrap());
    assert_eq!(
        serde_json::to_value(body).unwrap(),
        json!({
            "type": "urn:ccag:problem:invalid-request",
            "title": "The request is not valid",
            "status": 400,
            "detail": "the name is empty",
            "code": "invalid-request",
            "request_id": "req_1",
            "field": "name",
        })
    );
}

fn row() -> LedgerRow {
    LedgerRow {
        id: UsageId::parse("use_1").unwrap(),
        request_id: RequestId::parse("req_1").unwrap(),
        aws_request_id: None,
        started_at: Timestamp::from_ms(0),
        key_id: KeyId::parse("key_1").unwrap(),
        user_id: None,
        team_id: Some(TeamId::parse("team_1").unwrap()),
        model: "=cmd,\"x\"".into(),
        bedrock_model: Some("us.anthropic.claude-opus-5-5".into()),
        geography: Geography::Us,
        endpoint_id: EndpointId::parse("end_1").unwrap(),
        replica_id: ReplicaId::parse("rep_1").unwrap(),
        session_id: None,
        streaming: true,
        outcome: Outcome::Completed,
        status: 200,
        error: None,
        attempts: 1,
        input_tokens: 3,
        output_tokens: 4,
        cache_read_tokens: 5,
        cache_write_5m_tokens: 6,
        cache_write_1h_tokens: 7,
        estimated: false,
        cost_nano_usd: NanoUsd(123_456),
        price_id: PriceId::parse("price_1").unwrap(),
        price_assumed: false,
        first_token_ms: None,
        duration_ms: 900,
        surface: Lane::InvokeModel,
        web_searches: 2,
    }
}

#[test]
fn csv_has_the_columns_of_the_json_in_their_order_and_no_formulas() {
    let json = serde_json::to_string(&row()).unwrap();
    let mut at = 0;
    for column in LedgerRow::COLUMNS {
        let found = json.find(&format!("\"{column}\":")).unwrap();
        assert!(found >= at, "{column}");
        at = found;
    }
    assert_eq!(
        serde_json::to_value(row()).unwrap().as_object().unwrap().len(),
        LedgerRow::COLUMNS.len()
    );
    assert!(LedgerRow::csv_header().starts_with("id,request_id,aws_request_id,started_at,key_id,"));
    assert_eq!(
        row().to_csv(),
        "use_1,req_1,,1970-01-01T00:00:00.000Z,key_1,,team_1,\"'=cmd,\"\"x\"\"\",\
         us.anthropic.claude-opus-5-5,us,end_1,rep_1,,true,completed,200,,1,3,4,5,6,7,false,123456,price_1,\
         false,,900,invoke-model,2\r\n"
    );
}

#[test]
fn a_usage_group_is_flat_with_integer_money() {
    let group = UsageGroup {
        id: Some("team_1".into()),
        name: Some("Platform".into()),
        totals: UsageTotals {
            requests: 2,
            cost_nano_usd: NanoUsd(1_500_000_001),
            ..UsageTotals::default()
        },
    };
    let json = serde_json::to_value(&group).unwrap();
    assert_eq!(json["cost_nano_usd"], json!(1_500_000_001));
    assert_eq!(json["requests"], 2);
    assert_eq!(serde_json::from_value::<UsageGroup>(json).unwrap(), group);
}

#[test]
fn a_range_ends_now_and_takes_in_thirty_days_unless_told() {
    let day = 86_400_000;
    let now = 100 * day + 5;
    let range = TimeRange::resolve(None, None, None, now).unwrap();
    assert_eq!((range.from_ms, range.to_ms), (71 * day, now + 1));
    let today = TimeRange::resolve(None, None, Some(1), now).unwrap();
    assert_eq!((today.from_ms, today.to_ms), (100 * day, now + 1));
    assert_eq!(TimeRange::resolve(None, None, Some(0), now), None);
    let range = TimeRange::resolve(None, Some(Timestamp::from_ms(50 * day)), Some(7), now).unwrap();
    assert_eq!((range.from_ms, range.to_ms), (43 * day, 50 * day));
    assert_eq!(
        TimeRange::resolve(Some(Timestamp::from_ms(now + 9)), None, None, now),
        None
    );
}

#[test]
fn paths_are_filled_in() {
    let team = TeamId::parse("team_1").unwrap();
    let user = UserId::parse("user_2").unwrap();
    assert_eq!(
        paths::team_member(&team, &user),
        "/admin/teams/team_1/members/user_2"
    );
    assert_eq!(
        paths::key_revoke(&KeyId::parse("key_3").unwrap()),
        "/admin/keys/key_3/revoke"
    );
}

#[test]
fn availability_is_flat_has_words_and_may_be_missing() {
    let known = Availability::Hindered {
        by: vec![Obstacle::NotInRegion],
        agreement_error: None,
    };
    let view = AvailabilityView {
        text: known.to_string(),
        known,
    };
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(
        json,
        json!({"state": "hindered", "by": ["not_in_region"],
            "text": "not in this region: only an inference profile can reach it, if one is listed"})
    );
    assert_eq!(serde_json::from_value::<AvailabilityView>(json).unwrap(), view);
    // A gateway of an earlier version says nothing about it.
    let model = json!({"model": null, "bedrock_id": "anthropic.claude-x", "invoked": null, "profiles": [],
        "on_demand": false, "legacy": false});
    assert_eq!(
        serde_json::from_value::<OfferedModel>(model)
            .unwrap()
            .availability,
        None
    );
}
