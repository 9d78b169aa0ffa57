//! Sessions, and the memory of failed log-ins.

use super::entity::{config_revision, login_failure, session, user};
use super::together::Read as _;
use super::{Store, StoreError, Tx, config, tally};
use ccag_domain::UnixMs;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};

impl Tx {
    pub(crate) async fn insert_session(&self, row: session::Model) -> Result<(), StoreError> {
        session::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        session::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }
}

/// The tokens of a user that are still good, the newest first.
fn tokens_of(user_id: &str, now_ms: UnixMs) -> sea_orm::Select<session::Entity> {
    session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Name.is_not_null())
        .filter(session::Column::ExpiresAtMs.gt(now_ms))
        .order_by_desc(session::Column::CreatedAtMs)
        .order_by_desc(session::Column::Id)
}

impl Tx {
    pub(crate) async fn list_tokens_of(
        &self,
        user_id: &str,
        now_ms: UnixMs,
    ) -> Result<Vec<session::Model>, StoreError> {
        Ok(tokens_of(user_id, now_ms).all(&self.tx).await?)
    }
}

impl Store {
    pub(crate) async fn list_tokens_of(
        &self,
        user_id: &str,
        now_ms: UnixMs,
    ) -> Result<Vec<session::Model>, StoreError> {
        tokens_of(user_id, now_ms).all_in(self).await
    }

    /// An unexpired session and its user.
    pub(crate) async fn find_session(
        &self,
        digest: &str,
        now_ms: UnixMs,
    ) -> Result<Option<(session::Model, user::Model)>, StoreError> {
        let sessions = session::Entity::find()
            .filter(session::Column::Digest.eq(digest))
            .filter(session::Column::ExpiresAtMs.gt(now_ms));
        let whose = sessions.clone().select_only().column(session::Column::UserId);
        let users = user::Entity::find().filter(user::Column::Id.in_subquery(whose.into_query()));
        let (session, user, revision) = tokio::try_join!(
            sessions.one_in(self),
            users.one_in(self),
            config_revision::Entity::find_by_id(1).one_in(self)
        )?;
        let found = session.zip(user);
        if found.is_some() {
            // What the request shows afterwards is at least as new.
            tally::set_position(Some(&config::position_of(revision)?));
        }
        Ok(found)
    }

    /// Forgets sessions that have expired and failed log-ins of the past.
    pub(crate) async fn delete_expired_sessions(&self, now_ms: UnixMs) -> Result<u64, StoreError> {
        login_failure::Entity::delete_many()
            .filter(login_failure::Column::WindowStartMs.lt(now_ms - ccag_domain::time::DAY_MS))
            .exec(&self.db)
            .await?;
        let gone = session::Entity::delete_many()
            .filter(session::Column::ExpiresAtMs.lte(now_ms))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }

    /// Counts one attempt: in the current window, or in a new one if that began at or before `since_ms`. Returns the
    /// window as it is now. One statement, so that attempts at the same time on several control planes all count.
    pub(crate) async fn add_login_attempt(
        &self,
        subject: &str,
        now_ms: UnixMs,
        since_ms: UnixMs,
    ) -> Result<login_failure::Model, StoreError> {
        use login_failure::Column::{Failures, Subject, WindowStartMs};
        let old = |column| Expr::col((login_failure::Entity, column));
        let lapsed = || old(WindowStartMs).lte(since_ms);
        let row = login_failure::ActiveModel {
            subject: Set(subject.to_owned()),
            window_start_ms: Set(now_ms),
            failures: Set(1),
        };
        let count = CaseStatement::new()
            .case(lapsed(), Expr::val(1_i64))
            .finally(old(Failures).add(1));
        let start = CaseStatement::new()
            .case(lapsed(), Expr::val(now_ms))
            .finally(old(WindowStartMs));
        Ok(login_failure::Entity::insert(row)
            .on_conflict(
                OnConflict::column(Subject)
                    .value(Failures, count)
                    .value(WindowStartMs, start)
                    .to_owned(),
            )
            .exec_with_returning(&self.db)
            .await?)
    }

    pub(crate) async fn delete_login_failures(&self, subject: &str) -> Result<(), StoreError> {
        login_failure::Entity::delete_by_id(subject)
            .exec(&self.db)
            .await?;
        Ok(())
    }
}
