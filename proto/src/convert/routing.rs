//! What is said about routes.

use super::{InvalidMessage, geography};
use crate::v1;
use ccag_domain::{ModelName, RegionPattern, RoutingPolicy, Strategy};

/// A policy that says nothing is not sent.
pub(super) fn to_wire(policy: RoutingPolicy) -> Option<v1::RoutingPolicy> {
    if policy.is_silent() {
        return None;
    }
    Some(v1::RoutingPolicy {
        strategy: policy.strategy.map(|strategy| strategy.as_str().to_owned()),
        models: allowed(policy.models),
        geographies: allowed(policy.geographies),
        regions: allowed(policy.regions),
    })
}

fn allowed<T: ToString>(list: Option<Vec<T>>) -> Option<v1::Allowed> {
    list.map(|list| v1::Allowed {
        names: list.iter().map(ToString::to_string).collect(),
    })
}

/// What this version does not know makes the whole object unusable: it fails closed.
pub(super) fn from_wire(message: Option<v1::RoutingPolicy>) -> Result<RoutingPolicy, InvalidMessage> {
    let Some(message) = message else {
        return Ok(RoutingPolicy::default());
    };
    let strategy =
        |text: String| Strategy::parse(&text).ok_or_else(|| InvalidMessage::unusable("strategy", text));
    let region =
        |text: &str| RegionPattern::parse(text).ok_or_else(|| InvalidMessage::unusable("regions", text));
    Ok(RoutingPolicy {
        strategy: message.strategy.map(strategy).transpose()?,
        models: read(message.models, |name| Ok(ModelName::canonical(name)))?,
        geographies: read(message.geographies, geography)?,
        regions: read(message.regions, region)?,
    })
}

fn read<T>(
    list: Option<v1::Allowed>,
    one: impl Fn(&str) -> Result<T, InvalidMessage>,
) -> Result<Option<Vec<T>>, InvalidMessage> {
    let read = |list: v1::Allowed| list.names.iter().map(|name| one(name)).collect();
    list.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::Team;

    #[test]
    fn a_team_whose_rules_for_routes_make_no_sense_is_refused_whole() {
        let wire = |routing: v1::RoutingPolicy| v1::Team {
            id: "team_1".into(),
            state: v1::AccountState::Active.into(),
            routing: Some(routing),
            ..v1::Team::default()
        };
        let names = |name: &str| {
            Some(v1::Allowed {
                names: vec![name.to_owned()],
            })
        };
        let silent = Team::try_from(wire(v1::RoutingPolicy::default())).unwrap();
        assert!(silent.routing.is_silent());
        let senseless = [
            v1::RoutingPolicy {
                strategy: Some("by_moonlight".into()),
                ..v1::RoutingPolicy::default()
            },
            v1::RoutingPolicy {
                geographies: names("mars"),
                ..v1::RoutingPolicy::default()
            },
            v1::RoutingPolicy {
                regions: names("eu"),
                ..v1::RoutingPolicy::default()
            },
        ];
        for routing in senseless {
            assert!(Team::try_from(wire(routing.clone())).is_err(), "{routing:?}");
        }
    }
}
