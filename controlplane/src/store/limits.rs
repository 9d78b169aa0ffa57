//! Limits of requests, tokens and concurrency.

use super::budgets::scope_key;
use super::entity::{budget_account, limit, virtual_key};
use super::rows::read;
use super::together::{CountOf, Read as _};
use super::{Store, StoreError, Tx, dialect};
use ccag_domain::{BudgetScope, Limit, LimitId, LimitKind, ModelName, ObjectKind, TokenWeights, UnixMs};
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, Iterable, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which limits to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct LimitQuery {
    pub(crate) scope: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) kind: Option<String>,
    /// Only after this one, in the order of the scopes.
    pub(crate) after: Option<(String, String)>,
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

impl LimitQuery {
    fn condition(&self) -> Condition {
        use limit::Column as C;
        let after = self.after.as_ref().map(|(scope_key, id)| {
            let same = Condition::all().add(C::ScopeKey.eq(scope_key)).add(C::Id.gt(id));
            Condition::any().add(C::ScopeKey.gt(scope_key)).add(same)
        });
        Condition::all()
            .add_option(self.scope.as_ref().map(|scope| C::Scope.eq(scope)))
            .add_option(self.team_id.as_ref().map(|id| C::TeamId.eq(id)))
            .add_option(self.user_id.as_ref().map(|id| C::UserId.eq(id)))
            .add_option(self.key_id.as_ref().map(|id| C::KeyId.eq(id)))
            .add_option(self.kind.as_ref().map(|kind| C::Kind.eq(kind)))
            .add_option(after)
    }
}

/// Weights as they are stored.
#[derive(Serialize, Deserialize)]
struct StoredWeights {
    input: u32,
    output: u32,
    cache_read: u32,
    cache_write: u32,
}

/// The row of a limit as the domain's type.
pub(crate) fn limit(row: &limit::Model) -> Result<Limit, StoreError> {
    const T: &str = "limits";
    let id = |text: &Option<String>| text.clone();
    let scope = BudgetScope::of(
        &row.scope,
        parsed("team_id", id(&row.team_id))?,
        parsed("user_id", id(&row.user_id))?,
        parsed("key_id", id(&row.key_id))?,
    );
    let weights = match &row.weights {
        None => TokenWeights::default(),
        Some(text) => {
            let stored: StoredWeights = read(T, "weights", serde_json::from_str(text).ok())?;
            TokenWeights {
                input: stored.input,
                output: stored.output,
                cache_read: stored.cache_read,
                cache_write: stored.cache_write,
            }
        }
    };
    let models: Vec<String> = read(T, "models", serde_json::from_str(&row.models).ok())?;
    Ok(Limit {
        id: read(T, "id", LimitId::parse(&row.id).ok())?,
        scope: read(T, "scope", scope)?,
        models: models.iter().map(|name| ModelName::canonical(name)).collect(),
        kind: read(T, "kind", LimitKind::of(&row.kind, weights))?,
        amount: read(T, "amount", u64::try_from(row.amount).ok())?,
    })
}

fn parsed<T: std::str::FromStr>(column: &'static str, text: Option<String>) -> Result<Option<T>, StoreError> {
    text.map(|text| read("limits", column, text.parse().ok()))
        .transpose()
}

/// The row of a limit that was made and changed at these times.
pub(crate) fn limit_row(limit: &Limit, created_at_ms: UnixMs, updated_at_ms: UnixMs) -> limit::Model {
    let scope = &limit.scope;
    let mut models: Vec<&str> = limit.models.iter().map(ModelName::as_str).collect();
    models.sort_unstable();
    let weights = match limit.kind {
        LimitKind::Tokens(weights) => Some(StoredWeights {
            input: weights.input,
            output: weights.output,
            cache_read: weights.cache_read,
            cache_write: weights.cache_write,
        }),
        LimitKind::Requests | LimitKind::Concurrency => None,
    };
    limit::Model {
        id: limit.id.to_string(),
        scope: scope.kind().to_owned(),
        team_id: scope.team_id().map(ToString::to_string),
        user_id: scope.user_id().map(ToString::to_string),
        key_id: scope.key_id().map(ToString::to_string),
        scope_key: scope_key(scope),
        models: serde_json::to_string(&models).unwrap_or_default(),
        kind: limit.kind.as_str().to_owned(),
        amount: limit.ceiling(),
        weights: weights.map(|weights| serde_json::to_string(&weights).unwrap_or_default()),
        created_at_ms,
        updated_at_ms,
    }
}

