//! What can be wrong with an endpoint.

use crate::named::named;

named! {
    /// What is wrong with an endpoint, or with one model of it, as requests have shown.
    Trouble {
        /// No connection is made.
        Unreachable = "unreachable",
        /// Bedrock fails.
        Unavailable = "unavailable",
        /// Too much at once.
        Throttled = "throttled",
        /// The day's tokens are used up.
        DailyQuota = "daily_quota",
        /// The credentials are not accepted, or there are none.
        Credentials = "credentials",
        /// The model is not to be had.
        ModelMissing = "model_missing",
    }
}

impl Trouble {
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

    /// What was wrong, in a few words, when it is over.
    #[must_use]
    pub const fn was(self) -> &'static str {
        match self {
            Self::Unreachable => "no connection could be made",
            Self::Unavailable => "Bedrock failed there",
            Self::Throttled => "more was asked than its quota allows",
            Self::DailyQuota => "the tokens of the day were used up",
            Self::Credentials => "AWS did not accept the credentials",
            Self::ModelMissing => "the account had no access to a model",
        }
    }

    /// Whether it is a quota that is used up.
    #[must_use]
    pub const fn is_throttling(self) -> bool {
        matches!(self, Self::Throttled | Self::DailyQuota)
    }
}
