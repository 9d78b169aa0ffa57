//! Messages that hold searches of earlier turns → the turns that the model had.
//!
//! A message of the assistant is cut where results stand: what comes before is a turn of the model's that ends with calls
//! of the tool, the results are a turn of the user's, what follows is the model's next turn. Results at the end of a message
//! go to the beginning of the user's next message, where the results of the client's own tools stand, if there are any.

use super::{client_id, outcome, upstream_id};
use crate::json::{Kind, Value, quoted};
use crate::noticed::DroppedKind;
use crate::profile::Action;
use crate::request::{Place, Plan};
use ccag_domain::Problem;

const RESULT: &str = "web_search_tool_result";

fn is_kind(block: Value<'_>, kind: &str) -> bool {
    block.get("type").is_some_and(|t| t.is_text(kind))
}

/// A call of the web search tool; other server tools have names of their own.
fn is_call(block: Value<'_>) -> bool {
    is_kind(block, "server_tool_use") && block.get("name").is_some_and(|n| n.is_text("web_search"))
}

/// Whether a message holds searches.
pub(crate) fn has_searches(message: Value<'_>) -> bool {
    let content = message.get("content");
    content
        .into_iter()
        .flat_map(Value::elements)
        .any(|block| is_call(block) || is_kind(block, RESULT))
}

/// One turn of the several that a message becomes.
enum Turn {
    Assistant(Vec<String>),
    User(Vec<String>),
}

/// The turns so far.
#[derive(Default)]
struct Turns {
    done: Vec<Turn>,
    /// The model's ids of calls in the present turn of the assistant that have no result yet.
    open: Vec<String>,
}

impl Turns {
    fn assistant(&mut self, block: String) {
        if let Some(Turn::Assistant(blocks)) = self.done.last_mut() {
            blocks.push(block);
            return;
        }
        self.close();
        self.done.push(Turn::Assistant(vec![block]));
    }

    fn user(&mut self, block: String) {
        match self.done.last_mut() {
            Some(Turn::User(blocks)) => blocks.push(block),
            _ => self.done.push(Turn::User(vec![block])),
        }
    }

    /// Every call must have a result in the turn that follows.
    fn close(&mut self) {
        for id in std::mem::take(&mut self.open) {
            self.user(outcome::interrupted(&client_id(&id)));
        }
    }
}

