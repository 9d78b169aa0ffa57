//! How endpoints are called.

use super::InvalidMessage;
use crate::v1;
use ccag_domain::{
    Access, AccessKeys, CredentialKind, CredentialSource, ServiceSecret, ServiceTier, SessionTags,
};

impl From<&Access> for v1::Access {
    fn from(access: &Access) -> Self {
        Self {
            credentials: Some((&access.credentials).into()),
            session_tags: access.session_tags.as_str().to_owned(),
            service_tier: access.service_tier.map(|tier| tier.as_str().to_owned()),
            request_metadata: access.request_metadata,
        }
    }
}

impl TryFrom<v1::Access> for Access {
    type Error = InvalidMessage;
    fn try_from(message: v1::Access) -> Result<Self, InvalidMessage> {
        let tier = |text: String| {
            ServiceTier::parse(&text).ok_or_else(|| InvalidMessage::unusable("service_tier", text))
        };
        Ok(Self {
            credentials: message.credentials.unwrap_or_default().try_into()?,
            session_tags: match message.session_tags.as_str() {
                "" => SessionTags::Off,
                text => {
                    SessionTags::parse(text).ok_or_else(|| InvalidMessage::unusable("session_tags", text))?
                }
            },
            service_tier: message.service_tier.map(tier).transpose()?,
            request_metadata: message.request_metadata,
        })
    }
}

impl From<&CredentialSource> for v1::Credentials {
    fn from(source: &CredentialSource) -> Self {
        let text = |secret: &ServiceSecret| secret.reveal().to_owned();
        let mut message = Self {
            kind: source.kind().as_str().to_owned(),
            ..Self::default()
        };
        match source {
            CredentialSource::Process | CredentialSource::Keys(None) => {}
            CredentialSource::Keys(Some(keys)) => {
                message.access_key_id = Some(text(&keys.id));
                message.secret_access_key = Some(text(&keys.secret));
                message.session_token = keys.session_token.as_ref().map(text);
            }
            CredentialSource::Profile(name) => message.profile = Some(name.clone()),
            CredentialSource::ApiKey(key) => message.api_key = key.as_ref().map(text),
        }
        message
    }
}

impl TryFrom<v1::Credentials> for CredentialSource {
    type Error = InvalidMessage;
    fn try_from(message: v1::Credentials) -> Result<Self, InvalidMessage> {
        let kind = match message.kind.as_str() {
            "" => CredentialKind::Process,
            text => CredentialKind::parse(text)
                .ok_or_else(|| InvalidMessage::unusable("credentials.kind", text))?,
        };
        Ok(match kind {
            CredentialKind::Process => Self::Process,
            CredentialKind::Keys => Self::Keys(message.access_key_id.zip(message.secret_access_key).map(
                |(id, secret)| AccessKeys {
                    id: ServiceSecret::new(id),
                    secret: ServiceSecret::new(secret),
                    session_token: message.session_token.map(ServiceSecret::new),
                },
            )),
            CredentialKind::Profile => Self::Profile(
                message
                    .profile
                    .ok_or(InvalidMessage::Missing("credentials.profile"))?,
            ),
            CredentialKind::ApiKey => Self::ApiKey(message.api_key.map(ServiceSecret::new)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_is_called_with_survives_the_wire() {
        let keys = AccessKeys {
            id: ServiceSecret::new("AKIA1"),
            secret: ServiceSecret::new("s"),
            session_token: Some(ServiceSecret::new("t")),
        };
        for credentials in [
            CredentialSource::Process,
            CredentialSource::Keys(Some(keys)),
            CredentialSource::Keys(None),
            CredentialSource::Profile("prod".into()),
            CredentialSource::ApiKey(Some(ServiceSecret::new("k"))),
            CredentialSource::ApiKey(None),
        ] {
            let access = Access {
                credentials,
                session_tags: SessionTags::User,
                service_tier: Some(ServiceTier::Flex),
                request_metadata: true,
            };
            assert_eq!(Access::try_from(v1::Access::from(&access)), Ok(access));
        }
    }

    #[test]
    fn a_control_plane_of_before_says_nothing_and_means_the_processs_own() {
        assert_eq!(Access::try_from(v1::Access::default()), Ok(Access::default()));
    }

    #[test]
    fn credentials_of_an_unknown_kind_are_not_replaced_by_the_processs_own() {
        let message = v1::Credentials {
            kind: "carrier pigeon".into(),
            ..v1::Credentials::default()
        };
        assert!(CredentialSource::try_from(message).is_err());
    }
}
