//! Which lane a request takes at an endpoint, and what is known of the lanes there.
//!
//! Every endpoint serves every model through `InvokeModel`. The other lanes are used where an admin allows them and a probe
//! has shown that they serve the model; a conversation keeps the lane that it began on, since Bedrock's prompt cache and the
//! signatures of thinking are bound to what was sent. See `docs/lanes.md`.

pub(crate) mod extras;
pub(crate) mod guard;
pub(crate) mod probe;

use super::fault::Fault;
use crate::conversation::ConversationKey;
use ccag_domain::routing::Candidate;
use ccag_domain::{BedrockModel, Clock, EndpointId, Geography, Lane, Model, ModelName, UnixMs};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// So many conversations are remembered; one that is forgotten chooses again.
const MAX_CONVERSATIONS: u64 = 100_000;

/// A conversation that rests for longer than this is forgotten.
const REST: Duration = Duration::from_secs(24 * 3_600);

/// A lane that does not serve a model is asked again after this.
const ABSENT_MS: i64 = 600_000;

/// A probe that failed for a passing reason is made again after this.
const PASSING_MS: i64 = 60_000;

/// A probe that has not come back after this is taken for lost.
const PROBING_MS: i64 = 120_000;

/// What a request asks of the lanes.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) conversation: ConversationKey,
    pub(crate) model: Arc<Model>,
    /// Whether the answer is streamed.
    pub(crate) streaming: bool,
    /// Whether the conversation had turns before.
    pub(crate) has_history: bool,
    /// Whether the conversation stays where it is answered: not where every request begins elsewhere.
    pub(crate) is_sticky: bool,
    /// Whether much of the prompt is likely to be cached where the conversation lives.
    pub(crate) is_warm: bool,
}

type Key = (EndpointId, ModelName, Lane);

/// What is known of one lane at one endpoint for one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A probe is on its way.
    Probing { since_ms: UnixMs },
    /// It serves.
    Serves,
    /// It does not; ask again then.
    Absent { until_ms: UnixMs },
}

/// The lane to take, and one to find out about meanwhile.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) candidate: Candidate,
    pub(crate) probe: Option<Candidate>,
}

/// All that this data plane knows of lanes; forgotten at a restart.
pub(crate) struct LaneTable {
    clock: Arc<dyn Clock>,
    states: RwLock<HashMap<Key, State>>,
    pins: moka::sync::Cache<(ConversationKey, EndpointId), Lane>,
    /// Texts that a guardrail has let pass, by digest.
    pub(crate) passed: moka::sync::Cache<[u8; 32], ()>,
    /// What endpoints do not take beside the request itself.
    refused_extras: moka::sync::Cache<extras::Refused, ()>,
}

