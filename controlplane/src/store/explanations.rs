//! How requests were decided. Nothing else depends on these rows: what cannot be stored is let go.

use super::dialect;
use super::entity::{price, request_explanation, usage_record};
use super::together::Read as _;
use super::{Store, StoreError};
use ccag_domain::UnixMs;
use request_explanation::{Column as C, Entity, Model};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, Iterable,
    QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
};

/// How one request was decided.
pub(crate) type ExplanationRow = Model;

/// So many rows are deleted in one statement, so that no writer waits for long.
const AT_A_TIME: u64 = 5_000;

impl Store {
    /// Stores what explains refusals, each once.
    pub(crate) async fn insert_explanations(&self, rows: Vec<ExplanationRow>) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        insert(&tx, rows).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn find_explanation(
        &self,
        request_id: &str,
    ) -> Result<Option<ExplanationRow>, StoreError> {
        Entity::find_by_id(request_id).one_in(self).await
    }

    /// Forgets those of requests that arrived before `at_ms`. Returns how many there were.
    pub(crate) async fn delete_explanations_before(&self, at_ms: UnixMs) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let old: Vec<String> = Entity::find()
                .select_only()
                .column(C::RequestId)
                .filter(C::AtMs.lt(at_ms))
                .order_by_asc(C::AtMs)
                .limit(AT_A_TIME)
                .into_tuple()
                .all(&self.db)
                .await?;
            if old.is_empty() {
                return Ok(gone);
            }
            let _writer = self.writer().await;
            let deleted = Entity::delete_many()
                .filter(C::RequestId.is_in(old))
                .exec(&self.db)
                .await?;
            gone += deleted.rows_affected;
        }
    }

    /// The record of a request, by the id that its client saw.
    pub(crate) async fn find_usage_of_request(
        &self,
        request_id: &str,
    ) -> Result<Option<usage_record::Model>, StoreError> {
        usage_record::Entity::find()
            .filter(usage_record::Column::RequestId.eq(request_id))
            .order_by_asc(usage_record::Column::Id)
            .one_in(self)
            .await
    }

    /// A price, in force or not.
    pub(crate) async fn find_price(&self, id: &str) -> Result<Option<price::Model>, StoreError> {
        price::Entity::find_by_id(id).one_in(self).await
    }
}

async fn insert<C: ConnectionTrait>(db: &C, rows: Vec<ExplanationRow>) -> Result<(), DbErr> {
    let columns = request_explanation::Column::iter().count();
    for chunk in rows.chunks(dialect::rows_per_statement(columns)) {
        Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict_do_nothing()
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}

/// Stores what explains records, in a transaction within theirs: what the database refuses of it is let go, and theirs goes
/// on.
///
/// # Errors
/// If the connection is no good any more. Theirs must not be committed then: where a savepoint cannot be made, sqlx 0.9 takes
/// the whole transaction for ended, and a commit after that reports success and does nothing.
pub(super) async fn add(tx: &DatabaseTransaction, rows: Vec<ExplanationRow>) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let count = rows.len();
    let apart = tx.begin().await?;
    let Err(error) = insert(&apart, rows).await else {
        return apart.commit().await;
    };
    apart.rollback().await?;
    tracing::warn!(%error, count, "what explains requests could not be stored and is let go; their records are kept");
    Ok(())
}
