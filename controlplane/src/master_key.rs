//! Master keys: where they come from, and making new ones.
//!
//! A key is 32 bytes, written as 64 hexadecimal digits, or a data key of AWS KMS, written as `kms:REGION:CIPHERTEXT`, which is
//! opened at the start by one request and held in memory from there on. One key is the current one: everything new is
//! protected with it. Others may be listed beside it: what was protected with them still opens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ccag_aws::kms::EncryptionContext;
use ccag_aws::permissions::denied;
use ccag_aws::{AwsSettings, BadBundle, ControlClient, ControlConfig, ControlError};
use ccag_domain::{Clock, Rng};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a master key is, in bytes.
const KEY_BYTES: usize = 32;

/// How often KMS is asked before the start fails, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// How a data key is written.
const KMS: &str = "kms:";

/// What a data key of KMS was made for. It is part of what is stored: it never changes.
fn context() -> EncryptionContext {
    [("application", "ccag"), ("purpose", "master-key")].into()
}

/// A master key as it is configured.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The key itself.
    Plain(SecretString),
    /// A data key of KMS, which is opened at the start.
    Kms {
        /// The region of the KMS key.
        region: String,
        /// The data key, encrypted under it.
        ciphertext: Vec<u8>,
    },
}

impl KeySource {
    /// Reads a key as it is written.
    ///
    /// # Errors
    /// What is wrong with it, to follow the name of where it stands.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(wrapped) = text.strip_prefix(KMS) else {
            return match text {
                "" => Err("is not set"),
                _ if text.len() == 2 * KEY_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    Ok(Self::Plain(text.to_owned().into()))
                }
                _ => Err("is not 64 hexadecimal digits, nor a data key that begins with `kms:`"),
            };
        };
        const WRONG: &str = "begins with `kms:` but is not of the form kms:REGION:CIPHERTEXT, as `ccag-controlplane master-key \
                             new --kms-key-id` prints it";
        let (region, blob) = wrapped.split_once(':').ok_or(WRONG)?;
        let is_region = !region.is_empty()
            && region
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        match STANDARD.decode(blob) {
            Ok(ciphertext) if is_region && !ciphertext.is_empty() => Ok(Self::Kms {
                region: region.to_owned(),
                ciphertext,
            }),
            _ => Err(WRONG),
        }
    }
}

/// The master keys as they are configured.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    /// What everything new is protected with.
    pub current: KeySource,
    /// What is opened as well: keys of before, and keys that other control planes use already.
    pub others: Vec<KeySource>,
}

impl From<SecretString> for MasterKeys {
    fn from(key: SecretString) -> Self {
        Self {
            current: KeySource::Plain(key),
            others: Vec::new(),
        }
    }
}

/// The master keys, opened.
#[derive(Debug, Clone)]
pub struct OpenKeys {
    pub(crate) current: SecretString,
    pub(crate) others: Vec<SecretString>,
}

/// A master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// AWS cannot be reached by TLS.
    #[error(transparent)]
    Tls(#[from] BadBundle),
    /// KMS said no, or nothing.
    #[error("{0}")]
    Kms(String),
}

impl MasterKeys {
    /// Opens those that KMS has to open, and logs which there are, by their ids.
    ///
    /// # Errors
    /// [`MasterKeyError`], with what has to be allowed or changed.
    pub async fn open(
        &self,
        aws: &AwsSettings,
        client: &ControlConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<OpenKeys, MasterKeyError> {
        let mut kms: Option<ControlClient> = None;
        let mut opened = Vec::new();
        for source in std::iter::once(&self.current).chain(&self.others) {
            opened.push(match source {
                KeySource::Plain(key) => key.clone(),
                KeySource::Kms { region, ciphertext } => {
                    let kms = match &mut kms {
                        Some(made) => made,
                        none => none.insert(
                            ControlClient::new(aws.clone(), client.clone(), Arc::clone(&clock)).await?,
                        ),
                    };
                    unwrap(kms, region, ciphertext).await?
                }
            });
        }
        let current = opened.remove(0);
        Ok(OpenKeys {
            current,
            others: opened,
        })
    }
}

async fn unwrap(
    kms: &ControlClient,
    region: &str,
    ciphertext: &[u8],
) -> Result<SecretString, MasterKeyError> {
    let mut attempt = 1;
    let opened = loop {
        match kms.open_data_key(region, ciphertext, &context()).await {
            Ok(opened) => break opened,
            Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                tracing::warn!(%error, "the master key cannot be opened yet");
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                let reason = explain(&error, "kms:Decrypt", region);
                return Err(MasterKeyError::Kms(format!(
                    "the master key cannot be opened: {reason}"
                )));
            }
        }
    };
    if opened.plaintext.len() != KEY_BYTES {
        return Err(MasterKeyError::Kms(format!(
            "the master key cannot be used: the data key has {} bytes and not 32; make one with `ccag-controlplane \
             master-key new --kms-key-id`",
            opened.plaintext.len()
        )));
    }
    tracing::info!(kms_key = opened.under, "KMS has opened a master key");
    Ok(hex::encode(&*opened.plaintext).into())
}

/// Whether the next attempt may go better.
fn may_pass(error: &ControlError) -> bool {
    match error {
        ControlError::Unreachable { .. } => true,
        ControlError::Refused { status, kind, .. } => *status >= 500 || kind.contains("Throttling"),
        _ => false,
    }
}

