//! The breaker: sessions of Claude Code that run away are paused.

use crate::{Caller, KeyId, NanoUsd, PauseId, UnixMs, UserId};

/// Over how long is measured, in milliseconds.
pub const WINDOW_MS: i64 = 60_000;

/// What a session may do within a minute; what is not said has no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreakerPolicy {
    /// What requests that end within a minute may cost together.
    pub usd_per_minute: Option<NanoUsd>,
    /// How many agents, the main one included, may work within a minute.
    pub agents_per_minute: Option<u32>,
}

/// What a session has done within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionPace {
    /// What requests that ended have cost.
    pub cost: NanoUsd,
    /// How many agents they came from.
    pub agents: u32,
}

impl BreakerPolicy {
    /// Whether it limits anything.
    #[must_use]
    pub const fn limits(&self) -> bool {
        self.usd_per_minute.is_some() || self.agents_per_minute.is_some()
    }

    /// Why a session of this pace is to be paused; `None` while it keeps to the limits. Money comes first.
    #[must_use]
    pub fn judge(&self, pace: SessionPace) -> Option<PauseReason> {
        let spend = self.usd_per_minute.filter(|limit| pace.cost > *limit);
        if let Some(limit) = spend {
            return Some(PauseReason::Spend {
                measured: pace.cost,
                limit,
            });
        }
        let agents = self.agents_per_minute.filter(|limit| pace.agents > *limit)?;
        Some(PauseReason::Agents {
            measured: pace.agents,
            limit: agents,
        })
    }
}

/// Whose session it is: the user's, or, of a key without one, the key's. Sessions of different owners are different ones,
/// also where they have the same id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionOwner {
    /// A user, whichever key is shown.
    User(UserId),
    /// A key that belongs to nobody.
    Key(KeyId),
}

impl SessionOwner {
    /// The owner of what a caller sends.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        match &caller.user_id {
            Some(user) => Self::User(user.clone()),
            None => Self::Key(caller.key_id.clone()),
        }
    }

    /// Reads the id of a user or of a key.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let user = UserId::parse(id).map(Self::User);
        user.or_else(|_| KeyId::parse(id).map(Self::Key)).ok()
    }

    /// The id of the user or of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::Key(id) => id.as_str(),
        }
    }
}

/// Why a session was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseReason {
    /// It spent too fast.
    Spend {
        /// What its requests of a minute cost.
        measured: NanoUsd,
        /// What they may cost.
        limit: NanoUsd,
    },
    /// Too many agents worked for it.
    Agents {
        /// How many within a minute.
        measured: u32,
        /// How many may.
        limit: u32,
    },
}

impl PauseReason {
    /// The name used in the API, in the database and on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Spend { .. } => "spend",
            Self::Agents { .. } => "agents",
        }
    }

    /// What was measured and the limit, as they are stored: nano-dollars, or a count of agents.
    #[must_use]
    pub fn figures(&self) -> (i64, i64) {
        match self {
            Self::Spend { measured, limit } => (measured.0, limit.0),
            Self::Agents { measured, limit } => (i64::from(*measured), i64::from(*limit)),
        }
    }

    /// Reads what [`PauseReason::kind`] and [`PauseReason::figures`] say; `None` if it makes no sense.
    #[must_use]
    pub fn of(kind: &str, measured: i64, limit: i64) -> Option<Self> {
        match kind {
            "spend" => Some(Self::Spend {
                measured: NanoUsd(measured),
                limit: NanoUsd(limit),
            }),
            "agents" => Some(Self::Agents {
                measured: u32::try_from(measured).ok()?,
                limit: u32::try_from(limit).ok()?,
            }),
            _ => None,
        }
    }
}

impl std::fmt::Display for PauseReason {
    /// What was measured against which limit, as a sentence about the session, without the full stop.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Spend { measured, limit } => {
                let decimals = if limit.0 < 1_000_000_000 { 4 } else { 2 };
                let measured = measured.to_usd_string(decimals);
                write!(
                    f,
                    "it spent ${measured} within a minute, and ${limit} are allowed"
                )
            }
            Self::Agents { measured, limit } => write!(
                f,
                "{measured} agents worked in it within a minute, and {limit} are allowed"
            ),
        }
    }
}

/// A session that is paused: its requests are refused until somebody resumes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedSession {
    /// Names the pause; the next one of the same session has another id.
    pub id: PauseId,
    /// Whose session it is.
    pub owner: SessionOwner,
    /// The session's id, as the client sends it.
    pub session_id: String,
    /// Why.
    pub reason: PauseReason,
    /// Since when.
    pub paused_at_ms: UnixMs,
    /// The page on which it can be resumed, where the installation has a public address.
    pub resume_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(dollars: i64, agents: u32) -> SessionPace {
        SessionPace {
            cost: NanoUsd(dollars * 1_000_000_000),
            agents,
        }
    }

    #[test]
    fn a_session_is_paused_beyond_a_limit_and_not_at_it() {
        let policy = BreakerPolicy {
            usd_per_minute: Some(NanoUsd(5_000_000_000)),
            agents_per_minute: Some(10),
        };
        assert_eq!(policy.judge(pace(5, 10)), None);
        assert_eq!(policy.judge(pace(6, 11)).unwrap().kind(), "spend");
        assert_eq!(
            policy.judge(pace(0, 11)).unwrap().to_string(),
            "11 agents worked in it within a minute, and 10 are allowed"
        );
        assert_eq!(
            policy.judge(pace(6, 1)).unwrap().to_string(),
            "it spent $6.00 within a minute, and $5.00 are allowed"
        );
        assert_eq!(BreakerPolicy::default().judge(pace(1_000, 1_000)), None);
    }

    #[test]
    fn a_reason_is_read_back_as_it_was_stored() {
        let policy = BreakerPolicy {
            usd_per_minute: Some(NanoUsd(1)),
            agents_per_minute: Some(1),
        };
        for pace in [pace(1, 1), pace(0, 2)] {
            let reason = policy.judge(pace).unwrap();
            let (measured, limit) = reason.figures();
            assert_eq!(PauseReason::of(reason.kind(), measured, limit), Some(reason));
        }
        assert_eq!(PauseReason::of("mood", 1, 1), None);
        assert_eq!(PauseReason::of("agents", -1, 1), None);
    }

    #[test]
    fn the_owner_is_the_user_or_else_the_key() {
        assert_eq!(SessionOwner::parse("user_1").unwrap().as_str(), "user_1");
        assert_eq!(SessionOwner::parse("key_1").unwrap().as_str(), "key_1");
        assert_eq!(SessionOwner::parse("team_1"), None);
    }
}
