//! Versions of the rules, the admins' own rules, what was learnt, and what was left out or is unknown.

use super::entity::{capability_book, capability_rule, learnt_fact, seen_feature};
use super::together::Read as _;
use super::{Store, StoreError, Tx, rows};
use ccag_domain::{LearntFact, ObjectKind, UnixMs};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

/// So many names of what was left out or is unknown are remembered.
const MAX_SEEN: u64 = 1_000;

/// A count of something that was left out of requests or answers, or that no rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) known: bool,
    pub(crate) count: i64,
}

/// All versions, the newest of each surface first.
pub(super) async fn books<C: ConnectionTrait>(db: &C) -> Result<Vec<capability_book::Model>, StoreError> {
    Ok(all_books().all(db).await?)
}

fn all_books() -> Select<capability_book::Entity> {
    capability_book::Entity::find()
        .order_by_asc(capability_book::Column::Surface)
        .order_by_desc(capability_book::Column::Sequence)
}

fn rules(surface: Option<&str>) -> Select<capability_rule::Entity> {
    let mut query = capability_rule::Entity::find();
    if let Some(surface) = surface {
        query = query.filter(capability_rule::Column::Surface.eq(surface));
    }
    // The newest first: of two rules about the same thing it is the one that was meant last.
    query
        .order_by_desc(capability_rule::Column::ChangedAtMs)
        .order_by_desc(capability_rule::Column::Id)
}

impl Store {
    pub(crate) async fn list_books(&self) -> Result<Vec<capability_book::Model>, StoreError> {
        all_books().all_in(self).await
    }

    pub(crate) async fn list_rules(&self) -> Result<Vec<capability_rule::Model>, StoreError> {
        rules(None).all_in(self).await
    }

    /// What was learnt, the newest first.
    pub(crate) async fn list_facts(&self) -> Result<Vec<learnt_fact::Model>, StoreError> {
        learnt_fact::Entity::find()
            .order_by_desc(learnt_fact::Column::LearntAtMs)
            .order_by_asc(learnt_fact::Column::Id)
            .all_in(self)
            .await
    }

    /// What was left out or is unknown: unknown names first, then by how often.
    pub(crate) async fn list_seen(&self) -> Result<Vec<seen_feature::Model>, StoreError> {
        seen_feature::Entity::find()
            .order_by_asc(seen_feature::Column::Known)
            .order_by_desc(seen_feature::Column::Count)
            .order_by_asc(seen_feature::Column::Name)
            .limit(MAX_SEEN)
            .all_in(self)
            .await
    }

    /// Adds counts. A name beyond the limit is left out: clients can make up any number of them.
    pub(crate) async fn add_seen(&self, seen: Vec<Seen>, now_ms: UnixMs) -> Result<(), StoreError> {
        use sea_orm::PaginatorTrait;
        let (tx, _writer) = self.write().await?;
        for one in seen {
            let key = (one.kind.clone(), one.name.clone());
            if seen_feature::Entity::find_by_id(key).one(&tx).await?.is_none()
                && seen_feature::Entity::find().count(&tx).await? >= MAX_SEEN
            {
                continue;
            }
            let row = seen_feature::ActiveModel {
                kind: Set(one.kind),
                name: Set(one.name),
                known: Set(one.known),
                count: Set(one.count),
                first_seen_ms: Set(now_ms),
                last_seen_ms: Set(now_ms),
            };
            let added = (seen_feature::Entity, seen_feature::Column::Count);
            seen_feature::Entity::insert(row)
                .on_conflict(
                    OnConflict::columns([seen_feature::Column::Kind, seen_feature::Column::Name])
                        .value(seen_feature::Column::Count, Expr::col(added).add(one.count))
                        .value(seen_feature::Column::Known, Expr::val(one.known))
                        .value(seen_feature::Column::LastSeenMs, Expr::val(now_ms))
                        .to_owned(),
                )
                .exec_without_returning(&tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Forgets what has not been seen since a time.
    pub(crate) async fn delete_seen_before(&self, at_ms: UnixMs) -> Result<(), StoreError> {
        seen_feature::Entity::delete_many()
            .filter(seen_feature::Column::LastSeenMs.lt(at_ms))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

impl Tx {
    /// The version in force.
    pub(crate) async fn find_newest_book(
        &self,
        surface: &str,
    ) -> Result<Option<capability_book::Model>, StoreError> {
        Ok(capability_book::Entity::find()
            .filter(capability_book::Column::Surface.eq(surface))
            .order_by_desc(capability_book::Column::Sequence)
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_book(&mut self, row: capability_book::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::CapabilityBook, &row.id);
        capability_book::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Forgets versions of a surface up to a position, with what was learnt under them; conversations that began under
    /// them take the newest.
    pub(crate) async fn delete_books_until(
        &mut self,
        surface: &str,
        sequence: i64,
    ) -> Result<(), StoreError> {
        let old = capability_book::Entity::find()
            .filter(capability_book::Column::Surface.eq(surface))
            .filter(capability_book::Column::Sequence.lte(sequence))
            .all(&self.tx)
            .await?;
        for row in old {
            self.touch(ObjectKind::CapabilityBook, &row.id);
            let learnt = learnt_fact::Entity::find()
                .filter(learnt_fact::Column::Surface.eq(surface))
                .filter(learnt_fact::Column::Version.eq(&row.version))
                .all(&self.tx)
                .await?;
            for fact in learnt {
                self.delete_fact(&fact.id).await?;
            }
            capability_book::Entity::delete_by_id(row.id)
                .exec(&self.tx)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn list_rules_of(
        &self,
        surface: &str,
    ) -> Result<Vec<capability_rule::Model>, StoreError> {
        Ok(rules(Some(surface)).all(&self.tx).await?)
    }

    pub(crate) async fn find_rule(&self, id: &str) -> Result<Option<capability_rule::Model>, StoreError> {
        Ok(capability_rule::Entity::find_by_id(id).one(&self.tx).await?)
    }

    /// Adds a rule, or replaces the one with its id.
    pub(crate) async fn upsert_rule(&mut self, row: capability_rule::Model) -> Result<(), StoreError> {
        use capability_rule::Column;
        capability_rule::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(Column::Id)
                    .update_columns([
                        Column::BookTable,
                        Column::Rule,
                        Column::ChangedAtMs,
                        Column::ChangedBy,
                    ])
                    .to_owned(),
            )
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_rule(&mut self, id: &str) -> Result<(), StoreError> {
        capability_rule::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// Writes down what was learnt; says whether it is new.
    pub(crate) async fn insert_fact(&mut self, fact: &LearntFact) -> Result<bool, StoreError> {
        let row = rows::fact_row(fact);
        let id = row.id.clone();
        let inserted = learnt_fact::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(learnt_fact::Column::Id)
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(&self.tx)
            .await?;
        let is_new = inserted > 0;
        if is_new {
            self.touch(ObjectKind::LearntFact, &id);
        }
        Ok(is_new)
    }

    pub(crate) async fn find_fact(&self, id: &str) -> Result<Option<learnt_fact::Model>, StoreError> {
        Ok(learnt_fact::Entity::find_by_id(id).one(&self.tx).await?)
    }

    pub(crate) async fn delete_fact(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::LearntFact, id);
        learnt_fact::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }
}
