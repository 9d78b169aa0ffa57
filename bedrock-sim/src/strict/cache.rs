//! Cache marks: four at most, nothing but `type` and `ttl`, and no hour after five minutes.

use super::{blocks, extra, messages_of};
use crate::models::Model;
use serde_json::Value;

pub(super) fn check(body: &Value, model: &Model) -> Result<(), String> {
    let automatic = &body["cache_control"];
    if !automatic.is_null() {
        if !model.auto_cache {
            return Err(extra("cache_control"));
        }
        fields("cache_control", automatic, model)?;
    }
    let marks = marks(body);
    let mut short_seen = false;
    for (place, mark) in &marks {
        fields(place, mark, model)?;
        if mark["ttl"] != "1h" {
            short_seen = true;
        } else if short_seen {
            return Err(format!(
                "{place}: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that \
                 blocks are processed in the following order: `tools`, `system`, `messages`."
            ));
        }
    }
    if marks.len() > 4 {
        return Err(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {}.",
            marks.len()
        ));
    }
    Ok(())
}

/// All marks with their places, in the order in which the prompt is put together.
fn marks(body: &Value) -> Vec<(String, &Value)> {
    let list = |key: &str| body[key].as_array().into_iter().flatten().enumerate();
    let mut marks: Vec<(String, &Value)> = Vec::new();
    for (i, tool) in list("tools") {
        marks.push((format!("tools.{i}.cache_control"), &tool["cache_control"]));
    }
    for (i, block) in list("system") {
        marks.push((format!("system.{i}.cache_control"), &block["cache_control"]));
    }
    for (i, message) in messages_of(body).enumerate() {
        for (j, block) in blocks(message).enumerate() {
            let kind = block["type"].as_str().unwrap_or_default();
            let place = format!("messages.{i}.content.{j}.{kind}");
            for (k, inner) in blocks(block).enumerate() {
                marks.push((
                    format!("{place}.content.{k}.cache_control"),
                    &inner["cache_control"],
                ));
            }
            marks.push((format!("{place}.cache_control"), &block["cache_control"]));
        }
    }
    marks.retain(|(_, mark)| !mark.is_null());
    marks
}

fn fields(place: &str, mark: &Value, model: &Model) -> Result<(), String> {
    for key in mark.as_object().into_iter().flat_map(|map| map.keys()) {
        if !["type", "ttl"].contains(&key.as_str()) {
            return Err(extra(&format!("{place}.ephemeral.{key}")));
        }
    }
    match mark.get("ttl").map(|ttl| ttl.as_str()) {
        None | Some(Some("5m")) => Ok(()),
        Some(Some("1h")) if model.hour_cache => Ok(()),
        Some(Some("1h")) => Err(extra(&format!("{place}.ephemeral.ttl"))),
        Some(other) => Err(format!(
            "{place}.ephemeral.ttl: Input should be '5m' or '1h', not '{}'",
            other.unwrap_or_default()
        )),
    }
}
