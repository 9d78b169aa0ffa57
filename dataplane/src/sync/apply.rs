//! From messages of the control plane to the next view.
//!
//! An object that cannot be understood is refused alone, loudly, and fails closed: what stood there before is removed, so
//! that a key, an endpoint or a price that nobody can read is not used in its old form either. Of a budget that cannot be
//! understood one stands there that lets nothing through.

use super::view::ConfigView;
use ccag_domain::{Budget, BudgetId, ConfigObject, ObjectRef, Revision};
use ccag_proto::v1;
use prost::Message as _;

/// A view, and what had to be left out of it.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) view: ConfigView,
    pub(super) rejected: Vec<v1::Rejected>,
}

impl Applied {
    fn empty(message: &v1::Snapshot) -> Self {
        Self {
            view: ConfigView::empty(&message.epoch, Revision(message.revision)),
            rejected: Vec::new(),
        }
    }

    fn add(&mut self, objects: Vec<v1::Object>) {
        for object in objects {
            put(&mut self.view, object, &mut self.rejected);
        }
    }
}

/// Builds a view from a snapshot.
pub(super) fn snapshot(message: v1::Snapshot) -> Applied {
    let mut applied = Applied::empty(&message);
    applied.add(message.objects);
    applied
}

/// A snapshot of which not all pieces are there yet.
#[derive(Debug, Default)]
pub(super) struct Pieces(Option<Applied>);

impl Pieces {
    /// Adds a piece; returns what all of them make when it is the last one.
    ///
    /// # Errors
    /// Why what is there is of no use: it is to be asked for anew.
    pub(super) fn add(&mut self, piece: v1::SnapshotPiece) -> Result<Option<Applied>, String> {
        let some = v1::Snapshot::decode(piece.snapshot)
            .map_err(|error| format!("a piece of a snapshot cannot be read: {error}"))?;
        let mut applied = self.0.take().unwrap_or_else(|| Applied::empty(&some));
        if (applied.view.epoch(), applied.view.revision().0) != (&*some.epoch, some.revision) {
            return Err("pieces of different snapshots came together".to_owned());
        }
        applied.add(some.objects);
        if piece.last {
            return Ok(Some(applied));
        }
        self.0 = Some(applied);
        Ok(None)
    }
}

/// Applies changes to a view. Those at or before its revision are repetitions and change nothing.
pub(super) fn changes(view: &ConfigView, batch: v1::ChangeBatch) -> Applied {
    let mut view = view.clone();
    let mut rejected = Vec::new();
    for change in batch.changes {
        if Revision(change.revision) <= view.revision() {
            continue;
        }
        match change.step {
            Some(v1::change::Step::Put(object)) => put(&mut view, object, &mut rejected),
            Some(v1::change::Step::Remove(object)) => remove(&mut view, object, &mut rejected),
            None => reject(
                &mut rejected,
                "unknown",
                "",
                "a kind of change that this version does not know",
            ),
        }
        view.set_revision(Revision(change.revision));
    }
    Applied { view, rejected }
}

fn put(view: &mut ConfigView, message: v1::Object, rejected: &mut Vec<v1::Rejected>) {
    let named = message.object_ref();
    let sealed = sealed(&message);
    let object = ConfigObject::try_from(message).map_err(|error| error.to_string());
    match object.and_then(|object| view.put(object)) {
        Ok(()) => {}
        Err(error) => {
            if let Some(object) = &named {
                view.remove(object);
            }
            if let Some(budget) = sealed {
                // This cannot fail: it is understood.
                let _ = view.put(ConfigObject::Budget(budget));
            }
            let (kind, id) = named
                .as_ref()
                .map_or(("unknown", ""), |o| (o.kind.as_str(), o.id.as_str()));
            reject(rejected, kind, id, &error);
        }
    }
}

/// What stands in for a budget, should it not be understood; `None` for other objects, and where not even whom it is about
/// can be understood.
fn sealed(message: &v1::Object) -> Option<Budget> {
    let Some(v1::object::Object::Budget(budget)) = &message.object else {
        return None;
    };
    Some(Budget::sealed(
        BudgetId::parse(&budget.id).ok()?,
        budget.scope_of().ok()?,
    ))
}

