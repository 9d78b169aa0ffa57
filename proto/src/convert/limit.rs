//! Limits. One that cannot be understood is refused.

use super::{InvalidMessage, id, optional_id};
use crate::v1;
use ccag_domain::{BudgetScope, Limit, LimitKind, ModelName, TokenWeights};

impl From<Limit> for v1::Limit {
    fn from(limit: Limit) -> Self {
        let weights = match limit.kind {
            LimitKind::Tokens(weights) => Some(weights.into()),
            LimitKind::Requests | LimitKind::Concurrency => None,
        };
        let scope = limit.scope;
        Self {
            id: limit.id.into(),
            scope: scope.kind().to_owned(),
            team_id: scope.team_id().cloned().map(Into::into),
            user_id: scope.user_id().cloned().map(Into::into),
            key_id: scope.key_id().cloned().map(Into::into),
            models: limit.models.iter().map(ToString::to_string).collect(),
            kind: limit.kind.as_str().to_owned(),
            amount: limit.amount,
            weights,
        }
    }
}

impl TryFrom<v1::Limit> for Limit {
    type Error = InvalidMessage;
    fn try_from(message: v1::Limit) -> Result<Self, InvalidMessage> {
        let weights = message.weights.map_or_else(TokenWeights::default, Into::into);
        let scope = BudgetScope::of(
            &message.scope,
            optional_id("team_id", message.team_id)?,
            optional_id("user_id", message.user_id)?,
            optional_id("key_id", message.key_id)?,
        );
        Ok(Self {
            id: id("id", message.id)?,
            scope: scope.ok_or_else(|| InvalidMessage::unusable("scope", &message.scope))?,
            models: message
                .models
                .iter()
                .map(|name| ModelName::canonical(name))
                .collect(),
            kind: LimitKind::of(&message.kind, weights)
                .ok_or_else(|| InvalidMessage::unusable("kind", &message.kind))?,
            amount: message.amount,
        })
    }
}

impl From<TokenWeights> for v1::TokenWeights {
    fn from(weights: TokenWeights) -> Self {
        Self {
            input: weights.input,
            output: weights.output,
            cache_read: weights.cache_read,
            cache_write: weights.cache_write,
        }
    }
}

impl From<v1::TokenWeights> for TokenWeights {
    fn from(weights: v1::TokenWeights) -> Self {
        Self {
            input: weights.input,
            output: weights.output,
            cache_read: weights.cache_read,
            cache_write: weights.cache_write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{LimitId, TeamId};

    #[test]
    fn a_limit_survives_the_wire_and_what_makes_no_sense_is_refused_by_name() {
        let weights = TokenWeights {
            input: 1,
            output: 500,
            cache_read: 0,
            cache_write: 125,
        };
        for kind in [
            LimitKind::Requests,
            LimitKind::Tokens(weights),
            LimitKind::Concurrency,
        ] {
            let limit = Limit {
                id: LimitId::parse("lim_1").unwrap(),
                scope: BudgetScope::Team(TeamId::parse("team_1").unwrap()),
                models: vec![ModelName::canonical("claude-haiku-4-5")],
                kind,
                amount: 12,
            };
            let wire = v1::Limit::from(limit.clone());
            assert_eq!(Limit::try_from(wire.clone()), Ok(limit));
            let of = |spoil: fn(&mut v1::Limit)| {
                let mut wire = wire.clone();
                spoil(&mut wire);
                Limit::try_from(wire).unwrap_err().to_string()
            };
            assert!(of(|l| l.kind = "weekly".to_owned()).starts_with("kind"));
            assert!(of(|l| l.scope = "planet".to_owned()).starts_with("scope"));
            assert!(of(|l| l.team_id = None).starts_with("scope"));
        }
    }
}
