//! Pushed configuration.

use super::{InvalidMessage, id, optional_id, routing};
use crate::v1;
use ccag_domain::config::{ChangeStep, Settings, UnpricedPolicy};
use ccag_domain::identity::AccountState;
use ccag_domain::{
    Change, ConfigObject, KeyDigest, KeyGrant, ObjectKind, ObjectRef, Revision, Role, Snapshot, Team, User,
};

impl From<ConfigObject> for v1::Object {
    fn from(object: ConfigObject) -> Self {
        use v1::object::Object as Wire;
        let wire = match object {
            ConfigObject::Key(o) => Wire::Key(o.into()),
            ConfigObject::Team(o) => Wire::Team(o.into()),
            ConfigObject::User(o) => Wire::User(o.into()),
            ConfigObject::Endpoint(o) => Wire::Endpoint(o.into()),
            ConfigObject::Model(o) => Wire::Model(o.into()),
            ConfigObject::Price(o) => Wire::Price(o.into()),
            ConfigObject::Settings(o) => Wire::Settings(o.into()),
            ConfigObject::CapabilityBook(o) => Wire::CapabilityBook(o.into()),
            ConfigObject::LearntFact(o) => Wire::LearntFact(o.into()),
            ConfigObject::Budget(o) => Wire::Budget(o.into()),
            ConfigObject::Limit(o) => Wire::Limit(o.into()),
            ConfigObject::PausedSession(o) => Wire::PausedSession(o.into()),
            ConfigObject::SigningKey(o) => Wire::SigningKey(o.into()),
            ConfigObject::ModelPolicy(o) => Wire::ModelPolicy(o.into()),
        };
        Self { object: Some(wire) }
    }
}

impl TryFrom<v1::Object> for ConfigObject {
    type Error = InvalidMessage;
    fn try_from(message: v1::Object) -> Result<Self, InvalidMessage> {
        use v1::object::Object as Wire;
        Ok(match message.object.ok_or(InvalidMessage::Missing("object"))? {
            Wire::Key(o) => Self::Key(o.try_into()?),
            Wire::Team(o) => Self::Team(o.try_into()?),
            Wire::User(o) => Self::User(o.try_into()?),
            Wire::Endpoint(o) => Self::Endpoint(o.try_into()?),
            Wire::Model(o) => Self::Model(o.try_into()?),
            Wire::Price(o) => Self::Price(o.try_into()?),
            Wire::Settings(o) => Self::Settings(o.try_into()?),
            Wire::CapabilityBook(o) => Self::CapabilityBook(o.try_into()?),
            Wire::LearntFact(o) => Self::LearntFact(o.try_into()?),
            Wire::Budget(o) => Self::Budget(o.try_into()?),
            Wire::Limit(o) => Self::Limit(o.try_into()?),
            Wire::PausedSession(o) => Self::PausedSession(o.try_into()?),
            Wire::SigningKey(o) => Self::SigningKey(o.try_into()?),
            Wire::ModelPolicy(o) => Self::ModelPolicy(o.try_into()?),
        })
    }
}

impl v1::Object {
    /// Names the object even if it cannot be understood as a whole, so that what stood there before can be blocked.
    #[must_use]
    pub fn object_ref(&self) -> Option<ObjectRef> {
        use v1::object::Object as Wire;
        let (kind, id) = match self.object.as_ref()? {
            Wire::Key(o) => (ObjectKind::Key, o.id.clone()),
            Wire::Team(o) => (ObjectKind::Team, o.id.clone()),
            Wire::User(o) => (ObjectKind::User, o.id.clone()),
            Wire::Endpoint(o) => (ObjectKind::Endpoint, o.id.clone()),
            Wire::Model(o) => (ObjectKind::Model, o.name.clone()),
            Wire::Price(o) => (ObjectKind::Price, o.model.clone()),
            Wire::Settings(_) => (ObjectKind::Settings, "settings".to_owned()),
            Wire::CapabilityBook(o) => (ObjectKind::CapabilityBook, format!("{}@{}", o.surface, o.version)),
            Wire::LearntFact(o) => (ObjectKind::LearntFact, o.id.clone()),
            Wire::Budget(o) => (ObjectKind::Budget, o.id.clone()),
            Wire::Limit(o) => (ObjectKind::Limit, o.id.clone()),
            Wire::PausedSession(o) => (ObjectKind::PausedSession, o.id.clone()),
            Wire::SigningKey(o) => (ObjectKind::SigningKey, o.id.clone()),
            Wire::ModelPolicy(o) => (ObjectKind::ModelPolicy, o.id.clone()),
        };
        Some(ObjectRef { kind, id })
    }
}

