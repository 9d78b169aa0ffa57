//! Web search: the rules for everybody, and one's own service.

use super::Context;
use crate::error::CliError;
use crate::table::{Table, card};
use ccag_admin_api::{
    NameSearchProvider, PutSearchProvider, SearchProviderList, SearchProviderView, SearchTest, Secret,
    SetWebSearch, WebSearchView, paths,
};
use ccag_domain::{NanoUsd, SearchKind, WebSearchMode};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

fn kind(text: &str) -> Result<SearchKind, String> {
    SearchKind::parse(text).ok_or_else(|| {
        let all: Vec<&str> = SearchKind::ALL.iter().map(|k| k.as_str()).collect();
        format!("it must be one of {}", all.join(", "))
    })
}

fn mode(text: &str) -> Result<WebSearchMode, String> {
    WebSearchMode::parse(text).ok_or_else(|| "it must be enabled, global or disabled".to_owned())
}

fn dollars(text: &str) -> Result<NanoUsd, String> {
    NanoUsd::parse_usd(text)
        .filter(|price| price.0 >= 0)
        .ok_or_else(|| "it must be a number of dollars such as 0.008".to_owned())
}

/// Web search.
#[derive(Debug, Subcommand)]
pub(crate) enum WebSearch {
    /// Show the rules for everybody
    Show,
    /// Change the rules for everybody; what is not named is kept
    ///
    /// For example: ccag web-search set --mode global --provider searxng --api-url http://searx.internal:8080
    /// --allow-private-address
    Set(Set),
    /// Search once with the service for everybody
    Test,
    /// List your own search services
    Own,
    /// Add a search service of your own or change it, and use it
    Choose(Service),
    /// Use another of your own search services
    Use {
        /// Which: duckduckgo, tavily, serper, brave, searxng or custom
        #[arg(value_parser = kind)]
        provider: SearchKind,
    },
    /// Search once with one of your own search services
    TestOwn {
        /// Which: duckduckgo, tavily, serper, brave, searxng or custom
        #[arg(value_parser = kind)]
        provider: SearchKind,
    },
    /// Forget one of your own search services, with its key
    Forget {
        /// Which: duckduckgo, tavily, serper, brave, searxng or custom
        #[arg(value_parser = kind)]
        provider: SearchKind,
    },
}

/// A search service as it is entered.
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// Which: duckduckgo, tavily, serper, brave, searxng or custom
    #[arg(value_parser = kind)]
    provider: SearchKind,
    #[command(flatten)]
    details: Details,
}

/// What a search service is asked with.
#[derive(Debug, Args)]
pub(crate) struct Details {
    /// The service's API key; better given as CCAG_SEARCH_API_KEY, since other users of the machine can see command lines
    #[arg(long, env = "CCAG_SEARCH_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<Secret>,
    /// The address of the server, for searxng and custom
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// How many results to ask for: 1 to 20
    #[arg(long, value_name = "N")]
    max_results: Option<u8>,
}

/// The rules as they are entered.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Who chooses the service: `enabled` (each user), `global` (you, for everybody) or `disabled`
    #[arg(long, value_parser = mode)]
    mode: Option<WebSearchMode>,
    /// The service for everybody: duckduckgo, tavily, serper, brave, searxng or custom
    #[arg(long, value_parser = kind, value_name = "PROVIDER")]
    provider: Option<SearchKind>,
    #[command(flatten)]
    details: Details,
    /// Whether the service for everybody may be in your own network
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_private_address: Option<bool>,
    /// What one search costs, in dollars
    #[arg(long, value_parser = dollars, value_name = "DOLLARS")]
    price: Option<NanoUsd>,
    /// Whether Claude Code's own search requests are answered without asking the model
    #[arg(long, value_name = "true|false")]
    shortcut: Option<bool>,
}

impl Details {
    fn of(self, provider_type: SearchKind) -> PutSearchProvider {
        PutSearchProvider {
            provider_type,
            api_key: self.api_key.filter(|key| !key.reveal().is_empty()),
            api_url: self.api_url,
            max_results: self.max_results,
            allow_private_address: None,
        }
    }
}

