//! What a data plane keeps so that it can start while the control plane is gone: the last snapshot, when the control plane
//! was last heard of, and its own id.
//!
//! The snapshot holds no secret in clear: API keys of search services and the key that search results are sealed with are in
//! a file of their own, sealed under a key that is derived from the join token. Without a join token, as in one process with
//! the control plane, they are not written at all.

use super::apply::{self, Applied};
use super::view::ConfigView;
use crate::files::write_atomic;
use ccag_domain::{Clock, ConfigObject, ReplicaId, Rng, SealKey, SearchProvider, UnixMs};
use ccag_proto::v1;
use prost::Message;
use std::io;
use std::path::{Path, PathBuf};

/// What the file starts with; the last character is the version of the format. A checksum (four bytes, little-endian) and
/// the message follow.
const MAGIC: &[u8; 8] = b"CCAGSNP1";

/// What the secrets are sealed as.
const SECRETS: &[u8] = b"secrets of a snapshot";

/// The files of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    dir: PathBuf,
    /// What secrets are sealed with.
    key: Option<SealKey>,
}

impl Disk {
    pub(crate) fn new(dir: &Path, key: Option<SealKey>) -> Self {
        Self {
            dir: dir.to_owned(),
            key,
        }
    }

    fn secrets_path(&self) -> PathBuf {
        self.dir.join("secrets.bin")
    }

    fn snapshot_path(&self) -> PathBuf {
        self.dir.join("snapshot.bin")
    }

    /// Writes the view.
    pub(crate) fn save(&self, view: &ConfigView) -> io::Result<()> {
        let snapshot = |objects: Vec<ConfigObject>| v1::Snapshot {
            epoch: view.epoch().to_owned(),
            revision: view.revision().0,
            objects: objects.into_iter().map(Into::into).collect(),
        };
        let (mut open, mut secret) = (Vec::new(), Vec::new());
        for object in view.objects() {
            let (without, had_secrets) = without_secrets(object.clone());
            open.push(without);
            if had_secrets {
                secret.push(object);
            }
        }
        if let Some(key) = &self.key {
            let sealed = key.seal(SECRETS, &snapshot(secret).encode_to_vec());
            write_atomic(&self.secrets_path(), &sealed, true)?;
        }
        let payload = snapshot(open).encode_to_vec();
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
        let Some(Applied { mut view, .. }) = decode(&bytes).map(apply::snapshot) else {
            tracing::error!(path = %path.display(), "the saved configuration is damaged and not used");
            return None;
        };
        if let Some(secret) = self.load_secrets()
            && secret.epoch == view.epoch()
            && secret.revision == view.revision().0
        {
            for object in secret.objects {
                let put = ConfigObject::try_from(object).map_err(|error| error.to_string());
                if let Err(error) = put.and_then(|object| view.put(object)) {
                    tracing::warn!(
                        error,
                        "a saved secret cannot be used; it comes with the next configuration"
                    );
                }
            }
        }
        Some(view)
    }

    /// The objects with secrets, whole. Those of another revision are of no use: they may have been withdrawn.
    fn load_secrets(&self) -> Option<v1::Snapshot> {
        let sealed = std::fs::read(self.secrets_path()).ok()?;
        let Some(opened) = self.key.as_ref()?.open(SECRETS, &sealed) else {
            tracing::warn!("the saved secrets cannot be opened; they come with the next configuration");
            return None;
        };
        v1::Snapshot::decode(opened.as_slice()).ok()
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

    /// The number of this run: it grows by one with every start.
    pub(crate) fn next_run(&self) -> io::Result<u64> {
        let path = self.dir.join("run");
        let before = std::fs::read_to_string(&path)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok())
            .unwrap_or(0);
        let run = before.saturating_add(1);
        write_atomic(&path, format!("{run}\n").as_bytes(), true)?;
        Ok(run)
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

/// The object without what must not be written in clear, and whether it had any of that.
fn without_secrets(mut object: ConfigObject) -> (ConfigObject, bool) {
    let strip = |provider: &mut Option<SearchProvider>| {
        let key = provider.as_mut().and_then(|p| p.api_key.take());
        key.is_some()
    };
    let had = match &mut object {
        ConfigObject::Settings(settings) => {
            let sealed = settings.web_search.sealing_key.take().is_some();
            strip(&mut settings.web_search.provider) || sealed
        }
        ConfigObject::User(user) => strip(&mut user.search),
        _ => false,
    };
    (object, had)
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
    use ccag_domain::config::Settings;
    use ccag_domain::rng::SequenceRng;
    use ccag_domain::time::FixedClock;
    use ccag_domain::{Revision, ServiceSecret, catalogue};

    #[test]
    fn secrets_survive_a_restart_and_stand_nowhere_in_clear() {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::derive(b"join-me", "snapshot");
        let mut settings = Settings::default();
        settings.web_search.sealing_key = Some(SealKey::new(*b"0123456789abcdef0123456789abcdef"));
        settings.web_search.provider = Some(SearchProvider {
            api_key: Some(ServiceSecret::new("tvly-hush-hush")),
            ..SearchProvider::duckduckgo()
        });
        let mut view = ConfigView::empty("epoch-1", Revision(7));
        view.put(ConfigObject::Settings(settings.clone())).unwrap();
        let disk = Disk::new(dir.path(), Some(key));
        disk.save(&view).unwrap();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for secret in [b"tvly-hush".as_slice(), b"0123456789abcdef"] {
                assert!(!bytes.windows(secret.len()).any(|w| w == secret));
            }
        }
        assert_eq!(disk.load().unwrap().settings(), &settings);
        let stranger = Disk::new(dir.path(), Some(SealKey::derive(b"other", "snapshot")));
        assert_eq!(stranger.load().unwrap().settings().web_search.sealing_key, None);
        let keyless = Disk::new(dir.path(), None);
        assert_eq!(keyless.load().unwrap().settings().web_search.sealing_key, None);
    }

    #[test]
    fn a_view_survives_a_restart_and_a_damaged_file_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path(), None);
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
        let disk = Disk::new(dir.path(), None);
        let rng = SequenceRng::new(1);
        let first = disk.replica_id(&FixedClock(1), &rng).unwrap();
        assert_eq!(disk.replica_id(&FixedClock(2), &rng).unwrap(), first);
    }

    #[test]
    fn runs_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path(), None);
        assert_eq!([disk.next_run().unwrap(), disk.next_run().unwrap()], [1, 2]);
        assert_eq!(Disk::new(dir.path(), None).next_run().unwrap(), 3);
    }

    #[test]
    fn a_last_contact_in_the_future_counts_as_now() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path(), None);
        assert_eq!(disk.load_contact(5), None);
        disk.save_contact(100).unwrap();
        assert_eq!(disk.load_contact(50), Some(50));
        assert_eq!(disk.load_contact(200), Some(100));
    }
}
