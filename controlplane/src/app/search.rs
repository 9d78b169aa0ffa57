//! Web search: the rules for everybody, and each user's own service.

use super::{App, Changed};
use crate::store::entity::search_provider;
use crate::store::search::{GLOBAL, provider, row};
use ccag_admin_api::{
    PutSearchProvider, SearchProviderList, SearchProviderView, SearchTest, SetWebSearch, WebSearchView,
};
use ccag_domain::search::{DEFAULT_RESULTS, MAX_RESULTS};
use ccag_domain::{
    Actor, Area, Code, DomainFilter, ObjectKind, Permission, Problem, SearchKind, SearchProvider,
    ServiceSecret, UserId, WebSearch, WebSearchMode,
};
use ccag_search::guard::{Reach, check_url};
use ccag_search::{Query, Searcher};
use serde_json::json;

/// What a test searches for.
const TEST_QUERY: &str = "Amazon Bedrock";

/// The longest address and key, in characters.
const MAX_TEXT: usize = 2_000;

fn view(provider: &SearchProvider, active: bool) -> SearchProviderView {
    SearchProviderView {
        provider_type: provider.kind,
        api_url: provider.url.clone(),
        max_results: provider.max_results,
        has_api_key: provider.api_key.is_some(),
        allow_private_address: provider.allow_private_address,
        active,
    }
}

/// The rules. The service for everybody is shown to admins alone.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn rules(app: &App, actor: &Actor) -> Result<WebSearchView, Problem> {
    let rules = app.store.find_web_search().await?;
    Ok(WebSearchView {
        mode: rules.mode,
        provider: rules
            .provider
            .as_ref()
            .filter(|_| actor.may_all(Permission::Read(Area::SearchService)))
            .map(|p| view(p, true)),
        price_nano_usd: rules.price,
        shortcut: rules.shortcut,
    })
}

/// Changes the rules.
///
/// # Errors
/// [`Code::InvalidRequest`] if the service for everybody is not complete, or missing where it is to be used.
pub async fn set_rules(app: &App, actor: &Actor, request: SetWebSearch) -> Result<WebSearchView, Problem> {
    actor.require_all(Permission::Change(Area::WebSearch))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let mut rules = tx.find_web_search(app.store.secrets()).await?;
    let before = told(&rules);
    rules.mode = request.mode;
    if let Some(price) = request.price_nano_usd {
        if price.0 < 0 {
            return Err(invalid("price_nano_usd", "A price is not negative."));
        }
        rules.price = price;
    }
    rules.shortcut = request.shortcut.unwrap_or(rules.shortcut);
    if let Some(wish) = request.provider {
        let stored = rules.provider.take().filter(|p| p.kind == wish.provider_type);
        let chosen = complete(wish, stored, Reach::Private)?;
        let new = row(app.store.secrets(), GLOBAL, &chosen, true, app.now_ms());
        tx.delete_search_providers(GLOBAL).await?;
        tx.put_search_provider(new).await?;
        rules.provider = Some(chosen);
    }
    if rules.mode == WebSearchMode::Global && rules.provider.is_none() {
        return Err(invalid(
            "provider",
            "One service for everybody needs to be told which: give a `provider`.",
        ));
    }
    tx.update_web_search(&rules).await?;
    let details = Changed::updated(&before, &told(&rules));
    let entry = app.audit(
        actor,
        "web_search.update",
        ObjectKind::Settings,
        "settings",
        details,
    );
    tx.commit(app.now_ms(), entry).await?;
    self::rules(app, actor).await
}

/// What the audit log keeps of the rules.
fn told(rules: &WebSearch) -> serde_json::Value {
    json!({
        "mode": rules.mode,
        "provider": rules.provider.as_ref().map(|provider| view(provider, true)),
        "price_nano_usd": rules.price,
        "shortcut": rules.shortcut,
    })
}

