//! An explanation in sentences and tables, the same for the command line and the console.

mod decided;
mod done;

use super::{CostLines, Explanation};
use crate::period::rfc3339_in;
use crate::{NanoUsd, TimeZone, UnixMs};

/// A part of what is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Its name among the sections, fit for an anchor.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// Rows, where there are several of something.
    pub table: Option<Table>,
    /// Sentences about it.
    pub notes: Vec<String>,
}

/// Rows under headings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The headings, and whether a column holds numbers.
    pub columns: Vec<(&'static str, bool)>,
    /// The cells, as many in each row as there are headings.
    pub rows: Vec<Vec<String>>,
}

/// The names that go with the ids of an explanation, as they are now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The key's.
    pub key: Option<String>,
    /// The user's.
    pub user: Option<String>,
    /// The team's.
    pub team: Option<String>,
}

/// All of it, in the order in which a request is decided.
#[must_use]
pub fn told(explanation: &Explanation, names: &Names, cost: Option<&CostLines>) -> Vec<Section> {
    let sections = [
        outcome(explanation),
        key(explanation, names),
        asked(explanation),
        decided::limits(explanation),
        decided::budgets(explanation),
        decided::route(explanation),
        decided::not_tried(explanation),
        done::attempts(explanation),
        done::translation(explanation),
        cost.map_or_else(Section::default, done::cost),
        left_out(explanation),
    ];
    sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect()
}

impl Section {
    fn new(id: &'static str, title: &'static str) -> Self {
        Self {
            id,
            title,
            ..Self::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.notes.is_empty() && self.table.is_none()
    }

    fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.facts.push((name, value));
        }
    }

    /// Sets the table, without columns in which nothing stands.
    fn table(&mut self, columns: &[(&'static str, bool)], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let says = |at: usize| {
            rows.iter()
                .any(|row| row.get(at).is_some_and(|cell| !matches!(cell.as_str(), "" | "-")))
        };
        let kept: Vec<usize> = (0..columns.len()).filter(|at| says(*at)).collect();
        let of_row = |row: Vec<String>| {
            let cells = row.into_iter().enumerate();
            cells
                .filter(|(at, _)| kept.contains(at))
                .map(|(_, cell)| cell)
                .collect()
        };
        self.table = Some(Table {
            columns: kept.iter().filter_map(|at| columns.get(*at)).copied().collect(),
            rows: rows.into_iter().map(of_row).collect(),
        });
    }
}

fn outcome(explanation: &Explanation) -> Section {
    let mut section = Section::new("outcome", "What became of it");
    let ended = &explanation.ended;
    section.fact("Request", explanation.request_id.as_str());
    section.fact("Arrived", moment(explanation.at_ms));
    let outcome = match explanation.outcome.as_ref() {
        "completed" => "completed: the whole answer was produced",
        "failed" => "failed: Bedrock refused or failed before any content",
        "cut" => "cut: the answer broke off",
        "abandoned" => "abandoned: the client went away",
        "refused" => "refused by this gateway; Bedrock was not asked",
        other => other,
    };
    section.fact("Outcome", outcome);
    if explanation.status > 0 {
        section.fact("Status", explanation.status.to_string());
    }
    if let Some(refusal) = &explanation.refusal {
        let by = match refusal.stage.as_ref() {
            "key" => "by the key",
            "admission" => "before the body was read",
            "body" => "by the body's size or form",
            "request" => "by what was asked for",
            "limit" => "by a limit",
            "budget" => "by a budget",
            "quota" => "because its team has its share of a quota that is short",
            "endpoint" => "because no endpoint could be reached",
            other => other,
        };
        section.fact("Refused", format!("{by} (`{}`)", refusal.code));
        section.fact("Said", refusal.message.as_str());
        section.fact("Field", refusal.field.clone().unwrap_or_default());
    }
    section.fact("Error", ended.error.clone().unwrap_or_default());
    if let Some(ms) = ended.first_token_ms {
        section.fact("First content after", millis(ms.into()));
    }
    if ended.duration_ms > 0 {
        section.fact("Took", millis(ended.duration_ms.into()));
    }
    section.fact("Data plane", explanation.replica_id.as_str());
    if explanation.revision > 0 {
        section.fact("Configuration", format!("revision {}", explanation.revision));
    }
    section
}

