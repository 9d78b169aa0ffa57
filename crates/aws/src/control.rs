//! Bedrock's control operations, as far as the gateway asks for them (Amazon Bedrock API reference, "Amazon Bedrock control
//! plane"): signed with SigV4, or carrying an API key.

pub(crate) use crate::ask::{Ask, Form};
use crate::connections::{ConnectionConfig, Connections, reason};
use crate::credentials::CredentialStore;
use crate::notify::element;
use crate::settings::{AwsSettings, resolve};
use crate::sign::{self, ToSign};
use crate::tls::BadBundle;
use crate::{Pieces, SEGMENT, causes, public_url};
use bytes::Bytes;
use ccag_domain::{Clock, Endpoint};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// The largest answer that is read, in bytes: a page of 1,000 profiles has less than one megabyte.
const MAX_ANSWER: usize = 16 << 20;

/// The most pages of a list. AWS's quota of application inference profiles is 1,000 for an account and region.
pub(crate) const MAX_PAGES: usize = 50;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct ControlConfig {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// A PEM file of certificates to trust instead of the machine's.
    pub ca_bundle: Option<std::path::PathBuf>,
    /// The role session's name, as it stands in CloudTrail.
    pub session_name: &'static str,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(20),
            ca_bundle: None,
            session_name: "ccag-controlplane",
        }
    }
}

/// AWS could not be asked, or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Neither the endpoint nor the process has a region.
    #[error("no AWS region is configured: set AWS_REGION, or a region on the endpoint")]
    NoRegion,
    /// What is configured leads nowhere.
    #[error("the endpoint cannot be called: {0}")]
    Misconfigured(String),
    /// There are no credentials, or the role cannot be assumed.
    #[error("no AWS credentials: {0}")]
    Credentials(String),
    /// No answer, or one that broke off.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The service's address.
        url: String,
        /// Why.
        reason: String,
    },
    /// AWS said no.
    #[error("{operation} was refused with {status} {kind}: {message}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// AWS's name of the error.
        kind: String,
        /// AWS's words.
        message: String,
    },
    /// The answer makes no sense.
    #[error("{operation} was answered with what is no answer to it: {reason}")]
    Unreadable {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl ControlError {
    /// Whether IAM has refused.
    pub(crate) fn is_denied(&self) -> bool {
        match self {
            Self::Refused { status, kind, .. } => {
                matches!(status, 400 | 403) && kind.ends_with("AccessDeniedException")
            }
            _ => false,
        }
    }
}

/// An inference profile, as AWS lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileSummary {
    /// Its id: `us.anthropic.claude-opus-5-5`, or opaque for one that the account's owner has made.
    pub inference_profile_id: String,
    /// Its name, for people.
    #[serde(default)]
    pub inference_profile_name: String,
    /// Its ARN.
    pub inference_profile_arn: String,
    /// The foundation model, once for each region that requests can run in.
    #[serde(default)]
    pub models: Vec<ProfileModel>,
    /// `ACTIVE`.
    #[serde(default)]
    pub status: String,
    /// `SYSTEM_DEFINED` or `APPLICATION`.
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// A foundation model of an inference profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileModel {
    /// Its ARN, with the region that it runs in.
    pub model_arn: String,
}

/// A foundation model, as AWS lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    /// Its id.
    pub model_id: String,
    /// Its name, for people.
    #[serde(default)]
    pub model_name: String,
    /// `ON_DEMAND`, `PROVISIONED`, `INFERENCE_PROFILE`.
    #[serde(default)]
    pub inference_types_supported: Vec<String>,
    /// Whether it is still offered.
    #[serde(default)]
    pub model_lifecycle: Option<Lifecycle>,
}

/// Where a model is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// `ACTIVE` or `LEGACY`.
    pub status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfilePage {
    #[serde(default)]
    inference_profile_summaries: Vec<ProfileSummary>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelPage {
    #[serde(default)]
    model_summaries: Vec<ModelSummary>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(alias = "Message", default)]
    message: String,
    /// The name of the error, where no header says it: `AccessDeniedException`, or `com.amazonaws.kms#AccessDeniedException`.
    #[serde(rename = "__type", default)]
    kind: String,
}

