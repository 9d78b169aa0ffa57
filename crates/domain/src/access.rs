//! How an endpoint is called: with whose credentials, in whose name, in which tier.

use crate::named::named;
use crate::{Caller, KeyId, Network, ServiceSecret, TeamId, UserId};

/// The longest value of a session tag, in characters (AWS STS API reference, "Tag").
const MAX_TAG: usize = 256;

named! {
    /// Where an endpoint's credentials come from.
    #[derive(Default)]
    CredentialKind {
        /// What the process finds for itself: the AWS SDK's chain.
        #[default]
        Process = "process",
        /// An access key of the endpoint's own.
        Keys = "keys",
        /// A named profile of the AWS configuration files on the machine that calls.
        Profile = "profile",
        /// An Amazon Bedrock API key, sent as a bearer token.
        ApiKey = "api_key",
    }
}

named! {
    /// By whom AWS is to split its bill.
    #[derive(Default)]
    SessionTags {
        /// Nobody: the role is assumed once for all.
        #[default]
        Off = "off",
        /// The team.
        Team = "team",
        /// The user, with their team.
        User = "user",
        /// The virtual key, with its user and team.
        Key = "key",
    }
}

named! {
    /// A service tier of Amazon Bedrock (AWS, "Service tiers for inference").
    ServiceTier {
        /// The ordinary one.
        Default = "default",
        /// Served before others, at a premium.
        Priority = "priority",
        /// Served when there is room, at a discount.
        Flex = "flex",
        /// Capacity that the account has reserved.
        Reserved = "reserved",
    }
}

named! {
    /// Whether an endpoint takes requests.
    #[derive(Default)]
    EndpointState {
        /// It does.
        #[default]
        Enabled = "enabled",
        /// It goes on with the conversations that it has, and gets no new ones as long as another endpoint can take them.
        Draining = "draining",
        /// It takes none.
        Disabled = "disabled",
    }
}

impl EndpointState {
    /// From what an [`crate::Endpoint`] holds.
    #[must_use]
    pub const fn of(enabled: bool, draining: bool) -> Self {
        match (enabled, draining) {
            (false, _) => Self::Disabled,
            (true, true) => Self::Draining,
            (true, false) => Self::Enabled,
        }
    }
}

/// An access key. Without `session_token` it is a lasting one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The access key id.
    pub id: ServiceSecret,
    /// The secret access key.
    pub secret: ServiceSecret,
    /// The token of temporary ones.
    pub session_token: Option<ServiceSecret>,
}

/// Where an endpoint's credentials come from, with what is secret about them. A secret that is not at hand is `None`: the
/// endpoint then has no credentials, and others are never used instead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CredentialSource {
    /// What the process finds for itself.
    #[default]
    Process,
    /// An access key.
    Keys(Option<AccessKeys>),
    /// A named profile.
    Profile(String),
    /// A Bedrock API key.
    ApiKey(Option<ServiceSecret>),
}

impl CredentialSource {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> CredentialKind {
        match self {
            Self::Process => CredentialKind::Process,
            Self::Keys(_) => CredentialKind::Keys,
            Self::Profile(_) => CredentialKind::Profile,
            Self::ApiKey(_) => CredentialKind::ApiKey,
        }
    }

    /// Takes what is secret out of it; whether there was anything.
    pub fn strip(&mut self) -> bool {
        match self {
            Self::Keys(keys) => keys.take().is_some(),
            Self::ApiKey(key) => key.take().is_some(),
            Self::Process | Self::Profile(_) => false,
        }
    }
}

/// How an endpoint is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// With what.
    pub credentials: CredentialSource,
    /// In whose name its role is assumed.
    pub session_tags: SessionTags,
    /// In which tier; `None` leaves it to Bedrock, which takes the default one.
    pub service_tier: Option<ServiceTier>,
    /// Whether Bedrock is told, for its invocation log, whose request it is.
    pub request_metadata: bool,
    /// Which way.
    pub network: Network,
}

impl Access {
    /// Takes what is secret out of it; whether there was anything.
    pub fn strip(&mut self) -> bool {
        let has_credentials = self.credentials.strip();
        self.network.strip() || has_credentials
    }

    /// Whether anything about a call depends on whose request it is.
    #[must_use]
    pub fn names_callers(&self) -> bool {
        self.request_metadata || self.session_tags != SessionTags::Off
    }
}

/// Whose request it is, as AWS is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The virtual key.
    pub key_id: KeyId,
    /// Its user.
    pub user_id: Option<UserId>,
    /// The team that pays.
    pub team_id: Option<TeamId>,
    /// The team's name.
    pub team_name: Option<String>,
}

impl Subject {
    /// Of a caller; `team_name` is that of their team.
    #[must_use]
    pub fn of(caller: &Caller, team_name: Option<&str>) -> Self {
        Self {
            key_id: caller.key_id.clone(),
            user_id: caller.user_id.clone(),
            team_id: caller.team_id.clone(),
            team_name: team_name.map(str::to_owned),
        }
    }

