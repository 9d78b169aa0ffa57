//! `bedrock-sim` in this process, with signatures required: what it says it gave is the truth.

use bedrock_sim::{Action, Ending, Entry, Rule};
use serde_json::Value;
use std::time::Duration;

const ACCESS_KEY: &str = "AKIDCCAGTEST";
const SECRET_KEY: &str = "a-secret-that-opens-nothing";

pub(crate) struct Sim(bedrock_sim::Sim);

/// One answer of Bedrock's.
pub(crate) struct Answer {
    /// Bedrock's id of the request.
    pub(crate) request_id: String,
    pub(crate) entry: Entry,
}

impl Sim {
    pub(crate) async fn start() -> Self {
        let sim = bedrock_sim::Sim::builder()
            .credential(ACCESS_KEY, SECRET_KEY)
            .log_capacity(50_000);
        Self(sim.start().await.unwrap())
    }

    /// What makes the AWS side of a process talk to this simulator.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let url = self.0.base_url();
        vec![
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_CONFIG_FILE", "/dev/null".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url.clone()),
            ("AWS_ENDPOINT_URL_BEDROCK", url.clone()),
            ("AWS_ENDPOINT_URL_SERVICE_QUOTAS", url.clone()),
            ("AWS_ENDPOINT_URL_STS", url),
            ("AWS_ENDPOINT_URL_BEDROCK_MANTLE", self.0.mantle_url()),
        ]
    }

    /// The same for a data plane in this process.
    pub(crate) fn aws(&self) -> ccag_aws::AwsSettings {
        ccag_aws::AwsSettings {
            region: Some("us-east-1".into()),
            runtime_url: Some(self.0.base_url()),
            control_url: Some(self.0.base_url()),
            quotas_url: Some(self.0.base_url()),
            sns_url: Some(self.0.base_url()),
            events_url: Some(self.0.base_url()),
            secrets_url: Some(self.0.base_url()),
            mantle_url: Some(self.0.mantle_url()),
            kms_url: Some(self.0.base_url()),
            sts_url: Some(self.0.base_url()),
            bearer_token: None,
            credentials: ccag_aws::AwsCredentials::Static {
                access_key_id: ACCESS_KEY.into(),
                secret_access_key: SECRET_KEY.to_owned().into(),
            },
        }
    }

    /// Makes the next invocation do this.
    pub(crate) fn once(&self, action: Action) {
        self.0.script(Rule::once(action));
    }

    /// Adds a rule.
    pub(crate) fn script(&self, rule: Rule) {
        self.0.script(rule);
    }

    /// Sets a quota of its account.
    pub(crate) fn quota(&self, quota: bedrock_sim::TokenQuota) {
        self.0.quota(quota);
    }

    /// Forgets all rules.
    pub(crate) fn clear_script(&self) {
        self.0.clear_script();
    }

    /// Where its Bedrock Runtime is.
    pub(crate) fn url(&self) -> String {
        self.0.base_url()
    }

    /// Everything that was received, with the status it was answered with.
    pub(crate) fn requests(&self) -> Vec<bedrock_sim::Received> {
        self.0.requests()
    }

    pub(crate) fn account(&self) -> Vec<Answer> {
        let answer = |entry: Entry| Answer {
            request_id: entry.request_id.clone(),
            entry,
        };
        self.0.account().into_iter().map(answer).collect()
    }

    /// The account once nothing is being sent any more.
    pub(crate) async fn settled(&self) -> Vec<Answer> {
        super::wait_until(
            "Bedrock has finished every answer",
            Duration::from_secs(20),
            || async {
                let account = self.account();
                account
                    .iter()
                    .all(|a| a.entry.ending != Ending::Open)
                    .then_some(account)
            },
        )
        .await
    }

    /// Forgets what was received and given so far.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

impl Answer {
    /// The blocks that this answer consists of.
    pub(crate) fn content(&self) -> Vec<Value> {
        self.entry.content.as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        self.content()
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect()
    }

    /// Checks that a ledger row bills this answer's exact tokens.
    pub(crate) fn assert_billed_by(&self, row: &Value) {
        let usage = &self.entry.usage;
        let given = [
            ("input_tokens", usage.input),
            ("output_tokens", usage.output),
            ("cache_read_tokens", usage.cache_read),
            ("cache_write_5m_tokens", usage.cache_write_5m),
            ("cache_write_1h_tokens", usage.cache_write_1h),
        ];
        for (field, tokens) in given {
            assert_eq!(row[field], tokens, "{field} of {row}");
        }
        assert!(row["cost_nano_usd"].as_i64().unwrap() > 0, "free: {row}");
        assert_eq!(row["estimated"], false, "{row}");
    }
}
