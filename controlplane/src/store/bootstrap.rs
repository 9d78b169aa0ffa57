//! The first rows.

use super::entity::{config_revision, user};
use super::together::Read as _;
use super::{Store, StoreError, dialect};
use ccag_migrations::{Migrator, MigratorTrait};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, TransactionTrait};
use std::collections::HashSet;

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

    /// Brings the schema up to date. One that a newer version has brought further is left as it is: migrations only add, so
    /// that this version can go on with it.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        let applied = Migrator::get_migration_models(&self.db).await?;
        let applied: HashSet<String> = applied.into_iter().map(|row| row.version).collect();
        let ours: HashSet<String> = Migrator::migrations()
            .iter()
            .map(|m| m.name().to_owned())
            .collect();
        let newer = applied.difference(&ours).count();
        if newer == 0 {
            return Ok(Migrator::up(&self.db, None).await?);
        }
        if !ours.is_subset(&applied) {
            return Err(StoreError::Other(format!(
                "{newer} migrations of the database are unknown to this version, and it lacks some of this version's: it belongs to \
                 another line of versions"
            )));
        }
        tracing::warn!(
            newer,
            "a newer version has brought the database up to date; this one goes on with it"
        );
        Ok(())
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
        user::Entity::find().count_in(self).await
    }
}
