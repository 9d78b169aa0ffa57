//! The gateway's own processes, in both of its forms.

use super::process::{Process, binary, binary_of, free_port};
use super::{Admin, Client, Sim};
use std::process::Command;
use std::time::Duration;

/// The model that tests ask for unless the model is the point.
pub(crate) const MODEL: &str = "claude-sonnet-4-6";

pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";
pub(crate) const JOIN_TOKEN: &str = "join-token-for-tests-0123456789abcdef";
pub(crate) const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Whether a URL answers that all is well.
pub(super) async fn answers(url: String) -> bool {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(url).timeout(Duration::from_secs(2)).send().await;
    response.is_ok_and(|r| r.status().is_success())
}

/// A control plane, and how to start it again.
pub(crate) struct ControlPlane {
    pub(crate) http: String,
    pub(crate) grpc: String,
    ops_port: u16,
    database: String,
    password: Option<&'static str>,
    name: String,
    environment: Vec<(&'static str, String)>,
    /// Whether it is of the version that is upgraded from.
    pub(crate) older: bool,
    pub(crate) process: Option<Process>,
}

impl ControlPlane {
    pub(crate) async fn start(name: &str, database: &str) -> Self {
        let mut plane = Self::new(name, database, Some(PASSWORD));
        plane.resume().await;
        plane
    }