impl LaneTable {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            states: RwLock::default(),
            pins: moka::sync::Cache::builder()
                .max_capacity(MAX_CONVERSATIONS)
                .time_to_idle(REST)
                .build(),
            passed: moka::sync::Cache::builder()
                .max_capacity(MAX_CONVERSATIONS)
                .time_to_live(Duration::from_secs(3_600))
                .build(),
            refused_extras: moka::sync::Cache::builder()
                .max_capacity(MAX_CONVERSATIONS)
                .time_to_live(Duration::from_secs(600))
                .build(),
        }
    }

    pub(crate) fn now_ms(&self) -> UnixMs {
        self.clock.now_ms()
    }

    /// The lane that a request takes at an endpoint: the one that its conversation is on, if that is still to be had, else the
    /// first of the endpoint's that serves the model. A lane that is preferred to that one and not known yet is to be
    /// probed; the request does not wait for it.
    pub(crate) fn choose(&self, candidate: &Candidate, asked: &Asked, home_region: &str) -> Choice {
        let lanes = candidate.endpoint.lanes.as_slice();
        if lanes == [Lane::InvokeModel] {
            return Choice {
                candidate: candidate.clone(),
                probe: None,
            };
        }
        let through = |lane| through(candidate, lane, &asked.model, home_region);
        let pin = (asked.conversation, candidate.endpoint.id.clone());
        if let Some(lane) = self.pins.get(&pin)
            && lanes.contains(&lane)
            && (lane == Lane::InvokeModel || self.state(candidate, asked, lane) == Some(State::Serves))
        {
            return Choice {
                candidate: through(lane),
                probe: None,
            };
        }
        let mut probe = None;
        let mut chosen = Lane::InvokeModel;
        for &lane in lanes {
            if lane == Lane::InvokeModel || self.state(candidate, asked, lane) == Some(State::Serves) {
                chosen = lane;
                break;
            }
            if probe.is_none() && self.begin_probe(candidate, asked, lane) {
                probe = Some(through(lane));
            }
        }
        self.pins.insert(pin, chosen);
        Choice {
            candidate: through(chosen),
            probe,
        }
    }

    fn state(&self, candidate: &Candidate, asked: &Asked, lane: Lane) -> Option<State> {
        let key = (candidate.endpoint.id.clone(), asked.model.name.clone(), lane);
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        states.get(&key).copied()
    }

    /// Whether whoever asks is to probe the lane: nobody else does at the moment, and it was not found absent lately.
    fn begin_probe(&self, candidate: &Candidate, asked: &Asked, lane: Lane) -> bool {
        let now = self.clock.now_ms();
        let key = (candidate.endpoint.id.clone(), asked.model.name.clone(), lane);
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        let due = match states.get(&key) {
            None => true,
            Some(State::Serves) => false,
            Some(State::Probing { since_ms }) => since_ms + PROBING_MS <= now,
            Some(State::Absent { until_ms }) => *until_ms <= now,
        };
        if due {
            states.insert(key, State::Probing { since_ms: now });
        }
        due
    }

    fn set(&self, candidate: &Candidate, model: &Model, state: State) {
        let key = (candidate.endpoint.id.clone(), model.name.clone(), candidate.lane);
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        states.insert(key, state);
    }

    /// A probe has come back.
    pub(crate) fn probed(&self, candidate: &Candidate, model: &Model, fault: Option<&Fault>) {
        use ccag_translate::error::Health;
        let pause = match fault.map(|fault| fault.error.health) {
            None => return self.set(candidate, model, State::Serves),
            Some(Health::Throttled | Health::Unreachable | Health::Unavailable | Health::Credentials) => {
                PASSING_MS
            }
            Some(_) => ABSENT_MS,
        };
        let until_ms = self.clock.now_ms() + pause;
        self.set(candidate, model, State::Absent { until_ms });
    }

    /// Whether a failure means that the lane, not the endpoint, is at fault: the request then goes through `InvokeModel`.
    /// Credentials are at fault only when new ones have been tried.
    pub(crate) fn leave(
        &self,
        candidate: &Candidate,
        asked: &Asked,
        fault: &Fault,
        credentials_renewed: bool,
    ) -> bool {
        use ccag_translate::error::Health;
        if candidate.lane == Lane::InvokeModel {
            return false;
        }
        if fault.error.kind == guard::NEEDS_INVOKE_MODEL {
            return true;
        }
        let gone = match fault.error.health {
            Health::ModelMissing => true,
            Health::Credentials => credentials_renewed,
            _ => false,
        };
        if gone {
            let until_ms = self.clock.now_ms() + ABSENT_MS;
            self.set(candidate, &asked.model, State::Absent { until_ms });
            self.pins.insert(
                (asked.conversation, candidate.endpoint.id.clone()),
                Lane::InvokeModel,
            );
            tracing::warn!(
                endpoint = candidate.endpoint.name,
                lane = candidate.lane.as_str(),
                model = %asked.model.name,
                error = fault.error.kind,
                "the lane does not serve the model; InvokeModel is used for ten minutes"
            );
        }
        gone
    }
}

