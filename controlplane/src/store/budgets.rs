//! Budgets, and the steps of them that were reached.

use super::entity::{budget, budget_account, budget_event, team, user, virtual_key};
use super::identity::users_like;
use super::rows::read;
use super::together::Read as _;
use super::{Store, StoreError, Tx, contains, dialect, starting_with};
use ccag_domain::{
    AccountState, Budget, BudgetId, BudgetMode, BudgetRule, BudgetScope, KeyId, NanoUsd, ObjectKind, Period,
    Posture, Raise, TeamId, TimeZone, UnixMs, UserId,
};
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    Iterable, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait,
};

/// Which budgets to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct BudgetQuery {
    pub(crate) scope: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) key_id: Option<String>,
    /// Part of the name of the team, user or key that it is about, whatever the case.
    pub(crate) search: Option<String>,
    /// Only after this one, in the order of the scopes.
    pub(crate) after: Option<(String, String)>,
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

impl BudgetQuery {
    fn condition(&self) -> Condition {
        use budget::Column as C;
        let after = self.after.as_ref().map(|(scope_key, id)| {
            let same = Condition::all().add(C::ScopeKey.eq(scope_key)).add(C::Id.gt(id));
            Condition::any().add(C::ScopeKey.gt(scope_key)).add(same)
        });
        let search = self.search.as_deref().map(str::to_lowercase);
        let search = search
            .filter(|text| !text.is_empty())
            .map(|text| named_like(&text));
        Condition::all()
            .add_option(self.scope.as_ref().map(|scope| C::Scope.eq(scope)))
            .add_option(self.team_id.as_ref().map(|id| C::TeamId.eq(id)))
            .add_option(self.user_id.as_ref().map(|id| C::UserId.eq(id)))
            .add_option(self.key_id.as_ref().map(|id| C::KeyId.eq(id)))
            .add_option(search)
            .add_option(after)
    }
}

/// Budgets about a team, user or key with this text, in lower case, in its name.
fn named_like(text: &str) -> Condition {
    use budget::Column as C;
    let teams = team::Entity::find()
        .select_only()
        .column(team::Column::Id)
        .filter(team::Column::NameKey.like(contains(text)));
    let keys = virtual_key::Entity::find()
        .select_only()
        .column(virtual_key::Column::Id)
        .filter(virtual_key::Column::NameKey.like(contains(text)));
    Condition::any()
        .add(C::TeamId.in_subquery(teams.into_query()))
        .add(C::UserId.in_subquery(users_like(text)))
        .add(C::KeyId.in_subquery(keys.into_query()))
}

/// The columns that say whose a budget is, as one text.
pub(crate) fn scope_key(scope: &BudgetScope) -> String {
    let ids = [
        scope.team_id().map(TeamId::as_str),
        scope.user_id().map(UserId::as_str),
        scope.key_id().map(KeyId::as_str),
    ];
    let ids: Vec<_> = ids.into_iter().flatten().collect();
    format!("{}:{}", scope.kind(), ids.join(":"))
}

/// Whose spending a row's budget bounds.
fn scope(row: &budget::Model) -> Result<BudgetScope, StoreError> {
    const T: &str = "budgets";
    fn id<T: std::str::FromStr>(column: &'static str, text: Option<&str>) -> Result<Option<T>, StoreError> {
        text.map(|text| read("budgets", column, text.parse().ok()))
            .transpose()
    }
    let team = id("team_id", row.team_id.as_deref())?;
    let user = id("user_id", row.user_id.as_deref())?;
    let key = id("key_id", row.key_id.as_deref())?;
    read(T, "scope", BudgetScope::of(&row.scope, team, user, key))
}

/// The row of a budget as data planes get it: one that cannot be read lets nothing through.
pub(crate) fn pushed(row: &budget::Model) -> Result<Budget, StoreError> {
    budget(row).or_else(|error| {
        let id = read("budgets", "id", BudgetId::parse(&row.id).ok())?;
        let sealed = Budget::sealed(id, scope(row)?);
        tracing::error!(id = row.id, %error, "a budget cannot be read: whom it is about is served nothing");
        Ok(sealed)
    })
}

