//! Every column that holds something sealed under the master key.

use super::entity::{
    endpoint, idempotent_request, identity_provider, notification_destination, search_provider, setting,
    sign_in_attempt, signing_key,
};
use super::together::{OfId, Read as _};
use super::{Store, StoreError, Tx};
use crate::secrets::name;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// What is sealed. Whoever adds a column adds a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealedKind {
    EndpointCredentials,
    ProxyPasswords,
    ProviderSecrets,
    SearchServiceKeys,
    SearchResultKey,
    SigningKeys,
    SignIns,
    DestinationSecrets,
    DraftSecrets,
    Answers,
}

impl SealedKind {
    pub(crate) const ALL: [Self; 10] = [
        Self::EndpointCredentials,
        Self::ProxyPasswords,
        Self::ProviderSecrets,
        Self::SearchServiceKeys,
        Self::SearchResultKey,
        Self::SigningKeys,
        Self::SignIns,
        Self::DestinationSecrets,
        Self::DraftSecrets,
        Self::Answers,
    ];

    /// Its name in the admin API and in the audit log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointCredentials => "endpoint_credentials",
            Self::ProxyPasswords => "proxy_passwords",
            Self::ProviderSecrets => "provider_secrets",
            Self::SearchServiceKeys => "search_service_keys",
            Self::SearchResultKey => "search_result_key",
            Self::SigningKeys => "signing_keys",
            Self::SignIns => "sign_ins",
            Self::DestinationSecrets => "destination_secrets",
            Self::DraftSecrets => "destination_draft_secrets",
            Self::Answers => "answers",
        }
    }
}

/// A sealed value.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    /// Names its row: an id, or two parts of one.
    pub(crate) id: String,
    second: Option<String>,
    /// What it is sealed as.
    pub(crate) what: String,
    pub(crate) value: String,
}

/// The columns of an id and of what is sealed.
macro_rules! columns {
    ($entity:ident, $id:ident, $sealed:ident) => {
        ($entity::Column::$id, $entity::Column::$sealed)
    };
}

impl Store {
    /// All that is sealed of a kind, in the order of its rows.
    pub(crate) async fn list_sealed(&self, kind: SealedKind) -> Result<Vec<Sealed>, StoreError> {
        match kind {
            SealedKind::EndpointCredentials => {
                self.sealed::<endpoint::Entity>(columns!(endpoint, Id, AccessSecrets), name::endpoint)
                    .await
            }
            SealedKind::ProxyPasswords => {
                self.sealed::<endpoint::Entity>(columns!(endpoint, Id, NetworkSecrets), name::proxy)
                    .await
            }
            SealedKind::ProviderSecrets => {
                let columns = columns!(identity_provider, Id, ClientSecret);
                self.sealed::<identity_provider::Entity>(columns, name::provider)
                    .await
            }
            SealedKind::SigningKeys => {
                let columns = columns!(signing_key, Id, PrivateKey);
                self.sealed::<signing_key::Entity>(columns, name::signing_key)
                    .await
            }
            SealedKind::SignIns => {
                let columns = columns!(sign_in_attempt, StateDigest, Verifier);
                self.sealed::<sign_in_attempt::Entity>(columns, name::sign_in)
                    .await
            }
            SealedKind::DestinationSecrets => {
                let columns = columns!(notification_destination, Id, ActiveSecrets);
                self.sealed::<notification_destination::Entity>(columns, name::destination)
                    .await
            }
            SealedKind::DraftSecrets => {
                let columns = columns!(notification_destination, Id, DraftSecrets);
                self.sealed::<notification_destination::Entity>(columns, name::destination_draft)
                    .await
            }
            SealedKind::Answers => {
                let columns = columns!(idempotent_request, Id, Answer);
                self.sealed::<idempotent_request::Entity>(columns, name::answer)
                    .await
            }
            SealedKind::SearchResultKey => {
                let columns = columns!(setting, Name, Value);
                let mut all = self.sealed::<setting::Entity>(columns, str::to_owned).await?;
                all.retain(|row| row.id == name::SEARCH_RESULTS);
                Ok(all)
            }
            SealedKind::SearchServiceKeys => {
                use search_provider::Column as C;
                let rows = search_provider::Entity::find()
                    .filter(C::ApiKey.is_not_null())
                    .order_by_asc(C::Owner)
                    .order_by_asc(C::Kind)
                    .all_in(self)
                    .await?;
                let sealed = |row: search_provider::Model| {
                    Some(Sealed {
                        what: name::search_service(&row.owner, &row.kind),
                        id: row.owner,
                        second: Some(row.kind),
                        value: row.api_key?,
                    })
                };
                Ok(rows.into_iter().filter_map(sealed).collect())
            }
        }
    }

