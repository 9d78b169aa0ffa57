//! The configuration of both planes, completed so that nothing has to be set.

use crate::args::Args;
use anyhow::{Context, Result};
use bedrock_sim::Sim;
use ccag_aws::{AwsCredentials, AwsSettings};
use ccag_controlplane::ControlPlaneConfig;
use ccag_daemon::{ConnectionLimits, OsRng, SharedRegistry};
use ccag_dataplane::{ControlLink, DataPlaneConfig};
use ccag_domain::Rng;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tonic::transport::Channel;

/// What reading the settings may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Make the data directory and the master key, where there are none.
    Disk,
    /// Nothing is made: a master key that there is not yet is another one each time.
    Nothing,
}

/// What both planes run with.
pub(crate) struct Settings {
    control: ControlPlaneConfig,
    data: DataPlaneConfig,
    /// What client connections may take.
    pub(crate) connections: ConnectionLimits,
    /// How long open streams may go on after a stop.
    pub(crate) drain: Duration,
    /// Where operators connect, if they were given a port of their own.
    pub(crate) ops_listen: Option<SocketAddr>,
    /// Where people reach the gateway.
    pub(crate) url: String,
    /// What both planes run with, without secrets.
    pub(crate) dump: serde_json::Value,
}

impl Settings {
    /// Reads the environment, with the data directory's database and master key where it says nothing of them.
    pub(crate) fn load(args: &Args, listening: SocketAddr, touch: Touch) -> Result<Self> {
        let dir = args.data_dir();
        if touch == Touch::Disk {
            create_private_dir(&dir).with_context(|| {
                format!(
                    "cannot use the data directory {}; choose another with --data-dir",
                    dir.display()
                )
            })?;
        }
        let mut vars: HashMap<String, String> = std::env::vars().collect();
        let set = |vars: &HashMap<String, String>, name: &str| {
            [name.to_owned(), format!("{name}_FILE")]
                .iter()
                .any(|n| vars.get(n).is_some_and(|v| !v.is_empty()))
        };
        if !set(&vars, "DATABASE_URL") && !set(&vars, "DATABASE_HOST") {
            let file = std::path::absolute(dir.join("ccag.db"))?;
            vars.insert("DATABASE_URL".into(), format!("sqlite://{}", file.display()));
        }
        if !set(&vars, "CCAG_MASTER_KEY") {
            vars.insert(
                "CCAG_MASTER_KEY".into(),
                master_key(&dir.join("master.key"), touch)?,
            );
        }
        let url = match vars.get("CCAG_PUBLIC_URL").filter(|url| !url.is_empty()) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => local_url(listening),
        };
        vars.insert("CCAG_PUBLIC_URL".into(), url.clone());
        vars.insert(
            "CCAG_DATA_DIR".into(),
            dir.join("dataplane").display().to_string(),
        );
        // The planes meet in memory: these only satisfy the checks that two processes need.
        vars.insert("CCAG_JOIN_TOKEN".into(), "in-one-process-unused".into());
        vars.insert("CCAG_CONTROL_PLANE".into(), "http://127.0.0.1".into());
        vars.insert("CCAG_GRPC_LISTEN".into(), "127.0.0.1:0".into());
        let ops_listen = vars.get("CCAG_OPS_LISTEN").filter(|address| !address.is_empty());
        let ops_listen = ops_listen
            .map(|address| {
                address
                    .parse()
                    .context("CCAG_OPS_LISTEN is not an address and a port")
            })
            .transpose()?;
        let control = ccag_controlplane::config::load_from(None, &vars)?;
        let data = ccag_dataplane::config::load_from(None, &vars)?;
        let mut control_plane = control.plane;
        control_plane.join_token = None;
        control_plane.bootstrap.first_key = true;
        control_plane.otlp.counts = data.plane.otlp.counts.clone();
        Ok(Self {
            control: control_plane,
            data: data.plane,
            connections: data.connections,
            drain: data.drain,
            ops_listen,
            url,
            dump: serde_json::json!({
                "control_plane": control.dump,
                "data_plane": data.dump,
            }),
        })
    }

    /// The metrics of the way to an OpenTelemetry collector, if there is one.
    pub(crate) fn otlp_registry(&self) -> Option<SharedRegistry> {
        self.data.otlp.registry()
    }

    /// The control plane's configuration.
    pub(crate) fn control_plane(&self, sim: Option<&Sim>) -> ControlPlaneConfig {
        let mut config = self.control.clone();
        if let Some(sim) = sim {
            config.aws = simulated(sim);
        }
        config
    }

    /// The data plane's configuration without a control plane, to look at the rest of it.
    pub(crate) fn data_plane_alone(&self, sim: Option<&Sim>) -> DataPlaneConfig {
        let mut config = self.data.clone();
        config.control = ControlLink::Url {
            urls: Vec::new(),
            join_token: None,
            certificates: None,
        };
        if let Some(sim) = sim {
            config.aws = simulated(sim);
        }
        config
    }

    /// The data plane's configuration, once there is a way to the control plane.
    pub(crate) fn data_plane(&self, channel: Channel, sim: Option<&Sim>) -> DataPlaneConfig {
        let mut config = self.data.clone();
        config.control = ControlLink::Channel(channel);
        if let Some(sim) = sim {
            config.aws = simulated(sim);
        }
        config
    }
}

