//! AWS Signature Version 4.

mod frequent;

pub use frequent::SigningKeys;

use crate::Pieces;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use ccag_domain::UnixMs;
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Bodies from this size on are hashed on a thread of their own: SHA-256 takes half a millisecond per megabyte.
const OFFLOAD_BYTES: usize = 256 * 1024;

/// What is signed.
#[derive(Debug, Clone)]
pub struct ToSign {
    /// The method: `POST`, `GET`.
    pub method: &'static str,
    /// The whole URL, encoded as it goes out.
    pub url: String,
    /// The region that it goes to.
    pub region: String,
    /// The service that the signature is for.
    pub service: &'static str,
    /// The `content-type`; empty for a request without a body.
    pub content_type: &'static str,
    /// The `accept`.
    pub accept: &'static str,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Pieces,
    /// The time of the signature.
    pub now_ms: UnixMs,
}

/// The headers that carry the signature of a request. `keys` holds what was derived for others before.
///
/// # Errors
/// What is wrong with the input; none of it comes from a client.
pub async fn headers(
    request: ToSign,
    credentials: Arc<Credentials>,
    keys: &Arc<SigningKeys>,
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let (length, keys) = (request.body.len(), Arc::clone(keys));
    let sign = move || match frequent::headers(&request, &credentials, &keys) {
        Some(headers) => Ok(headers),
        None => compute(&request, &credentials),
    };
    if length < OFFLOAD_BYTES {
        return sign();
    }
    tokio::task::spawn_blocking(sign)
        .await
        .map_err(|_| "signing was interrupted".to_owned())?
}

/// The hash of a body, as the signature takes it.
fn digest(body: &Pieces) -> Hex {
    let mut hash = Sha256::new();
    body.iter().for_each(|piece| hash.update(piece));
    Hex::of(&hash.finalize().into())
}

/// A digest as it is written: 64 digits. Made without the memory that a text takes.
struct Hex([u8; 64]);

impl Hex {
    fn of(digest: &[u8; 32]) -> Self {
        let mut text = [0; 64];
        let encoded = hex::encode_to_slice(digest, &mut text);
        debug_assert!(encoded.is_ok(), "two digits for each byte");
        Self(text)
    }
}

impl std::ops::Deref for Hex {
    type Target = str;

    fn deref(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn compute(request: &ToSign, credentials: &Credentials) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let identity: Identity = credentials.clone().into();
    let since_epoch = Duration::from_millis(u64::try_from(request.now_ms).unwrap_or(0));
    // The defaults encode the path a second time, which is what Bedrock computes for ids that hold `:` or `/`.
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name(request.service)
        .time(UNIX_EPOCH + since_epoch)
        .settings(SigningSettings::default())
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let mut further = Vec::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        further.push((name.as_str(), value.to_str().map_err(|e| e.to_string())?));
    }
    let signable = SignableRequest::new(
        request.method,
        &request.url,
        [("content-type", request.content_type), ("accept", request.accept)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .chain(further.iter().map(|(name, value)| (*name, *value))),
        SignableBody::Precomputed(digest(&request.body).to_owned()),
    )
    .map_err(|e| e.to_string())?;
    let (instructions, _signature) = sign(signable, &params).map_err(|e| e.to_string())?.into_parts();
    instructions
        .headers()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| e.to_string())?;
            let mut value = HeaderValue::from_str(value).map_err(|e| e.to_string())?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}
