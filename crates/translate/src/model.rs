//! What a client means by a model's name.

use ccag_domain::ModelName;

/// A model as a client asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedModel {
    /// The name that catalogue, price and permission are looked up by.
    pub name: ModelName,
    /// The same without its date, to look up when the first is unknown.
    pub undated: Option<ModelName>,
    /// Whether the long context was asked for with `[1m]`.
    pub one_million: bool,
    /// An ARN that says nothing of the model behind it (an application inference profile): ask `GetInferenceProfile`.
    pub opaque: bool,
}

/// Reads a client's model name: aliases, dated ids, `[1m]`, Bedrock ids and ARNs.
#[must_use]
pub fn asked(text: &str) -> AskedModel {
    let name = ModelName::canonical(text);
    AskedModel {
        undated: name.without_date(),
        one_million: text.trim_end().ends_with("[1m]"),
        opaque: name.as_str().starts_with("arn:"),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_asks_for_the_long_context() {
        let model = asked("us.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]");
        assert!(model.one_million && !model.opaque);
        assert_eq!(model.undated.unwrap().as_str(), "claude-sonnet-4-5");
    }

    #[test]
    fn application_profiles_are_opaque() {
        assert!(asked("arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc").opaque);
    }
}
