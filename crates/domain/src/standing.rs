//! How budgets stand, as Claude Code shows it under `/usage`.
//!
//! The shape is the one that the client reads from a gateway (2.1.332: `extra_usage` with amounts in cents for the budget
//! that counts, and `limits` with one row each, of which `is_active` marks that budget and `group` is `daily`, `weekly` or
//! `monthly`). Without `extra_usage` it shows that no limit is known.

use crate::period::rfc3339_in;
use crate::{NanoUsd, Period, TimeZone, UnixMs};
use serde_json::{Value, json};

/// A budget that bounds the caller's spending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// When it begins anew.
    pub period: Period,
    /// What may be spent, with raises.
    pub amount: NanoUsd,
    /// What is, by records that have arrived.
    pub spent: NanoUsd,
    /// When it begins anew; `None` if it never does.
    pub resets_at: Option<UnixMs>,
}

impl Standing {
    /// What is spent, in tenths of a percent of the amount.
    #[must_use]
    pub fn percent_tenths(&self) -> u64 {
        let tenths = i128::from(self.spent.0.max(0)) * 1_000 / i128::from(self.amount.0.max(1));
        u64::try_from(tenths).unwrap_or(u64::MAX)
    }
}

/// A cent.
const CENT: i64 = 10_000_000;

/// The body of `GET /api/oauth/usage`.
#[must_use]
pub fn usage(standings: &[Standing]) -> Value {
    // The same budget as in the headers of answers: the one that is used up furthest, and of those the first.
    let active = standings.iter().enumerate().fold(None, |active, (at, standing)| {
        let further = |(_, other): &(usize, &Standing)| standing.percent_tenths() > other.percent_tenths();
        match active {
            Some(ref other) if !further(other) => active,
            _ => Some((at, standing)),
        }
    });
    let limits: Vec<Value> = standings
        .iter()
        .enumerate()
        .map(|(at, standing)| row(standing, active.is_some_and(|(active, _)| active == at)))
        .collect();
    match active {
        None => json!({ "limits": limits }),
        Some((_, standing)) => json!({
            "extra_usage": {
                "is_enabled": true,
                "monthly_limit": cents(standing.amount),
                "used_credits": cents(standing.spent),
                "utilization": percent(standing),
                "currency": "USD",
            },
            "limits": limits,
        }),
    }
}

fn row(standing: &Standing, active: bool) -> Value {
    let tenths = standing.percent_tenths();
    let severity = match tenths {
        951.. => "critical",
        751.. => "warning",
        _ => "normal",
    };
    json!({
        "kind": "spend",
        "group": standing.period.as_str(),
        "percent": percent(standing),
        "resets_at": standing.resets_at.map(|at| rfc3339_in(at, &TimeZone::UTC)),
        "severity": severity,
        "is_active": active,
    })
}

/// Whole percent; what is not used up stays below 100.
fn percent(standing: &Standing) -> u64 {
    let tenths = standing.percent_tenths();
    let rounded = tenths.saturating_add(5) / 10;
    if standing.spent < standing.amount {
        rounded.min(99)
    } else {
        rounded.max(100)
    }
}

/// Whole cents; nobody is told that more is spent than is.
fn cents(amount: NanoUsd) -> i64 {
    amount.0.max(0) / CENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(period: Period, amount: i64, spent_cents: i64) -> Standing {
        Standing {
            period,
            amount: NanoUsd::from_usd(amount),
            spent: NanoUsd(spent_cents * CENT + 1),
            resets_at: (period != Period::Total).then_some(1_796_083_200_000),
        }
    }

    #[test]
    fn the_budget_that_is_used_up_furthest_is_shown_in_cents() {
        let body = usage(&[
            standing(Period::Daily, 100, 1_000),
            standing(Period::Monthly, 500, 41_140),
        ]);
        assert_eq!(
            body["extra_usage"],
            json!({
                "is_enabled": true, "monthly_limit": 50_000, "used_credits": 41_140, "utilization": 82,
                "currency": "USD",
            })
        );
        assert_eq!(
            body["limits"][1],
            json!({
                "kind": "spend", "group": "monthly", "percent": 82, "resets_at": "2026-12-01T00:00:00Z",
                "severity": "warning", "is_active": true,
            })
        );
        assert_eq!(body["limits"][0]["is_active"], false);
        assert_eq!(body["limits"][0]["group"], "daily");
    }

    #[test]
    fn what_is_not_used_up_is_never_shown_as_such() {
        let percent_of =
            |cents| usage(&[standing(Period::Total, 10, cents)])["extra_usage"]["utilization"].clone();
        assert_eq!(percent_of(998), 99);
        assert_eq!(percent_of(1_000), 100);
        assert_eq!(percent_of(1_500), 150);
        let total = usage(&[standing(Period::Total, 10, 998)]);
        assert_eq!(total["limits"][0]["resets_at"], Value::Null);
        assert_eq!(total["limits"][0]["severity"], "critical");
    }

    #[test]
    fn without_budgets_no_limit_is_claimed() {
        assert_eq!(usage(&[]), json!({"limits": []}));
    }
}