fn key(explanation: &Explanation, names: &Names) -> Section {
    let mut section = Section::new("key", "Key");
    let key = &explanation.key;
    section.fact("Key", named(&key.id, names.key.as_deref()));
    section.fact(
        "User",
        named(key.user_id.as_deref().unwrap_or("none"), names.user.as_deref()),
    );
    let mut team = named(key.team_id.as_deref().unwrap_or("none"), names.team.as_deref());
    match key.team_by.as_deref() {
        Some("key") => team.push_str(", which the key names"),
        Some("user") => team.push_str(", the user's"),
        _ => {}
    }
    section.fact("Team that pays", team);
    section.fact("Came in", key.header.as_ref());
    let verdict = match key.verdict.as_ref() {
        "valid" => "valid",
        "expired" => "expired",
        "user_inactive" => "its user is suspended or gone",
        "team_inactive" => "its team is suspended or gone",
        other => other,
    };
    section.fact("Verdict", verdict);
    section
}

fn asked(explanation: &Explanation) -> Section {
    let mut section = Section::new("asked", "What was asked for");
    let asked = &explanation.asked;
    if asked.said.is_empty() && asked.model.is_empty() {
        return section;
    }
    section.fact("Model, as said", asked.said.as_str());
    section.fact("Model", asked.model.as_str());
    section.fact("Streamed", if asked.streaming { "yes" } else { "no" });
    if asked.input_estimate > 0 {
        section.fact(
            "Prompt",
            format!("about {} tokens", grouped(asked.input_estimate)),
        );
    }
    if asked.max_output > 0 {
        let asked_for = grouped(asked.max_output);
        let answer = match asked.lowered_to {
            None => format!("at most {asked_for} tokens"),
            Some(tokens) => format!(
                "at most {} tokens, since a budget had no more; {asked_for} were asked for",
                grouped(tokens)
            ),
        };
        section.fact("Answer", answer);
    }
    section
}

fn left_out(explanation: &Explanation) -> Section {
    let mut section = Section::new("left-out", "Left out");
    for one in explanation.left_out.iter().filter(|one| one.count > 0) {
        section.notes.push(format!(
            "{} more under “{}”.",
            grouped(one.count.into()),
            one.list
        ));
    }
    section
}

fn named(id: &str, name: Option<&str>) -> String {
    match name {
        Some(name) if name != id => format!("{name} ({id})"),
        _ => id.to_owned(),
    }
}

fn moment(at: UnixMs) -> String {
    rfc3339_in(at, &TimeZone::UTC)
}

fn usd(amount: NanoUsd) -> String {
    with_sign(&amount.to_string())
}

/// With all nine decimals, so that the points of a column stand below each other.
fn exact(amount: NanoUsd) -> String {
    with_sign(&amount.to_usd_string(9))
}

fn with_sign(amount: &str) -> String {
    match amount.strip_prefix('-') {
        Some(amount) => format!("-${amount}"),
        None => format!("${amount}"),
    }
}

