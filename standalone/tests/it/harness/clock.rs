//! A process whose wall clock jumps, by libfaketime; its monotonic clock goes on.

use std::path::{Path, PathBuf};

/// How far a process's clock is off. It ends with the test.
pub(crate) struct SteppedClock {
    offset: tempfile::NamedTempFile,
}

impl SteppedClock {
    pub(crate) fn new() -> Self {
        let clock = Self {
            offset: tempfile::NamedTempFile::new().unwrap(),
        };
        clock.set(0);
        clock
    }

    /// From now on, and for processes that start.
    pub(crate) fn set(&self, seconds: i64) {
        // It may be read at any time: never half of it.
        let new = self.offset.path().with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(new, self.offset.path()).unwrap();
    }

    /// What a process has to be started with.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library().display().to_string()),
            (
                "FAKETIME_TIMESTAMP_FILE",
                self.offset.path().display().to_string(),
            ),
            // It reads the file again after so many seconds, not with every look at the clock.
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Debian's package `faketime`, which `cargo xtask tools` installs.
fn library() -> PathBuf {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let path = Path::new(&multiarch).join("faketime/libfaketimeMT.so.1");
    assert!(
        path.is_file(),
        "{} is missing: run through `cargo xtask test`",
        path.display()
    );
    path
}
