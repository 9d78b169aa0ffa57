//! What sessions may do within a minute, what they have done, and which are paused.

use super::entity::{paused_session, session_breaker, usage_record};
use super::rows::read;
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::{
    BreakerPolicy, NanoUsd, ObjectKind, PauseId, PauseReason, PausedSession, SessionOwner, SessionPace,
    UnixMs,
};
use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use std::collections::HashMap;

/// The scope of the policy for those whose team has none.
pub(crate) const ORGANISATION: &str = "organisation";

/// How far apart the clocks of the planes may be for a record to be found, in milliseconds: it is looked for by when it
/// arrived, and judged by when its request ended.
const SKEW_MS: i64 = 600_000;

/// How many sessions one statement looks for: SQLite bounds the depth of conditions.
const SESSIONS: usize = 100;

/// Owner and id of a session.
pub(crate) type SessionKey = (String, String);

/// Which pauses to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct PauseQuery {
    pub(crate) owner: Option<String>,
    pub(crate) team_id: Option<String>,
    /// Only those that still hold, or only those that are over.
    pub(crate) open: Option<bool>,
    /// Only before this one: its time and id.
    pub(crate) before: Option<(UnixMs, String)>,
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

impl PauseQuery {
    fn condition(&self) -> Condition {
        use paused_session::Column as C;
        let before = self.before.as_ref().map(|(at_ms, id)| {
            let same = Condition::all().add(C::PausedAtMs.eq(*at_ms)).add(C::Id.lt(id));
            Condition::any().add(C::PausedAtMs.lt(*at_ms)).add(same)
        });
        let open = self.open.map(|open| match open {
            true => C::OpenFor.is_not_null(),
            false => C::OpenFor.is_null(),
        });
        Condition::all()
            .add_option(self.owner.as_ref().map(|owner| C::Owner.eq(owner)))
            .add_option(self.team_id.as_ref().map(|id| C::TeamId.eq(id)))
            .add_option(open)
            .add_option(before)
    }
}

/// The policy of a row.
pub(crate) fn policy(row: &session_breaker::Model) -> BreakerPolicy {
    BreakerPolicy {
        usd_per_minute: row.nano_usd_per_minute.map(NanoUsd),
        agents_per_minute: row
            .agents_per_minute
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
    }
}

/// The row of a paused session as data planes get it; `None` once it is over.
pub(super) fn pushed(row: &paused_session::Model) -> Result<Option<PausedSession>, StoreError> {
    const T: &str = "paused_sessions";
    if row.open_for.is_none() {
        return Ok(None);
    }
    let reason = PauseReason::of(&row.reason, row.measured, row.allowed);
    Ok(Some(PausedSession {
        id: read(T, "id", PauseId::parse(&row.id).ok())?,
        owner: read(T, "owner", SessionOwner::parse(&row.owner))?,
        session_id: row.session_id.clone(),
        reason: read(T, "reason", reason)?,
        paused_at_ms: row.paused_at_ms,
        resume_url: row.resume_url.clone(),
    }))
}

/// The pauses that hold.
pub(super) async fn open<C: ConnectionTrait>(db: &C) -> Result<Vec<paused_session::Model>, StoreError> {
    Ok(paused_session::Entity::find()
        .filter(paused_session::Column::OpenFor.is_not_null())
        .all(db)
        .await?)
}

async fn latest_pauses<C: ConnectionTrait>(
    db: &C,
    sessions: &[SessionKey],
) -> Result<HashMap<SessionKey, paused_session::Model>, StoreError> {
    use paused_session::Column as C;
    let mut latest = HashMap::new();
    for some in sessions.chunks(SESSIONS) {
        let any = some.iter().fold(Condition::any(), |any, (owner, session)| {
            let this = Condition::all()
                .add(C::Owner.eq(owner))
                .add(C::SessionId.eq(session));
            any.add(this)
        });
        let rows = paused_session::Entity::find().filter(any);
        for row in rows
            .order_by_asc(C::PausedAtMs)
            .order_by_asc(C::Id)
            .all(db)
            .await?
        {
            latest.insert((row.owner.clone(), row.session_id.clone()), row);
        }
    }
    Ok(latest)
}

/// Whose a record is, as SQL.
fn owner() -> SimpleExpr {
    use usage_record::Column as C;
    Func::coalesce([Expr::col(C::UserId), Expr::col(C::KeyId)]).into()
}

