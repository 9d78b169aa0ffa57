//! What was done: attempts, translation, cost.

use super::super::{Attempted, CostLines, Explanation, Translated};
use super::{Section, exact, grouped, millis, moment, usd};
use crate::NanoUsd;

pub(super) fn attempts(explanation: &Explanation) -> Section {
    let mut section = Section::new("attempts", "Attempts");
    let rows = explanation.attempts.iter().enumerate().map(|(n, attempt)| {
        let place = match (attempt.region.as_str(), attempt.geography.as_ref()) {
            ("", geography) => geography.to_owned(),
            (region, geography) => format!("{region} ({geography})"),
        };
        vec![
            (n + 1).to_string(),
            attempt.endpoint.clone(),
            asked(attempt),
            place,
            result(attempt),
            attempt.took_ms.map_or_else(|| "-".to_owned(), millis),
            attempt.aws_request_id.clone().unwrap_or_else(|| "-".to_owned()),
            then(attempt),
        ]
    });
    let columns = [
        ("#", false),
        ("Endpoint", false),
        ("Asked for", false),
        ("Where", false),
        ("Result", false),
        ("Took", true),
        ("AWS request id", false),
        ("Then", false),
    ];
    section.table(&columns, rows.collect());
    section
}

/// The lane, and the model by its name there, for those who may see it.
fn asked(attempt: &Attempted) -> String {
    if attempt.bedrock_model.is_empty() {
        return format!("through {}", attempt.lane);
    }
    format!("{} through {}", attempt.bedrock_model, attempt.lane)
}

fn result(attempt: &Attempted) -> String {
    let answer = match (attempt.status, &attempt.error) {
        (Some(status), Some(error)) => format!("{status} {error}"),
        (Some(status), None) => status.to_string(),
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    };
    if attempt.reached {
        answer
    } else {
        format!("{answer}, not reached")
    }
}

fn then(attempt: &Attempted) -> String {
    let then = match attempt.then.as_deref() {
        None => return String::new(),
        Some("next_endpoint") => "another endpoint may do better",
        Some("other_once") => "one other endpoint may do better",
        Some("not_ready") => "it may be ready elsewhere, or in a while",
        Some("same_once") => "the same once more",
        Some("same_in_a_moment") => "the same in a moment: much of the prompt is cached there",
        Some("fresh_credentials") => "once more with fresh credentials",
        Some("reduced") => "once more without what was refused",
        Some("other_history") => "once more with the history as it was sent before",
        Some("other_lane") => "the lane does not serve it: through InvokeModel",
        Some("searched") => "the model wanted a web search, and was asked again",
        Some(other) => other,
    };
    match &attempt.without {
        Some(without) => format!("{then}: {without}"),
        None => then.to_owned(),
    }
}

pub(super) fn translation(explanation: &Explanation) -> Section {
    let mut section = Section::new("translation", "Translation");
    let done = &explanation.translation;
    if *done == Translated::default() {
        return section;
    }
    if !done.version.is_empty() {
        let bound = if done.pinned {
            ", which this conversation has kept to since an earlier turn"
        } else {
            ", in force for a conversation that is not bound yet"
        };
        section.fact("Rules", format!("{} {}{bound}", done.surface, done.version));
    }
    section.fact("Done without", done.lessons.join(", "));
    let none = |list: &[String]| {
        if list.is_empty() {
            "none".to_owned()
        } else {
            list.join(", ")
        }
    };
    section.fact("Betas sent", none(&done.betas_sent));
    section.fact("Betas removed", none(&done.betas_removed));
    section.fact("Fields dropped", none(&done.dropped));
    section.fact("Unknown, passed on", done.unknown_passed.join(", "));
    section
}

pub(super) fn cost(cost: &CostLines) -> Section {
    let mut section = Section::new("cost", "Cost");
    let since = match cost.price_from_ms {
        Some(at) => format!(", in force since {}", moment(at)),
        None => String::new(),
    };
    section.fact(
        "Price",
        format!("{} ({}){since}", cost.price_id, cost.price_source),
    );
    if cost.assumed {
        section
            .notes
            .push("The model had no price of its own: the dearest of its family was taken.".to_owned());
    }
    if let Some(above) = cost.long_context_above {
        section.fact(
            "Rates",
            format!("for prompts of more than {} tokens", grouped(above)),
        );
    }
    let premium = match cost.premium.as_str() {
        "global" => "global profile",
        "regional" => "profile of a geography",
        "in_region" => "the region itself",
        "gov" => "GovCloud",
        "mantle" => "bedrock-mantle lane",
        other => other,
    };
    section.fact(
        "Premium",
        format!(
            "× {}.{:03} ({premium})",
            cost.permille / 1_000,
            cost.permille % 1_000
        ),
    );
    let class = |class: &str| match class {
        "input" => "input".to_owned(),
        "output" => "output".to_owned(),
        "cache_read" => "cache read".to_owned(),
        "cache_write_5m" => "5-minute cache write".to_owned(),
        "cache_write_1h" => "1-hour cache write".to_owned(),
        other => other.to_owned(),
    };
    let mut rows: Vec<Vec<String>> = cost
        .lines
        .iter()
        .map(|line| {
            vec![
                class(&line.class),
                grouped(line.tokens),
                format!("{} / million", usd(line.rate_nano_usd)),
                exact(line.amount_nano_usd),
            ]
        })
        .collect();
    let mut other = |name: &str, count: String, amount: NanoUsd| {
        rows.push(vec![name.to_owned(), count, String::new(), exact(amount)]);
    };
    if cost.rounding_nano_usd != NanoUsd::ZERO {
        other("rounding up", String::new(), cost.rounding_nano_usd);
    }
    if let Some(searches) = &cost.searches {
        other(
            "web searches",
            searches.count.to_string(),
            searches.amount_nano_usd,
        );
    }
    if cost.unexplained_nano_usd != NanoUsd::ZERO {
        other(
            "not explained by this price",
            String::new(),
            cost.unexplained_nano_usd,
        );
    }
    other("in the ledger", String::new(), cost.total_nano_usd);
    let columns = [
        ("For", false),
        ("Count", true),
        ("Price", true),
        ("With premium", true),
    ];
    section.table(&columns, rows);
    section
}
