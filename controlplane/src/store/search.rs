//! Web search: its rules and the services that people have configured.

use super::entity::{search_provider, setting};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use crate::secrets::name::SEARCH_RESULTS as SEALING_KEY;
use crate::secrets::{Secrets, name};
use ccag_domain::search::MAX_RESULTS;
use ccag_domain::{
    NanoUsd, ObjectKind, SealKey, SearchKind, SearchProvider, ServiceSecret, WebSearch, WebSearchMode,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};
use std::collections::HashMap;

/// The owner of the service that an admin has configured for everybody.
pub(crate) const GLOBAL: &str = "global";

const MODE: &str = "web_search_mode";
const PRICE: &str = "web_search_price_nano_usd";
const SHORTCUT: &str = "web_search_shortcut";

/// The row of a service.
pub(crate) fn row(
    secrets: &Secrets,
    owner: &str,
    provider: &SearchProvider,
    active: bool,
    updated_at_ms: i64,
) -> search_provider::Model {
    let kind = provider.kind.as_str();
    search_provider::Model {
        owner: owner.to_owned(),
        kind: kind.to_owned(),
        url: provider.url.clone(),
        api_key: provider
            .api_key
            .as_ref()
            .map(|key| secrets.seal(&name::search_service(owner, kind), key.reveal().as_bytes())),
        max_results: i64::from(provider.max_results),
        allow_private_address: provider.allow_private_address,
        active,
        updated_at_ms,
    }
}

/// The service of a row. A key that cannot be opened is none.
pub(crate) fn provider(
    secrets: &Secrets,
    row: &search_provider::Model,
) -> Result<SearchProvider, StoreError> {
    const T: &str = "search_providers";
    let opened = row
        .api_key
        .as_ref()
        .and_then(|sealed| secrets.open(&name::search_service(&row.owner, &row.kind), sealed));
    let kind = super::rows::read(T, "kind", SearchKind::parse(&row.kind))?;
    let max_results = u8::try_from(row.max_results).ok();
    Ok(SearchProvider {
        kind,
        url: row.url.clone(),
        api_key: opened
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
            .map(ServiceSecret::new),
        max_results: super::rows::read(T, "max_results", max_results)?.clamp(1, MAX_RESULTS),
        allow_private_address: row.allow_private_address && row.owner == GLOBAL,
    })
}

/// The services in use, by owner. One that cannot be read is left out, loudly: its owner's searches fail.
pub(super) async fn active<C: ConnectionTrait>(
    db: &C,
    secrets: &Secrets,
    owner: Option<&str>,
) -> Result<HashMap<String, SearchProvider>, StoreError> {
    let mut query = search_provider::Entity::find().filter(search_provider::Column::Active.eq(true));
    if let Some(owner) = owner {
        query = query.filter(search_provider::Column::Owner.eq(owner));
    }
    let mut found = HashMap::new();
    for row in query.all(db).await? {
        match provider(secrets, &row) {
            Ok(provider) => {
                found.insert(row.owner, provider);
            }
            Err(error) => tracing::error!(owner = row.owner, %error, "a search service is left out"),
        }
    }
    Ok(found)
}

/// The rules. What cannot be read is off.
pub(super) async fn rules<C: ConnectionTrait>(db: &C, secrets: &Secrets) -> Result<WebSearch, StoreError> {
    let rows = setting::Entity::find()
        .filter(setting::Column::Name.is_in([MODE, PRICE, SHORTCUT, SEALING_KEY]))
        .all(db)
        .await?;
    let value = |name: &str| {
        rows.iter()
            .find(|row| row.name == name)
            .map(|row| row.value.as_str())
    };
    let sealing_key = value(SEALING_KEY)
        .and_then(|sealed| secrets.open(SEALING_KEY, sealed))
        .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
        .map(SealKey::new);
    Ok(WebSearch {
        mode: match value(MODE) {
            None => WebSearchMode::PerUser,
            Some(text) => WebSearchMode::parse(text).unwrap_or_default(),
        },
        provider: active(db, secrets, Some(GLOBAL)).await?.remove(GLOBAL),
        price: NanoUsd(value(PRICE).and_then(|text| text.parse().ok()).unwrap_or(0)),
        shortcut: value(SHORTCUT) != Some("false"),
        sealing_key,
    })
}

