//! AWS's own price list for Bedrock: the bulk file of the offer `AmazonBedrockFoundationModels`, as CSV or JSON.
//!
//! The file is read into [`Row`]s, one for each price of a Claude model; [`offers`] makes prices of them. Nothing is guessed:
//! what a row's description does not say in words that are known here is left out and counted by its words.

mod csv;
mod json;
mod label;
mod offers;

pub(super) use label::{Kind, Scope};
pub(super) use offers::{Offer, offers};

use ccag_domain::NanoUsd;
use std::collections::BTreeMap;

/// A file that is no price list, or one without anything to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Neither CSV nor JSON in the form of a price list.
    #[error("{0}")]
    NoList(String),
}

/// One price of one model in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The model as AWS names it: `Claude Opus 5.5`.
    pub(super) model: String,
    /// The region that it holds in; empty if the file does not say.
    pub(super) region: String,
    /// Its number in the price list.
    pub(super) sku: String,
    /// What it prices.
    pub(super) kind: Kind,
    /// Whether it is for prompts above the model's threshold.
    pub(super) long_context: bool,
    /// Where the request runs.
    pub(super) scope: Scope,
    /// Dollars per million tokens.
    pub(super) rate: NanoUsd,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct List {
    /// When AWS published it, in AWS's own words.
    pub(super) published: Option<String>,
    /// How many prices it holds in all, for whichever model.
    pub(super) read: u64,
    /// Those that were understood.
    pub(super) rows: Vec<Row>,
    /// How many were left out, by reason.
    pub(super) skipped: BTreeMap<String, u64>,
}

impl List {
    fn skip(&mut self, reason: impl Into<String>) {
        // A file with endless reasons must not make an endless report.
        if self.skipped.len() < 200 {
            *self.skipped.entry(reason.into()).or_default() += 1;
        } else {
            *self.skipped.entry("for other reasons".to_owned()).or_default() += 1;
        }
    }

    /// Takes in one price as the file spells it.
    fn take(&mut self, raw: &Raw<'_>) {
        self.read += 1;
        let Some(model) = claude(raw.service) else {
            return self.skip("not a Claude model");
        };
        if raw.term != "OnDemand" || raw.currency != "USD" {
            return self.skip(format!("term {} in {}", raw.term, raw.currency));
        }
        let words = raw.description.rsplit('|').next().unwrap_or_default().trim();
        let Some(label) = label::read(words) else {
            let words: String = words.chars().take(80).collect();
            return self.skip(format!("“{words}” is not a standard price of tokens"));
        };
        let Some(rate) = per_million(raw.amount, raw.unit, raw.usage_type) else {
            let (amount, unit) = (raw.amount, raw.unit);
            return self.skip(format!(
                "{amount} per {unit} cannot be made an exact price per million tokens"
            ));
        };
        self.rows.push(Row {
            model: model.to_owned(),
            region: raw.region.to_owned(),
            sku: raw.sku.to_owned(),
            kind: label.kind,
            long_context: label.long_context,
            scope: label.scope,
            rate,
        });
    }
}

/// One price, in the file's own words.
struct Raw<'a> {
    service: &'a str,
    region: &'a str,
    sku: &'a str,
    term: &'a str,
    description: &'a str,
    unit: &'a str,
    amount: &'a str,
    currency: &'a str,
    usage_type: &'a str,
}

/// Reads a file, whichever of the two forms it has.
///
/// # Errors
/// [`Unreadable`] if it has neither. A list with no rows is none: that is for the caller to refuse.
pub(super) fn read(file: &str) -> Result<List, Unreadable> {
    let text = file.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('{') {
        json::read(text)
    } else {
        csv::read(text)
    }
}

/// The model's name, if it is one of Anthropic's: the marketplace product without its suffix.
fn claude(service: &str) -> Option<&str> {
    let name = service.trim();
    let name = name
        .strip_suffix("(Amazon Bedrock Edition)")
        .unwrap_or(name)
        .trim_end();
    name.starts_with("Claude ").then_some(name)
}

/// An amount as dollars per million tokens, exactly; `None` if it cannot be. Marketplace rows (`…-MP:…`) count in `Units` of
/// a million tokens, others say what they count in.
fn per_million(amount: &str, unit: &str, usage_type: &str) -> Option<NanoUsd> {
    let times = match unit.trim() {
        "1M tokens" | "1M Tokens" => 1,
        "1K tokens" | "1K Tokens" => 1_000,
        "Units" | "units" if usage_type.contains("MP:") => 1,
        _ => return None,
    };
    let amount = amount.trim();
    // The file pads amounts with zeros: `5.0000000000`.
    let exact = match amount.split_once('.') {
        Some((_, decimals)) if decimals.bytes().all(|b| b == b'0') => amount.split('.').next()?,
        Some(_) => amount.trim_end_matches('0'),
        None => amount,
    };
    let rate = NanoUsd::parse_usd(exact)?;
    rate.0.checked_mul(times).filter(|nano| *nano > 0).map(NanoUsd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_last_digit() {
        let mp = |amount| per_million(amount, "Units", "USE1-MP:USE1_input_tokens_standard-Units");
        assert_eq!(mp("5.0000000000"), Some(NanoUsd::from_usd(5)));
        assert_eq!(mp("0.1100000000"), Some(NanoUsd(110_000_000)));
        assert_eq!(mp("0.0000000010"), Some(NanoUsd(1)));
        assert_eq!(mp("10"), Some(NanoUsd::from_usd(10)));
        // Finer than money goes, free, or not a number.
        for bad in ["0.0000000001", "0", "0.0000000000", "-1.0", "1e-3", "NaN", ""] {
            assert_eq!(mp(bad), None, "{bad}");
        }
        assert_eq!(per_million("0.003", "1K tokens", "x"), Some(NanoUsd::from_usd(3)));
        assert_eq!(per_million("3.0", "1M tokens", "x"), Some(NanoUsd::from_usd(3)));
        assert_eq!(per_million("3.0", "Units", "USE1-input"), None);
        assert_eq!(per_million("3.0", "Hour", "USE1-MP:x"), None);
    }

    #[test]
    fn only_claude_counts() {
        assert_eq!(
            claude("Claude Opus 5.5 (Amazon Bedrock Edition)"),
            Some("Claude Opus 5.5")
        );
        assert_eq!(claude("Claude Haiku 4.5"), Some("Claude Haiku 4.5"));
        assert_eq!(claude("Cohere Command R+"), None);
        assert_eq!(claude("Claudette"), None);
    }
}