/// How both planes reach the simulator instead of AWS.
fn simulated(sim: &Sim) -> AwsSettings {
    AwsSettings {
        region: Some("us-east-1".into()),
        runtime_url: Some(sim.base_url()),
        control_url: Some(sim.base_url()),
        quotas_url: Some(sim.base_url()),
        sns_url: Some(sim.base_url()),
        events_url: Some(sim.base_url()),
        secrets_url: Some(sim.base_url()),
        mantle_url: Some(sim.mantle_url()),
        kms_url: Some(sim.base_url()),
        sts_url: Some(sim.base_url()),
        bearer_token: None,
        credentials: AwsCredentials::Static {
            access_key_id: "AKIASIMULATED".into(),
            secret_access_key: "simulated".to_owned().into(),
        },
    }
}

/// How a person on this machine reaches the port.
fn local_url(listening: SocketAddr) -> String {
    let ip = listening.ip();
    match (ip.is_unspecified(), ip.is_ipv6()) {
        (true, _) => format!("http://127.0.0.1:{}", listening.port()),
        (false, true) => format!("http://[{ip}]:{}", listening.port()),
        (false, false) => format!("http://{ip}:{}", listening.port()),
    }
}

/// The master key of this data directory, made at the first start and readable by its owner alone.
fn master_key(path: &Path, touch: Touch) -> Result<String> {
    if let Ok(key) = std::fs::read_to_string(path) {
        return Ok(key.trim().to_owned());
    }
    let mut bytes = [0u8; 32];
    OsRng.fill(&mut bytes);
    let key = hex::encode(bytes);
    if touch == Touch::Nothing {
        return Ok(key);
    }
    write_private(path, &key)
        .with_context(|| format!("cannot write the master key to {}", path.display()))?;
    Ok(key)
}

#[cfg(unix)]
fn create_private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn create_private_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_a_browser_on_this_machine_can_open() {
        let url = |address: &str| local_url(address.parse().unwrap());
        assert_eq!(url("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(url("[::1]:80"), "http://[::1]:80");
        assert_eq!(url("192.168.1.5:8080"), "http://192.168.1.5:8080");
    }

    #[test]
    fn a_check_makes_no_master_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        assert_eq!(master_key(&path, Touch::Nothing).unwrap().len(), 64);
        assert!(!path.exists());
    }

    #[test]
    fn the_master_key_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let key = master_key(&path, Touch::Disk).unwrap();
        assert_eq!(key.len(), 64);
        assert_eq!(master_key(&path, Touch::Disk).unwrap(), key);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
}