    /// What a session that `tags` asks for is called: the id of the team, user or key. `None` if the request has no such
    /// thing; it then goes through the session that all share.
    #[must_use]
    pub fn session(&self, tags: SessionTags) -> Option<&str> {
        match tags {
            SessionTags::Off => None,
            SessionTags::Team => self.team_id.as_ref().map(TeamId::as_str),
            SessionTags::User => self.user_id.as_ref().map(UserId::as_str),
            SessionTags::Key => Some(self.key_id.as_str()),
        }
    }

    /// What such a session is tagged with: of a team's, the team; of a user's, the user too; of a key's, all three. Two requests
    /// of which this is the same go through the same session.
    #[must_use]
    pub fn named(&self, tags: SessionTags) -> [Option<&str>; 4] {
        let all = [
            self.team_id.as_ref().map(TeamId::as_str),
            self.team_name.as_deref(),
            self.user_id.as_ref().map(UserId::as_str),
            Some(self.key_id.as_str()),
        ];
        let depth = match tags {
            SessionTags::Off => 0,
            SessionTags::Team => 2,
            SessionTags::User => 3,
            SessionTags::Key => 4,
        };
        let mut named = [None; 4];
        named[..depth].copy_from_slice(&all[..depth]);
        named
    }

    /// The tags of such a session.
    #[must_use]
    pub fn tags(&self, tags: SessionTags) -> Vec<(&'static str, String)> {
        ["ccag:team", "ccag:team-name", "ccag:user", "ccag:key"]
            .into_iter()
            .zip(self.named(tags))
            .filter_map(|(name, value)| Some((name, tag_value(value?))))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// The metadata of a request: a JSON object of ids, which are of the alphabet that Bedrock allows.
    #[must_use]
    pub fn metadata(&self) -> String {
        let mut map = serde_json::Map::new();
        for (name, value) in [
            ("team", self.team_id.as_ref().map(TeamId::as_str)),
            ("user", self.user_id.as_ref().map(UserId::as_str)),
            ("key", Some(self.key_id.as_str())),
        ] {
            if let Some(value) = value {
                map.insert(name.to_owned(), value.into());
            }
        }
        serde_json::Value::Object(map).to_string()
    }
}

/// A text as the value of a session tag: letters, numbers, blanks and `_.:/=+-@` (AWS STS API reference, "Tag"), anything
/// else as `_`.
#[must_use]
pub fn tag_value(text: &str) -> String {
    let clean = |c: char| {
        if c.is_alphanumeric() || "_.:/=+-@".contains(c) {
            c
        } else if c.is_whitespace() {
            ' '
        } else {
            '_'
        }
    };
    let value: String = text.chars().map(clean).take(MAX_TAG).collect();
    value.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: Some(UserId::parse("user_1").unwrap()),
            team_id: Some(TeamId::parse("team_1").unwrap()),
            team_name: Some("R&D (Köln)".into()),
        }
    }

    #[test]
    fn a_session_is_tagged_with_what_it_is_named_after_and_what_stands_above() {
        let names = |tags| subject().tags(tags).into_iter().map(|t| t.0).collect::<Vec<_>>();
        assert_eq!(names(SessionTags::Off), [""; 0]);
        assert_eq!(names(SessionTags::Team), ["ccag:team", "ccag:team-name"]);
        assert_eq!(names(SessionTags::User).last(), Some(&"ccag:user"));
        assert_eq!(names(SessionTags::Key).last(), Some(&"ccag:key"));
        assert_eq!(subject().session(SessionTags::User), Some("user_1"));
        assert_eq!(
            subject().tags(SessionTags::Team)[1].1,
            "R_D _Köln_",
            "AWS's alphabet"
        );
    }

    #[test]
    fn whoever_has_no_team_has_no_session_of_a_team() {
        let mut lone = subject();
        (lone.team_id, lone.team_name, lone.user_id) = (None, None, None);
        assert_eq!(lone.session(SessionTags::Team), None);
        assert_eq!(lone.session(SessionTags::User), None);
        assert_eq!(lone.tags(SessionTags::Key), [("ccag:key", "key_1".to_owned())]);
        assert_eq!(lone.metadata(), r#"{"key":"key_1"}"#);
    }

    #[test]
    fn tag_values_fit_aws() {
        assert_eq!(tag_value(" a\tb<c> "), "a b_c_");
        assert_eq!(tag_value(&"é".repeat(300)).chars().count(), 256);
    }

    #[test]
    fn names_are_read_back() {
        for one in EndpointState::ALL {
            assert_eq!(EndpointState::parse(one.as_str()), Some(*one));
        }
        assert_eq!(ServiceTier::parse("slow"), None);
        assert_eq!(EndpointState::of(false, true), EndpointState::Disabled);
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = AccessKeys {
            id: ServiceSecret::new("AKIAHUSH"),
            secret: ServiceSecret::new("hush"),
            session_token: None,
        };
        let text = format!("{:?}", CredentialSource::Keys(Some(keys)));
        assert!(!text.to_lowercase().contains("hush"), "{text}");
    }
}
