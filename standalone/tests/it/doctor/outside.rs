//! `ccag doctor`, through proxies that do what they should not.

use super::hostile::{Habit, Hostile};
use super::{Told, pki, run};
use crate::harness::{ControlPlane, DataPlane, Sim, database, free_port, wait_until};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Both planes, apart, at one address.
struct Gateway {
    sim: Sim,
    control: ControlPlane,
    data: DataPlane,
    key: String,
    token: String,
    home: tempfile::TempDir,
}

impl Gateway {
    async fn start() -> Self {
        let sim = Sim::start().await;
        let control = ControlPlane::start_asking(&sim, &database()).await;
        let forward = [("CCAG_FORWARD_CONTROL", control.http.clone())];
        let data = DataPlane::start_with("data", &[&control], &sim, &forward).await;
        let admin = control.admin().await;
        let (_, key) = admin.create_key("doctor").await;
        admin.fleet_of(1).await;
        let client = data.client(&key);
        wait_until("the key works", Duration::from_secs(5), || async {
            let reply = client
                .send(&crate::harness::message(crate::harness::MODEL, "hello"))
                .await;
            (reply.status == 200).then_some(())
        })
        .await;
        Self {
            token: admin.token().to_owned(),
            sim,
            control,
            data,
            key,
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// What is found at an address, with a key, and with more variables.
    async fn doctor(&self, url: &str, more: &[(&'static str, &str)]) -> Told {
        let mut variables = vec![
            ("HOME", self.home.path().display().to_string()),
            ("CCAG_URL", url.to_owned()),
            ("CCAG_KEY", self.key.clone()),
        ];
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let told = run("ccag", &["--json", "doctor"], &variables).await;
        let text = told.report.to_string();
        assert!(
            !text.contains(&self.key) && !text.contains(&self.token),
            "a secret is shown: {text}"
        );
        assert_eq!(told.errors, "");
        told
    }

    async fn through(&self, habit: Habit) -> Told {
        let proxy = Hostile::before(&self.data.http, &self.control.http, habit).await;
        self.doctor(&proxy.url, &[]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_do_to_requests_and_streams_is_found() {
    let gateway = Gateway::start().await;
    let it = |habit| gateway.through(habit);
    let (honest, collects, compresses, swallows, hangs_up) = tokio::join!(
        it(Habit::Honest),
        it(Habit::Collects),
        it(Habit::Compresses),
        it(Habit::Swallows),
        it(Habit::HangsUp(Duration::from_secs(3))),
    );
    honest.is_healthy();
    for check in ["path-split", "key", "headers", "body", "stream", "idle", "clock"] {
        assert!(honest.of("ok").contains(check), "{check}: {honest:#?}");
    }
    collects.has("fault", "stream", "arrive at once");
    compresses.has("fault", "stream", "compressed (gzip)");
    swallows.has("fault", "stream", "swallows");
    hangs_up.has("fault", "idle", "within 10 s of silence");
    assert!(hangs_up.of("ok").contains("stream"));

    let (betas, bearer, api_key, body, date, mislead, parks) = tokio::join!(
        it(Habit::Strips("anthropic-beta")),
        it(Habit::Strips("authorization")),
        it(Habit::Strips("x-api-key")),
        it(Habit::TakesOnly(1 << 20)),
        it(Habit::Dates("Tue, 24 Nov 2020 13:51:37 GMT")),
        it(Habit::Misleads),
        it(Habit::Parks),
    );
    betas.has("fault", "headers", "anthropic-beta does not arrive");
    bearer.has("fault", "headers", "Authorization does not arrive");
    api_key.has("fault", "headers", "x-api-key does not arrive");
    body.has("fault", "body", "client_max_body_size");
    date.has("fault", "clock", "ahead of");
    mislead.has(
        "fault",
        "path-split",
        "a control plane answers where a data plane should",
    );
    parks.has("fault", "path-split", "answers with 404");
    parks.has("fault", "health", "no control plane");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_the_way_and_on_this_machine_is_found() {
    let gateway = Gateway::start().await;
    let url = gateway.data.http.clone();
    let dir = tempfile::tempdir().unwrap();
    let closed = format!("http://127.0.0.1:{}", free_port());
    let good = pki::pair(dir.path(), "good", "DNS:localhost", 90);
    let ending = pki::pair(dir.path(), "ending", "DNS:localhost", 3);
    let [at_good, at_ending] = [behind_tls(&good, &url).await, behind_tls(&ending, &url).await];
    let trusting = |pair: &pki::Pair| pair.certificate.display().to_string();
    let (for_good, for_ending) = (trusting(&good), trusting(&ending));
    let wrong_name = at_good.replace("localhost", "127.0.0.1");
    let trusting_good = [("SSL_CERT_FILE", for_good.as_str())];
    let trusting_ending = [("SSL_CERT_FILE", for_ending.as_str())];
    let (nobody, unnamed, trusted, distrusted, ends, named) = tokio::join!(
        gateway.doctor(&closed, &[]),
        gateway.doctor("https://gateway.invalid", &[]),
        gateway.doctor(&at_good, &trusting_good),
        gateway.doctor(&at_good, &trusting_ending),
        gateway.doctor(&at_ending, &trusting_ending),
        gateway.doctor(&wrong_name, &trusting_good),
    );
    nobody.has("fault", "reach", "nothing listens there");
    unnamed.has("fault", "reach", "cannot be resolved");
    trusted.is_healthy();
    distrusted.has("fault", "certificate", "nobody whom this machine trusts");
    ends.has("fault", "certificate", "expires in 2 days");
    named.has("fault", "certificate", "and not for 127.0.0.1");

    let (key, variable, elsewhere, proxy, authority) = tokio::join!(
        gateway.doctor(&url, &[("CCAG_KEY", "sk-ccag-unknown")]),
        gateway.doctor(&url, &[("ANTHROPIC_API_KEY", "sk-ant-other")]),
        gateway.doctor(&url, &[("CLAUDE_CODE_USE_BEDROCK", "1")]),
        gateway.doctor(&url, &[("HTTP_PROXY", "http://127.0.0.1:1")]),
        gateway.doctor(&url, &[("NODE_EXTRA_CA_CERTS", "/nowhere/ca.pem")]),
    );
    key.has("fault", "key", "not known here");
    variable.has("fault", "variables", "ANTHROPIC_API_KEY");
    elsewhere.has("fault", "variables", "CLAUDE_CODE_USE_BEDROCK");
    proxy.has("fault", "proxy", "NO_PROXY");
    authority.has("fault", "proxy", "/nowhere/ca.pem");

    let claude = gateway.home.path().join(".claude");
    std::fs::create_dir_all(&claude).unwrap();
    let write = |settings: serde_json::Value| {
        std::fs::write(claude.join("settings.json"), settings.to_string()).unwrap()
    };
    write(
        json!({"env": {"ANTHROPIC_BASE_URL": "https://other.example.com"}, "apiKeyHelper": "~/.claude/gone.sh"}),
    );
    let told = gateway.doctor(&url, &[]).await;
    told.has("fault", "settings", "other.example.com");
    told.has("fault", "settings", "gone.sh, which is not there");
    // What setup writes is used where nothing else is given.
    write(json!({"env": {"ANTHROPIC_BASE_URL": &url, "ANTHROPIC_AUTH_TOKEN": &gateway.key}}));
    let told = gateway.doctor(&url, &[("CCAG_KEY", "")]).await;
    told.is_healthy();
    assert!(told.of("ok").contains("key"), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_itself_knows_comes_along_for_admins() {
    let mut gateway = Gateway::start().await;
    let (url, token) = (gateway.data.http.clone(), gateway.token.clone());
    let session = [("CCAG_TOKEN", token.as_str())];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let admin = gateway.control.admin().await;
    let told = gateway.doctor(&url, &session).await;
    told.is_healthy();
    for check in [
        "session",
        "fleet",
        "versions",
        "backlog",
        "endpoints",
        "endpoint-rights",
        "secrets",
        "quarantine",
    ] {
        assert!(told.of("ok").contains(check), "{check}: {told:#?}");
    }
    for action in ["bedrock:CountTokens", "bedrock:ListFoundationModels"] {
        let denied = http
            .post(format!("{}/_sim/denied", gateway.sim.url()))
            .json(&json!({ "action": action }))
            .send();
        assert!(denied.await.unwrap().status().is_success());
    }
    let ends = json!({"name": "ends-soon", "expires_at": in_three_days()});
    admin.post("/admin/keys", &ends).await;
    let provider = json!({
        "name": "Corp", "issuer_url": format!("http://127.0.0.1:{}", free_port()), "client_id": "ccag", "enabled": true,
    });
    admin.post("/admin/idps", &provider).await;
    let told = gateway.doctor(&url, &session).await;
    told.has("warning", "endpoint-rights", "bedrock:CountTokens is not allowed");
    told.has(
        "fault",
        "endpoint-rights",
        "add bedrock:ListFoundationModels to the policy",
    );
    told.has("fault", "identity-provider", "Corp");
    told.has("warning", "expiry", "ends-soon");

    gateway.data.kill();
    let control = gateway.control.http.clone();
    wait_until("the data plane is gone", Duration::from_secs(60), || async {
        let fleet = admin.get("/admin/fleet").await;
        (fleet["replicas"][0]["connected"] == false).then_some(())
    })
    .await;
    let told = gateway.doctor(&control, &session).await;
    told.has("fault", "fleet", "none is connected");
    told.has(
        "fault",
        "path-split",
        "a control plane answers where a data plane should",
    );
}

/// As the admin API writes moments.
fn in_three_days() -> String {
    let at = time::OffsetDateTime::now_utc() + time::Duration::days(3);
    at.format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// A gateway behind TLS at `localhost`; its address.
async fn behind_tls(pair: &pki::Pair, to: &str) -> String {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let certificates = CertificateDer::pem_slice_iter(&read(&pair.certificate))
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read(&pair.key)).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = to.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (acceptor, to) = (acceptor.clone(), to.clone());
            tokio::spawn(async move {
                let Ok(mut near) = acceptor.accept(near).await else {
                    return;
                };
                let mut far = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    format!("https://localhost:{port}")
}
