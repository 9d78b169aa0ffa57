//! Accounts: what one budget has left in one period, or one limit at present, for one subject.

use crate::{BudgetId, Caller, KeyId, LimitId, Stretch, TeamId, UnixMs, UserId};
use std::fmt;

/// The text that names an account; [`AccountName`] says what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

/// What an account is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountName {
    /// A budget in the period that begins then: `bud_…/1764547200000`, or, where everyone has one of their own,
    /// `bud_…/1764547200000/user_…`.
    Budget {
        /// Which budget.
        budget: BudgetId,
        /// When the period begins.
        start_ms: UnixMs,
        /// Whose it is, where the budget holds for everyone separately.
        subject: Option<UserId>,
    },
    /// A limit: `lim_…`, or, where everyone has one of their own, `lim_…/user_…`.
    Limit {
        /// Which limit.
        limit: LimitId,
        /// Whose it is, where the limit holds for everyone separately.
        subject: Option<UserId>,
    },
    /// The requests per minute of a key: `key_…`.
    Key(KeyId),
    /// The rate to which a budget slows down those who have spent a share of it: `bud_…/1764547200000/user_…/rpm=5`.
    Throttle {
        /// Which budget.
        budget: BudgetId,
        /// When the period begins.
        start_ms: UnixMs,
        /// Whose it is, where the budget holds for everyone separately.
        subject: Option<UserId>,
        /// Requests per minute.
        rate: u32,
    },
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { budget, start_ms, .. } | Self::Throttle { budget, start_ms, .. } => {
                write!(f, "{budget}/{start_ms}")?;
            }
            Self::Limit { limit, .. } => write!(f, "{limit}")?,
            Self::Key(key) => write!(f, "{key}")?,
        }
        if let Some(user) = self.subject() {
            write!(f, "/{user}")?;
        }
        match self {
            Self::Throttle { rate, .. } => write!(f, "/rpm={rate}"),
            _ => Ok(()),
        }
    }
}

impl AccountName {
    /// Whose it is, where everyone has one of their own.
    #[must_use]
    pub const fn subject(&self) -> Option<&UserId> {
        match self {
            Self::Budget { subject, .. } | Self::Limit { subject, .. } | Self::Throttle { subject, .. } => {
                subject.as_ref()
            }
            Self::Key(_) => None,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = text.split('/').collect();
        let rate = match parts.last()?.strip_prefix("rpm=") {
            Some(rate) => {
                parts.pop();
                Some(rate.parse().ok()?)
            }
            None => None,
        };
        let user = |text: &&str| UserId::parse(text).ok();
        if let Ok(budget) = BudgetId::parse(parts.first()?) {
            let start_ms = parts.get(1)?.parse().ok()?;
            let subject = match parts.get(2).map(user) {
                Some(user) => Some(user?),
                None => None,
            };
            return (parts.len() <= 3).then_some(match rate {
                None => Self::Budget {
                    budget,
                    start_ms,
                    subject,
                },
                Some(rate) => Self::Throttle {
                    budget,
                    start_ms,
                    subject,
                    rate,
                },
            });
        }
        if rate.is_some() {
            return None;
        }
        match parts.as_slice() {
            [key] if KeyId::parse(key).is_ok() => KeyId::parse(key).ok().map(Self::Key),
            [limit] => Some(Self::Limit {
                limit: LimitId::parse(limit).ok()?,
                subject: None,
            }),
            [limit, subject] => Some(Self::Limit {
                limit: LimitId::parse(limit).ok()?,
                subject: Some(user(subject)?),
            }),
            _ => None,
        }
    }
}

impl AccountId {
    /// The account of a budget in the period that begins at `start_ms`; `subject` is whose it is, where the budget holds for
    /// everyone separately.
    #[must_use]
    pub fn new(budget: &BudgetId, start_ms: UnixMs, subject: Option<&UserId>) -> Self {
        let name = AccountName::Budget {
            budget: budget.clone(),
            start_ms,
            subject: subject.cloned(),
        };
        Self::from(&name)
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = AccountName::read(text)?;
        let id = Self::from(&name);
        (id.0 == text).then_some(id)
    }

    /// What it is of; `None` never occurs for ids that were parsed or made here.
    #[must_use]
    pub fn name(&self) -> Option<AccountName> {
        AccountName::read(&self.0)
    }

    /// Whether it belongs to the budget or limit with this id, in whatever period and whoever it is about.
    #[must_use]
    pub fn is_of(&self, id: &str) -> bool {
        let rest = self.0.strip_prefix(id);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The budget, the start of the period, and the subject, if it is the account of a budget.
    #[must_use]
    pub fn of_budget(&self) -> Option<(BudgetId, UnixMs, Option<UserId>)> {
        match self.name()? {
            AccountName::Budget {
                budget,
                start_ms,
                subject,
            } => Some((budget, start_ms, subject)),
            _ => None,
        }
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&AccountName> for AccountId {
    fn from(name: &AccountName) -> Self {
        Self(name.to_string())
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
                id.of_budget(),
                Some((budget.clone(), 1_764_547_200_000, subject.cloned()))
            );
        }
        for good in [
            "bud_1/-5/user_1/rpm=3",
            "bud_1/0/rpm=3",
            "lim_1",
            "lim_1/user_1",
            "key_1",
        ] {
            let id = AccountId::parse(good).unwrap_or_else(|| panic!("{good}"));
            assert_eq!(AccountId::from(&id.name().unwrap()), id);
            assert_eq!(id.of_budget(), None, "{good}");
        }
        for bad in [
            "",
            "/",
            "bud_1",
            "bud_1/",
            "bud_1/x",
            "bud_1/01",
            "bud_1/1/",
            "bud_1/1/key_1",
            "bud_1/1/user_1/2",
            "bud_1/1/rpm=",
            "bud_1/1/rpm=03",
            "bud_1/rpm=3",
            "lim_1/",
            "lim_1/user_1/1",
            "lim_1/rpm=3",
            "key_1/user_1",
            "key_1/rpm=3",
            "rpm=3",
            "team_1/1",
            "team_1",
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
