//! The programs that are started, and ended with the benchmark.

use crate::Options;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// How long a program may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// An address for a program, which nobody else takes.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, ccag_free_port::reserve()?).into())
}

/// A program of ours.
pub(crate) fn program(options: &Options, name: &str) -> Result<PathBuf> {
    match &options.programs {
        Some(directory) => built(directory.join(name)),
        None => beside(name),
    }
}

/// A program of ours in the directory of this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    built(own.parent().context("a program in no directory")?.join(name))
}

fn built(path: PathBuf) -> Result<PathBuf> {
    ensure!(
        path.is_file(),
        "{} is not built: `cargo xtask bench` builds it",
        path.display()
    );
    Ok(path)
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with nothing of the environment but `PATH` and what the command says. What it says goes into a file.
    pub(crate) fn start(name: &str, command: &mut Command, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let wanted: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(wanted)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a URL answers that all is well, and says how long that took.
    pub(crate) async fn ready(&mut self, url: &str) -> Result<Duration> {
        let (started, http) = (Instant::now(), reqwest::Client::builder().no_proxy().build()?);
        loop {
            let answer = http.get(url).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(started.elapsed());
            }
            self.check(started).await?;
        }
    }

    /// Waits until it listens.
    pub(crate) async fn listens(&mut self, at: SocketAddr) -> Result<()> {
        let started = Instant::now();
        while tokio::net::TcpStream::connect(at).await.is_err() {
            self.check(started).await?;
        }
        Ok(())
    }

    async fn check(&mut self, started: Instant) -> Result<()> {
        let ended = self.child.try_wait()?;
        if ended.is_some() || started.elapsed() > PATIENCE {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            bail!("{} is not ready:\n{said}", self.name);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