impl Store {
    /// The rules of web search, with the service for everybody.
    pub(crate) async fn find_web_search(&self) -> Result<WebSearch, StoreError> {
        rules(&self.db, self.secrets()).await
    }

    /// The services that an owner has configured.
    pub(crate) async fn list_search_providers(
        &self,
        owner: &str,
    ) -> Result<Vec<search_provider::Model>, StoreError> {
        search_provider::Entity::find()
            .filter(search_provider::Column::Owner.eq(owner))
            .order_by_asc(search_provider::Column::Kind)
            .all_in(self)
            .await
    }
}

impl Tx {
    /// The rules of web search, with the service for everybody.
    pub(crate) async fn find_web_search(&self, secrets: &Secrets) -> Result<WebSearch, StoreError> {
        rules(&self.tx, secrets).await
    }

    /// A service of an owner's.
    pub(crate) async fn find_search_provider(
        &self,
        owner: &str,
        kind: &str,
    ) -> Result<Option<search_provider::Model>, StoreError> {
        let id = (owner.to_owned(), kind.to_owned());
        Ok(search_provider::Entity::find_by_id(id).one(&self.tx).await?)
    }

    /// Whether search results can be sealed already.
    pub(crate) async fn has_sealing_key(&self) -> Result<bool, StoreError> {
        Ok(setting::Entity::find_by_id(SEALING_KEY)
            .one(&self.tx)
            .await?
            .is_some())
    }

    /// Keeps the key that search results are sealed with.
    pub(crate) async fn insert_sealing_key(
        &mut self,
        secrets: &Secrets,
        key: &SealKey,
    ) -> Result<(), StoreError> {
        let sealed = secrets.seal(SEALING_KEY, key.reveal());
        self.put_setting(SEALING_KEY, sealed).await
    }

    /// Writes the rules, without the service for everybody.
    pub(crate) async fn update_web_search(&mut self, rules: &WebSearch) -> Result<(), StoreError> {
        self.put_setting(MODE, rules.mode.as_str().to_owned()).await?;
        self.put_setting(PRICE, rules.price.0.to_string()).await?;
        self.put_setting(SHORTCUT, rules.shortcut.to_string()).await
    }

    pub(crate) async fn put_setting(&mut self, name: &str, value: String) -> Result<(), StoreError> {
        self.touch(ObjectKind::Settings, "settings");
        setting::Entity::delete_by_id(name).exec(&self.tx).await?;
        let row = setting::Model {
            name: name.to_owned(),
            value,
        };
        setting::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Writes a service of an owner's; an active one replaces the one that was.
    pub(crate) async fn put_search_provider(
        &mut self,
        row: search_provider::Model,
    ) -> Result<(), StoreError> {
        self.touch_owner(&row.owner);
        if row.active {
            self.deactivate(&row.owner).await?;
        }
        search_provider::Entity::delete_by_id((row.owner.clone(), row.kind.clone()))
            .exec(&self.tx)
            .await?;
        search_provider::Entity::insert(row.into_active_model())
            .exec_without_returning(&self.tx)
            .await?;
        Ok(())
    }

    /// Takes a service away; false if it was not there.
    pub(crate) async fn delete_search_provider(
        &mut self,
        owner: &str,
        kind: SearchKind,
    ) -> Result<bool, StoreError> {
        self.touch_owner(owner);
        let id = (owner.to_owned(), kind.as_str().to_owned());
        let gone = search_provider::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(gone.rows_affected > 0)
    }

    /// Takes all services of an owner away.
    pub(crate) async fn delete_search_providers(&mut self, owner: &str) -> Result<(), StoreError> {
        search_provider::Entity::delete_many()
            .filter(search_provider::Column::Owner.eq(owner))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    async fn deactivate(&self, owner: &str) -> Result<(), StoreError> {
        use sea_orm::sea_query::Expr;
        search_provider::Entity::update_many()
            .col_expr(search_provider::Column::Active, Expr::value(false))
            .filter(search_provider::Column::Owner.eq(owner))
            .exec(&self.tx)
            .await?;
        Ok(())
    }

    fn touch_owner(&mut self, owner: &str) {
        if owner == GLOBAL {
            self.touch(ObjectKind::Settings, "settings");
        } else {
            self.touch(ObjectKind::User, owner);
        }
    }
}
