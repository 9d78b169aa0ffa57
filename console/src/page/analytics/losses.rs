//! What was lost because prompts were not read from the cache.

use super::spend::labels;
use crate::format::{compact, grouped, money};
use crate::part::block::{card, text};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::part::stacked::{Series, Stacked, Unit};
use ccag_domain::{CacheMiss, NanoUsd, UnixMs};
use leptos::prelude::*;

/// What was lost for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostRow {
    /// Why.
    pub reason: CacheMiss,
    /// By how many requests.
    pub requests: u64,
    /// How many tokens were not read.
    pub tokens: u64,
    /// How much more they cost.
    pub cost: NanoUsd,
}

/// What was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// By reason over time, the dearest first.
    pub over_time: Vec<Series>,
    /// By reason.
    pub rows: Vec<LostRow>,
}

/// A reason in a few words.
#[must_use]
pub fn miss_name(reason: CacheMiss) -> &'static str {
    match reason {
        CacheMiss::Moved => "Went elsewhere",
        CacheMiss::Expired => "Waited too long",
        CacheMiss::ModelChanged => "Another model",
        CacheMiss::ToolsChanged => "Tools changed",
        CacheMiss::SystemChanged => "System prompt changed",
        CacheMiss::HistoryChanged => "Earlier messages changed",
        CacheMiss::NotAsked => "Caching not asked for",
        CacheMiss::NotTaken => "Caching not supported",
        CacheMiss::TooShort => "Too short",
        CacheMiss::Unexplained => "Not explained",
    }
}

/// What happened, and what can be done about it.
fn meaning(reason: CacheMiss) -> &'static str {
    match reason {
        CacheMiss::Moved => {
            "The conversation was answered by another endpoint, lane or geography than before, where its prompt was not cached."
        }
        CacheMiss::Expired => {
            "More time had passed since the turn before than the cache keeps prompts: five minutes, or an hour if that was asked for."
        }
        CacheMiss::ModelChanged => {
            "The conversation went on with another model; each has a cache of its own."
        }
        CacheMiss::ToolsChanged => {
            "Tools come first in a prompt: nothing behind a change of them can be read."
        }
        CacheMiss::SystemChanged => "The system prompt was another than in the turn before.",
        CacheMiss::HistoryChanged => {
            "A part was read and the rest was not, as when a conversation is compacted or edited."
        }
        CacheMiss::NotAsked => "The client does not mark its prompts for caching.",
        CacheMiss::NotTaken => "The client asks for caching, and the model or lane does not take it.",
        CacheMiss::TooShort => "The prompt is shorter than what the model caches.",
        CacheMiss::Unexplained => {
            "Nothing that the gateway knows of was different. AWS may have answered from another region."
        }
    }
}

/// The card, with a chart and a table.
pub(super) fn losses(losses: &Losses, step: &str, starts: &[UnixMs]) -> AnyView {
    let note =
        "what prompts cost more than if they had been read from the cache, as their turn before allowed";
    if losses.rows.is_empty() {
        let none = view! {
            <p>"Nothing is known to have been lost in this time. Each turn of a conversation is held against the one before."</p>
        };
        return card(
            "cache-losses",
            "Lost to cache misses",
            text(note),
            none.into_any(),
        );
    }
    let (piece, label, axis) = labels(step);
    let chart = Stacked {
        what: "Lost to cache misses, by reason",
        piece,
        label,
        axis,
        starts,
        series: &losses.over_time,
        unit: Unit::Money,
    };
    let columns = vec![
        Column::text("Reason"),
        Column::text("What happened"),
        Column::number("Requests"),
        Column::number("Tokens"),
        Column::number("Lost"),
    ];
    let row = |row: &LostRow| {
        view! {
            <tr>
                {row_head(text(miss_name(row.reason)))}
                {cell("What happened", text(meaning(row.reason)))}
                {number_cell("Requests", grouped(row.requests).into_any())}
                {number_cell("Tokens", text(compact(row.tokens)))}
                {number_cell("Lost", money(row.cost))}
            </tr>
        }
        .into_any()
    };
    let rows = losses.rows.iter().map(row).collect();
    let body = view! {
        {chart.view()}
        {table("Lost to cache misses, by reason", columns, rows)}
    };
    card(
        "cache-losses",
        "Lost to cache misses",
        text(note),
        body.into_any(),
    )
}
