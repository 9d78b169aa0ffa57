//! The ways to ask Bedrock for a model, and the guardrails that stand before and behind them.

use std::fmt;

/// A way to ask Bedrock for a model. They differ in URL, framing, limits and what they take (`docs/lanes.md`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// `InvokeModel` of Bedrock Runtime: every region, every model, native guardrails.
    #[default]
    InvokeModel,
    /// `/anthropic/v1/messages` of Bedrock Runtime: Anthropic's own format and server-sent events.
    Messages,
    /// `/anthropic/v1/messages` of bedrock-mantle: the same, with quotas of its own, for base models of the region.
    Mantle,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 3] = [Self::InvokeModel, Self::Messages, Self::Mantle];

    /// The name used in the API, the database, metrics and rule books.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvokeModel => "invoke-model",
            Self::Messages => "messages",
            Self::Mantle => "mantle",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The lanes that an endpoint may use, the preferred one first. [`Lane::InvokeModel`] is always among them: it serves what
/// the others do not, so where it is not named it comes last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "Vec<Lane>", into = "Vec<Lane>")]
pub struct Lanes(Vec<Lane>);

impl Lanes {
    /// The lanes in this order; what stands twice counts once.
    pub fn new(lanes: impl IntoIterator<Item = Lane>) -> Self {
        let mut order = Vec::with_capacity(Lane::ALL.len());
        for lane in lanes.into_iter().chain([Lane::InvokeModel]) {
            if !order.contains(&lane) {
                order.push(lane);
            }
        }
        Self(order)
    }

    /// The preferred lane first; never empty.
    #[must_use]
    pub fn as_slice(&self) -> &[Lane] {
        &self.0
    }

    /// Whether the lane may be used.
    #[must_use]
    pub fn contains(&self, lane: Lane) -> bool {
        self.0.contains(&lane)
    }

    /// Reads names; an unknown one is returned as the error.
    ///
    /// # Errors
    /// The name that is no lane's.
    pub fn parse<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, &'n str> {
        let lanes: Vec<_> = names
            .into_iter()
            .map(|name| Lane::parse(name).ok_or(name))
            .collect::<Result<_, _>>()?;
        Ok(Self::new(lanes))
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new([])
    }
}

impl From<Vec<Lane>> for Lanes {
    fn from(lanes: Vec<Lane>) -> Self {
        Self::new(lanes)
    }
}

impl From<Lanes> for Vec<Lane> {
    fn from(lanes: Lanes) -> Self {
        lanes.0
    }
}

/// How much Bedrock tells about what a guardrail found. The gateway takes the trace out of every answer; it exists for
/// Bedrock's own invocation log, and it quotes what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GuardrailTrace {
    /// Nothing.
    #[default]
    Disabled,
    /// What was found.
    Enabled,
    /// Also what was looked for and not found.
    EnabledFull,
}

impl GuardrailTrace {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::EnabledFull => "enabled-full",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Disabled, Self::Enabled, Self::EnabledFull]
            .into_iter()
            .find(|trace| trace.as_str() == text)
    }
}

/// An Amazon Bedrock guardrail that requests must pass.
///
/// It can stand at an endpoint, for everything that goes through it, and at a team, for everything that its callers send.
/// Bedrock takes one for each request, and the team's wins: see [`Guardrail::in_force`]. Nothing that a client sends chooses,
/// changes or switches off a guardrail.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Guardrail {
    /// Its id, or its ARN.
    pub id: String,
    /// Its version: a number, or `DRAFT`.
    pub version: String,
    /// How much Bedrock tells.
    pub trace: GuardrailTrace,
    /// Whether only what the user and the tools said is tagged to be looked at. Without tags Bedrock looks at everything,
    /// the system prompt too; with them word filters still do.
    pub tag_input: bool,
}

impl Guardrail {
    /// Which of the two holds for a request: the team's, else the endpoint's. The team's is about who asks, and the narrower
    /// rule; a team whose guardrail the endpoint's account does not have is refused there, never served without one.
    #[must_use]
    pub fn in_force<'g>(team: Option<&'g Self>, endpoint: Option<&'g Self>) -> Option<&'g Self> {
        team.or(endpoint)
    }

    /// Whether an id can be one: what `InvokeModel` takes (Amazon Bedrock API reference, "InvokeModel"), lower-case letters
    /// and digits, or an ARN.
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let in_arn = |c: char| c.is_ascii_alphanumeric() || "-:/".contains(c);
        !text.is_empty()
            && text.len() <= 2_048
            && (text.chars().all(plain) || (text.starts_with("arn:aws") && text.chars().all(in_arn)))
    }

    /// Whether a version can be one: `DRAFT` or a number from 1 to 99999999.
    #[must_use]
    pub fn is_version(text: &str) -> bool {
        let number = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text == "DRAFT" || (number && !text.starts_with('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invoke_model_is_always_among_the_lanes() {
        assert_eq!(Lanes::default().as_slice(), [Lane::InvokeModel]);
        let preferred = Lanes::new([Lane::Mantle, Lane::Mantle]);
        assert_eq!(preferred.as_slice(), [Lane::Mantle, Lane::InvokeModel]);
        let last = Lanes::parse(["invoke-model", "messages"]).unwrap();
        assert_eq!(last.as_slice(), [Lane::InvokeModel, Lane::Messages]);
        assert_eq!(Lanes::parse(["messages", "pigeon"]), Err("pigeon"));
    }

    #[test]
    fn names_are_read_back() {
        for lane in Lane::ALL {
            assert_eq!(Lane::parse(lane.as_str()), Some(lane));
        }
        for trace in ["disabled", "enabled", "enabled-full"] {
            assert_eq!(GuardrailTrace::parse(trace).unwrap().as_str(), trace);
        }
    }

    #[test]
    fn the_teams_guardrail_wins() {
        let guardrail = |id: &str| Guardrail {
            id: id.to_owned(),
            version: "1".to_owned(),
            trace: GuardrailTrace::Disabled,
            tag_input: false,
        };
        let (team, endpoint) = (guardrail("team"), guardrail("endpoint"));
        assert_eq!(Guardrail::in_force(Some(&team), Some(&endpoint)), Some(&team));
        assert_eq!(Guardrail::in_force(None, Some(&endpoint)), Some(&endpoint));
        assert_eq!(Guardrail::in_force(None, None), None);
    }

    #[test]
    fn what_cannot_be_a_guardrail_is_seen() {
        for id in ["gr1abc", "arn:aws:bedrock:us-east-1:111122223333:guardrail/abc"] {
            assert!(Guardrail::is_id(id), "{id}");
        }
        for id in ["", "Abc", "a/b", "a b", "arn:aws:x y"] {
            assert!(!Guardrail::is_id(id), "{id}");
        }
        for version in ["DRAFT", "1", "99999999"] {
            assert!(Guardrail::is_version(version), "{version}");
        }
        for version in ["", "draft", "0", "01", "123456789", "1/../2"] {
            assert!(!Guardrail::is_version(version), "{version}");
        }
    }
}
