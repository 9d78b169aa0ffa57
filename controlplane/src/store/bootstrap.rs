//! The first rows.

use super::entity::{config_revision, user};
use super::{Store, StoreError, dialect};
use ccag_migrations::{Migrator, MigratorTrait};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, PaginatorTrait, TransactionTrait};

/// Keeps every other control plane from migrating and seeding until it is dropped.
pub(crate) struct BootstrapLock {
    _tx: DatabaseTransaction,
}

impl Store {
    /// Waits for the right to migrate and seed.
    pub(crate) async fn lock_bootstrap(&self) -> Result<Option<BootstrapLock>, StoreError> {
        if self.backend == dialect::Backend::Sqlite {
            return Ok(None);
        }
        let tx = self.db.begin().await?;
        dialect::lock_bootstrap(&tx, self.backend).await?;
        Ok(Some(BootstrapLock { _tx: tx }))
    }

    /// Brings the schema up to date.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        Ok(Migrator::up(&self.db, None).await?)
    }

    /// Names this database, unless it has a name.
    pub(crate) async fn insert_epoch(&self, epoch: &str) -> Result<(), StoreError> {
        let row = config_revision::ActiveModel {
            id: Set(1),
            epoch: Set(epoch.to_owned()),
            revision: Set(0),
        };
        config_revision::Entity::insert(row)
            .on_conflict_do_nothing_on([config_revision::Column::Id])
            .exec_without_returning(&self.db)
            .await?;
        Ok(())
    }

    pub(crate) async fn count_users(&self) -> Result<u64, StoreError> {
        Ok(user::Entity::find().count(&self.db).await?)
    }
}
