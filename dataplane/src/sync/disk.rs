//! What a data plane keeps so that it can start while the control plane is gone: the last snapshot, when the control plane
//! was last heard of, and its own id.
//!
//! The snapshot and the time are sealed under a key that is derived from the join token: nobody without it can read the
//! secrets in them, or make this data plane serve a key that was revoked, or trust what it holds for longer. What does not
//! open is not used, and the log says why. Without a join token, as in one process with the control plane, they are written
//! openly, with a checksum against accidents, and without secrets.

use super::apply::{self, Applied};
use super::view::ConfigView;
use crate::files::write_atomic;
use ccag_domain::{Clock, ConfigObject, ReplicaId, Rng, SealKey, SearchProvider, UnixMs};
use ccag_proto::v1;
use prost::Message;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an open file starts with; the last character is the version of the format. A checksum (four bytes, little-endian)
/// and the message follow.
const OPEN: &[u8; 8] = b"CCAGSNP1";

/// What a sealed file starts with. What [`SealKey::seal`] made of the message follows.
const SEALED: &[u8; 8] = b"CCAGSNP2";

/// What the snapshot is sealed as.
const SNAPSHOT: &[u8] = b"snapshot of a configuration";

/// What the time of the last contact is sealed as.
const CONTACT: &[u8] = b"last contact with a control plane";

/// What earlier versions sealed secrets as, in a file of their own beside an open snapshot.
const SECRETS: &[u8] = b"secrets of a snapshot";

/// Why a saved snapshot is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("it is damaged")]
    Damaged,
    #[error("it was changed by somebody else, or written under another join token")]
    NotOurs,
    #[error("it is sealed, and there is no join token to open it with")]
    NoKey,
    #[error("it is not sealed, although there is a join token, and no earlier version has left it so")]
    NotSealed,
    #[error("it is in a format that this version does not know")]
    UnknownFormat,
}

