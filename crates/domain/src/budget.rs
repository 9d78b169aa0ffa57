//! Budgets: how much may be spent, by whom, in which time, and what happens on the way there.

use crate::account::{AccountFilter, AccountId, AccountOf};
use crate::{BudgetId, Caller, KeyId, ModelName, NanoUsd, Period, TeamId, TimeZone, UnixMs, UserId};
use std::sync::Arc;

/// Whose spending a budget bounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BudgetScope {
    /// Everybody's together.
    Organisation,
    /// Each user's, where nothing is set for the user or, by their team, for its members.
    EachUser,
    /// A team's together.
    Team(TeamId),
    /// Each member's of a team, as far as the team pays, where nothing is set for the member.
    EachMember(TeamId),
    /// A member's of a team, as far as the team pays.
    Member(TeamId, UserId),
    /// A user's, whichever team pays.
    User(UserId),
    /// A key's.
    Key(KeyId),
}

impl BudgetAction {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Throttle { .. } => "throttle",
            Self::Restrict { .. } => "restrict",
            Self::Block => "block",
        }
    }
}

impl BudgetScope {
    /// The name of its kind in the API and the database.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::EachUser => "each_user",
            Self::Team(_) => "team",
            Self::EachMember(_) => "each_member",
            Self::Member(..) => "member",
            Self::User(_) => "user",
            Self::Key(_) => "key",
        }
    }

    /// The scope with these parts; `None` if one is missing, or there is one that does not belong there.
    #[must_use]
    pub fn of(kind: &str, team: Option<TeamId>, user: Option<UserId>, key: Option<KeyId>) -> Option<Self> {
        Some(match (kind, team, user, key) {
            ("organisation", None, None, None) => Self::Organisation,
            ("each_user", None, None, None) => Self::EachUser,
            ("team", Some(team), None, None) => Self::Team(team),
            ("each_member", Some(team), None, None) => Self::EachMember(team),
            ("member", Some(team), Some(user), None) => Self::Member(team, user),
            ("user", None, Some(user), None) => Self::User(user),
            ("key", None, None, Some(key)) => Self::Key(key),
            _ => return None,
        })
    }

    /// The team that it names.
    #[must_use]
    pub const fn team_id(&self) -> Option<&TeamId> {
        match self {
            Self::Team(team) | Self::EachMember(team) | Self::Member(team, _) => Some(team),
            _ => None,
        }
    }

    /// The user that it names.
    #[must_use]
    pub const fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::Member(_, user) | Self::User(user) => Some(user),
            _ => None,
        }
    }

    /// The key that it names.
    #[must_use]
    pub const fn key_id(&self) -> Option<&KeyId> {
        match self {
            Self::Key(key) => Some(key),
            _ => None,
        }
    }

    /// Whether everybody in it has an account of their own.
    #[must_use]
    pub const fn is_each(&self) -> bool {
        matches!(self, Self::EachUser | Self::EachMember(_))
    }
}

/// How closely a budget holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BudgetMode {
    /// A request is let through if what it is likely to cost is left. What is spent too much is bounded by the requests that
    /// run when the budget runs out.
    #[default]
    Balanced,
    /// A request is let through if the most that it could cost is left. Nothing is spent too much.
    Hard,
    /// As [`BudgetMode::Hard`]; a request for more output tokens than are left gets those that are left.
    Fitting,
}

impl BudgetMode {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Hard => "hard",
            Self::Fitting => "fitting",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Balanced, Self::Hard, Self::Fitting]
            .into_iter()
            .find(|m| m.as_str() == text)
    }

    /// Whether the most that a request could cost is set aside for it.
    #[must_use]
    pub const fn is_hard(self) -> bool {
        matches!(self, Self::Hard | Self::Fitting)
    }
}

