//! Limits: how much may be asked for at a time, and by whom.

use super::budgets::check::{self, invalid};
use super::budgets::view::Names;
use super::{App, Changed, authority, not_found};
use crate::store::entity::limit as entity;
use crate::store::limits::{LimitQuery, limit, limit_row};
use crate::store::{StoreError, Tx};
use ccag_admin_api::{CreateLimit, LimitKindSpec, LimitView, ScopeKind, Timestamp, UpdateLimit, WeightsSpec};
use ccag_domain::{
    Actor, Area, BudgetScope, Code, Limit, LimitId, LimitKind, ObjectKind, Permission, Problem, Target,
    TokenWeights,
};

/// The most that a limit can be; what is beyond limits nobody.
const MAX_AMOUNT: u64 = 1_000_000_000_000;

/// The most that a token can count, in percent.
const MAX_WEIGHT: u32 = 100_000;

/// Makes a limit.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that is wrong; [`Code::Conflict`] if there is one of the same kind for the same.
pub async fn create(app: &App, actor: &Actor, request: CreateLimit) -> Result<LimitView, Problem> {
    actor.require_all(Permission::Change(Area::Limits))?;
    let ids = (request.team_id, request.user_id, request.key_id);
    let scope = check::scope_of("limit", request.scope, ids)?;
    let weights = weights(request.kind, request.weights, TokenWeights::default())?;
    let new = Limit {
        id: LimitId::generate(&*app.clock, &*app.rng),
        scope,
        models: check::models(app, "models", &request.models).await?,
        kind: kind(request.kind, weights),
        amount: amount(request.amount)?,
    };
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    check::scope(&tx, &new.scope).await?;
    let row = limit_row(&new, now, now);
    tx.insert_limit(row.clone()).await.map_err(taken)?;
    let entry = app.audit(
        actor,
        "limit.create",
        ObjectKind::Limit,
        &row.id,
        Changed::created(&row),
    );
    tx.commit(now, entry).await?;
    one(app, row).await
}

/// Limits by scope, one page.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn list(app: &App, actor: &Actor, query: &LimitQuery) -> Result<Vec<LimitView>, Problem> {
    many(app, app.store.list_limits(&narrowed(actor, query)?).await?).await
}

/// How many limits there are in all pages.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn count(app: &App, actor: &Actor, query: &LimitQuery) -> Result<u64, Problem> {
    Ok(app.store.count_limits(&narrowed(actor, query)?).await?)
}

/// Managers see those that are about their own team.
fn narrowed(actor: &Actor, query: &LimitQuery) -> Result<LimitQuery, Problem> {
    let team_id = authority::narrowed(actor, Permission::Read(Area::Limits), query.team_id.clone())?;
    Ok(LimitQuery {
        team_id,
        ..query.clone()
    })
}

/// Where a limit stands in lists.
pub(crate) fn position(view: &LimitView) -> String {
    let ids = (view.team_id.clone(), view.user_id.clone(), view.key_id.clone());
    let scope = BudgetScope::of(view.scope.as_str(), ids.0, ids.1, ids.2);
    scope
        .as_ref()
        .map(crate::store::budgets::scope_key)
        .unwrap_or_default()
}

/// Finds a limit.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn find(app: &App, actor: &Actor, id: &LimitId) -> Result<LimitView, Problem> {
    let permission = Permission::Read(Area::Limits);
    actor.require_some(permission)?;
    let row = app.store.find_limit(id.as_str()).await?;
    let may = |row: &entity::Model| {
        let team = row.team_id.as_deref().map(Target::Team);
        actor.may_all(permission) || team.is_some_and(|team| actor.may(permission, team))
    };
    let row = row.filter(may);
    one(app, row.ok_or_else(|| not_found("limit", id.as_str()))?).await
}

/// Changes a limit: what the request does not name keeps its value.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] names the field that is wrong.
pub async fn update(
    app: &App,
    actor: &Actor,
    id: &LimitId,
    request: UpdateLimit,
) -> Result<LimitView, Problem> {
    actor.require_all(Permission::Change(Area::Limits))?;
    let models = match &request.models {
        Some(models) => Some(check::models(app, "models", models).await?),
        None => None,
    };
    let mut tx = app.store.change().await?;
    let row = tx.find_limit(id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("limit", id.as_str()))?;
    let mut held = limit(&row)?;
    if let Some(new) = request.amount {
        held.amount = amount(new)?;
    }
    held.models = models.unwrap_or(held.models);
    let before = match held.kind {
        LimitKind::Tokens(weights) => weights,
        LimitKind::Requests | LimitKind::Concurrency => TokenWeights::default(),
    };
    held.kind = kind(
        held.kind.into(),
        weights(held.kind.into(), request.weights, before)?,
    );
    let now = app.now_ms();
    let held_row = row;
    let row = limit_row(&held, held_row.created_at_ms, now);
    tx.update_limit(row.clone()).await.map_err(taken)?;
    let entry = app.audit(
        actor,
        "limit.update",
        ObjectKind::Limit,
        &row.id,
        Changed::updated(&held_row, &row),
    );
    tx.commit(now, entry).await?;
    one(app, row).await
}

