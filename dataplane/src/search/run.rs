//! Putting queries to the service.

use super::Context;
use ccag_domain::SearchProvider;
use ccag_search::{Failure, Query};
use ccag_translate::search::{SearchCall, SearchError, SearchOutcome, SearchTool};

/// Carries out one search of the model's.
pub(super) async fn search(
    context: &Context,
    provider: Option<&SearchProvider>,
    tool: &SearchTool,
    call: &SearchCall,
) -> SearchOutcome {
    let text = match &call.query {
        Ok(text) => text,
        Err(error) => return SearchOutcome::Failed(*error),
    };
    let Some(provider) = provider else {
        tracing::warn!(
            request_id = %context.request_id,
            "web search is on for everybody, but no search service is configured"
        );
        context.metrics.searched("none", "misconfigured");
        return SearchOutcome::Failed(SearchError::Unavailable);
    };
    let query = Query {
        text,
        sites: &tool.domains,
        country: tool.location.as_ref().and_then(|l| l.country.as_deref()),
    };
    let kind = provider.kind.as_str();
    match context.searcher.search(provider, &query).await {
        Ok(hits) => {
            context.metrics.searched(kind, "ok");
            SearchOutcome::Hits(hits)
        }
        Err(failure) => {
            context.metrics.searched(kind, failure.name());
            tracing::warn!(request_id = %context.request_id, provider = kind, %failure, "a web search failed");
            SearchOutcome::Failed(match failure {
                Failure::TooManyRequests(_) => SearchError::TooManyRequests,
                Failure::BadQuery(_) => SearchError::InvalidToolInput,
                Failure::QueryTooLong(_) => SearchError::QueryTooLong,
                Failure::BadKey(_)
                | Failure::Misconfigured(_)
                | Failure::PrivateAddress
                | Failure::Status(_)
                | Failure::Unreadable(_)
                | Failure::TimedOut(_)
                | Failure::Unreachable => SearchError::Unavailable,
            })
        }
    }
}