impl From<Snapshot> for v1::Snapshot {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            epoch: snapshot.epoch,
            revision: snapshot.revision.0,
            objects: snapshot.objects.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Change> for v1::Change {
    fn from(change: Change) -> Self {
        let step = match change.step {
            ChangeStep::Put(object) => v1::change::Step::Put((*object).into()),
            ChangeStep::Remove(object) => v1::change::Step::Remove(object.into()),
        };
        Self {
            revision: change.revision.0,
            step: Some(step),
        }
    }
}

impl TryFrom<v1::Change> for Change {
    type Error = InvalidMessage;
    fn try_from(message: v1::Change) -> Result<Self, InvalidMessage> {
        let step = match message.step.ok_or(InvalidMessage::Missing("step"))? {
            v1::change::Step::Put(object) => ChangeStep::Put(Box::new(object.try_into()?)),
            v1::change::Step::Remove(object) => ChangeStep::Remove(object.try_into()?),
        };
        Ok(Self {
            revision: Revision(message.revision),
            step,
        })
    }
}

impl From<ObjectRef> for v1::ObjectRef {
    fn from(object: ObjectRef) -> Self {
        Self {
            kind: object.kind.as_str().to_owned(),
            id: object.id,
        }
    }
}

impl TryFrom<v1::ObjectRef> for ObjectRef {
    type Error = InvalidMessage;
    fn try_from(message: v1::ObjectRef) -> Result<Self, InvalidMessage> {
        let kind = ObjectKind::parse(&message.kind)
            .ok_or_else(|| InvalidMessage::unusable("kind", &message.kind))?;
        Ok(Self { kind, id: message.id })
    }
}

impl From<KeyGrant> for v1::KeyGrant {
    fn from(grant: KeyGrant) -> Self {
        Self {
            id: grant.id.into(),
            digest: grant.digest.0.to_vec().into(),
            name: grant.name,
            user_id: grant.user_id.map(Into::into),
            team_id: grant.team_id.map(Into::into),
            expires_at_ms: grant.expires_at_ms,
            rate_limit_rpm: grant.rate_limit_rpm,
            session: grant.session,
        }
    }
}

impl TryFrom<v1::KeyGrant> for KeyGrant {
    type Error = InvalidMessage;
    fn try_from(message: v1::KeyGrant) -> Result<Self, InvalidMessage> {
        let digest = <[u8; 32]>::try_from(message.digest.as_ref())
            .map_err(|_| InvalidMessage::unusable("digest", format!("{} bytes", message.digest.len())))?;
        Ok(Self {
            id: id("id", message.id)?,
            digest: KeyDigest(digest),
            name: message.name,
            user_id: optional_id("user_id", message.user_id)?,
            team_id: optional_id("team_id", message.team_id)?,
            expires_at_ms: message.expires_at_ms,
            rate_limit_rpm: message.rate_limit_rpm,
            session: message.session,
        })
    }
}

fn state_to_wire(state: AccountState) -> i32 {
    match state {
        AccountState::Active => v1::AccountState::Active.into(),
        AccountState::Suspended => v1::AccountState::Suspended.into(),
    }
}

/// A state that this version does not know counts as unusable: the account fails closed.
fn state_from_wire(state: i32) -> Result<AccountState, InvalidMessage> {
    match v1::AccountState::try_from(state) {
        Ok(v1::AccountState::Active) => Ok(AccountState::Active),
        Ok(v1::AccountState::Suspended) => Ok(AccountState::Suspended),
        _ => Err(InvalidMessage::unusable("state", state)),
    }
}

impl From<Team> for v1::Team {
    fn from(team: Team) -> Self {
        Self {
            id: team.id.into(),
            name: team.name,
            state: state_to_wire(team.state),
            endpoint_ids: team.endpoints.into_iter().map(Into::into).collect(),
            guardrail: team.guardrail.map(Into::into),
            routing: routing::to_wire(team.routing),
        }
    }
}

impl TryFrom<v1::Team> for Team {
    type Error = InvalidMessage;
    fn try_from(message: v1::Team) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: id("id", message.id)?,
            name: message.name,
            state: state_from_wire(message.state)?,
            endpoints: message
                .endpoint_ids
                .into_iter()
                .map(|text| id("endpoint_ids", text))
                .collect::<Result<_, _>>()?,
            guardrail: message.guardrail.map(TryInto::try_into).transpose()?,
            routing: routing::from_wire(message.routing)?,
        })
    }
}

