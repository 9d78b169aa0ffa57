//! What the last part of a price's description says. AWS words it in two ways for Claude, whole and not by parts of words:
//!
//! * `Input Tokens - Standard, Global`, `Cache Write Tokens (1h TTL) - Standard, Geo`;
//! * `Million Input Tokens Global`, `Million Response Tokens Standard`, `Million 1 hour Cache Write Input Tokens`.
//!
//! Everything else (batch, flex, priority, reserved, latency-optimised, provisioned, customised) has other words in the same
//! places and is not a standard price.

/// What is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::app) enum Kind {
    /// Uncached input.
    Input,
    /// Output.
    Output,
    /// Cache reads.
    CacheRead,
    /// Cache writes that live five minutes.
    CacheWrite5m,
    /// Cache writes that live one hour.
    CacheWrite1h,
}

impl Kind {
    /// All of them.
    pub(in crate::app) const ALL: [Self; 5] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
    ];

    /// In words.
    pub(in crate::app) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache read",
            Self::CacheWrite5m => "5-minute cache write",
            Self::CacheWrite1h => "1-hour cache write",
        }
    }
}

/// Where a request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::app) enum Scope {
    /// Through the global profile.
    Global,
    /// Through the profile of a geography.
    Geo,
    /// In the region itself.
    InRegion,
    /// The row does not say: AWS words regional prices so, and those of models that have only one.
    Unsaid,
}

/// A description that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) kind: Kind,
    pub(super) long_context: bool,
    pub(super) scope: Scope,
}

fn scope(words: &str) -> Option<Scope> {
    match words.to_ascii_lowercase().as_str() {
        "" => Some(Scope::Unsaid),
        "global" => Some(Scope::Global),
        "geo" | "regional cris" | "regional" => Some(Scope::Geo),
        "in-region" | "in region" => Some(Scope::InRegion),
        _ => None,
    }
}

/// Takes a remark out of the words, if it stands there as a whole.
fn without(words: &str, remark: &str) -> (String, bool) {
    let padded = format!(" {words} ");
    let with_spaces = format!(" {remark} ");
    match padded.find(&with_spaces) {
        Some(_) => (padded.replacen(&with_spaces, " ", 1).trim().to_owned(), true),
        None => (words.to_owned(), false),
    }
}

/// Reads the last part of a description.
pub(super) fn read(words: &str) -> Option<Label> {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let (words, long) = without(&words, "Long Context");
    let (words, long_in_brackets) = without(&words, "(Long Context)");
    let long_context = long || long_in_brackets;
    let (kind, scope) = match words.strip_prefix("Million ") {
        Some(rest) => of_million(rest)?,
        None => of_tier(&words)?,
    };
    Some(Label {
        kind,
        long_context,
        scope,
    })
}

/// `<kind> Tokens - Standard[, <scope>]`.
fn of_tier(words: &str) -> Option<(Kind, Scope)> {
    let (kind, tier) = words.split_once(" - ")?;
    let (tier, place) = match tier.split_once(", ") {
        Some((tier, place)) => (tier, scope(place).filter(|s| *s != Scope::Unsaid)?),
        None => (tier, Scope::Unsaid),
    };
    if tier != "Standard" {
        return None;
    }
    let kind = match kind {
        "Input Tokens" => Kind::Input,
        "Output Tokens" => Kind::Output,
        "Cache Read Tokens" => Kind::CacheRead,
        "Cache Write Tokens" | "Cache Write Tokens (5m TTL)" => Kind::CacheWrite5m,
        "Cache Write Tokens (1h TTL)" => Kind::CacheWrite1h,
        _ => return None,
    };
    Some((kind, place))
}

/// `<kind> Tokens[ Standard][ <scope>]`, after `Million `.
fn of_million(words: &str) -> Option<(Kind, Scope)> {
    let (kind, place) = match words.split_once(" Tokens") {
        Some((kind, rest)) => (kind, rest.trim_start()),
        None => return None,
    };
    let place = place.strip_prefix("Standard").map_or(place, str::trim_start);
    let kind = match kind {
        "Input" => Kind::Input,
        "Response" | "Output" => Kind::Output,
        "Cache Read Input" | "Cache Read" => Kind::CacheRead,
        "Cache Write Input" | "Cache Write" => Kind::CacheWrite5m,
        "1 hour Cache Write Input" | "1 hour Cache Write" => Kind::CacheWrite1h,
        _ => return None,
    };
    Some((kind, scope(place)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_wording_are_read() {
        use Kind::{CacheRead, CacheWrite1h, CacheWrite5m, Input, Output};
        use Scope::{Geo, Global, InRegion, Unsaid};
        for (words, kind, scope) in [
            ("Input Tokens - Standard, Global", Input, Global),
            ("Output Tokens - Standard", Output, Unsaid),
            ("Output Tokens - Standard, Geo", Output, Geo),
            ("Cache Read Tokens - Standard, In-region", CacheRead, InRegion),
            ("Cache Write Tokens - Standard, Global", CacheWrite5m, Global),
            (
                "Cache Write Tokens (1h TTL) - Standard, Global",
                CacheWrite1h,
                Global,
            ),
            ("Million Input Tokens Global", Input, Global),
            ("Million Input Tokens Standard", Input, Unsaid),
            ("Million Response Tokens", Output, Unsaid),
            ("Million Response Tokens Regional CRIS", Output, Geo),
            ("Million Cache Read Input Tokens Regional", CacheRead, Geo),
            ("Million Cache Write Input Tokens", CacheWrite5m, Unsaid),
            (
                "Million 1 hour Cache Write Input Tokens Global",
                CacheWrite1h,
                Global,
            ),
        ] {
            let found = read(words).unwrap_or_else(|| panic!("{words}"));
            assert_eq!(
                (found.kind, found.scope, found.long_context),
                (kind, scope, false),
                "{words}"
            );
        }
        let long = read("Input Tokens Long Context - Standard, Global").unwrap();
        assert!(long.long_context && long.kind == Input);
        assert!(
            read("Million Response Tokens Long Context Global")
                .unwrap()
                .long_context
        );
    }

    #[test]
    fn other_tiers_are_not_taken_for_the_standard_one() {
        for words in [
            "Input Tokens - Batch, Global",
            "Input Tokens - Priority, Global",
            "Input Tokens - Flex",
            "Million Batch Response Tokens Global",
            "Million Input Tokens (Latency Optimized Inference)",
            "Million model customization tokens",
            "Per Hour per 1K Input TPM Reserved 1 Month Global",
            "Provisioned Throughput Hourly Price (No Commit)",
            "Input Tokens - Standard, Mars",
            "Input Tokens - Standard, ",
            "Cached Input Tokens - Standard, Global",
            "Input Tokens",
            "",
        ] {
            assert_eq!(read(words), None, "{words}");
        }
    }
}
