//! One child process: its output is kept and shown when a test fails, and it never outlives the test.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program of this workspace, built by `cargo xtask test` into the directory of the program under test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_ccag-standalone")).with_file_name(name);
    assert!(
        path.is_file(),
        "{} is not built: run through `cargo xtask test`",
        path.display()
    );
    path
}

/// A program, or the same one of the version that is upgraded from: those in `CCAG_OLDER_PROGRAMS`, where `cargo xtask upgrade`
/// has built them, and otherwise this version's.
pub(crate) fn binary_of(name: &str, older: bool) -> PathBuf {
    match std::env::var_os("CCAG_OLDER_PROGRAMS").filter(|_| older) {
        Some(dir) => PathBuf::from(dir).join(name),
        None => binary(name),
    }
}

/// A port that nobody listens on, and that is this test's.
pub(crate) fn free_port() -> u16 {
    ccag_free_port::reserve().unwrap()
}

/// Asks until the answer is there, and fails with `what` if it takes too long.
pub(crate) async fn wait_until<T, F>(what: &str, limit: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < limit, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) struct Process {
    name: String,
    child: Child,
    output: tempfile::NamedTempFile,
}

impl Process {
    /// Starts a program. Its environment is what the command says and `PATH`, nothing of the machine's.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let output = tempfile::NamedTempFile::new().unwrap();
        let append = || File::options().append(true).open(output.path()).unwrap();
        let child = clean(command)
            .stdin(Stdio::null())
            .stdout(append())
            .stderr(append())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child,
            output,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.output.path()).unwrap()).into_owned()
    }

    /// Asks `ready` until it says so. Fails at once if the process has ended.
    pub(crate) async fn until<F>(&mut self, what: &str, mut ready: impl FnMut() -> F)
    where
        F: Future<Output = bool>,
    {
        let started = Instant::now();
        while !ready().await {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended ({status}) before {what}:\n{}", self.name, self.output());
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{} took too long until {what}",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(
            sent.unwrap().success(),
            "cannot send SIG{signal} to {}",
            self.name
        );
    }

    /// Ends it without a chance to tidy up: `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                started.elapsed() < limit,
                "{} has not ended within {limit:?}",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Takes the machine's settings out of a command's environment, so that a developer's own AWS profile plays no part.
fn clean(command: &mut Command) -> &mut Command {
    let wanted: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(wanted)
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let output = self.output();
        if std::thread::panicking() {
            let lines: Vec<&str> = output.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("---- end of the output of {}:\n{tail}\n----", self.name);
        } else {
            assert!(
                !output.contains("panicked at"),
                "{} panicked:\n{output}",
                self.name
            );
        }
    }
}