/// The row of a budget as the domain's type.
pub(crate) fn budget(row: &budget::Model) -> Result<Budget, StoreError> {
    const T: &str = "budgets";
    Ok(Budget {
        id: read(T, "id", BudgetId::parse(&row.id).ok())?,
        scope: scope(row)?,
        amount: NanoUsd(row.amount_nano_usd),
        period: read(T, "period", Period::parse(&row.period))?,
        time_zone: read(T, "time_zone", TimeZone::parse(&row.time_zone))?,
        mode: read(T, "mode", BudgetMode::parse(&row.mode))?,
        rules: read(
            T,
            "rules",
            serde_json::from_str::<Vec<BudgetRule>>(&row.rules).ok(),
        )?,
        raises: read(T, "raises", serde_json::from_str::<Vec<Raise>>(&row.raises).ok())?,
        posture: match row.posture.as_str() {
            "granted" => Posture::Granted,
            "grace" => Posture::Grace(NanoUsd(row.grace_nano_usd)),
            "refuse" => Posture::Refuse,
            _ => return Err(StoreError::unreadable(T, "bad value in posture")),
        },
    })
}

/// The row of a budget that was made and changed at these times; `notify` says who is told of its steps.
pub(crate) fn budget_row(
    budget: &Budget,
    notify: &str,
    created_at_ms: UnixMs,
    updated_at_ms: UnixMs,
) -> budget::Model {
    let (posture, grace) = match budget.posture {
        Posture::Granted => ("granted", NanoUsd::ZERO),
        Posture::Grace(amount) => ("grace", amount),
        Posture::Refuse => ("refuse", NanoUsd::ZERO),
    };
    let scope = &budget.scope;
    budget::Model {
        id: budget.id.to_string(),
        scope: scope.kind().to_owned(),
        team_id: scope.team_id().map(ToString::to_string),
        user_id: scope.user_id().map(ToString::to_string),
        key_id: scope.key_id().map(ToString::to_string),
        scope_key: scope_key(scope),
        amount_nano_usd: budget.amount.0,
        period: budget.period.as_str().to_owned(),
        time_zone: budget.time_zone.name().to_owned(),
        mode: budget.mode.as_str().to_owned(),
        rules: serde_json::to_string(&budget.rules).unwrap_or_default(),
        raises: serde_json::to_string(&budget.raises).unwrap_or_default(),
        posture: posture.to_owned(),
        grace_nano_usd: grace.0,
        created_at_ms,
        updated_at_ms,
        notify_recipients: notify.to_owned(),
    }
}

/// A step's place in the list of those that were reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventPosition {
    pub(crate) at_ms: UnixMs,
    pub(crate) at_percent: i64,
    pub(crate) account_id: String,
}

impl Store {
    /// Budgets in the order of their scopes, one page.
    pub(crate) async fn list_budgets(&self, query: &BudgetQuery) -> Result<Vec<budget::Model>, StoreError> {
        use budget::Column as C;
        budget::Entity::find()
            .filter(query.condition())
            .order_by_asc(C::ScopeKey)
            .order_by_asc(C::Id)
            .offset(query.offset)
            .limit(query.limit)
            .all_in(self)
            .await
    }

    /// How many budgets there are in all pages.
    pub(crate) async fn count_budgets(&self, query: &BudgetQuery) -> Result<u64, StoreError> {
        budget::Entity::find()
            .filter(query.condition())
            .count_in(self)
            .await
    }

    pub(crate) async fn find_budget(&self, id: &str) -> Result<Option<budget::Model>, StoreError> {
        budget::Entity::find_by_id(id).one_in(self).await
    }

    /// How many active users the budget for each user counts for: those for whom nothing else is set.
    pub(crate) async fn count_users_by_default(&self) -> Result<u64, StoreError> {
        use budget::Column as B;
        use user::Column as U;
        let of = |kind: &str, column: B| {
            budget::Entity::find()
                .select_only()
                .column(column)
                .filter(B::Scope.eq(kind))
        };
        let own = of("user", B::UserId);
        let teams = of("each_member", B::TeamId);
        let of_team = Expr::col((budget::Entity, B::TeamId)).equals((user::Entity, U::TeamId));
        let members = of("member", B::UserId).filter(of_team);
        let no_word_of_team = Condition::any().add(U::TeamId.is_null()).add(
            Condition::all()
                .add(U::TeamId.not_in_subquery(teams.into_query()))
                .add(U::Id.not_in_subquery(members.into_query())),
        );
        user::Entity::find()
            .filter(U::State.eq(AccountState::Active.as_str()))
            .filter(U::Id.not_in_subquery(own.into_query()))
            .filter(no_word_of_team)
            .count_in(self)
            .await
    }

