//! Sessions of clients, counted once on the day on which they begin: how many, how many requests they came to have, and how long
//! they came to be.

use super::cubes::day_start;
use super::entity::{session_sum, usage_record, used_session};
use super::observed::Observed;
use super::{Store, StoreError, dialect};
use ccag_domain::UnixMs;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QueryOrder,
    QuerySelect, TryInsertResult,
};
use session_sum::Column as S;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use used_session::{Column as C, Entity, Model};

/// By team.
pub(super) const TEAM: &str = "team";
/// By team, user and key.
pub(super) const ALL: &str = "all";

/// A digest of a key and a session: what clients call their sessions may be long.
fn id(record: &usage_record::Model) -> Option<String> {
    let session = record.session_id.as_deref()?;
    let mut hash = Sha256::new();
    hash.update(record.key_id.as_bytes());
    hash.update([0]);
    hash.update(session.as_bytes());
    Some(hex::encode(&hash.finalize()[..16]))
}

/// What records add to a session.
struct Added {
    session: Model,
    requests: i64,
}

/// Adds new records to their sessions.
pub(super) async fn add(
    tx: &DatabaseTransaction,
    seen: &[(&usage_record::Model, &Observed)],
) -> Result<(), StoreError> {
    let mut added: BTreeMap<String, Added> = BTreeMap::new();
    for (record, _) in seen.iter().filter(|(_, observed)| observed.in_session) {
        let Some(id) = id(record) else { continue };
        let end = record.started_at_ms.saturating_add(record.duration_ms);
        let one = added.entry(id.clone()).or_insert_with(|| Added {
            session: Model {
                id,
                team_id: record.team_id.clone().unwrap_or_default(),
                user_id: record.user_id.clone().unwrap_or_default(),
                key_id: record.key_id.clone(),
                first_ms: record.started_at_ms,
                last_ms: end,
            },
            requests: 0,
        });
        one.requests += 1;
        one.session.last_ms = Ord::max(one.session.last_ms, end);
    }
    if added.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = added.keys().cloned().collect();
    let size = dialect::rows_per_statement(C::iter().count());
    // Whoever inserts it has it begin; others wait here, and then find it.
    let mut begun = HashSet::new();
    for chunk in ids.chunks(size) {
        let rows = chunk.iter().filter_map(|id| added.get(id));
        let rows = rows.map(|one| one.session.clone().into_active_model());
        let inserted = Entity::insert_many(rows)
            .on_conflict_do_nothing()
            .exec_with_returning_keys(tx)
            .await?;
        if let TryInsertResult::Inserted(new) = inserted {
            begun.extend(new);
        }
    }
    let mut known = BTreeMap::new();
    let others: Vec<&String> = ids.iter().filter(|id| !begun.contains(*id)).collect();
    for chunk in others.chunks(size) {
        let rows = Entity::find()
            .filter(C::Id.is_in(chunk.iter().map(|id| id.as_str())))
            .order_by_asc(C::Id)
            .lock_exclusive()
            .all(tx)
            .await?;
        known.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
    }
    let mut sums: BTreeMap<(String, UnixMs, String, String, String), session_sum::Model> = BTreeMap::new();
    let mut longer = Vec::new();
    for (id, one) in added {
        let (before, sessions) = match known.remove(&id) {
            Some(before) => (before, 0),
            None => {
                let first = one.session.first_ms;
                let nothing = Model {
                    last_ms: first,
                    ..one.session.clone()
                };
                (nothing, 1)
            }
        };
        let more = Ord::max(one.session.last_ms - before.last_ms, 0);
        for row in rows(&before, sessions, one.requests, more) {
            let key = (
                row.cube.clone(),
                row.start_ms,
                row.team_id.clone(),
                row.user_id.clone(),
                row.key_id.clone(),
            );
            let sum = sums.entry(key).or_insert_with(|| session_sum::Model {
                sessions: 0,
                requests: 0,
                length_ms: 0,
                ..row.clone()
            });
            sum.sessions += row.sessions;
            sum.requests += row.requests;
            sum.length_ms = sum.length_ms.saturating_add(row.length_ms);
        }
        if sessions == 0 && more > 0 {
            longer.push(Model {
                last_ms: one.session.last_ms,
                ..before
            });
        }
    }
    for chunk in longer.chunks(size) {
        Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(OnConflict::column(C::Id).update_column(C::LastMs).to_owned())
            .exec_without_returning(tx)
            .await?;
    }
    put(tx, sums.into_values().collect()).await
}

/// What a session adds to the sums of the day on which it began.
fn rows(session: &Model, sessions: i64, requests: i64, length_ms: i64) -> [session_sum::Model; 2] {
    let all = session_sum::Model {
        cube: ALL.to_owned(),
        start_ms: day_start(session.first_ms),
        team_id: session.team_id.clone(),
        user_id: session.user_id.clone(),
        key_id: session.key_id.clone(),
        sessions,
        requests,
        length_ms,
    };
    let team = session_sum::Model {
        cube: TEAM.to_owned(),
        user_id: String::new(),
        key_id: String::new(),
        ..all.clone()
    };
    [all, team]
}

async fn put(tx: &DatabaseTransaction, sums: Vec<session_sum::Model>) -> Result<(), StoreError> {
    for chunk in sums.chunks(dialect::rows_per_statement(S::iter().count())) {
        let mut added = OnConflict::columns([S::Cube, S::StartMs, S::TeamId, S::UserId, S::KeyId]);
        for column in [S::Sessions, S::Requests, S::LengthMs] {
            let stored = Expr::col((session_sum::Entity, column));
            let new = Expr::col((Alias::new("excluded"), column));
            added.value(column, stored.add(new));
        }
        session_sum::Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(added)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

impl Store {
    /// Forgets sessions and conversations of which nothing was heard since `at_ms`; what they come to stays. Returns how many
    /// there were.
    pub(crate) async fn forget_rested(&self, at_ms: UnixMs) -> Result<u64, StoreError> {
        let _writer = self.writer().await;
        let sessions = Entity::delete_many()
            .filter(C::LastMs.lt(at_ms))
            .exec(&self.db)
            .await?;
        let conversations = super::cache_losses::forget(&self.db, at_ms).await?;
        Ok(sessions.rows_affected + conversations)
    }
}
