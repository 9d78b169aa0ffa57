//! What the control plane counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Where a failure of the database showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Place {
    /// `http`, `hub`, `listener`, `usage`, `fleet` or `maintenance`.
    pub(crate) place: &'static str,
}

/// Why a session was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    /// `spend` or `agents`.
    pub(crate) reason: &'static str,
}

/// What came of an attempt to tell a destination of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Delivered {
    /// `webhook`, `slack`, `sns`, `eventbridge`, `smtp`, or `unknown` of a destination that is gone.
    pub(crate) kind: &'static str,
    /// `delivered`, `failed` (it is tried again) or `given_up`.
    pub(crate) outcome: &'static str,
}

/// The control plane's metrics. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) db_errors: Family<Place, Counter>,
    statements: Histogram,
    pub(crate) watch_streams: Gauge,
    pub(crate) revision: Gauge,
    pub(crate) apply_lag_seconds: Histogram,
    pub(crate) snapshots_sent: Counter,
    pub(crate) usage_stored: Counter,
    pub(crate) usage_duplicate: Counter,
    pub(crate) usage_quarantined: Counter,
    pub(crate) sessions_paused: Family<Reason, Counter>,
    pub(crate) login_failed: Counter,
    pub(crate) login_throttled: Counter,
    pub(crate) deliveries: Family<Delivered, Counter>,
    pub(crate) notifications_pending: Gauge,
    pub(crate) notifications_dead: Gauge,
    pub(crate) notifications_oldest_seconds: Gauge,
}

impl Metrics {
    /// Makes the metrics and puts them into a registry.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let buckets = [
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0,
        ];
        let metrics = Self {
            db_errors: Family::default(),
            statements: Histogram::new([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 15.0, 30.0, 100.0]),
            watch_streams: Gauge::default(),
            revision: Gauge::default(),
            apply_lag_seconds: Histogram::new(buckets),
            snapshots_sent: Counter::default(),
            usage_stored: Counter::default(),
            usage_duplicate: Counter::default(),
            usage_quarantined: Counter::default(),
            sessions_paused: Family::default(),
            login_failed: Counter::default(),
            login_throttled: Counter::default(),
            deliveries: Family::default(),
            notifications_pending: Gauge::default(),
            notifications_dead: Gauge::default(),
            notifications_oldest_seconds: Gauge::default(),
        };
        let m = metrics.clone();
        registry.register(
            "ccag_control_database_errors",
            "Operations that failed because of the database, by where it showed",
            m.db_errors,
        );
        registry.register(
            "ccag_control_request_statements",
            "Statements that a request of a person or a program asked of the database, beside those for who asks",
            m.statements,
        );
        registry.register(
            "ccag_control_watch_streams",
            "Data planes that are following the configuration here",
            m.watch_streams,
        );
        registry.register(
            "ccag_control_revision",
            "Newest revision of the configuration that this process knows",
            m.revision,
        );
        registry.register(
            "ccag_control_apply_lag_seconds",
            "From a change of the configuration to its application by a data plane",
            m.apply_lag_seconds,
        );
        registry.register(
            "ccag_control_snapshots_sent",
            "Whole configurations sent to data planes",
            m.snapshots_sent,
        );
        registry.register(
            "ccag_control_usage_stored",
            "Usage records stored in the ledger",
            m.usage_stored,
        );
        registry.register(
            "ccag_control_usage_duplicate",
            "Usage records that arrived again and were not counted again",
            m.usage_duplicate,
        );
        registry.register(
            "ccag_control_usage_quarantined",
            "Usage records that can never be stored and were put aside",
            m.usage_quarantined,
        );
        registry.register(
            "ccag_control_sessions_paused",
            "Sessions that ran away and were paused",
            m.sessions_paused,
        );
        registry.register("ccag_control_login_failed", "Failed log-ins", m.login_failed);
        registry.register(
            "ccag_control_login_throttled",
            "Log-ins refused after too many attempts",
            m.login_throttled,
        );
        registry.register(
            "ccag_control_notification_attempts",
            "Attempts to tell a destination of an event, by its kind and what came of it",
            m.deliveries,
        );
        registry.register(
            "ccag_control_notifications_pending",
            "Notifications that wait to be sent, or to be sent again, in the whole installation",
            m.notifications_pending,
        );
        registry.register(
            "ccag_control_notifications_dead",
            "Notifications that could not be sent and were given up, in the whole installation",
            m.notifications_dead,
        );
        registry.register(
            "ccag_control_notifications_oldest_seconds",
            "Age of the oldest notification that waits, in seconds; 0 if none does",
            m.notifications_oldest_seconds,
        );
        metrics
    }

    /// Counts a request that asked so many statements.
    pub(crate) fn statements(&self, count: usize) {
        self.statements
            .observe(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }

    pub(crate) fn db_error(&self, place: &'static str) {
        self.db_errors.get_or_create(&Place { place }).inc();
    }
}