fn remove(view: &mut ConfigView, message: v1::ObjectRef, rejected: &mut Vec<v1::Rejected>) {
    let (kind, id) = (message.kind.clone(), message.id.clone());
    match ObjectRef::try_from(message) {
        Ok(object) => view.remove(&object),
        Err(error) => reject(rejected, &kind, &id, &error.to_string()),
    }
}

fn reject(rejected: &mut Vec<v1::Rejected>, kind: &str, id: &str, reason: &str) {
    tracing::error!(
        kind,
        id,
        reason,
        "a pushed object cannot be used: it is treated as absent until it is pushed again in a form that can"
    );
    rejected.push(v1::Rejected {
        kind: kind.into(),
        id: id.into(),
        reason: reason.into(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{KeyDigest, KeyGrant, KeyId, catalogue};

    fn key(n: u32) -> KeyGrant {
        KeyGrant {
            id: KeyId::parse(&format!("key_{n}")).unwrap(),
            digest: KeyDigest::of(&format!("secret {n}")),
            name: format!("key {n}"),
            user_id: None,
            team_id: None,
            expires_at_ms: None,
            rate_limit_rpm: None,
            session: false,
        }
    }

    fn start(keys: u32) -> ConfigView {
        let mut objects: Vec<v1::Object> = (0..keys).map(|n| ConfigObject::Key(key(n)).into()).collect();
        objects.extend(
            catalogue::models()
                .into_iter()
                .map(|m| ConfigObject::Model(m).into()),
        );
        objects.extend(
            catalogue::prices()
                .into_iter()
                .map(|p| ConfigObject::Price(p).into()),
        );
        let applied = snapshot(v1::Snapshot {
            epoch: "e".into(),
            revision: 10,
            objects,
        });
        assert!(applied.rejected.is_empty());
        applied.view
    }

    fn change(revision: u64, step: v1::change::Step) -> v1::ChangeBatch {
        v1::ChangeBatch {
            changes: vec![v1::Change {
                revision,
                step: Some(step),
            }],
        }
    }

    fn removal(kind: &str, id: &str) -> v1::change::Step {
        v1::change::Step::Remove(v1::ObjectRef {
            kind: kind.into(),
            id: id.into(),
        })
    }

    fn piece(epoch: &str, keys: std::ops::Range<u32>, last: bool) -> v1::SnapshotPiece {
        let snapshot = v1::Snapshot {
            epoch: epoch.into(),
            revision: 10,
            objects: keys.map(|n| ConfigObject::Key(key(n)).into()).collect(),
        };
        v1::SnapshotPiece {
            snapshot: snapshot.encode_to_vec().into(),
            last,
        }
    }

    #[test]
    fn pieces_of_a_snapshot_count_when_the_last_is_there() {
        let mut pieces = Pieces::default();
        assert!(pieces.add(piece("e", 0..2, false)).unwrap().is_none());
        assert!(pieces.add(piece("e", 2..3, false)).unwrap().is_none());
        let view = pieces.add(piece("e", 3..5, true)).unwrap().unwrap().view;
        assert_eq!((view.epoch(), view.revision()), ("e", Revision(10)));
        assert_eq!(view.key_count(), 5);
        // Nothing of it is left for the next one.
        let next = pieces.add(piece("f", 7..8, true)).unwrap().unwrap().view;
        assert_eq!((next.epoch(), next.key_count()), ("f", 1));
    }

    #[test]
    fn pieces_that_do_not_belong_together_or_cannot_be_read_are_refused() {
        let mut pieces = Pieces::default();
        pieces.add(piece("e", 0..2, false)).unwrap();
        assert!(pieces.add(piece("f", 2..3, true)).is_err());
        let garbage = v1::SnapshotPiece {
            snapshot: vec![0xff; 5].into(),
            last: true,
        };
        assert!(Pieces::default().add(garbage).is_err());
    }

    #[test]
    fn a_removed_key_is_gone_from_the_next_view_and_stays_in_the_one_a_request_holds() {
        let before = start(3);
        let digest = KeyDigest::of("secret 1");
        let after = changes(&before, change(11, removal("key", "key_1"))).view;
        assert!(before.key(&digest).is_some() && after.key(&digest).is_none());
        assert_eq!(after.revision(), Revision(11));
        assert!(after.key(&KeyDigest::of("secret 2")).is_some());
    }

    #[test]
    fn a_key_with_a_new_secret_no_longer_answers_to_the_old_one() {
        let before = start(3);
        let rotated = KeyGrant {
            digest: KeyDigest::of("new"),
            ..key(1)
        };
        let put = v1::change::Step::Put(ConfigObject::Key(rotated).into());
        let after = changes(&before, change(11, put)).view;
        assert!(after.key(&KeyDigest::of("secret 1")).is_none());
        assert!(after.key(&KeyDigest::of("new")).is_some());
        assert_eq!(after.key_count(), 3);
    }

    #[test]
    fn repeated_changes_change_nothing() {
        let before = start(3);
        let after = changes(&before, change(10, removal("key", "key_1"))).view;
        assert!(after.key(&KeyDigest::of("secret 1")).is_some());
    }

    #[test]
    fn an_object_that_cannot_be_read_is_blocked_and_the_rest_applied() {
        let before = start(3);
        let mut broken: v1::KeyGrant = key(1).into();
        broken.digest = vec![1, 2, 3].into();
        let broken = v1::Object {
            object: Some(v1::object::Object::Key(broken)),
        };
        let batch = v1::ChangeBatch {
            changes: vec![
                v1::Change {
                    revision: 11,
                    step: Some(v1::change::Step::Put(broken)),
                },
                v1::Change {
                    revision: 12,
                    step: Some(removal("planet", "mars")),
                },
                v1::Change {
                    revision: 13,
                    step: None,
                },
                v1::Change {
                    revision: 14,
                    step: Some(removal("key", "key_2")),
                },
            ],
        };
        let applied = changes(&before, batch);
        assert_eq!(applied.view.revision(), Revision(14));
        assert_eq!(
            applied.view.key_count(),
            1,
            "the unreadable key fails closed, the removed one is gone"
        );
        let rejected: Vec<_> = applied
            .rejected
            .iter()
            .map(|r| (r.kind.as_str(), r.id.as_str()))
            .collect();
        assert_eq!(rejected, [("key", "key_1"), ("planet", "mars"), ("unknown", "")]);
    }

    #[test]
    fn a_budget_that_cannot_be_read_lets_nothing_through() {
        let caller = ccag_domain::Caller {
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: None,
            team_id: None,
        };
        let mut broken: v1::Budget = Budget::sealed(
            BudgetId::parse("bud_1").unwrap(),
            ccag_domain::BudgetScope::Organisation,
        )
        .into();
        broken.amount_nano_usd = 1_000_000_000;
        broken.period = "fortnightly".into();
        let put = v1::change::Step::Put(v1::Object {
            object: Some(v1::object::Object::Budget(broken)),
        });
        let applied = changes(&start(1), change(11, put));
        assert_eq!(applied.rejected[0].kind, "budget");
        let ceilings: Vec<_> = applied
            .view
            .budgets()
            .of(&caller)
            .iter()
            .map(|b| b.ceiling_at(0))
            .collect();
        assert_eq!(ceilings, [Some(ccag_domain::NanoUsd::ZERO)]);
        let after = changes(&applied.view, change(12, removal("budget", "bud_1"))).view;
        assert!(after.budgets().of(&caller).is_empty());
    }

    #[test]
    fn every_name_of_a_model_finds_it_until_it_is_removed() {
        let view = start(0);
        for name in [
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
            "claude-opus-5-5[1m]",
        ] {
            assert!(view.model(name).is_some(), "{name}");
        }
        assert!(view.model("claude-nonesuch").is_none());
        let after = changes(&view, change(11, removal("model", "claude-haiku-4-5"))).view;
        assert!(after.model("claude-haiku-4-5-20251001").is_none());
        assert!(after.is_priced(&ccag_domain::ModelName::canonical("claude-haiku-4-5")));
    }

    #[test]
    fn one_change_among_100_000_keys_shares_the_rest() {
        let before = start(100_000);
        let digest = KeyDigest::of("secret 7");
        let kept = std::sync::Arc::clone(before.key(&KeyDigest::of("secret 8")).unwrap());
        let after = changes(&before, change(11, removal("key", "key_7"))).view;
        assert!(after.key(&digest).is_none());
        assert!(std::sync::Arc::ptr_eq(
            &kept,
            after.key(&KeyDigest::of("secret 8")).unwrap()
        ));
    }
}
