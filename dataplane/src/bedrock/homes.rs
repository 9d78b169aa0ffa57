//! Where conversations have moved to.
//!
//! A conversation's prompts are cached in the account and region that answered it, so it moves only when it must, and then for
//! good: back and forth would pay for the whole prompt each time. Hashing says where a conversation lives as long as it has not
//! moved. Those that have are remembered, and told through the control plane to all data planes, since the next request may
//! reach another one. Where that does not get through, the cost is a cold cache and nothing else.

use crate::conversation::ConversationKey;
use bytes::Bytes;
use ccag_domain::EndpointId;
use ccag_domain::routing::Candidate;
use ccag_proto::v1;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A conversation that rests for so long is remembered no longer: no prompt is cached for longer than an hour (Amazon Bedrock
/// User Guide, "Prompt caching").
const REST: Duration = Duration::from_secs(3_600);

/// What is in use is told again after this time, so that others do not forget it.
const TELL_AGAIN: Duration = Duration::from_secs(1_800);

/// So many conversations are remembered: those that have moved, not all.
const MAX_CONVERSATIONS: u64 = 100_000;

/// So many are kept to be told, should the control plane be away.
const MAX_UNTOLD: usize = 10_000;

/// So many are told at once.
const MAX_TOLD: usize = 1_000;

#[derive(Debug, Clone)]
struct Home {
    endpoint: EndpointId,
    told: Instant,
}

/// The conversations that have moved, as far as is known here.
pub(crate) struct Homes {
    moved: moka::sync::Cache<ConversationKey, Home>,
    untold: Mutex<Vec<(ConversationKey, EndpointId)>>,
    news: Notify,
}

impl Default for Homes {
    fn default() -> Self {
        Self {
            moved: moka::sync::Cache::builder()
                .max_capacity(MAX_CONVERSATIONS)
                .time_to_idle(REST)
                .build(),
            untold: Mutex::default(),
            news: Notify::new(),
        }
    }
}

impl Homes {
    /// Puts the endpoint to which a conversation has moved before the others; true if that is another one than would be first.
    pub(crate) fn lead(&self, conversation: &ConversationKey, route: &mut [Candidate]) -> bool {
        if route.len() < 2 || self.moved.entry_count() == 0 {
            return false;
        }
        let Some(home) = self.moved.get(conversation) else {
            return false;
        };
        match route.iter().position(|c| c.endpoint.id == home.endpoint) {
            Some(at) => {
                route[..=at].rotate_right(1);
                at > 0
            }
            None => false,
        }
    }

    /// A conversation whose home would be `first` was answered by `by`.
    pub(crate) fn served(&self, conversation: &ConversationKey, first: &EndpointId, by: &EndpointId) {
        if first == by && self.moved.entry_count() == 0 {
            return;
        }
        let now = Instant::now();
        match self.moved.get(conversation) {
            Some(home) if home.endpoint == *by && now - home.told < TELL_AGAIN => return,
            None if first == by => return,
            _ => {}
        }
        self.remember(*conversation, by.clone(), now);
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        if untold.len() < MAX_UNTOLD {
            untold.push((*conversation, by.clone()));
            self.news.notify_one();
        }
    }

    /// Others have told where conversations are.
    pub(crate) fn heard(&self, moved: Vec<v1::MovedConversation>) {
        let now = Instant::now();
        for one in moved {
            let (Some(conversation), Ok(endpoint)) = (
                ConversationKey::read(&one.conversation),
                EndpointId::parse(&one.endpoint_id),
            ) else {
                continue;
            };
            self.remember(conversation, endpoint, now);
        }
    }

    /// What is to be told to others, and is not told yet.
    pub(crate) fn untold(&self) -> Vec<v1::MovedConversation> {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let part = untold.len().min(MAX_TOLD);
        if untold.len() > part {
            self.news.notify_one();
        }
        untold
            .drain(..part)
            .map(|(conversation, endpoint)| v1::MovedConversation {
                conversation: Bytes::copy_from_slice(conversation.bytes()),
                endpoint_id: endpoint.into(),
            })
            .collect()
    }

    /// Resolves when there is something to tell.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    fn remember(&self, conversation: ConversationKey, endpoint: EndpointId, told: Instant) {
        self.moved.insert(conversation, Home { endpoint, told });
        // The count of entries is what most requests look at.
        self.moved.run_pending_tasks();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bedrock::sample::candidate;
    use ccag_domain::{KeyId, ModelName};

    fn key(session: &str) -> ConversationKey {
        let model = ModelName::canonical("claude-opus-5-5");
        ConversationKey::new(&KeyId::parse("key_1").unwrap(), session, &model)
    }

    fn id(n: u32) -> EndpointId {
        EndpointId::parse(&format!("end_{n}")).unwrap()
    }

    fn order(homes: &Homes, session: &str) -> String {
        let mut route = [1, 2, 3].map(|n| candidate(n, "m"));
        homes.lead(&key(session), &mut route);
        route.map(|c| c.endpoint.name).concat()
    }

    #[test]
    fn a_conversation_stays_where_it_has_moved_to_on_every_data_plane() {
        let (here, there) = (Homes::default(), Homes::default());
        here.served(&key("a"), &id(1), &id(1));
        assert!(here.untold().is_empty());
        here.served(&key("a"), &id(1), &id(3));
        assert_eq!(order(&here, "a"), "312");
        assert_eq!(order(&here, "b"), "123");
        let told = here.untold();
        assert_eq!(told.len(), 1);
        there.heard(told);
        assert_eq!(order(&there, "a"), "312");
        // Served where it is: nothing to tell.
        there.served(&key("a"), &id(1), &id(3));
        assert!(there.untold().is_empty() && here.untold().is_empty());
        // It has to move again, and be it back.
        there.served(&key("a"), &id(1), &id(1));
        here.heard(there.untold());
        assert_eq!(order(&here, "a"), "123");
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let homes = Homes::default();
        let moved = |conversation: &[u8], endpoint: &str| v1::MovedConversation {
            conversation: Bytes::copy_from_slice(conversation),
            endpoint_id: endpoint.to_owned(),
        };
        homes.heard(vec![
            moved(b"short", "end_2"),
            moved(key("a").bytes(), "nonsense"),
            moved(key("a").bytes(), "end_2"),
        ]);
        assert_eq!(order(&homes, "a"), "213");
    }

    #[test]
    fn much_is_told_in_parts_and_bounded() {
        let homes = Homes::default();
        for n in 0..MAX_UNTOLD + 5 {
            homes.served(&key(&n.to_string()), &id(1), &id(2));
        }
        let mut parts = 0;
        while !homes.untold().is_empty() {
            parts += 1;
        }
        assert_eq!(parts, MAX_UNTOLD / MAX_TOLD);
    }
}
