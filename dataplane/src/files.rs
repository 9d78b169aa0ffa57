//! Small files that are replaced as a whole.

use std::io::{self, Write};
use std::path::Path;

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
