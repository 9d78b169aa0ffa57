//! What a budget may look like.

use crate::app::{App, catalogue, validate};
use ccag_admin_api::{BudgetRuleSpec, PolicySpec, PostureKind, RuleAction, ScopeKind, Usd};
use ccag_domain::time::DAY_MS;
use ccag_domain::{
    BudgetAction, BudgetRule, BudgetScope, Code, KeyId, ModelName, NanoUsd, Posture, Problem, TeamId,
    TimeZone, UnixMs, UserId,
};

/// The most that a budget can be: what is beyond is a slip of the finger, and its tenfold would no longer be counted exactly.
const MAX_AMOUNT: NanoUsd = NanoUsd::from_usd(100_000_000);

/// The most steps that a budget can have.
const MAX_RULES: usize = 10;

/// The highest step, in percent.
const MAX_PERCENT: u32 = 1_000;

/// The highest rate that still slows anybody down, in requests per minute.
const MAX_RPM: u32 = 100_000;

/// How far ahead a raise may end, in milliseconds.
const MAX_RAISE_MS: i64 = 366 * DAY_MS;

pub(in crate::app) fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// An amount that a budget can be; nothing is one.
pub(in crate::app) fn amount(field: &str, amount: Usd) -> Result<NanoUsd, Problem> {
    if amount.0 < NanoUsd::ZERO {
        return Err(invalid(
            field,
            "An amount is not negative; 0 means that nothing may be spent.",
        ));
    }
    if amount.0 > MAX_AMOUNT {
        return Err(invalid(
            field,
            "An amount is at most 100,000,000 dollars. Leave the budget out if there is to be no limit.",
        ));
    }
    Ok(amount.0)
}

/// A time zone of the IANA database.
pub(in crate::app) fn time_zone(field: &str, name: Option<&str>) -> Result<TimeZone, Problem> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(TimeZone::UTC);
    };
    TimeZone::parse(name).ok_or_else(|| {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        invalid(
            field,
            format!("There is no time zone `{shown}`. Name one of the IANA database, such as `Europe/Berlin`, or `UTC`."),
        )
    })
}

/// What happens without the control plane.
pub(super) fn posture(kind: PostureKind, grace: Option<Usd>) -> Result<Posture, Problem> {
    match (kind, grace) {
        (PostureKind::Grace, Some(grace)) if grace.0 > NanoUsd::ZERO => {
            Ok(Posture::Grace(amount("grace_usd", grace)?))
        }
        (PostureKind::Grace, _) => Err(invalid(
            "grace_usd",
            "The posture `grace` needs an amount: how much each data plane may serve while it is cut off.",
        )),
        (_, Some(grace)) if grace.0 != NanoUsd::ZERO => Err(invalid(
            "grace_usd",
            "Only the posture `grace` has an amount. Set `posture` to `grace`, or leave `grace_usd` out.",
        )),
        (PostureKind::Granted, _) => Ok(Posture::Granted),
        (PostureKind::Refuse, _) => Ok(Posture::Refuse),
    }
}

/// When a raise ends.
pub(super) fn until(field: &str, at: UnixMs, now: UnixMs) -> Result<UnixMs, Problem> {
    if at <= now {
        return Err(invalid(field, "A raise ends in the future; name a later moment."));
    }
    if at - now > MAX_RAISE_MS {
        return Err(invalid(
            field,
            "A raise ends within a year. Change the budget's amount for more that is to stay.",
        ));
    }
    Ok(at)
}

const fn notify(at_percent: u32) -> BudgetRule {
    BudgetRule {
        at_percent,
        action: BudgetAction::Notify,
    }
}

const fn block(at_percent: u32) -> BudgetRule {
    BudgetRule {
        at_percent,
        action: BudgetAction::Block,
    }
}

