//! The admin API over HTTP.

use crate::error::CliError;
use ccag_admin_api::{IDEMPOTENCY_KEY, PROBLEM_JSON, ProblemBody, Secret};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::time::Duration;
use url::Url;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);

/// How often something is sent again that got no answer.
const AGAIN: u32 = 2;

/// How often the answer to something is asked for that the gateway is still carrying out.
const WAITS: u32 = 15;

/// How long to wait before that.
const PAUSE: Duration = Duration::from_secs(1);

/// A gateway, and the session there.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

/// The refusal of an OAuth endpoint (RFC 6749, section 5.2).
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct OauthRefusal {
    /// What is wrong, for programs; empty if the answer was no refusal of OAuth's.
    pub(crate) error: String,
    /// The same for people.
    error_description: Option<String>,
    /// The status of the answer.
    #[serde(skip)]
    pub(crate) status: StatusCode,
}

impl OauthRefusal {
    /// What there is to tell people.
    pub(crate) fn words(&self) -> String {
        let said = self.error_description.clone().filter(|text| !text.is_empty());
        said.unwrap_or_else(|| match self.error.as_str() {
            "" => format!("the server answered {} without saying why", self.status),
            code => format!("the server refused: {code}"),
        })
    }
}

/// Reads an address. What is left has no slash at its end.
pub(crate) fn parse_url(text: &str) -> Result<Url, CliError> {
    let wrong = |why: &str| {
        CliError::Usage(format!(
            "`{text}` is not an address of a gateway: {why}; write it like https://gateway.example.com"
        ))
    };
    if !text.contains("://") {
        return Err(wrong("http:// or https:// is missing"));
    }
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only http and https are possible"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a user name or password does not belong into it"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Whether what is sent there stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl Client {
    /// A client for a gateway; `token` is sent along if there is one.
    pub(crate) fn new(base: Url, token: Option<Secret>) -> Result<Self, CliError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("ccag/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| CliError::Local {
            what: "cannot set up HTTPS".to_owned(),
            error: std::io::Error::other(chain(&error)),
        })?;
        Ok(Self { http, base, token })
    }

    /// The gateway's address, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Gets something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.request(Method::GET, path, &())?).await
    }

    /// Gets something, with a query.
    pub(crate) async fn get_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    /// Sends a body, and reads the answer.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        self.answer(self.request(method, path, &())?.json(body)).await
    }

    /// Sends a text file, with a query, and reads the answer.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        file: String,
    ) -> Result<T, CliError> {
        let request = self.request(Method::POST, path, query)?;
        self.answer(
            request
                .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(file),
        )
        .await
    }

    /// Does something that needs no body, and reads the answer.
    pub(crate) async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.request(Method::POST, path, &())?).await
    }

    /// Takes something away, and reads the answer.
    pub(crate) async fn take_away<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.request(Method::DELETE, path, &())?).await
    }

    /// Sends a body, and expects no answer.
    pub(crate) async fn tell(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), CliError> {
        self.exchange(self.request(method, path, &())?.json(body)).await?;
        Ok(())
    }

    /// Does something that needs no body, and expects no answer.
    pub(crate) async fn order(&self, method: Method, path: &str) -> Result<(), CliError> {
        self.exchange(self.request(method, path, &())?).await?;
        Ok(())
    }

    /// Gets something large; the caller reads it with [`Client::chunk`].
    pub(crate) async fn download(&self, path: &str, query: &impl Serialize) -> Result<Response, CliError> {
        self.exchange(self.request(Method::GET, path, query)?).await
    }

    /// The next piece of a download.
    pub(crate) async fn chunk(&self, response: &mut Response) -> Result<Option<Vec<u8>>, CliError> {
        match response.chunk().await {
            Ok(chunk) => Ok(chunk.map(|bytes| bytes.to_vec())),
            Err(error) => Err(CliError::Unreachable {
                url: self.url(),
                reason: format!("the answer broke off: {}", chain(&error)),
            }),
        }
    }

    /// Sends a form to an OAuth endpoint: what it answers, or its refusal in the words of OAuth.
    pub(crate) async fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Result<T, OauthRefusal>, CliError> {
        let request = self.request(Method::POST, path, &())?.form(fields);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(self.refusal(response).await);
        }
        let body = response.bytes().await;
        let body = body.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return self.understood(&body).map(Ok);
        }
        let mut refusal = serde_json::from_slice::<OauthRefusal>(&body).unwrap_or_default();
        refusal.status = status;
        Ok(Err(refusal))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &impl Serialize,
    ) -> Result<RequestBuilder, CliError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let query = serde_json::to_value(query).map_err(std::io::Error::from)?;
        if let serde_json::Value::Object(fields) = query
            && !fields.is_empty()
        {
            let mut pairs = url.query_pairs_mut();
            for (name, value) in &fields {
                match value {
                    serde_json::Value::String(text) => pairs.append_pair(name, text),
                    other => pairs.append_pair(name, &other.to_string()),
                };
            }
        }
        let posts = method == Method::POST;
        let mut request = self
            .http
            .request(method, url)
            .header(ACCEPT, format!("application/json, {PROBLEM_JSON}, */*;q=0.5"));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
            if posts {
                request = request.header(IDEMPOTENCY_KEY, fresh_key()?);
            }
        }
        Ok(request)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let body = self.exchange(request).await?.bytes().await;
        let body = body.map_err(|error| self.unreachable(&error))?;
        self.understood(&body)
    }

    fn understood<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, CliError> {
        serde_json::from_slice(body).map_err(|error| CliError::Server {
            url: self.url(),
            reason: format!("the server's answer is not the admin API's: {error}"),
        })
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let sent = self.answered(request).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// Sends a request. One with a key of its own is carried out once, however often it is sent: so it is sent again if its answer
    /// did not arrive.
    async fn answered(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        let mut request = request.build()?;
        let repeatable = request.headers().contains_key(IDEMPOTENCY_KEY);
        let (mut lost, mut waited) = (0, 0);
        loop {
            let again = request.try_clone().filter(|_| repeatable);
            let sent = self.http.execute(request).await;
            let Some(again) = again else {
                return sent;
            };
            match &sent {
                Err(error) if !error.is_connect() && lost < AGAIN => lost += 1,
                Ok(response) if lost > 0 && waited < WAITS && is_under_way(response) => waited += 1,
                _ => return sent,
            }
            tokio::time::sleep(PAUSE).await;
            request = again;
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            chain(error)
        };
        CliError::Unreachable {
            url: self.url(),
            reason,
        }
    }

    async fn refusal(&self, response: Response) -> CliError {
        let status = response.status();
        let header = |name| {
            let value = response.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let (content_type, location) = (header(CONTENT_TYPE), header(LOCATION));
        if status.is_redirection() {
            return CliError::Usage(format!(
                "{} sends its callers on to {location}: give that address with --url",
                self.url()
            ));
        }
        let problem = match response.bytes().await {
            Ok(body) if content_type.starts_with(PROBLEM_JSON) => {
                serde_json::from_slice::<ProblemBody>(&body).ok()
            }
            _ => None,
        };
        self.judge(status, problem)
    }

    fn judge(&self, status: StatusCode, problem: Option<ProblemBody>) -> CliError {
        match problem {
            Some(_) | None if status == StatusCode::UNAUTHORIZED && self.token.is_some() => {
                CliError::SignedOut {
                    url: self.url(),
                    reason: "the session has ended, or its token is not valid here",
                }
            }
            Some(problem) if status.is_client_error() => CliError::Refused(Box::new(problem)),
            Some(problem) => CliError::Server {
                url: self.url(),
                reason: CliError::Refused(Box::new(problem)).to_string(),
            },
            None => CliError::Server {
                url: self.url(),
                reason: format!("the server answered {status} without saying why"),
            },
        }
    }
}

/// Whether the gateway is carrying the same request out at this moment.
fn is_under_way(response: &Response) -> bool {
    response.status() == StatusCode::CONFLICT && response.headers().contains_key(RETRY_AFTER)
}

/// A name for one request.
#[expect(
    clippy::disallowed_methods,
    reason = "the CLI's only use of chance, of which nothing that it shows depends"
)]
fn fresh_key() -> Result<String, CliError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| CliError::Local {
        what: "cannot name the request".to_owned(),
        error: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An error with its causes: reqwest's own text says only that something could not be sent.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source().or(Some(error));
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_their_path_and_without_their_slash() {
        let read = |text| {
            parse_url(text)
                .map(|url| url.as_str().trim_end_matches('/').to_owned())
                .ok()
        };
        assert_eq!(
            read("https://gw.example.com/").as_deref(),
            Some("https://gw.example.com")
        );
        assert_eq!(
            read("https://example.com/ccag//").as_deref(),
            Some("https://example.com/ccag")
        );
        for bad in ["localhost:8080", "ftp://x", "https://", "https://me:secret@x", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(is_loopback(&parse_url("http://[::1]:80").unwrap()));
        assert!(!is_loopback(&parse_url("http://localhost.example.com").unwrap()));
    }
}
