//! An OpenID provider that says what a test wants, right or wrong.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::NOON;

/// Our name at the provider.
pub(crate) const CLIENT: &str = "ccag-test";

/// A running provider.
#[derive(Clone)]
pub(crate) struct Idp(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) issuer: String,
    /// The number of the key that is published.
    published: AtomicU32,
    /// How often keys were asked for.
    pub(crate) asked_for_keys: AtomicU32,
    down: AtomicBool,
    /// What is answered to the next code.
    next: Mutex<Option<Next>>,
}

struct Next {
    token: String,
    challenge: String,
}

impl std::ops::Deref for Idp {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

fn pair(number: u32) -> Ed25519KeyPair {
    let seed = [u8::try_from(number).unwrap(); 32];
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

/// A token that is signed with a key of that number.
pub(crate) fn signed(number: u32, claims: &Value) -> String {
    let header = Header {
        kid: Some(format!("k{number}")),
        ..Header::new(Algorithm::EdDSA)
    };
    let der = pair(number).to_pkcs8v1().unwrap();
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(der.as_ref())).unwrap()
}

/// A token that nobody has signed.
pub(crate) fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none"})), part(claims))
}

impl Idp {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let idp = Self(Arc::new(Inner {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            published: AtomicU32::new(1),
            asked_for_keys: AtomicU32::new(0),
            down: AtomicBool::new(false),
            next: Mutex::default(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(idp.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        idp
    }

    /// What the admin API is told of it.
    pub(crate) fn described(&self, name: &str, rules: Value) -> Value {
        json!({
            "name": name, "issuer_url": self.issuer, "client_id": CLIENT, "client_secret": "hush", "rules": rules,
        })
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// Publishes the key of another number, and none besides.
    pub(crate) fn publish(&self, number: u32) {
        self.published.store(number, Ordering::Relaxed);
    }

    /// What an honest token says of somebody.
    pub(crate) fn claims(&self, nonce: &str, about: Value) -> Value {
        let mut claims: Map<String, Value> = Map::new();
        let now_s = NOON / 1_000;
        for (name, value) in [
            ("iss", json!(self.issuer)),
            ("aud", json!(CLIENT)),
            ("iat", json!(now_s)),
            ("exp", json!(now_s + 300)),
            ("nonce", json!(nonce)),
        ] {
            claims.insert(name.into(), value);
        }
        claims.extend(about.as_object().unwrap().clone());
        Value::Object(claims)
    }

    /// Answers the next code with a token, if it is asked for by whoever made the challenge.
    pub(crate) fn answer_with(&self, token: String, challenge: &str) {
        *self.next.lock().unwrap() = Some(Next {
            token,
            challenge: challenge.to_owned(),
        });
    }
}

async fn discovery(State(idp): State<Idp>) -> Result<Json<Value>, StatusCode> {
    if idp.down.load(Ordering::Relaxed) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let at = |path: &str| format!("{}{path}", idp.issuer);
    Ok(Json(json!({
        "issuer": idp.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/jwks"),
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })))
}

async fn keys(State(idp): State<Idp>) -> Json<Value> {
    idp.asked_for_keys.fetch_add(1, Ordering::Relaxed);
    let number = idp.published.load(Ordering::Relaxed);
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair(number).public_key().as_ref());
    Json(json!({"keys": [
        {"kty": "unheard-of", "kid": "odd"},
        {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": format!("k{number}"), "x": x},
    ]}))
}

async fn token(
    State(idp): State<Idp>,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    use sha2::{Digest, Sha256};
    let refused = || (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    let next = idp.next.lock().unwrap().take().ok_or_else(refused)?;
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != next.challenge || form["code"] != "good" {
        return Err(refused());
    }
    Ok(Json(json!({
        "access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": next.token,
    })))
}