/// The files of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    dir: PathBuf,
    /// What the snapshot is sealed with.
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

    fn contact_path(&self) -> PathBuf {
        self.dir.join("last-contact")
    }

    /// Writes the view.
    pub(crate) fn save(&self, view: &ConfigView) -> io::Result<()> {
        let objects = view.objects().into_iter();
        let Some(key) = &self.key else {
            let payload = encode(view, objects.map(without_secrets));
            let checksum = crc32fast::hash(&payload).to_le_bytes();
            let bytes = [OPEN.as_slice(), &checksum, &payload].concat();
            return write_atomic(&self.snapshot_path(), &bytes, true);
        };
        let sealed = key.seal(SNAPSHOT, &encode(view, objects));
        write_atomic(
            &self.snapshot_path(),
            &[SEALED.as_slice(), &sealed].concat(),
            true,
        )?;
        // With it goes what would let an open snapshot through.
        match std::fs::remove_file(self.secrets_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the last view back. What cannot be trusted is as good as nothing: it is reported and left out.
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
        match self.open(&bytes) {
            Ok(snapshot) => {
                let Applied { view, .. } = apply::snapshot(snapshot);
                Some(view)
            }
            Err(reason) => {
                tracing::error!(
                    %reason,
                    path = %path.display(),
                    "the saved configuration is not used: nothing is served until the control plane has sent one"
                );
                None
            }
        }
    }

    fn open(&self, bytes: &[u8]) -> Result<v1::Snapshot, Refused> {
        if let Some(sealed) = bytes.strip_prefix(SEALED) {
            let key = self.key.as_ref().ok_or(Refused::NoKey)?;
            let payload = key.open(SNAPSHOT, sealed).ok_or(Refused::NotOurs)?;
            return v1::Snapshot::decode(payload.as_slice()).map_err(|_| Refused::Damaged);
        }
        let rest = bytes.strip_prefix(OPEN).ok_or(if bytes.starts_with(b"CCAGSNP") {
            Refused::UnknownFormat
        } else {
            Refused::Damaged
        })?;
        let (checksum, payload) = rest.split_first_chunk::<4>().ok_or(Refused::Damaged)?;
        if crc32fast::hash(payload) != u32::from_le_bytes(*checksum) {
            return Err(Refused::Damaged);
        }
        let snapshot = v1::Snapshot::decode(payload).map_err(|_| Refused::Damaged)?;
        match &self.key {
            None => Ok(snapshot),
            Some(key) => self.of_earlier_version(key, snapshot),
        }
    }

    /// An earlier version left the snapshot open, and sealed its secrets in another file. Where that is there and of the same
    /// revision, such a snapshot is used, once: with the next one that is saved the file goes.
    fn of_earlier_version(&self, key: &SealKey, open: v1::Snapshot) -> Result<v1::Snapshot, Refused> {
        let sealed = std::fs::read(self.secrets_path()).map_err(|_| Refused::NotSealed)?;
        let opened = key.open(SECRETS, &sealed).ok_or(Refused::NotOurs)?;
        let secret = v1::Snapshot::decode(opened.as_slice()).map_err(|_| Refused::Damaged)?;
        if (&secret.epoch, secret.revision) != (&open.epoch, open.revision) {
            return Err(Refused::NotSealed);
        }
        // Later ones take the place of those before.
        let objects = open.objects.into_iter().chain(secret.objects).collect();
        Ok(v1::Snapshot {
            objects,
            epoch: secret.epoch,
            revision: secret.revision,
        })
    }

    /// Remembers when the control plane was last heard of.
    pub(crate) fn save_contact(&self, at: UnixMs) -> io::Result<()> {
        let text = format!("{at}\n").into_bytes();
        let bytes = match &self.key {
            Some(key) => [SEALED.as_slice(), &key.seal(CONTACT, &text)].concat(),
            None => text,
        };
        write_atomic(&self.contact_path(), &bytes, false)
    }

    /// When the control plane was last heard of; never later than `now`, should the clock have gone back.
    pub(crate) fn load_contact(&self, now: UnixMs) -> Option<UnixMs> {
        let bytes = std::fs::read(self.contact_path()).ok()?;
        let text = match (&self.key, bytes.strip_prefix(SEALED)) {
            (Some(key), Some(sealed)) => key.open(CONTACT, sealed).map(|text| text.to_vec()),
            // An earlier version's, beside an open snapshot that is looked at more closely.
            (Some(_), None) => self.secrets_path().exists().then_some(bytes),
            (None, None) => Some(bytes),
            (None, Some(_)) => None,
        };
        let Some(text) = text.and_then(|text| String::from_utf8(text).ok()) else {
            tracing::error!(
                "the time of the last contact with the control plane was changed by somebody else, or written under \
                 another join token: what is held is not trusted until the control plane is heard of"
            );
            return None;
        };
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

/// The message that a snapshot is.
fn encode(view: &ConfigView, objects: impl Iterator<Item = ConfigObject>) -> Vec<u8> {
    let snapshot = v1::Snapshot {
        epoch: view.epoch().to_owned(),
        revision: view.revision().0,
        objects: objects.map(Into::into).collect(),
    };
    snapshot.encode_to_vec()
}

/// The object without what must not be written in clear.
fn without_secrets(mut object: ConfigObject) -> ConfigObject {
    let strip = |provider: &mut Option<SearchProvider>| {
        if let Some(provider) = provider {
            provider.api_key = None;
        }
    };
    match &mut object {
        ConfigObject::Settings(settings) => {
            settings.web_search.sealing_key = None;
            strip(&mut settings.web_search.provider);
        }
        ConfigObject::User(user) => strip(&mut user.search),
        ConfigObject::Endpoint(endpoint) => {
            Arc::make_mut(&mut endpoint.access).strip();
        }
        _ => {}
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::config::Settings;
    use ccag_domain::rng::SequenceRng;
    use ccag_domain::time::FixedClock;
    use ccag_domain::{CredentialSource, Endpoint, Revision, ServiceSecret, catalogue};

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
        let endpoint = endpoint_with_keys();
        view.put(ConfigObject::Endpoint(endpoint.clone())).unwrap();
        let endpoint = endpoint_with_keys();
        view.put(ConfigObject::Endpoint(endpoint.clone())).unwrap();
        let disk = Disk::new(dir.path(), Some(key));
        disk.save(&view).unwrap();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for secret in [
                b"tvly-hush".as_slice(),
                b"0123456789abcdef",
                b"hush-aws",
                b"AKIAHUSH",
                b"hush-proxy",
            ] {
                assert!(!bytes.windows(secret.len()).any(|w| w == secret));
            }
        }
        assert_eq!(disk.load().unwrap().settings(), &settings);
        assert_eq!(disk.load().unwrap().endpoints().next(), Some(&endpoint));
        let keyless = Disk::new(dir.path(), None);
        assert!(keyless.load().is_none());
        keyless.save(&view).unwrap();
        let open = std::fs::read(keyless.snapshot_path()).unwrap();
        assert!(!open.windows(9).any(|w| w == b"tvly-hush"));
        assert!(!open.windows(10).any(|w| w == b"hush-proxy"));
        let keyless = keyless.load().unwrap();
        assert_eq!(keyless.settings().web_search.sealing_key, None);
        assert_eq!(
            keyless.endpoints().next().unwrap().access.credentials,
            CredentialSource::Keys(None),
            "missing, and not the data plane's own"
        );
    }

    fn endpoint_with_keys() -> Endpoint {
        let mut wire = v1::Endpoint {
            id: "end_1".into(),
            name: "own".into(),
            enabled: true,
            ..v1::Endpoint::default()
        };
        wire.access = Some(v1::Access {
            credentials: Some(v1::Credentials {
                kind: "keys".into(),
                access_key_id: Some("AKIAHUSH".into()),
                secret_access_key: Some("hush-aws".into()),
                ..v1::Credentials::default()
            }),
            ..v1::Access::default()
        });
        wire.network = Some(v1::Network {
            proxy: Some(v1::Proxy {
                url: "http://proxy.example:3128".into(),
                user: Some("ccag".into()),
                password: Some("hush-proxy".into()),
            }),
            ..v1::Network::default()
        });
        wire.try_into().unwrap()
    }

    fn view_at(revision: u64) -> ConfigView {
        let mut view = ConfigView::empty("epoch-1", Revision(revision));
        for model in catalogue::models() {
            view.put(ConfigObject::Model(model)).unwrap();
        }
        view
    }

    fn refusal(disk: &Disk, bytes: &[u8]) -> Option<Refused> {
        std::fs::write(disk.snapshot_path(), bytes).unwrap();
        assert_eq!(disk.load().is_none(), disk.open(bytes).is_err());
        disk.open(bytes).err()
    }

    #[test]
    fn a_view_survives_a_restart_and_a_damaged_file_is_not_used() {
        for key in [None, Some(SealKey::derive(b"join-me", "snapshot"))] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::new(dir.path(), key);
            assert!(disk.load().is_none());
            let view = view_at(7);
            disk.save(&view).unwrap();
            let back = disk.load().unwrap();
            assert_eq!((back.epoch(), back.revision()), ("epoch-1", Revision(7)));
            assert_eq!(back.objects(), view.objects());
            let bytes = std::fs::read(disk.snapshot_path()).unwrap();
            for at in [8, 12, 40, bytes.len() / 2, bytes.len() - 1] {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                assert!(refusal(&disk, &changed).is_some(), "{at}");
                assert!(refusal(&disk, &bytes[..at]).is_some(), "{at}");
            }
            assert_eq!(refusal(&disk, b"CCAG"), Some(Refused::Damaged));
            assert_eq!(refusal(&disk, b"CCAGSNP9 whatever"), Some(Refused::UnknownFormat));
        }
    }

    #[test]
    fn who_has_no_join_token_cannot_make_a_snapshot_that_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path(), Some(SealKey::derive(b"join-me", "snapshot")));
        let stranger = Disk::new(dir.path(), Some(SealKey::derive(b"another", "snapshot")));
        let keyless = Disk::new(dir.path(), None);
        for (writer, reason) in [(&stranger, Refused::NotOurs), (&keyless, Refused::NotSealed)] {
            writer.save(&view_at(7)).unwrap();
            let bytes = std::fs::read(disk.snapshot_path()).unwrap();
            assert_eq!(refusal(&disk, &bytes), Some(reason));
        }
    }

    #[test]
    fn the_snapshot_of_the_version_before_is_read_until_the_next_one_is_saved() {
        let dir = tempfile::tempdir().unwrap();
        let key = SealKey::derive(b"join-me", "snapshot");
        let disk = Disk::new(dir.path(), Some(key.clone()));
        let mut settings = Settings::default();
        settings.web_search.sealing_key = Some(SealKey::new(*b"0123456789abcdef0123456789abcdef"));
        let mut view = view_at(7);
        view.put(ConfigObject::Settings(settings.clone())).unwrap();
        // As it was written: open, with a sealed file for what is secret.
        Disk::new(dir.path(), None).save(&view).unwrap();
        let secret = |revision| {
            let view = ConfigView::empty("epoch-1", Revision(revision));
            key.seal(
                SECRETS,
                &encode(&view, [ConfigObject::Settings(settings.clone())].into_iter()),
            )
        };
        let open = std::fs::read(disk.snapshot_path()).unwrap();
        std::fs::write(disk.secrets_path(), secret(6)).unwrap();
        assert_eq!(refusal(&disk, &open), Some(Refused::NotSealed));
        std::fs::write(disk.secrets_path(), secret(7)).unwrap();
        std::fs::write(disk.contact_path(), "100\n").unwrap();
        let back = disk.load().unwrap();
        assert_eq!(back.settings(), &settings);
        assert_eq!(back.objects().len(), view.objects().len());
        assert_eq!(disk.load_contact(200), Some(100));
        disk.save(&back).unwrap();
        assert_eq!(disk.load().unwrap().settings(), &settings);
        assert_eq!(refusal(&disk, &open), Some(Refused::NotSealed));
        assert_eq!(disk.load_contact(200), None, "sealed from now on");
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
        for key in [None, Some(SealKey::derive(b"join-me", "snapshot"))] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::new(dir.path(), key);
            assert_eq!(disk.load_contact(5), None);
            disk.save_contact(100).unwrap();
            assert_eq!(disk.load_contact(50), Some(50));
            assert_eq!(disk.load_contact(200), Some(100));
        }
    }

    #[test]
    fn nobody_without_the_join_token_prolongs_the_trust() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path(), Some(SealKey::derive(b"join-me", "snapshot")));
        for other in [None, Some(SealKey::derive(b"another", "snapshot"))] {
            Disk::new(dir.path(), other).save_contact(150).unwrap();
            assert_eq!(disk.load_contact(200), None);
        }
    }
}
