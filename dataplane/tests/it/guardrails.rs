//! Guardrails: Bedrock's own on `InvokeModel`, and calls of `ApplyGuardrail` around the other lanes.

use crate::control::{endpoint, team, usual};
use crate::lanes::{on, post_in, probed, throttled, with_lanes};
use crate::sim::{signed_sim, text_of, world};
use crate::world::Answer;
use bedrock_sim::Sim;
use ccag_domain::{ConfigObject, Guardrail, GuardrailTrace, Lane, Lanes};
use ccag_proto::v1::Outcome;
use serde_json::{Value, json};

pub fn rule(id: &str) -> Guardrail {
    Guardrail {
        id: id.into(),
        version: "1".into(),
        trace: GuardrailTrace::Disabled,
        tag_input: false,
    }
}

/// A guardrail that finds fault with `forbidden` in prompts and `unspeakable` in answers.
fn known(sim: &Sim, id: &str) {
    sim.guardrail(bedrock_sim::Guardrail {
        id: id.into(),
        version: "1".into(),
        input_words: vec!["forbidden".into()],
        output_words: vec!["unspeakable".into()],
        masked_words: vec!["Alice".into()],
        blocked_input: format!("{id} does not take this."),
        blocked_output: format!("{id} does not say this."),
    });
}

fn guarded(lanes: &[Lane], guardrail: Guardrail) -> Vec<ConfigObject> {
    let mut objects = usual();
    let mut changed = endpoint(1, true);
    changed.lanes = Lanes::new(lanes.iter().copied());
    changed.guardrail = Some(guardrail);
    objects.push(ConfigObject::Endpoint(changed));
    objects
}

fn say(text: &str, stream: bool) -> String {
    json!({"model": "claude-haiku-4-5", "max_tokens": 64, "stream": stream,
        "system": "a system prompt", "messages": [{"role": "user", "content": text}]})
    .to_string()
}

/// What an answer says, whole or streamed.
fn said(answer: &Answer, stream: bool) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("amazon-bedrock"), "{}", answer.text());
    if stream {
        return text_of(answer.text());
    }
    let json = answer.json();
    json["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_blocked_prompt_is_a_policys_refusal_and_a_blocked_answer_is_text() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let (control, rig) = world(&sim, guarded(&[], rule("gr1"))).await;
    for (n, stream) in [true, false].into_iter().enumerate() {
        let passed = rig.post(say("hello", stream)).await;
        assert!(said(&passed, stream).contains("hello"));
        let blocked = rig.post(say("a forbidden thing", stream)).await;
        assert_eq!(
            (blocked.status, blocked.error_type().as_str()),
            (400, "policy_blocked")
        );
        assert_eq!(blocked.json()["error"]["message"], "gr1 does not take this.");
        let unsaid = rig.post(say("say unspeakable", stream)).await;
        assert_eq!(said(&unsaid, stream), "gr1 does not say this.");
        let records = control.plane.stored(3 * (n + 1)).await;
        let failed: Vec<_> = records
            .iter()
            .filter(|r| r.outcome() == Outcome::Failed)
            .collect();
        assert_eq!(failed.len(), n + 1);
        assert_eq!(failed[0].error.as_deref(), Some("GuardrailIntervened"));
    }
    for request in sim.requests() {
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        assert_eq!(header("x-amzn-bedrock-guardrailidentifier"), Some("gr1"));
        assert_eq!(header("x-amzn-bedrock-guardrailversion"), Some("1"));
        assert_eq!(header("x-amzn-bedrock-trace"), Some("DISABLED"));
    }
    let metrics = rig.metrics();
    for stage in ["input", "output"] {
        let line = format!(
            "ccag_dataplane_guardrail_interventions_total{{stage=\"{stage}\",lane=\"invoke-model\"}} 2"
        );
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn a_stream_under_a_guardrail_begins_with_its_first_content() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let (_control, rig) = world(&sim, guarded(&[], rule("gr1"))).await;
    let mut stream = rig
        .open(say("hello [sim: text=400, events=20, gap=100]", true))
        .await;
    let begun = std::time::Instant::now();
    stream.until("content_block_delta").await;
    assert!(begun.elapsed().as_millis() < 1_000, "{:?}", begun.elapsed());
    assert!(!stream.read.contains("message_stop"));
}

#[tokio::test]
async fn a_trace_is_asked_for_where_it_is_wanted_and_never_shown() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let traced = Guardrail {
        trace: GuardrailTrace::Enabled,
        ..rule("gr1")
    };
    let (_control, rig) = world(&sim, guarded(&[], traced)).await;
    for stream in [true, false] {
        let unsaid = rig.post(say("say unspeakable", stream)).await;
        assert_eq!(said(&unsaid, stream), "gr1 does not say this.");
        assert!(!unsaid.text().contains("wordPolicy"));
    }
    let headers = &sim.requests()[0].headers;
    assert!(headers.contains(&("x-amzn-bedrock-trace".into(), "ENABLED".into())));
}

#[tokio::test]
async fn the_teams_guardrail_wins_over_the_endpoints() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    known(&sim, "gr2");
    let mut objects = guarded(&[], rule("gr1"));
    let mut stricter = team("team_1", &[]);
    stricter.guardrail = Some(rule("gr2"));
    objects.push(ConfigObject::Team(stricter));
    let (_control, rig) = world(&sim, objects).await;
    let blocked = rig.post(say("forbidden", false)).await;
    assert_eq!(blocked.json()["error"]["message"], "gr2 does not take this.");
}

