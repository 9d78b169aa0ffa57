//! The pushed configuration: received, applied, kept for the next start, and trusted for a limited time.

mod apply;
mod disk;
mod link;
mod paused;
mod policies;
mod scopes;
mod tls;
mod trust;
mod view;
mod watch;

pub(crate) use disk::Disk;
pub use link::{ControlLink, LinkError};
pub(crate) use link::{Link, check_url};
pub(crate) use trust::TrustGauges;
pub(crate) use view::ConfigView;
pub(crate) use watch::{Identity, Watch};

use arc_swap::ArcSwapOption;
use ccag_domain::{Clock, UnixMs};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The present view, shared by the request path and the watcher.
pub(crate) struct Current {
    view: ArcSwapOption<ConfigView>,
    last_contact_ms: AtomicI64,
    trust_ms: i64,
    clock: Arc<dyn Clock>,
}

/// Why there is no configuration to decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoView {
    /// None was ever received.
    NotYet,
    /// The control plane has not been heard of for longer than what is held may be trusted.
    Stale,
}

impl Current {
    /// Starts from what was found on disk.
    pub(crate) fn new(
        view: Option<ConfigView>,
        last_contact_ms: Option<UnixMs>,
        trust_ms: i64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            view: ArcSwapOption::from(view.map(Arc::new)),
            last_contact_ms: AtomicI64::new(last_contact_ms.unwrap_or(i64::MIN)),
            trust_ms,
            clock,
        }
    }

    /// The view to decide a request by.
    ///
    /// # Errors
    /// [`NoView`] if there is none, or none that may still be trusted.
    pub(crate) fn view(&self) -> Result<Arc<ConfigView>, NoView> {
        let view = self.view.load_full().ok_or(NoView::NotYet)?;
        if self.age_ms() > self.trust_ms {
            return Err(NoView::Stale);
        }
        Ok(view)
    }

    /// The view, trusted or not: for reports.
    #[must_use]
    pub(crate) fn held(&self) -> Option<Arc<ConfigView>> {
        self.view.load_full()
    }

    /// How long ago the control plane was last heard of.
    #[must_use]
    pub(crate) fn age_ms(&self) -> i64 {
        self.clock
            .now_ms()
            .saturating_sub(self.last_contact_ms.load(Ordering::Relaxed))
    }

    /// The same; `None` if it never was.
    fn known_age_ms(&self) -> Option<i64> {
        let heard = self.last_contact_ms.load(Ordering::Relaxed) != i64::MIN;
        heard.then(|| self.age_ms())
    }

    pub(crate) fn set(&self, view: ConfigView) {
        self.view.store(Some(Arc::new(view)));
    }

    pub(crate) fn heard(&self) {
        self.last_contact_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }
}
