//! How budgets are spoken of on the command line.

use ccag_admin_api::{BudgetRuleSpec, PolicySpec, PostureKind, Recipients, RuleAction};
use ccag_domain::{BudgetMode, Period as ApiPeriod};
use clap::ValueEnum;

/// Whose spending a budget bounds.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Scope {
    /// Everybody's together
    Organisation,
    /// Each user's
    EachUser,
    /// A team's together
    Team,
    /// Each member's of a team
    EachMember,
    /// One member's of a team
    Member,
    /// A user's
    User,
    /// A key's
    Key,
}

/// When a budget begins anew.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Period {
    /// At midnight
    Daily,
    /// On Monday
    Weekly,
    /// On the first of the month
    Monthly,
    /// Never
    Total,
}

impl From<Period> for ApiPeriod {
    fn from(period: Period) -> Self {
        match period {
            Period::Daily => Self::Daily,
            Period::Weekly => Self::Weekly,
            Period::Monthly => Self::Monthly,
            Period::Total => Self::Total,
        }
    }
}

/// How closely a budget holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Mode {
    /// A request is let through if what it is likely to cost is left
    Balanced,
    /// A request is let through if the most that it could cost is left: nothing is overspent
    Hard,
    /// As hard; a request for more output tokens than are left gets those that are left
    Fitting,
}

impl From<Mode> for BudgetMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Balanced => Self::Balanced,
            Mode::Hard => Self::Hard,
            Mode::Fitting => Self::Fitting,
        }
    }
}

/// What data planes do while they cannot ask the control plane.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Posture {
    /// They serve from what they have been granted, and then no more
    Granted,
    /// Each serves so much more: --grace
    Grace,
    /// They serve nothing
    Refuse,
}

/// Who is told.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Notify {
    /// Those whom the budget is about, and the admins
    Both,
    /// Those whom the budget is about
    User,
    /// The admins
    Admins,
}

impl From<Notify> for Recipients {
    fn from(notify: Notify) -> Self {
        match notify {
            Notify::Both => Self::Both,
            Notify::User => Self::User,
            Notify::Admins => Self::Admins,
        }
    }
}

/// Reads a rule: `80:notify`, `100:throttle=5`, `120:restrict=a,b`, `150:block`.
pub(crate) fn rule(text: &str) -> Result<BudgetRuleSpec, String> {
    let wrong = || {
        format!(
            "`{text}` is not a rule: write 80:notify, 100:throttle=5, 120:restrict=MODEL,MODEL or 150:block"
        )
    };
    let (at, rest) = text.split_once(':').ok_or_else(wrong)?;
    let at_percent = at.trim_end_matches('%').parse().map_err(|_| wrong())?;
    let (action, value) = match rest.split_once('=') {
        Some((action, value)) => (action, Some(value)),
        None => (rest, None),
    };
    let mut spec = BudgetRuleSpec {
        at_percent,
        action: RuleAction::Notify,
        requests_per_minute: None,
        models: None,
    };
    match (action, value) {
        ("notify", None) => {}
        ("block", None) => spec.action = RuleAction::Block,
        ("throttle" | "shape", Some(rate)) => {
            spec.action = RuleAction::Throttle;
            spec.requests_per_minute = Some(rate.parse().map_err(|_| wrong())?);
        }
        ("restrict", Some(models)) => {
            spec.action = RuleAction::Restrict;
            spec.models = Some(models.split(',').map(str::to_owned).collect());
        }
        _ => return Err(wrong()),
    }
    Ok(spec)
}

/// The policy that is meant, if any.
pub(crate) fn policy(preset: Option<String>, rules: Vec<BudgetRuleSpec>) -> Option<PolicySpec> {
    match preset {
        Some(name) => Some(PolicySpec::Preset(name)),
        None if rules.is_empty() => None,
        None => Some(PolicySpec::Rules(rules)),
    }
}

pub(super) fn posture(posture: Posture) -> PostureKind {
    match posture {
        Posture::Granted => PostureKind::Granted,
        Posture::Grace => PostureKind::Grace,
        Posture::Refuse => PostureKind::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_others_refused() {
        let read = rule("100%:throttle=5").unwrap();
        assert_eq!(
            (read.at_percent, read.action, read.requests_per_minute),
            (100, RuleAction::Throttle, Some(5))
        );
        let read = rule("120:restrict=a,b").unwrap();
        assert_eq!(read.models, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(rule("150:block").unwrap().action, RuleAction::Block);
        for bad in [
            "",
            "80",
            "80:",
            "x:notify",
            "80:throttle",
            "80:notify=1",
            "80:throttle=x",
        ] {
            assert!(rule(bad).unwrap_err().contains("is not a rule"), "{bad}");
        }
    }
}
