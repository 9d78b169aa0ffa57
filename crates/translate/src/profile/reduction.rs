//! What to leave out of a request after Bedrock has refused it.

use std::borrow::Cow;

/// What to leave out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Only the betas that the native client always sends.
    MinimalBetas,
    /// No betas at all.
    NoBetas,
    /// This beta.
    Beta(String),
    /// The field at this path.
    Path(String),
    /// At most this many output tokens.
    MaxTokens(u64),
    /// The thinking of earlier turns: what is left when its signatures no longer fit what is sent before it.
    ThinkingHistory,
}

impl Reduction {
    /// Kind and value as text, for what is remembered and shown. See [`Reduction::parse`].
    #[must_use]
    pub fn parts(&self) -> (&'static str, Cow<'_, str>) {
        match self {
            Self::MinimalBetas => ("minimal_betas", "".into()),
            Self::NoBetas => ("no_betas", "".into()),
            Self::Beta(name) => ("beta", name.into()),
            Self::Path(path) => ("path", path.into()),
            Self::MaxTokens(limit) => ("max_tokens", limit.to_string().into()),
            Self::ThinkingHistory => ("thinking_history", "".into()),
        }
    }

    /// Reads what [`Reduction::parts`] gave; `None` for what a newer version may have written.
    #[must_use]
    pub fn parse(kind: &str, value: &str) -> Option<Self> {
        match kind {
            "minimal_betas" => Some(Self::MinimalBetas),
            "no_betas" => Some(Self::NoBetas),
            "beta" if !value.is_empty() => Some(Self::Beta(value.to_owned())),
            "path" if !value.is_empty() => Some(Self::Path(value.to_owned())),
            "max_tokens" => value.parse().ok().filter(|limit| *limit > 0).map(Self::MaxTokens),
            "thinking_history" => Some(Self::ThinkingHistory),
            _ => None,
        }
    }

    /// Whether it says something about the endpoint and model, and not only about one conversation.
    #[must_use]
    pub const fn is_lesson(&self) -> bool {
        !matches!(self, Self::ThinkingHistory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_read_back() {
        for reduction in [
            Reduction::MinimalBetas,
            Reduction::NoBetas,
            Reduction::Beta("a-2030-01-01".into()),
            Reduction::Path("tools.0.custom.strict".into()),
            Reduction::MaxTokens(64_000),
            Reduction::ThinkingHistory,
        ] {
            let (kind, value) = reduction.parts();
            assert_eq!(Reduction::parse(kind, &value), Some(reduction.clone()));
        }
        for (kind, value) in [
            ("beta", ""),
            ("max_tokens", "0"),
            ("max_tokens", "x"),
            ("novelty", "x"),
        ] {
            assert_eq!(Reduction::parse(kind, value), None);
        }
    }
}
