//! The ledger: one row per request that reached Bedrock.

use crate::Timestamp;
use ccag_domain::{
    EndpointId, Geography, KeyId, Lane, NanoUsd, Outcome, PriceId, ReplicaId, RequestId, TeamId, UsageId,
    UserId,
};
use std::fmt::Write;

/// The content type of JSON Lines.
pub const NDJSON: &str = "application/x-ndjson";

/// The content type of CSV.
pub const CSV: &str = "text/csv; charset=utf-8; header=present";

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// JSON Lines: one object per line.
    Jsonl,
    /// CSV (RFC 4180) with a header line.
    Csv,
}

/// One request that reached Bedrock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LedgerRow {
    /// The id of the record.
    pub id: UsageId,
    /// The id that the client saw.
    pub request_id: RequestId,
    /// Bedrock's own id of the last attempt.
    pub aws_request_id: Option<String>,
    /// When the request arrived.
    pub started_at: Timestamp,
    /// The key that was shown.
    pub key_id: KeyId,
    /// Whose use it was.
    pub user_id: Option<UserId>,
    /// The team that pays.
    pub team_id: Option<TeamId>,
    /// The canonical model.
    pub model: String,
    /// The id that Bedrock was asked for; `null` for those who may not see it, since it can be an ARN.
    pub bedrock_model: Option<String>,
    /// The geography it was priced in.
    pub geography: Geography,
    /// The endpoint that served it.
    pub endpoint_id: EndpointId,
    /// The data plane that served it.
    pub replica_id: ReplicaId,
    /// Claude Code's session id, if it sent one.
    pub session_id: Option<String>,
    /// Whether the client asked for a stream.
    pub streaming: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status that the client got.
    pub status: u16,
    /// The name of the error, where there was one.
    pub error: Option<String>,
    /// How many times Bedrock was asked.
    pub attempts: u32,
    /// Input that was not cached.
    pub input_tokens: u64,
    /// Output, thinking included.
    pub output_tokens: u64,
    /// Input read from the prompt cache.
    pub cache_read_tokens: u64,
    /// Input written to the prompt cache for five minutes.
    pub cache_write_5m_tokens: u64,
    /// Input written to the prompt cache for one hour.
    pub cache_write_1h_tokens: u64,
    /// Whether the output count is an estimate.
    pub estimated: bool,
    /// What it cost, in nano-USD.
    pub cost_nano_usd: NanoUsd,
    /// The price it was computed from.
    pub price_id: PriceId,
    /// Whether the model had no price of its own and was taken for the dearest of its family.
    pub price_assumed: bool,
    /// From arrival to the first content byte, in milliseconds.
    pub first_token_ms: Option<u32>,
    /// From arrival to the end, in milliseconds.
    pub duration_ms: u32,
    /// The lane that Bedrock was asked through.
    pub surface: Lane,
    /// Successful web searches; their price is part of the cost.
    pub web_searches: u32,
}

impl LedgerRow {
    /// The names of the columns, in the order of the fields.
    pub const COLUMNS: [&'static str; 31] = [
        "id",
        "request_id",
        "aws_request_id",
        "started_at",
        "key_id",
        "user_id",
        "team_id",
        "model",
        "bedrock_model",
        "geography",
        "endpoint_id",
        "replica_id",
        "session_id",
        "streaming",
        "outcome",
        "status",
        "error",
        "attempts",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "estimated",
        "cost_nano_usd",
        "price_id",
        "price_assumed",
        "first_token_ms",
        "duration_ms",
        "surface",
        "web_searches",
    ];

    /// The header line of a CSV export, with its line break.
    #[must_use]
    pub fn csv_header() -> String {
        format!("{}\r\n", Self::COLUMNS.join(","))
    }

    /// The row as a line of CSV, with its line break. An absent value is an empty field.
    #[must_use]
    pub fn to_csv(&self) -> String {
        fn opt<T: AsRef<str>>(value: &Option<T>) -> &str {
            value.as_ref().map_or("", AsRef::as_ref)
        }
        let mut line = String::with_capacity(400);
        csv_field(&mut line, self.id.as_str());
        csv_field(&mut line, self.request_id.as_str());
        csv_field(&mut line, opt(&self.aws_request_id));
        csv_field(&mut line, &self.started_at.to_string());
        csv_field(&mut line, self.key_id.as_str());
        csv_field(&mut line, opt(&self.user_id));
        csv_field(&mut line, opt(&self.team_id));
        csv_field(&mut line, &self.model);
        csv_field(&mut line, opt(&self.bedrock_model));
        csv_field(&mut line, self.geography.as_str());
        csv_field(&mut line, self.endpoint_id.as_str());
        csv_field(&mut line, self.replica_id.as_str());
        csv_field(&mut line, opt(&self.session_id));
        csv_field(&mut line, &self.streaming.to_string());
        csv_field(&mut line, self.outcome.as_str());
        csv_field(&mut line, &self.status.to_string());
        csv_field(&mut line, opt(&self.error));
        let first_token = self.first_token_ms.map(|ms| ms.to_string());
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
            self.attempts,
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.estimated,
            self.cost_nano_usd.0,
            self.price_id,
            self.price_assumed,
            opt(&first_token),
            self.duration_ms,
            self.surface,
            self.web_searches,
        );
        line
    }
}

/// Appends a field and a comma. Text that a spreadsheet would take for a formula gets an apostrophe before it, since some
/// of these texts come from clients.
pub(crate) fn csv_field(line: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula || text.contains(['"', ',', '\n', '\r']) {
        line.push('"');
        if formula {
            line.push('\'');
        }
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
    line.push(',');
}
