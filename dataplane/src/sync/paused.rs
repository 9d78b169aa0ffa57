//! The paused sessions of a view.

use ccag_domain::{Caller, PauseId, PausedSession, SessionOwner};
use rpds::HashTrieMapSync;
use std::sync::Arc;

/// All paused sessions, by whose they are and their ids. Clones share almost everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct PausedTable {
    by_session: HashTrieMapSync<(SessionOwner, String), Arc<PausedSession>>,
    sessions: HashTrieMapSync<PauseId, (SessionOwner, String)>,
}

impl PausedTable {
    /// Adds or replaces a pause.
    pub(super) fn put(&mut self, paused: PausedSession) {
        self.remove(&paused.id);
        let session = (paused.owner.clone(), paused.session_id.clone());
        self.sessions.insert_mut(paused.id.clone(), session.clone());
        self.by_session.insert_mut(session, Arc::new(paused));
    }

    /// Removes a pause.
    pub(super) fn remove(&mut self, id: &PauseId) {
        let Some(session) = self.sessions.get(id).cloned() else {
            return;
        };
        self.sessions.remove_mut(id);
        // The session may have been paused anew.
        if self
            .by_session
            .get(&session)
            .is_some_and(|paused| paused.id == *id)
        {
            self.by_session.remove_mut(&session);
        }
    }

    /// The pause of a caller's session, if it is paused.
    pub(crate) fn of(&self, caller: &Caller, session_id: Option<&str>) -> Option<&Arc<PausedSession>> {
        if self.by_session.is_empty() {
            return None;
        }
        let session = (SessionOwner::of(caller), session_id?.to_owned());
        self.by_session.get(&session)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<PausedSession>> {
        self.by_session.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{KeyId, PauseReason, UserId};

    fn paused(id: &str, owner: &str) -> PausedSession {
        PausedSession {
            id: PauseId::parse(id).unwrap(),
            owner: SessionOwner::parse(owner).unwrap(),
            session_id: "s".into(),
            reason: PauseReason::Agents {
                measured: 3,
                limit: 2,
            },
            paused_at_ms: 0,
            resume_url: None,
        }
    }

    fn caller(key: &str, user: Option<&str>) -> Caller {
        Caller {
            key_id: KeyId::parse(key).unwrap(),
            user_id: user.map(|id| UserId::parse(id).unwrap()),
            team_id: None,
        }
    }

    #[test]
    fn a_session_is_paused_for_whom_it_belongs_to_and_for_nobody_else() {
        let mut table = PausedTable::default();
        assert!(table.of(&caller("key_1", None), Some("s")).is_none());
        table.put(paused("pau_1", "user_1"));
        assert!(table.of(&caller("key_1", Some("user_1")), Some("s")).is_some());
        assert!(table.of(&caller("key_2", Some("user_1")), Some("s")).is_some());
        assert!(table.of(&caller("key_1", Some("user_2")), Some("s")).is_none());
        assert!(table.of(&caller("key_1", None), Some("s")).is_none());
        assert!(table.of(&caller("key_1", Some("user_1")), Some("t")).is_none());
        assert!(table.of(&caller("key_1", Some("user_1")), None).is_none());
    }

    #[test]
    fn a_pause_that_is_over_does_not_lift_the_next_one() {
        let mut table = PausedTable::default();
        table.put(paused("pau_1", "key_1"));
        table.put(paused("pau_2", "key_1"));
        table.remove(&PauseId::parse("pau_1").unwrap());
        assert!(table.of(&caller("key_1", None), Some("s")).is_some());
        table.remove(&PauseId::parse("pau_2").unwrap());
        assert!(table.of(&caller("key_1", None), Some("s")).is_none());
        assert_eq!(table.all().count(), 0);
    }
}
