//! Which tools are called is recorded with the answer that calls them, and nothing of what they are called with.

use crate::control::KEY;
use crate::fake::{BLOCK, BLOCK_STOP, DELTA, START, STOP, Script, chunk, text, whole_message};
use crate::world::{Rig, usual_world};
use ccag_proto::v1;
use serde_json::{Value, json};

fn call(index: u32, id: &str, name: &str) -> String {
    json!({
        "type": "content_block_start", "index": index,
        "content_block": {"type": "tool_use", "id": id, "name": name, "input": {"secret": "prompt text"}},
    })
    .to_string()
}

fn stop(index: u32) -> String {
    json!({"type": "content_block_stop", "index": index}).to_string()
}

/// A turn of a conversation that has called tools before, one of which has failed.
fn turn(stream: bool, more: &Value) -> String {
    let mut body = json!({
        "model": "claude-haiku-4-5", "max_tokens": 64, "stream": stream,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}},
                {"type": "tool_use", "id": "toolu_2", "name": "mcp__github__get_issue", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "prompt text"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "prompt text"},
            ]},
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn counted(record: &v1::UsageRecord) -> Vec<(&str, u32, u32)> {
    let tools = record.tools.iter();
    tools
        .map(|tool| (tool.name.as_str(), tool.calls, tool.failed))
        .collect()
}

async fn send(rig: &Rig, body: String) -> u16 {
    let request = rig
        .request("POST", "/v1/messages", KEY)
        .header("x-claude-code-session-id", "5e55-1017")
        .body(body.into_bytes().into())
        .unwrap();
    rig.send(request).await.status
}

#[tokio::test]
async fn the_tools_of_an_answer_are_counted_and_those_of_its_history_are_not() {
    let (control, rig) = usual_world().await;
    let events = [
        START.to_owned(),
        BLOCK.to_owned(),
        text("Let me see"),
        BLOCK_STOP.to_owned(),
        call(1, "toolu_3", "Bash"),
        stop(1),
        call(2, "toolu_4", "Bash"),
        stop(2),
        call(3, "toolu_5", "mcp__github__create_issue"),
        stop(3),
        DELTA.to_owned(),
        STOP.to_owned(),
    ];
    rig.bedrock.events(events.iter().map(String::as_str));
    assert_eq!(send(&rig, turn(true, &json!({}))).await, 200);
    let mut whole: Value = serde_json::from_str(&whole_message()).unwrap();
    whole["content"] = json!([
        {"type": "tool_use", "id": "toolu_6", "name": "Read", "input": {"path": "prompt text"}},
        {"type": "tool_use", "id": "toolu_7", "name": "not a name", "input": {}},
    ]);
    rig.bedrock.push(Script::Whole(whole.to_string()));
    assert_eq!(send(&rig, turn(false, &json!({}))).await, 200);

    let records = control.plane.stored(2).await;
    assert_eq!(
        counted(&records[0]),
        [("Bash", 2, 1), ("mcp__github__create_issue", 1, 0)]
    );
    assert_eq!(
        counted(&records[1]),
        [("Read", 1, 0), ("(other)", 1, 0), ("Bash", 0, 1)]
    );
    for record in &records {
        assert!(!format!("{record:?}").contains("prompt text"));
    }
}

#[tokio::test]
async fn what_broke_off_has_the_calls_that_passed_and_no_failures() {
    let (control, rig) = usual_world().await;
    let bedrock = rig.bedrock.stream();
    for event in [START.to_owned(), call(0, "toolu_3", "Bash")] {
        bedrock.send(Ok(chunk(&event))).unwrap();
    }
    let mut stream = rig.open(turn(true, &json!({}))).await;
    stream.until("toolu_3").await;
    drop(stream);
    let record = control.plane.stored(1).await.remove(0);
    assert_eq!(record.outcome(), v1::Outcome::Abandoned);
    assert_eq!(counted(&record), [("Bash", 1, 0)]);
}

#[tokio::test]
async fn a_prompt_is_known_by_what_comes_before_its_last_message() {
    let (control, rig) = usual_world().await;
    let marked = json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    let longer = json!([
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"},
    ]);
    let bodies = [
        turn(false, &json!({})),
        // The conversation as it began, with marks that have moved since.
        turn(false, &json!({"messages": [{"role": "user", "content": marked}]})),
        turn(false, &json!({"messages": longer})),
        turn(
            false,
            &json!({"tools": [{"name": "Read", "input_schema": {"type": "object"}}]}),
        ),
        turn(false, &json!({"system": "be long"})),
        turn(false, &json!({"messages": [{"role": "user", "content": "else"}]})),
    ];
    let count = bodies.len();
    for body in bodies {
        rig.bedrock.push(Script::Whole(whole_message()));
        assert_eq!(send(&rig, body).await, 200);
    }
    let records = control.plane.stored(count).await;
    let facts: Vec<v1::Prompt> = records.iter().map(|record| record.prompt.unwrap()).collect();
    let first = facts[0];
    assert!(first.has_history && !facts[1].has_history && facts[2].has_history);
    assert_eq!(first.caching(), v1::Caching::Minutes);
    assert_eq!(facts[1].caching(), v1::Caching::Hour);
    assert_eq!(facts[4].caching(), v1::Caching::NotAsked);
    for same in &facts[1..3] {
        assert_eq!(
            (same.conversation, same.tools, same.system),
            (first.conversation, first.tools, first.system)
        );
    }
    assert!(facts[3].conversation == first.conversation && facts[3].tools != first.tools);
    assert!(facts[4].conversation == first.conversation && facts[4].system != first.system);
    assert_ne!(facts[5].conversation, first.conversation);
}