impl Store {
    /// Limits in the order of their scopes, one page.
    pub(crate) async fn list_limits(&self, query: &LimitQuery) -> Result<Vec<limit::Model>, StoreError> {
        use limit::Column as C;
        limit::Entity::find()
            .filter(query.condition())
            .order_by_asc(C::ScopeKey)
            .order_by_asc(C::Id)
            .offset(query.offset)
            .limit(query.limit)
            .all_in(self)
            .await
    }

    /// How many limits there are in all pages.
    pub(crate) async fn count_limits(&self, query: &LimitQuery) -> Result<u64, StoreError> {
        limit::Entity::find()
            .filter(query.condition())
            .count_in(self)
            .await
    }

    pub(crate) async fn find_limit(&self, id: &str) -> Result<Option<limit::Model>, StoreError> {
        limit::Entity::find_by_id(id).one_in(self).await
    }

    /// The limits with these ids.
    pub(crate) async fn find_limits(&self, ids: &[String]) -> Result<Vec<limit::Model>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some = limit::Entity::find().filter(limit::Column::Id.is_in(chunk));
            found.extend(some.all_in(self).await?);
        }
        Ok(found)
    }

    /// How many requests per minute these keys may send, where that is limited.
    pub(crate) async fn list_key_rates(&self, ids: &[String]) -> Result<HashMap<String, i64>, StoreError> {
        use virtual_key::Column as C;
        let mut rates = HashMap::new();
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some: Vec<(String, Option<i64>)> = virtual_key::Entity::find()
                .select_only()
                .columns([C::Id, C::RateLimitRpm])
                .filter(C::Id.is_in(chunk))
                .into_tuple()
                .all(&self.db)
                .await?;
            rates.extend(some.into_iter().filter_map(|(id, rate)| Some((id, rate?))));
        }
        Ok(rates)
    }

    /// How many permits of limits data planes hold at present: of all subjects together, and the most that one of them has.
    pub(crate) async fn list_permits_held(
        &self,
        limit_ids: &[String],
    ) -> Result<HashMap<String, Vec<i64>>, StoreError> {
        use budget_account::Column as C;
        let mut held: HashMap<String, Vec<i64>> = HashMap::new();
        for chunk in limit_ids.chunks(dialect::rows_per_statement(1)) {
            let select = budget_account::Entity::find()
                .select_only()
                .column_as(C::BudgetId, "id")
                .column_as(C::HeldNanoUsd, "found")
                .filter(C::BudgetId.is_in(chunk))
                .filter(C::IsLimit.eq(true));
            let some: Vec<CountOf> = self.read_some(select, &["id", "found"]).await?;
            for of in some {
                held.entry(of.id).or_default().push(of.found);
            }
        }
        Ok(held)
    }
}

impl Tx {
    pub(crate) async fn find_limit(&self, id: &str) -> Result<Option<limit::Model>, StoreError> {
        Ok(limit::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_limit(&mut self, row: limit::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Limit, &row.id);
        row.into_active_model().insert(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn update_limit(&mut self, row: limit::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Limit, &row.id);
        let mut all = row.into_active_model();
        for column in limit::Column::iter().filter(|c| !matches!(c, limit::Column::Id)) {
            all.reset(column);
        }
        all.update(&self.tx).await?;
        Ok(())
    }

    /// Deletes a limit, and what is held of it.
    pub(crate) async fn delete_limit(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::Limit, id);
        limit::Entity::delete_by_id(id).exec(&self.tx).await?;
        budget_account::Entity::delete_many()
            .filter(budget_account::Column::BudgetId.eq(id))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    /// The limits that are about a team.
    pub(crate) async fn list_limits_of_team(&self, team_id: &str) -> Result<Vec<limit::Model>, StoreError> {
        self.list_limits_where(limit::Column::TeamId.eq(team_id)).await
    }

    /// The limits that are about a user.
    pub(crate) async fn list_limits_of_user(&self, user_id: &str) -> Result<Vec<limit::Model>, StoreError> {
        self.list_limits_where(limit::Column::UserId.eq(user_id)).await
    }

    /// The limits that are about a key.
    pub(crate) async fn list_limits_of_key(&self, key_id: &str) -> Result<Vec<limit::Model>, StoreError> {
        self.list_limits_where(limit::Column::KeyId.eq(key_id)).await
    }

    async fn list_limits_where(&self, filter: SimpleExpr) -> Result<Vec<limit::Model>, StoreError> {
        Ok(limit::Entity::find()
            .filter(filter)
            .order_by_asc(limit::Column::Id)
            .all(&self.tx)
            .await?)
    }
}