impl WebSearch {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let name = |provider_type| NameSearchProvider { provider_type };
        match self {
            Self::Show => show(context, &client.get(paths::WEB_SEARCH).await?),
            Self::Set(set) => set.run(context).await,
            Self::Test => {
                let tested = client
                    .send(Method::POST, paths::WEB_SEARCH_TEST, &json!({}))
                    .await?;
                test(context, &tested)
            }
            Self::Own => list(context, &client.get(paths::SEARCH_PROVIDERS).await?),
            Self::Choose(Service { provider, details }) => {
                let request = details.of(provider);
                let all = client
                    .send(Method::PUT, paths::SEARCH_PROVIDERS, &request)
                    .await?;
                list(context, &all)
            }
            Self::Use { provider } => {
                let path = paths::SEARCH_PROVIDER_ACTIVATE;
                list(context, &client.send(Method::POST, path, &name(provider)).await?)
            }
            Self::TestOwn { provider } => {
                let path = paths::SEARCH_PROVIDER_TEST;
                test(context, &client.send(Method::POST, path, &name(provider)).await?)
            }
            Self::Forget { provider } => {
                let path = paths::search_provider(provider);
                client.order(Method::DELETE, &path).await?;
                context.out.show(&json!({ "deleted": [provider] }), |_| {
                    format!("{} is forgotten.", provider.title())
                })
            }
        }
    }
}

impl Set {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let now: WebSearchView = client.get(paths::WEB_SEARCH).await?;
        let request = SetWebSearch {
            mode: self.mode.unwrap_or(now.mode),
            price_nano_usd: self.price,
            shortcut: self.shortcut,
            provider: self.provider(now.provider)?,
        };
        show(
            context,
            &client.send(Method::PUT, paths::WEB_SEARCH, &request).await?,
        )
    }
}

impl Set {
    /// The service for everybody, if it is to change: what is not named stays as it is `now`, as long as it is the same
    /// service.
    fn provider(self, now: Option<SearchProviderView>) -> Result<Option<PutSearchProvider>, CliError> {
        let details = self.details;
        let is_changed = details.api_url.is_some()
            || details.max_results.is_some()
            || self.allow_private_address.is_some();
        let kind = match (self.provider, &now) {
            (Some(kind), _) => kind,
            (None, Some(now)) if is_changed => now.provider_type,
            (None, None) if is_changed => {
                let text = "there is no service for everybody yet: name it with --provider";
                return Err(CliError::Usage(text.to_owned()));
            }
            (None, _) if details.api_key.is_some() => {
                // It may come from the environment and be meant for another service.
                let text = "name the service that the API key (--api-key or CCAG_SEARCH_API_KEY) is for with --provider";
                return Err(CliError::Usage(text.to_owned()));
            }
            (None, _) => return Ok(None),
        };
        let now = now.filter(|now| now.provider_type == kind);
        let mut request = details.of(kind);
        request.max_results = request.max_results.or(now.as_ref().map(|now| now.max_results));
        request.allow_private_address = self
            .allow_private_address
            .or(now.map(|now| now.allow_private_address));
        Ok(Some(request))
    }
}

fn describe(provider: &SearchProviderView) -> String {
    let at = provider.api_url.as_ref().map(|url| format!(" at {url}"));
    let key = if provider.has_api_key { ", with a key" } else { "" };
    format!(
        "{}{}{key}",
        provider.provider_type.title(),
        at.unwrap_or_default()
    )
}

fn show(context: &Context, rules: &WebSearchView) -> Result<(), CliError> {
    context.out.show(rules, |rules| {
        let provider = rules.provider.as_ref();
        card(&[
            ("Mode", rules.mode.as_str().to_owned()),
            (
                "Service for everybody",
                provider.map_or_else(|| "none, or not shown to you".to_owned(), describe),
            ),
            ("Price of a search", format!("${}", rules.price_nano_usd)),
            (
                "Claude Code's own searches",
                if rules.shortcut {
                    "answered from the search alone"
                } else {
                    "put to the model"
                }
                .to_owned(),
            ),
        ])
    })
}

fn list(context: &Context, list: &SearchProviderList) -> Result<(), CliError> {
    context.out.show(list, |list| {
        let mut table = Table::new(&["SERVICE", "IN USE", "ADDRESS", "KEY", ">RESULTS"]);
        for provider in &list.providers {
            let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
            table.row([
                provider.provider_type.as_str().to_owned(),
                yes(provider.active),
                provider.api_url.clone().unwrap_or_default(),
                yes(provider.has_api_key),
                provider.max_results.to_string(),
            ]);
        }
        table.render("You have chosen no service: your searches go to DuckDuckGo where users choose.")
    })
}

fn test(context: &Context, test: &SearchTest) -> Result<(), CliError> {
    if !test.success {
        return Err(CliError::Failed(test.message.clone()));
    }
    context.out.show(test, |test| test.message.clone())
}
