//! Signing in with a provider: authorization code with PKCE (RFC 6749 §4.1, RFC 7636, OpenID Connect Core 1.0 §3.1).
//!
//! What is on its way is kept in the database, so that any control plane can take up what another began: state, nonce and
//! verifier, each good once and for ten minutes, and only in the browser that began.

use super::claims::{self, Person};
use super::known::why;
use super::{Provider, people};
use crate::app::sessions::{self, LoggedIn};
use crate::app::{App, not_found};
use crate::secrets::name;
use crate::store::entity::sign_in_attempt;
use ccag_domain::key::random_token;
use ccag_domain::{Code, KeyDigest, Problem, ProviderId, UnixMs};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, SignatureVerificationError, TokenResponse,
};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// How long a sign-in may take.
const LIFE_MS: i64 = 600_000;

/// How far the clock of a provider may be off, in seconds.
const SKEW_S: i64 = 60;

/// How old a token may be at most, in seconds.
const MAX_AGE_S: i64 = 600;

/// How tokens may be signed: with keys that only the provider has.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The longest code, state and error that are looked at.
const MAX_INPUT: usize = 4_096;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What a provider sent the browser back with.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// What we sent along.
    pub state: String,
    /// The code, if the provider let somebody in.
    pub code: Option<String>,
    /// The error, if it did not.
    pub error: Option<String>,
    /// More about the error.
    pub error_description: Option<String>,
    /// Who sends, where the provider says it (RFC 9207).
    pub issuer: Option<String>,
}

/// Somebody has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Their session.
    pub login: LoggedIn,
    /// The page that they wanted.
    pub next: String,
}

/// Begins: the address at the provider that the browser is sent to. `browser` is what only this browser shows again.
///
/// # Errors
/// [`Code::NotFound`] for a provider that is not there or not enabled, [`Code::BadUpstream`] for one that does not answer.
pub async fn begin(
    app: &App,
    provider: &ProviderId,
    redirect_uri: &str,
    browser: &str,
    next: &str,
) -> Result<String, Problem> {
    let provider = enabled(app, provider).await?;
    let now = app.now_ms();
    let metadata = Box::pin(app.known.of(&provider, now, false)).await?;
    let scopes = scopes(&provider, &metadata);
    let client = client(&provider, metadata, redirect_uri)?;
    let secret = || random_token(&*app.rng).to_string();
    let (state, nonce, verifier) = (secret(), secret(), PkceCodeVerifier::new(secret()));
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let (sent_state, sent_nonce) = (CsrfToken::new(state.clone()), Nonce::new(nonce.clone()));
    let mut request = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || sent_state,
            move || sent_nonce,
        )
        .set_pkce_challenge(challenge);
    for scope in scopes {
        request = request.add_scope(Scope::new(scope));
    }
    let (url, _, _) = request.url();
    let digest = KeyDigest::of(&state).to_hex();
    let row = sign_in_attempt::Model {
        verifier: app
            .store
            .secrets()
            .seal(&name::sign_in(&digest), verifier.secret().as_bytes()),
        state_digest: digest,
        provider_id: provider.id.to_string(),
        browser_digest: KeyDigest::of(browser).to_hex(),
        nonce,
        next: next.to_owned(),
        expires_at_ms: now + LIFE_MS,
    };
    app.store.insert_sign_in(row, now).await?;
    Ok(url.into())
}

/// Ends: finds out who it is, and begins their session.
///
/// # Errors
/// [`Code::Unauthenticated`] if this sign-in is not one that this browser began, or the provider's answer cannot be believed;
/// [`Code::Forbidden`] for somebody who may not come in; [`Code::BadUpstream`] if the provider does not answer.
pub async fn complete(
    app: &App,
    returned: &Returned,
    redirect_uri: &str,
    browser: Option<&str>,
    address: Option<IpAddr>,
) -> Result<SignedIn, Problem> {
    if returned.state.is_empty() || returned.state.len() > MAX_INPUT {
        return Err(stale());
    }
    let now = app.now_ms();
    let digest = KeyDigest::of(&returned.state).to_hex();
    let attempt = app.store.take_sign_in(&digest, now).await?.ok_or_else(stale)?;
    let same_browser = browser.is_some_and(|shown| KeyDigest::of(shown).to_hex() == attempt.browser_digest);
    if !same_browser {
        return Err(stale());
    }
    let provider = ProviderId::parse(&attempt.provider_id).map_err(|_| stale())?;
    let provider = enabled(app, &provider).await?;
    if returned
        .issuer
        .as_ref()
        .is_some_and(|issuer| *issuer != provider.issuer)
    {
        return Err(unbelievable(&provider, "the answer is of another issuer"));
    }
    if let Some(error) = &returned.error {
        return Err(turned_away(
            &provider,
            error,
            returned.error_description.as_deref(),
        ));
    }
    let code = returned.code.clone().filter(|code| code.len() <= MAX_INPUT);
    let code = code.ok_or_else(|| unbelievable(&provider, "there is no code in the answer"))?;
    let verifier = app
        .store
        .secrets()
        .open(&name::sign_in(&digest), &attempt.verifier);
    let verifier = verifier.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    let verifier = PkceCodeVerifier::new(verifier.ok_or_else(stale)?);
    let nonce = Nonce::new(attempt.nonce);
    let person = Box::pin(identify(app, &provider, (code, verifier, nonce), redirect_uri)).await?;
    let user = people::admit(app, &provider, &person).await?;
    let login = sessions::begin(app, user, address).await?;
    Ok(SignedIn {
        login,
        next: attempt.next,
    })
}