    /// The budgets with these ids.
    pub(crate) async fn find_budgets(&self, ids: &[String]) -> Result<Vec<budget::Model>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(dialect::rows_per_statement(1)) {
            let some = budget::Entity::find().filter(budget::Column::Id.is_in(chunk));
            found.extend(some.all_in(self).await?);
        }
        Ok(found)
    }

    /// The budgets of these scopes.
    pub(crate) async fn find_budgets_of(
        &self,
        scopes: &[BudgetScope],
    ) -> Result<Vec<budget::Model>, StoreError> {
        let keys: Vec<_> = scopes.iter().map(scope_key).collect();
        budget::Entity::find()
            .filter(budget::Column::ScopeKey.is_in(keys))
            .order_by_asc(budget::Column::ScopeKey)
            .order_by_asc(budget::Column::Period)
            .all_in(self)
            .await
    }

    /// The accounts of a budget, of the period that began then, the one that has spent most first.
    pub(crate) async fn list_accounts(
        &self,
        budget_id: &str,
        start_ms: UnixMs,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<budget_account::Model>, StoreError> {
        use budget_account::Column as C;
        budget_account::Entity::find()
            .filter(C::BudgetId.eq(budget_id))
            .filter(C::StartMs.eq(start_ms))
            .filter(C::IsLimit.eq(false))
            .order_by_desc(C::SettledNanoUsd)
            .order_by_asc(C::Id)
            .offset(offset)
            .limit(limit)
            .all_in(self)
            .await
    }

    /// Of budgets, each with when its period began: the account that has spent most, and how many there are. Budgets without
    /// accounts are left out.
    pub(crate) async fn list_dearest_accounts(
        &self,
        budgets: &[(&str, UnixMs)],
    ) -> Result<Vec<(budget_account::Model, u64)>, StoreError> {
        use budget_account::Column as C;
        if budgets.is_empty() {
            return Ok(Vec::new());
        }
        let any = budgets.iter().fold(Condition::any(), |any, (id, start_ms)| {
            any.add(
                Condition::all()
                    .add(C::BudgetId.eq(*id))
                    .add(C::StartMs.eq(*start_ms)),
            )
        });
        let over = |order: &str| format!("OVER (PARTITION BY budget_id{order})");
        let place = over(" ORDER BY settled_nano_usd DESC, id");
        let ranked = budget_account::Entity::find()
            .filter(C::IsLimit.eq(false))
            .filter(any)
            .expr_as(Expr::cust(format!("ROW_NUMBER() {place}")), "place")
            .expr_as(Expr::cust(format!("COUNT(*) {}", over(""))), "accounts");
        let rows = Query::select()
            .column(Asterisk)
            .from_subquery(QueryTrait::into_query(ranked), "ranked")
            .and_where(Expr::col("place").eq(1))
            .to_owned();
        let statement = self.db.get_database_backend().build(&rows);
        let found = self.db.query_all_raw(statement).await?;
        let read = |row: QueryResult| -> Result<_, StoreError> {
            let count: i64 = row.try_get("", "accounts")?;
            let account = budget_account::Model::from_query_result(&row, "")?;
            Ok((account, u64::try_from(count).unwrap_or(0)))
        };
        found.into_iter().map(read).collect()
    }

    /// How many accounts a budget has in the period that began then.
    pub(crate) async fn count_accounts(&self, budget_id: &str, start_ms: UnixMs) -> Result<u64, StoreError> {
        use budget_account::Column as C;
        budget_account::Entity::find()
            .filter(C::BudgetId.eq(budget_id))
            .filter(C::StartMs.eq(start_ms))
            .filter(C::IsLimit.eq(false))
            .count_in(self)
            .await
    }

    /// The steps of a budget that were reached, in whichever account, the newest first; `after` is where the page before ends.
    pub(crate) async fn list_events_of_budget(
        &self,
        budget_id: &str,
        after: Option<&EventPosition>,
        limit: u64,
    ) -> Result<Vec<budget_event::Model>, StoreError> {
        use budget_event::Column as C;
        let after = after.map(|after| {
            let same_percent = Condition::all()
                .add(C::AtPercent.eq(after.at_percent))
                .add(C::AccountId.gt(&after.account_id));
            let same_moment = Condition::all().add(C::AtMs.eq(after.at_ms)).add(
                Condition::any()
                    .add(C::AtPercent.lt(after.at_percent))
                    .add(same_percent),
            );
            Condition::any().add(C::AtMs.lt(after.at_ms)).add(same_moment)
        });
        budget_event::Entity::find()
            .filter(C::AccountId.like(starting_with(&format!("{budget_id}/"))))
            .filter(Condition::all().add_option(after))
            .order_by_desc(C::AtMs)
            .order_by_desc(C::AtPercent)
            .order_by_asc(C::AccountId)
            .limit(limit)
            .all_in(self)
            .await
    }

    /// The newest steps that were reached in any of these accounts.
    pub(crate) async fn list_budget_events(
        &self,
        account_ids: &[String],
        limit: u64,
    ) -> Result<Vec<budget_event::Model>, StoreError> {
        use budget_event::Column as C;
        budget_event::Entity::find()
            .filter(C::AccountId.is_in(account_ids))
            .order_by_desc(C::AtMs)
            .order_by_desc(C::AtPercent)
            .limit(limit)
            .all_in(self)
            .await
    }
}

