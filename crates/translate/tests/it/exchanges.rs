//! Whole exchanges: a request, what Bedrock answers to it (once or several times), what it is asked each time, and what the
//! client sees. `tests/vectors/exchanges.json` holds them.

use crate::frames::{chunk, encode};
use crate::profile;
use crate::vectors::claims;
use ccag_domain::{Problem, Tokens};
use ccag_translate::error::{Failure, Retry, UpstreamError, classify};
use ccag_translate::eventstream::{FrameReader, Message, Scratch};
use ccag_translate::noticed::DroppedKind;
use ccag_translate::profile::{AnswerRules, Profile};
use ccag_translate::request::{Headers, Operation, peek, prepare};
use ccag_translate::response::{HeaderCounts, translate};
use ccag_translate::stream::{EndReason, Fed, Observed, Phase, StreamOptions, StreamTranslator};
use serde_json::{Value, json};

/// What the client gets.
enum Seen {
    Stream {
        text: String,
        observed: Observed,
        tokens: Tokens,
    },
    Whole {
        body: Value,
        tokens: Tokens,
    },
    Refused(Problem),
}

/// What came of one reply.
enum Came {
    Seen(Seen),
    Failed(UpstreamError),
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The bytes of a stream as Bedrock would send them; the last one may be damaged.
fn bytes(events: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        if event["damaged"] == true {
            let mut frame = chunk(r#"{"type":"ping"}"#);
            let last = frame.len() - 1;
            frame[last] ^= 1;
            bytes.extend(frame);
        } else if event["half"] == true {
            let frame = chunk(r#"{"type":"ping"}"#);
            bytes.extend_from_slice(&frame[..frame.len() / 2]);
        } else if let Some(kind) = event["exception"].as_str() {
            let mut payload = json!({"message": event["message"]});
            if let Some(original) = event.get("original") {
                payload["originalStatusCode"] = original.clone();
            }
            let payload = payload.to_string();
            let headers = [(":message-type", "exception"), (":exception-type", kind)];
            bytes.extend(encode(&headers, payload.as_bytes()));
        } else if let Some(code) = event["error"].as_str() {
            let headers = [
                (":message-type", "error"),
                (":error-code", code),
                (":error-message", text(event, "message")),
            ];
            bytes.extend(encode(&headers, b""));
        } else if let Some(kind) = event["frame"].as_str() {
            bytes.extend(encode(
                &[(":message-type", "event"), (":event-type", kind)],
                b"{}",
            ));
        } else {
            bytes.extend(chunk(&event.to_string()));
        }
    }
    bytes
}

/// Reads a stream to its end.
fn stream(reply: &Value, model: &str) -> Came {
    stream_in_pieces(reply, model, usize::MAX)
}

/// Reads a stream to its end, in pieces of so many bytes.
fn stream_in_pieces(reply: &Value, model: &str, piece: usize) -> Came {
    let mut translator = StreamTranslator::new(StreamOptions {
        model: model.to_owned(),
        ..StreamOptions::default()
    });
    let (mut reader, mut scratch, mut out) = (FrameReader::new(), Scratch::default(), Vec::new());
    let bytes = bytes(reply["events"].as_array().unwrap());
    let mut rest = bytes.as_slice();
    let failure = |kind: &str, message: &str, original_status| {
        let failure = Failure {
            kind,
            message,
            original_status,
            model,
            ..Failure::default()
        };
        EndReason::Error(Box::new(classify(&failure)))
    };
    let reason = loop {
        let Ok(next) = reader.next() else {
            break EndReason::Cut;
        };
        let Some(frame) = next else {
            if rest.is_empty() {
                break if reader.is_mid_frame() {
                    EndReason::Cut
                } else {
                    EndReason::Clean
                };
            }
            let (now, later) = rest.split_at(piece.min(rest.len()));
            reader.push(now);
            rest = later;
            continue;
        };
        match frame.message(&mut scratch) {
            Ok(Message::Chunk(json)) => match translator.feed(json, &mut out) {
                Ok(Fed::Passed) => {}
                Ok(Fed::Error(error)) => break EndReason::Error(error),
                Err(_) => break EndReason::Cut,
            },
            Ok(Message::Exception {
                kind,
                message,
                original_status,
            }) => break failure(&kind, &message, original_status),
            Ok(Message::Error { code, message }) => break failure(&code, &message, None),
            Ok(Message::Unknown { .. }) => {}
            Err(_) => break EndReason::Cut,
        }
    };
    if let (Phase::BeforeContent, EndReason::Error(error)) = (translator.phase(), &reason) {
        return Came::Failed(UpstreamError::clone(error));
    }
    translator.finish(&reason, &mut out);
    Came::Seen(Seen::Stream {
        text: String::from_utf8(out).unwrap(),
        observed: translator.observed().clone(),
        tokens: translator.tokens().0,
    })
}

fn answer(reply: &Value, model: &str) -> Came {
    if reply["events"].is_array() {
        return stream(reply, model);
    }
    if reply["status"].is_u64() {
        return Came::Failed(classify(&Failure {
            status: u16::try_from(reply["status"].as_u64().unwrap()).unwrap(),
            kind: text(reply, "kind"),
            message: text(reply, "message"),
            model,
            ..Failure::default()
        }));
    }
    let count = |name: &str| reply["counts"][name].as_u64();
    let counts = HeaderCounts {
        input: count("input"),
        output: count("output"),
        cache_read: count("cache_read"),
        cache_write: count("cache_write"),
    };
    match translate(
        reply["body"].to_string().as_bytes(),
        model,
        counts,
        false,
        &AnswerRules::default(),
    ) {
        Ok(done) => Came::Seen(Seen::Whole {
            body: serde_json::from_slice(&done.body).unwrap(),
            tokens: done.tokens,
        }),
        Err(problem) => Came::Seen(Seen::Refused(problem)),
    }
}

/// Asks Bedrock as often as it takes: again with less, or elsewhere, as long as there are replies. Returns what it was asked.
fn run(vector: &Value) -> (Vec<String>, Seen) {
    let mut body = json!({"model": "claude-opus-5-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "hi"}], "stream": true});
    for (key, value) in vector["ask"].as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let body = body.to_string();
    let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
    let mut profile: Profile = profile(peeked.model());
    let mut asked = Vec::new();
    let mut last = None;
    for reply in vector["replies"].as_array().unwrap() {
        let prepared = prepare(&peeked, Headers::default(), &profile).unwrap();
        let unheard_of = prepared
            .passed
            .into_iter()
            .find(|p| p.kind == DroppedKind::ToolType);
        asked.push(String::from_utf8(prepared.body.to_vec()).unwrap());
        let error = match answer(reply, peeked.model()) {
            Came::Seen(seen) => return (asked, seen),
            Came::Failed(error) => match unheard_of {
                Some(tool) => error.with_unheard_of_tool(&tool.name),
                None => error,
            },
        };
        let reduced = match &error.retry {
            Retry::Reduced(by) => profile.reduced(by),
            // Another history is only sent where the gateway itself has changed it.
            Retry::Never | Retry::OtherHistory => None,
            _ => Some(profile.clone()),
        };
        last = Some(error.problem);
        match reduced {
            Some(reduced) => profile = reduced,
            None => break,
        }
    }
    (asked, Seen::Refused(last.unwrap()))
}

fn refused(problem: &Problem, client: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, now: Value, then: &Value| {
        if !then.is_null() && now != *then {
            faults.push(format!("{what} is {now}, not {then}"));
        }
    };
    expect("the status", problem.code.status().into(), &client["status"]);
    expect("the type", problem.code.anthropic_type().into(), &client["type"]);
    expect(
        "x-should-retry",
        json!(problem.should_retry),
        &client["should_retry"],
    );
    let waits = problem.retry_after_s.is_some_and(|s| (1..=60).contains(&s));
    expect(
        "retry-after within 1 and 60",
        waits.into(),
        &client["retry_after"],
    );
    if !problem.message.contains(text(client, "says")) {
        faults.push(format!("it says {:?}", problem.message));
    }
    if client["status"].is_null() {
        faults.push(format!("refused: {problem}"));
    }
    faults
}

fn tokens_of(tokens: Tokens) -> Value {
    json!([
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_write_5m + tokens.cache_write_1h
    ])
}

fn faults(vector: &Value) -> Vec<String> {
    let (asked, seen) = run(vector);
    let client = &vector["client"];
    let mut faults = Vec::new();
    if vector["calls"]
        .as_u64()
        .is_some_and(|calls| calls != asked.len() as u64)
    {
        faults.push(format!("{} calls", asked.len()));
    }
    for (claimed, body) in vector["sent"].as_array().into_iter().flatten().zip(&asked) {
        faults.extend(claims(claimed, body));
    }
    let mut count = |tokens: Tokens| {
        if !client["tokens"].is_null() && client["tokens"] != tokens_of(tokens) {
            faults.push(format!("{tokens:?} counted"));
        }
    };
    match seen {
        Seen::Refused(problem) => faults.extend(refused(&problem, client)),
        Seen::Whole { body, tokens } => {
            count(tokens);
            if body != client["body"] {
                faults.push(format!("the client gets {body}"));
            }
        }
        Seen::Stream {
            text,
            observed,
            tokens,
        } => {
            count(tokens);
            let events: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("event: "))
                .collect();
            if json!(events) != client["events"] {
                faults.push(format!("the client gets {events:?}"));
            }
            let list = |key: &str| {
                client[key]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
            };
            faults.extend(
                list("has")
                    .filter(|part| !text.contains(part))
                    .map(|part| format!("no {part} in {text}")),
            );
            faults.extend(
                list("lacks")
                    .filter(|part| text.contains(part))
                    .map(|part| format!("{part} in {text}")),
            );
            let passed: Vec<String> = observed
                .noticed
                .passed
                .iter()
                .map(|one| format!("{} {}", one.kind.as_str(), one.name))
                .collect();
            if json!(passed) != *client.get("unknown").unwrap_or(&json!([])) {
                faults.push(format!("unheard of: {passed:?}"));
            }
            if observed.guardrail_intervened != (client["guardrail"] == true) {
                faults.push("the guardrail's step was not seen rightly".to_owned());
            }
        }
    }
    faults
}

#[test]
fn every_exchange_ends_as_the_catalogue_says() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../vectors/exchanges.json")).unwrap();
    assert!(vectors.len() >= 40);
    let wrong: Vec<String> = vectors
        .iter()
        .map(|vector| (text(vector, "id"), faults(vector)))
        .filter(|(_, faults)| !faults.is_empty())
        .map(|(id, faults)| format!("{id}: {}", faults.join("; ")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn however_an_exchange_is_cut_into_pieces_the_client_sees_the_same() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../vectors/exchanges.json")).unwrap();
    let replies = vectors
        .iter()
        .flat_map(|vector| vector["replies"].as_array().unwrap());
    let mut streams = 0;
    for reply in replies.filter(|reply| reply["events"].is_array()) {
        streams += 1;
        let seen = |piece: usize| match stream_in_pieces(reply, "claude-opus-5-5", piece) {
            Came::Failed(error) => format!("{error:?}"),
            Came::Seen(Seen::Stream {
                text,
                observed,
                tokens,
            }) => format!("{text} {observed:?} {tokens:?}"),
            Came::Seen(_) => panic!("{reply} is no stream"),
        };
        let whole = seen(usize::MAX);
        for piece in [1, 2, 3, 5, 7, 11, 13, 64, 251] {
            assert_eq!(seen(piece), whole, "pieces of {piece} bytes of {reply}");
        }
    }
    assert!(streams > 25, "{streams} streams");
}

/// The table of errors: `tests/vectors/errors.json`, one row for everything that Bedrock is known to say.
mod table {
    use super::*;
    use ccag_translate::error::Health;
    use ccag_translate::profile::Reduction;

    fn then(retry: &Retry) -> String {
        match retry {
            Retry::NextEndpoint => "next_endpoint".to_owned(),
            Retry::OtherOnce => "other_once".to_owned(),
            Retry::NotReady => "not_ready".to_owned(),
            Retry::SameOnce => "same_once".to_owned(),
            Retry::RefreshCredentials => "refresh_credentials".to_owned(),
            Retry::OtherHistory => "other_history".to_owned(),
            Retry::Never => "never".to_owned(),
            Retry::Reduced(Reduction::MinimalBetas) => "reduced minimal_betas".to_owned(),
            Retry::Reduced(Reduction::Beta(name)) => format!("reduced beta {name}"),
            Retry::Reduced(Reduction::Path(path)) => format!("reduced path {path}"),
            Retry::Reduced(Reduction::MaxTokens(limit)) => format!("reduced max_tokens {limit}"),
            Retry::Reduced(other) => format!("reduced {other:?}"),
        }
    }

    fn health(health: Health) -> &'static str {
        match health {
            Health::Fine => "fine",
            Health::Throttled => "throttled",
            Health::DailyQuota => "daily_quota",
            Health::Unreachable => "unreachable",
            Health::Unavailable => "unavailable",
            Health::Credentials => "credentials",
            Health::ModelMissing => "model_missing",
            Health::CountingUnsupported => "counting_unsupported",
        }
    }

    /// What the client is told, as the rows write it.
    fn told(problem: &Problem) -> Value {
        let mut told = json!({"status": problem.code.status(), "type": problem.code.anthropic_type(), "says": problem.message});
        if let Some(seconds) = problem.retry_after_s {
            told["retry_after"] = seconds.into();
        }
        if let Some(retry) = problem.should_retry {
            told["should_retry"] = retry.into();
        }
        told
    }

    /// The first letter of an exception's name is small inside a stream.
    fn exception(row: &Value) -> Value {
        let kind = text(row, "kind");
        let kind = format!("{}{}", kind[..1].to_lowercase(), &kind[1..]);
        json!({"exception": kind, "message": row["message"]})
    }

    fn rows() -> Vec<Value> {
        serde_json::from_str(include_str!("../vectors/errors.json")).unwrap()
    }

    fn failure(row: &Value) -> UpstreamError {
        classify(&Failure {
            status: u16::try_from(row["status"].as_u64().unwrap()).unwrap(),
            kind: text(row, "kind"),
            message: text(row, "message"),
            original_status: row["original_status"].as_u64().map(|s| u16::try_from(s).unwrap()),
            model: "claude-opus-5-5",
            throttles_in_a_row: u32::try_from(row["throttles"].as_u64().unwrap_or(0)).unwrap(),
        })
    }

    #[test]
    fn every_error_of_bedrocks_is_told_tried_again_and_remembered_as_written() {
        let mut wrong = Vec::new();
        for row in rows() {
            let error = failure(&row);
            let now = json!({"answer": told(&error.problem), "then": then(&error.retry), "health": health(error.health)});
            let written = json!({"answer": row["answer"], "then": row["then"], "health": row["health"]});
            if now != written {
                wrong.push(format!(
                    "{} {}: {now}\n  not {written}",
                    row["kind"], row["message"]
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn nothing_that_claude_code_misreads_is_answered() {
        for row in rows() {
            let problem = failure(&row).problem;
            let (status, message) = (problem.code.status(), &problem.message);
            assert!(!matches!(status, 401 | 403 | 408 | 422 | 424), "{row}");
            assert!(
                problem.retry_after_s.is_none_or(|s| (1..=60).contains(&s)),
                "{row}"
            );
            assert!(
                !message.contains("111122223333") && !message.contains("arn:"),
                "{row}"
            );
            // Whoever is to come back is told when, and whoever is not is told so.
            if matches!(status, 429 | 529) {
                assert!(
                    problem.retry_after_s.is_some() || problem.should_retry == Some(false),
                    "{row}"
                );
            }
        }
    }

    #[test]
    fn an_exception_in_the_first_place_is_the_same_refusal_and_one_after_content_an_event() {
        let start = json!({"type": "message_start", "message": {"id": "m", "model": "x", "usage": {"input_tokens": 3}}});
        let delta =
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}});
        let mut seen = 0;
        for row in rows().iter().filter(|row| row["within_a_stream"].is_string()) {
            seen += 1;
            let mut exception = exception(row);
            if let Some(original) = row.get("original_status") {
                exception["original"] = original.clone();
            }
            for first in [json!([exception]), json!([start, exception])] {
                let Came::Failed(error) = stream(&json!({"events": first}), "claude-opus-5-5") else {
                    panic!("{row} is no failure");
                };
                assert_eq!(told(&error.problem), row["answer"], "{row}");
            }
            let Came::Seen(Seen::Stream { text, .. }) =
                stream(&json!({"events": [start, delta, exception]}), "claude-opus-5-5")
            else {
                panic!("{row} is no stream");
            };
            let (_, last) = text.trim_end().rsplit_once("event: error\ndata: ").unwrap();
            let last: Value = serde_json::from_str(last).unwrap();
            assert_eq!(last["error"]["type"], row["within_a_stream"], "{row}");
            assert!(!text.contains("message_stop"));
        }
        assert!(seen >= 9, "{seen} rows within a stream");
    }
}