/// Searches once with the service for everybody.
///
/// # Errors
/// [`Code::NotFound`] if there is none. A search that fails is no error but the answer.
pub async fn test_global(app: &App, actor: &Actor) -> Result<SearchTest, Problem> {
    actor.require_all(Permission::Change(Area::WebSearch))?;
    let rules = app.store.find_web_search().await?;
    match rules.provider {
        Some(provider) => try_out(&provider).await,
        None => Err(Problem::new(
            Code::NotFound,
            "There is no service for everybody yet.",
        )),
    }
}

/// The services that the caller has configured.
///
/// # Errors
/// [`Code::Forbidden`] for callers who are no user.
pub async fn own(app: &App, actor: &Actor) -> Result<SearchProviderList, Problem> {
    let owner = user(actor)?;
    let rows = app.store.list_search_providers(owner.as_str()).await?;
    let providers = rows
        .iter()
        .map(|row| Ok(view(&provider(app.store.secrets(), row)?, row.active)))
        .collect::<Result<_, Problem>>()?;
    Ok(SearchProviderList { providers })
}

/// Adds a service of the caller's or changes it, and uses it from now on.
///
/// # Errors
/// [`Code::InvalidRequest`] if it is not complete, or its address is a private one.
pub async fn put(
    app: &App,
    actor: &Actor,
    request: PutSearchProvider,
) -> Result<SearchProviderList, Problem> {
    let owner = user(actor)?;
    if request.allow_private_address == Some(true) {
        return Err(invalid(
            "allow_private_address",
            "Only the service for everybody may have a private address; an administrator sets it.",
        ));
    }
    let stored = find(app, owner, request.provider_type).await?;
    let stored = stored
        .map(|row| provider(app.store.secrets(), &row))
        .transpose()?;
    let chosen = complete(request, stored, Reach::Public)?;
    let new = row(app.store.secrets(), owner.as_str(), &chosen, true, app.now_ms());
    store(app, actor, new, "search_provider.put").await
}

/// Uses another service of the caller's.
///
/// # Errors
/// [`Code::NotFound`] if it is not configured.
pub async fn activate(app: &App, actor: &Actor, kind: SearchKind) -> Result<SearchProviderList, Problem> {
    let owner = user(actor)?;
    let row = find(app, owner, kind).await?.ok_or_else(|| none(kind))?;
    let row = search_provider::Model {
        active: true,
        updated_at_ms: app.now_ms(),
        ..row
    };
    store(app, actor, row, "search_provider.activate").await
}

