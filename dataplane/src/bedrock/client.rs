//! The product's own HTTP client for Bedrock Runtime.

use super::{BoxError, Call, CallError, Reply, Upstream};
use ccag_aws::settings::{AwsSettings, resolve};
use ccag_aws::sign::ToSign;
use ccag_aws::tls::BadBundle;
use ccag_aws::{ConnectionConfig, Connections, CredentialStore, Pieces, connections, public_url};
use ccag_domain::{Clock, Endpoint, Subject};
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, header};
use http_body_util::BodyExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the headers of an answer may take. A whole answer counts: its headers come when it is finished.
    pub answer_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// Whether to offer HTTP/2. One HTTP/2 connection carries all streams of a host, and those above the server's limit
    /// wait in line unseen; HTTP/1.1 gives each stream its own.
    pub http2: bool,
    /// A PEM file of certificates to trust instead of the machine's.
    pub ca_bundle: Option<PathBuf>,
}

/// Bedrock Runtime and bedrock-mantle, through signed HTTP.
pub struct AwsUpstream {
    connections: Arc<Connections>,
    credentials: CredentialStore,
    clock: Arc<dyn Clock>,
    answer_timeout: Duration,
    home_region: String,
    runtime_url: Option<String>,
    mantle_url: Option<String>,
    use_fips: bool,
}

impl std::fmt::Debug for AwsUpstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsUpstream")
            .field("home_region", &self.home_region)
            .field("runtime_url", &self.runtime_url)
            .finish_non_exhaustive()
    }
}

impl AwsUpstream {
    /// Reads AWS's configuration and prepares the client; nothing is connected yet.
    ///
    /// # Errors
    /// [`BadBundle`] if the certificates to trust cannot be read.
    pub async fn new(
        aws: AwsSettings,
        config: ClientConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BadBundle> {
        let connections = Arc::new(Connections::new(ConnectionConfig {
            connect_timeout: config.connect_timeout,
            pool_idle_timeout: Some(config.pool_idle_timeout),
            http2: config.http2,
            ca_bundle: config.ca_bundle,
        })?);
        let resolved = resolve(aws).await;
        let to_aws = Arc::clone(&connections);
        Ok(Self {
            credentials: CredentialStore::new(&resolved, "ccag-dataplane", to_aws, Arc::clone(&clock)),
            connections,
            clock,
            answer_timeout: config.answer_timeout,
            home_region: resolved.home_region,
            runtime_url: resolved.runtime_url,
            mantle_url: resolved.mantle_url,
            use_fips: resolved.use_fips,
        })
    }

    fn region<'a>(&'a self, endpoint: &'a Endpoint) -> Result<&'a str, CallError> {
        let region = endpoint.region.as_deref().unwrap_or(&self.home_region);
        if region.is_empty() {
            let text =
                "no AWS region is configured: set AWS_REGION on the data plane, or a region on the endpoint";
            return Err(CallError::Misconfigured(text.to_owned()));
        }
        Ok(region)
    }

    fn url(&self, call: &Call<'_>, region: &str) -> Result<String, CallError> {
        let base = self.base(call.endpoint, call.operation.is_mantle(), region)?;
        Ok(format!("{base}{}", call.operation.path(call.model)))
    }

    fn base(&self, endpoint: &Endpoint, is_mantle: bool, region: &str) -> Result<String, CallError> {
        let (own, configured) = if is_mantle {
            (&endpoint.mantle_url, &self.mantle_url)
        } else {
            (&endpoint.runtime_url, &self.runtime_url)
        };
        let use_fips = self.use_fips || endpoint.access.network.use_fips;
        Ok(match own.as_deref().or(configured.as_deref()) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if is_mantle => mantle_public_url(region, use_fips)?,
            None => public_url("bedrock-runtime", region, use_fips).map_err(CallError::Misconfigured)?,
        })
    }

