//! How a request was decided: what the data plane writes down of it, for whoever asks later.
//!
//! An [`Explanation`] holds ids, names of things, counts and amounts; never a word of a prompt, a secret, or the content of
//! a header other than the names of betas. It is stored as JSON ([`Explanation::to_json`]) of at most [`MAX_BYTES`], as
//! which that of a refusal also travels; in a usage record it is a Protobuf message. Whatever is missing is read as empty
//! and whatever is new is passed over, so that planes of different versions understand each other. Words (`verdict`,
//! `basis`, …) are text for the same reason: a word that a reader does not know is shown as it is. [`told`] says it all in
//! sentences.

mod lines;
mod parts;
mod told;

pub use lines::{ClassLine, CostLines, SearchLine};
pub use parts::{
    AskedFor, Attempted, BudgetChecked, CandidateSeen, Ended, KeyShown, LeftOut, LimitChecked, NotTried,
    RefusedFor, Routed, Translated,
};
pub use told::{Names, Section, Table, told};

use crate::routing::Exclusion;
use crate::{UnixMs, UsageRecord};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The form that this release writes.
pub const VERSION: u32 = 1;

/// The most bytes that an explanation has as JSON.
pub const MAX_BYTES: usize = 8 * 1024;

/// The longest name in it, in characters.
pub const MAX_NAME: usize = 100;

/// The most entries of any of its lists.
pub const MAX_ITEMS: usize = 16;

/// A word of a small vocabulary: fixed where it is written, open where it is read.
pub type Word = Cow<'static, str>;

/// How one request was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Explanation {
    /// Which form this is.
    pub version: u32,
    /// The id that the client saw.
    pub request_id: String,
    /// When the request arrived.
    pub at_ms: UnixMs,
    /// The HTTP status that the client got.
    pub status: u16,
    /// `completed`, `failed`, `cut`, `abandoned`, or `refused` by the gateway before Bedrock was asked.
    pub outcome: Word,
    /// The data plane that decided.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub replica_id: String,
    /// The revision of the configuration that it decided by; 0 if not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusedFor>,
    /// Whose request it was taken for.
    pub key: KeyShown,
    /// What was asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub asked: AskedFor,
    /// The limits that were checked, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitChecked>,
    /// The budgets that were checked, in order; those after one that refuses are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetChecked>,
    /// Where it might have gone, and why in this order.
    #[serde(skip_serializing_if = "is_default")]
    pub route: Routed,
    /// Where it went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempted>,
    /// What became of the request's parts.
    #[serde(skip_serializing_if = "is_default")]
    pub translation: Translated,
    /// How it ended.
    #[serde(skip_serializing_if = "is_default")]
    pub ended: Ended,
    /// What did not fit in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero_u32(value: &u32) -> bool {
    *value == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Text of at most `max` characters, whatever it was.
#[must_use]
pub fn short(text: &str, max: usize) -> String {
    if text.len() <= max && !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

impl Explanation {
    /// Reads one that was stored.
    ///
    /// # Errors
    /// If it is not JSON, or a field has another type.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The JSON, of at most [`MAX_BYTES`]: lists lose what is last in them until it fits, and it is said how much they lost.
    #[must_use]
    pub fn to_json(mut self) -> String {
        self.cap(MAX_ITEMS);
        let mut most = MAX_ITEMS;
        loop {
            // Made of text and numbers: it can always be written.
            let json = serde_json::to_string(&self).unwrap_or_default();
            if json.len() <= MAX_BYTES {
                return json;
            }
            if most == 0 {
                // Texts beyond all measure, which nobody writes here.
                return Self {
                    version: self.version,
                    request_id: short(&self.request_id, 80),
                    at_ms: self.at_ms,
                    status: self.status,
                    left_out: vec![LeftOut {
                        list: "everything".into(),
                        count: 1,
                    }],
                    ..Self::default()
                }
                .to_json();
            }
            most /= 2;
            self.cap(most);
        }
    }

    /// The request has ended, in this record: everything that the record knows as well is put down as it is there.
    pub fn of_record(&mut self, record: &UsageRecord) {
        self.request_id = record.request_id.to_string();
        self.at_ms = record.started_at_ms;
        self.status = record.status;
        self.outcome = record.outcome.as_str().into();
        self.replica_id = record.replica_id.to_string();
        self.key.id = record.key_id.to_string();
        self.key.user_id = record.user_id.as_ref().map(ToString::to_string);
        self.key.team_id = record.team_id.as_ref().map(ToString::to_string);
        self.asked.model = record.model.to_string();
        self.asked.streaming = record.streaming;
        self.ended = Ended {
            attempts: record.attempts,
            error: record.error.as_deref().map(|error| short(error, MAX_NAME)),
            first_token_ms: record.first_token_ms,
            duration_ms: record.duration_ms,
            estimated: record.estimated,
            web_searches: record.web_searches,
        };
        for draw in &record.draws {
            let noted = &mut self.budgets;
            if let Some(noted) = noted.iter_mut().find(|noted| draw.account.is_of(&noted.id)) {
                noted.drawn_nano_usd = Some(draw.amount);
            }
        }
        self.end();
    }

    /// Nothing comes after the last attempt, whatever its failure called for.
    pub fn end(&mut self) {
        if let Some(last) = self.attempts.last_mut() {
            last.then = None;
            last.without = None;
        }
    }

    /// Bounds every list.
    fn cap(&mut self, most: usize) {
        let mut left_out = std::mem::take(&mut self.left_out);
        let mut note = |list: &'static str, count: usize| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            match left_out.iter_mut().find(|one| one.list == list) {
                Some(one) => one.count = one.count.saturating_add(count),
                None if count > 0 => left_out.push(LeftOut {
                    list: list.into(),
                    count,
                }),
                None => {}
            }
        };
        note("limits", cut(&mut self.limits, most));
        note("budgets", cut(&mut self.budgets, most));
        note("endpoints", cut(&mut self.route.candidates, most));
        note("endpoints not tried", cut(&mut self.route.not_tried, most));
        note("attempts", cut(&mut self.attempts, most));
        note("lessons", cut(&mut self.translation.lessons, most));
        note("betas sent", cut(&mut self.translation.betas_sent, most));
        note("betas removed", cut(&mut self.translation.betas_removed, most));
        note("fields dropped", cut(&mut self.translation.dropped, most));
        note("unknown passed", cut(&mut self.translation.unknown_passed, most));
        self.left_out = left_out;
    }

    /// Takes out what only admins see: what can be an ARN, and which endpoints others have.
    pub fn hide_accounts(&mut self) {
        let is_of_the_pool =
            |one: &NotTried| Exclusion::parse(&one.why).is_some_and(Exclusion::is_of_the_pool);
        self.route.not_tried.retain(is_of_the_pool);
        for attempt in &mut self.attempts {
            attempt.bedrock_model.clear();
        }
    }
}

