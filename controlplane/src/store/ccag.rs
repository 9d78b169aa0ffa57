//! The database of the existing gateway, as it is read for an import: PostgreSQL, with the tables of its migrations 1 to 12.
//!
//! Everything is cast to text, 64-bit integers and booleans by the database, so that amounts never pass through a float here.

use super::{StoreError, dialect};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, FromQueryResult, Statement,
};

/// The tables and columns that are read. A database without one of them is of another version.
const READ: &[(&str, &str)] = &[
    (
        "teams",
        "id name budget_amount_usd budget_period budget_policy default_user_budget_usd \
         notify_recipients routing_strategy created_at",
    ),
    (
        "users",
        "id email team_id role spend_limit_monthly_usd budget_period active external_id \
         display_name given_name family_name scim_managed idp_id created_at",
    ),
    (
        "virtual_keys",
        "id key_hash key_prefix name user_id team_id is_active rate_limit_rpm created_at expires_at",
    ),
    (
        "spend_log",
        "id key_id user_identity request_id model streaming duration_ms input_tokens output_tokens \
         cache_read_tokens cache_write_tokens session_id endpoint_id recorded_at",
    ),
    (
        "endpoints",
        "id name role_arn external_id inference_profile_arn region routing_prefix is_default \
         enabled created_at",
    ),
    ("team_endpoints", "team_id endpoint_id priority"),
    ("endpoint_aip_overrides", "endpoint_id model_id aip_arn reason"),
    ("beta_overrides", "endpoint_id profile_id beta_name"),
    (
        "identity_providers",
        "id name issuer_url client_id audience jwks_url default_role allowed_domains enabled \
         user_claim scopes scim_enabled scim_admin_groups created_at",
    ),
    (
        "scim_tokens",
        "id idp_id token_hash token_prefix name enabled created_at",
    ),
    ("scim_groups", "id external_id display_name idp_id created_at"),
    ("scim_group_members", "group_id user_id"),
    (
        "user_search_providers",
        "id user_id provider_type api_key api_url max_results enabled",
    ),
    ("notification_config", "slot destination_type destination_value"),
    ("model_pricing", "model_prefix source"),
    ("model_mappings", "anthropic_prefix bedrock_suffix source"),
    ("proxy_settings", "key value"),
];

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct TeamRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) budget_amount: Option<String>,
    pub(crate) budget_period: String,
    pub(crate) budget_policy: Option<String>,
    pub(crate) member_budget: Option<String>,
    pub(crate) notify_recipients: String,
    pub(crate) routing_strategy: String,
    pub(crate) created_at_ms: i64,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) team_id: Option<String>,
    pub(crate) role: String,
    pub(crate) spend_limit: Option<String>,
    pub(crate) budget_period: String,
    pub(crate) active: bool,
    pub(crate) external_id: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) given_name: Option<String>,
    pub(crate) family_name: Option<String>,
    pub(crate) scim_managed: bool,
    pub(crate) idp_id: Option<String>,
    pub(crate) created_at_ms: i64,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) key_hash: String,
    pub(crate) key_prefix: String,
    pub(crate) name: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) is_active: bool,
    pub(crate) rate_limit_rpm: Option<i64>,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: Option<i64>,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct EndpointRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role_arn: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) inference_profile_arn: Option<String>,
    pub(crate) region: String,
    pub(crate) routing_prefix: String,
    pub(crate) is_default: bool,
    pub(crate) enabled: bool,
    pub(crate) created_at_ms: i64,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct AssignedRow {
    pub(crate) team_id: String,
    pub(crate) endpoint_id: String,
    pub(crate) priority: i64,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct ProfileRow {
    pub(crate) endpoint_id: String,
    pub(crate) model_id: String,
    pub(crate) aip_arn: String,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct ProviderRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) issuer_url: String,
    pub(crate) client_id: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) jwks_url: Option<String>,
    pub(crate) default_role: String,
    /// A JSON list.
    pub(crate) allowed_domains: String,
    pub(crate) enabled: bool,
    pub(crate) user_claim: Option<String>,
    pub(crate) scopes: Option<String>,
    pub(crate) scim_enabled: bool,
    /// A JSON list.
    pub(crate) scim_admin_groups: String,
    pub(crate) created_at_ms: i64,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct ScimTokenRow {
    pub(crate) id: String,
    pub(crate) idp_id: String,
    pub(crate) token_hash: String,
    pub(crate) token_prefix: String,
    pub(crate) name: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) created_at_ms: i64,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct ScimGroupRow {
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    pub(crate) display_name: String,
    pub(crate) idp_id: String,
    pub(crate) created_at_ms: i64,
}

