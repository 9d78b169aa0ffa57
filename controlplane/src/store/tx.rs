//! The one way to change configuration.

use super::audit::{self, AuditEntry};
use super::entity::{config_change, config_revision};
use super::{Store, StoreError, dialect, tally};
use ccag_domain::{ObjectKind, Revision, UnixMs};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use std::collections::HashSet;
use tokio::sync::OwnedMutexGuard;

/// A transaction that changes configuration.
///
/// The verbs that write pushed objects (in the modules beside this one) note each object they touch. [`Tx::commit`] gives
/// every noted object the next revision and writes the change rows and the audit row in the same transaction. The row of
/// `config_revision` stays locked from there to the commit, so revisions become visible in their order.
pub(crate) struct Tx {
    pub(super) tx: DatabaseTransaction,
    store: Store,
    touched: Box<Touched>,
    /// Held until the transaction is over.
    _writer: Option<OwnedMutexGuard<()>>,
}

/// The objects that a transaction has written, once each: a change of a group may touch thousands.
#[derive(Default)]
struct Touched {
    order: Vec<(ObjectKind, String)>,
    seen: HashSet<(ObjectKind, String)>,
}

impl Store {
    /// Begins a change of configuration.
    pub(crate) async fn change(&self) -> Result<Tx, StoreError> {
        let writer = self.writer().await;
        Ok(Tx {
            tx: dialect::begin_write(&self.db).await?,
            store: self.clone(),
            touched: Box::default(),
            _writer: writer,
        })
    }

    /// Begins a transaction that writes, but no configuration.
    pub(super) async fn write(
        &self,
    ) -> Result<(DatabaseTransaction, Option<OwnedMutexGuard<()>>), StoreError> {
        let writer = self.writer().await;
        Ok((dialect::begin_write(&self.db).await?, writer))
    }
}

impl Tx {
    /// Notes that an object was written or deleted, so that its new state is pushed.
    pub(super) fn touch(&mut self, kind: ObjectKind, id: &str) {
        let object = (kind, id.to_owned());
        if self.touched.seen.insert(object.clone()) {
            self.touched.order.push(object);
        }
    }

    /// Makes other changes of configuration wait until this one is over: for rules about more than one row, such as "one
    /// admin must remain".
    pub(crate) async fn serialize(&self) -> Result<(), StoreError> {
        self.advance(0).await?;
        Ok(())
    }

    async fn advance(&self, by: i64) -> Result<i64, StoreError> {
        let rows = config_revision::Entity::update_many()
            .col_expr(
                config_revision::Column::Revision,
                Expr::col(config_revision::Column::Revision).add(by),
            )
            .filter(config_revision::Column::Id.eq(1))
            .exec_with_returning(&self.tx)
            .await?;
        match rows.as_slice() {
            [row] => Ok(row.revision),
            _ => Err(StoreError::Other(
                "the database has not been initialised: its row in config_revision is missing".to_owned(),
            )),
        }
    }

    /// Commits what is no configuration and is not audited: the steps of a protocol, of which the whole is.
    pub(crate) async fn keep(self) -> Result<(), StoreError> {
        debug_assert!(
            self.touched.order.is_empty(),
            "configuration is changed with `commit`"
        );
        self.tx.commit().await?;
        Ok(())
    }

    /// Writes revisions, changes and audit, commits, and wakes the watchers. Returns the last revision given out.
    pub(crate) async fn commit(self, now_ms: UnixMs, entry: AuditEntry) -> Result<Revision, StoreError> {
        let count = i64::try_from(self.touched.order.len()).unwrap_or(i64::MAX);
        let mut last = 0;
        if count > 0 {
            last = self.advance(count).await?;
            let rows: Vec<_> = (last - count + 1..)
                .zip(&self.touched.order)
                .map(|(revision, (kind, id))| config_change::ActiveModel {
                    revision: Set(revision),
                    kind: Set(kind.as_str().to_owned()),
                    object_id: Set(id.clone()),
                    at_ms: Set(now_ms),
                })
                .collect();
            for chunk in rows.chunks(dialect::rows_per_statement(4)) {
                config_change::Entity::insert_many(chunk.iter().cloned())
                    .exec_without_returning(&self.tx)
                    .await?;
            }
            dialect::notify(&self.tx, self.store.backend, last).await?;
        }
        // After the row of revisions, which others may have locked from their beginning.
        audit::insert(&self.tx, now_ms, entry).await?;
        self.tx.commit().await?;
        tally::set_position(None);
        let revision = u64::try_from(last).unwrap_or(0);
        self.store.wake(revision);
        Ok(Revision(revision))
    }
}