/// Deletes a limit.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(app: &App, actor: &Actor, id: &LimitId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Limits))?;
    let mut tx = app.store.change().await?;
    let row = tx.find_limit(id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("limit", id.as_str()))?;
    tx.delete_limit(&row.id).await?;
    let entry = app.audit(
        actor,
        "limit.delete",
        ObjectKind::Limit,
        &row.id,
        Changed::deleted(&row),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Deletes limits whose team, user or key goes; returns their ids.
pub(super) async fn forget(tx: &mut Tx, rows: Vec<entity::Model>) -> Result<Vec<String>, StoreError> {
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        tx.delete_limit(&row.id).await?;
        ids.push(row.id);
    }
    Ok(ids)
}

fn taken(error: StoreError) -> Problem {
    match error {
        StoreError::Duplicate(_) => Problem::new(
            Code::Conflict,
            "There is a limit of this kind for this already. Change that one.",
        )
        .field("kind"),
        other => other.into(),
    }
}

fn amount(amount: u64) -> Result<u64, Problem> {
    if amount > MAX_AMOUNT {
        return Err(invalid(
            "amount",
            format!("A limit is at most {MAX_AMOUNT}. Leave it out if there is to be none."),
        ));
    }
    Ok(amount)
}

/// The weights that are meant, over those of before.
fn weights(
    kind: LimitKindSpec,
    spec: Option<WeightsSpec>,
    before: TokenWeights,
) -> Result<TokenWeights, Problem> {
    let Some(spec) = spec else { return Ok(before) };
    if kind != LimitKindSpec::TokensPerMinute {
        return Err(invalid(
            "weights",
            "Only a limit of tokens per minute has weights: leave them out, or choose the kind `tokens_per_minute`.",
        ));
    }
    let weights = spec.over(before);
    let all = [
        ("weights.input", weights.input),
        ("weights.output", weights.output),
        ("weights.cache_read", weights.cache_read),
        ("weights.cache_write", weights.cache_write),
    ];
    if let Some((field, _)) = all.iter().find(|(_, weight)| *weight > MAX_WEIGHT) {
        return Err(invalid(
            field,
            format!("A weight is 0 to {MAX_WEIGHT} percent; 100 counts each token once."),
        ));
    }
    if all.iter().all(|(_, weight)| *weight == 0) {
        return Err(invalid(
            "weights",
            "With these weights no token counts. Leave the limit out if there is to be none.",
        ));
    }
    Ok(weights)
}

fn kind(kind: LimitKindSpec, weights: TokenWeights) -> LimitKind {
    match kind {
        LimitKindSpec::RequestsPerMinute => LimitKind::Requests,
        LimitKindSpec::TokensPerMinute => LimitKind::Tokens(weights),
        LimitKindSpec::ConcurrentRequests => LimitKind::Concurrency,
    }
}

async fn one(app: &App, row: entity::Model) -> Result<LimitView, Problem> {
    let mut views = many(app, vec![row]).await?;
    views
        .pop()
        .ok_or_else(|| StoreError::Other("a limit has no view".to_owned()).into())
}

async fn many(app: &App, rows: Vec<entity::Model>) -> Result<Vec<LimitView>, Problem> {
    let limits: Vec<Limit> = rows.iter().map(limit).collect::<Result<_, _>>()?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let (names, held) = tokio::try_join!(
        Names::of(app, limits.iter().map(|limit| &limit.scope)),
        app.store.list_permits_held(&ids)
    )?;
    let views = rows.iter().zip(&limits).map(|(row, limit)| {
        let scope = &limit.scope;
        let in_use = held.get(&row.id).and_then(|of| of.iter().max());
        LimitView {
            id: limit.id.clone(),
            scope: ScopeKind::parse(scope.kind()).unwrap_or(ScopeKind::Organisation),
            about: names.about(scope),
            team_id: scope.team_id().cloned(),
            user_id: scope.user_id().cloned(),
            key_id: scope.key_id().cloned(),
            kind: limit.kind.into(),
            amount: limit.amount,
            models: limit.models.iter().map(ToString::to_string).collect(),
            weights: match limit.kind {
                LimitKind::Tokens(weights) => Some(weights.into()),
                LimitKind::Requests | LimitKind::Concurrency => None,
            },
            in_use: in_use.and_then(|n| u64::try_from(*n).ok()).unwrap_or(0),
            created_at: Timestamp::from_ms(row.created_at_ms),
            updated_at: Timestamp::from_ms(row.updated_at_ms),
        }
    });
    Ok(views.collect())
}
