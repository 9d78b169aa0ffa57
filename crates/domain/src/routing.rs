//! Which endpoints a request tries, and in which order: decided without shared state, so that every data plane picks the
//! same endpoint for the same conversation and Bedrock's prompt cache, which is per account and region, stays warm.

use crate::{BedrockModel, Endpoint, Lane, Model, Team};
use sha2::{Digest, Sha256};

/// One attempt of a route: this endpoint, asked for this model through this lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What it is asked for.
    pub model: BedrockModel,
    /// The lane that it is asked through: [`order`] says the one that serves everything, the data plane chooses.
    pub lane: Lane,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// The team has endpoints of its own, and none of them is enabled; another account is never used instead.
    #[error("none of the endpoints assigned to your team is enabled")]
    TeamEndpointsDisabled,
    /// There is no enabled default endpoint.
    #[error("no default endpoint is enabled")]
    NoDefault,
    /// There are endpoints, but none offers the model.
    #[error("none of the endpoints that you may use offers this model")]
    ModelNotOffered,
}

/// The endpoints that a team may use: its own, and only those, or the default ones where it has none of its own.
///
/// # Errors
/// [`NoRoute`] when none of them is enabled.
pub fn eligible<'a>(
    team: Option<&Team>,
    endpoints: impl Iterator<Item = &'a Endpoint>,
) -> Result<Vec<&'a Endpoint>, NoRoute> {
    let own: &[_] = team.map_or(&[], |t| t.endpoints.as_slice());
    let found: Vec<_> = endpoints
        .filter(|e| e.enabled)
        .filter(|e| {
            if own.is_empty() {
                e.is_default
            } else {
                own.contains(&e.id)
            }
        })
        .collect();
    match (found.is_empty(), own.is_empty()) {
        (false, _) => Ok(found),
        (true, true) => Err(NoRoute::NoDefault),
        (true, false) => Err(NoRoute::TeamEndpointsDisabled),
    }
}

/// Orders the endpoints that offer `model` for one conversation by weighted rendezvous hashing: the same conversation gets
/// the same order everywhere, and taking an endpoint away moves only the conversations that were on it.
///
/// `home_region` is the region of endpoints that name none. `affinity` is what should stick: a conversation or a user.
///
/// # Errors
/// [`NoRoute::ModelNotOffered`] if no endpoint offers the model.
pub fn order(
    endpoints: &[&Endpoint],
    model: &Model,
    home_region: &str,
    affinity: &str,
) -> Result<Vec<Candidate>, NoRoute> {
    let mut scored: Vec<(f64, Candidate)> = endpoints
        .iter()
        .filter_map(|&endpoint| {
            let model = endpoint.invocable(model, home_region)?;
            let candidate = Candidate {
                endpoint: endpoint.clone(),
                model,
                lane: Lane::InvokeModel,
            };
            Some((score(endpoint, affinity), candidate))
        })
        .collect();
    if scored.is_empty() {
        return Err(NoRoute::ModelNotOffered);
    }
    scored.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.endpoint.id.cmp(&y.endpoint.id)));
    Ok(scored.into_iter().map(|(_, candidate)| candidate).collect())
}

