//! Web search: what a request wants, and the loop of calls and searches that serves it.
//!
//! The pure parts are in [`ccag_translate::search`], the clients of the services in [`ccag_search`]. Here they are driven:
//! [`session`] goes from call to call, [`call`] reads one answer of Bedrock's, and [`run`] puts queries to the service.

mod call;
mod run;
mod session;
mod shortcut;

pub(crate) use session::{Context, Ended, Session, Sink};
pub(crate) use shortcut::answer_from_search;

use crate::sync::ConfigView;
use ccag_domain::{Caller, Problem, SealKey, SearchProvider, WebSearchMode};
use ccag_translate::request::Peeked;
use ccag_translate::search::{self, SearchTool, Terms};

/// What a request wants that asks for web search.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) tool: SearchTool,
    pub(crate) key: SealKey,
    /// Whom to ask; `None` if nobody is configured, which fails each search.
    pub(crate) provider: Option<SearchProvider>,
    /// The query of Claude Code's own search request, if it is to be answered without the model.
    pub(crate) shortcut: Option<String>,
}

impl Wanted {
    /// What the request wants; `None` if it asks for no web search, or if searches are turned off, which the translation
    /// refuses in its own words.
    pub(crate) fn of(
        view: &ConfigView,
        caller: &Caller,
        peeked: &Peeked<'_>,
    ) -> Result<Option<Self>, Problem> {
        let Some(tool) = search::asked(peeked)? else {
            return Ok(None);
        };
        let rules = &view.settings().web_search;
        let (true, Some(key)) = (terms(view).enabled, rules.sealing_key.clone()) else {
            return Ok(None);
        };
        let user = caller.user_id.as_ref().and_then(|id| view.user(id));
        let own = user.and_then(|user| user.search.as_ref());
        Ok(Some(Self {
            tool,
            key,
            provider: rules.provider_for(own),
            shortcut: rules.shortcut.then(|| search::shortcut(peeked)).flatten(),
        }))
    }
}

/// What the translation needs to know. Without a key to seal results with there is no search.
pub(crate) fn terms(view: &ConfigView) -> Terms {
    let rules = &view.settings().web_search;
    Terms {
        enabled: rules.mode != WebSearchMode::Disabled && rules.sealing_key.is_some(),
        key: rules.sealing_key.clone(),
    }
}
