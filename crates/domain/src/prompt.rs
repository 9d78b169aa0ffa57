//! What is known of a prompt without a word of it, so that it can be told why it was not read from the cache.

/// What is known of a prompt. Digests tell whether something is the same as in the turn before, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptFacts {
    /// Names the conversation: its key, session and agent, and how it began. Not the model, the tools or the system prompt.
    pub conversation: u64,
    /// A digest of its tools.
    pub tools: u32,
    /// A digest of its system prompt.
    pub system: u32,
    /// Whether the model had answered in the conversation before.
    pub has_history: bool,
    /// Whether its prefix was to be cached.
    pub caching: Caching,
}

/// Whether the prefix of a prompt was to be cached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Caching {
    /// The client did not ask for it.
    #[default]
    NotAsked,
    /// The client asked for it, and the model, or the lane, does not take it.
    NotTaken,
    /// For five minutes.
    Minutes,
    /// For an hour.
    Hour,
}

/// Why something that could have been read from the cache was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CacheMiss {
    /// The conversation went to another endpoint, lane or geography than before.
    Moved,
    /// The turn before was longer ago than the cache keeps anything.
    Expired,
    /// The conversation went on with another model.
    ModelChanged,
    /// The tools were others than before.
    ToolsChanged,
    /// The system prompt was another than before.
    SystemChanged,
    /// A part of the prefix was read and the rest was not: earlier messages were changed.
    HistoryChanged,
    /// The client did not ask for caching.
    NotAsked,
    /// The client asked, and the model or the lane takes no such marks.
    NotTaken,
    /// The prompt is too short to be cached.
    TooShort,
    /// Nothing that the gateway knows of was different.
    Unexplained,
}

impl CacheMiss {
    /// All, in the order in which they are shown where nothing else orders them.
    pub const ALL: [Self; 10] = [
        Self::Moved,
        Self::Expired,
        Self::ModelChanged,
        Self::ToolsChanged,
        Self::SystemChanged,
        Self::HistoryChanged,
        Self::NotAsked,
        Self::NotTaken,
        Self::TooShort,
        Self::Unexplained,
    ];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Expired => "expired",
            Self::ModelChanged => "model_changed",
            Self::ToolsChanged => "tools_changed",
            Self::SystemChanged => "system_changed",
            Self::HistoryChanged => "history_changed",
            Self::NotAsked => "not_asked",
            Self::NotTaken => "not_taken",
            Self::TooShort => "too_short",
            Self::Unexplained => "unexplained",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}
