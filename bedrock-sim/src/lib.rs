//! A stand-in for Amazon Bedrock Runtime, bedrock-mantle, Bedrock, STS and the data keys of KMS that speaks their wire formats.
//!
//! It imports nothing of the gateway: tests hold the gateway against it. It is as strict as Bedrock is, answers with a
//! conversation, fails by script, and keeps an exact account of the tokens that it handed out.

mod account;
mod admission;
mod billing;
mod binding;
mod control;
pub mod eventstream;
mod guardrail;
mod http;
mod iam;
mod invoke;
mod kms;
mod lanes;
mod models;
mod quotas;
mod reply;
mod script;
mod sigv4;
mod stream;
mod strict;
mod sts;
mod surface;
mod sys;

pub use account::{Ending, Entry, Received, Usage};
pub use admission::TokenQuota;
pub use guardrail::Guardrail;
pub use iam::{Denial, Session};
pub use script::{Action, Availability, Match, Pace, Rule};
pub use sigv4::Credential;

use axum::serve::ListenerExt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What Bedrock would say to a body without running it: the message of its `ValidationException`.
///
/// # Errors
/// The message, in Bedrock's words.
pub fn check(model_id: &str, body: &serde_json::Value) -> Result<(), String> {
    match models::find(model_id) {
        models::Named::Model(model) => strict::check(body, model),
        models::Named::ProfileOnly | models::Named::Unknown => {
            Err("The provided model identifier is invalid.".to_owned())
        }
    }
}

/// The signature that a model which can be invoked as `model_id` would give to thinking that shows `shown`, in its answer to
/// `body`; `None` if there is no such model.
#[must_use]
pub fn sign_thinking(model_id: &str, shown: &str, body: &serde_json::Value) -> Option<String> {
    match models::find(model_id) {
        models::Named::Model(model) => Some(binding::sign(shown, body, model)),
        models::Named::ProfileOnly | models::Named::Unknown => None,
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) credentials: Vec<Credential>,
    pub(crate) bearer_keys: Vec<String>,
    pub(crate) max_body: usize,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) issued: Mutex<Vec<Credential>>,
    pub(crate) sessions: Mutex<Vec<Session>>,
    pub(crate) denied: Mutex<Vec<Denial>>,
    pub(crate) applications: Mutex<Vec<control::Application>>,
    /// The most profiles on one page of a list.
    pub(crate) page: usize,
    pub(crate) script: Mutex<script::Script>,
    pub(crate) guardrails: Mutex<Vec<Guardrail>>,
    pub(crate) cache: Mutex<billing::PromptCache>,
    pub(crate) admission: Arc<admission::Admission>,
    pub(crate) books: account::Books,
    pub(crate) counter: AtomicU64,
}

/// How a simulator is set up.
#[derive(Debug, Clone)]
pub struct Builder {
    listen: SocketAddr,
    credentials: Vec<Credential>,
    bearer_keys: Vec<String>,
    log_capacity: usize,
    max_body: usize,
    page: usize,
}

/// Anthropic's own limit for a request is 32 MB; what InvokeModel adds to the body is less than the rest.
const MAX_BODY: usize = 33 << 20;

impl Builder {
    /// Listens on this address instead of a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Accepts requests signed with this key pair. As soon as one is given, every request has to be signed.
    #[must_use]
    pub fn credential(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        self.credentials.push(Credential {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            expires_at_ms: None,
            account: None,
        });
        self
    }

    /// Accepts this Bedrock API key. As soon as one is given, every request has to carry a key or a signature.
    #[must_use]
    pub fn bearer_key(mut self, key: impl Into<String>) -> Self {
        self.bearer_keys.push(key.into());
        self
    }

    /// How many requests the log keeps; 0 keeps none. 1,000 by default.
    #[must_use]
    pub fn log_capacity(mut self, requests: usize) -> Self {
        self.log_capacity = requests;
        self
    }

