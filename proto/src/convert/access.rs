//! How endpoints are called.

use super::InvalidMessage;
use crate::v1;
use ccag_domain::{
    Access, AccessKeys, CredentialKind, CredentialSource, Network, Proxy, ProxyLogin, ServiceSecret,
    ServiceTier, SessionTags,
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
            network: Network::default(),
        })
    }
}

pub(super) fn network_to_wire(network: &Network) -> Option<v1::Network> {
    if *network == Network::default() {
        return None;
    }
    let proxy = |proxy: &Proxy| v1::Proxy {
        url: proxy.url.clone(),
        user: proxy.login.as_ref().map(|login| login.user.clone()),
        password: proxy
            .login
            .as_ref()
            .and_then(|login| Some(login.password.as_ref()?.reveal().to_owned())),
    };
    Some(v1::Network {
        proxy: network.proxy.as_ref().map(proxy),
        ca_certificates: network.ca_certificates.clone(),
        use_fips: network.use_fips,
    })
}

pub(super) fn network_from_wire(message: Option<v1::Network>) -> Network {
    let message = message.unwrap_or_default();
    Network {
        proxy: message.proxy.map(|proxy| Proxy {
            url: proxy.url,
            login: proxy.user.map(|user| ProxyLogin {
                user,
                password: proxy.password.map(ServiceSecret::new),
            }),
        }),
        ca_certificates: message.ca_certificates,
        use_fips: message.use_fips,
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
                network: Network::default(),
            };
            assert_eq!(Access::try_from(v1::Access::from(&access)), Ok(access));
        }
    }

    #[test]
    fn the_way_to_an_endpoint_survives_the_wire() {
        let proxy = |password: Option<&str>| Proxy {
            url: "http://proxy.example:3128".into(),
            login: Some(ProxyLogin {
                user: "ccag".into(),
                password: password.map(ServiceSecret::new),
            }),
        };
        let of = |proxy| Network {
            proxy,
            ca_certificates: Some("PEM".into()),
            use_fips: true,
        };
        for network in [
            Network::default(),
            of(None),
            of(Some(proxy(None))),
            of(Some(proxy(Some("p")))),
        ] {
            assert_eq!(network_from_wire(network_to_wire(&network)), network);
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
