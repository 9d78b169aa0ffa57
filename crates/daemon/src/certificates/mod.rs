//! Certificates that are files: read at the start, and again when they have changed, as whoever renews them changes them.

pub use ccag_certificate::Facts;

use crate::metric::{Label, Metric};
use ccag_domain::Clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Files are looked at again at most so often, however many connections are made.
const FRESH: Duration = Duration::from_secs(1);

/// And at least so often, although there are no connections.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long before its end a certificate is complained about, in seconds: a week.
const SOON_S: i64 = 7 * 86_400;

/// How often that is said again.
const AGAIN: Duration = Duration::from_secs(86_400);

const NOT_AFTER: Metric = Metric::gauge(
    "ccag_certificate_not_after_seconds",
    "seconds",
    "When a certificate that the planes know each other by ends, as seconds since 1970: `own` is shown to the other plane, \
     `authority` vouches for what the other plane shows; of several in a file it is the one that lasts longest",
)
.by(&[Label::one_of("certificate", &["own", "authority"])]);

/// What is counted where the planes show each other certificates.
pub const METRICS: &[Metric] = &[NOT_AFTER];

/// A file of a certificate or a key is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {reason}", path.display())]
pub struct BadCertificate {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl BadCertificate {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// What TLS uses: the algorithms of the whole process.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The paths of a certificate and of its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The certificate, followed by those that lead to the authority.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Pair {
    fn parse(&self, cert: &[u8], key: &[u8]) -> Result<CertifiedKey, BadCertificate> {
        let chain = certificates(&self.cert, cert)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| BadCertificate::new(&self.key, format!("holds no key in PEM: {error}")))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let reason = format!("is not the key of the certificate in {}", self.cert.display());
                BadCertificate::new(&self.key, reason)
            }
            error => BadCertificate::new(&self.key, format!("cannot be used: {error}")),
        })
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadCertificate> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let bad = |reason: String| BadCertificate::new(path, reason);
    let all = read.map_err(|error| bad(format!("is no PEM file of certificates: {error}")))?;
    if all.is_empty() {
        return Err(bad("holds no certificate in PEM".to_owned()));
    }
    Ok(all)
}

/// Which files there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// What this side shows, if anything.
    pub own: Option<Pair>,
    /// Who vouches for the other side, if that is not decided elsewhere.
    pub authorities: Option<PathBuf>,
}

impl Files {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let own = self.own.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        own.chain(&self.authorities)
    }

    fn read(&self) -> Result<Vec<Vec<u8>>, BadCertificate> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| BadCertificate::new(path, format!("cannot be read: {error}")))
        };
        self.paths().map(read).collect()
    }

    fn parse(&self, contents: &[Vec<u8>]) -> Result<Certificates, BadCertificate> {
        let mut contents = contents.iter();
        let mut next = || contents.next().map(Vec::as_slice).unwrap_or_default();
        let own = match &self.own {
            None => None,
            Some(pair) => Some(Arc::new(pair.parse(next(), next())?)),
        };
        let (mut authorities, mut lasts) = (None, None::<Facts>);
        if let Some(path) = &self.authorities {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, next())? {
                let both = lasts.into_iter().chain(Facts::read(&certificate));
                lasts = both.max_by_key(|facts| facts.not_after_s);
                roots
                    .add(certificate)
                    .map_err(|error| BadCertificate::new(path, format!("holds no authority: {error}")))?;
            }
            authorities = Some(Arc::new(roots));
        }
        Ok(Certificates {
            facts: own.as_ref().and_then(|own| Facts::read(own.cert.first()?)),
            own,
            authorities,
            authority: lasts,
        })
    }
}

/// What the files hold.
#[derive(Debug)]
pub struct Certificates {
    /// What this side shows.
    pub own: Option<Arc<CertifiedKey>>,
    /// What that says of itself.
    pub facts: Option<Facts>,
    /// Who vouches for the other side.
    pub authorities: Option<Arc<RootCertStore>>,
    /// What that one of them says of itself that lasts longest.
    pub authority: Option<Facts>,
}

impl Certificates {
    /// By what label which one ends, in seconds since 1970.
    fn ends(&self) -> impl Iterator<Item = (&'static str, i64)> {
        [("own", &self.facts), ("authority", &self.authority)]
            .into_iter()
            .filter_map(|(which, facts)| Some((which, facts.as_ref()?.not_after_s)))
    }
}

