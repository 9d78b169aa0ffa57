//! One finished request: a row of the ledger.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_records")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub request_id: String,
    pub aws_request_id: Option<String>,
    pub key_id: String,
    pub user_id: Option<String>,
    pub team_id: Option<String>,
    pub model: String,
    pub bedrock_model: String,
    pub geography: String,
    pub endpoint_id: String,
    pub streaming: bool,
    pub outcome: String,
    pub error: Option<String>,
    pub status: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_5m_tokens: i64,
    pub cache_write_1h_tokens: i64,
    pub estimated: bool,
    pub attempts: i64,
    pub started_at_ms: i64,
    pub first_token_ms: Option<i64>,
    pub duration_ms: i64,
    pub session_id: Option<String>,
    pub replica_id: String,
    pub cost_nano_usd: i64,
    pub price_id: String,
    pub price_assumed: bool,
    pub received_at_ms: i64,
    pub surface: String,
    pub web_searches: i64,
    pub agent_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