impl Plan<'_> {
    /// Rewrites the message at `i`, which [holds searches](has_searches).
    pub(crate) fn searched_message(
        &mut self,
        text: &str,
        messages: Value<'_>,
        i: usize,
        message: Value<'_>,
    ) -> Result<(), Problem> {
        let mut turns = Turns::default();
        for block in message.get("content").into_iter().flat_map(Value::elements) {
            self.searched_block(text, i, block, &mut turns)?;
        }
        turns.close();
        let extra = self.other_members(i, message)?;
        let pending = match turns.done.last() {
            Some(Turn::User(_)) => self.hand_over(messages, i, &mut turns),
            _ => None,
        };
        let mut written = Vec::with_capacity(turns.done.len());
        for turn in turns.done {
            written.push(match turn {
                Turn::Assistant(blocks) => format!(
                    "{{\"role\":\"assistant\",\"content\":[{}]{extra}}}",
                    blocks.join(",")
                ),
                Turn::User(blocks) => user_turn(&blocks),
            });
        }
        self.edits.replace(message, written.join(","));
        if let Some((next, results)) = pending {
            self.put_first(next, &results);
        }
        Ok(())
    }

    fn searched_block(
        &mut self,
        text: &str,
        i: usize,
        block: Value<'_>,
        turns: &mut Turns,
    ) -> Result<(), Problem> {
        let id = |name: &str| {
            block
                .get(name)
                .and_then(|v| v.text())
                .unwrap_or_default()
                .into_owned()
        };
        if is_call(block) {
            let id = upstream_id(&id("id")).to_owned();
            let input = block
                .get("input")
                .map_or_else(|| "{}".to_owned(), |v| compact(v.raw()));
            let marker = self.marker(text, block)?;
            turns.assistant(format!(
                "{{\"type\":\"tool_use\",\"id\":{},\"name\":{},\"input\":{input}{marker}}}",
                quoted(&id),
                quoted(&self.search.upstream_name)
            ));
            turns.open.push(id);
        } else if is_kind(block, RESULT) {
            let id = upstream_id(&id("tool_use_id")).to_owned();
            if let Some(at) = turns.open.iter().position(|open| *open == id) {
                turns.open.remove(at);
                let marker = self.marker(text, block)?;
                let result = outcome::tool_result(block, self.search.key.as_ref(), &marker);
                turns.user(self.guarded_result(result));
            } else {
                turns.assistant(outcome::as_text(block));
            }
        } else {
            let mut gone = false;
            let kept = self.edited(text, block, |plan| {
                gone = plan.block(i, block, Place::Assistant)?;
                Ok(())
            })?;
            if !gone {
                turns.assistant(kept);
            }
        }
        Ok(())
    }

    /// The block's `cache_control` as the model's API takes it, beginning with a comma.
    fn marker(&mut self, text: &str, block: Value<'_>) -> Result<String, Problem> {
        let Some(marker) = block.get("cache_control").filter(|m| m.is_object()) else {
            return Ok(String::new());
        };
        let kept = self.edited(text, marker, |plan| plan.cache_control(marker))?;
        Ok(format!(",\"cache_control\":{kept}"))
    }

    /// What the message has besides role and content, as far as it is kept; each member begins with a comma.
    fn other_members(&mut self, i: usize, message: Value<'_>) -> Result<String, Problem> {
        let mut extra = String::new();
        for (key, value) in message.members() {
            let name = key.text().unwrap_or_default();
            if name == "role" || name == "content" {
                continue;
            }
            let row = self.profile.message_fields.find(&name);
            match row.map(|row| (row.action, row)) {
                Some((Action::Refuse, row)) => return Err(row.problem(&format!("messages.{i}.{name}"))),
                Some((Action::Drop, _)) | None => {
                    self.left_out(DroppedKind::Field, &format!("messages.{name}"), row.is_some());
                }
                Some(_) => extra.push_str(&format!(",{}:{}", key.raw(), value.raw())),
            }
        }
        Ok(extra)
    }

    /// Takes the results at the end away if the message after them (system messages aside) is the user's and can take them.
    fn hand_over<'d>(
        &self,
        messages: Value<'d>,
        i: usize,
        turns: &mut Turns,
    ) -> Option<(Value<'d>, Vec<String>)> {
        let next = messages
            .elements()
            .skip(i + 1)
            .find(|m| !m.get("role").is_some_and(|r| r.is_text("system")))
            .filter(|m| m.get("role").is_some_and(|r| r.is_text("user")))?;
        let content = next.get("content")?;
        if !matches!(content.kind(), Kind::String | Kind::Array) {
            return None;
        }
        match turns.done.pop() {
            Some(Turn::User(results)) => Some((content, results)),
            _ => None,
        }
    }

    /// Puts results before what a message says.
    fn put_first(&mut self, content: Value<'_>, results: &[String]) {
        let results = results.join(",");
        if content.kind() == Kind::String {
            let own = if content.raw_text() == Some("") {
                String::new()
            } else {
                // What replaces the text takes the place of its tags, too.
                let (open, close) = self.guard_tags().unwrap_or_default();
                let said = content.raw_text().unwrap_or_default();
                format!(",{{\"type\":\"text\",\"text\":\"{open}{said}{close}\"}}")
            };
            self.edits.replace(content, format!("[{results}{own}]"));
        } else {
            let comma = if content.is_empty() { "" } else { "," };
            self.edits
                .insert(content.start() + 1, format!("{results}{comma}"));
        }
    }
}

fn user_turn(blocks: &[String]) -> String {
    format!("{{\"role\":\"user\",\"content\":[{}]}}", blocks.join(","))
}

/// JSON without the space between its tokens: clients write a tool's input anew, each in its own way.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    for c in json.chars() {
        if inside {
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            inside = c == '"';
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn space_goes_from_between_tokens_alone() {
        assert_eq!(
            compact("{ \"a b\" : [ 1 ,\n \"x \\\" y\\\\\" ] }"),
            "{\"a b\":[1,\"x \\\" y\\\\\"]}"
        );
    }
}