/// The same endpoint through another lane.
pub(crate) fn through(candidate: &Candidate, lane: Lane, model: &Model, home_region: &str) -> Candidate {
    let mut changed = candidate.clone();
    changed.lane = lane;
    if lane == Lane::Mantle {
        let region = candidate.endpoint.region.as_deref().unwrap_or(home_region);
        changed.model = BedrockModel {
            // Base ids only; what they cost, the price says of the lane (`docs/lanes.md`).
            id: model.bedrock_id.clone(),
            geography: Geography::of_mantle(region),
        };
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::time::FixedClock;
    use ccag_domain::{KeyId, Lanes, catalogue};

    fn candidate(lanes: impl IntoIterator<Item = Lane>) -> Candidate {
        let mut candidate = crate::bedrock::sample::candidate(1, "global.anthropic.claude-opus-5-5");
        candidate.endpoint.region = Some("eu-central-1".into());
        candidate.endpoint.lanes = Lanes::new(lanes);
        candidate.model.geography = Geography::Global;
        candidate
    }

    fn asked(session: &str) -> Asked {
        let model = catalogue::models()
            .into_iter()
            .find(|m| m.name.as_str() == "claude-opus-5-5");
        let model = Arc::new(model.unwrap());
        Asked {
            conversation: ConversationKey::new(&KeyId::parse("key_1").unwrap(), session, &model.name),
            model,
            has_history: false,
            is_sticky: true,
            is_warm: false,
            streaming: true,
        }
    }

    fn table() -> LaneTable {
        LaneTable::new(Arc::new(FixedClock(1_000)))
    }

    #[test]
    fn an_endpoint_without_lanes_is_asked_as_ever_and_never_probed() {
        let choice = table().choose(&candidate([]), &asked("s"), "us-east-1");
        assert_eq!(choice.candidate.lane, Lane::InvokeModel);
        assert!(choice.probe.is_none());
    }

    #[test]
    fn a_lane_is_used_once_a_probe_has_shown_that_it_serves() {
        let (table, candidate) = (table(), candidate([Lane::Messages]));
        let first = table.choose(&candidate, &asked("a"), "");
        assert_eq!(first.candidate.lane, Lane::InvokeModel);
        let probe = first.probe.unwrap();
        assert_eq!(probe.lane, Lane::Messages);
        // One probe is enough, whoever asks meanwhile.
        assert!(table.choose(&candidate, &asked("b"), "").probe.is_none());
        table.probed(&probe, &asked("a").model, None);
        assert_eq!(
            table.choose(&candidate, &asked("c"), "").candidate.lane,
            Lane::Messages
        );
        for session in ["a", "b"] {
            let lane = table.choose(&candidate, &asked(session), "").candidate.lane;
            assert_eq!(lane, Lane::InvokeModel, "a conversation keeps its lane");
        }
    }

    #[test]
    fn a_conversation_leaves_its_lane_when_the_lane_is_gone() {
        let (table, candidate) = (table(), candidate([Lane::Mantle]));
        let probe = table.choose(&candidate, &asked("a"), "").probe.unwrap();
        table.probed(&probe, &asked("a").model, None);
        let chosen = table.choose(&candidate, &asked("b"), "").candidate;
        assert_eq!(chosen.model.id, "anthropic.claude-opus-5-5");
        assert_eq!(chosen.model.geography, Geography::Eu);
        let fault = Fault::of_refusal(
            http::StatusCode::NOT_FOUND,
            &http::HeaderMap::new(),
            br#"{"Output":{"__type":"UnknownOperationException"}}"#,
            "m",
            0,
        );
        assert!(table.leave(&chosen, &asked("b"), &fault, false));
        let after = table.choose(&candidate, &asked("b"), "");
        assert_eq!(after.candidate.lane, Lane::InvokeModel);
        assert!(
            table.choose(&candidate, &asked("d"), "").probe.is_none(),
            "not before ten minutes"
        );
    }

    #[test]
    fn a_lane_that_is_no_longer_allowed_is_left() {
        let table = table();
        let allowed = candidate([Lane::Messages]);
        let probe = table.choose(&allowed, &asked("a"), "").probe.unwrap();
        table.probed(&probe, &asked("a").model, None);
        assert_eq!(
            table.choose(&allowed, &asked("b"), "").candidate.lane,
            Lane::Messages
        );
        let choice = table.choose(&candidate([]), &asked("b"), "");
        assert_eq!(choice.candidate.lane, Lane::InvokeModel);
    }
}