struct Held {
    /// How old what was read may be.
    fresh: Duration,
    /// Of what was read last, good or not. The contents are not kept: a key is among them.
    digest: u64,
    certificates: Arc<Certificates>,
    looked: Instant,
    /// Whether files that cannot be read have been complained about.
    is_missing: bool,
}

/// Certificates that follow their files. Clones are the same.
#[derive(Clone)]
pub struct Followed {
    files: Arc<Files>,
    held: Arc<Mutex<Held>>,
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Followed").field(&self.files).finish()
    }
}

impl Followed {
    /// Reads the files.
    ///
    /// # Errors
    /// [`BadCertificate`] for the first that is no good.
    pub fn open(files: Files) -> Result<Self, BadCertificate> {
        Self::open_fresh(files, FRESH)
    }

    fn open_fresh(files: Files, fresh: Duration) -> Result<Self, BadCertificate> {
        let contents = files.read()?;
        let held = Held {
            fresh,
            digest: digest(&contents),
            certificates: Arc::new(files.parse(&contents)?),
            looked: Instant::now(),
            is_missing: false,
        };
        Ok(Self {
            files: Arc::new(files),
            held: Arc::new(Mutex::new(held)),
        })
    }

    /// What is held, after a look at the files if the last one was more than a second ago. If they are no good, which they are
    /// while somebody writes them, what was held before is good further.
    #[must_use]
    pub fn current(&self) -> Arc<Certificates> {
        // A panic elsewhere leaves whole values behind.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.looked.elapsed() >= held.fresh {
            self.look(&mut held);
            held.looked = Instant::now();
        }
        Arc::clone(&held.certificates)
    }

    fn look(&self, held: &mut Held) {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(error) => {
                if !held.is_missing {
                    tracing::warn!(%error, "certificates cannot be read anew; those read before are used further");
                }
                held.is_missing = true;
                return;
            }
        };
        held.is_missing = false;
        let digest = digest(&contents);
        if digest == held.digest {
            return;
        }
        held.digest = digest;
        match self.files.parse(&contents) {
            Ok(certificates) => {
                let facts = certificates.facts.as_ref();
                tracing::info!(
                    subject = facts.map_or("", |facts| &facts.subject),
                    not_after = facts.map(|facts| date(facts.not_after_s)),
                    "certificates have changed, and new connections use the new ones"
                );
                held.certificates = Arc::new(certificates);
            }
            Err(error) => {
                tracing::warn!(%error, "changed certificates cannot be used; those read before are used further");
            }
        }
    }

    /// Looks at the files now and then, and says when a certificate is about to end, until `shutdown`.
    pub async fn follow(self, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
        let mut said: Option<(Vec<i64>, Instant)> = None;
        loop {
            let current = self.current();
            let ends: Vec<i64> = current.ends().map(|(_, at)| at).collect();
            let is_new = said
                .as_ref()
                .is_none_or(|(of, at)| *of != ends || at.elapsed() >= AGAIN);
            if is_new {
                warn_of_ends(&current, clock.now_ms() / 1_000);
                said = Some((ends, Instant::now()));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Shows when the certificates end.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        registry.register_collector(Box::new(Ends(self.clone())));
    }
}

fn warn_of_ends(certificates: &Certificates, now_s: i64) {
    for (which, at) in certificates.ends() {
        let not_after = date(at);
        if at <= now_s {
            tracing::error!(
                certificate = which,
                not_after,
                "a certificate of the planes has expired"
            );
        } else if at - now_s < SOON_S {
            tracing::warn!(
                certificate = which,
                not_after,
                "a certificate of the planes is about to expire"
            );
        }
    }
}

fn date(at_s: i64) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::from_unix_timestamp(at_s)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_else(|| at_s.to_string())
}

fn digest(contents: &[Vec<u8>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}

/// When the certificates end, told when somebody asks.
#[derive(Debug)]
struct Ends(Followed);

impl Collector for Ends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut of = encoder.encode_descriptor(NOT_AFTER.name, NOT_AFTER.meaning, None, kind)?;
        for (which, at) in self.0.current().ends() {
            let label = [("certificate", which)];
            ConstGauge::new(at).encode(of.encode_family(&label)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
