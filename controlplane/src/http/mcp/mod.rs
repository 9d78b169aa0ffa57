//! The Model Context Protocol at `/mcp`: operations of the admin API as tools, so that the gateway can be managed from Claude.
//!
//! A tool is called by sending a request to the router of the admin API, in this process and with the caller's own credentials:
//! what it takes to be let in, what is written to the audit log and what is refused is decided there and nowhere else. Nothing is
//! kept between two requests, so any control plane answers any of them.

mod call;
mod tools;

use super::auth::{self, SignedIn};
use super::{HttpState, Refusal};
use crate::app::VERSION;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::post_service;
use ccag_admin_api::paths;
use ccag_domain::{Code, Problem};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use std::net::IpAddr;
use std::sync::Arc;
use url::Url;

/// The largest message, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

const INSTRUCTIONS: &str = "\
CCAG is the gateway between an organisation's Claude Code and Claude on Amazon Bedrock. These tools show who uses and spends what, and \
manage keys, budgets, limits, people and endpoints, with the rights of the person whose token you carry; what they may not do is \
refused, and every change is written to the audit log under their name. Find ids with the list tools before you change anything. \
Amounts in `_usd` fields are dollars as text; in `_nano_usd` fields, divide by 1,000,000,000. Long lists come in pages: send \
`next_cursor` as `cursor`. Say what you are going to change, and ask, before you use a tool that is destructive.";

/// The route, over a router that has the admin API.
pub(super) fn router(state: &HttpState, api: Router) -> Router<HttpState> {
    // The host and the origin are looked at by `guard`, which knows the gateway's address.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_MESSAGE)
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let service = StreamableHttpService::new(
        move || Ok(Server { api: api.clone() }),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    Router::new()
        .route(paths::MCP, post_service(service))
        .route_layer(axum::middleware::from_fn_with_state(state.clone(), guard))
}

/// Refuses what a web page might send: from another origin than the gateway's own, or under a name that is not the gateway's, as
/// after DNS rebinding.
async fn guard(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let public_url = state.public_url.as_ref();
    let headers = request.headers();
    if !is_own_host(request.uri(), headers, public_url) {
        return refuse(
            "This is not a name under which the gateway is known. Use the address that CCAG_PUBLIC_URL says, or have the operator set it.",
        );
    }
    if headers.contains_key(header::ORIGIN) && !auth::is_own_origin(headers, public_url) {
        return refuse("This request comes from a web page of another origin.");
    }
    next.run(request).await
}

fn refuse(message: &'static str) -> Response {
    Refusal(Problem::new(Code::Forbidden, message)).into_response()
}

/// Whether a request was sent to the gateway's own name, to a loopback name, or, where nobody has said under which name the gateway
/// is reached, to an address, which cannot be rebound.
fn is_own_host(uri: &Uri, headers: &HeaderMap, public_url: Option<&Url>) -> bool {
    let sent = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(sent) = sent.or_else(|| uri.authority().map(|authority| authority.as_str())) else {
        return false;
    };
    let Ok(sent) = Url::parse(&format!("http://{sent}/")) else {
        return false;
    };
    let Some(host) = sent.host_str() else {
        return false;
    };
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    match public_url {
        Some(public) => public.host_str() == Some(host),
        None => address.is_some(),
    }
}

/// One request's server.
#[derive(Debug, Clone)]
struct Server {
    api: Router,
}

/// The HTTP request behind a message.
fn parts(context: &RequestContext<RoleServer>) -> Result<&Parts, ErrorData> {
    context
        .extensions
        .get::<Parts>()
        .ok_or_else(|| ErrorData::internal_error("The message came without its request.", None))
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("ccag", VERSION).with_title("CCAG"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let who = parts(&context)?.extensions.get::<SignedIn>();
        let who = who.ok_or_else(|| ErrorData::internal_error("Nobody is signed in.", None))?;
        let actor = who.actor();
        let theirs = tools::ALL.iter().filter(|tool| tool.is_for(&actor));
        Ok(ListToolsResult::with_all_items(
            theirs.map(|tool| tool.listed.clone()).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = tools::find(&request.name).ok_or_else(|| {
            ErrorData::invalid_params(format!("There is no tool `{}`.", request.name), None)
        })?;
        let arguments = request.arguments.unwrap_or_default();
        let result = Box::pin(call::call(&self.api, parts(&context)?, tool, arguments)).await;
        Ok(CallToolResponse::from(result))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::find(name).map(|tool| tool.listed.clone())
    }
}

/// A refusal in words, with the problem document beside it.
fn refused(problem: serde_json::Value) -> CallToolResult {
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    let said = match problem["field"].as_str() {
        Some(field) => format!("{} (`{field}`): {}", text("title"), text("detail")),
        None => format!("{}: {}", text("title"), text("detail")),
    };
    let mut result = CallToolResult::error(vec![rmcp::model::ContentBlock::text(said)]);
    result.structured_content = Some(problem);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own(host: &str, public_url: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        let public_url = public_url.map(|url| Url::parse(url).unwrap());
        is_own_host(&Uri::from_static("/mcp"), &headers, public_url.as_ref())
    }

    #[test]
    fn a_name_that_anybody_could_point_at_us_is_not_ours() {
        let public = Some("https://claude.example.com");
        for host in [
            "claude.example.com",
            "Claude.Example.com:443",
            "localhost:8080",
            "[::1]:8080",
        ] {
            assert!(is_own(host, public), "{host}");
        }
        for host in [
            "evil.example",
            "claude.example.com.evil.example",
            "10.0.0.1",
            "a b",
            "",
        ] {
            assert!(!is_own(host, public), "{host}");
        }
        assert!(is_own("10.0.0.1:8081", None) && is_own("127.0.0.1", None));
        assert!(!is_own("rebound.example", None));
    }
}
