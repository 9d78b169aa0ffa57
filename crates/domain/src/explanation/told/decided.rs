//! What was decided before Bedrock was asked: limits, budgets, endpoints.

use super::super::{BudgetChecked, Explanation};
use super::{Section, grouped, usd};
use crate::NanoUsd;
use crate::routing::{Exclusion, Strategy};

pub(super) fn limits(explanation: &Explanation) -> Section {
    let mut section = Section::new("limits", "Limits");
    let rows = explanation.limits.iter().map(|limit| {
        vec![
            limit.limit.clone(),
            limit.kind.to_string(),
            grouped(limit.amount),
            grouped(limit.needed),
            limit.verdict.to_string(),
        ]
    });
    let columns = [
        ("Limit", false),
        ("Counts", false),
        ("Allows", true),
        ("Needed", true),
        ("Verdict", false),
    ];
    section.table(&columns, rows.collect());
    section
}

pub(super) fn budgets(explanation: &Explanation) -> Section {
    let mut section = Section::new("budgets", "Budgets");
    let budgets = &explanation.budgets;
    if budgets.is_empty() {
        if explanation.route.strategy.is_empty() {
            return section;
        }
        section.notes.push("No budget applied.".to_owned());
        return section;
    }
    let dollars = |amount: Option<NanoUsd>| amount.map_or_else(|| "-".to_owned(), usd);
    let rows = budgets.iter().map(|budget| {
        vec![
            budget.id.clone(),
            scope(budget),
            usd(budget.limit_nano_usd),
            usd(budget.spent_nano_usd),
            dollars(budget.needed_nano_usd),
            basis(budget),
            match budget.verdict.as_ref() {
                "refused_by_rule" => "refused by a rule".to_owned(),
                other => other.to_owned(),
            },
            dollars(budget.drawn_nano_usd),
        ]
    });
    let columns = [
        ("Budget", false),
        ("Bounds", false),
        ("Limit", true),
        ("Spent", true),
        ("Set aside", true),
        ("Mode, and why so much", false),
        ("Verdict", false),
        ("Drawn", true),
    ];
    section.table(&columns, rows.collect());
    for budget in budgets.iter().filter(|budget| budget.verdict == "refused") {
        section.notes.push(arithmetic(budget));
    }
    section.notes.push(
        "“Spent” is what the data plane had heard of; “set aside” is what was kept for this request until its cost was known, and “drawn” what that was."
            .to_owned(),
    );
    section
}

/// Why a budget refused, in figures.
fn arithmetic(budget: &BudgetChecked) -> String {
    let (Some(ceiling), Some(needed)) = (budget.ceiling_nano_usd, budget.needed_nano_usd) else {
        return format!("{} lets no such request through at what is spent.", budget.id);
    };
    let left = ceiling - budget.spent_nano_usd;
    format!(
        "{}: {} − {} spent = {} left, before what other requests have set aside; this one needed {}.",
        budget.id,
        usd(ceiling),
        usd(budget.spent_nano_usd),
        usd(left),
        usd(needed)
    )
}

fn scope(budget: &BudgetChecked) -> String {
    let whose = match budget.scope.as_ref() {
        "organisation" => "everybody together",
        "each_user" => "each user",
        "team" => "the team",
        "each_member" => "each member of the team",
        "member" => "the member of the team",
        "user" => "the user",
        "key" => "the key",
        other => other,
    };
    match budget.period.as_ref() {
        "total" | "" => whose.to_owned(),
        period => format!("{whose}, {period}"),
    }
}

fn basis(budget: &BudgetChecked) -> String {
    let why = match budget.basis.as_ref() {
        "likely" => "nine of ten answers are not longer",
        "cautious" => "little is left",
        "most" => "the most it could cost",
        other => other,
    };
    match why {
        "" => budget.mode.to_string(),
        why => format!("{}: {why}", budget.mode),
    }
}

pub(super) fn route(explanation: &Explanation) -> Section {
    let mut section = Section::new("route", "Endpoints");
    let route = &explanation.route;
    if route.strategy.is_empty() && route.candidates.is_empty() {
        return section;
    }
    let affinity = match route.affinity.as_ref() {
        "session" => "the session that the client named",
        "conversation" => "how the conversation begins",
        other => other,
    };
    // What releases before there were strategies wrote.
    let is_old = route.strategy == "rendezvous";
    let strategy = Strategy::parse(&route.strategy).or_else(|| is_old.then_some(Strategy::Sticky));
    let order = match strategy {
        Some(Strategy::Sticky) => {
            format!("by a hash of {affinity} and each endpoint, weighted: the same on every data plane")
        }
        Some(Strategy::PrimaryFallback) => {
            "as the endpoints are listed: the same for every request".to_owned()
        }
        Some(Strategy::RoundRobin) => {
            "by a hash of the request's id, evenly: each request begins elsewhere".to_owned()
        }
        Some(Strategy::Weighted) => {
            "by a hash of the request's id, weighted: each request begins elsewhere".to_owned()
        }
        Some(Strategy::LeastThrottled) => format!(
            "those first that had throttled least within the last minute, as the data plane knew; equals by a hash of {affinity}"
        ),
        None => route.strategy.to_string(),
    };
    if !is_old {
        section.fact("Strategy", route.strategy.as_ref());
    }
    section.fact("Order", order);
    if route.moved {
        section.fact(
            "Moved",
            "the conversation had to move before, and begins where it was answered last: its prompts are cached there",
        );
    }
    if let Some(ms) = route.waited_for_room_ms {
        let text = format!("{ms} ms for room in the quota of the endpoint where the prompts are cached");
        section.fact("Waited", text);
    }
    let pool = match route.pool.as_ref() {
        "team" => "the team's own endpoints",
        "default" => "the default endpoints, since the team has none of its own",
        other => other,
    };
    section.fact("Chosen from", pool);
    let rows = route.candidates.iter().enumerate().map(|(n, candidate)| {
        let note = match candidate.quota.as_deref() {
            _ if candidate.in_trouble => "last, because it was in trouble lately",
            Some("over_share") => "its quota was short, and the team had its share",
            Some("no_room") => "its quota had no room, by the data plane's estimate",
            _ => "",
        };
        vec![
            (n + 1).to_string(),
            candidate.endpoint.clone(),
            candidate.endpoint_id.clone(),
            candidate.weight.to_string(),
            candidate.geography.to_string(),
            match candidate.throttled {
                0 => String::new(),
                n => grouped(n.into()),
            },
            note.to_owned(),
        ]
    });
    let columns = [
        ("#", false),
        ("Endpoint", false),
        ("Id", false),
        ("Weight", true),
        ("Geography", false),
        ("Throttled", true),
        ("Remark", false),
    ];
    section.table(&columns, rows.collect());
    section
}

pub(super) fn not_tried(explanation: &Explanation) -> Section {
    let mut section = Section::new("not-tried", "Endpoints left out");
    let rows = explanation.route.not_tried.iter().map(|one| {
        let why = Exclusion::parse(&one.why).map_or(one.why.as_ref(), |why| why.told());
        vec![one.endpoint.clone(), one.endpoint_id.clone(), why.to_owned()]
    });
    let columns = [("Endpoint", false), ("Id", false), ("Because", false)];
    section.table(&columns, rows.collect());
    section
}
