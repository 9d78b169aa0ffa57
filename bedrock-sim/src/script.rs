//! Scripts: rules that make the simulator answer otherwise than it would by itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One rule. The first rule that matches a request and is not used up applies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests it applies to; everything by default.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// How many matching requests pass before it applies.
    #[serde(default)]
    pub skip: u32,
    /// How often it applies; without it, for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// What it does.
    pub action: Action,
}

impl Rule {
    /// A rule that applies `action` to every invocation, for ever.
    #[must_use]
    pub fn always(action: Action) -> Self {
        Self {
            matches: Match::default(),
            skip: 0,
            times: None,
            action,
        }
    }

    /// A rule that applies `action` once.
    #[must_use]
    pub fn once(action: Action) -> Self {
        Self {
            times: Some(1),
            ..Self::always(action)
        }
    }
}

/// Which requests a rule applies to: all of the given parts have to be found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Part of the model id.
    #[serde(default)]
    pub model: Option<String>,
    /// Part of the body.
    #[serde(default)]
    pub text: Option<String>,
    /// `invoke`, `stream`, `messages`, `mantle`, `count`, `mantle-count`, `guardrail` or `availability`. Without it a rule
    /// applies to the first four.
    #[serde(default)]
    pub operation: Option<String>,
}

/// What a rule does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Answers with an HTTP error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The exception's name: `ThrottlingException`.
        error_type: String,
        /// Its message.
        message: String,
    },
    /// Answers with a `ModelErrorException` (424) that tells the model's own status.
    ModelError {
        /// Its message.
        message: String,
        /// `originalStatusCode`.
        original_status: u16,
    },
    /// Sends an `exception` message after some events; 0 makes it the first.
    Exception {
        /// Events before it.
        #[serde(default)]
        after: usize,
        /// The exception's name.
        error_type: String,
        /// Its message.
        message: String,
        /// `originalStatusCode` of a `ModelStreamErrorException`.
        #[serde(default)]
        original_status: Option<u16>,
    },
    /// Sends an `error` message after some events.
    ErrorMessage {
        /// Events before it.
        #[serde(default)]
        after: usize,
        /// The code.
        code: String,
        /// The message.
        message: String,
    },
    /// Breaks the connection after some events.
    Cut {
        /// Events before it.
        after: usize,
        /// Whether half of the next frame is sent first.
        #[serde(default)]
        half_frame: bool,
    },
    /// Spoils a frame's checksum.
    BadChecksum {
        /// Events before it.
        after: usize,
    },
    /// Ends the stream cleanly after some events.
    End {
        /// Events before it.
        after: usize,
    },
    /// Ends the stream cleanly where `message_stop` would come.
    NoMessageStop,
    /// Sends an event of an unknown type after some events.
    UnknownEvent {
        /// Events before it.
        after: usize,
    },
    /// Is silent.
    Silence {
        /// Events before it; without it the silence is before the response's headers.
        #[serde(default)]
        after: Option<usize>,
        /// How long, in milliseconds.
        ms: u64,
    },
    /// Sets the answer's size and pace.
    Pace(Pace),
    /// Does not know the operation, on `messages` and `mantle`.
    UnknownOperation {
        /// Whether the status says that all is well all the same.
        #[serde(default)]
        in_success: bool,
    },
    /// Sends exactly these events (a stream) or the first of them as the whole answer (otherwise).
    Events {
        /// Anthropic's events.
        events: Vec<Value>,
    },
    /// Says this of a model's availability.
    Availability(Availability),
}

/// What GetFoundationModelAvailability says of a model, in AWS's words; that all is well, by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Availability {
    /// `AVAILABLE`, `PENDING`, `NOT_AVAILABLE` or `ERROR`.
    pub agreement: String,
    /// What is wrong with the agreement.
    pub agreement_error: Option<String>,
    /// `AUTHORIZED` or `NOT_AUTHORIZED`.
    pub authorization: String,
    /// `AVAILABLE` or `NOT_AVAILABLE`.
    pub entitlement: String,
    /// `AVAILABLE` or `NOT_AVAILABLE`.
    pub region: String,
}

impl Default for Availability {
    fn default() -> Self {
        let available = || "AVAILABLE".to_owned();
        Self {
            agreement: available(),
            agreement_error: None,
            authorization: "AUTHORIZED".to_owned(),
            entitlement: available(),
            region: available(),
        }
    }
}

