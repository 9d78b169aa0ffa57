//! Everything that a measurement needs: Bedrock's stand-in, the thinnest proxy, a control plane and a data plane.

use crate::Options;
use crate::admin::{Admin, MODEL, Person};
use crate::programs::{Process, free_address, program};
use anyhow::{Context, Result};
use ccag_bench::client::{Client, Target};
use ccag_bench::cpu::Meter;
use ccag_proto::MAX_MESSAGE_BYTES;
use ccag_proto::v1::config_client::ConfigClient;
use ccag_proto::v1::usage_client::UsageClient;
use http::{HeaderName, HeaderValue};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tonic::Status;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";
const JOIN_TOKEN: &str = "a-join-token-of-a-benchmark-0123456789";
const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const KEY_ID: &str = "AKIDBENCH";
const SECRET: &str = "a-secret-that-opens-nothing";

/// Bedrock's own name of the model.
const ON_BEDROCK: &str = "us.anthropic.claude-sonnet-4-6";

/// A program that is measured.
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) meter: Meter,
    /// Ended with this.
    _process: Process,
    /// Where it tells how it is, if it does.
    ops: Option<SocketAddr>,
}

/// What a data plane counts itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) requests: u64,
    /// How often a request waited for the control plane, and how many messages about budgets and limits went to it.
    pub(crate) waits: u64,
    pub(crate) messages: u64,
}

pub(crate) struct Arena {
    /// Bedrock itself, for what latency there is without anybody between.
    pub(crate) bedrock: Target,
    pub(crate) null: Subject,
    pub(crate) gateway: Subject,
    /// The same data plane, asked by somebody whom nothing bounds.
    pub(crate) free: Target,
    _upstream: Process,
    control: Process,
    _files: TempDir,
}

/// A data plane, and how long it took until it was ready.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) ops: SocketAddr,
    pub(crate) after: Duration,
}

/// A control plane: where it is, for people and for data planes.
pub(crate) struct Control {
    pub(crate) process: Process,
    pub(crate) http: String,
    grpc: String,
}

/// The database that is asked for, or a new one.
pub(crate) fn database(given: Option<&str>, files: &Path) -> String {
    let new = || format!("sqlite://{}/control.db", files.display());
    given.map_or_else(new, str::to_owned)
}

impl Control {
    /// One for a measurement of data planes.
    pub(crate) async fn start(options: &Options, files: &Path) -> Result<Self> {
        let program = match &options.control_plane {
            Some(path) => path.clone(),
            None => program(options, "ccag-controlplane")?,
        };
        let database = database(options.database.as_deref(), files);
        Self::of(&program, &database, &options.out).await
    }

    /// Starts a program with a database.
    pub(crate) async fn of(program: &Path, database: &str, logs: &Path) -> Result<Self> {
        let (http, grpc, ops) = (free_address()?, free_address()?, free_address()?);
        let mut command = Command::new(program);
        command
            .env("CCAG_HTTP_LISTEN", http.to_string())
            .env("CCAG_GRPC_LISTEN", grpc.to_string())
            .env("CCAG_OPS_LISTEN", ops.to_string())
            .env("CCAG_PUBLIC_URL", format!("http://{http}"))
            .env("DATABASE_URL", database)
            .env("CCAG_MASTER_KEY", MASTER_KEY)
            .env("CCAG_JOIN_TOKEN", JOIN_TOKEN)
            .env("ADMIN_USERNAME", "admin")
            .env("ADMIN_PASSWORD", PASSWORD)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let mut process = Process::start("control-plane", &mut command, logs)?;
        process.ready(&format!("http://{ops}/readyz")).await?;
        Ok(Self {
            process,
            http: format!("http://{http}"),
            grpc: format!("http://{grpc}"),
        })
    }

