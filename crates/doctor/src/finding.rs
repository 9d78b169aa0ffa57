//! One thing that is looked at, and what was found.

use serde::Serialize;
use std::time::Duration;

/// Who looks at something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `ccag-controlplane --check-config`, and `ccag-standalone --check-config`.
    ControlPlane,
    /// `ccag-dataplane --check-config`, and `ccag-standalone --check-config`.
    DataPlane,
    /// `ccag doctor`.
    Doctor,
}

/// One thing that is looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, and the anchor in `docs/doctor.md`.
    pub id: &'static str,
    /// Who looks at it.
    pub by: &'static [Program],
    /// What is looked at, in a few words.
    pub looks_at: &'static str,
    /// What can be found, in a few words.
    pub finds: &'static str,
    /// The document that says more, with its anchor, below `docs/`.
    pub page: &'static str,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Something does not work.
    Fault,
    /// It works, but will not for long, or not as one would like.
    Warning,
    /// It could not be looked at, because of something else.
    Skipped,
    /// Nothing is wrong.
    Ok,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's id.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was looked at: an address, a file, a variable. Never a secret.
    pub subject: String,
    /// What was found there.
    pub found: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The document that says more, below `docs/`.
    pub page: &'static str,
}

impl Check {
    fn finding(
        &self,
        state: State,
        subject: impl Into<String>,
        found: impl Into<String>,
        advice: Option<String>,
    ) -> Finding {
        Finding {
            check: self.id,
            state,
            subject: subject.into(),
            found: found.into(),
            advice,
            page: self.page,
        }
    }

    /// Nothing is wrong.
    pub fn ok(&self, subject: impl Into<String>, found: impl Into<String>) -> Finding {
        self.finding(State::Ok, subject, found, None)
    }

    /// It works, but not for long, or not as one would like.
    pub fn warning(
        &self,
        subject: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        self.finding(State::Warning, subject, found, Some(advice.into()))
    }

    /// It does not work.
    pub fn fault(
        &self,
        subject: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        self.finding(State::Fault, subject, found, Some(advice.into()))
    }

    /// It could not be looked at.
    pub fn skipped(&self, subject: impl Into<String>, why: impl Into<String>) -> Finding {
        self.finding(State::Skipped, subject, why, None)
    }
}

/// Looks at something, for so long at most. What takes longer is a fault of `check`.
pub async fn within(
    limit: Duration,
    check: &'static Check,
    subject: &str,
    look: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    match tokio::time::timeout(limit, look).await {
        Ok(findings) => findings,
        Err(_) => vec![check.fault(
            subject,
            format!("nothing came of it within {} s", limit.as_secs()),
            "find out what does not answer: a firewall, a security group or a proxy that drops packets is the usual cause",
        )],
    }
}
