//! What a process has in memory, as the kernel counts it (proc_pid_status(5)).

/// One process.
#[derive(Debug)]
pub(crate) struct Resident {
    pid: u32,
}

impl Resident {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// Bytes that it has now.
    pub(crate) fn now(&self) -> u64 {
        self.line("VmRSS:")
    }

    /// The most that it has had since [`Resident::forget_peak`].
    pub(crate) fn peak(&self) -> u64 {
        self.line("VmHWM:")
    }

    /// Begins to look for the most anew (proc_pid_clear_refs(5)).
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").unwrap();
    }

    fn line(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kilobytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kilobytes * 1_024
    }
}