/// Asks for what there is.
pub struct ControlClient {
    pub(crate) connections: Arc<Connections>,
    pub(crate) credentials: CredentialStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) answer_timeout: Duration,
    home_region: String,
    control_url: Option<String>,
    pub(crate) runtime_url: Option<String>,
    pub(crate) kms_url: Option<String>,
    pub(crate) secrets_url: Option<String>,
    pub(crate) quotas_url: Option<String>,
    pub(crate) sns_url: Option<String>,
    pub(crate) events_url: Option<String>,
    pub(crate) sts_url: Option<String>,
    pub(crate) use_fips: bool,
}

impl std::fmt::Debug for ControlClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlClient")
            .field("home_region", &self.home_region)
            .field("control_url", &self.control_url)
            .finish_non_exhaustive()
    }
}

impl ControlClient {
    /// Reads AWS's configuration and prepares the client; nothing is connected yet.
    ///
    /// # Errors
    /// [`BadBundle`] if the certificates to trust cannot be read.
    pub async fn new(
        aws: AwsSettings,
        config: ControlConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadBundle> {
        let connections = Arc::new(Connections::new(ConnectionConfig {
            connect_timeout: config.connect_timeout,
            pool_idle_timeout: None,
            http2: false,
            ca_bundle: config.ca_bundle,
        })?);
        let resolved = resolve(aws).await;
        let (name, to_aws) = (config.session_name, Arc::clone(&connections));
        Ok(Self {
            credentials: CredentialStore::new(&resolved, name, to_aws, Arc::clone(&clock)),
            connections,
            clock,
            answer_timeout: config.answer_timeout,
            home_region: resolved.home_region,
            control_url: resolved.control_url,
            runtime_url: resolved.runtime_url,
            kms_url: resolved.kms_url,
            quotas_url: resolved.quotas_url,
            sns_url: resolved.sns_url,
            events_url: resolved.events_url,
            secrets_url: resolved.secrets_url,
            sts_url: resolved.sts_url,
            use_fips: resolved.use_fips,
        })
    }

    /// The region of endpoints that name none.
    #[must_use]
    pub fn home_region(&self) -> &str {
        &self.home_region
    }

    /// `ListInferenceProfiles`, all pages. `kind` is `SYSTEM_DEFINED` or `APPLICATION`.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn list_profiles(
        &self,
        endpoint: &Endpoint,
        kind: &str,
    ) -> Result<Vec<ProfileSummary>, ControlError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = format!("maxResults=1000&type={}", encode(kind));
            if let Some(token) = &token {
                // The parameters of a signed query stand in their order.
                query = format!(
                    "maxResults=1000&nextToken={}&type={}",
                    encode(token),
                    encode(kind)
                );
            }
            let path = format!("/inference-profiles?{query}");
            let page: ProfilePage = self.get("ListInferenceProfiles", endpoint, &path).await?;
            all.extend(page.inference_profile_summaries);
            match page.next_token {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => return Ok(all),
            }
        }
        Err(ControlError::Unreadable {
            operation: "ListInferenceProfiles",
            reason: format!("more than {MAX_PAGES} pages"),
        })
    }

    /// `GetInferenceProfile`, by id or ARN.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn get_profile(&self, endpoint: &Endpoint, id: &str) -> Result<ProfileSummary, ControlError> {
        let path = format!("/inference-profiles/{}", encode(id));
        self.get("GetInferenceProfile", endpoint, &path).await
    }

    /// `ListFoundationModels`, those of Anthropic.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn list_models(&self, endpoint: &Endpoint) -> Result<Vec<ModelSummary>, ControlError> {
        let path = "/foundation-models?byProvider=anthropic";
        let page: ModelPage = self.get("ListFoundationModels", endpoint, path).await?;
        Ok(page.model_summaries)
    }

    /// Forgets an endpoint's credentials, so that the next request fetches new ones.
    pub fn forget_credentials(&self, endpoint: &Endpoint) {
        self.credentials.forget(endpoint, None);
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        endpoint: &Endpoint,
        path: &str,
    ) -> Result<T, ControlError> {
        let base = match &self.control_url {
            Some(url) => url.clone(),
            None => self.public_url("bedrock", endpoint)?,
        };
        let ask = Ask::new(operation, "bedrock", &base, path);
        let body = self.ask(endpoint, ask).await?;
        serde_json::from_slice(&body).map_err(|error| ControlError::Unreadable {
            operation,
            reason: error.to_string(),
        })
    }

    /// AWS's public URL of a service of Bedrock's in the endpoint's region.
    pub(crate) fn public_url(&self, service: &str, endpoint: &Endpoint) -> Result<String, ControlError> {
        let region = self.region(endpoint)?;
        let url = public_url(service, region, self.wants_fips(endpoint));
        url.map_err(ControlError::Misconfigured)
    }

    /// Whether AWS's FIPS endpoints are to be called for an endpoint.
    pub(crate) fn wants_fips(&self, endpoint: &Endpoint) -> bool {
        self.use_fips || endpoint.access.network.use_fips
    }

    /// The endpoint's region.
    pub(crate) fn region<'a>(&'a self, endpoint: &'a Endpoint) -> Result<&'a str, ControlError> {
        let region = endpoint.region.as_deref().unwrap_or(&self.home_region);
        if region.is_empty() {
            return Err(ControlError::NoRegion);
        }
        Ok(region)
    }

    /// Asks, and returns the answer of a success.
    pub(crate) async fn ask(&self, endpoint: &Endpoint, ask: Ask<'_>) -> Result<Bytes, ControlError> {
        let operation = ask.operation;
        let base = ask.base.trim_end_matches('/').to_owned();
        let unreachable = |reason: String| ControlError::Unreachable {
            url: base.clone(),
            reason,
        };
        let request = self
            .request(endpoint, &ask, format!("{base}{}", ask.path))
            .await?;
        let client = self
            .connections
            .of(endpoint)
            .map_err(ControlError::Misconfigured)?;
        let exchange = async {
            let answer = client.request(request).await.map_err(|e| reason(&e))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .map_err(|e| causes(&*e))?;
            Ok::<_, String>((head, body.to_bytes()))
        };
        let (head, body) = tokio::time::timeout(self.answer_timeout, exchange)
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", self.answer_timeout.as_secs())))?
            .map_err(unreachable)?;
        if head.status == StatusCode::OK {
            return Ok(body);
        }
        let kind = head.headers.get("x-amzn-errortype").and_then(|v| v.to_str().ok());
        let refusal: Option<Refusal> = serde_json::from_slice(&body).ok();
        let (said, message) = match refusal {
            Some(refusal) => (refusal.kind, refusal.message),
            // Services of forms answer in XML.
            None => {
                let xml = String::from_utf8_lossy(&body);
                let of = |name| element(&xml, name).unwrap_or_default().to_owned();
                (of("Code"), of("Message"))
            }
        };
        let said = said.rsplit('#').next().unwrap_or_default();
        Err(ControlError::Refused {
            operation,
            status: head.status.as_u16(),
            kind: kind
                .unwrap_or(said)
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned(),
            message: message.chars().take(500).collect(),
        })
    }

    async fn request(
        &self,
        endpoint: &Endpoint,
        ask: &Ask<'_>,
        url: String,
    ) -> Result<Request<Pieces>, ControlError> {
        let accept = "application/json";
        let (method, content_type) = match (&ask.body, ask.target, ask.form) {
            (None, ..) => ("GET", ""),
            (Some(_), _, Form::Fields) => ("POST", "application/x-www-form-urlencoded"),
            (Some(_), None, Form::Json) => ("POST", "application/json"),
            (Some(_), Some(_), Form::Json) => ("POST", "application/x-amz-json-1.1"),
        };
        let body = ask.body.clone().unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::ACCEPT, accept)
            .body(Pieces::from(body.clone()))
            .map_err(|e| ControlError::Unreachable {
                url: url.clone(),
                reason: e.to_string(),
            })?;
        if !content_type.is_empty() {
            let value = HeaderValue::from_static(content_type);
            request.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        let mut headers = Vec::new();
        if let Some(target) = ask.target {
            let name = HeaderName::from_static("x-amz-target");
            headers.push((name, HeaderValue::from_static(target)));
            request.headers_mut().extend(headers.iter().cloned());
        }
        let region = self.region(endpoint)?.to_owned();
        let to_sign = || ToSign {
            method,
            url,
            region,
            service: ask.service,
            content_type,
            accept,
            headers,
            body: body.into(),
            now_ms: self.clock.now_ms(),
        };
        let signature = match (ask.target, ask.form) {
            (None, Form::Json) => Box::pin(self.credentials.authorize(endpoint, None, to_sign)).await,
            // A Bedrock API key is good for Bedrock alone.
            _ => match Box::pin(self.credentials.of(endpoint, None)).await {
                Ok(credentials) => sign::headers(to_sign(), credentials, self.credentials.keys()).await,
                Err(reason) => Err(reason),
            },
        };
        let signature = signature.map_err(ControlError::Credentials)?;
        request.headers_mut().extend(signature);
        Ok(request)
    }
}

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}
