//! Requests as Claude Code sent them: what reaches Bedrock, held against golden files.
//!
//! `UPDATE_GOLDEN=1 cargo test -p ccag-translate` writes the files anew; read the difference before committing it.

use crate::profile;
use ccag_domain::SealKey;
use ccag_translate::request::{Headers, Operation, peek, prepare_with};
use ccag_translate::search::Terms;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn keys(value: &Value) -> String {
    value
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}

/// What matters of a body, without the prose.
pub(crate) fn summary(body: &Value) -> String {
    let mut out = String::new();
    for (key, value) in body.as_object().unwrap() {
        match key.as_str() {
            "messages" => {
                for message in value.as_array().unwrap() {
                    let _ = writeln!(
                        out,
                        "message {}: {}",
                        message["role"].as_str().unwrap(),
                        keys(message)
                    );
                    for block in message["content"].as_array().into_iter().flatten() {
                        let _ = writeln!(
                            out,
                            "  {} {}",
                            block["type"],
                            block.get("cache_control").unwrap_or(&Value::Null)
                        );
                    }
                }
            }
            "system" => {
                for block in value.as_array().into_iter().flatten() {
                    let text: String = block["text"].as_str().unwrap().chars().take(40).collect();
                    let marker = block.get("cache_control").unwrap_or(&Value::Null);
                    let _ = writeln!(out, "system {text:?} {marker}");
                }
            }
            "tools" => {
                for tool in value.as_array().unwrap() {
                    let _ = writeln!(out, "tool {}: {}", tool["name"], keys(tool));
                }
            }
            _ => {
                let _ = writeln!(out, "{key}: {value}");
            }
        }
    }
    out
}

fn translated(file: &Path) -> String {
    let requests: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut out = String::new();
    for (i, request) in requests.iter().enumerate() {
        let body = request["body"].to_string();
        let counting = request["path"].as_str().unwrap().contains("count_tokens");
        let operation = if counting {
            Operation::CountTokens
        } else {
            Operation::Messages
        };
        let peeked = peek(body.as_bytes(), operation).unwrap();
        let betas: Vec<&str> = request["betas"].as_str().into_iter().collect();
        let headers = Headers {
            betas: &betas,
            version: request["version"].as_str(),
        };
        let _ = writeln!(out, "== {i} {} stream={}", peeked.model(), peeked.stream());
        let terms = Terms {
            enabled: true,
            key: Some(SealKey::new([7; 32])),
        };
        match prepare_with(&peeked, headers, &profile(peeked.model()), &terms) {
            Err(problem) => {
                let _ = writeln!(
                    out,
                    "refused: {} {}",
                    problem.code.anthropic_type(),
                    problem.message
                );
            }
            Ok(prepared) => {
                out.push_str(&summary(
                    &serde_json::from_slice(&prepared.body.to_vec()).unwrap(),
                ));
                for dropped in &prepared.dropped {
                    let _ = writeln!(
                        out,
                        "dropped {} {} known={}",
                        dropped.kind.as_str(),
                        dropped.name,
                        dropped.known
                    );
                }
            }
        }
    }
    out
}

#[test]
fn recorded_requests_become_what_the_golden_files_say() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder("fixtures")).unwrap() {
        let file = entry.unwrap().path();
        let golden = folder("golden").join(format!("{}.txt", file.file_stem().unwrap().to_str().unwrap()));
        let now = translated(&file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &now).unwrap();
        }
        let then = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(now == then, "{} differs; now:\n{now}", golden.display());
        seen += 1;
    }
    assert!(seen >= 15, "{seen} recordings");
}

/// The betas that Claude Code's own Bedrock client puts into the body, by model.
#[test]
fn betas_are_those_of_the_native_client() {
    let all = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,\
        per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,\
        advanced-tool-use-2025-11-20,effort-2025-11-24";
    const IT: &str = "interleaved-thinking-2025-05-14";
    const TST: &str = "tool-search-tool-2025-10-19";
    const TTC: &str = "thinking-token-count-2026-05-13";
    for (model, wanted) in [
        ("claude-haiku-4-5", vec![TST]),
        ("claude-sonnet-4-5", vec![IT, TST]),
        ("claude-opus-4-6", vec![IT, TST]),
        ("claude-sonnet-4-6", vec![IT, TST]),
        ("claude-opus-4-7", vec![IT, TTC, TST]),
        ("claude-opus-4-8", vec![IT, TTC, TST]),
        ("claude-opus-5-5", vec![IT, TTC, TST]),
        ("claude-sonnet-5-5", vec![IT, TTC, TST]),
        ("claude-haiku-5-5", vec![IT, TTC, TST]),
        ("claude-fable-5-2", vec![IT, TTC, TST]),
    ] {
        let body = format!(
            r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"x"}}],"stream":true,
            "context_management":{{"edits":[{{"type":"clear_thinking_20251015","keep":"all"}}]}}}}"#
        );
        assert_eq!(crate::translate(&body, &[all]).unwrap().betas, wanted, "{model}");
    }
}