/// Forgets a service of the caller's.
///
/// # Errors
/// [`Code::NotFound`] if it is not configured.
pub async fn delete(app: &App, actor: &Actor, kind: SearchKind) -> Result<(), Problem> {
    let owner = user(actor)?;
    let mut tx = app.store.change().await?;
    let before = tx.find_search_provider(owner.as_str(), kind.as_str()).await?;
    let before = before.ok_or_else(|| none(kind))?;
    tx.delete_search_provider(owner.as_str(), kind).await?;
    let details = Changed::deleted(&before);
    let entry = app.audit(
        actor,
        "search_provider.delete",
        ObjectKind::User,
        owner.as_str(),
        details,
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Searches once with a service of the caller's.
///
/// # Errors
/// [`Code::NotFound`] if it is not configured. A search that fails is no error but the answer.
pub async fn test(app: &App, actor: &Actor, kind: SearchKind) -> Result<SearchTest, Problem> {
    let owner = user(actor)?;
    match find(app, owner, kind).await? {
        Some(row) => try_out(&provider(app.store.secrets(), &row)?).await,
        // DuckDuckGo needs no configuration.
        None if kind == SearchKind::DuckDuckGo => try_out(&SearchProvider::duckduckgo()).await,
        None => Err(none(kind)),
    }
}

fn user(actor: &Actor) -> Result<&UserId, Problem> {
    actor
        .user_id()
        .ok_or_else(|| Problem::new(Code::Forbidden, "Only users have search services of their own."))
}

fn none(kind: SearchKind) -> Problem {
    Problem::new(
        Code::NotFound,
        format!("You have not configured {}.", kind.title()),
    )
}

fn invalid(field: &str, message: &str) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

async fn find(
    app: &App,
    owner: &UserId,
    kind: SearchKind,
) -> Result<Option<search_provider::Model>, Problem> {
    let rows = app.store.list_search_providers(owner.as_str()).await?;
    Ok(rows.into_iter().find(|row| row.kind == kind.as_str()))
}

async fn store(
    app: &App,
    actor: &Actor,
    row: search_provider::Model,
    action: &'static str,
) -> Result<SearchProviderList, Problem> {
    let mut tx = app.store.change().await?;
    let details = match tx.find_search_provider(&row.owner, &row.kind).await? {
        Some(before) => {
            let new_key = before.api_key != row.api_key;
            Changed::updated(&before, &row).with("new_api_key", &new_key)
        }
        None => Changed::created(&row),
    };
    let entry = app.audit(actor, action, ObjectKind::User, &row.owner, details);
    tx.put_search_provider(row).await?;
    tx.commit(app.now_ms(), entry).await?;
    own(app, actor).await
}

/// What was entered, with what was stored where it says nothing, as a service that can be asked.
pub(super) fn complete(
    wish: PutSearchProvider,
    stored: Option<SearchProvider>,
    reach: Reach,
) -> Result<SearchProvider, Problem> {
    let kind = wish.provider_type;
    let filled = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let (stored_url, stored_key) = stored.map_or((None, None), |s| (s.url, s.api_key));
    let entered = filled(wish.api_url).filter(|_| kind.needs_url());
    let api_key = match filled(wish.api_key.map(|key| key.reveal().to_owned())) {
        Some(key) if key.len() > MAX_TEXT || key.chars().any(char::is_control) => {
            return Err(invalid("api_key", "This is not an API key."));
        }
        Some(key) => Some(ServiceSecret::new(key)),
        // A key goes where it was meant for, and not to an address that was entered later.
        None if entered.is_some() && entered != stored_url => None,
        None => stored_key,
    };
    let allow_private_address = reach == Reach::Private && wish.allow_private_address == Some(true);
    let url = entered.or(stored_url);
    if kind.needs_url() && url.is_none() {
        let message = format!("{} needs the address of its server.", kind.title());
        return Err(invalid("api_url", &message));
    }
    if let Some(url) = &url {
        let reach = if allow_private_address {
            Reach::Private
        } else {
            Reach::Public
        };
        let too_long = url.chars().count() > MAX_TEXT;
        if too_long {
            return Err(invalid("api_url", "The address is too long."));
        }
        check_url(url, reach).map_err(|failure| {
            let mut message = failure.to_string();
            if let Some(first) = message.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            invalid("api_url", &format!("{message}."))
        })?;
    }
    if kind.needs_key() && api_key.is_none() {
        return Err(invalid("api_key", &format!("{} needs an API key.", kind.title())));
    }
    let max_results = wish.max_results.unwrap_or(DEFAULT_RESULTS);
    if !(1..=MAX_RESULTS).contains(&max_results) {
        return Err(invalid(
            "max_results",
            &format!("A search gives 1 to {MAX_RESULTS} results."),
        ));
    }
    Ok(SearchProvider {
        kind,
        url,
        api_key,
        max_results,
        allow_private_address,
    })
}

/// One search, from here, through the same guard as in a data plane.
async fn try_out(provider: &SearchProvider) -> Result<SearchTest, Problem> {
    let searcher = Searcher::new().map_err(|error| {
        tracing::error!(%error, "TLS cannot be set up");
        Problem::new(Code::Internal, "TLS cannot be set up.")
    })?;
    let query = Query {
        text: TEST_QUERY,
        sites: &DomainFilter::default(),
        country: None,
    };
    Ok(match searcher.search(provider, &query).await {
        Ok(hits) => SearchTest {
            success: !hits.is_empty(),
            message: match hits.len() {
                0 => format!("{} answered, but found nothing.", provider.kind.title()),
                n => format!("{} answered with {n} results.", provider.kind.title()),
            },
            result_count: u32::try_from(hits.len()).unwrap_or(u32::MAX),
        },
        Err(failure) => SearchTest {
            success: false,
            message: format!("The test failed: {failure}."),
            result_count: 0,
        },
    })
}