    async fn request(&self, call: &Call<'_>) -> Result<Request<Pieces>, CallError> {
        let region = self.region(call.endpoint)?;
        let url = self.url(call, region)?;
        let accept = call.operation.accept();
        let mut request = Request::post(&url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .body(call.body.clone())
            .map_err(|e| CallError::Misconfigured(e.to_string()))?;
        request.headers_mut().extend(call.headers.iter().cloned());
        let to_sign = || ToSign {
            method: "POST",
            url,
            region: region.to_owned(),
            service: call.operation.service(),
            headers: call.headers.clone(),
            content_type: "application/json",
            accept,
            body: call.body.clone(),
            now_ms: self.clock.now_ms(),
        };
        let authorization = self
            .credentials
            .authorize(call.endpoint, call.subject, to_sign)
            .await
            .map_err(CallError::Credentials)?;
        request.headers_mut().extend(authorization);
        Ok(request)
    }

    async fn send(&self, call: Call<'_>) -> Result<Reply, CallError> {
        let client = self
            .connections
            .of(call.endpoint)
            .map_err(CallError::Misconfigured)?;
        let request = self.request(&call).await?;
        drop(call);
        let answer = tokio::time::timeout(self.answer_timeout, client.request(request))
            .await
            .map_err(|_| CallError::TimedOut)?
            .map_err(|error| {
                let text = connections::reason(&error);
                if error.is_connect() {
                    CallError::Connect(text)
                } else {
                    CallError::Broken(text)
                }
            })?;
        let (head, body) = answer.into_parts();
        let body = body.map_err(|e| Box::new(e) as BoxError).boxed_unsync();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Upstream for AwsUpstream {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, CallError>> {
        self.send(call).boxed()
    }

    fn forget_credentials(&self, endpoint: &Endpoint, subject: Option<&Subject>) {
        self.credentials.forget(endpoint, subject);
    }

    fn home_region(&self) -> &str {
        &self.home_region
    }

    fn base_url(&self, endpoint: &Endpoint, is_mantle: bool) -> Option<String> {
        let region = self.region(endpoint).ok()?;
        self.base(endpoint, is_mantle, region).ok()
    }
}

/// The public URL of bedrock-mantle (AWS, "Inference using the Messages API"). It has no FIPS endpoint that is known, and
/// another one is not used instead.
fn mantle_public_url(region: &str, use_fips: bool) -> Result<String, CallError> {
    if use_fips {
        let text = "bedrock-mantle has no public FIPS endpoint: set the endpoint's mantle URL, or take the lane from it";
        return Err(CallError::Misconfigured(text.to_owned()));
    }
    let domain = if region.starts_with("cn-") {
        "api.amazonwebservices.com.cn"
    } else {
        "api.aws"
    };
    Ok(format!("https://bedrock-mantle.{region}.{domain}"))
}

#[cfg(test)]
mod tests {
    use super::super::Operation;
    use super::*;

    /// How large a future is, by what makes it.
    fn size<A, B, F: Future>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_request_to_bedrock_takes_little_while_it_waits() {
        let of_send = size(|upstream: &'static AwsUpstream, call: Call<'static>| upstream.send(call));
        assert!(of_send < 2_048, "{of_send} bytes");
    }

    #[test]
    fn model_ids_are_encoded_once_on_the_wire() {
        assert_eq!(
            Operation::InvokeStream.path("us.anthropic.claude-haiku-4-5-20251001-v1:0"),
            "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream"
        );
        assert_eq!(
            Operation::Invoke.path("arn:aws:bedrock:us-east-1:1:inference-profile/x"),
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/invoke"
        );
        let apply = Operation::ApplyGuardrail { version: "DRAFT" };
        assert_eq!(
            apply.path("arn:aws:bedrock:us-east-1:1:guardrail/x"),
            "/guardrail/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aguardrail%2Fx/version/DRAFT/apply"
        );
        assert_eq!(Operation::Mantle.path("x"), "/anthropic/v1/messages");
    }

    #[test]
    fn public_urls_follow_the_partition() {
        assert_eq!(
            mantle_public_url("eu-west-1", false).unwrap(),
            "https://bedrock-mantle.eu-west-1.api.aws"
        );
        assert!(mantle_public_url("us-gov-west-1", true).is_err());
    }

    #[test]
    fn only_what_may_have_been_billed_counts_as_reached() {
        assert!(CallError::Broken(String::new()).reached_bedrock());
        assert!(CallError::TimedOut.reached_bedrock());
        assert!(!CallError::Connect(String::new()).reached_bedrock());
        assert!(!CallError::Credentials(String::new()).reached_bedrock());
    }
}