impl Tx {
    pub(crate) async fn find_budget(&self, id: &str) -> Result<Option<budget::Model>, StoreError> {
        Ok(budget::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    pub(crate) async fn insert_budget(&mut self, row: budget::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Budget, &row.id);
        row.into_active_model().insert(&self.tx).await?;
        Ok(())
    }

    pub(crate) async fn update_budget(&mut self, row: budget::Model) -> Result<(), StoreError> {
        self.touch(ObjectKind::Budget, &row.id);
        let mut all = row.into_active_model();
        for column in budget::Column::iter().filter(|c| !matches!(c, budget::Column::Id)) {
            all.reset(column);
        }
        all.update(&self.tx).await?;
        Ok(())
    }

    /// Deletes a budget; what was spent of it stays in the ledger.
    pub(crate) async fn delete_budget(&mut self, id: &str) -> Result<(), StoreError> {
        self.touch(ObjectKind::Budget, id);
        budget::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }

    /// The budgets that are about a team.
    pub(crate) async fn list_budgets_of_team(&self, team_id: &str) -> Result<Vec<budget::Model>, StoreError> {
        self.list_budgets_where(budget::Column::TeamId.eq(team_id)).await
    }

    /// The budgets that are about a user.
    pub(crate) async fn list_budgets_of_user(&self, user_id: &str) -> Result<Vec<budget::Model>, StoreError> {
        self.list_budgets_where(budget::Column::UserId.eq(user_id)).await
    }

    /// The budgets that are about a key.
    pub(crate) async fn list_budgets_of_key(&self, key_id: &str) -> Result<Vec<budget::Model>, StoreError> {
        self.list_budgets_where(budget::Column::KeyId.eq(key_id)).await
    }

    /// The budgets of a scope, one for each period.
    pub(crate) async fn list_budgets_of(
        &self,
        scope: &BudgetScope,
    ) -> Result<Vec<budget::Model>, StoreError> {
        self.list_budgets_where(budget::Column::ScopeKey.eq(scope_key(scope)))
            .await
    }

    async fn list_budgets_where(&self, filter: SimpleExpr) -> Result<Vec<budget::Model>, StoreError> {
        Ok(budget::Entity::find()
            .filter(filter)
            .order_by_asc(budget::Column::ScopeKey)
            .order_by_asc(budget::Column::Id)
            .lock_exclusive()
            .all(&self.tx)
            .await?)
    }
}
