//! One search.

use crate::guard::{GuardedResolver, NotAdmitted, Reach, check_url};
use crate::{Failure, provider};
use ccag_domain::search::MAX_RESULTS;
use ccag_domain::{DomainFilter, SearchHit, SearchKind, SearchProvider};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use std::error::Error;
use std::time::Duration;
use url::Url;

/// How long a search may take.
const TIME: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const ANSWER_BYTES: usize = 2 << 20;

/// What to search for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'q> {
    /// The words.
    pub text: &'q str,
    /// Which sites results may come from.
    pub sites: &'q DomainFilter,
    /// Where the user is: two letters of ISO 3166-1.
    pub country: Option<&'q str>,
}

/// Asks search services.
#[derive(Debug, Clone)]
pub struct Searcher {
    /// For the services' own addresses, which are ours; through a proxy where the machine has one.
    known: Client,
    /// For addresses that somebody has given.
    public: Client,
    /// For addresses that an admin has allowed to be private.
    private: Client,
}

impl Searcher {
    /// Prepares the clients; nothing is connected.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = || {
            Client::builder()
                .redirect(Policy::none())
                .timeout(TIME)
                .connect_timeout(CONNECT)
                .pool_max_idle_per_host(4)
        };
        let guarded = |reach| {
            client()
                .no_proxy()
                .dns_resolver(std::sync::Arc::new(GuardedResolver(reach)))
                .build()
        };
        Ok(Self {
            known: client().build()?,
            public: guarded(Reach::Public)?,
            private: guarded(Reach::Private)?,
        })
    }

    /// Asks a service once. Results of sites that the query does not admit are left out, whatever the service thought of
    /// that, and no more are given than the provider is configured for.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer that can be used. No other service is asked in its place.
    pub async fn search(
        &self,
        provider: &SearchProvider,
        query: &Query<'_>,
    ) -> Result<Vec<SearchHit>, Failure> {
        let longest = provider::longest_query(provider.kind);
        if query.text.chars().count() > longest {
            return Err(Failure::QueryTooLong(longest));
        }
        let (client, url) = self.way(provider)?;
        let wanted = provider.max_results.clamp(1, MAX_RESULTS);
        let filtered = *query.sites != DomainFilter::default();
        let count = if filtered { MAX_RESULTS } else { wanted };
        let request = provider::request(client, provider, url, query, count)?;
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status().as_u16();
        // DuckDuckGo turns callers away with 202.
        if provider.kind == SearchKind::DuckDuckGo && status == 202 {
            return Err(Failure::TooManyRequests(status));
        }
        if !response.status().is_success() {
            return Err(Failure::of_status(status));
        }
        let body = read(response).await?;
        let mut hits = provider::read(provider.kind, &body)?;
        hits.retain(|hit| query.sites.admits(&hit.url));
        hits.truncate(usize::from(wanted));
        Ok(hits)
    }

    /// Which client asks, and where.
    fn way(&self, provider: &SearchProvider) -> Result<(&Client, Url), Failure> {
        match (&provider.url, provider::home(provider.kind)) {
            (None, Some(home)) => Ok((&self.known, check_url(home, Reach::Public)?)),
            (None, None) => Err(Failure::Misconfigured(format!(
                "{} needs the address of its server",
                provider.kind.title()
            ))),
            (Some(url), _) if provider.allow_private_address => {
                Ok((&self.private, check_url(url, Reach::Private)?))
            }
            (Some(url), _) => Ok((&self.public, check_url(url, Reach::Public)?)),
        }
    }
}

fn unreachable(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::TimedOut(TIME.as_secs());
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<NotAdmitted>() {
            return Failure::PrivateAddress;
        }
        cause = inner.source();
    }
    Failure::Unreachable
}

async fn read(mut response: Response) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if bytes.len() + chunk.len() > ANSWER_BYTES {
            return Err(Failure::Unreadable("it is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