/// What KMS said, and what helps.
fn explain(error: &ControlError, action: &str, region: &str) -> String {
    let (kind, message) = match error {
        ControlError::Refused { kind, message, .. } => (kind.as_str(), message.as_str()),
        _ => ("", ""),
    };
    let help = match kind {
        "AccessDeniedException" => match denied(message) {
            Some((action, on)) => format!(
                "allow `{action}` on {} in the policy of the control plane's role or in the policy of the KMS key",
                on.unwrap_or_else(|| "the KMS key".to_owned())
            ),
            None => format!("allow `{action}` on the KMS key, and check that it is one of {region}"),
        },
        "InvalidCiphertextException" | "IncorrectKeyException" => format!(
            "the ciphertext is not one that was made for this, or not in {region}; set CCAG_MASTER_KEY to the whole of what \
             `ccag-controlplane master-key new` printed"
        ),
        "NotFoundException" => format!("check the KMS key's id, and that it is one of {region}"),
        "DisabledException" | "KMSInvalidStateException" => {
            "enable the KMS key, or cancel its deletion".to_owned()
        }
        _ => match error {
            ControlError::Credentials(_) => {
                "give the control plane's process AWS credentials: a role, a profile, or the AWS_ variables"
                    .to_owned()
            }
            ControlError::Unreachable { .. } => {
                "check the network, or set AWS_ENDPOINT_URL_KMS to the address of a VPC endpoint".to_owned()
            }
            _ => return error.to_string(),
        },
    };
    format!("{error}; {help}")
}

/// A new key: 64 hexadecimal digits.
#[must_use]
pub fn new_plain(rng: &dyn Rng) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    rng.fill(bytes.as_mut());
    Zeroizing::new(hex::encode(bytes.as_ref()))
}

/// A new key under a KMS key, given by its id, its ARN or an alias: as it is to be configured. Nobody has seen the key itself.
///
/// # Errors
/// [`MasterKeyError`].
pub async fn new_in_kms(
    aws: AwsSettings,
    client: ControlConfig,
    clock: Arc<dyn Clock>,
    kms_key: &str,
    region: Option<&str>,
) -> Result<String, MasterKeyError> {
    let kms = ControlClient::new(aws, client, clock).await?;
    // An ARN says it: arn:aws:kms:REGION:ACCOUNT:key/….
    let in_arn = kms_key.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
    let region = region.or(in_arn).unwrap_or_else(|| kms.home_region());
    if region.is_empty() {
        let message = "no region is known: give --region, the key's ARN, or set AWS_REGION";
        return Err(MasterKeyError::Kms(message.to_owned()));
    }
    let made = kms
        .make_data_key(region, kms_key, &context())
        .await
        .map_err(|error| {
            let reason = explain(&error, "kms:GenerateDataKeyWithoutPlaintext", region);
            MasterKeyError::Kms(format!("no key was made: {reason}"))
        })?;
    Ok(format!("{KMS}{region}:{}", STANDARD.encode(made)))
}

impl OpenKeys {
    /// The current one, and the others, each once.
    pub(crate) fn each(&self) -> impl Iterator<Item = &str> {
        let current = self.current.expose_secret();
        let others = self.others.iter().map(ExposeSecret::expose_secret);
        std::iter::once(current).chain(others.filter(move |other| *other != current))
    }

    /// The ids of the keys, the current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.each()
            .map(|key| crate::secrets::KeyId::of(key).to_string())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_digits_or_a_data_key() {
        assert!(matches!(
            KeySource::parse(&"aB".repeat(32)),
            Ok(KeySource::Plain(_))
        ));
        let Ok(KeySource::Kms { region, ciphertext }) = KeySource::parse("kms:eu-central-1:AQID") else {
            panic!("a data key")
        };
        assert_eq!(
            (region.as_str(), ciphertext.as_slice()),
            ("eu-central-1", &[1, 2, 3][..])
        );
        assert_eq!(KeySource::parse("").unwrap_err(), "is not set");
        for text in [
            "ab",
            "kms:AQID",
            "kms:eu-central-1:",
            "kms::AQID",
            "kms:eu central:AQID",
            "kms:eu-central-1:%",
        ] {
            assert!(KeySource::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_kms_says_comes_with_what_helps() {
        let refused = |kind: &str, message: &str| ControlError::Refused {
            operation: "Decrypt",
            status: 400,
            kind: kind.to_owned(),
            message: message.to_owned(),
        };
        let said = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: kms:Decrypt on resource: \
                    arn:aws:kms:eu-central-1:1:key/k because no identity-based policy allows the kms:Decrypt action";
        let text = explain(
            &refused("AccessDeniedException", said),
            "kms:Decrypt",
            "eu-central-1",
        );
        assert!(
            text.contains("allow `kms:Decrypt` on arn:aws:kms:eu-central-1:1:key/k"),
            "{text}"
        );
        let said = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you \
                    are not allowed to access.";
        let text = explain(
            &refused("AccessDeniedException", said),
            "kms:Decrypt",
            "eu-central-1",
        );
        assert!(
            text.contains("allow `kms:Decrypt` on the KMS key") && text.contains("one of eu-central-1"),
            "{text}"
        );
        for (kind, help) in [
            ("InvalidCiphertextException", "CCAG_MASTER_KEY"),
            ("NotFoundException", "id"),
            ("KMSInvalidStateException", "enable"),
        ] {
            let text = explain(&refused(kind, ""), "kms:Decrypt", "eu-central-1");
            assert!(text.contains(help), "{text}");
        }
        assert!(
            may_pass(&refused("ThrottlingException", "")) && !may_pass(&refused("AccessDeniedException", ""))
        );
    }
}
