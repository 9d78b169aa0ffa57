//! A PostgreSQL server for one test run: its own cluster in a temporary directory, reachable through a Unix socket only.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Makes a cluster, starts it, says `ready`, and stops it when its standard input closes. The kernel closes that pipe
/// however we end, so the server never outlives the run: not after an error, not after Ctrl-C, not after `kill -9`.
const KEEPER: &str = r#"
stop() { "$BIN/pg_ctl" -D data -m immediate -w stop >>log 2>&1; cd /; rm -rf "$DIR"; }
fail() { cat log; stop; exit 1; }
cd "$DIR" || exit 1
"$BIN/initdb" --no-sync --auth=trust --username=ccag --encoding=UTF8 -D data >log 2>&1 || fail
"$BIN/pg_ctl" -D data -l log -w start -o "-c fsync=off -c synchronous_commit=off -c full_page_writes=off \
  -c max_connections=300 -h '' -k '$DIR'" >>log 2>&1 || fail
echo ready
cat >/dev/null
stop
"#;

/// The running server. Dropping it stops it and deletes its files.
pub(crate) struct Postgres {
    dir: PathBuf,
    keeper: Child,
    lifeline: Option<ChildStdin>,
}

impl Postgres {
    /// Creates and starts a cluster. `initdb` refuses root, so as root everything runs as the user `postgres`.
    pub(crate) fn start() -> Result<Self> {
        let bin = bin_dir().context("PostgreSQL's `initdb` is not on this machine")?;
        // Not $TMPDIR: the path of a Unix socket is limited to about a hundred characters.
        let dir = tempfile::Builder::new()
            .prefix("ccag-pg")
            .tempdir_in("/tmp")?
            .keep();
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER])
            .env("BIN", bin)
            .env("DIR", &dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for us; the keeper then sees its pipe close.
            .process_group(0);
        if let Some((uid, gid)) = unprivileged_owner()? {
            std::os::unix::fs::chown(&dir, Some(uid), Some(gid))?;
            command.uid(uid).gid(gid);
        }
        let mut keeper = command.spawn().context("cannot run sh")?;
        let lifeline = keeper.stdin.take();
        let mut said = BufReader::new(keeper.stdout.take().context("no pipe")?).lines();
        match said.next().transpose()? {
            Some(line) if line == "ready" => Ok(Self {
                dir,
                keeper,
                lifeline,
            }),
            first => {
                let rest: Vec<String> = first.into_iter().chain(said.map_while(Result::ok)).collect();
                bail!("PostgreSQL does not start:\n{}", rest.join("\n"));
            }
        }
    }

    /// The URL of the cluster's maintenance database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://ccag@localhost/postgres?host={}", self.dir.display())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if let Err(error) = self.keeper.wait() {
            println!("PostgreSQL did not stop cleanly: {error}");
        }
    }
}

/// Where `initdb` is: on the path, or where Debian and its relatives keep it.
pub(crate) fn bin_dir() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    debian.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|dir| dir.join("initdb").is_file() && dir.join("pg_ctl").is_file())
}

/// The uid and gid of `postgres` when we are root, nothing otherwise.
fn unprivileged_owner() -> Result<Option<(u32, u32)>> {
    if !is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let line = ["postgres:", "nobody:"]
        .into_iter()
        .find_map(|user| passwd.lines().find(|line| line.starts_with(user)))
        .context("no unprivileged user to run PostgreSQL as")?;
    let mut fields = line.split(':').skip(2);
    let mut number = || {
        fields
            .next()
            .and_then(|f| f.parse().ok())
            .context("odd line in /etc/passwd")
    };
    Ok(Some((number()?, number()?)))
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_runs_until_it_is_dropped() {
        let server = Postgres::start().unwrap();
        let socket = server.dir.join(".s.PGSQL.5432");
        assert!(socket.exists(), "no socket at {}", socket.display());
        let dir = server.dir.clone();
        drop(server);
        assert!(!dir.exists(), "files stay behind in {}", dir.display());
    }
}