/// Trades the code for who it is.
async fn identify(
    app: &App,
    provider: &Provider,
    (code, verifier, nonce): (String, PkceCodeVerifier, Nonce),
    redirect_uri: &str,
) -> Result<Person, Problem> {
    let now = app.now_ms();
    let metadata = Box::pin(app.known.of(provider, now, false)).await?;
    let asked = client(provider, metadata, redirect_uri)?;
    let http = app.known.asker();
    let answer = asked
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|error| unbelievable(provider, &error.to_string()))?
        .set_pkce_verifier(verifier)
        .request_async(&http)
        .await
        .map_err(|error| {
            let why = why(&error);
            tracing::warn!(
                provider = provider.name,
                why,
                "an identity provider did not take a code"
            );
            unbelievable(provider, "it did not take the code; start again")
        })?;
    let token = answer
        .id_token()
        .ok_or_else(|| unbelievable(provider, "there is no ID token in its answer"))?;
    let mut claims = Box::pin(verified(app, provider, asked, token, &nonce)).await?;
    if !claims::is_enough(&provider.rules, &claims) {
        let more = Box::pin(ask_for_more(app, provider, answer.access_token(), &claims)).await;
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
    }
    let person = Person::read(&provider.rules, &claims)?;
    person.check(&provider.rules)?;
    Ok(person)
}

/// The claims of a token that is what it must be. One that is signed with a key that is not known may have been signed with a
/// new one: the keys are fetched once more.
async fn verified(
    app: &App,
    provider: &Provider,
    client: Client,
    token: &CoreIdToken,
    nonce: &Nonce,
) -> Result<Map<String, Value>, Problem> {
    let now = app.now_ms();
    let first = check(&client, token, nonce, now);
    let outcome = match first {
        Err(ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
        )) => {
            let metadata = Box::pin(app.known.of(provider, now, true)).await?;
            let uri = client
                .redirect_uri()
                .map(|uri| uri.to_string())
                .unwrap_or_default();
            check(&self::client(provider, metadata, &uri)?, token, nonce, now)
        }
        other => other,
    };
    outcome.map_err(|error| {
        let why = why(&error);
        tracing::warn!(provider = provider.name, why, "an ID token is refused");
        let what = match error {
            ClaimsVerificationError::Expired(_) => "its token is out of date (are the clocks right?)",
            ClaimsVerificationError::InvalidAudience(_) => "its token is meant for another application",
            ClaimsVerificationError::InvalidIssuer(_) => "its token is of another issuer",
            ClaimsVerificationError::InvalidNonce(_) => "its token belongs to another sign-in; start again",
            ClaimsVerificationError::SignatureVerification(_) => "the signature of its token is not good",
            _ => "its token is not what it must be",
        };
        unbelievable(provider, what)
    })?;
    payload(token).ok_or_else(|| unbelievable(provider, "its token cannot be read"))
}

fn check(
    client: &Client,
    token: &CoreIdToken,
    nonce: &Nonce,
    now: UnixMs,
) -> Result<(), ClaimsVerificationError> {
    let now_s = now.div_euclid(1_000);
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        // A token that has expired a moment ago by our clock may still be good by the provider's.
        .set_time_fn(move || chrono::DateTime::from_timestamp(now_s - SKEW_S, 0).unwrap_or_default())
        .set_issue_time_verifier_fn(move |issued| {
            let age_s = now_s - issued.timestamp();
            match age_s {
                ..0 if age_s < -SKEW_S => Err("the token was issued in the future".to_owned()),
                _ if age_s > MAX_AGE_S => Err("the token was issued long ago".to_owned()),
                _ => Ok(()),
            }
        });
    token.claims(&verifier, nonce).map(|_| ())
}

