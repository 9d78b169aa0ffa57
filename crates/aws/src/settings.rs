//! How AWS is reached: from the SDK's own environment and files, or given as arguments.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::ServiceConfigKey;
use secrecy::{ExposeSecret, SecretString};

/// Which credentials endpoints without a role use, and which roles are assumed with.
#[derive(Debug, Clone, Default)]
pub enum AwsCredentials {
    /// The SDK's chain: environment, profiles, SSO, web identity, container, instance.
    #[default]
    Chain,
    /// These keys.
    Static {
        /// The access key id.
        access_key_id: String,
        /// Its secret.
        secret_access_key: SecretString,
    },
}

/// How AWS is reached. What is `None` comes from the SDK's environment variables and profile files.
#[derive(Debug, Clone, Default)]
pub struct AwsSettings {
    /// The region of endpoints that name none.
    pub region: Option<String>,
    /// Instead of the public Bedrock Runtime URLs.
    pub runtime_url: Option<String>,
    /// Instead of the public bedrock-mantle URLs.
    pub mantle_url: Option<String>,
    /// Instead of the public URLs of Bedrock's control operations: which models and profiles there are.
    pub control_url: Option<String>,
    /// Instead of the public KMS URLs.
    pub kms_url: Option<String>,
    /// Instead of the public URLs of Service Quotas.
    pub quotas_url: Option<String>,
    /// Instead of the public URLs of Amazon SNS.
    pub sns_url: Option<String>,
    /// Instead of the public URLs of Amazon EventBridge.
    pub events_url: Option<String>,
    /// Instead of the public URLs of AWS Secrets Manager.
    pub secrets_url: Option<String>,
    /// Instead of the public STS URL.
    pub sts_url: Option<String>,
    /// A Bedrock API key: used instead of a signature for endpoints without a role.
    pub bearer_token: Option<SecretString>,
    /// The credentials.
    pub credentials: AwsCredentials,
}

/// What the settings resolve to, together with the SDK's environment and files.
#[derive(Debug)]
pub struct Resolved {
    /// The SDK's configuration, which credentials come from.
    pub sdk: SdkConfig,
    /// The region of endpoints that name none; empty if none is configured.
    pub home_region: String,
    /// Instead of the public Bedrock Runtime URLs.
    pub runtime_url: Option<String>,
    /// Instead of the public URLs of Bedrock's control operations.
    pub control_url: Option<String>,
    /// Instead of the public bedrock-mantle URLs.
    pub mantle_url: Option<String>,
    /// Instead of the public KMS URLs.
    pub kms_url: Option<String>,
    /// Instead of the public URLs of Service Quotas.
    pub quotas_url: Option<String>,
    /// Instead of the public URLs of Amazon SNS.
    pub sns_url: Option<String>,
    /// Instead of the public URLs of Amazon EventBridge.
    pub events_url: Option<String>,
    /// Instead of the public URLs of AWS Secrets Manager.
    pub secrets_url: Option<String>,
    /// Whether a URL of STS's is configured.
    pub has_sts_url: bool,
    /// Instead of the public URLs of STS.
    pub sts_url: Option<String>,
    /// Whether FIPS endpoints are asked for.
    pub use_fips: bool,
    /// A Bedrock API key.
    pub bearer_token: Option<SecretString>,
}

/// Reads the SDK's configuration. Nothing is asked over the network except, where no region is configured and
/// `AWS_EC2_METADATA_DISABLED` is not set, the instance's own metadata service.
pub async fn resolve(settings: AwsSettings) -> Resolved {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let AwsCredentials::Static {
        access_key_id,
        secret_access_key,
    } = &settings.credentials
    {
        let keys = Credentials::new(
            access_key_id,
            secret_access_key.expose_secret(),
            None,
            None,
            "ccag",
        );
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
    }
    let sdk = loader.load().await;
    let runtime_url = settings
        .runtime_url
        .or_else(|| configured_url(&sdk, "Bedrock Runtime"));
    let control_url = settings.control_url.or_else(|| configured_url(&sdk, "Bedrock"));
    let quotas_url = settings
        .quotas_url
        .or_else(|| configured_url(&sdk, "Service Quotas"));
    let mantle_url = settings
        .mantle_url
        .or_else(|| configured_url(&sdk, "Bedrock Mantle"));
    let kms_url = settings.kms_url.or_else(|| configured_url(&sdk, "KMS"));
    let sns_url = settings.sns_url.or_else(|| configured_url(&sdk, "SNS"));
    let events_url = settings
        .events_url
        .or_else(|| configured_url(&sdk, "EventBridge"));
    let secrets_url = settings
        .secrets_url
        .or_else(|| configured_url(&sdk, "Secrets Manager"));
    let home_region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let use_fips = sdk.use_fips().unwrap_or(false);
    let sts_url = settings.sts_url.clone().or_else(|| configured_url(&sdk, "STS"));
    let has_sts_url = sts_url.is_some();
    let sdk = match settings.sts_url {
        Some(url) => sdk.into_builder().endpoint_url(url).build(),
        None => sdk,
    };
    Resolved {
        sdk,
        home_region,
        runtime_url,
        control_url,
        mantle_url,
        kms_url,
        quotas_url,
        sns_url,
        events_url,
        secrets_url,
        has_sts_url,
        sts_url,
        use_fips,
        bearer_token: settings.bearer_token,
    }
}

/// `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, `_BEDROCK`, `_BEDROCK_MANTLE`, `_SERVICE_QUOTAS`, `_KMS`, `_SNS`, `_EVENTBRIDGE` or `_SECRETS_MANAGER`, the profile's
/// section of that name, or `AWS_ENDPOINT_URL`, in that order (AWS SDKs reference guide, "Service-specific endpoints"). An empty one
/// is as good as none: a Compose file cannot leave a variable out.
fn configured_url(sdk: &SdkConfig, service_id: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service_id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    sdk.service_config()
        .and_then(|config| config.load_config(key))
        .filter(|url| !url.is_empty())
        .or_else(|| sdk.endpoint_url().map(str::to_owned))
}