/// The presets by name.
pub(super) fn preset(name: &str) -> Option<Vec<BudgetRule>> {
    let slow = BudgetRule {
        at_percent: 100,
        action: BudgetAction::Throttle {
            requests_per_minute: 5,
        },
    };
    Some(match name {
        "standard" => vec![notify(80), block(100)],
        "soft" => vec![notify(80), notify(100), block(150)],
        "shaped" => vec![notify(80), slow, block(150)],
        _ => return None,
    })
}

/// The preset of that name; without one, `standard`.
///
/// # Errors
/// [`Code::InvalidRequest`] if there is none of that name.
pub(in crate::app) fn preset_or_standard(
    field: &str,
    name: Option<&str>,
) -> Result<Vec<BudgetRule>, Problem> {
    let name = name.unwrap_or("standard");
    preset(name).ok_or_else(|| invalid(field, "Name `standard`, `soft` or `shaped`."))
}

/// The preset that rules are, or `custom`.
pub(super) fn policy_name(rules: &[BudgetRule]) -> &'static str {
    ["standard", "soft", "shaped"]
        .into_iter()
        .find(|name| preset(name).as_deref() == Some(rules))
        .unwrap_or("custom")
}

/// The rules that are meant; without any, those of `standard`.
pub(super) async fn policy(
    app: &App,
    field: &str,
    policy: Option<PolicySpec>,
) -> Result<Vec<BudgetRule>, Problem> {
    match policy {
        None => Ok(vec![notify(80), block(100)]),
        Some(PolicySpec::Preset(name)) => preset(&name).ok_or_else(|| {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
            invalid(
                field,
                format!("There is no policy `{shown}`. Name `standard`, `soft` or `shaped`, or give a list of rules."),
            )
        }),
        Some(PolicySpec::Rules(specs)) => rules(app, field, specs).await,
    }
}

async fn rules(app: &App, field: &str, specs: Vec<BudgetRuleSpec>) -> Result<Vec<BudgetRule>, Problem> {
    if specs.len() > MAX_RULES {
        return Err(invalid(field, format!("A budget has at most {MAX_RULES} rules.")));
    }
    let mut rules: Vec<BudgetRule> = Vec::with_capacity(specs.len());
    for (i, spec) in specs.into_iter().enumerate() {
        let place = |name: &str| format!("{field}[{i}].{name}");
        let at = spec.at_percent;
        if !(1..=MAX_PERCENT).contains(&at) {
            return Err(invalid(
                &place("at_percent"),
                format!("A rule begins at 1 to {MAX_PERCENT} percent of the budget."),
            ));
        }
        if let Some(before) = rules.last() {
            if before.action == BudgetAction::Block {
                return Err(invalid(
                    &place("at_percent"),
                    format!(
                        "From {} percent on nothing is served: no rule comes after `block`.",
                        before.at_percent
                    ),
                ));
            }
            if at <= before.at_percent {
                return Err(invalid(
                    &place("at_percent"),
                    format!(
                        "Rules stand from low to high, each at a percentage of its own: {at} comes after {}.",
                        before.at_percent
                    ),
                ));
            }
        }
        let action = action(app, spec, &place).await?;
        rules.push(BudgetRule {
            at_percent: at,
            action,
        });
    }
    Ok(rules)
}

async fn action(
    app: &App,
    spec: BudgetRuleSpec,
    place: &impl Fn(&str) -> String,
) -> Result<BudgetAction, Problem> {
    if spec.requests_per_minute.is_some() && spec.action != RuleAction::Throttle {
        return Err(invalid(
            &place("requests_per_minute"),
            "Only a rule that throttles has a rate.",
        ));
    }
    if spec.models.is_some() && spec.action != RuleAction::Restrict {
        return Err(invalid(
            &place("models"),
            "Only a rule that restricts names models.",
        ));
    }
    Ok(match spec.action {
        RuleAction::Notify => BudgetAction::Notify,
        RuleAction::Block => BudgetAction::Block,
        RuleAction::Throttle => match spec.requests_per_minute {
            Some(requests_per_minute @ 1..=MAX_RPM) => BudgetAction::Throttle { requests_per_minute },
            _ => {
                return Err(invalid(
                    &place("requests_per_minute"),
                    format!(
                        "A rule that throttles needs a rate of 1 to {MAX_RPM} requests per minute. To serve nothing, block."
                    ),
                ));
            }
        },
        RuleAction::Restrict => BudgetAction::Restrict {
            models: restricted(app, &place("models"), &spec.models.unwrap_or_default()).await?,
        },
    })
}

