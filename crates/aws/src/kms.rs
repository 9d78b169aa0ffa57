//! Data keys of AWS's key management service: made under a key that never leaves it, and opened by asking it (AWS KMS API
//! reference, "GenerateDataKeyWithoutPlaintext" and "Decrypt"; AWS KMS developer guide, "Encryption context").
//!
//! Requests are signed with the process's own credentials, also where a Bedrock API key is at hand.

use crate::control::{Ask, ControlClient, ControlError};
use crate::domain;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ccag_domain::{Endpoint, EndpointId};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What a data key was made for: it opens with the same words alone. They stand in CloudTrail and can be required by policies
/// (`kms:EncryptionContext:…`); they are no secret.
pub type EncryptionContext = BTreeMap<&'static str, &'static str>;

/// A data key that has been opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey {
    /// The key.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The ARN of the KMS key that it was made under.
    pub under: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypted {
    key_id: String,
    plaintext: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Generated {
    ciphertext_blob: String,
}

impl ControlClient {
    /// `Decrypt`: opens a data key that was made in this region. Needs `kms:Decrypt` on the key.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn open_data_key(
        &self,
        region: &str,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<DataKey, ControlError> {
        let body = json!({ "CiphertextBlob": STANDARD.encode(ciphertext), "EncryptionContext": context });
        let answer: Decrypted = self.kms("Decrypt", "TrentService.Decrypt", region, &body).await?;
        let plaintext = STANDARD.decode(Zeroizing::new(answer.plaintext).as_bytes());
        Ok(DataKey {
            plaintext: Zeroizing::new(plaintext.map_err(|error| unreadable("Decrypt", &error))?),
            under: answer.key_id,
        })
    }

    /// `GenerateDataKeyWithoutPlaintext`: makes a data key of 32 bytes under a KMS key, given by its id, ARN or alias, that
    /// nobody sees before it is opened. Needs `kms:GenerateDataKeyWithoutPlaintext` on the key.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn make_data_key(
        &self,
        region: &str,
        kms_key: &str,
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, ControlError> {
        const OPERATION: &str = "GenerateDataKeyWithoutPlaintext";
        let body = json!({ "KeyId": kms_key, "KeySpec": "AES_256", "EncryptionContext": context });
        let target = "TrentService.GenerateDataKeyWithoutPlaintext";
        let answer: Generated = self.kms(OPERATION, target, region, &body).await?;
        STANDARD
            .decode(answer.ciphertext_blob)
            .map_err(|error| unreadable(OPERATION, &error))
    }

    async fn kms<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        target: &'static str,
        region: &str,
        body: &serde_json::Value,
    ) -> Result<T, ControlError> {
        let base = match &self.kms_url {
            Some(url) => url.clone(),
            None => {
                let fips = if self.use_fips { "-fips" } else { "" };
                format!("https://kms{fips}.{region}.{}", domain(region))
            }
        };
        let ask = Ask {
            body: Some(Bytes::from(body.to_string())),
            target: Some(target),
            ..Ask::new(operation, "kms", &base, "/")
        };
        // KMS is no endpoint that anybody has configured: it stands for the process's own credentials in a region.
        let id = EndpointId::parse("end_kms").map_err(|error| unreadable(operation, &error))?;
        let here = Endpoint {
            region: Some(region.to_owned()),
            ..Endpoint::new(id, "KMS")
        };
        let answer = Zeroizing::new(self.ask(&here, ask).await?.to_vec());
        serde_json::from_slice(&answer).map_err(|error| unreadable(operation, &error))
    }
}

fn unreadable(operation: &'static str, error: &dyn std::error::Error) -> ControlError {
    ControlError::Unreadable {
        operation,
        reason: error.to_string(),
    }
}
