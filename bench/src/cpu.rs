//! What a process has used: nanoseconds on a CPU by the scheduler's own account, instructions by callgrind's, and memory by the
//! kernel's.

use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How use is measured, of one process.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    /// Where callgrind writes, if it is that which counts.
    callgrind: Option<PathBuf>,
}

/// What a process has used up to a moment.
#[derive(Debug)]
pub struct Mark(HashMap<String, u64>);

impl Meter {
    /// `callgrind` is the directory that the process writes its profiles to.
    #[must_use]
    pub fn new(pid: u32, callgrind: Option<PathBuf>) -> Self {
        Self { pid, callgrind }
    }

    /// Begins to measure.
    ///
    /// # Errors
    /// If the process has ended, or callgrind does not answer.
    pub fn mark(&self) -> Result<Mark> {
        if self.callgrind.is_some() {
            self.callgrind_control("--zero")?;
            return Ok(Mark(HashMap::new()));
        }
        Ok(Mark(self.threads()?))
    }

    /// What was used since. A profile of it gets this name.
    ///
    /// # Errors
    /// If the process has ended, or callgrind does not answer.
    pub fn since(&self, mark: &Mark, name: &str) -> Result<u64> {
        let Some(dir) = &self.callgrind else {
            let used = |(thread, now): (String, u64)| now - mark.0.get(&thread).copied().unwrap_or(0);
            return Ok(self.threads()?.into_iter().map(used).sum());
        };
        self.callgrind_control("--dump=block")?;
        instructions(dir, name)
    }

    /// Each thread's time on a CPU, in nanoseconds: the first number of its `schedstat` (proc_pid_schedstat(5)).
    fn threads(&self) -> Result<HashMap<String, u64>> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        let tasks = tasks.context("the process has ended, or this is not Linux")?;
        let time = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            let time = text.split_whitespace().next()?.parse().ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), time))
        };
        Ok(tasks.flatten().filter_map(time).collect())
    }

    /// Resident memory, in bytes: `VmRSS` of proc_pid_status(5).
    ///
    /// # Errors
    /// If the process has ended.
    pub fn resident(&self) -> Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("no VmRSS")?.trim().parse::<u64>()? * 1_024)
    }

    fn callgrind_control(&self, what: &str) -> Result<()> {
        let pid = self.pid.to_string();
        let output = Command::new("callgrind_control").args([what, &pid]).output();
        let is_done = output.context("callgrind_control, of valgrind")?.status.success();
        ensure!(is_done, "callgrind_control {what} {pid} failed");
        Ok(())
    }
}

/// The instructions of the profile that was just written, which is kept under a name: `profile.` with its number, beside the
/// empty `profile` that is for the end of the process.
fn instructions(dir: &Path, name: &str) -> Result<u64> {
    let mut files = std::fs::read_dir(dir)?.flatten().map(|file| file.path());
    let new = files.find(|path| path.extension().is_some());
    let new = new.context("callgrind has written no profile")?;
    let text = std::fs::read_to_string(&new)?;
    let sum = text.lines().find_map(|line| line.strip_prefix("summary: "));
    std::fs::rename(&new, dir.join(name))?;
    Ok(sum.context("a profile without a sum")?.trim().parse()?)
}
