//! Budgets. One that cannot be understood is refused; whoever receives it must not serve without it.

use super::{InvalidMessage, id, optional_id};
use crate::v1;
use crate::v1::budget_rule::Action;
use ccag_domain::{
    Budget, BudgetAction, BudgetMode, BudgetRule, BudgetScope, ModelName, NanoUsd, Period, Posture, Raise,
    TimeZone,
};

impl From<Budget> for v1::Budget {
    fn from(budget: Budget) -> Self {
        let (posture, grace) = match budget.posture {
            Posture::Granted => ("granted", NanoUsd::ZERO),
            Posture::Grace(amount) => ("grace", amount),
            Posture::Refuse => ("refuse", NanoUsd::ZERO),
        };
        let scope = budget.scope;
        Self {
            id: budget.id.into(),
            scope: scope.kind().to_owned(),
            team_id: scope.team_id().cloned().map(Into::into),
            user_id: scope.user_id().cloned().map(Into::into),
            key_id: scope.key_id().cloned().map(Into::into),
            amount_nano_usd: budget.amount.0,
            period: budget.period.as_str().to_owned(),
            time_zone: budget.time_zone.name().to_owned(),
            mode: budget.mode.as_str().to_owned(),
            rules: budget.rules.into_iter().map(Into::into).collect(),
            raises: budget.raises.into_iter().map(Into::into).collect(),
            posture: posture.to_owned(),
            grace_nano_usd: grace.0,
        }
    }
}

impl v1::Budget {
    /// Whose spending it bounds, even if the rest cannot be understood.
    ///
    /// # Errors
    /// [`InvalidMessage`] if that cannot be understood either.
    pub fn scope_of(&self) -> Result<BudgetScope, InvalidMessage> {
        BudgetScope::of(
            &self.scope,
            optional_id("team_id", self.team_id.clone())?,
            optional_id("user_id", self.user_id.clone())?,
            optional_id("key_id", self.key_id.clone())?,
        )
        .ok_or_else(|| InvalidMessage::unusable("scope", &self.scope))
    }
}

impl TryFrom<v1::Budget> for Budget {
    type Error = InvalidMessage;
    fn try_from(message: v1::Budget) -> Result<Self, InvalidMessage> {
        let unusable = |field, value: &str| InvalidMessage::unusable(field, value);
        Ok(Self {
            scope: message.scope_of()?,
            id: id("id", message.id)?,
            amount: amount("amount_nano_usd", message.amount_nano_usd)?,
            period: Period::parse(&message.period).ok_or_else(|| unusable("period", &message.period))?,
            time_zone: TimeZone::parse(&message.time_zone)
                .ok_or_else(|| unusable("time_zone", &message.time_zone))?,
            mode: BudgetMode::parse(&message.mode).ok_or_else(|| unusable("mode", &message.mode))?,
            rules: message
                .rules
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            raises: message
                .raises
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            posture: match message.posture.as_str() {
                "granted" => Posture::Granted,
                "grace" => Posture::Grace(amount("grace_nano_usd", message.grace_nano_usd)?),
                "refuse" => Posture::Refuse,
                other => return Err(unusable("posture", other)),
            },
        })
    }
}

fn amount(field: &'static str, nano: i64) -> Result<NanoUsd, InvalidMessage> {
    match nano {
        0.. => Ok(NanoUsd(nano)),
        _ => Err(InvalidMessage::unusable(field, nano)),
    }
}

impl From<BudgetRule> for v1::BudgetRule {
    fn from(rule: BudgetRule) -> Self {
        use v1::budget_rule as wire;
        let action = match rule.action {
            BudgetAction::Notify => Action::Notify(wire::Notify {}),
            BudgetAction::Throttle { requests_per_minute } => {
                Action::Throttle(wire::Throttle { requests_per_minute })
            }
            BudgetAction::Restrict { models } => Action::Restrict(wire::Restrict {
                models: models.iter().map(ToString::to_string).collect(),
            }),
            BudgetAction::Block => Action::Block(wire::Block {}),
        };
        Self {
            at_percent: rule.at_percent,
            action: Some(action),
        }
    }
}

