//! Credentials by endpoint, cached: assuming a role costs a call to STS, and a role that cannot be assumed must not cost one
//! call per request.
//!
//! An endpoint's credentials are those of its source (the process, an access key, a profile), or those of a role that is
//! assumed with these. Where AWS's bill is to be split, the role is assumed once for each team, user or key, with tags that
//! name it; so many sessions are kept at a time, and who has not been seen for longest is forgotten first.

mod slot;

use self::slot::{Cached, Slot};
use crate::connections::Connections;
use crate::settings::Resolved;
use crate::sign::{self, SigningKeys, ToSign};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use ccag_domain::network::sts_has_fips;
use ccag_domain::{Access, Clock, CredentialSource, Endpoint, EndpointId, Subject};
use http::{HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// So many tagged sessions are kept for an endpoint.
const MAX_SESSIONS: u64 = 10_000;

/// A session that has not been used for longer is forgotten: its credentials have expired by then.
const REST: Duration = Duration::from_secs(3_600);

/// All credentials of this process, by endpoint.
pub struct CredentialStore {
    sdk: SdkConfig,
    bearer_token: Option<SecretString>,
    session_name: &'static str,
    connections: Arc<Connections>,
    has_sts_url: bool,
    clock: Arc<dyn Clock>,
    /// The process's own, if it has any.
    own: Option<Arc<Slot>>,
    entries: RwLock<HashMap<EndpointId, Arc<Entry>>>,
    keys: Arc<SigningKeys>,
}

/// One endpoint's credentials, and what they were made of: when that changes, they are made anew.
struct Entry {
    access: Arc<Access>,
    region: Option<String>,
    role_arn: Option<String>,
    external_id: Option<String>,
    /// What the role is assumed by.
    sdk: SdkConfig,
    /// Those of the source.
    source: Arc<Slot>,
    /// Those that requests are signed with, where nobody is named.
    shared: Arc<Slot>,
    sessions: moka::sync::Cache<String, Arc<Session>>,
}

/// A role session in somebody's name.
struct Session {
    subject: Subject,
    slot: Slot,
}

impl Entry {
    fn is_of(&self, endpoint: &Endpoint) -> bool {
        let same_source = Arc::ptr_eq(&self.access, &endpoint.access)
            || self.access.credentials == endpoint.access.credentials
                && self.access.session_tags == endpoint.access.session_tags
                && self.access.network == endpoint.access.network;
        same_source
            && self.region == endpoint.region
            && self.role_arn == endpoint.role_arn
            && self.external_id == endpoint.external_id
    }

    /// The name of the session that a request goes through; `None` for the one that all share.
    fn session_of<'s>(&self, subject: Option<&'s Subject>) -> Option<(&'s str, &'s Subject)> {
        let subject = subject.filter(|_| self.role_arn.is_some())?;
        Some((subject.session(self.access.session_tags)?, subject))
    }
}

impl std::fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialStore").finish_non_exhaustive()
    }
}

impl CredentialStore {
    /// Credentials from this configuration. `session_name` is the role session's name, as it stands in CloudTrail, where
    /// nobody is named; `connections` is what STS is reached by.
    pub fn new(
        resolved: &Resolved,
        session_name: &'static str,
        connections: Arc<Connections>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let own = resolved.sdk.credentials_provider();
        Self {
            own: own.map(|provider| Arc::new(Slot::new(provider, Arc::clone(&clock)))),
            sdk: resolved.sdk.clone(),
            bearer_token: resolved.bearer_token.clone(),
            session_name,
            connections,
            has_sts_url: resolved.has_sts_url,
            clock,
            entries: RwLock::default(),
            keys: Arc::default(),
        }
    }

