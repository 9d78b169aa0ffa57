//! Keys: the list, one of them, taking one back.

use super::form::{Posted, pairs};
use super::names::Names;
use super::overview::{Month, shares, since, thirty_days};
use super::visitor::Visitor;
use crate::app::usage::{self, Scope};
use crate::app::{App, keys};
use crate::store::{KeyOrder, KeyQuery, KeyStateFilter, Place, Turn};
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::{GroupBy, KeyView, Timestamp};
use ccag_console::page::{
    Ends, KeyListQuery, KeyPage, KeyRow, KeySort, KeyState, KeySummary, KeysPage, PAGE_SIZE, RevokeKeyPage,
    StateFilter,
};
use ccag_console::{Tone, path};
use ccag_domain::{Code, KeyId, NanoUsd, Problem};

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let query = KeyListQuery::from_pairs(pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())));
    let page = gather_list(&visitor, query).await;
    visitor.answer(page)
}

async fn gather_list(visitor: &Visitor, query: KeyListQuery) -> Result<KeysPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let asked = store_query(&query);
    let turn = asked.turn.clone();
    let (mut keys, total) = keys::list(app, &actor, asked).await?;
    let more = Turn::cut(turn.as_ref(), &mut keys, PAGE_SIZE);
    let end = |key: Option<&KeyView>| {
        let place = |key: &KeyView| match query.sort {
            KeySort::Created => Place::new(Some(key.created_at.ms()), &key.id),
            KeySort::Name => Place::new(Some(key.name.to_lowercase()), &key.id),
            KeySort::Expires => Place::new(key.expires_at.map(Timestamp::ms), &key.id),
        };
        key.map(|key| place(key).to_string()).unwrap_or_default()
    };
    let ends = Ends {
        first: end(keys.first()),
        last: end(keys.last()),
        more,
    };
    let ids: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
    let (summaries, uses) = tokio::try_join!(
        summaries(app, &keys),
        usage::of_keys(app, &actor, &ids, thirty_days(visitor.now_ms()))
    )?;
    let rows = summaries
        .into_iter()
        .map(|key| {
            let of_key = uses.get(&key.id);
            KeyRow {
                spend_30_days: of_key.map_or(NanoUsd::ZERO, |u| u.totals.cost_nano_usd),
                last_used_hour_ms: of_key.map(|u| u.last_hour_ms),
                key,
            }
        })
        .collect();
    Ok(KeysPage {
        query,
        rows,
        total,
        ends,
    })
}

fn store_query(query: &KeyListQuery) -> KeyQuery {
    KeyQuery {
        search: Some(query.search.clone()).filter(|text| !text.is_empty()),
        state: match query.state {
            StateFilter::Active => Some(KeyStateFilter::Active),
            StateFilter::Expired => Some(KeyStateFilter::Expired),
            StateFilter::Revoked => Some(KeyStateFilter::Revoked),
            StateFilter::All => None,
        },
        order: match query.sort {
            KeySort::Created => KeyOrder::Created,
            KeySort::Name => KeyOrder::Name,
            KeySort::Expires => KeyOrder::Expires,
        },
        ascending: !query.descending,
        turn: Turn::parse(&query.place.after, &query.place.before),
        offset: query.place.offset(),
        limit: PAGE_SIZE + 1,
        ..KeyQuery::default()
    }
}

/// Keys with the names of their users and teams.
async fn summaries(app: &App, keys: &[KeyView]) -> Result<Vec<KeySummary>, Problem> {
    let (users, teams) = tokio::try_join!(
        Names::of_users(app, keys.iter().map(|k| k.user_id.as_ref())),
        Names::of_teams(app, keys.iter().map(|k| k.team_id.as_ref()))
    )?;
    let summary = |key: &KeyView| KeySummary {
        id: key.id.to_string(),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        state: match key.state {
            ccag_admin_api::KeyState::Active => KeyState::Active,
            ccag_admin_api::KeyState::Expired => KeyState::Expired,
            ccag_admin_api::KeyState::Revoked => KeyState::Revoked,
        },
        user: users.named(key.user_id.as_ref()),
        team: teams.named(key.team_id.as_ref()),
        created_at_ms: key.created_at.ms(),
        expires_at_ms: key.expires_at.map(Timestamp::ms),
    };
    Ok(keys.iter().map(summary).collect())
}

fn nothing() -> Problem {
    Problem::new(Code::NotFound, "There is no such key.")
}

fn id_of(text: &str) -> Result<KeyId, Problem> {
    KeyId::parse(text).map_err(|_| nothing())
}

/// A key that the visitor may see, and what a page says about it.
pub(super) async fn find(visitor: &Visitor, id: &str) -> Result<(KeyId, KeyView, KeySummary), Problem> {
    let app = &visitor.state().app;
    let id = id_of(id)?;
    let key = keys::find(app, &visitor.actor(), &id).await?;
    let summary = summaries(app, std::slice::from_ref(&key)).await?.pop();
    Ok((id, key, summary.ok_or_else(nothing)?))
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather_one(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather_one(visitor: &Visitor, id: &str) -> Result<KeyPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let now = visitor.now_ms();
    let of = id_of(id)?;
    let revocable = async { Ok(keys::find_to_change(app, &actor, &of).await.is_ok()) };
    let scope = Scope {
        key_id: Some(of.clone()),
        ..since(thirty_days(now), now)
    };
    let ((_, view, key), revocable, (days, tops)) = tokio::try_join!(
        find(visitor, id),
        revocable,
        usage::days_and_top(app, &actor, &scope, &scope, &[GroupBy::Model], 10)
    )?;
    let month = Month::of(&days, now);
    let models = tops.into_iter().next().unwrap_or_default();
    Ok(KeyPage {
        key,
        revocable,
        revoked_at_ms: view.revoked_at.map(Timestamp::ms),
        rate_limit_rpm: view.rate_limit_rpm,
        days: month.days,
        spend: month.cost,
        requests: month.requests,
        errors: month.errors,
        tokens: month.tokens,
        models: shares(models, "unknown", |_| None),
    })
}

pub(super) async fn ask_revoke(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather_revoke(&visitor, &id).await;
    match page {
        Ok(page) if page.key.state == KeyState::Revoked => {
            let address = path::key(&page.key.id);
            visitor.go_saying(&address, Tone::Note, "This key is revoked already.")
        }
        page => visitor.answer(page),
    }
}

async fn gather_revoke(visitor: &Visitor, id: &str) -> Result<RevokeKeyPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let of = [id_of(id)?];
    let from = thirty_days(visitor.now_ms());
    let ((_, _, key), _, uses) = tokio::try_join!(
        find(visitor, id),
        keys::find_to_change(app, &actor, &of[0]),
        usage::of_keys(app, &actor, &of, from)
    )?;
    let totals = uses.values().next().map(|u| u.totals).unwrap_or_default();
    Ok(RevokeKeyPage {
        key,
        requests_30_days: totals.requests,
        spend_30_days: totals.cost_nano_usd,
    })
}

pub(super) async fn revoke(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let Ok(id) = KeyId::parse(&id) else {
        return visitor.refuse(Problem::new(Code::NotFound, "There is no such key."));
    };
    match keys::revoke(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(key) => {
            let name = if key.name.is_empty() {
                &key.prefix
            } else {
                &key.name
            };
            let message =
                format!("“{name}” is revoked. Every connected data plane refuses it within a second.");
            visitor.go_saying(path::KEYS, Tone::Good, &message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}