impl TryFrom<v1::BudgetRule> for BudgetRule {
    type Error = InvalidMessage;
    fn try_from(message: v1::BudgetRule) -> Result<Self, InvalidMessage> {
        let action = match message.action.ok_or(InvalidMessage::Missing("rules.action"))? {
            Action::Notify(_) => BudgetAction::Notify,
            Action::Throttle(throttle) => BudgetAction::Throttle {
                requests_per_minute: throttle.requests_per_minute,
            },
            Action::Restrict(restrict) => BudgetAction::Restrict {
                models: restrict
                    .models
                    .iter()
                    .map(|name| ModelName::canonical(name))
                    .collect(),
            },
            Action::Block(_) => BudgetAction::Block,
        };
        Ok(Self {
            at_percent: message.at_percent,
            action,
        })
    }
}

impl From<Raise> for v1::BudgetRaise {
    fn from(raise: Raise) -> Self {
        Self {
            amount_nano_usd: raise.amount_nano_usd.0,
            from_ms: raise.from_ms,
            until_ms: raise.until_ms,
            reason: raise.reason,
        }
    }
}

impl TryFrom<v1::BudgetRaise> for Raise {
    type Error = InvalidMessage;
    fn try_from(message: v1::BudgetRaise) -> Result<Self, InvalidMessage> {
        Ok(Self {
            amount_nano_usd: amount("raises.amount_nano_usd", message.amount_nano_usd)?,
            from_ms: message.from_ms,
            until_ms: message.until_ms,
            reason: message.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{BudgetId, TeamId, UserId};

    fn budget() -> Budget {
        let (team, user) = (TeamId::parse("team_1").unwrap(), UserId::parse("user_1").unwrap());
        let rule = |at_percent, action| BudgetRule { at_percent, action };
        Budget {
            id: BudgetId::parse("bud_1").unwrap(),
            scope: BudgetScope::Member(team, user),
            amount: NanoUsd(12_345_678_901),
            period: Period::Weekly,
            time_zone: TimeZone::parse("Europe/Berlin").unwrap(),
            mode: BudgetMode::Hard,
            rules: vec![
                rule(50, BudgetAction::Notify),
                rule(
                    80,
                    BudgetAction::Throttle {
                        requests_per_minute: 5,
                    },
                ),
                rule(
                    90,
                    BudgetAction::Restrict {
                        models: vec![ModelName::canonical("claude-haiku-5-5")],
                    },
                ),
                rule(100, BudgetAction::Block),
            ],
            raises: vec![Raise {
                amount_nano_usd: NanoUsd(5),
                from_ms: 1,
                until_ms: 2,
                reason: "release".to_owned(),
            }],
            posture: Posture::Grace(NanoUsd(7)),
        }
    }

    #[test]
    fn a_budget_survives_the_wire() {
        assert_eq!(Budget::try_from(v1::Budget::from(budget())), Ok(budget()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name_and_the_scope_is_still_known() {
        type Spoil = fn(&mut v1::Budget);
        let spoils: [(&str, Spoil); 6] = [
            ("amount_nano_usd", |b| b.amount_nano_usd = -1),
            ("period", |b| b.period = "yearly".to_owned()),
            ("time_zone", |b| b.time_zone = "Mars/Olympus".to_owned()),
            ("mode", |b| b.mode.clear()),
            ("posture", |b| b.posture = "shrug".to_owned()),
            ("rules.action", |b| b.rules[0].action = None),
        ];
        for (field, spoil) in spoils {
            let mut wire = v1::Budget::from(budget());
            spoil(&mut wire);
            assert_eq!(wire.scope_of(), Ok(budget().scope));
            let error = Budget::try_from(wire).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        let mut wire = v1::Budget::from(budget());
        wire.scope = "planet".to_owned();
        assert!(wire.scope_of().is_err());
    }
}