/// The models that are still served.
async fn restricted(app: &App, field: &str, said: &[String]) -> Result<Vec<ModelName>, Problem> {
    if said.is_empty() {
        return Err(invalid(
            field,
            "A rule that restricts names the models that are still served. To serve nothing, block.",
        ));
    }
    models(app, field, said).await
}

/// The canonical names of models of the catalogue, each once.
pub(in crate::app) async fn models(
    app: &App,
    field: &str,
    said: &[String],
) -> Result<Vec<ModelName>, Problem> {
    let known = catalogue::models(&app.store.list_models().await?)?;
    let mut names = Vec::new();
    for name in said {
        let name = validate::name(field, name)?;
        let Some(model) = catalogue::find(&known, &name) else {
            return Err(invalid(
                field,
                format!("There is no model `{name}` in the catalogue; `ccag models` lists them."),
            ));
        };
        if !names.contains(&model.name) {
            names.push(model.name.clone());
        }
    }
    Ok(names)
}

/// Whom a budget or a limit is about; says which id is missing, and which does not belong there.
pub(in crate::app) fn scope_of(
    what: &str,
    kind: ScopeKind,
    ids: (Option<TeamId>, Option<UserId>, Option<KeyId>),
) -> Result<BudgetScope, Problem> {
    let (team, user, key) = match kind {
        ScopeKind::Organisation | ScopeKind::EachUser => (false, false, false),
        ScopeKind::Team | ScopeKind::EachMember => (true, false, false),
        ScopeKind::Member => (true, true, false),
        ScopeKind::User => (false, true, false),
        ScopeKind::Key => (false, false, true),
    };
    for (field, wanted, given) in [
        ("team_id", team, ids.0.is_some()),
        ("user_id", user, ids.1.is_some()),
        ("key_id", key, ids.2.is_some()),
    ] {
        let name = kind.as_str();
        if wanted && !given {
            return Err(invalid(
                field,
                format!("A {what} with the scope `{name}` needs a `{field}`."),
            ));
        }
        if given && !wanted {
            return Err(invalid(
                field,
                format!(
                    "A {what} with the scope `{name}` has no `{field}`: leave it out, or choose another scope."
                ),
            ));
        }
    }
    BudgetScope::of(kind.as_str(), ids.0, ids.1, ids.2)
        .ok_or_else(|| invalid("scope", "The scope does not go with what it names."))
}

/// Refuses scopes that name what is not there.
pub(in crate::app) async fn scope(tx: &crate::store::Tx, scope: &BudgetScope) -> Result<(), Problem> {
    let missing = |field: &str, what: &str, id: &str| {
        invalid(field, format!("There is no {what} `{id}`; name one that exists."))
    };
    if let Some(id) = scope.team_id()
        && tx.find_team(id.as_str()).await?.is_none()
    {
        return Err(missing("team_id", "team", id.as_str()));
    }
    if let Some(id) = scope.user_id()
        && tx.find_user(id.as_str()).await?.is_none()
    {
        return Err(missing("user_id", "user", id.as_str()));
    }
    if let Some(id) = scope.key_id() {
        match tx.find_key(id.as_str()).await? {
            None => return Err(missing("key_id", "key", id.as_str())),
            Some(key) if key.state != "active" => {
                return Err(invalid(
                    "key_id",
                    format!("The key `{id}` is revoked: nothing is spent with it."),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
