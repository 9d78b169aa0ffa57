//! What the control plane counts.

use crate::store::entity::usage_record;
use ccag_daemon::metric::{Label, Metric};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

const DATABASE_ERRORS: Metric = Metric::counter(
    "ccag_control_database_errors",
    "operations",
    "Operations that failed because of the database, by where it showed",
)
.by(&[Label::one_of(
    "place",
    &[
        "http",
        "hub",
        "listener",
        "usage",
        "fleet",
        "maintenance",
        "allowance",
        "hints",
        "findings",
        "quotas",
        "notifications",
        "scim",
        "idempotency",
    ],
)]);
const REQUEST_STATEMENTS: Metric = Metric::histogram(
    "ccag_control_request_statements",
    "statements",
    "Statements that a request of a person or a program asked of the database, beside those for who asks",
);
const WATCH_STREAMS: Metric = Metric::gauge(
    "ccag_control_watch_streams",
    "streams",
    "Data planes that are following the configuration here",
);
const DATA_PLANES_REFUSED: Metric = Metric::counter(
    "ccag_control_data_planes_refused",
    "attempts",
    "Attempts of data planes, or of whoever posed as one, to come in that were refused: `token` for a join token that is missing \
     or wrong, `no_certificate` and `certificate` where certificates are asked for and there was none, or one that is no good",
)
.by(&[Label::one_of(
    "reason",
    &["token", "no_certificate", "certificate"],
)]);
const REVISION: Metric = Metric::gauge(
    "ccag_control_revision",
    "revision",
    "Newest revision of the configuration that this process knows",
);
const APPLY_LAG_SECONDS: Metric = Metric::histogram(
    "ccag_control_apply_lag_seconds",
    "seconds",
    "From a change of the configuration to its application by a data plane",
);
const SNAPSHOTS_SENT: Metric = Metric::counter(
    "ccag_control_snapshots_sent",
    "configurations",
    "Whole configurations sent to data planes",
);
const USAGE_STORED: Metric = Metric::counter(
    "ccag_control_usage_stored",
    "records",
    "Usage records stored in the ledger",
);
const USAGE_DUPLICATE: Metric = Metric::counter(
    "ccag_control_usage_duplicate",
    "records",
    "Usage records that arrived again and were not counted again",
);
const USAGE_QUARANTINED: Metric = Metric::counter(
    "ccag_control_usage_quarantined",
    "records",
    "Usage records that can never be stored and were put aside",
);
const SESSIONS_PAUSED: Metric = Metric::counter(
    "ccag_control_sessions_paused",
    "sessions",
    "Sessions that ran away and were paused",
)
.by(&[Label::one_of("reason", &["spend", "agents"])]);
const LOGIN_FAILED: Metric = Metric::counter("ccag_control_login_failed", "log-ins", "Failed log-ins");
const LOGIN_THROTTLED: Metric = Metric::counter(
    "ccag_control_login_throttled",
    "log-ins",
    "Log-ins refused after too many attempts",
);
const NOTIFICATION_ATTEMPTS: Metric = Metric::counter(
    "ccag_control_notification_attempts",
    "attempts",
    "Attempts to tell a destination of an event, by its kind and what came of it",
)
.by(&[
    Label::one_of(
        "kind",
        &["webhook", "slack", "sns", "eventbridge", "smtp", "unknown"],
    ),
    Label::one_of("outcome", &["delivered", "failed", "given_up"]),
]);
const NOTIFICATIONS_PENDING: Metric = Metric::gauge(
    "ccag_control_notifications_pending",
    "notifications",
    "Notifications that wait to be sent, or to be sent again, in the whole installation",
);
const NOTIFICATIONS_DEAD: Metric = Metric::gauge(
    "ccag_control_notifications_dead",
    "notifications",
    "Notifications that could not be sent and were given up, in the whole installation",
);
const NOTIFICATIONS_OLDEST_SECONDS: Metric = Metric::gauge(
    "ccag_control_notifications_oldest_seconds",
    "seconds",
    "Age of the oldest notification that waits, in seconds; 0 if none does",
);
const SPEND: Metric = Metric::counter(
    "ccag_control_spend_nano_usd",
    "nano-USD",
    "What the requests cost whose records this process has put into the ledger, by the team that pays and by model; all control \
     planes together have stored each record once",
)
.by(&[
    Label::bounded("team_id", "the teams that admins have made; empty for who is in none"),
    Label::bounded("model", "the models of the catalogue"),
]);

