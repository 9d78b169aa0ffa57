//! The data planes that have been seen.

use super::entity::replica;
use super::together::Read as _;
use super::{Store, StoreError};
use ccag_domain::UnixMs;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

impl Store {
    /// Writes what is known of a data plane.
    pub(crate) async fn upsert_replica(&self, row: replica::Model) -> Result<(), StoreError> {
        use replica::Column as C;
        replica::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(C::Id)
                    .update_columns([
                        C::Name,
                        C::Version,
                        C::StartedAtMs,
                        C::Connected,
                        C::ConnectedTo,
                        C::AppliedRevision,
                        C::ApplyP99Ms,
                        C::Rejected,
                        C::InFlight,
                        C::SpooledRecords,
                        C::Draining,
                        C::Troubles,
                        C::QuotaUse,
                        C::SpoolBytes,
                        C::SpoolMaxBytes,
                        C::LastSeenMs,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    /// Notes that a stream has ended, unless the data plane has connected elsewhere since.
    pub(crate) async fn update_replica_gone(&self, id: &str, connected_to: &str) -> Result<(), StoreError> {
        replica::Entity::update_many()
            .col_expr(replica::Column::Connected, Expr::val(false))
            .filter(replica::Column::Id.eq(id))
            .filter(replica::Column::ConnectedTo.eq(connected_to))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    pub(crate) async fn list_replicas(&self) -> Result<Vec<replica::Model>, StoreError> {
        replica::Entity::find()
            .order_by_asc(replica::Column::Name)
            .order_by_asc(replica::Column::Id)
            .all_in(self)
            .await
    }

    /// Forgets data planes that have not been seen since a time.
    pub(crate) async fn delete_replicas_before(&self, at_ms: UnixMs) -> Result<u64, StoreError> {
        let gone = replica::Entity::delete_many()
            .filter(replica::Column::LastSeenMs.lt(at_ms))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}
