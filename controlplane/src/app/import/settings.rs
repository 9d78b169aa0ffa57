//! Settings, services of web search, and what can only be told.

use super::world::World;
use crate::app::search;
use crate::store::StoreError;
use crate::store::ccag::{Ccag, PairRow, SearchRow};
use crate::store::entity::search_provider;
use crate::store::search::row;
use ccag_admin_api::{CreateDestination, PutSearchProvider, SetWebSearch};
use ccag_domain::search::{DEFAULT_RESULTS, MAX_RESULTS};
use ccag_search::guard::Reach;
use serde_json::{Value, json};

/// What a destination that is brought in is called.
const DESTINATION: &str = "Imported";

/// Settings to be made.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) services: Vec<search_provider::Model>,
    pub(super) web_search: Option<SetWebSearch>,
    pub(super) destination: Option<CreateDestination>,
}

/// Plans them.
pub(super) async fn plan(
    world: &mut World<'_>,
    from: &Ccag,
    settings: &[PairRow],
) -> Result<Settings, StoreError> {
    let services = services(world, from.search_services().await?);
    let web_search = web_search(world, settings).await?;
    let destination = destination(world, &from.notified().await?);
    for price in from.own_prices().await? {
        let text = format!(
            "an admin's price ({}): what was spent keeps the cost that it had; for the future set it with `ccag pricing set`",
            price.b
        );
        world.report.note("model_pricing", price.a, text);
    }
    for mapping in from.mappings().await? {
        let text = format!(
            "stands for `{}` there; here the catalogue says what models are called, and `ccag models` adds to it",
            mapping.b
        );
        world.report.note("model_mappings", mapping.a, text);
    }
    for setting in settings {
        let text = match setting.a.as_str() {
            "session_signing_key" => "sessions end: people sign in once more",
            "session_token_ttl_hours" => {
                "how long people stay signed in is set with CCAG_CLIENT_SESSION_DAYS and CCAG_SESSION_TTL_HOURS"
            }
            "admin_login_enabled" if setting.b.trim() == "false" => {
                "passwords can be turned off under Sign-in, once somebody has signed in without one"
            }
            "api_key_helper_ttl_ms" => "Claude Code's own settings are part of policies here",
            _ => continue,
        };
        world.report.note("proxy_settings", &setting.a, text);
    }
    Ok(Settings {
        services,
        web_search,
        destination,
    })
}

fn wish(kind: &str, key: Option<&str>, url: Option<&str>, results: Option<i64>) -> Option<PutSearchProvider> {
    let results = results.and_then(|n| u8::try_from(n.clamp(1, i64::from(MAX_RESULTS))).ok());
    let wish = json!({
        "provider_type": kind,
        "api_key": key.filter(|key| !key.is_empty()),
        "api_url": url.filter(|url| !url.is_empty()),
        "max_results": results.unwrap_or(DEFAULT_RESULTS),
    });
    serde_json::from_value(wish).ok()
}

fn services(world: &mut World<'_>, theirs: Vec<SearchRow>) -> Vec<search_provider::Model> {
    const TABLE: &str = "user_search_providers";
    let (found, mut there) = (theirs.len(), 0);
    let mut made: Vec<search_provider::Model> = Vec::new();
    for service in theirs {
        let Some(owner) = world.users.get(&service.user_id).cloned() else {
            continue;
        };
        let mine = |o: &str, kind: &str| *o == owner && kind == service.provider_type;
        if world
            .present
            .search_services
            .iter()
            .any(|(o, kind)| mine(o, kind))
        {
            there += 1;
            continue;
        }
        let (key, url) = (service.api_key.as_deref(), service.api_url.as_deref());
        let wish = wish(&service.provider_type, key, url, Some(service.max_results));
        let Some(Ok(chosen)) = wish.map(|wish| search::complete(wish, None, Reach::Public)) else {
            let text = format!(
                "the search service `{}` is not carried over: its key or address is no good here",
                service.provider_type
            );
            world.report.note(TABLE, service.id, text);
            continue;
        };
        // The one that was changed last counts, as there.
        let others = made
            .iter_mut()
            .filter(|row| row.owner == owner && service.enabled);
        others.for_each(|row| row.active = false);
        made.retain(|row| !mine(&row.owner, &row.kind));
        made.push(row(
            world.app.store.secrets(),
            &owner,
            &chosen,
            service.enabled,
            world.now,
        ));
    }
    world.report.part("search services", found, made.len(), there);
    made
}

async fn web_search(world: &mut World<'_>, settings: &[PairRow]) -> Result<Option<SetWebSearch>, StoreError> {
    const ROW: &str = "websearch_mode";
    let setting = |name: &str| settings.iter().find(|s| s.a == name).map(|s| s.b.as_str());
    // What nobody has set means this there.
    let mode = setting(ROW).unwrap_or("enabled").trim();
    if world.app.store.find_setting("web_search_mode").await?.is_some() {
        return Ok(None);
    }
    let provider =
        setting("websearch_global_provider").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let provider = provider.as_ref().and_then(|value| {
        let (key, url) = (text(value, "api_key"), text(value, "api_url"));
        let results = value.get("max_results").and_then(Value::as_i64);
        wish(
            &text(value, "provider_type")?,
            key.as_deref(),
            url.as_deref(),
            results,
        )
    });
    let usable = provider
        .clone()
        .is_some_and(|wish| search::complete(wish, None, Reach::Public).is_ok());
    let provider = provider.filter(|_| usable);
    if mode == "global" && provider.is_none() {
        let text = "the search service for everybody is not carried over: it is not known here, or its address is a private one. Set it under Web search";
        world.report.note("proxy_settings", ROW, text);
        return Ok(None);
    }
    let wanted = json!({ "mode": mode });
    let wanted = serde_json::from_value::<SetWebSearch>(wanted).ok();
    Ok(wanted.map(|wanted| SetWebSearch { provider, ..wanted }))
}

fn destination(world: &mut World<'_>, theirs: &[PairRow]) -> Option<CreateDestination> {
    let one = theirs.first()?;
    if world.present.destinations.contains(&DESTINATION.to_lowercase()) {
        world.report.part("notifications", 1, 0, 1);
        return None;
    }
    let field = if one.a == "webhook" { "url" } else { "arn" };
    let wanted = json!({"name": DESTINATION, "settings": {"kind": one.a, field: one.b}});
    let wanted = serde_json::from_value::<CreateDestination>(wanted).ok();
    let text = if wanted.is_some() {
        "the destination comes as a draft named `Imported`: test it and put it into force under Notifications. What it is sent has another form"
    } else {
        "the destination is not carried over: its kind is not known here"
    };
    world.report.note("notification_config", "active", text);
    world
        .report
        .part("notifications", 1, usize::from(wanted.is_some()), 0);
    wanted
}