/// What the control plane counts.
pub const METRICS: &[Metric] = &[
    DATABASE_ERRORS,
    REQUEST_STATEMENTS,
    WATCH_STREAMS,
    DATA_PLANES_REFUSED,
    REVISION,
    APPLY_LAG_SECONDS,
    SNAPSHOTS_SENT,
    USAGE_STORED,
    USAGE_DUPLICATE,
    USAGE_QUARANTINED,
    SPEND,
    SESSIONS_PAUSED,
    LOGIN_FAILED,
    LOGIN_THROTTLED,
    NOTIFICATION_ATTEMPTS,
    NOTIFICATIONS_PENDING,
    NOTIFICATIONS_DEAD,
    NOTIFICATIONS_OLDEST_SECONDS,
];

/// Where a failure of the database showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Place {
    /// A part of the control plane: see [`METRICS`].
    pub(crate) place: &'static str,
}

/// Who pays for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Bill {
    team_id: String,
    model: String,
}

/// Why a session was paused, or a data plane not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    /// `spend` or `agents`; `token`, `no_certificate` or `certificate`.
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
    pub(crate) data_planes_refused: Family<Reason, Counter>,
    pub(crate) revision: Gauge,
    pub(crate) apply_lag_seconds: Histogram,
    pub(crate) snapshots_sent: Counter,
    pub(crate) usage_stored: Counter,
    pub(crate) usage_duplicate: Counter,
    pub(crate) usage_quarantined: Counter,
    spend: Family<Bill, Counter>,
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
            data_planes_refused: Family::default(),
            revision: Gauge::default(),
            apply_lag_seconds: Histogram::new(buckets),
            snapshots_sent: Counter::default(),
            usage_stored: Counter::default(),
            usage_duplicate: Counter::default(),
            usage_quarantined: Counter::default(),
            spend: Family::default(),
            sessions_paused: Family::default(),
            login_failed: Counter::default(),
            login_throttled: Counter::default(),
            deliveries: Family::default(),
            notifications_pending: Gauge::default(),
            notifications_dead: Gauge::default(),
            notifications_oldest_seconds: Gauge::default(),
        };
        let m = metrics.clone();
        DATABASE_ERRORS.register(registry, m.db_errors);
        REQUEST_STATEMENTS.register(registry, m.statements);
        WATCH_STREAMS.register(registry, m.watch_streams);
        DATA_PLANES_REFUSED.register(registry, m.data_planes_refused);
        REVISION.register(registry, m.revision);
        APPLY_LAG_SECONDS.register(registry, m.apply_lag_seconds);
        SNAPSHOTS_SENT.register(registry, m.snapshots_sent);
        USAGE_STORED.register(registry, m.usage_stored);
        USAGE_DUPLICATE.register(registry, m.usage_duplicate);
        USAGE_QUARANTINED.register(registry, m.usage_quarantined);
        SPEND.register(registry, m.spend);
        SESSIONS_PAUSED.register(registry, m.sessions_paused);
        LOGIN_FAILED.register(registry, m.login_failed);
        LOGIN_THROTTLED.register(registry, m.login_throttled);
        NOTIFICATION_ATTEMPTS.register(registry, m.deliveries);
        NOTIFICATIONS_PENDING.register(registry, m.notifications_pending);
        NOTIFICATIONS_DEAD.register(registry, m.notifications_dead);
        NOTIFICATIONS_OLDEST_SECONDS.register(registry, m.notifications_oldest_seconds);
        metrics
    }

    /// Counts a request that asked so many statements.
    pub(crate) fn statements(&self, count: usize) {
        self.statements
            .observe(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }

    /// Counts what a record costs that is now in the ledger.
    pub(crate) fn spent(&self, row: &usage_record::Model) {
        let labels = Bill {
            team_id: row.team_id.clone().unwrap_or_default(),
            model: row.model.clone(),
        };
        let cost = u64::try_from(row.cost_nano_usd).unwrap_or_default();
        self.spend.get_or_create(&labels).inc_by(cost);
    }

    pub(crate) fn db_error(&self, place: &'static str) {
        self.db_errors.get_or_create(&Place { place }).inc();
    }
}