impl From<User> for v1::User {
    fn from(user: User) -> Self {
        Self {
            id: user.id.into(),
            state: state_to_wire(user.state),
            team_id: user.team_id.map(Into::into),
            search: user.search.map(Into::into),
            role: user.role.map(|role| role.as_str().to_owned()).unwrap_or_default(),
            groups: user.groups,
            email_domain: user.email_domain,
        }
    }
}

impl TryFrom<v1::User> for User {
    type Error = InvalidMessage;
    fn try_from(message: v1::User) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: id("id", message.id)?,
            state: state_from_wire(message.state)?,
            team_id: optional_id("team_id", message.team_id)?,
            search: message.search.map(TryInto::try_into).transpose()?,
            // A role of a later version is none that a policy of this one can mean.
            role: Role::parse(&message.role),
            groups: message.groups,
            email_domain: message.email_domain,
        })
    }
}

impl From<Settings> for v1::Settings {
    fn from(settings: Settings) -> Self {
        let unpriced = match settings.unpriced {
            UnpricedPolicy::Refuse => v1::UnpricedPolicy::Refuse,
            UnpricedPolicy::Dearest => v1::UnpricedPolicy::Dearest,
        };
        Self {
            unpriced: unpriced.into(),
            web_search: Some(settings.web_search.into()),
            routing: routing::to_wire(settings.routing),
        }
    }
}

