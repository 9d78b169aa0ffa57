//! The way to AWS: proxies, certificates of one's own, FIPS endpoints.

use crate::connect_proxy::ConnectProxy;
use crate::front::{CA, tls_before};
use crate::{RealClock, endpoint, sim};
use bedrock_sim::Sim;
use ccag_aws::permissions::Verdict;
use ccag_aws::{AwsCredentials, AwsSettings, ControlClient, ControlConfig, ControlError};
use ccag_domain::{Access, CredentialSource, Endpoint, Network, Proxy, ProxyLogin, ServiceSecret};
use std::sync::Arc;

const ROLE: &str = "arn:aws:iam::444455556666:role/ccag";

async fn client(url: Option<&str>, sts: Option<&str>) -> ControlClient {
    let settings = AwsSettings {
        region: Some("us-east-1".into()),
        control_url: url.map(str::to_owned),
        quotas_url: url.map(str::to_owned),
        sts_url: sts.map(str::to_owned),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "a-secret".to_owned().into(),
        },
        ..AwsSettings::default()
    };
    ControlClient::new(settings, ControlConfig::default(), Arc::new(RealClock))
        .await
        .unwrap()
}

fn through(role: Option<&str>, network: Network) -> Endpoint {
    Endpoint {
        access: Arc::new(Access {
            credentials: CredentialSource::Process,
            network,
            ..Access::default()
        }),
        ..endpoint(role)
    }
}

fn by(proxy: &ConnectProxy, login: Option<(&str, &str)>) -> Network {
    Network {
        proxy: Some(Proxy {
            url: proxy.url.clone(),
            login: login.map(|(user, password)| ProxyLogin {
                user: user.into(),
                password: Some(ServiceSecret::new(password)),
            }),
        }),
        ..Network::default()
    }
}

fn trusting(ca: &str) -> Network {
    Network {
        ca_certificates: Some(ca.into()),
        ..Network::default()
    }
}

async fn ask(client: &ControlClient, endpoint: &Endpoint) -> Result<usize, ControlError> {
    client.list_models(endpoint).await.map(|models| models.len())
}

#[tokio::test]
async fn everything_of_an_endpoint_with_a_proxy_goes_through_it_and_nothing_of_others() {
    let sim: Sim = sim().await;
    let proxy = ConnectProxy::start(200).await;
    let url = sim.base_url();
    let client = client(Some(&url), Some(&url)).await;
    assert!(ask(&client, &endpoint(Some(ROLE))).await.unwrap() > 0);
    assert_eq!(proxy.connected(), 0, "the endpoint has none");
    let endpoint = through(Some(ROLE), by(&proxy, Some(("ccag", "open sesame"))));
    assert!(ask(&client, &endpoint).await.unwrap() > 0);
    let asked = proxy.asked();
    // STS and Bedrock are one server here: what is kept of the one serves the other.
    assert!(proxy.connected() > 0);
    assert_eq!(sim.sessions().len(), 2, "the role was assumed for each");
    let login = "Proxy-Authorization: Basic Y2NhZzpvcGVuIHNlc2FtZQ==";
    assert!(asked.iter().all(|head| head.contains(login)), "{asked:?}");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_said_to_and_nobody_goes_around_it() {
    let sim: Sim = sim().await;
    let url = sim.base_url();
    let client = client(Some(&url), Some(&url)).await;
    for (status, login, says) in [
        (407, None, "wants a user and a password"),
        (
            407,
            Some(("ccag", "hush")),
            "does not take the user and the password",
        ),
        (403, None, "it answers 403"),
    ] {
        let proxy = ConnectProxy::start(status).await;
        let network = by(&proxy, login);
        let checks = client.permissions(&through(None, network.clone()), &[]).await;
        let [check] = checks.as_slice() else {
            panic!("nothing else is tried: {checks:?}")
        };
        let Verdict::Failed { message } = &check.verdict else {
            panic!("{check:?}")
        };
        assert!(
            message.contains(says) && message.contains(&proxy.url),
            "{message}"
        );
        assert!(!message.contains("hush"), "{message}");
        let assumed = ask(&client, &through(Some(ROLE), network)).await.unwrap_err();
        assert!(matches!(assumed, ControlError::Credentials(_)), "{assumed}");
        assert!(assumed.to_string().contains(says), "{assumed}");
    }
    assert_eq!(sim.sessions(), [], "no request has reached AWS");
    sim.shutdown().await;
}

#[tokio::test]
async fn a_private_ca_is_trusted_by_the_endpoint_that_names_it_alone() {
    let sim: Sim = sim().await;
    let url = tls_before(&sim.base_url()).await;
    let client = client(Some(&url), Some(&url)).await;
    let error = ask(&client, &endpoint(None)).await.unwrap_err();
    assert!(matches!(error, ControlError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("nobody here trusts"), "{error}");
    let error = ask(&client, &endpoint(Some(ROLE))).await.unwrap_err();
    assert!(error.to_string().contains("nobody here trusts"), "{error}");
    for role in [None, Some(ROLE)] {
        assert!(ask(&client, &through(role, trusting(CA))).await.unwrap() > 0);
    }
    assert!(ask(&client, &endpoint(None)).await.is_err(), "still");
    // Behind a proxy it is the server's certificate that counts, too.
    let proxy = ConnectProxy::start(200).await;
    let error = ask(&client, &through(None, by(&proxy, None))).await.unwrap_err();
    assert!(error.to_string().contains("nobody here trusts"), "{error}");
    let both = Network {
        ca_certificates: Some(CA.into()),
        ..by(&proxy, None)
    };
    assert!(ask(&client, &through(None, both)).await.unwrap() > 0);
    assert_eq!(proxy.connected(), 2);
    sim.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_not_gone_around() {
    let sim: Sim = sim().await;
    let url = sim.base_url();
    let client = client(Some(&url), Some(&url)).await;
    let proxy = ConnectProxy::start(200).await;
    let mut network = by(&proxy, Some(("ccag", "hush")));
    network.strip();
    let error = ask(&client, &through(None, network)).await.unwrap_err();
    assert!(error.to_string().contains("password is not at hand"), "{error}");
    let error = ask(&client, &through(None, trusting("hello"))).await.unwrap_err();
    assert!(
        error.to_string().contains("CA certificates cannot be read"),
        "{error}"
    );
    sim.shutdown().await;
}

#[tokio::test]
async fn fips_is_refused_where_aws_has_none_and_leaves_urls_alone() {
    let fips = Network {
        use_fips: true,
        ..Network::default()
    };
    let public = client(None, None).await;
    let mut elsewhere = through(None, fips.clone());
    elsewhere.region = Some("eu-west-1".into());
    let error = ask(&public, &elsewhere).await.unwrap_err();
    assert!(
        error.to_string().contains("no FIPS endpoint in eu-west-1"),
        "{error}"
    );
    let mut canadian = through(Some(ROLE), fips.clone());
    canadian.region = Some("ca-central-1".into());
    let error = ask(&public, &canadian).await.unwrap_err();
    assert!(
        error.to_string().contains("AWS STS has no FIPS endpoint"),
        "{error}"
    );
    let sim: Sim = sim().await;
    let url = sim.base_url();
    let configured = client(Some(&url), Some(&url)).await;
    assert!(ask(&configured, &through(Some(ROLE), fips)).await.unwrap() > 0);
    sim.shutdown().await;
}
