//! What a process has used: nanoseconds on a CPU by the scheduler's own account, or instructions by callgrind's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How use is measured, of one process.
#[derive(Debug)]
pub(crate) struct Meter {
    pid: u32,
    /// Where callgrind writes, if it is that which counts.
    callgrind: Option<PathBuf>,
}

/// What a process has used up to a moment.
#[derive(Debug)]
pub(crate) struct Mark(HashMap<String, u64>);

impl Meter {
    /// `callgrind` is the directory that the process writes its profiles to.
    pub(crate) fn new(pid: u32, callgrind: Option<PathBuf>) -> Self {
        Self { pid, callgrind }
    }

    /// Begins to measure.
    pub(crate) fn mark(&self) -> Mark {
        if self.callgrind.is_some() {
            self.callgrind_control("--zero");
            return Mark(HashMap::new());
        }
        Mark(self.threads())
    }

    /// What was used since. A profile of it gets this name.
    pub(crate) fn since(&self, mark: &Mark, name: &str) -> u64 {
        let Some(dir) = &self.callgrind else {
            let used = |(thread, now): (String, u64)| now - mark.0.get(&thread).copied().unwrap_or(0);
            return self.threads().into_iter().map(used).sum();
        };
        self.callgrind_control("--dump=block");
        instructions(dir, name)
    }

    /// Each thread's time on a CPU, in nanoseconds: the first number of its `schedstat` (proc_pid_schedstat(5)).
    fn threads(&self) -> HashMap<String, u64> {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", self.pid)).expect("the process runs, on Linux");
        let time = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            let time = text.split_whitespace().next()?.parse().ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), time))
        };
        tasks.flatten().filter_map(time).collect()
    }

    fn callgrind_control(&self, what: &str) {
        let pid = self.pid.to_string();
        let output = Command::new("callgrind_control").args([what, &pid]).output();
        assert!(output.expect("valgrind is installed").status.success());
    }
}

/// The instructions of the profile that was just written, which is kept under a name: `profile.` with its number, beside the
/// empty `profile` that is for the end of the process.
fn instructions(dir: &Path, name: &str) -> u64 {
    let mut files = std::fs::read_dir(dir).unwrap().flatten().map(|file| file.path());
    let new = files.find(|path| path.extension().is_some());
    let new = new.expect("callgrind has written a profile");
    let text = std::fs::read_to_string(&new).unwrap();
    let sum = text.lines().find_map(|line| line.strip_prefix("summary: "));
    std::fs::rename(&new, dir.join(name)).unwrap();
    sum.unwrap().trim().parse().unwrap()
}