/// Two texts: what they are, the statement says.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct PairRow {
    pub(crate) a: String,
    pub(crate) b: String,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct SearchRow {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) provider_type: String,
    pub(crate) api_key: Option<String>,
    pub(crate) api_url: Option<String>,
    pub(crate) max_results: i64,
    pub(crate) enabled: bool,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct SpendRow {
    pub(crate) id: i64,
    pub(crate) key_id: Option<String>,
    pub(crate) user_identity: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) model: String,
    pub(crate) streaming: bool,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cache_read_tokens: i64,
    pub(crate) cache_write_tokens: i64,
    pub(crate) session_id: Option<String>,
    pub(crate) endpoint_id: Option<String>,
    pub(crate) recorded_at_ms: i64,
    /// What the existing gateway says that it cost, in nano-USD; null where it knows no price.
    pub(crate) cost: Option<i64>,
}

/// A column with dollars in floating point as decimal text, with nine digits after the point.
fn usd(column: &str) -> String {
    format!(
        "CASE WHEN {column} = 'NaN' OR abs({column}) = 'Infinity' THEN {column}::text \
         ELSE round({column}::numeric, 9)::text END"
    )
}

fn ms(column: &str) -> String {
    format!("floor(extract(epoch FROM {column}) * 1000)::bigint")
}

/// One state of the database of the existing gateway. It is read and never written.
pub(crate) struct Ccag {
    tx: DatabaseTransaction,
    db: DatabaseConnection,
}