impl Store {
    /// All policies, by scope.
    pub(crate) async fn list_session_breakers(&self) -> Result<HashMap<String, BreakerPolicy>, StoreError> {
        let rows = session_breaker::Entity::find().all_in(self).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.scope.clone(), policy(&row)))
            .collect())
    }

    /// The policy of a scope.
    pub(crate) async fn find_session_breaker(
        &self,
        scope: &str,
    ) -> Result<Option<BreakerPolicy>, StoreError> {
        let row = session_breaker::Entity::find_by_id(scope).one_in(self).await?;
        Ok(row.as_ref().map(policy))
    }

    /// The last pause of each of these sessions, where there was one.
    pub(crate) async fn list_latest_pauses(
        &self,
        sessions: &[SessionKey],
    ) -> Result<HashMap<SessionKey, paused_session::Model>, StoreError> {
        latest_pauses(&self.db, sessions).await
    }

    /// What each of these sessions has done in requests that ended after a moment of its own.
    pub(crate) async fn measure_sessions(
        &self,
        sessions: &[(SessionKey, UnixMs)],
    ) -> Result<HashMap<SessionKey, SessionPace>, StoreError> {
        use usage_record::Column as C;
        let mut paces = HashMap::with_capacity(sessions.len());
        for some in sessions.chunks(SESSIONS) {
            let any = some
                .iter()
                .fold(Condition::any(), |any, ((whose, session), since)| {
                    let ended = Expr::col(C::StartedAtMs).add(Expr::col(C::DurationMs));
                    let this = Condition::all()
                        .add(C::SessionId.eq(session))
                        .add(C::ReceivedAtMs.gte(since.saturating_sub(SKEW_MS)))
                        .add(owner().eq(whose.as_str()))
                        .add(ended.gt(*since));
                    any.add(this)
                });
            // `SUM` of 64-bit integers is a decimal on Postgres: cast back.
            let cost = Expr::expr(Func::sum(Expr::col(C::CostNanoUsd))).cast_as("bigint");
            let agent: SimpleExpr = Func::coalesce([Expr::col(C::AgentId), Expr::val("")]).into();
            let found: Vec<(String, String, Option<i64>, i64)> = usage_record::Entity::find()
                .select_only()
                .expr_as(owner(), "owner")
                .column(C::SessionId)
                .expr_as(cost, "cost")
                .expr_as(Func::count_distinct(agent), "agents")
                .filter(any)
                .group_by(owner())
                .group_by(C::SessionId)
                .into_tuple()
                .all(&self.db)
                .await?;
            paces.extend(found.into_iter().map(|(whose, session, cost, agents)| {
                let pace = SessionPace {
                    cost: NanoUsd(cost.unwrap_or(0)),
                    agents: u32::try_from(agents).unwrap_or(u32::MAX),
                };
                ((whose, session), pace)
            }));
        }
        Ok(paces)
    }

    /// Pauses, the newest first, one page.
    pub(crate) async fn list_pauses(
        &self,
        query: &PauseQuery,
    ) -> Result<Vec<paused_session::Model>, StoreError> {
        use paused_session::Column as C;
        paused_session::Entity::find()
            .filter(query.condition())
            .order_by_desc(C::PausedAtMs)
            .order_by_desc(C::Id)
            .offset(query.offset)
            .limit(query.limit)
            .all_in(self)
            .await
    }

    /// How many pauses there are in all pages.
    pub(crate) async fn count_pauses(&self, query: &PauseQuery) -> Result<u64, StoreError> {
        paused_session::Entity::find()
            .filter(query.condition())
            .count_in(self)
            .await
    }

    /// The ids of pauses that began before a moment, at most so many, with whether they still hold.
    pub(crate) async fn list_pauses_before(
        &self,
        at_ms: UnixMs,
        limit: u64,
    ) -> Result<Vec<(String, bool)>, StoreError> {
        use paused_session::Column as C;
        let rows = paused_session::Entity::find()
            .filter(C::PausedAtMs.lt(at_ms))
            .order_by_asc(C::PausedAtMs)
            .limit(limit)
            .all_in(self)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id, row.open_for.is_some()))
            .collect())
    }
}

impl Tx {
    pub(crate) async fn find_session_breaker(
        &self,
        scope: &str,
    ) -> Result<Option<BreakerPolicy>, StoreError> {
        let row = session_breaker::Entity::find_by_id(scope).one(&self.tx).await?;
        Ok(row.as_ref().map(policy))
    }

    /// Sets the policy of a scope.
    pub(crate) async fn put_session_breaker(&self, row: session_breaker::Model) -> Result<(), StoreError> {
        session_breaker::Entity::delete_by_id(row.scope.as_str())
            .exec(&self.tx)
            .await?;
        session_breaker::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Takes the policy of a scope away; false if there is none.
    pub(crate) async fn delete_session_breaker(&self, scope: &str) -> Result<bool, StoreError> {
        let gone = session_breaker::Entity::delete_by_id(scope)
            .exec(&self.tx)
            .await?;
        Ok(gone.rows_affected == 1)
    }

    /// The last pause of a session, if there was one.
    pub(crate) async fn find_latest_pause(
        &self,
        session: &SessionKey,
    ) -> Result<Option<paused_session::Model>, StoreError> {
        let mut found = latest_pauses(&self.tx, std::slice::from_ref(session)).await?;
        Ok(found.remove(session))
    }

    /// Pauses a session.
    pub(crate) async fn insert_pause(&mut self, row: paused_session::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::PausedSession, &row.id);
        paused_session::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn find_pause(&self, id: &str) -> Result<Option<paused_session::Model>, StoreError> {
        Ok(paused_session::Entity::find_by_id(id).one(&self.tx).await?)
    }

    /// Lets a session go on; false if it does already.
    pub(crate) async fn resume_pause(
        &mut self,
        id: &str,
        at_ms: UnixMs,
        by: &str,
    ) -> Result<bool, StoreError> {
        use paused_session::Column as C;
        self.touch(ObjectKind::PausedSession, id);
        let done = paused_session::Entity::update_many()
            .col_expr(C::ResumedAtMs, Expr::value(at_ms))
            .col_expr(C::ResumedBy, Expr::value(by))
            .col_expr(C::OpenFor, Expr::value(None::<String>))
            .filter(C::Id.eq(id))
            .filter(C::OpenFor.is_not_null())
            .exec(&self.tx)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Forgets pauses; those that still hold are lifted by it.
    pub(crate) async fn delete_pauses(&mut self, pauses: &[(String, bool)]) -> Result<(), StoreError> {
        for (id, _) in pauses.iter().filter(|(_, open)| *open) {
            self.touch(ObjectKind::PausedSession, id);
        }
        let ids = pauses.iter().map(|(id, _)| id.as_str());
        paused_session::Entity::delete_many()
            .filter(paused_session::Column::Id.is_in(ids))
            .exec(&self.tx)
            .await?;
        Ok(())
    }
}