    /// The headers that a request to an endpoint is authorised by: a signature, or a Bedrock API key. `subject` is whose
    /// request it is, where an endpoint may want to know.
    ///
    /// # Errors
    /// Why there are none; for logs, since it may name accounts and roles.
    pub async fn authorize(
        &self,
        endpoint: &Endpoint,
        subject: Option<&Subject>,
        request: impl FnOnce() -> ToSign,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        match self.bearer(endpoint)? {
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| "the Bedrock API key is not a header value")?;
                value.set_sensitive(true);
                Ok(vec![(header::AUTHORIZATION, value)])
            }
            None => sign::headers(request(), self.of(endpoint, subject).await?, &self.keys).await,
        }
    }

    /// Whether endpoints without credentials of their own are called with a Bedrock API key.
    pub(crate) fn has_api_key(&self) -> bool {
        self.bearer_token.is_some()
    }

    /// What was derived from them to sign with.
    pub(crate) fn keys(&self) -> &Arc<SigningKeys> {
        &self.keys
    }

    /// The Bedrock API key of an endpoint that is called with one.
    fn bearer<'a>(&'a self, endpoint: &'a Endpoint) -> Result<Option<&'a str>, String> {
        match &endpoint.access.credentials {
            CredentialSource::ApiKey(_) if endpoint.role_arn.is_some() => {
                Err("a role cannot be assumed with a Bedrock API key".to_owned())
            }
            CredentialSource::ApiKey(Some(key)) => Ok(Some(key.reveal())),
            CredentialSource::ApiKey(None) => Err(not_at_hand()),
            CredentialSource::Process if endpoint.role_arn.is_none() => {
                Ok(self.bearer_token.as_ref().map(ExposeSecret::expose_secret))
            }
            _ => Ok(None),
        }
    }

    /// The credentials to sign an endpoint's requests with.
    ///
    /// # Errors
    /// Why there are none; for logs, since it may name accounts and roles.
    pub async fn of(
        &self,
        endpoint: &Endpoint,
        subject: Option<&Subject>,
    ) -> Result<Arc<Credentials>, String> {
        let entry = self.entry(endpoint).await?;
        match entry.session_of(subject) {
            None => entry.shared.current().await,
            Some((name, subject)) => {
                let session = Box::pin(self.session(&entry, name, subject)).await;
                session.slot.current().await
            }
        }
    }

    /// Makes the next request fetch anew: that of `subject`, and of all whose sessions are to be made with the same source.
    pub fn forget(&self, endpoint: &Endpoint, subject: Option<&Subject>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get(&endpoint.id) else {
            return;
        };
        entry.source.forget();
        match entry.session_of(subject) {
            Some((name, _)) => entry.sessions.invalidate(name),
            // A profile's files are read again, too.
            None => {
                entries.remove(&endpoint.id);
            }
        }
    }

    async fn entry(&self, endpoint: &Endpoint) -> Result<Arc<Entry>, String> {
        let known = self
            .entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&endpoint.id)
            .filter(|entry| entry.is_of(endpoint))
            .cloned();
        if let Some(entry) = known {
            return Ok(entry);
        }
        // The SDK's part is large, and rare: it has a place of its own, not one in every request.
        Box::pin(self.make_entry(endpoint)).await
    }

    async fn make_entry(&self, endpoint: &Endpoint) -> Result<Arc<Entry>, String> {
        let sdk = self.sdk_of(endpoint)?;
        let source = self.source(&endpoint.access.credentials, &sdk)?;
        let shared = match &endpoint.role_arn {
            None => Arc::clone(&source),
            Some(arn) => {
                let role = (arn.as_str(), endpoint.external_id.as_deref());
                let region = endpoint.region.as_deref();
                let slot = self.role(role, region, (&sdk, &source), self.session_name, Vec::new());
                Arc::new(slot.await)
            }
        };
        let made = Arc::new(Entry {
            access: Arc::clone(&endpoint.access),
            region: endpoint.region.clone(),
            role_arn: endpoint.role_arn.clone(),
            external_id: endpoint.external_id.clone(),
            sdk,
            source,
            shared,
            sessions: moka::sync::Cache::builder()
                .max_capacity(MAX_SESSIONS)
                .time_to_idle(REST)
                .build(),
        });
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Of requests that came at the same time, one makes what all use.
        match entries.get(&endpoint.id) {
            Some(entry) if entry.is_of(endpoint) => Ok(Arc::clone(entry)),
            _ => {
                entries.insert(endpoint.id.clone(), Arc::clone(&made));
                Ok(made)
            }
        }
    }

    /// The session in somebody's name. Whoever has moved to another team since, or whose team has another name, gets a new
    /// one.
    async fn session(&self, entry: &Entry, name: &str, subject: &Subject) -> Arc<Session> {
        let tagged = entry.access.session_tags;
        let is_other = |held: &Arc<Session>| held.subject.named(tagged) != subject.named(tagged);
        if let Some(session) = entry.sessions.get(name)
            && !is_other(&session)
        {
            return session;
        }
        let role = (
            entry.role_arn.as_deref().unwrap_or_default(),
            entry.external_id.as_deref(),
        );
        let tags = subject.tags(tagged);
        let made = Arc::new(Session {
            subject: subject.clone(),
            slot: self
                .role(
                    role,
                    entry.region.as_deref(),
                    (&entry.sdk, &entry.source),
                    name,
                    tags,
                )
                .await,
        });
        let kept = entry
            .sessions
            .entry_by_ref(name)
            .or_insert_with_if(|| made, is_other);
        kept.into_value()
    }

    /// The SDK's configuration for an endpoint: STS is called as Bedrock is, through the same proxy, with the same trust, and at
    /// a FIPS endpoint where that is wanted. A URL of STS's stays as it is.
    fn sdk_of(&self, endpoint: &Endpoint) -> Result<SdkConfig, String> {
        let use_fips = endpoint.access.network.use_fips || self.sdk.use_fips().unwrap_or(false);
        let region = endpoint
            .region
            .as_deref()
            .or_else(|| self.sdk.region().map(Region::as_ref));
        let lacks = region.filter(|region| !sts_has_fips(region));
        if use_fips
            && !self.has_sts_url
            && endpoint.role_arn.is_some()
            && let Some(region) = lacks
        {
            return Err(format!(
                "AWS STS has no FIPS endpoint in {region}, so the role cannot be assumed by one: set AWS_ENDPOINT_URL_STS, call \
                 without a role, or do without FIPS"
            ));
        }
        let mut builder = self.sdk.to_builder();
        builder.set_http_client(Some(self.connections.sdk(endpoint)?));
        builder.set_use_fips(Some(use_fips && !self.has_sts_url));
        Ok(builder.build())
    }

    /// What a source of credentials gives.
    fn source(&self, source: &CredentialSource, sdk: &SdkConfig) -> Result<Arc<Slot>, String> {
        let provider = match source {
            CredentialSource::Process => {
                let none = "no credentials are configured: set the AWS_ variables, a profile, or a role";
                return self.own.clone().ok_or_else(|| none.to_owned());
            }
            CredentialSource::Keys(Some(keys)) => SharedCredentialsProvider::new(Credentials::new(
                keys.id.reveal(),
                keys.secret.reveal(),
                keys.session_token.as_ref().map(|t| t.reveal().to_owned()),
                None,
                "ccag endpoint",
            )),
            CredentialSource::Profile(name) => {
                let mut config = ProviderConfig::default().with_region(sdk.region().cloned());
                if let Some(client) = sdk.http_client() {
                    config = config.with_http_client(client);
                }
                SharedCredentialsProvider::new(
                    ProfileFileCredentialsProvider::builder()
                        .configure(&config)
                        .profile_name(name)
                        .build(),
                )
            }
            CredentialSource::Keys(None) => return Err(not_at_hand()),
            CredentialSource::ApiKey(_) => return Err("an API key signs nothing".to_owned()),
        };
        Ok(Arc::new(Slot::new(provider, Arc::clone(&self.clock))))
    }

    async fn role(
        &self,
        (arn, external_id): (&str, Option<&str>),
        region: Option<&str>,
        (sdk, source): (&SdkConfig, &Arc<Slot>),
        name: &str,
        tags: Vec<(&'static str, String)>,
    ) -> Slot {
        let mut builder = AssumeRoleProvider::builder(arn).session_name(name).configure(sdk);
        if !tags.is_empty() {
            builder = builder.tags(tags);
        }
        if let Some(external_id) = external_id {
            builder = builder.external_id(external_id);
        }
        if let Some(region) = region {
            builder = builder.region(Region::new(region.to_owned()));
        }
        let provider = builder.build_from_provider(Cached(Arc::clone(source))).await;
        Slot::new(SharedCredentialsProvider::new(provider), Arc::clone(&self.clock))
    }
}

fn not_at_hand() -> String {
    "the endpoint's own credentials are not at hand: they come with the configuration, and if they cannot be opened there, \
     they have to be entered again"
        .to_owned()
}
