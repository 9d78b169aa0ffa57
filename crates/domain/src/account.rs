//! Accounts: what one budget has left in one period, for one subject.

use crate::{BudgetId, Caller, KeyId, Stretch, TeamId, UnixMs, UserId};
use std::fmt;

/// Names the account of a budget in a period: `bud_…/1764547200000`, or, where everyone has one of their own,
/// `bud_…/1764547200000/user_…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// The account of a budget in the period that begins at `start_ms`; `subject` is whose it is, where the budget holds for
    /// everyone separately.
    #[must_use]
    pub fn new(budget: &BudgetId, start_ms: UnixMs, subject: Option<&UserId>) -> Self {
        Self(match subject {
            None => format!("{budget}/{start_ms}"),
            Some(user) => format!("{budget}/{start_ms}/{user}"),
        })
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.to_owned());
        let (budget, start_ms, subject) = id.parts()?;
        (Self::new(&budget, start_ms, subject.as_ref()) == id).then_some(id)
    }

    /// The budget, the start of the period, and the subject.
    #[must_use]
    pub fn parts(&self) -> Option<(BudgetId, UnixMs, Option<UserId>)> {
        let mut parts = self.0.split('/');
        let budget = BudgetId::parse(parts.next()?).ok()?;
        let start_ms = parts.next()?.parse().ok()?;
        let subject = match parts.next() {
            None => None,
            Some(text) => Some(UserId::parse(text).ok()?),
        };
        parts.next().is_none().then_some((budget, start_ms, subject))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose requests count towards an account: those that match everything that is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountFilter {
    /// Only this team's.
    pub team_id: Option<TeamId>,
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only this key's.
    pub key_id: Option<KeyId>,
}

impl AccountFilter {
    /// Whether a caller's requests count.
    #[must_use]
    pub fn matches(&self, caller: &Caller) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, there: Option<&T>) -> bool {
            wanted.is_none_or(|id| there == Some(id))
        }
        is(self.team_id.as_ref(), caller.team_id.as_ref())
            && is(self.user_id.as_ref(), caller.user_id.as_ref())
            && is(self.key_id.as_ref(), Some(&caller.key_id))
    }
}

/// An account, with what is needed to find out what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOf {
    /// Its name.
    pub id: AccountId,
    /// The period.
    pub stretch: Stretch,
    /// Whose requests count.
    pub filter: AccountFilter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_nothing_else_is() {
        let budget = BudgetId::parse("bud_1").unwrap();
        let user = UserId::parse("user_1").unwrap();
        for subject in [None, Some(&user)] {
            let id = AccountId::new(&budget, 1_764_547_200_000, subject);
            assert_eq!(AccountId::parse(id.as_str()), Some(id.clone()));
            assert_eq!(
                id.parts(),
                Some((budget.clone(), 1_764_547_200_000, subject.cloned()))
            );
        }
        for bad in [
            "",
            "bud_1",
            "bud_1/",
            "bud_1/x",
            "bud_1/01",
            "bud_1/1/",
            "bud_1/1/key_1",
            "bud_1/1/user_1/2",
            "team_1/1",
        ] {
            assert_eq!(AccountId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_filter_matches_what_it_names_and_leaves_the_rest_open() {
        let caller = Caller {
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: UserId::parse("user_1").ok(),
            team_id: None,
        };
        assert!(AccountFilter::default().matches(&caller));
        let of = |team: &str, user: &str, key: &str| AccountFilter {
            team_id: TeamId::parse(team).ok(),
            user_id: UserId::parse(user).ok(),
            key_id: KeyId::parse(key).ok(),
        };
        assert!(of("", "user_1", "key_1").matches(&caller));
        assert!(!of("team_1", "user_1", "").matches(&caller));
        assert!(!of("", "user_2", "").matches(&caller));
        assert!(!of("", "", "key_2").matches(&caller));
    }
}
