//! Databases for tests: one each in the run's cluster, or a whole cluster for a test that stops it.

use super::provided;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Creates an empty database in the cluster of this test run and returns its URL.
pub(crate) fn database() -> String {
    let url = provided("CCAG_TEST_POSTGRES_URL");
    let socket = url
        .split_once("host=")
        .expect("the URL names a socket directory")
        .1;
    create(Path::new(socket))
}

/// Runs a statement in a database of [`database`].
pub(crate) fn execute(url: &str, sql: &str) {
    let done = Command::new(bin_dir().join("psql"))
        .args(["--quiet", "--dbname", url, "--command", sql])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Runs one of PostgreSQL's own programs.
pub(crate) fn postgres_tool(name: &str, arguments: &[&str]) {
    let done = Command::new(bin_dir().join(name))
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn create(socket: &Path) -> String {
    let name = create_named(socket);
    format!("postgres://ccag@localhost/{name}?host={}", socket.display())
}

fn create_named(socket: &Path) -> String {
    let name = format!("t{}_{}", std::process::id(), rand_suffix());
    let created = Command::new(bin_dir().join("psql"))
        .arg("--host")
        .arg(socket)
        .args([
            "--username",
            "ccag",
            "--dbname",
            "postgres",
            "--quiet",
            "--command",
        ])
        .arg(format!("CREATE DATABASE {name}"))
        .output()
        .unwrap();
    assert!(
        created.status.success(),
        "{}",
        String::from_utf8_lossy(&created.stderr)
    );
    name
}

fn rand_suffix() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn bin_dir() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    found.sort();
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|dir| dir.join("initdb").is_file())
        .expect("PostgreSQL is installed: run through `cargo xtask test`")
}

/// A server of a test's own, which it may stop.
pub(crate) struct Cluster {
    dir: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("ccag-pg")
            .tempdir_in("/tmp")
            .unwrap();
        if let Some((uid, gid)) = server_user() {
            std::os::unix::fs::chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let cluster = Self { dir };
        cluster.run(
            "initdb",
            &[
                "--no-sync",
                "--auth=trust",
                "--username=ccag",
                "--encoding=UTF8",
                "-D",
                "data",
            ],
        );
        cluster.resume();
        cluster
    }

    /// Creates a database and returns its URL.
    pub(crate) fn database(&self) -> String {
        create(self.dir.path())
    }

    /// Creates a database and returns its name.
    pub(crate) fn database_name(&self) -> String {
        create_named(self.dir.path())
    }

    /// Where the server listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join(".s.PGSQL.5432")
    }

    /// Stops the server at once, as a crash would: every connection breaks, new ones are refused.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["-D", "data", "-m", "immediate", "-w", "stop"]);
    }

    /// Starts the server again, with the data it had.
    pub(crate) fn resume(&self) {
        let options = format!("-c fsync=off -h '' -k {}", self.dir.path().display());
        self.run(
            "pg_ctl",
            &["-D", "data", "-l", "log", "-o", &options, "-w", "start"],
        );
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(bin_dir().join(program));
        command.args(arguments).current_dir(self.dir.path());
        if let Some((uid, gid)) = server_user() {
            command.uid(uid).gid(gid);
        }
        // The server inherits what it is given and keeps it open: a file, not a pipe that somebody waits for.
        let output = tempfile::NamedTempFile::new().unwrap();
        command
            .stdout(output.reopen().unwrap())
            .stderr(output.reopen().unwrap());
        let status = command.status().unwrap();
        let said = std::fs::read_to_string(output.path()).unwrap();
        assert!(status.success(), "{program}: {said}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = Command::new(bin_dir().join("pg_ctl"));
        command
            .args(["-D", "data", "-m", "immediate", "-w", "stop"])
            .current_dir(self.dir.path());
        if let Some((uid, gid)) = server_user() {
            command.uid(uid).gid(gid);
        }
        let _ = command.output();
    }
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`.
fn server_user() -> Option<(u32, u32)> {
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = line?.split(':').collect();
    root.then(|| (fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}