    /// The same with more variables.
    pub(crate) async fn start_with(name: &str, database: &str, more: &[(&'static str, String)]) -> Self {
        let mut plane = Self::new(name, database, Some(PASSWORD));
        plane.environment = more.to_vec();
        plane.resume().await;
        plane
    }

    /// One that asks a simulated account.
    pub(crate) async fn start_asking(sim: &Sim, database: &str) -> Self {
        let mut plane = Self::new("control", database, Some(PASSWORD));
        plane.environment = sim.environment();
        plane.resume().await;
        plane
    }

    /// One that is not started yet. Without a password the first start makes one.
    pub(crate) fn new(name: &str, database: &str, password: Option<&'static str>) -> Self {
        Self {
            http: format!("http://127.0.0.1:{}", free_port()),
            grpc: format!("http://127.0.0.1:{}", free_port()),
            ops_port: free_port(),
            database: database.to_owned(),
            password,
            name: name.to_owned(),
            environment: Vec::new(),
            older: false,
            process: None,
        }
    }

    /// The same on another database.
    pub(crate) fn set_database(&mut self, database: &str) {
        database.clone_into(&mut self.database);
    }

    /// Ends it as an update does, and waits for that.
    pub(crate) async fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.terminate();
        let status = process.ended(Duration::from_secs(60)).await;
        assert_eq!(status.code(), Some(0), "{}", process.output());
    }

    /// The program with everything that it is told by its environment.
    fn command(&self, program: &std::path::Path) -> Command {
        let listen = |url: &str| url.trim_start_matches("http://").to_owned();
        let mut command = Command::new(program);
        command
            .env("CCAG_HTTP_LISTEN", listen(&self.http))
            .env("CCAG_GRPC_LISTEN", listen(&self.grpc))
            .env("CCAG_OPS_LISTEN", format!("127.0.0.1:{}", self.ops_port))
            .env("CCAG_PUBLIC_URL", &self.http)
            .env("DATABASE_URL", &self.database)
            .env("CCAG_MASTER_KEY", MASTER_KEY)
            .env("CCAG_JOIN_TOKEN", JOIN_TOKEN)
            .env("ADMIN_USERNAME", "admin")
            .envs(self.password.map(|password| ("ADMIN_PASSWORD", password)))
            .env("RUST_LOG", "info")
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs one of the operator's commands on the same database, and returns how it ended and what it wrote.
    pub(crate) async fn operate(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = tokio::process::Command::from(self.command(&binary("ccag-controlplane")));
        let output = command.args(arguments).output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    /// Starts the process on the ports it had, and waits until it is ready.
    pub(crate) async fn resume(&mut self) {
        let mut command = self.command(&binary_of("ccag-controlplane", self.older));
        let mut process = Process::start(&self.name, &mut command);
        let ready = format!("http://127.0.0.1:{}/readyz", self.ops_port);
        process.until("it is ready", || answers(ready.clone())).await;
        self.process = Some(process);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    pub(crate) async fn admin(&self) -> Admin {
        self.admin_with(PASSWORD).await
    }

    /// The same with a password of the test's own.
    pub(crate) async fn admin_with(&self, password: &str) -> Admin {
        Admin::log_in(&self.http, "admin", password).await
    }

    /// What its ops port answers.
    pub(crate) async fn ops(&self, path: &str, accept: &str) -> String {
        operator_gets(self.ops_port, path, accept).await
    }
}

/// What an ops port answers, in a format.
async fn operator_gets(port: u16, path: &str, accept: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client
        .get(format!("http://127.0.0.1:{port}{path}"))
        .header("accept", accept);
    let response = asked.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

/// A data plane, and how to start it again.
pub(crate) struct DataPlane {
    pub(crate) http: String,
    ops_port: u16,
    data_dir: tempfile::TempDir,
    control: String,
    environment: Vec<(&'static str, String)>,
    /// A program, with arguments, that is given the data plane to run; nothing to run it as it is.
    under: Vec<String>,
    name: String,
    /// Whether it is of the version that is upgraded from.
    pub(crate) older: bool,
    pub(crate) process: Option<Process>,
}

impl DataPlane {
    /// Starts a data plane of these control planes.
    pub(crate) async fn start(name: &str, control: &[&ControlPlane], sim: &Sim) -> Self {
        Self::start_with(name, control, sim, &[]).await
    }

    /// The same with more variables.
    pub(crate) async fn start_with(
        name: &str,
        control: &[&ControlPlane],
        sim: &Sim,
        more: &[(&'static str, String)],
    ) -> Self {
        Self::start_under(&[], name, control, sim, more).await
    }

    /// The same, run by another program, such as a profiler.
    pub(crate) async fn start_under(
        under: &[String],
        name: &str,
        control: &[&ControlPlane],
        sim: &Sim,
        more: &[(&'static str, String)],
    ) -> Self {
        let urls: Vec<&str> = control.iter().map(|plane| plane.grpc.as_str()).collect();
        Self::start_on(under, name, &urls.join(","), [&sim.environment(), more].concat()).await
    }

    /// Starts a data plane of the control planes at these addresses.
    pub(crate) async fn start_at(name: &str, control: &str, sim: &Sim) -> Self {
        Self::start_on(&[], name, control, sim.environment()).await
    }

    /// The same with more variables.
    pub(crate) async fn start_at_with(
        name: &str,
        control: &str,
        sim: &Sim,
        more: &[(&'static str, String)],
    ) -> Self {
        Self::start_on(&[], name, control, [&sim.environment(), more].concat()).await
    }

    async fn start_on(
        under: &[String],
        name: &str,
        control: &str,
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        let mut plane = Self {
            http: format!("http://127.0.0.1:{}", free_port()),
            ops_port: free_port(),
            data_dir: tempfile::tempdir().unwrap(),
            control: control.to_owned(),
            environment,
            under: under.to_vec(),
            name: name.to_owned(),
            older: false,
            process: None,
        };
        plane.resume().await;
        plane
    }

    /// Starts the process with the data and on the ports it had, and waits until it is ready.
    pub(crate) async fn resume(&mut self) {
        let program = binary_of("ccag-dataplane", self.older);
        let mut command = match self.under.split_first() {
            None => Command::new(program),
            Some((under, arguments)) => {
                let mut command = Command::new(under);
                command.args(arguments).arg(program);
                command
            }
        };
        command
            .env("CCAG_HTTP_LISTEN", self.http.trim_start_matches("http://"))
            .env("CCAG_OPS_LISTEN", format!("127.0.0.1:{}", self.ops_port))
            .env("CCAG_CONTROL_PLANE", &self.control)
            .env("CCAG_JOIN_TOKEN", JOIN_TOKEN)
            .env("CCAG_DATA_DIR", self.data_dir.path())
            .env("CCAG_REPLICA_NAME", &self.name)
            .env("RUST_LOG", "info")
            .envs(self.environment.iter().cloned());
        let mut process = Process::start(&self.name, &mut command);
        let ready = self.readiness();
        process.until("it is ready", || answers(ready.clone())).await;
        self.process = Some(process);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    pub(crate) const fn is_killed(&self) -> bool {
        self.process.is_none()
    }

    /// Where it says whether requests may come.
    pub(crate) fn readiness(&self) -> String {
        format!("http://127.0.0.1:{}/readyz", self.ops_port)
    }

    pub(crate) async fn is_ready(&self) -> bool {
        answers(self.readiness()).await
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    pub(crate) fn client(&self, secret: &str) -> Client {
        Client::new(&self.http, secret)
    }

    /// What its ops port answers.
    pub(crate) async fn ops(&self, path: &str, accept: &str) -> String {
        operator_gets(self.ops_port, path, accept).await
    }

    /// A metric of its own, by the name behind `ccag_dataplane_`.
    pub(crate) async fn metric(&self, name: &str) -> i64 {
        let text = self.ops("/metrics", "*/*").await;
        let start = format!("ccag_dataplane_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .parse()
            .unwrap()
    }

    /// Waits until its spool is empty, and says how many records were made, are in the ledger, and were put aside, in the
    /// life of the spool.
    pub(crate) async fn accounts(&self) -> [i64; 3] {
        while self.metric("usage_spooled").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(self.metric("usage_unaccounted").await, 0, "records got lost");
        [
            self.metric("usage_emitted_total").await,
            self.metric("usage_delivered_total").await,
            self.metric("usage_quarantined_total").await,
        ]
    }
}

/// Both planes in one process.
pub(crate) struct Standalone {
    pub(crate) url: String,
    pub(crate) data_dir: tempfile::TempDir,
    pub(crate) process: Process,
}

impl Standalone {
    /// Starts it with more arguments and variables than its address and data directory.
    pub(crate) async fn start(arguments: &[&str], environment: &[(&'static str, String)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments, environment).await
    }

    pub(crate) async fn start_in(
        data_dir: tempfile::TempDir,
        arguments: &[&str],
        environment: &[(&'static str, String)],
    ) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(binary("ccag-standalone"));
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(data_dir.path())
            .env("PROXY_PORT", port.to_string())
            .envs(environment.iter().cloned());
        let mut process = Process::start("ccag-standalone", &mut command);
        let health = format!("{url}/health");
        process.until("it is healthy", || answers(health.clone())).await;
        Self {
            url,
            data_dir,
            process,
        }
    }

    pub(crate) async fn admin(&self) -> Admin {
        Admin::log_in(&self.url, "admin", PASSWORD).await
    }
}

/// A standalone gateway with a simulator of the test's own behind it, and a key.
pub(crate) struct Started {
    pub(crate) gateway: Standalone,
    pub(crate) sim: Sim,
    pub(crate) admin: Admin,
    pub(crate) secret: String,
    pub(crate) client: Client,
}

pub(crate) async fn standalone() -> Started {
    standalone_logging("info").await
}

/// The same with another choice of log lines.
pub(crate) async fn standalone_logging(filter: &str) -> Started {
    let sim = Sim::start().await;
    let mut environment = sim.environment();
    environment.push(("ADMIN_PASSWORD", PASSWORD.to_owned()));
    environment.push(("RUST_LOG", filter.to_owned()));
    let gateway = Standalone::start(&[], &environment).await;
    let admin = gateway.admin().await;
    let (_, secret) = admin.create_key("test").await;
    let client = Client::new(&gateway.url, &secret);
    super::wait_until("the key works", Duration::from_secs(5), || async {
        let reply = client.send(&super::message(MODEL, "hello")).await;
        (reply.status == 200).then_some(())
    })
    .await;
    sim.clear();
    Started {
        gateway,
        sim,
        admin,
        secret,
        client,
    }
}
