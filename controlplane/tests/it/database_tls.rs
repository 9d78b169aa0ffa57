//! The way to the database speaks TLS.

use crate::support::TestDb;
use ccag_controlplane::store::ConnectOptions;
use sea_orm::{ConnectionTrait, Database, DbErr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/aws/tests/it/pki/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../crates/aws/tests/it/pki/server.pem");
const KEY: &[u8] = include_bytes!("../../../crates/aws/tests/it/pki/server.key");

/// What a client of PostgreSQL says before it speaks TLS (PostgreSQL manual, "Message Formats", SSLRequest).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The database behind a server at `localhost` that turns everybody away who does not ask for TLS.
async fn behind_tls(db: &TestDb) -> url::Url {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE)
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut url = url::Url::parse(&db.url).unwrap();
    let far = url.clone();
    url.set_query(None);
    url.set_host(Some("localhost")).unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(carry(near, acceptor.clone(), far.clone()));
        }
    });
    url
}

async fn carry(mut near: TcpStream, acceptor: TlsAcceptor, far: url::Url) {
    let mut asked = [0; 8];
    if near.read_exact(&mut asked).await.is_err() || asked != SSL_REQUEST {
        return;
    }
    near.write_all(b"S").await.unwrap();
    let Ok(mut near) = acceptor.accept(near).await else {
        return;
    };
    let port = far.port().unwrap_or(5432);
    match far.query_pairs().find(|(name, _)| name == "host") {
        Some((_, dir)) => {
            let mut far = UnixStream::connect(format!("{dir}/.s.PGSQL.{port}"))
                .await
                .unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
        None => {
            let address = (far.host_str().unwrap(), port);
            let mut far = TcpStream::connect(address).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    }
}

async fn ask(url: &url::Url, mode: &str, root: Option<&str>) -> Result<(), DbErr> {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("sslmode", mode);
    if let Some(path) = root {
        url.query_pairs_mut().append_pair("sslrootcert", path);
    }
    let db = Database::connect(url.as_str()).await?;
    let answer = db.execute_unprepared("SELECT 1").await.map(|_| ());
    db.close().await?;
    answer
}

#[tokio::test]
async fn the_database_is_reached_by_tls_and_its_certificate_is_held_against_an_authority() {
    let db = TestDb::postgres().await;
    let url = behind_tls(&db).await;
    ask(&url, "require", None).await.unwrap();
    ask(&url, "verify-full", Some(CA)).await.unwrap();
    // By nobody that a machine would know.
    let unknown = ask(&url, "verify-full", None).await.unwrap_err().to_string();
    assert!(unknown.contains("certificate"), "{unknown}");
    // Without TLS this server says nothing.
    ask(&url, "disable", None).await.unwrap_err();
}

#[tokio::test]
async fn a_control_plane_starts_with_a_database_that_wants_tls() {
    let db = TestDb::postgres().await;
    let mut url = behind_tls(&db).await;
    url.query_pairs_mut()
        .append_pair("sslmode", "verify-full")
        .append_pair("sslrootcert", CA);
    let mut config = crate::support::config(&db);
    config.database = ConnectOptions::new(url);
    let plane = crate::support::Plane::start_with(config).await;
    let admin = plane.admin().await;
    assert_eq!(admin.get("/admin/teams").await.status, 200);
    plane.stop().await;
}