/// All claims of a token that has been verified, also those that no standard names.
fn payload(token: &CoreIdToken) -> Option<Map<String, Value>> {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
    let text = token.to_string();
    let middle = text.split('.').nth(1)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What the provider's userinfo endpoint says beyond the token (OpenID Connect Core 1.0 §5.3); nothing if it says nothing
/// useful, or speaks of somebody else.
async fn ask_for_more(
    app: &App,
    provider: &Provider,
    access: &AccessToken,
    claims: &Map<String, Value>,
) -> Map<String, Value> {
    let asked = async {
        let metadata = Box::pin(app.known.of(provider, app.now_ms(), false)).await.ok()?;
        let url = metadata.userinfo_endpoint()?.url().to_string();
        let request = http::Request::get(url)
            .header(http::header::AUTHORIZATION, format!("Bearer {}", access.secret()))
            .header(http::header::ACCEPT, "application/json")
            .body(Vec::new())
            .ok()?;
        let answer = app.known.asker().ask(request).await.ok()?;
        let said: Map<String, Value> = serde_json::from_slice(answer.body()).ok()?;
        (answer.status().is_success() && said.get("sub") == claims.get("sub")).then_some(said)
    };
    asked.await.unwrap_or_default()
}

fn client(
    provider: &Provider,
    metadata: CoreProviderMetadata,
    redirect_uri: &str,
) -> Result<Client, Problem> {
    use openidconnect::core::CoreClientAuthMethod as Method;
    // Basic is the default (OpenID Connect Core 1.0 §9); some take the secret in the body alone.
    let methods = metadata.token_endpoint_auth_methods_supported();
    let in_body = methods.is_some_and(|methods| {
        methods.contains(&Method::ClientSecretPost) && !methods.contains(&Method::ClientSecretBasic)
    });
    let secret = provider
        .client_secret
        .as_ref()
        .map(|s| ClientSecret::new(s.reveal().to_owned()));
    let redirect_uri = RedirectUrl::new(redirect_uri.to_owned())
        .map_err(|_| unbelievable(provider, "our own address is not known; set CCAG_PUBLIC_URL"))?;
    let auth = if in_body {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    };
    Ok(
        CoreClient::from_provider_metadata(metadata, ClientId::new(provider.client_id.clone()), secret)
            .set_auth_type(auth)
            .set_redirect_uri(redirect_uri),
    )
}

/// What is asked for besides `openid`: what the rules name; else who somebody is, as far as the provider knows such scopes,
/// and their groups where the rules need them.
fn scopes(provider: &Provider, metadata: &CoreProviderMetadata) -> Vec<String> {
    if !provider.rules.scopes.is_empty() {
        let named = provider.rules.scopes.iter();
        return named.filter(|scope| *scope != "openid").cloned().collect();
    }
    let supported = metadata.scopes_supported();
    let has = |name: &str| supported.is_some_and(|scopes| scopes.iter().any(|scope| scope.as_str() == name));
    let mut wanted: Vec<&str> = ["profile", "email"]
        .into_iter()
        .filter(|name| supported.is_none() || has(name))
        .collect();
    if claims::needs_groups(&provider.rules) && has("groups") {
        wanted.push("groups");
    }
    wanted.into_iter().map(str::to_owned).collect()
}

async fn enabled(app: &App, id: &ProviderId) -> Result<Provider, Problem> {
    let row = app.store.find_provider(id.as_str()).await?;
    let row = row
        .filter(|row| row.enabled)
        .ok_or_else(|| not_found("identity provider", id.as_str()))?;
    Ok(Provider::read(app.store.secrets(), &row)?)
}

fn stale() -> Problem {
    Problem::new(
        Code::Unauthenticated,
        "This sign-in is over, or was begun in another browser. Start again.",
    )
}

fn unbelievable(provider: &Provider, what: &str) -> Problem {
    Problem::new(
        Code::Unauthenticated,
        format!("Signing in with {} did not work: {what}.", provider.name),
    )
}

/// What the provider itself said against it (RFC 6749 §4.1.2.1).
fn turned_away(provider: &Provider, error: &str, description: Option<&str>) -> Problem {
    let shown = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(200).collect() };
    let message = match (error, description) {
        ("access_denied", None) => format!("{} did not let you in.", provider.name),
        (_, None) => format!("{} did not let you in: {}.", provider.name, shown(error)),
        (_, Some(text)) => format!("{} did not let you in: {}", provider.name, shown(text)),
    };
    Problem::new(Code::Unauthenticated, message)
}
