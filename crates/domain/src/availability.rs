//! Whether an account may use a foundation model, as far as AWS tells.

use std::fmt;

/// Something that AWS names as standing in the way of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The model is not in the region.
    NotInRegion,
    /// The account, or the role that asks, is not authorized to use it.
    NotAuthorized,
    /// The agreement with its vendor has not been accepted.
    AgreementMissing,
    /// The agreement is being made.
    AgreementPending,
    /// The agreement could not be made.
    AgreementFailed,
    /// The account is not entitled to it, for all its agreement.
    NotEntitled,
}

/// What AWS answered when it was asked about one foundation model in one account and region.
///
/// It is for people, and no request is decided by it: see `docs/adr/0010-the-catalogue-is-data.md`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Availability {
    /// Nothing stands in the way.
    Available,
    /// Something does.
    Hindered {
        /// What, the widest first. Never empty.
        by: Vec<Obstacle>,
        /// AWS's own words about an agreement that could not be made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreement_error: Option<String>,
    },
    /// AWS did not say.
    Unknown {
        /// Why, in words that follow "unknown: ".
        why: String,
    },
}

impl Obstacle {
    /// What it is, in a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotInRegion => "not in this region",
            Self::NotAuthorized => "not authorized",
            Self::AgreementMissing => "agreement not accepted",
            Self::AgreementPending => "agreement pending",
            Self::AgreementFailed => "agreement failed",
            Self::NotEntitled => "not entitled",
        }
    }

    /// What to do about it.
    ///
    /// Sources: Amazon Bedrock user guide, "Request access to models" (the first request makes the agreement, within 15
    /// minutes, if the caller has Marketplace permissions; the use case form; the model catalog), and the API reference,
    /// `GetFoundationModelAvailability`.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotInRegion => "only an inference profile can reach it, if one is listed",
            Self::NotAuthorized => {
                "look for an IAM policy or SCP that denies it, and whether Anthropic's use case form has been submitted"
            }
            Self::AgreementMissing => {
                "the first request accepts it if the role has aws-marketplace:Subscribe; otherwise open the model in the \
                 model catalog of the Bedrock console"
            }
            Self::AgreementPending => "AWS takes up to 15 minutes to make it",
            Self::AgreementFailed => "open the model in the model catalog of the Bedrock console",
            Self::NotEntitled => {
                "open the model in the model catalog of the Bedrock console, or ask AWS's support"
            }
        }
    }
}

impl Availability {
    /// What there is to say, each with more about it: one pair, or one for each thing that stands in the way.
    #[must_use]
    pub fn words(&self) -> Vec<(&'static str, Option<String>)> {
        match self {
            Self::Available => vec![("available", None)],
            Self::Unknown { why } => vec![("unknown", Some(why.clone()))],
            Self::Hindered { by, agreement_error } => by
                .iter()
                .map(|obstacle| {
                    let advice = match (obstacle, agreement_error) {
                        (Obstacle::AgreementFailed, Some(error)) => format!("{error}; {}", obstacle.advice()),
                        _ => obstacle.advice().to_owned(),
                    };
                    (obstacle.name(), Some(advice))
                })
                .collect(),
        }
    }
}

impl fmt::Display for Availability {
    /// `available`, `agreement pending: …`, `unknown: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, more)) in self.words().iter().enumerate() {
            let between = if i > 0 { "; " } else { "" };
            write!(f, "{between}{name}")?;
            if let Some(more) = more {
                write!(f, ": {more}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_stands_in_the_way_is_said_with_what_helps() {
        let both = Availability::Hindered {
            by: vec![Obstacle::NotInRegion, Obstacle::AgreementFailed],
            agreement_error: Some("no payment method".into()),
        };
        assert_eq!(
            both.to_string(),
            "not in this region: only an inference profile can reach it, if one is listed; \
             agreement failed: no payment method; open the model in the model catalog of the Bedrock console"
        );
        assert_eq!(Availability::Available.to_string(), "available");
        let unknown = Availability::Unknown {
            why: "the role lacks x".into(),
        };
        assert_eq!(unknown.to_string(), "unknown: the role lacks x");
    }

    #[test]
    fn it_is_kept_as_it_was() {
        for (kept, text) in [
            (Availability::Available, r#"{"state":"available"}"#),
            (
                Availability::Hindered {
                    by: vec![Obstacle::AgreementMissing],
                    agreement_error: None,
                },
                r#"{"state":"hindered","by":["agreement_missing"]}"#,
            ),
            (
                Availability::Unknown { why: "x".into() },
                r#"{"state":"unknown","why":"x"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&kept).unwrap(), text);
            assert_eq!(serde_json::from_str::<Availability>(text).unwrap(), kept);
        }
    }
}
