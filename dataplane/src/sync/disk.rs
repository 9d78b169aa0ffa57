//! What a data plane keeps so that it can start while the control plane is gone: the last snapshot, when the control plane
//! was last heard of, and its own id.

use super::apply::{self, Applied};
use super::view::ConfigView;
use crate::files::write_atomic;
use ccag_domain::{Clock, ReplicaId, Rng, UnixMs};
use ccag_proto::v1;
use prost::Message;
use std::io;
use std::path::{Path, PathBuf};

/// What the file starts with; the last character is the version of the format. A checksum (four bytes, little-endian) and
/// the message follow.
const MAGIC: &[u8; 8] = b"CCAGSNP1";

/// The files of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    dir: PathBuf,
}

impl Disk {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn snapshot_path(&self) -> PathBuf {
        self.dir.join("snapshot.bin")
    }

    /// Writes the view.
    pub(crate) fn save(&self, view: &ConfigView) -> io::Result<()> {
        let message = v1::Snapshot {
            epoch: view.epoch().to_owned(),
            revision: view.revision().0,
            objects: view.objects().into_iter().map(Into::into).collect(),
        };
        let payload = message.encode_to_vec();
        let mut bytes = Vec::with_capacity(payload.len() + 12);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        bytes.extend_from_slice(&payload);
        write_atomic(&self.snapshot_path(), &bytes, true)
    }

    /// Reads the last view back. A damaged file is as good as none: it is reported and left out.
    pub(crate) fn load(&self) -> Option<ConfigView> {
        let path = self.snapshot_path();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "the saved configuration cannot be read");
                return None;
            }
        };
        let Some(Applied { view, .. }) = decode(&bytes).map(apply::snapshot) else {
            tracing::error!(path = %path.display(), "the saved configuration is damaged and not used");
            return None;
        };
        Some(view)
    }

    /// Remembers when the control plane was last heard of.
    pub(crate) fn save_contact(&self, at: UnixMs) -> io::Result<()> {
        write_atomic(
            &self.dir.join("last-contact"),
            format!("{at}\n").as_bytes(),
            false,
        )
    }

    /// When the control plane was last heard of; never later than `now`, should the clock have gone back.
    pub(crate) fn load_contact(&self, now: UnixMs) -> Option<UnixMs> {
        let text = std::fs::read_to_string(self.dir.join("last-contact")).ok()?;
        Some(text.trim().parse::<UnixMs>().ok()?.min(now))
    }

    /// This data plane's id: made once, kept in the directory.
    pub(crate) fn replica_id(&self, clock: &dyn Clock, rng: &dyn Rng) -> io::Result<ReplicaId> {
        let path = self.dir.join("replica-id");
        if let Ok(text) = std::fs::read_to_string(&path)
            && let Ok(id) = ReplicaId::parse(text.trim())
        {
            return Ok(id);
        }
        let id = ReplicaId::generate(clock, rng);
        write_atomic(&path, format!("{id}\n").as_bytes(), true)?;
        Ok(id)
    }
}

fn decode(bytes: &[u8]) -> Option<v1::Snapshot> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (checksum, payload) = rest.split_first_chunk::<4>()?;
    (crc32fast::hash(payload) == u32::from_le_bytes(*checksum))
        .then(|| v1::Snapshot::decode(payload).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::rng::SequenceRng;
    use ccag_domain::time::FixedClock;
    use ccag_domain::{ConfigObject, Revision, catalogue};

    #[test]
    fn a_view_survives_a_restart_and_a_damaged_file_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        assert!(disk.load().is_none());
        let mut view = ConfigView::empty("epoch-1", Revision(7));
        for model in catalogue::models() {
            view.put(ConfigObject::Model(model)).unwrap();
        }
        disk.save(&view).unwrap();
        let back = disk.load().unwrap();
        assert_eq!((back.epoch(), back.revision()), ("epoch-1", Revision(7)));
        assert_eq!(back.objects(), view.objects());
        let path = disk.snapshot_path();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(disk.load().is_none());
        std::fs::write(&path, b"CCAG").unwrap();
        assert!(disk.load().is_none());
    }

    #[test]
    fn the_replica_id_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let rng = SequenceRng::new(1);
        let first = disk.replica_id(&FixedClock(1), &rng).unwrap();
        assert_eq!(disk.replica_id(&FixedClock(2), &rng).unwrap(), first);
    }

    #[test]
    fn a_last_contact_in_the_future_counts_as_now() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        assert_eq!(disk.load_contact(5), None);
        disk.save_contact(100).unwrap();
        assert_eq!(disk.load_contact(50), Some(50));
        assert_eq!(disk.load_contact(200), Some(100));
    }
}
