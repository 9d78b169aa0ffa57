//! Folders: whether one may write there, and how much there is room for.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

/// Tries to write into a folder. What is written is taken away again at once.
///
/// # Errors
/// Whatever the file system says.
pub fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".ccag-check-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    drop(file);
    std::fs::remove_file(&path)
}

/// The folder itself, or the nearest one above it that is there: where it would be made.
#[must_use]
pub fn nearest(folder: &Path) -> PathBuf {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let above = whole.ancestors().find(|path| path.is_dir());
    above.unwrap_or(Path::new("/")).to_owned()
}

/// How many bytes may still be written to the file system that a folder is on.
///
/// # Errors
/// Whatever the file system says.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let told = rustix::fs::statvfs(folder)?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}

/// How many bytes the files of a folder take.
///
/// # Errors
/// Whatever the file system says.
pub fn used_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0u64;
    for entry in std::fs::read_dir(folder)? {
        let about = entry?.metadata()?;
        bytes = bytes.saturating_add(if about.is_file() { about.len() } else { 0 });
    }
    Ok(bytes)
}

/// Bytes for people.
#[must_use]
pub fn readable(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_, size)| bytes >= *size);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(name, size)| format!("{} {name}", bytes / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        try_to_write(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(free_bytes(dir.path()).unwrap() > 0);
        assert_eq!(nearest(&dir.path().join("a/b")), dir.path());
        std::fs::write(dir.path().join("one"), [0; 10]).unwrap();
        assert_eq!(used_bytes(dir.path()).unwrap(), 10);
        assert!(try_to_write(&dir.path().join("a")).is_err());
        assert_eq!(readable(3 << 30), "3 GiB");
    }
}