    /// Refuses bodies of more bytes. AWS's documentation says 20 MB and its service model 25,000,000 bytes; the default is
    /// 33 MiB, so that a gateway can be tested up to Anthropic's own limit.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Puts at most so many inference profiles on one page of a list, whatever is asked for.
    #[must_use]
    pub fn page(mut self, profiles: usize) -> Self {
        self.page = profiles.max(1);
        self
    }

    /// Starts serving.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(self) -> std::io::Result<Sim> {
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            credentials: self.credentials,
            bearer_keys: self.bearer_keys,
            max_body: self.max_body,
            region: "us-east-1".into(),
            account_id: "111122223333".into(),
            issued: Mutex::default(),
            sessions: Mutex::default(),
            denied: Mutex::default(),
            applications: Mutex::default(),
            page: self.page,
            script: Mutex::default(),
            guardrails: Mutex::default(),
            cache: Mutex::default(),
            admission: Arc::default(),
            books: account::Books::new(self.log_capacity),
            counter: AtomicU64::new(1),
        });
        let stop = CancellationToken::new();
        let router = http::router(Arc::clone(&shared));
        let listener = listener.tap_io(|stream| {
            // Without it small frames wait for the peer's delayed acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        let stopped = stop.clone().cancelled_owned();
        let task = sys::spawn(async move {
            let _ = axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await;
        });
        Ok(Sim {
            shared,
            address,
            stop,
            task,
        })
    }
}

/// A running simulator. Dropping it stops it.
pub struct Sim {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Sim {
    /// A simulator with no credentials (anybody may call), on a free port of 127.0.0.1.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            credentials: Vec::new(),
            bearer_keys: Vec::new(),
            log_capacity: 1_000,
            max_body: MAX_BODY,
            page: 1_000,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to set as the endpoint URL of Bedrock Runtime, Bedrock and STS.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule.
    pub fn script(&self, rule: Rule) {
        self.shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(rule);
    }

    /// Denies an action to everybody, as IAM would.
    pub fn deny(&self, action: impl Into<String>) {
        self.shared
            .denied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Denial {
                action: action.into(),
                resource: None,
            });
    }

    /// Denies nothing any more.
    pub fn allow_all(&self) {
        self.shared
            .denied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The role sessions that STS has given out, in order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.shared
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets a quota of tokens a minute, which Service Quotas lists and requests have to fit in. Without one they always do.
    pub fn quota(&self, quota: TokenQuota) {
        self.shared.admission.set(quota);
    }

    /// What counts now against the quota that models with this id share.
    #[must_use]
    pub fn counted(&self, model_id: &str) -> u64 {
        self.shared.admission.counted(model_id)
    }

    /// Adds a guardrail.
    pub fn guardrail(&self, guardrail: Guardrail) {
        self.shared
            .guardrails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(guardrail);
    }

    /// What to set as the URL of bedrock-mantle.
    #[must_use]
    pub fn mantle_url(&self) -> String {
        format!("{}/mantle", self.base_url())
    }

    /// Makes an application inference profile of a system-defined one or a foundation model, as `CreateInferenceProfile`
    /// does, and returns its ARN.
    pub fn application_profile(&self, name: &str, source: &str) -> String {
        let mut known = self
            .shared
            .applications
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let id = format!("sim{:09}", known.len() + 1);
        known.push(control::Application {
            id: id.clone(),
            name: name.to_owned(),
            source: source.to_owned(),
        });
        let (region, account) = (&self.shared.region, &self.shared.account_id);
        format!("arn:aws:bedrock:{region}:{account}:application-inference-profile/{id}")
    }

    /// Forgets all rules.
    pub fn clear_script(&self) {
        self.shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The newest requests, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.books.log()
    }

    /// Every answer since the start or the last [`Sim::clear`], in order of arrival.
    #[must_use]
    pub fn account(&self) -> Vec<Entry> {
        self.shared.books.entries()
    }

    /// Empties the log and the account.
    pub fn clear(&self) {
        self.shared.books.clear();
    }

    /// Stops accepting and breaks off what is open.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let grace = std::time::Duration::from_millis(200);
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}
