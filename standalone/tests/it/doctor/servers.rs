//! `--check-config` of both planes, and of both in one process.

use super::hostile::{Habit, Hostile};
use super::{pki, run, with};
use crate::harness::{Authority, ControlPlane, JOIN_TOKEN, MASTER_KEY, Sim, database, execute, free_port};
use axum::Router;
use axum::routing::get;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tokio::net::TcpListener;

const CHECK: [&str; 2] = ["--check-config", "--json"];

type Variables = Vec<(&'static str, String)>;

/// A control plane's.
fn control(sim: &Sim, database: &str) -> Variables {
    let own = [
        ("CCAG_HTTP_LISTEN", "127.0.0.1:0"),
        ("CCAG_GRPC_LISTEN", "127.0.0.1:0"),
        ("CCAG_OPS_LISTEN", "127.0.0.1:0"),
        ("CCAG_PUBLIC_URL", "https://claude.example.com"),
        ("DATABASE_URL", database),
        ("CCAG_MASTER_KEY", MASTER_KEY),
        ("CCAG_JOIN_TOKEN", JOIN_TOKEN),
    ];
    with(&sim.environment(), &own)
}

/// A data plane's.
fn data(sim: &Sim, dir: &str, control: &str) -> Variables {
    let own = [
        ("CCAG_HTTP_LISTEN", "127.0.0.1:0"),
        ("CCAG_OPS_LISTEN", "127.0.0.1:0"),
        ("CCAG_DATA_DIR", dir),
        ("CCAG_CONTROL_PLANE", control),
        ("CCAG_JOIN_TOKEN", JOIN_TOKEN),
    ];
    with(&sim.environment(), &own)
}

fn closed() -> String {
    format!("127.0.0.1:{}", free_port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_planes_faults_are_found_one_by_one() {
    let sim = Sim::start().await;
    let database = database();
    let healthy = control(&sim, &database);
    let check = |changed: Vec<(&'static str, String)>| {
        let changed: Vec<_> = changed
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let variables = with(&healthy, &changed);
        async move { run("ccag-controlplane", &CHECK, &variables).await }
    };
    let one = |name: &'static str, value: &str| check(vec![(name, value.to_owned())]);

    // Before the first start there is nothing in the database, and nothing is put there.
    check(vec![]).await.is_healthy();
    let nodl = format!("nodl_{}", std::process::id());
    execute(
        &database,
        &format!("CREATE ROLE {nodl} LOGIN CONNECTION LIMIT 15"),
    );
    let as_nodl = database.replace("postgres://ccag@", &format!("postgres://{nodl}@"));
    let told = one("DATABASE_URL", &as_nodl).await;
    told.has("fault", "database-rights", "may not make tables");
    told.has(
        "fault",
        "database-connections",
        "up to 16 connections, and this user may have 15",
    );

    drop(ControlPlane::start("control", &database).await);
    check(vec![]).await.is_healthy();

    // One fault hides no other.
    let told = check(vec![
        ("CCAG_MASTER_KEY", String::new()),
        ("CCAG_JOIN_TOKEN", "short".into()),
        ("CCAG_SESSION_TTL_HOURS", "0".into()),
        ("CCAG_DRAIN_S", "soon".into()),
    ])
    .await;
    for words in [
        "CCAG_MASTER_KEY",
        "shorter than 16",
        "session_ttl_hours",
        "CCAG_DRAIN_S",
    ] {
        told.has("fault", "configuration", words);
    }
    assert_eq!(told.all().count(), 4, "{told:#?}");
    one("CCAG_MASTER_KEY", &MASTER_KEY.replace('0', "7")).await.has(
        "fault",
        "sealed-secrets",
        "cannot be opened",
    );
    let told = one("DATABASE_URL", &format!("postgres://ccag@{}/ccag", closed())).await;
    told.has("fault", "database", "nothing listens there");
    let told = one("DATABASE_URL", &database.replacen("/t", "/nonesuch_t", 1)).await;
    told.has("fault", "database", "CREATE DATABASE");
    one("DATABASE_URL", "sqlite:///proc/ccag.db")
        .await
        .has("fault", "database", "cannot be written to");
    one("CCAG_HTTP_LISTEN", "203.0.113.1:8080")
        .await
        .has("fault", "listen", "CCAG_HTTP_LISTEN");
    one("CCAG_PUBLIC_URL", "http://claude.example.com")
        .await
        .has("warning", "public-url", "not https");

    execute(
        &database,
        "INSERT INTO seaql_migrations VALUES ('m29990101_000001_later', 1)",
    );
    check(vec![])
        .await
        .has("warning", "migrations", "a newer version");
    execute(
        &database,
        "DELETE FROM seaql_migrations WHERE version LIKE 'm2026%_000036%'",
    );
    check(vec![])
        .await
        .has("fault", "migrations", "another line of versions");
    execute(&database, &format!("ALTER TABLE users OWNER TO {nodl}"));
    let told = one("DATABASE_URL", &as_nodl).await;
    assert!(
        told.of("fault").contains("database-rights") || told.of("fault").contains("database"),
        "{told:#?}"
    );
    execute(
        &database,
        &format!("DROP OWNED BY {nodl} CASCADE; DROP ROLE {nodl}"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_certificates_and_identity_providers_are_found() {
    let sim = Sim::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", dir.path().join("ccag.db").display());
    let healthy = control(&sim, &file);
    let tls = |pair: &pki::Pair, key: &pki::Pair| {
        let (pem, key) = (
            pair.certificate.display().to_string(),
            key.key.display().to_string(),
        );
        let variables = with(
            &healthy,
            &[("CCAG_GRPC_TLS_CERT", &pem), ("CCAG_GRPC_TLS_KEY", &key)],
        );
        async move { run("ccag-controlplane", &CHECK, &variables).await }
    };
    let good = pki::pair(dir.path(), "good", "DNS:localhost", 90);
    let ending = pki::pair(dir.path(), "ending", "DNS:localhost", 3);
    let soon = pki::pair(dir.path(), "soon", "DNS:localhost", 20);
    tls(&good, &good).await.is_healthy();
    tls(&ending, &ending)
        .await
        .has("fault", "grpc-certificate", "expires in 2 days");
    tls(&soon, &soon)
        .await
        .has("warning", "grpc-certificate", "expires in 19 days");
    tls(&good, &ending)
        .await
        .has("fault", "configuration", "is not the key of the certificate");

    let issuer = |issuer: &str| {
        let variables = with(&healthy, &[("OIDC_ISSUER", issuer), ("OIDC_CLIENT_ID", "ccag")]);
        async move { run("ccag-controlplane", &CHECK, &variables).await }
    };
    let told = issuer(&format!("http://{}", closed())).await;
    told.has("fault", "identity-provider", "cannot be read");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = format!("http://{}", listener.local_addr().unwrap());
    let document = json!({
        "issuer": "https://other.example.com", "authorization_endpoint": format!("{provider}/a"),
        "jwks_uri": format!("{provider}/k"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
    });
    let router = Router::new().route(
        "/.well-known/openid-configuration",
        get(move || async move { axum::Json(document) }),
    );
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    issuer(&provider)
        .await
        .has("fault", "identity-provider", "write the issuer exactly");
    serving.abort();
    assert!(!dir.path().join("ccag.db").exists(), "a check made the database");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_on_the_way_to_aws_are_found_by_both_planes() {
    let sim = Sim::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}", dir.path().join("ccag.db").display());
    let healthy = control(&sim, &file);
    let one = |name: &'static str, value: &str| {
        let variables = with(&healthy, &[(name, value)]);
        async move { run("ccag-controlplane", &CHECK, &variables).await }
    };
    one("AWS_REGION", "")
        .await
        .has("fault", "aws-region", "set AWS_REGION");
    one("AWS_REGION", "us-esat-1")
        .await
        .has("fault", "aws-region", "did you mean `us-east-1`");
    one("AWS_ACCESS_KEY_ID", "AKIDNOBODY").await.has(
        "fault",
        "aws-credentials",
        "does not know this access key",
    );
    one("AWS_SECRET_ACCESS_KEY", "wrong").await.has(
        "fault",
        "aws-credentials",
        "does not belong to the access key",
    );
    let variables = with(
        &healthy,
        &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
    );
    let told = run("ccag-controlplane", &CHECK, &variables).await;
    told.has("fault", "aws-credentials", "give the process credentials");
    let nowhere = format!("http://{}", closed());
    one("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &nowhere)
        .await
        .has("fault", "aws-reach", "cannot be reached");
    let late = Hostile::before(&sim.url(), "", Habit::Dates("Tue, 24 Nov 2020 13:51:37 GMT")).await;
    one("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &late.url)
        .await
        .has("fault", "clock", "ahead of");

    let data_dir = dir.path().join("data").display().to_string();
    let variables = data(&sim, &data_dir, &format!("http://{}", closed()));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for action in [
        "bedrock:InvokeModelWithResponseStream",
        "bedrock:ListInferenceProfiles",
    ] {
        let denied = http
            .post(format!("{}/_sim/denied", sim.url()))
            .json(&json!({ "action": action }))
            .send();
        assert!(denied.await.unwrap().status().is_success());
    }
    let missing = |action: &str| format!("{action} is not allowed on arn:aws:bedrock:us-east-1:");
    // Each plane needs what it calls, and no more.
    let told = run("ccag-controlplane", &CHECK, &healthy).await;
    told.has(
        "fault",
        "aws-permissions",
        &missing("bedrock:ListInferenceProfiles"),
    );
    assert!(!told.report.to_string().contains("InvokeModel"), "{told:#?}");
    let told = run("ccag-dataplane", &CHECK, &variables).await;
    told.has(
        "fault",
        "aws-permissions",
        &missing("bedrock:InvokeModelWithResponseStream"),
    );
    assert!(
        !told.report.to_string().contains("ListInferenceProfiles"),
        "{told:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_planes_faults_are_found_one_by_one() {
    let sim = Sim::start().await;
    let dir = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start("control", &database()).await;
    let folder = dir.path().join("data");
    let healthy = data(&sim, &folder.display().to_string(), &plane.grpc);
    let check = |changed: Vec<(&'static str, String)>, more: Vec<String>| {
        let changed: Vec<_> = changed
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let variables = with(&healthy, &changed);
        async move {
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            run("ccag-dataplane", &[&CHECK, more.as_slice()].concat(), &variables).await
        }
    };
    let one = |name: &'static str, value: &str| check(vec![(name, value.to_owned())], vec![]);
    check(vec![], vec![]).await.is_healthy();
    assert!(!folder.exists(), "a check made the data directory");
    let fleet = plane.admin().await.get("/admin/fleet").await;
    assert_eq!(fleet["replicas"], json!([]), "a check was seen as a data plane");

    one("CCAG_JOIN_TOKEN", "another-join-token-0123456789").await.has(
        "fault",
        "join-token",
        "turns this data plane away",
    );
    one("CCAG_CONTROL_PLANE", "")
        .await
        .has("fault", "configuration", "CCAG_CONTROL_PLANE");
    let told = one("CCAG_CONTROL_PLANE", &format!("http://{}", closed())).await;
    told.has("fault", "control-plane", "nothing listens there");
    one("CCAG_CONTROL_PLANE", &plane.http)
        .await
        .has("fault", "control-plane", "CCAG_GRPC_LISTEN");
    let told = one("CCAG_CONTROL_PLANE", "https://control.invalid:8082").await;
    told.has("fault", "control-plane", "cannot be resolved");
    let told = one("CCAG_CONTROL_PLANE", &plane.grpc.replace("http:", "https:")).await;
    told.has("fault", "control-plane", "does not speak TLS");
    one("CCAG_FORWARD_CONTROL", &plane.grpc)
        .await
        .has("fault", "forward-control", "CCAG_HTTP_LISTEN");
    one("CCAG_TELEMETRY_COLLECTORS", &format!("http://{}", closed()))
        .await
        .has("warning", "collectors", "nothing listens");

    let blocked = dir.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    one("CCAG_DATA_DIR", &blocked.display().to_string()).await.has(
        "fault",
        "data-directory",
        "it is no directory",
    );

    let small = dir.path().join("small.toml");
    std::fs::write(&small, "[spool]\nmax_bytes = 1048576\n").unwrap();
    std::fs::create_dir_all(folder.join("spool")).unwrap();
    std::fs::write(folder.join("spool/segment"), vec![0; 1_000_000]).unwrap();
    let told = check(vec![], vec!["--config".into(), small.display().to_string()]).await;
    told.has("fault", "spool", "are taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_is_not_to_be_trusted_is_found_and_gets_no_token() {
    let sim = Sim::start().await;
    let dir = tempfile::tempdir().unwrap();
    let check = |variables: Variables| async move { run("ccag-dataplane", &CHECK, &variables).await };
    let folder = dir.path().join("data").display().to_string();
    let good = pki::pair(dir.path(), "good", "DNS:localhost", 90);
    let ending = pki::pair(dir.path(), "ending", "DNS:localhost", 3);
    let start = async |pair: &pki::Pair| {
        let files = [
            ("CCAG_GRPC_TLS_CERT", pair.certificate.display().to_string()),
            ("CCAG_GRPC_TLS_KEY", pair.key.display().to_string()),
        ];
        ControlPlane::start_with("control", &database(), &files).await
    };
    let plane = start(&good).await;
    let port = plane.grpc.rsplit(':').next().unwrap().to_owned();
    let named = |host: &str, port: &str, ca: &pki::Pair| {
        let variables = data(&sim, &folder, &format!("https://{host}:{port}"));
        with(
            &variables,
            &[("CCAG_GRPC_CA", &ca.certificate.display().to_string())],
        )
    };
    check(named("localhost", &port, &good)).await.is_healthy();
    let told = check(named("127.0.0.1", &port, &good)).await;
    told.has(
        "fault",
        "control-plane-certificate",
        "is for localhost, and not for 127.0.0.1",
    );
    let told = check(named("localhost", &port, &ending)).await;
    told.has("fault", "control-plane-certificate", "set CCAG_GRPC_CA");
    assert!(told.of("skipped").contains("join-token"));
    let told = check(with(
        &named("localhost", &port, &good),
        &[("CCAG_GRPC_CA", "/nowhere.pem")],
    ))
    .await;
    told.has("fault", "configuration", "control.ca_file");

    let plane = start(&ending).await;
    let port = plane.grpc.rsplit(':').next().unwrap().to_owned();
    let told = check(named("localhost", &port, &ending)).await;
    told.has("fault", "control-plane-certificate", "expires in 2 days");
    assert!(!told.of("ok").contains("join-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_whose_certificate_is_not_taken_is_told_so() {
    let sim = Sim::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let written = |name: &str, authority: &Authority| {
        let path = dir.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        path.display().to_string()
    };
    let (cert, key) = servers.server(dir.path(), "control");
    let files = [
        ("CCAG_GRPC_TLS_CERT", cert.display().to_string()),
        ("CCAG_GRPC_TLS_KEY", key.display().to_string()),
        ("CCAG_GRPC_CLIENT_CA", written("clients.crt", &clients)),
    ];
    let plane = ControlPlane::start_with("control", &database(), &files).await;
    let url = plane.grpc.replace("http://127.0.0.1", "https://localhost");
    let variables = data(&sim, &dir.path().join("data").display().to_string(), &url);
    let variables = with(&variables, &[("CCAG_GRPC_CA", &written("servers.crt", &servers))]);
    let check = |shown: Option<(PathBuf, PathBuf)>| {
        let shown = shown.map(|(cert, key)| (cert.display().to_string(), key.display().to_string()));
        let variables = match &shown {
            None => variables.clone(),
            Some((cert, key)) => with(
                &variables,
                &[("CCAG_GRPC_CLIENT_CERT", cert), ("CCAG_GRPC_CLIENT_KEY", key)],
            ),
        };
        async move { run("ccag-dataplane", &CHECK, &variables).await }
    };
    check(Some(clients.client(dir.path(), "dp-1"))).await.is_healthy();
    let told = check(None).await;
    told.has("fault", "data-plane-certificate", "set CCAG_GRPC_CLIENT_CERT");
    assert!(told.of("skipped").contains("join-token"));
    let told = check(Some(servers.client(dir.path(), "dp-2"))).await;
    told.has("fault", "data-plane-certificate", "CCAG_GRPC_CLIENT_CA");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standalone_gateway_is_looked_at_as_a_whole_and_left_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    let place = folder.display().to_string();
    let arguments = [
        "--simulate",
        "--check-config",
        "--json",
        "--data-dir",
        &place,
        "--port",
        "0",
    ];
    let told = run("ccag-standalone", &arguments, &[]).await;
    told.is_healthy();
    let looked: BTreeSet<&str> = told.of("ok");
    for check in [
        "configuration",
        "listen",
        "database",
        "data-directory",
        "aws-permissions",
    ] {
        assert!(looked.contains(check), "{check}: {told:#?}");
    }
    assert!(!folder.exists(), "a check made the data directory");
    let told = run(
        "ccag-standalone",
        &arguments,
        &[("CCAG_MASTER_KEY", "short".into())],
    )
    .await;
    told.has("fault", "configuration", "CCAG_MASTER_KEY");
}