    async fn channel(&self) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(self.grpc.clone())?.tcp_nodelay(true);
        Ok(endpoint.connect().await?)
    }

    /// A connection of its own, for the configuration.
    pub(crate) async fn config(&self) -> Result<ConfigClient<Joined>> {
        let client = ConfigClient::with_interceptor(self.channel().await?, Join);
        Ok(client.max_decoding_message_size(MAX_MESSAGE_BYTES))
    }

    /// A connection of its own, for records.
    pub(crate) async fn usage(&self) -> Result<UsageClient<Joined>> {
        Ok(UsageClient::with_interceptor(self.channel().await?, Join))
    }
}

/// Shows the join token with each call, as a data plane does.
#[derive(Debug, Clone)]
pub(crate) struct Join;

impl Interceptor for Join {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        let token = format!("Bearer {JOIN_TOKEN}").parse();
        let token = token.map_err(|_| Status::internal("the join token"))?;
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }
}

type Joined = InterceptedService<Channel, Join>;

/// The command that starts a program, by another one if there is one, which is given it with its own arguments.
fn started_under(under: &[String], program: &Path) -> Command {
    match under.split_first() {
        None => Command::new(program),
        Some((first, arguments)) => {
            let mut command = Command::new(first);
            command.args(arguments).arg(program);
            command
        }
    }
}

/// A data plane of a control plane. `under` is a program, with its arguments, that is given it to run.
pub(crate) async fn data_plane(
    options: &Options,
    control: &Control,
    bedrock: SocketAddr,
    data: &Path,
    under: &[String],
) -> Result<Started> {
    let (address, ops) = (free_address()?, free_address()?);
    let program = program(options, "ccag-dataplane")?;
    let mut command = started_under(under, &program);
    command
        .env("CCAG_HTTP_LISTEN", address.to_string())
        .env("CCAG_OPS_LISTEN", ops.to_string())
        .env("CCAG_CONTROL_PLANE", &control.grpc)
        .env("CCAG_JOIN_TOKEN", JOIN_TOKEN)
        .env("CCAG_DATA_DIR", data)
        .env("CCAG_REPLICA_NAME", "bench")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", format!("http://{bedrock}"));
    let mut process = Process::start("data-plane", &mut command, &options.out)?;
    let after = process.ready(&format!("http://{ops}/readyz")).await?;
    Ok(Started {
        process,
        address,
        ops,
        after,
    })
}

impl Arena {
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let files = TempDir::new()?;
        let bedrock = free_address()?;
        let mut upstream = Command::new(std::env::current_exe()?);
        upstream.args(["upstream", "--listen", &bedrock.to_string()]);
        let mut upstream = Process::start("upstream", &mut upstream, &options.out)?;
        upstream.listens(bedrock).await?;
        let control = Control::start(options, files.path()).await?;
        let admin = Admin::log_in(&control.http, PASSWORD).await?;
        let (bound, free) = (admin.person("governed").await?, admin.person("free").await?);
        admin.bind(&bound).await?;
        admin.endpoints(options.endpoints).await?;
        let null = null_proxy(options, bedrock).await?;
        let gateway = gateway(options, &control, bedrock, files.path(), &bound).await?;
        let free = Target {
            name: "nothing bounds",
            headers: key(&free)?,
            ..gateway.target.clone()
        };
        knows(&free).await?;
        Ok(Self {
            bedrock: Target {
                name: "bedrock",
                address: bedrock,
                path: format!("/model/{ON_BEDROCK}/invoke-with-response-stream"),
                model: ON_BEDROCK,
                headers: vec![(http::header::AUTHORIZATION, HeaderValue::from_static("none"))],
                is_bedrock: true,
            },
            null,
            gateway,
            free,
            _upstream: upstream,
            control: control.process,
            _files: files,
        })
    }
}