impl TryFrom<v1::Settings> for Settings {
    type Error = InvalidMessage;
    fn try_from(message: v1::Settings) -> Result<Self, InvalidMessage> {
        let unpriced = match v1::UnpricedPolicy::try_from(message.unpriced) {
            Ok(v1::UnpricedPolicy::Refuse) => UnpricedPolicy::Refuse,
            Ok(v1::UnpricedPolicy::Dearest) => UnpricedPolicy::Dearest,
            _ => return Err(InvalidMessage::unusable("unpriced", message.unpriced)),
        };
        Ok(Self {
            unpriced,
            web_search: message
                .web_search
                .map(TryInto::try_into)
                .transpose()?
                .unwrap_or_default(),
            routing: routing::from_wire(message.routing)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{Discovery, Geography, OfferedProfile, PinnedProfile};
    use ccag_domain::{
        Endpoint, EndpointId, Guardrail, GuardrailTrace, Lane, Lanes, Offers, Quota, QuotaKind, QuotaScope,
        TeamId, catalogue,
    };
    use ccag_domain::{ModelName, Price, RegionPattern, RoutingPolicy, Strategy};
    use std::sync::Arc;

    #[test]
    fn the_whole_catalogue_survives_the_wire() {
        let objects = catalogue::models()
            .into_iter()
            .map(ConfigObject::Model)
            .chain(catalogue::prices().into_iter().map(ConfigObject::Price))
            .chain([ConfigObject::Settings(Settings::default())]);
        for object in objects {
            let wire = v1::Object::from(object.clone());
            assert_eq!(wire.object_ref(), Some(object.object_ref()));
            assert_eq!(ConfigObject::try_from(wire), Ok(object));
        }
    }

    fn guarded() -> Endpoint {
        Endpoint {
            id: EndpointId::parse("end_1").unwrap(),
            name: "prod".into(),
            region: Some("eu-central-1".into()),
            role_arn: None,
            external_id: None,
            geography: None,
            runtime_url: None,
            lanes: Lanes::new([Lane::Messages, Lane::InvokeModel, Lane::Mantle]),
            mantle_url: Some("https://mantle.example".into()),
            offers: Arc::new(Offers {
                discovery: Some(Discovery {
                    at_ms: 7,
                    profiles: vec![OfferedProfile {
                        id: "us.anthropic.claude-opus-5-5".into(),
                        name: "US".into(),
                        foundation_model: "anthropic.claude-opus-5-5".into(),
                        geography: Geography::Us,
                        application: false,
                    }],
                    on_demand: vec!["anthropic.claude-haiku-4-5-20251001-v1:0".into()],
                }),
                pinned: vec![PinnedProfile {
                    model: ModelName::canonical("claude-opus-5-5"),
                    arn: "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/x".into(),
                    geography: Geography::Us,
                }],
                quotas: vec![Quota {
                    code: "L-00000001".into(),
                    name: String::new(),
                    model: Some("Claude Opus 5.5".into()),
                    scope: QuotaScope::CrossRegion,
                    kind: QuotaKind::TokensPerMinute,
                    limit: 1_000_000,
                }],
            }),
            guardrail: Some(Guardrail {
                id: "gr1".into(),
                version: "DRAFT".into(),
                trace: GuardrailTrace::EnabledFull,
                tag_input: true,
            }),
            weight: 1,
            access: std::sync::Arc::default(),
            enabled: true,
            draining: false,
            is_default: false,
        }
    }

    #[test]
    fn lanes_and_guardrails_survive_the_wire() {
        let endpoint = guarded();
        assert_eq!(
            Endpoint::try_from(v1::Endpoint::from(endpoint.clone())),
            Ok(endpoint.clone())
        );
        let team = Team {
            id: TeamId::parse("team_1").unwrap(),
            name: "t".into(),
            state: AccountState::Active,
            endpoints: vec![endpoint.id],
            guardrail: endpoint.guardrail,
            routing: RoutingPolicy {
                strategy: Some(Strategy::PrimaryFallback),
                models: Some(Vec::new()),
                geographies: Some(vec![Geography::Eu, Geography::InRegion]),
                regions: RegionPattern::parse("eu-").map(|region| vec![region]),
            },
        };
        assert_eq!(Team::try_from(v1::Team::from(team.clone())), Ok(team));
    }

    #[test]
    fn an_endpoint_of_a_control_plane_without_lanes_has_the_default_one() {
        let mut wire = v1::Endpoint::from(guarded());
        wire.lanes.clear();
        assert_eq!(Endpoint::try_from(wire).unwrap().lanes, Lanes::default());
    }

    #[test]
    fn an_endpoint_of_a_version_before_has_no_quotas_and_what_counts_in_new_ways_is_passed_over() {
        let mut wire = v1::Endpoint::from(guarded());
        let odd = v1::Quota {
            kind: "tokens_per_fortnight".into(),
            ..wire.quotas[0].clone()
        };
        wire.quotas.push(odd);
        assert_eq!(Endpoint::try_from(wire.clone()), Ok(guarded()));
        wire.quotas.clear();
        assert!(Endpoint::try_from(wire).unwrap().offers.quotas.is_empty());
    }

    #[test]
    fn an_endpoint_whose_guardrail_makes_no_sense_is_refused_whole() {
        for (id, version, trace) in [("a/b", "1", ""), ("gr1", "latest", ""), ("gr1", "1", "loud")] {
            let mut wire = v1::Endpoint::from(guarded());
            wire.guardrail = Some(v1::Guardrail {
                id: id.into(),
                version: version.into(),
                trace: trace.into(),
                tag_input: false,
            });
            assert!(Endpoint::try_from(wire).is_err(), "{id} {version} {trace}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_by_name() {
        let mut user = v1::User {
            id: "user_1".into(),
            state: 7,
            team_id: None,
            search: None,
            ..v1::User::default()
        };
        assert_eq!(
            User::try_from(user.clone()).unwrap_err().to_string(),
            "state cannot be `7`"
        );
        user.id = "team_1".into();
        assert_eq!(
            User::try_from(user).unwrap_err().to_string(),
            "id cannot be `team_1`"
        );
        assert_eq!(
            ConfigObject::try_from(v1::Object { object: None }),
            Err(InvalidMessage::Missing("object"))
        );
    }

    #[test]
    fn a_negative_rate_is_refused() {
        let mut price = v1::Price::from(catalogue::prices().remove(0));
        price.rates.as_mut().unwrap().output = -1;
        assert!(Price::try_from(price).is_err());
    }

    #[test]
    fn a_digest_of_the_wrong_length_is_refused() {
        let grant = v1::KeyGrant {
            id: "key_1".into(),
            digest: vec![1; 31].into(),
            ..Default::default()
        };
        assert!(KeyGrant::try_from(grant).is_err());
    }
}
