//! Sessions that are paused.

use super::{InvalidMessage, id};
use crate::v1;
use ccag_domain::{PauseReason, PausedSession, SessionOwner};

impl From<PausedSession> for v1::PausedSession {
    fn from(paused: PausedSession) -> Self {
        let (measured, limit) = paused.reason.figures();
        Self {
            id: paused.id.into(),
            owner: paused.owner.as_str().to_owned(),
            session_id: paused.session_id,
            reason: paused.reason.kind().to_owned(),
            measured,
            limit,
            paused_at_ms: paused.paused_at_ms,
            resume_url: paused.resume_url,
        }
    }
}

impl TryFrom<v1::PausedSession> for PausedSession {
    type Error = InvalidMessage;
    fn try_from(message: v1::PausedSession) -> Result<Self, InvalidMessage> {
        let reason = PauseReason::of(&message.reason, message.measured, message.limit);
        Ok(Self {
            id: id("id", message.id)?,
            owner: SessionOwner::parse(&message.owner)
                .ok_or_else(|| InvalidMessage::unusable("owner", &message.owner))?,
            session_id: message.session_id,
            reason: reason.ok_or_else(|| InvalidMessage::unusable("reason", &message.reason))?,
            paused_at_ms: message.paused_at_ms,
            resume_url: message.resume_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{ConfigObject, NanoUsd, PauseId, UserId};

    #[test]
    fn a_paused_session_survives_the_wire_and_one_without_a_reason_is_refused() {
        let paused = PausedSession {
            id: PauseId::parse("pau_1").unwrap(),
            owner: SessionOwner::User(UserId::parse("user_1").unwrap()),
            session_id: "6f1c".into(),
            reason: PauseReason::Spend {
                measured: NanoUsd(7),
                limit: NanoUsd(5),
            },
            paused_at_ms: 9,
            resume_url: Some("https://claude.example.com/console/sessions".into()),
        };
        let object = ConfigObject::PausedSession(paused.clone());
        let wire = v1::Object::from(object.clone());
        assert_eq!(wire.object_ref(), Some(object.object_ref()));
        assert_eq!(ConfigObject::try_from(wire), Ok(object));
        let mut odd = v1::PausedSession::from(paused);
        odd.reason = "mood".into();
        assert!(PausedSession::try_from(odd).is_err());
    }
}