impl Arena {
    /// Gives the control plane only what nobody else wants of the processors (`SCHED_IDLE`, sched(7)): in production it has others,
    /// and a request waits up to a time slice for a processor on which it has just begun to take in records.
    pub(crate) fn stand_back(&self) -> Result<()> {
        let pid = self.control.pid().to_string();
        let done = Command::new("chrt")
            .args(["--all-tasks", "--idle", "--pid", "0", &pid])
            .output()
            .context("chrt, of util-linux, is needed")?;
        anyhow::ensure!(
            done.status.success(),
            "chrt: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }
}

/// The program and its arguments that counts the instructions of another, if they are wanted, and where it writes.
fn counted(options: &Options, name: &str) -> Result<(Vec<String>, Option<std::path::PathBuf>)> {
    if !options.instructions {
        return Ok((Vec::new(), None));
    }
    let dir = options.out.join("callgrind").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    let out = format!("--callgrind-out-file={}/profile", dir.display());
    // Without names in each part, those of the second part and later stand in the first one.
    let under = [
        "valgrind",
        "--tool=callgrind",
        "--compress-strings=no",
        "--compress-pos=no",
        &out,
    ];
    let under = under.map(str::to_owned).to_vec();
    Ok((under, Some(dir)))
}

async fn null_proxy(options: &Options, bedrock: SocketAddr) -> Result<Subject> {
    let address = free_address()?;
    let (under, dir) = counted(options, "null")?;
    let program = program(options, "ccag-null-proxy")?;
    let mut command = started_under(&under, &program);
    command
        .args([
            "--listen",
            &address.to_string(),
            "--bedrock",
            &format!("http://{bedrock}"),
        ])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    let mut process = Process::start("null-proxy", &mut command, &options.out)?;
    process.listens(address).await?;
    Ok(Subject {
        target: Target {
            name: "null proxy",
            address,
            path: "/v1/messages".to_owned(),
            model: ON_BEDROCK,
            headers: Vec::new(),
            is_bedrock: false,
        },
        meter: Meter::new(process.pid(), dir),
        _process: process,
        ops: None,
    })
}

async fn gateway(
    options: &Options,
    control: &Control,
    bedrock: SocketAddr,
    files: &Path,
    person: &Person,
) -> Result<Subject> {
    let (under, dir) = counted(options, "gateway")?;
    let started = data_plane(options, control, bedrock, &files.join("data"), &under).await?;
    let target = Target {
        name: "gateway",
        address: started.address,
        path: "/v1/messages".to_owned(),
        model: MODEL,
        headers: key(person)?,
        is_bedrock: false,
    };
    knows(&target).await?;
    Ok(Subject {
        target,
        meter: Meter::new(started.process.pid(), dir),
        _process: started.process,
        ops: Some(started.ops),
    })
}

fn key(person: &Person) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let secret = HeaderValue::from_str(&person.secret)?;
    Ok(vec![(HeaderName::from_static("x-api-key"), secret)])
}

/// Waits until the key is known.
async fn knows(target: &Target) -> Result<()> {
    let began = tokio::time::Instant::now();
    loop {
        let mut client = Client::connect(target, crate::load::SMALL).await?;
        match client.ask().await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > Duration::from_secs(30) => {
                return Err(error).context("the data plane does not take the key");
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

impl Subject {
    pub(crate) fn metered(&self) -> (&Target, &Meter) {
        (&self.target, &self.meter)
    }

    /// What it counts itself, since it started.
    pub(crate) async fn counters(&self) -> Result<Counters> {
        let ops = self.ops.context("only a data plane counts")?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let metrics = client.get(format!("http://{ops}/metrics")).send().await?;
        let metrics = metrics.error_for_status()?.text().await?;
        let sum = |name: &str| -> u64 {
            let lines = metrics.lines().filter(|line| line.starts_with(name));
            let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
            values.sum()
        };
        Ok(Counters {
            requests: sum("ccag_dataplane_requests_total"),
            waits: sum("ccag_dataplane_allowance_waits_total"),
            messages: sum("ccag_dataplane_allowance_messages_total"),
        })
    }
}