impl Ccag {
    /// Opens it.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        if dialect::Backend::of(url)? != dialect::Backend::Postgres {
            return Err(StoreError::Other(
                "the existing gateway keeps its data in PostgreSQL: give a URL that starts with `postgres://`".to_owned(),
            ));
        }
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false);
        let db = Database::connect(options).await?;
        let tx = dialect::begin_read(&db, dialect::Backend::Postgres).await?;
        Ok(Self { tx, db })
    }

    pub(crate) async fn close(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        Ok(self.db.close().await?)
    }

    async fn rows<T: FromQueryResult>(&self, sql: String) -> Result<Vec<T>, StoreError> {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        Ok(T::find_by_statement(statement).all(&self.tx).await?)
    }

    /// The tables and columns that it lacks of those that are read.
    pub(crate) async fn missing(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT table_name::text AS a, column_name::text AS b FROM information_schema.columns \
                   WHERE table_schema = ANY (current_schemas(false))";
        let there: Vec<PairRow> = self.rows(sql.to_owned()).await?;
        let mut missing = Vec::new();
        for (table, columns) in READ {
            for column in columns.split_whitespace() {
                if !there.iter().any(|row| row.a == *table && row.b == column) {
                    missing.push(format!("{table}.{column}"));
                }
            }
        }
        Ok(missing)
    }

    pub(crate) async fn teams(&self) -> Result<Vec<TeamRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, name, {} AS budget_amount, budget_period, budget_policy::text, {} AS member_budget, \
             notify_recipients, routing_strategy, {} AS created_at_ms FROM teams ORDER BY created_at, teams.id",
            usd("budget_amount_usd"),
            usd("default_user_budget_usd"),
            ms("created_at"),
        ))
        .await
    }

    /// Those who may use the gateway first.
    pub(crate) async fn users(&self) -> Result<Vec<UserRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, email, team_id::text, role, {} AS spend_limit, budget_period, active, external_id, \
             display_name, given_name, family_name, scim_managed, idp_id::text, {} AS created_at_ms \
             FROM users ORDER BY active DESC, created_at, users.id",
            usd("spend_limit_monthly_usd"),
            ms("created_at"),
        ))
        .await
    }

    pub(crate) async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, key_hash, key_prefix, name, user_id::text, team_id::text, is_active, \
             rate_limit_rpm::bigint, {} AS created_at_ms, {} AS expires_at_ms FROM virtual_keys \
             ORDER BY created_at, virtual_keys.id",
            ms("created_at"),
            ms("expires_at"),
        ))
        .await
    }

    pub(crate) async fn endpoints(&self) -> Result<Vec<EndpointRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, name, role_arn, external_id, inference_profile_arn, region, routing_prefix, is_default, \
             enabled, {} AS created_at_ms FROM endpoints ORDER BY created_at, endpoints.id",
            ms("created_at"),
        ))
        .await
    }

    pub(crate) async fn assigned(&self) -> Result<Vec<AssignedRow>, StoreError> {
        let sql = "SELECT team_id::text, endpoint_id::text, priority::bigint FROM team_endpoints \
                   ORDER BY team_endpoints.team_id, priority, team_endpoints.endpoint_id";
        self.rows(sql.to_owned()).await
    }

    pub(crate) async fn profiles(&self) -> Result<Vec<ProfileRow>, StoreError> {
        let sql =
            "SELECT endpoint_id::text, model_id, aip_arn, reason FROM endpoint_aip_overrides ORDER BY 1, 2";
        self.rows(sql.to_owned()).await
    }

    /// Endpoint, and profile with beta.
    pub(crate) async fn betas(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql = "SELECT endpoint_id::text AS a, profile_id || ' ' || beta_name AS b FROM beta_overrides ORDER BY 1, 2";
        self.rows(sql.to_owned()).await
    }

    pub(crate) async fn providers(&self) -> Result<Vec<ProviderRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, name, issuer_url, client_id, audience, jwks_url, default_role, \
             coalesce(to_json(allowed_domains), '[]')::text AS allowed_domains, enabled, user_claim, scopes, scim_enabled, \
             scim_admin_groups::text, {} AS created_at_ms FROM identity_providers ORDER BY created_at, identity_providers.id",
            ms("created_at"),
        ))
        .await
    }

    pub(crate) async fn scim_tokens(&self) -> Result<Vec<ScimTokenRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, idp_id::text, token_hash, token_prefix, name, enabled, {} AS created_at_ms \
             FROM scim_tokens ORDER BY created_at, scim_tokens.id",
            ms("created_at"),
        ))
        .await
    }

    pub(crate) async fn scim_groups(&self) -> Result<Vec<ScimGroupRow>, StoreError> {
        self.rows(format!(
            "SELECT id::text, external_id, display_name, idp_id::text, {} AS created_at_ms FROM scim_groups \
             ORDER BY created_at, scim_groups.id",
            ms("created_at"),
        ))
        .await
    }

    /// Group and user.
    pub(crate) async fn scim_members(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql = "SELECT group_id::text AS a, user_id::text AS b FROM scim_group_members ORDER BY 1, 2";
        self.rows(sql.to_owned()).await
    }

    pub(crate) async fn search_services(&self) -> Result<Vec<SearchRow>, StoreError> {
        let sql = "SELECT id::text, user_id::text, provider_type, api_key, api_url, max_results::bigint, enabled \
                   FROM user_search_providers ORDER BY updated_at, user_search_providers.id";
        self.rows(sql.to_owned()).await
    }

    /// Kind and address of the destination that is in use.
    pub(crate) async fn notified(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql = "SELECT destination_type AS a, destination_value AS b FROM notification_config WHERE slot = 'active'";
        self.rows(sql.to_owned()).await
    }

    /// Models whose price an admin has set, and that price.
    pub(crate) async fn own_prices(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql = "SELECT model_prefix AS a, concat_ws(' / ', input_rate, output_rate, cache_read_rate, cache_write_rate) AS b \
                   FROM model_pricing WHERE source = 'admin_manual' ORDER BY 1";
        self.rows(sql.to_owned()).await
    }

    /// Names of models that were not there from the beginning, and what they stand for.
    pub(crate) async fn mappings(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql = "SELECT anthropic_prefix AS a, bedrock_suffix AS b FROM model_mappings WHERE source <> 'seed' ORDER BY 1";
        self.rows(sql.to_owned()).await
    }

    pub(crate) async fn settings(&self) -> Result<Vec<PairRow>, StoreError> {
        let sql =
            "SELECT key AS a, value AS b FROM proxy_settings WHERE key NOT LIKE 'cli_session:%' ORDER BY 1";
        self.rows(sql.to_owned()).await
    }

    /// How many requests there are in the history.
    pub(crate) async fn count_spend(&self) -> Result<i64, StoreError> {
        let statement = Statement::from_string(DbBackend::Postgres, "SELECT count(*) FROM spend_log");
        let row = self.tx.query_one_raw(statement).await?;
        match row {
            Some(row) => Ok(row.try_get_by_index(0)?),
            None => Ok(0),
        }
    }

    /// Requests after the one with this id, in the order of their ids.
    pub(crate) async fn spend_after(&self, id: i64, limit: u64) -> Result<Vec<SpendRow>, StoreError> {
        self.rows(format!(
            "SELECT id, key_id::text, user_identity, request_id, model, streaming, duration_ms::bigint, \
             input_tokens::bigint, output_tokens::bigint, cache_read_tokens::bigint, cache_write_tokens::bigint, \
             session_id, endpoint_id::text, {} AS recorded_at_ms, \
             round(estimate_cost_usd(model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)::numeric \
             * 1000000000)::bigint AS cost \
             FROM spend_log WHERE id > {id} ORDER BY id LIMIT {limit}",
            ms("recorded_at"),
        ))
        .await
    }
}