#[tokio::test]
async fn a_guardrail_that_the_account_does_not_have_stops_everything() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, guarded(&[], rule("gr9"))).await;
    let refused = rig.post(say("hello", true)).await;
    assert_eq!(
        (refused.status, refused.error_type().as_str()),
        (400, "policy_blocked")
    );
    assert!(refused.text().contains("administrator"), "{}", refused.text());
}

#[tokio::test]
async fn tags_are_the_same_on_every_turn_of_a_conversation_and_only_there() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let tagging = Guardrail {
        tag_input: true,
        ..rule("gr1")
    };
    let (_control, rig) = world(&sim, guarded(&[], tagging)).await;
    let suffix = async |session: &str| {
        sim.clear();
        let answer = post_in(&rig, session, say("hello", false)).await;
        assert!(said(&answer, false).contains("hello"));
        let body: Value = serde_json::from_str(&sim.requests()[0].body).unwrap();
        let suffix = body["amazon-bedrock-guardrailConfig"]["tagSuffix"]
            .as_str()
            .unwrap()
            .to_owned();
        let content = body["messages"][0]["content"].as_str().unwrap();
        assert!(content.starts_with(&format!(
            "<amazon-bedrock-guardrails-guardContent_{suffix}>hello<"
        )));
        assert!(suffix.len() == 20 && !body["system"].to_string().contains(&suffix));
        suffix
    };
    let one = suffix("one").await;
    assert_eq!(suffix("one").await, one);
    assert_ne!(suffix("two").await, one);
    // The system prompt is not tagged, so it is not looked at.
    let body = say("hello", false).replace("a system prompt", "forbidden");
    assert_eq!(post_in(&rig, "one", body).await.status, 200);
    assert_eq!(post_in(&rig, "one", say("forbidden", false)).await.status, 400);
}

#[tokio::test]
async fn around_the_other_lanes_the_guardrail_is_applied_by_calls_of_our_own() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let (control, rig) = probed(&sim, guarded(&[Lane::Messages], rule("gr1"))).await;
    let paths = |sim: &Sim| -> Vec<String> { sim.requests().into_iter().map(|r| r.path).collect() };
    let apply = "/guardrail/gr1/version/1/apply";
    let lane = "/anthropic/v1/messages";

    let passed = post_in(&rig, "two", say("hello", false)).await;
    assert!(said(&passed, false).contains("hello"));
    assert_eq!(paths(&sim), [apply, lane, apply]);

    sim.clear();
    let unsaid = post_in(&rig, "two", say("say unspeakable", false)).await;
    assert_eq!(said(&unsaid, false), "gr1 does not say this.");
    assert_eq!(unsaid.json()["stop_reason"], "end_turn");
    assert_eq!(paths(&sim), [apply, lane, apply]);
    let before = control.plane.stored(4).await.len();

    sim.clear();
    let blocked = post_in(&rig, "two", say("a forbidden thing", false)).await;
    assert_eq!(
        (blocked.status, blocked.error_type().as_str()),
        (400, "policy_blocked")
    );
    assert_eq!(blocked.json()["error"]["message"], "gr1 does not take this.");
    assert_eq!(paths(&sim), [apply], "the model was not asked");

    sim.clear();
    let masked = post_in(&rig, "two", say("I am Alice", false)).await;
    assert_eq!(masked.status, 200);
    let asked = paths(&sim);
    assert!(
        asked.len() == 2 && asked[1].starts_with("/model/"),
        "a mask is left to InvokeModel: {asked:?}"
    );

    sim.clear();
    post_in(&rig, "two", say("hello", false)).await;
    assert_eq!(
        paths(&sim),
        [lane, apply],
        "what has passed once is not looked at again"
    );

    rig.delivered().await;
    let records = control.plane.stored(before + 2).await;
    assert_eq!(
        records.len(),
        before + 2,
        "a prompt that was blocked here never reached a model"
    );
}

#[tokio::test]
async fn a_stream_under_a_guardrail_goes_through_invoke_model_whatever_the_lanes() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let (_control, rig) = probed(&sim, guarded(&[Lane::Messages], rule("gr1"))).await;
    for session in ["two", "three"] {
        sim.clear();
        let unsaid = post_in(&rig, session, say("say unspeakable", true)).await;
        assert_eq!(said(&unsaid, true), "gr1 does not say this.");
        let received = sim.requests();
        assert_eq!(received.len(), 1);
        assert!(received[0].path.starts_with("/model/"));
    }
}

#[tokio::test]
async fn where_a_guardrail_cannot_be_applied_nothing_is_sent() {
    let sim = signed_sim().await;
    known(&sim, "gr1");
    let (_control, rig) = probed(&sim, guarded(&[Lane::Mantle], rule("gr1"))).await;
    sim.script(on("guardrail", throttled()));
    let refused = post_in(&rig, "two", say("hello", false)).await;
    assert_eq!(
        (refused.status, refused.error_type().as_str()),
        (529, "overloaded_error")
    );
    assert!(refused.text().contains("guardrail"));
    assert!(sim.account().is_empty(), "no model was asked");
}

#[tokio::test]
async fn an_endpoint_without_a_guardrail_sends_none() {
    let sim = signed_sim().await;
    let (_control, rig) = world(&sim, with_lanes(&[])).await;
    assert_eq!(rig.post(say("forbidden", true)).await.status, 200);
    let headers = &sim.requests()[0].headers;
    assert!(headers.iter().all(|(name, _)| !name.contains("guardrail")));
}