    async fn sealed<E: EntityTrait>(
        &self,
        (id, sealed): (E::Column, E::Column),
        what: fn(&str) -> String,
    ) -> Result<Vec<Sealed>, StoreError> {
        let select = E::find()
            .select_only()
            .column_as(id, "id")
            .column_as(sealed, "value")
            .filter(sealed.is_not_null())
            .order_by_asc(id);
        let rows: Vec<OfId> = self.read_some(select, &["id", "value"]).await?;
        let sealed = |of: OfId| Sealed {
            what: what(&of.id),
            id: of.id,
            second: None,
            value: of.value,
        };
        Ok(rows.into_iter().map(sealed).collect())
    }
}

impl Tx {
    /// Puts another seal on the same secret; false if it has been changed or is gone since it was read. What it says stays the
    /// same, so nothing is pushed.
    pub(crate) async fn replace_sealed(
        &self,
        kind: SealedKind,
        row: &Sealed,
        value: &str,
    ) -> Result<bool, StoreError> {
        match kind {
            SealedKind::EndpointCredentials => {
                self.swap::<endpoint::Entity>(columns!(endpoint, Id, AccessSecrets), row, value)
                    .await
            }
            SealedKind::ProxyPasswords => {
                self.swap::<endpoint::Entity>(columns!(endpoint, Id, NetworkSecrets), row, value)
                    .await
            }
            SealedKind::ProviderSecrets => {
                let columns = columns!(identity_provider, Id, ClientSecret);
                self.swap::<identity_provider::Entity>(columns, row, value).await
            }
            SealedKind::SigningKeys => {
                let columns = columns!(signing_key, Id, PrivateKey);
                self.swap::<signing_key::Entity>(columns, row, value).await
            }
            SealedKind::SignIns => {
                let columns = columns!(sign_in_attempt, StateDigest, Verifier);
                self.swap::<sign_in_attempt::Entity>(columns, row, value).await
            }
            SealedKind::DestinationSecrets => {
                let columns = columns!(notification_destination, Id, ActiveSecrets);
                self.swap::<notification_destination::Entity>(columns, row, value)
                    .await
            }
            SealedKind::DraftSecrets => {
                let columns = columns!(notification_destination, Id, DraftSecrets);
                self.swap::<notification_destination::Entity>(columns, row, value)
                    .await
            }
            SealedKind::Answers => {
                let columns = columns!(idempotent_request, Id, Answer);
                self.swap::<idempotent_request::Entity>(columns, row, value).await
            }
            SealedKind::SearchResultKey => {
                self.swap::<setting::Entity>(columns!(setting, Name, Value), row, value)
                    .await
            }
            SealedKind::SearchServiceKeys => {
                use search_provider::Column as C;
                let done = search_provider::Entity::update_many()
                    .col_expr(C::ApiKey, Expr::value(value))
                    .filter(C::Owner.eq(&row.id))
                    .filter(C::Kind.eq(row.second.as_deref().unwrap_or_default()))
                    .filter(C::ApiKey.eq(&row.value))
                    .exec(&self.tx)
                    .await?;
                Ok(done.rows_affected > 0)
            }
        }
    }

    async fn swap<E: EntityTrait>(
        &self,
        (id, sealed): (E::Column, E::Column),
        row: &Sealed,
        value: &str,
    ) -> Result<bool, StoreError> {
        let done = E::update_many()
            .col_expr(sealed, Expr::value(value))
            .filter(id.eq(&row.id))
            .filter(sealed.eq(&row.value))
            .exec(&self.tx)
            .await?;
        Ok(done.rows_affected > 0)
    }
}
