//! Small files that are replaced as a whole.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes` so that a reader, or the next start after a crash, finds the old or the new content, never
/// a mixture. The file is readable by its owner only.
///
/// # Errors
/// Whatever the file system says.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_data()?;
    }
    std::fs::rename(&temporary, path)
}

/// A small file that is replaced many times a second, for the next run of a process that may be killed at any moment. It is not
/// for machines that lose power: nothing is waited for.
#[derive(Debug)]
pub(crate) struct Rewritten {
    path: PathBuf,
    /// The file as it was opened last, and how long it is.
    open: Option<(File, usize)>,
}

/// What is written within a page at once is there as a whole or not at all, whatever becomes of the process.
const PAGE: usize = 4_096;

impl Rewritten {
    /// The file at `path`, which need not be there.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Whether it is there.
    pub(crate) fn is_there(&self) -> bool {
        self.open.is_some() || self.path.exists()
    }

    /// Replaces what is in it. Shorter text is followed by blanks.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn write(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        if let Some((file, length)) = &mut self.open
            && bytes.len() <= PAGE
        {
            bytes.resize(bytes.len().max(*length), b' ');
            *length = bytes.len();
            return overwrite(file, &bytes).inspect_err(|_| self.open = None);
        }
        self.open = None;
        write_atomic(&self.path, &bytes, false)?;
        if bytes.len() <= PAGE {
            let file = File::options().write(true).open(&self.path)?;
            self.open = Some((file, bytes.len()));
        }
        Ok(())
    }

    /// Removes it; it may be gone already.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.open = None;
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Writes over the beginning of a file, in one go.
fn overwrite(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.rewind()?;
    match file.write(bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "only a part was written",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_again_and_again_is_the_last_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = Rewritten::new(path.clone());
        assert!(!file.is_there());
        for text in ["[1, 2, 3]", "[4]", "[5, 6, 7, 8, 9, 10]"] {
            file.write(text.into()).unwrap();
            let read = std::fs::read_to_string(&path).unwrap();
            assert_eq!(read.trim_end(), text);
        }
        let long = "x".repeat(3 * PAGE);
        file.write(long.clone().into()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), long);
        file.write(b"y".to_vec()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "y");
        file.remove().unwrap();
        file.remove().unwrap();
        assert!(!file.is_there() && !path.exists());
        file.write(b"z".to_vec()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "z");
    }
}
