//! The planes know each other by certificates, which are renewed while both run.

use crate::harness::{
    Authority, ControlPlane, DataPlane, JOIN_TOKEN, MODEL, Process, Sim, binary, database, free_port,
    wait_until,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long anything here may take: data planes come again within two seconds, and files are looked at once a second.
const LIMIT: Duration = Duration::from_secs(20);

/// A control plane that asks for certificates, and who signs them.
struct Planes {
    folder: tempfile::TempDir,
    clients: Authority,
    control: ControlPlane,
    url: String,
}

impl Planes {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("servers.crt"), servers.pem()).unwrap();
        std::fs::write(path("clients.crt"), clients.pem()).unwrap();
        let (cert, key) = servers.server(folder.path(), "control");
        let environment = [
            ("CCAG_GRPC_TLS_CERT", shown(&cert)),
            ("CCAG_GRPC_TLS_KEY", shown(&key)),
            ("CCAG_GRPC_CLIENT_CA", shown(&path("clients.crt"))),
        ];
        let control = ControlPlane::start_with("control", &database(), &environment).await;
        let url = control.grpc.replace("http://127.0.0.1", "https://localhost");
        Self {
            folder,
            clients,
            control,
            url,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a data plane is told that shows this certificate, if any.
    fn environment(&self, shows: Option<&(PathBuf, PathBuf)>) -> Vec<(&'static str, String)> {
        let mut environment = vec![("CCAG_GRPC_CA", shown(&self.path("servers.crt")))];
        if let Some((cert, key)) = shows {
            environment.push(("CCAG_GRPC_CLIENT_CERT", shown(cert)));
            environment.push(("CCAG_GRPC_CLIENT_KEY", shown(key)));
        }
        environment
    }

    /// Starts a data plane of which nobody knows whether it will be let in.
    fn knock(&self, environment: &[(&'static str, String)], token: &str) -> Knocking {
        let data = tempfile::tempdir().unwrap();
        let ops = free_port();
        let mut command = Command::new(binary("ccag-dataplane"));
        command
            .env("CCAG_HTTP_LISTEN", "127.0.0.1:0")
            .env("CCAG_OPS_LISTEN", format!("127.0.0.1:{ops}"))
            .env("CCAG_CONTROL_PLANE", &self.url)
            .env("CCAG_JOIN_TOKEN", token)
            .env("CCAG_DATA_DIR", data.path())
            .env("AWS_REGION", "us-east-1")
            .envs(environment.iter().cloned());
        Knocking {
            process: Process::start("knocking", &mut command),
            ops,
            _data: data,
        }
    }

    async fn control_says(&self, words: &[&str]) {
        says(self.control.process.as_ref().unwrap(), words).await;
    }

    async fn refusals(&self, reason: &str) -> u64 {
        let text = self.control.ops("/metrics", "*/*").await;
        let start = format!("ccag_control_data_planes_refused_total{{reason=\"{reason}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |count| count.parse().unwrap())
    }
}

struct Knocking {
    process: Process,
    ops: u16,
    _data: tempfile::TempDir,
}

impl Knocking {
    async fn is_ready(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/readyz", self.ops);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .get(url)
            .send()
            .await
            .is_ok_and(|reply| reply.status().is_success())
    }

    async fn comes_in(&self) {
        wait_until("it is let in", LIMIT, || async {
            self.is_ready().await.then_some(())
        })
        .await;
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Waits until one line has all the words.
async fn says(process: &Process, words: &[&str]) {
    wait_until(&format!("it says {words:?}"), LIMIT, || async {
        let output = process.output();
        let mut lines = output.lines();
        lines
            .any(|line| words.iter().all(|word| line.contains(word)))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_needs_a_certificate_of_the_authority_and_the_token_and_both_sides_say_what_is_wrong() {
    let planes = Planes::start().await;
    let folder = planes.folder.path();
    let sim = Sim::start().await;
    let good = planes.clients.client(folder, "dp-1");
    let environment = planes.environment(Some(&good));
    let let_in = DataPlane::start_at_with("let-in", &planes.url, &sim, &environment).await;
    let admin = planes.control.admin().await;
    let (_, secret) = admin.create_key("test").await;
    admin.fleet_of(1).await;
    assert!(let_in.client(&secret).stream(MODEL, "hello").await.is_complete());

    // Who has none.
    let none = planes.knock(&planes.environment(None), JOIN_TOKEN);
    says(
        &none.process,
        &["lets nobody in without a certificate", "CCAG_GRPC_CLIENT_CERT"],
    )
    .await;
    planes
        .control_says(&["from=127.0.0.1", "shows no certificate"])
        .await;
    assert!(!none.is_ready().await && planes.refusals("no_certificate").await > 0);

    // Whose certificate is no good: another authority's, an old one, one that is not for clients.
    let foreign = Authority::new("strangers").client(folder, "foreign");
    let expired = planes.clients.expired(folder, "expired");
    let server = planes.clients.server(folder, "server");
    for (shows, here, there) in [
        (&foreign, "authority that is not in", "of another authority"),
        (&expired, "it has expired", "has expired"),
        (&server, "not for clients", "clientAuth"),
    ] {
        let before = planes.refusals("certificate").await;
        let refused = planes.knock(&planes.environment(Some(shows)), JOIN_TOKEN);
        says(&refused.process, &["refused the certificate", here]).await;
        assert!(!refused.is_ready().await && planes.refusals("certificate").await > before);
        let name = shows.0.file_stem().unwrap().to_str().unwrap();
        // The same address is not complained of again and again: only the first one is sure to be in the log.
        if name == "foreign" {
            let subject = format!("subject=\"{name}\"");
            planes
                .control_says(&["from=127.0.0.1", &subject, "issuer=\"strangers\"", there])
                .await;
        }
    }

    // A certificate does not stand in for the token.
    let stranger = planes.knock(&environment, "another-token-0123456789");
    says(&stranger.process, &["refused the join token"]).await;
    assert!(!stranger.is_ready().await && planes.refusals("token").await > 0);

    // Who does not trust this control plane does not come in either, and it is heard of here.
    let mut wrong = environment.clone();
    wrong[0].1 = shown(&planes.path("clients.crt"));
    let distrusts = planes.knock(&wrong, JOIN_TOKEN);
    says(
        &distrusts.process,
        &["authority that is not trusted here", "CCAG_GRPC_CA"],
    )
    .await;
    planes.control_says(&["does not trust the certificate"]).await;
    admin.fleet_of(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_renewed_on_either_side_are_used_without_a_restart() {
    let planes = Planes::start().await;
    let folder = planes.folder.path();
    // A data plane's own.
    let expired = planes.clients.expired(folder, "dp-1");
    let renewing = planes.knock(&planes.environment(Some(&expired)), JOIN_TOKEN);
    says(&renewing.process, &["it has expired"]).await;
    says(
        &renewing.process,
        &["a certificate of the planes has expired", "2020-01-01"],
    )
    .await;
    assert_eq!(planes.clients.client(folder, "dp-1"), expired, "the same files");
    renewing.comes_in().await;
    says(&renewing.process, &["certificates have changed", "2040-01-01"]).await;
    // The authorities of data planes.
    let successor = Authority::new("successor");
    let new = successor.client(folder, "dp-2");
    let early = planes.knock(&planes.environment(Some(&new)), JOIN_TOKEN);
    says(&early.process, &["authority that is not in"]).await;
    let both = [planes.clients.pem(), successor.pem()].concat();
    std::fs::write(planes.path("clients.crt"), both).unwrap();
    early.comes_in().await;
    // The control plane's own, and whom data planes trust.
    let replaced = Authority::new("servers, the second");
    let _ = replaced.server(folder, "control");
    wait_until(
        "the control plane has read its new certificate",
        LIMIT,
        || async {
            // Who asks for metrics has the files looked at.
            let _ = planes.control.ops("/metrics", "*/*").await;
            let output = planes.control.process.as_ref().unwrap().output();
            let changes = output.matches("certificates have changed").count();
            (changes == 2).then_some(())
        },
    )
    .await;
    let late = planes.knock(&planes.environment(Some(&new)), JOIN_TOKEN);
    says(&late.process, &["authority that is not trusted here"]).await;
    std::fs::write(planes.path("servers.crt"), replaced.pem()).unwrap();
    late.comes_in().await;
    // Nobody who was in has been thrown out.
    planes.control.admin().await.fleet_of(3).await;
    for text in [
        planes.control.ops("/metrics", "*/*").await,
        reqwest::get(format!("http://127.0.0.1:{}/metrics", late.ops))
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    ] {
        for which in ["own", "authority"] {
            let series = format!("ccag_certificate_not_after_seconds{{certificate=\"{which}\"}} ");
            assert!(text.contains(&series), "{text}");
        }
        assert!(text.contains("{certificate=\"own\"} 2208988800"), "{text}");
    }
}