/// What happens from a share of a budget on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum BudgetAction {
    /// Somebody is told.
    Notify,
    /// Requests are slowed down to so many per minute, for each that the budget is about.
    Throttle {
        /// The rate.
        requests_per_minute: u32,
    },
    /// Only these models are served.
    Restrict {
        /// The canonical names.
        models: Vec<ModelName>,
    },
    /// Nothing is served.
    Block,
}

/// One step on the way through a budget.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BudgetRule {
    /// From which share of the amount on, in percent: 1 to 1000.
    pub at_percent: u32,
    /// What happens.
    #[serde(flatten)]
    pub action: BudgetAction,
}

/// More, for a while.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Raise {
    /// How much more, in nano-USD.
    pub amount_nano_usd: NanoUsd,
    /// From when on.
    pub from_ms: UnixMs,
    /// Until when.
    pub until_ms: UnixMs,
    /// Why.
    pub reason: String,
}

/// What a data plane does about a budget while it cannot ask the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Posture {
    /// It serves from what it has been granted, and then no more.
    #[default]
    Granted,
    /// It serves so much more: each data plane, each time that it is cut off.
    Grace(NanoUsd),
    /// It serves nothing.
    Refuse,
}

/// How much may be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Its id.
    pub id: BudgetId,
    /// Whose spending it bounds.
    pub scope: BudgetScope,
    /// How much; zero means that nothing may be spent.
    pub amount: NanoUsd,
    /// When it begins anew.
    pub period: Period,
    /// In whose midnight that is.
    pub time_zone: TimeZone,
    /// How closely it holds.
    pub mode: BudgetMode,
    /// The steps, from low to high.
    pub rules: Vec<BudgetRule>,
    /// More, for a while.
    pub raises: Vec<Raise>,
    /// What happens without the control plane.
    pub posture: Posture,
}

impl Budget {
    /// A budget that lets nothing through: what stands in for one that cannot be understood, since to go on without it would
    /// open what somebody has closed.
    #[must_use]
    pub fn sealed(id: BudgetId, scope: BudgetScope) -> Self {
        Self {
            id,
            scope,
            amount: NanoUsd::ZERO,
            period: Period::Total,
            time_zone: TimeZone::UTC,
            mode: BudgetMode::Hard,
            rules: vec![BudgetRule {
                at_percent: 100,
                action: BudgetAction::Block,
            }],
            raises: Vec::new(),
            posture: Posture::Refuse,
        }
    }

    /// The amount at a moment, raises included.
    #[must_use]
    pub fn amount_at(&self, now: UnixMs) -> NanoUsd {
        let raised: NanoUsd = self
            .raises
            .iter()
            .filter(|raise| raise.from_ms <= now && now < raise.until_ms)
            .map(|raise| raise.amount_nano_usd)
            .sum();
        self.amount + raised
    }

    /// What may be spent at most, at a moment; `None` if nothing is ever blocked.
    #[must_use]
    pub fn ceiling_at(&self, now: UnixMs) -> Option<NanoUsd> {
        let block = self
            .rules
            .iter()
            .find(|rule| rule.action == BudgetAction::Block)?;
        Some(share(self.amount_at(now), block.at_percent))
    }

    /// The rules whose share has been spent, at a moment.
    pub fn reached(&self, spent: NanoUsd, now: UnixMs) -> impl Iterator<Item = &BudgetRule> {
        let amount = self.amount_at(now);
        self.rules
            .iter()
            .filter(move |rule| spent >= share(amount, rule.at_percent))
    }

    /// The account of a subject in the period around a moment; a budget for everyone separately needs a subject.
    #[must_use]
    pub fn account(&self, at: UnixMs, subject: Option<&UserId>) -> AccountOf {
        let stretch = self.period.around(at, &self.time_zone);
        let subject = subject.filter(|_| self.scope.is_each());
        AccountOf {
            id: AccountId::new(&self.id, stretch.start_ms, subject),
            stretch,
            filter: AccountFilter {
                team_id: self.scope.team_id().cloned(),
                user_id: self.scope.user_id().or(subject).cloned(),
                key_id: self.scope.key_id().cloned(),
            },
        }
    }
}

