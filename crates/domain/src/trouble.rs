//! What can be wrong with an endpoint.

/// What is wrong with an endpoint, or with one model of it, as requests have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No connection is made.
    Unreachable,
    /// Bedrock fails.
    Unavailable,
    /// Too much at once.
    Throttled,
    /// The day's tokens are used up.
    DailyQuota,
    /// The credentials are not accepted, or there are none.
    Credentials,
    /// The model is not to be had.
    ModelMissing,
}

impl Trouble {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Unreachable,
        Self::Unavailable,
        Self::Throttled,
        Self::DailyQuota,
        Self::Credentials,
        Self::ModelMissing,
    ];

    /// The name, between the planes, in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::DailyQuota => "daily_quota",
            Self::Credentials => "credentials",
            Self::ModelMissing => "model_missing",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.as_str() == text)
    }

    /// What it is, for an admin.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "No connection is made: check the network, the proxy and the endpoint's URL."
            }
            Self::Unavailable => "Bedrock fails there; nothing is to be done but wait.",
            Self::Throttled => "More is asked than its quota allows: raise the quota, or share the load.",
            Self::DailyQuota => "The tokens of the day are used up: raise the quota, or wait for tomorrow.",
            Self::Credentials => "AWS does not accept the credentials, or the role cannot be assumed.",
            Self::ModelMissing => {
                "The account has no access to the model there: enable it in Bedrock, or discover the models anew."
            }
        }
    }
}