fn millis(ms: u64) -> String {
    format!("{} ms", grouped(ms))
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{BudgetChecked, KeyShown, RefusedFor, Routed};
    use super::*;

    fn section(sections: &[Section], id: &str) -> Section {
        sections.iter().find(|s| s.id == id).unwrap().clone()
    }

    #[test]
    fn a_refusal_is_told_with_its_arithmetic() {
        let explanation = Explanation {
            request_id: "req_1".into(),
            outcome: "refused".into(),
            status: 429,
            refusal: Some(RefusedFor {
                stage: "budget".into(),
                code: "budget-exceeded".into(),
                message: "used up".into(),
                field: None,
            }),
            key: KeyShown {
                id: "key_1".into(),
                verdict: "valid".into(),
                ..KeyShown::default()
            },
            route: Routed {
                strategy: "rendezvous".into(),
                affinity: "session".into(),
                ..Routed::default()
            },
            budgets: vec![BudgetChecked {
                id: "bud_1".into(),
                scope: "team".into(),
                period: "monthly".into(),
                limit_nano_usd: NanoUsd::from_usd(10),
                ceiling_nano_usd: Some(NanoUsd::from_usd(10)),
                spent_nano_usd: NanoUsd::from_usd(9),
                needed_nano_usd: Some(NanoUsd::from_usd(2)),
                basis: "most".into(),
                verdict: "refused".into(),
                ..BudgetChecked::default()
            }],
            ..Explanation::default()
        };
        let sections = told(&explanation, &Names::default(), None);
        let budgets = section(&sections, "budgets");
        assert!(
            budgets.notes[0].contains("$10.00 − $9.00 spent = $1.00 left"),
            "{budgets:?}"
        );
        assert!(budgets.notes[0].contains("needed $2.00"), "{budgets:?}");
        let table = budgets.table.unwrap();
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        assert!(
            section(&sections, "outcome")
                .facts
                .contains(&("Said", "used up".to_owned()))
        );
        assert!(sections.iter().all(|s| s.id != "cost" && s.id != "left-out"));
    }

    #[test]
    fn a_route_is_told_with_its_strategy_and_why_endpoints_were_left_out() {
        use super::super::NotTried;
        let mut explanation = Explanation {
            route: Routed {
                strategy: "primary_fallback".into(),
                pool: "team".into(),
                not_tried: ["geography_not_allowed", "struck_by_lightning"]
                    .map(|why| NotTried {
                        endpoint_id: "end_1".into(),
                        endpoint: "Dublin".into(),
                        why: why.into(),
                    })
                    .to_vec(),
                ..Routed::default()
            },
            ..Explanation::default()
        };
        let sections = told(&explanation, &Names::default(), None);
        let route = section(&sections, "route");
        assert!(route.facts.contains(&("Strategy", "primary_fallback".to_owned())));
        let rows = section(&sections, "not-tried").table.unwrap().rows;
        assert_eq!(
            rows[0],
            [
                "Dublin",
                "end_1",
                "offers the model only in geographies that are not allowed"
            ]
        );
        assert_eq!(rows[1][2], "struck_by_lightning", "as it is");
        // What an earlier release wrote.
        explanation.route.strategy = "rendezvous".into();
        let route = section(&told(&explanation, &Names::default(), None), "route");
        assert!(
            route
                .facts
                .iter()
                .any(|(name, text)| *name == "Order" && text.contains("weighted"))
        );
        assert!(route.facts.iter().all(|(name, _)| *name != "Strategy"));
    }

    #[test]
    fn what_quotas_have_changed_about_a_route_is_told() {
        use super::super::CandidateSeen;
        let seen = |quota: Option<&'static str>| CandidateSeen {
            quota: quota.map(Into::into),
            ..CandidateSeen::default()
        };
        let explanation = Explanation {
            route: Routed {
                strategy: "sticky".into(),
                waited_for_room_ms: Some(1_000),
                candidates: [None, Some("no_room"), Some("over_share")].map(seen).to_vec(),
                ..Routed::default()
            },
            ..Explanation::default()
        };
        let route = section(&told(&explanation, &Names::default(), None), "route");
        let remarks = route.table.unwrap().rows;
        let remarks: Vec<_> = remarks.iter().map(|row| row.last().unwrap().as_str()).collect();
        assert_eq!(remarks[0], "");
        assert!(
            remarks[1].contains("no room") && remarks[2].contains("its share"),
            "{remarks:?}"
        );
        let waited = route.facts.iter().find(|(name, _)| *name == "Waited").unwrap();
        assert!(waited.1.starts_with("1000 ms"), "{waited:?}");
    }

    #[test]
    fn words_from_a_newer_release_are_shown_as_they_are() {
        let explanation = Explanation {
            outcome: "pondered".into(),
            ..Explanation::default()
        };
        let sections = told(&explanation, &Names::default(), None);
        assert!(
            section(&sections, "outcome")
                .facts
                .contains(&("Outcome", "pondered".to_owned()))
        );
    }
}