/// A share of an amount, rounded down.
#[must_use]
pub fn share(amount: NanoUsd, percent: u32) -> NanoUsd {
    let nano = i128::from(amount.0) * i128::from(percent) / 100;
    NanoUsd(i64::try_from(nano).unwrap_or(i64::MAX))
}

/// What is set for a scope: a budget or a limit.
pub trait Scoped {
    /// What names it.
    type Id: Clone + Eq + std::hash::Hash;

    /// Its name.
    fn id(&self) -> &Self::Id;

    /// Whom it is about.
    fn scope(&self) -> &BudgetScope;
}

impl Scoped for Budget {
    type Id = BudgetId;

    fn id(&self) -> &BudgetId {
        &self.id
    }

    fn scope(&self) -> &BudgetScope {
        &self.scope
    }
}

/// What is set for a caller; all of it must hold. `find` gives what there is for a scope.
///
/// Of what is set for a member, what is about this one counts before what is about each. The organisation's word for each
/// user counts where nothing is set for the user nor, by their team, for its members.
pub fn applicable<'a, T>(caller: &Caller, find: impl Fn(&BudgetScope) -> &'a [Arc<T>]) -> Vec<&'a Arc<T>> {
    let mut found: Vec<&Arc<T>> = Vec::new();
    found.extend(find(&BudgetScope::Organisation));
    let mut of_member: &[Arc<T>] = &[];
    if let Some(team) = &caller.team_id {
        found.extend(find(&BudgetScope::Team(team.clone())));
        if let Some(user) = &caller.user_id {
            of_member = find(&BudgetScope::Member(team.clone(), user.clone()));
            if of_member.is_empty() {
                of_member = find(&BudgetScope::EachMember(team.clone()));
            }
        }
    }
    found.extend(of_member);
    if let Some(user) = &caller.user_id {
        let mut of_user = find(&BudgetScope::User(user.clone()));
        if of_user.is_empty() && of_member.is_empty() {
            of_user = find(&BudgetScope::EachUser);
        }
        found.extend(of_user);
    }
    found.extend(find(&BudgetScope::Key(caller.key_id.clone())));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn team() -> TeamId {
        TeamId::parse("team_1").unwrap()
    }

    fn user(n: u32) -> UserId {
        UserId::parse(&format!("user_{n}")).unwrap()
    }

    fn budget(scope: BudgetScope) -> Budget {
        Budget {
            id: BudgetId::parse(&format!("bud_{}", scope.kind())).unwrap(),
            scope,
            amount: NanoUsd::from_usd(10),
            period: Period::Monthly,
            time_zone: TimeZone::UTC,
            mode: BudgetMode::Balanced,
            rules: vec![
                BudgetRule {
                    at_percent: 80,
                    action: BudgetAction::Notify,
                },
                BudgetRule {
                    at_percent: 150,
                    action: BudgetAction::Block,
                },
            ],
            raises: Vec::new(),
            posture: Posture::Granted,
        }
    }

    fn kinds(caller: &Caller, scopes: &[BudgetScope]) -> Vec<&'static str> {
        let table: HashMap<BudgetScope, Vec<Arc<Budget>>> = scopes
            .iter()
            .map(|scope| (scope.clone(), vec![Arc::new(budget(scope.clone()))]))
            .collect();
        applicable(caller, |scope| table.get(scope).map_or(&[], Vec::as_slice))
            .iter()
            .map(|budget| budget.scope.kind())
            .collect()
    }

    #[test]
    fn what_is_set_for_one_counts_before_what_is_set_for_each() {
        let member = Caller {
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: Some(user(1)),
            team_id: Some(team()),
        };
        let all = [
            BudgetScope::Organisation,
            BudgetScope::EachUser,
            BudgetScope::Team(team()),
            BudgetScope::EachMember(team()),
            BudgetScope::Member(team(), user(1)),
            BudgetScope::User(user(1)),
            BudgetScope::Key(KeyId::parse("key_1").unwrap()),
        ];
        assert_eq!(
            kinds(&member, &all),
            ["organisation", "team", "member", "user", "key"]
        );
        assert_eq!(kinds(&member, &all[..4]), ["organisation", "team", "each_member"]);
        assert_eq!(kinds(&member, &all[..3]), ["organisation", "team", "each_user"]);
        let other = Caller {
            user_id: Some(user(2)),
            ..member.clone()
        };
        assert_eq!(
            kinds(&other, &all),
            ["organisation", "team", "each_member", "key"]
        );
        // A key of a team counts for the team, and for nobody's own budget.
        let service = Caller {
            user_id: None,
            ..member
        };
        assert_eq!(kinds(&service, &all), ["organisation", "team", "key"]);
    }

    #[test]
    fn the_ceiling_is_where_the_block_is_and_raises_end() {
        let mut budget = budget(BudgetScope::Organisation);
        assert_eq!(budget.ceiling_at(0), Some(NanoUsd::from_usd(15)));
        budget.raises.push(Raise {
            amount_nano_usd: NanoUsd::from_usd(2),
            from_ms: 10,
            until_ms: 20,
            reason: "a release".to_owned(),
        });
        let ceilings = [9, 10, 19, 20].map(|now| budget.ceiling_at(now).unwrap().0 / NanoUsd::PER_USD);
        assert_eq!(ceilings, [15, 18, 18, 15]);
        assert_eq!(budget.reached(NanoUsd::from_usd(8), 0).count(), 1);
        // Raised to 12 dollars, 8 are not 80 percent.
        assert_eq!(budget.reached(NanoUsd::from_usd(8), 10).count(), 0);
        budget.rules.pop();
        assert_eq!(budget.ceiling_at(0), None);
    }

    #[test]
    fn nothing_is_reached_at_once_by_an_amount_of_zero_but_everything() {
        let mut budget = budget(BudgetScope::Organisation);
        budget.amount = NanoUsd::ZERO;
        assert_eq!(budget.ceiling_at(0), Some(NanoUsd::ZERO));
        assert_eq!(budget.reached(NanoUsd::ZERO, 0).count(), 2);
    }

    #[test]
    fn everyone_has_an_account_of_their_own_where_the_budget_is_for_each() {
        let each = budget(BudgetScope::EachMember(team()));
        let account = each.account(1_764_547_200_000, Some(&user(7)));
        assert_eq!(account.filter.user_id, Some(user(7)));
        assert_eq!(account.filter.team_id, Some(team()));
        let pooled = budget(BudgetScope::Team(team())).account(1_764_547_200_000, Some(&user(7)));
        assert_eq!(pooled.filter.user_id, None);
        assert_eq!(pooled.id.of_budget().unwrap().2, None);
    }

    #[test]
    fn scopes_are_read_back_from_their_parts() {
        for scope in [
            BudgetScope::Organisation,
            BudgetScope::EachUser,
            BudgetScope::Team(team()),
            BudgetScope::EachMember(team()),
            BudgetScope::Member(team(), user(1)),
            BudgetScope::User(user(1)),
            BudgetScope::Key(KeyId::parse("key_1").unwrap()),
        ] {
            let parts = (
                scope.team_id().cloned(),
                scope.user_id().cloned(),
                scope.key_id().cloned(),
            );
            assert_eq!(
                BudgetScope::of(scope.kind(), parts.0, parts.1, parts.2),
                Some(scope)
            );
        }
        assert_eq!(BudgetScope::of("organisation", Some(team()), None, None), None);
        assert_eq!(BudgetScope::of("member", Some(team()), None, None), None);
    }
}