fn cut<T>(list: &mut Vec<T>, most: usize) -> usize {
    let gone = list.len().saturating_sub(most);
    list.truncate(most);
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_what_is_missing_is_empty() {
        let explanation = Explanation {
            version: VERSION,
            request_id: "req_1".into(),
            outcome: "completed".into(),
            key: KeyShown {
                id: "key_1".into(),
                header: "x-api-key".into(),
                ..KeyShown::default()
            },
            ..Explanation::default()
        };
        let json = explanation.clone().to_json();
        assert_eq!(Explanation::read(&json).unwrap(), explanation);
        assert_eq!(Explanation::read("{}").unwrap(), Explanation::default());
        let newer =
            r#"{"version":7,"novelty":[1],"budgets":[{"id":"bud_1","shade":"blue"}],"outcome":"pondered"}"#;
        let read = Explanation::read(newer).unwrap();
        assert_eq!((read.version, read.outcome.as_ref()), (7, "pondered"));
        assert_eq!(read.budgets[0].id, "bud_1");
        assert!(Explanation::read("1").is_err() && Explanation::read(r#"{"budgets":1}"#).is_err());
    }

    #[test]
    fn lists_are_bounded_and_say_what_they_lost() {
        let long = "x".repeat(100);
        let explanation = Explanation {
            version: VERSION,
            attempts: vec![
                Attempted {
                    endpoint: long.clone(),
                    bedrock_model: long.clone(),
                    error: Some(long.clone()),
                    ..Attempted::default()
                };
                100
            ],
            translation: Translated {
                betas_sent: vec![long.clone(); 300],
                dropped: vec![long; 20],
                ..Translated::default()
            },
            ..Explanation::default()
        };
        let json = explanation.to_json();
        assert!(json.len() <= MAX_BYTES, "{}", json.len());
        let read = Explanation::read(&json).unwrap();
        let lost = |list: &str| read.left_out.iter().find(|one| one.list == list).unwrap().count;
        assert_eq!(lost("attempts") as usize + read.attempts.len(), 100);
        assert_eq!(
            lost("betas sent") as usize + read.translation.betas_sent.len(),
            300
        );
        assert!(!read.attempts.is_empty());
    }

    #[test]
    fn those_who_are_no_admins_do_not_learn_of_others_endpoints() {
        let one = |why: Exclusion| NotTried {
            endpoint: why.as_str().into(),
            why: why.as_str().into(),
            ..NotTried::default()
        };
        let mut explanation = Explanation {
            attempts: vec![Attempted {
                bedrock_model: "arn:aws:bedrock:…".into(),
                ..Attempted::default()
            }],
            route: Routed {
                not_tried: Exclusion::ALL.iter().copied().map(one).collect(),
                ..Routed::default()
            },
            ..Explanation::default()
        };
        explanation.hide_accounts();
        assert!(explanation.attempts[0].bedrock_model.is_empty());
        let left: Vec<_> = explanation
            .route
            .not_tried
            .iter()
            .map(|one| one.endpoint.as_str())
            .collect();
        assert_eq!(
            left,
            [
                "region_not_allowed",
                "model_not_offered",
                "geography_not_allowed",
                "disabled"
            ]
        );
    }

    #[test]
    fn texts_without_measure_leave_only_the_id() {
        let explanation = Explanation {
            request_id: "req_1".into(),
            replica_id: "r".repeat(2 * MAX_BYTES),
            ..Explanation::default()
        };
        let read = Explanation::read(&explanation.to_json()).unwrap();
        assert_eq!(read.request_id, "req_1");
        assert_eq!(read.left_out[0].list, "everything");
    }
}
