//! What AWS lets an account use in a region: `ListServiceQuotas`.
//!
//! Source: Service Quotas API reference, `ListServiceQuotas`; its protocol is AWS JSON 1.1.

use crate::control::{Ask, ControlClient, ControlError, MAX_PAGES};
use crate::domain;
use bytes::Bytes;
use ccag_domain::network::quotas_have_fips;
use ccag_domain::{Endpoint, Quota};
use serde::Deserialize;
use serde_json::json;

/// The IAM action that the question needs.
pub const ACTION: &str = "servicequotas:ListServiceQuotas";

pub(crate) const OPERATION: &str = "ListServiceQuotas";

/// What there is to know of an account's quotas for Bedrock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundQuotas {
    /// Those that are about models of Anthropic's, or about all models.
    pub quotas: Vec<Quota>,
    /// How many others AWS lists.
    pub others: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    quotas: Vec<Listed>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    quota_code: String,
    #[serde(default)]
    quota_name: String,
    #[serde(default)]
    value: Option<f64>,
}

impl ControlClient {
    /// Whether Service Quotas can be asked about an endpoint at all: where FIPS is wanted and no URL is configured, only in
    /// GovCloud.
    pub(crate) fn has_quotas(&self, endpoint: &Endpoint) -> bool {
        let region = self.region(endpoint).unwrap_or_default();
        self.quotas_url.is_some() || !self.wants_fips(endpoint) || quotas_have_fips(region)
    }

    /// `ListServiceQuotas` of Bedrock, all pages.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn list_quotas(&self, endpoint: &Endpoint) -> Result<FoundQuotas, ControlError> {
        let mut found = FoundQuotas::default();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page: Page = self.quota_page(endpoint, 100, token.as_deref()).await?;
            for listed in page.quotas {
                let quota = Quota::read(
                    &listed.quota_code,
                    &listed.quota_name,
                    listed.value.unwrap_or(f64::NAN),
                );
                match quota {
                    Some(quota) => found.quotas.push(quota),
                    None => found.others += 1,
                }
            }
            match page.next_token {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => {
                    found
                        .quotas
                        .sort_by(|a, b| (&a.model, &a.name).cmp(&(&b.model, &b.name)));
                    return Ok(found);
                }
            }
        }
        Err(ControlError::Unreadable {
            operation: OPERATION,
            reason: format!("more than {MAX_PAGES} pages"),
        })
    }

    pub(crate) async fn quota_page<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        size: u32,
        token: Option<&str>,
    ) -> Result<T, ControlError> {
        let region = self.region(endpoint)?;
        if !self.has_quotas(endpoint) {
            return Err(ControlError::Misconfigured(format!(
                "Service Quotas has no FIPS endpoint in {region}: set AWS_ENDPOINT_URL_SERVICE_QUOTAS to ask another one"
            )));
        }
        let base = match &self.quotas_url {
            Some(url) => url.clone(),
            None => format!("https://servicequotas.{region}.{}", domain(region)),
        };
        let mut body = json!({"ServiceCode": "bedrock", "MaxResults": size});
        if let Some(token) = token {
            body["NextToken"] = token.into();
        }
        let ask = Ask {
            target: Some("ServiceQuotasV20190624.ListServiceQuotas"),
            body: Some(Bytes::from(body.to_string())),
            ..Ask::new(OPERATION, "servicequotas", &base, "/")
        };
        let answer = self.ask(endpoint, ask).await?;
        serde_json::from_slice(&answer).map_err(|error| ControlError::Unreadable {
            operation: OPERATION,
            reason: error.to_string(),
        })
    }
}

/// Why the quotas are not known.
pub(crate) fn reason(error: &ControlError) -> String {
    if error.is_denied() {
        return format!("the role lacks {ACTION}");
    }
    error.to_string()
}