/// Weighted rendezvous score: `-weight / ln(u)` with `u` uniform in (0, 1) from a hash of both names.
fn score(endpoint: &Endpoint, affinity: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(affinity.as_bytes());
    hash.update([0]);
    hash.update(endpoint.id.as_str().as_bytes());
    let digest = hash.finalize();
    let mut first = [0u8; 8];
    first.copy_from_slice(&digest[..8]);
    // 52 bits fit an f64 exactly; the half keeps the value off 0 and 1.
    #[expect(clippy::cast_precision_loss, reason = "52 bits are exact in an f64")]
    let u = ((u64::from_be_bytes(first) >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0;
    f64::from(endpoint.weight) / -u.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::AccountState;
    use crate::{EndpointId, Geography, Lanes, ModelName, TeamId, catalogue};

    fn endpoint(n: u32, weight: u32) -> Endpoint {
        Endpoint {
            id: EndpointId::parse(&format!("end_{n}")).unwrap(),
            name: format!("e{n}"),
            region: Some("us-east-1".into()),
            role_arn: None,
            external_id: None,
            geography: None,
            runtime_url: None,
            lanes: Lanes::default(),
            offers: std::sync::Arc::default(),
            mantle_url: None,
            guardrail: None,
            weight,
            enabled: true,
            is_default: true,
        }
    }

    fn model(name: &str) -> Model {
        catalogue::models()
            .into_iter()
            .find(|m| m.name == ModelName::canonical(name))
            .unwrap()
    }

    fn first(endpoints: &[Endpoint], conversation: u32) -> String {
        let refs: Vec<_> = endpoints.iter().collect();
        let route = order(&refs, &model("claude-opus-5-5"), "", &format!("c{conversation}")).unwrap();
        route[0].endpoint.name.clone()
    }

    #[test]
    fn removing_an_endpoint_moves_only_its_own_conversations() {
        let three = [endpoint(1, 1), endpoint(2, 1), endpoint(3, 1)];
        for conversation in 0..500 {
            let before = first(&three, conversation);
            let after = first(&three[..2], conversation);
            assert!(before == "e3" || before == after);
        }
    }

    #[test]
    fn weights_share_out_the_conversations() {
        let endpoints = [endpoint(1, 1), endpoint(2, 3), endpoint(3, 0)];
        let mut counts = [0u32; 4];
        for conversation in 0..4_000 {
            let name = first(&endpoints, conversation);
            counts[name[1..].parse::<usize>().unwrap()] += 1;
        }
        assert_eq!(counts[3], 0);
        assert!((850..1_150).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn a_team_with_endpoints_never_leaves_through_another() {
        let mut own = endpoint(1, 1);
        own.is_default = false;
        let other = endpoint(2, 1);
        let team = Team {
            id: TeamId::parse("team_1").unwrap(),
            name: "t".into(),
            state: AccountState::Active,
            endpoints: vec![own.id.clone()],
            guardrail: None,
        };
        let all = [own.clone(), other.clone()];
        assert_eq!(eligible(Some(&team), all.iter()).unwrap(), [&own]);
        assert_eq!(eligible(None, all.iter()).unwrap(), [&other]);
        own.enabled = false;
        let all = [own, other];
        assert_eq!(
            eligible(Some(&team), all.iter()),
            Err(NoRoute::TeamEndpointsDisabled)
        );
        assert_eq!(
            eligible(Some(&team), std::iter::empty()),
            Err(NoRoute::TeamEndpointsDisabled)
        );
        assert_eq!(eligible(None, std::iter::empty()), Err(NoRoute::NoDefault));
    }

    #[test]
    fn the_model_id_follows_the_endpoints_region() {
        let mut e = endpoint(1, 1);
        let ask = |e: &Endpoint, name: &str| {
            order(&[e], &model(name), "eu-west-1", "c").map(|r| r[0].model.id.clone())
        };
        assert_eq!(
            ask(&e, "claude-opus-5-5").unwrap(),
            "us.anthropic.claude-opus-5-5"
        );
        e.region = None;
        assert_eq!(
            ask(&e, "claude-opus-5-5").unwrap(),
            "eu.anthropic.claude-opus-5-5"
        );
        e.geography = Some(Geography::Global);
        assert_eq!(
            ask(&e, "claude-opus-5-5").unwrap(),
            "global.anthropic.claude-opus-5-5"
        );
        e.geography = Some(Geography::InRegion);
        assert_eq!(ask(&e, "claude-opus-5-5"), Err(NoRoute::ModelNotOffered));
        assert_eq!(
            ask(&e, "claude-haiku-4-5").unwrap(),
            "anthropic.claude-haiku-4-5-20251001-v1:0"
        );
    }
}
