//! Signing keys and policies.

use super::{InvalidMessage, id};
use crate::v1;
use ccag_domain::{ModelName, ModelPolicy, PolicyMatch, Role, SigningKey};

impl From<SigningKey> for v1::SigningKey {
    fn from(key: SigningKey) -> Self {
        Self {
            id: key.id,
            public_key: key.public.to_vec().into(),
            expires_at_ms: key.expires_at_ms,
        }
    }
}

impl TryFrom<v1::SigningKey> for SigningKey {
    type Error = InvalidMessage;
    fn try_from(message: v1::SigningKey) -> Result<Self, InvalidMessage> {
        let public = message.public_key.as_ref().try_into().map_err(|_| {
            InvalidMessage::unusable("public_key", format!("{} bytes", message.public_key.len()))
        })?;
        Ok(Self {
            id: message.id,
            public,
            expires_at_ms: message.expires_at_ms,
        })
    }
}

impl From<ModelPolicy> for v1::ModelPolicy {
    fn from(policy: ModelPolicy) -> Self {
        let PolicyMatch {
            team_ids,
            groups,
            roles,
            email_domains,
        } = policy.subject;
        Self {
            id: policy.id.into(),
            name: policy.name,
            priority: policy.priority,
            team_ids: team_ids.into_iter().map(Into::into).collect(),
            groups,
            roles: roles.into_iter().map(|role| role.as_str().to_owned()).collect(),
            email_domains,
            models: policy.models.into_iter().map(|name| name.to_string()).collect(),
        }
    }
}

impl TryFrom<v1::ModelPolicy> for ModelPolicy {
    type Error = InvalidMessage;
    fn try_from(message: v1::ModelPolicy) -> Result<Self, InvalidMessage> {
        let team_ids = message.team_ids.into_iter().map(|text| id("team_ids", text));
        let roles = message
            .roles
            .iter()
            .map(|role| Role::parse(role).ok_or_else(|| InvalidMessage::unusable("roles", role)));
        Ok(Self {
            id: id("id", message.id)?,
            name: message.name,
            priority: message.priority,
            subject: PolicyMatch {
                team_ids: team_ids.collect::<Result<_, _>>()?,
                groups: message.groups,
                roles: roles.collect::<Result<_, _>>()?,
                email_domains: message.email_domains,
            },
            models: message
                .models
                .iter()
                .map(|name| ModelName::canonical(name))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{ConfigObject, PolicyId, TeamId};

    #[test]
    fn a_policy_survives_the_wire_and_one_for_an_unknown_role_is_refused() {
        let policy = ModelPolicy {
            id: PolicyId::parse("pol_1").unwrap(),
            name: "Interns".into(),
            priority: 3,
            subject: PolicyMatch {
                team_ids: vec![TeamId::parse("team_1").unwrap()],
                groups: vec!["interns".into()],
                roles: vec![Role::Member],
                email_domains: vec!["example.com".into()],
            },
            models: vec![ModelName::canonical("claude-haiku-4-5")],
        };
        let object = ConfigObject::ModelPolicy(policy.clone());
        let wire = v1::Object::from(object.clone());
        assert_eq!(wire.object_ref(), Some(object.object_ref()));
        assert_eq!(ConfigObject::try_from(wire), Ok(object));
        let mut odd = v1::ModelPolicy::from(policy);
        odd.roles.push("emperor".into());
        assert!(ModelPolicy::try_from(odd).is_err());
    }

    #[test]
    fn a_public_key_of_another_length_is_refused() {
        let key = SigningKey {
            id: "sig_1".into(),
            public: [7; 32],
            expires_at_ms: None,
        };
        let mut wire = v1::SigningKey::from(key.clone());
        assert_eq!(SigningKey::try_from(wire.clone()), Ok(key));
        wire.public_key = vec![7; 31].into();
        assert!(SigningKey::try_from(wire).is_err());
    }
}