/// The size and pace of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Characters of text.
    #[serde(default)]
    pub text: Option<usize>,
    /// Into how many deltas the text is split.
    #[serde(default)]
    pub events: Option<usize>,
    /// Milliseconds between events.
    #[serde(default)]
    pub gap_ms: u64,
    /// Milliseconds before the response's headers.
    #[serde(default)]
    pub head_ms: u64,
    /// Milliseconds before the first event.
    #[serde(default)]
    pub first_ms: u64,
}

impl Pace {
    /// Reads a directive in a prompt: `[sim: text=4000, events=50, gap=20, first=100, head=10]`, all in characters and
    /// milliseconds.
    #[must_use]
    pub fn from_prompt(prompt: &str) -> Option<Self> {
        let (_, rest) = prompt.rsplit_once("[sim:")?;
        let (inside, _) = rest.split_once(']')?;
        let mut pace = Self::default();
        for part in inside.split(',') {
            let (name, value) = part.split_once('=')?;
            let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
            let number: u64 = digits.parse().ok()?;
            let size = usize::try_from(number).ok()?;
            match name.trim() {
                "text" => pace.text = Some(size),
                "events" => pace.events = Some(size),
                "gap" => pace.gap_ms = number,
                "first" => pace.first_ms = number,
                "head" => pace.head_ms = number,
                _ => return None,
            }
        }
        Some(pace)
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Vec<(Rule, u32, u32)>,
}

impl Script {
    pub(crate) fn add(&mut self, rule: Rule) {
        self.rules.push((rule, 0, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The action for a request, counting it against its rule.
    pub(crate) fn take(&mut self, operation: &str, model: &str, body: &[u8]) -> Option<Action> {
        self.take_if(operation, Some(model), body, |action| {
            !matches!(action, Action::UnknownOperation { .. })
        })
    }

    /// The same for what is decided before the model is known.
    pub(crate) fn take_unknown(&mut self, operation: &str, body: &[u8]) -> Option<bool> {
        let unknown = |action: &Action| matches!(action, Action::UnknownOperation { .. });
        match self.take_if(operation, None, body, unknown) {
            Some(Action::UnknownOperation { in_success }) => Some(in_success),
            _ => None,
        }
    }

    fn take_if(
        &mut self,
        operation: &str,
        model: Option<&str>,
        body: &[u8],
        is_wanted: impl Fn(&Action) -> bool,
    ) -> Option<Action> {
        let contains = |part: &Option<String>, whole: &str| part.as_deref().is_none_or(|p| whole.contains(p));
        for (rule, seen, used) in &mut self.rules {
            let operation_fits = match rule.matches.operation.as_deref() {
                Some(named) => named == operation,
                None => ["invoke", "stream", "messages", "mantle"].contains(&operation),
            };
            let text_fits = rule
                .matches
                .text
                .as_deref()
                .is_none_or(|text| memchr::memmem::find(body, text.as_bytes()).is_some());
            let model_fits = model.is_none_or(|model| contains(&rule.matches.model, model));
            if !operation_fits || !text_fits || !model_fits || !is_wanted(&rule.action) {
                continue;
            }
            if rule.times.is_some_and(|times| *used >= times) {
                continue;
            }
            *seen += 1;
            if *seen > rule.skip {
                *used += 1;
                return Some(rule.action.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_in_the_prompt_is_read() {
        let pace = Pace::from_prompt("hello [sim: text=4000 chars, events=50, gap=20ms]").unwrap();
        assert_eq!((pace.text, pace.events, pace.gap_ms), (Some(4000), Some(50), 20));
        assert_eq!(Pace::from_prompt("hello"), None);
        assert_eq!(Pace::from_prompt("[sim: nonsense=1]"), None);
    }

    #[test]
    fn rules_are_skipped_and_used_up() {
        let mut script = Script::default();
        let json =
            r#"{"match": {"text": "hi"}, "skip": 1, "times": 1, "action": {"kind": "no_message_stop"}}"#;
        script.add(serde_json::from_str(json).unwrap());
        let mut take = |body: &[u8]| script.take("stream", "m", body).is_some();
        assert!(!take(b"hi"));
        assert!(!take(b"other"));
        assert!(take(b"hi"));
        assert!(!take(b"hi"));
    }
}
