//! A control plane as a library: started, served by whoever owns the ports, finished.

use crate::app::App;
use crate::app::bootstrap::{self, BootstrapReport};
use crate::app::discovery::{self, AwsAccess};
use crate::app::identity::Known;
use crate::app::{notifications, rollup, secrets, sessions};
use crate::config::ControlPlaneConfig;
use crate::database_secret::{self, DatabaseSecretError};
use crate::grpc::{Door, FleetWriter, Hub, Services, Shares};
use crate::http::{self, CookieKeys, HttpState};
use crate::master_key::{MasterKeyError, OpenKeys};
use crate::metrics::Metrics;
use crate::store::{AuditEntry, Backend, ConnectOptions, Store, StoreError};
use crate::traces::Traces;
use axum::Router;
use ccag_daemon::certificates::Followed;
use ccag_daemon::otlp::{Otlp, OtlpError};
use ccag_daemon::{Lifecycle, OsRng, SharedRegistry, SystemClock};
use ccag_domain::{Clock, Code, Problem, Rng, UnixMs};
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// How long to wait between attempts to reach the database at the start.
const RETRY: Duration = Duration::from_secs(1);

/// How often connections of data planes are checked for life, and how long an answer may take.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// The control plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened or brought up to date.
    #[error("cannot use the database: {0}; check DATABASE_URL")]
    Database(#[from] StoreError),
    /// The master key cannot be had.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The user and the password of the database cannot be had.
    #[error(transparent)]
    DatabaseSecret(#[from] DatabaseSecretError),
    /// The database did not answer in time.
    #[error(
        "the database could not be used within {waited_s} s: {reason}; check DATABASE_URL and whether it runs"
    )]
    NoDatabase {
        /// How long it was waited for.
        waited_s: u64,
        /// What was wrong at the last attempt.
        reason: String,
    },
    /// The first rows cannot be written.
    #[error("cannot prepare the database: {0}")]
    Bootstrap(Problem),
    /// The collector of telemetry cannot be spoken to.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// Identity providers cannot be asked.
    #[error("cannot prepare to ask identity providers: {0}")]
    Tls(reqwest::Error),
    /// The listener for data planes has failed.
    #[error("cannot serve gRPC: {0}")]
    Grpc(#[from] tonic::transport::Error),
}

/// What a control plane takes from the world besides its configuration.
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and secrets.
    pub rng: Arc<dyn Rng>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            rng: Arc::new(OsRng),
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// A running control plane.
pub struct ControlPlane {
    state: HttpState,
    services: Services,
    registry: SharedRegistry,
    otlp: Option<Otlp>,
    report: BootstrapReport,
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane")
            .field("app", &self.state.app)
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Opens the database, brings it up to date, and starts following it. The process becomes ready when the configuration
    /// has been read once, and stays ready if the database goes away later: its requests are then answered with 503.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: ControlPlaneConfig, life: &Lifecycle) -> Result<Self, StartError> {
        Box::pin(Self::start_in(config, life, World::default())).await
    }

    /// The same with another clock or generator.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_in(
        mut config: ControlPlaneConfig,
        life: &Lifecycle,
        world: World,
    ) -> Result<Self, StartError> {
        let ready = life.ready_guard("the configuration in the database");
        let mut instance = [0; 8];
        world.rng.fill(&mut instance);
        let (at, chance) = (Arc::clone(&world.clock), Arc::clone(&world.rng));
        let Opened {
            app,
            keys,
            registry,
            not_let_in,
            login,
        } = Box::pin(open(&mut config, world)).await?;
        if let Some(login) = login {
            life.spawn(
                "database secret",
                login.follow(app.store.clone(), life.shutdown()),
            );
        }
        let otlp = Otlp::start(
            &config.otlp,
            ("ccag-controlplane", &hex::encode(instance)),
            at,
            chance,
        )?;
        let writing = sessions::write_refused(app.clone(), not_let_in, life.shutdown());
        life.spawn("refused sign-ins", writing);
        let report = bootstrap(&app, &config, &keys).await?;
        secrets::check(&app).await;
        let hub = Hub::new(app.clone());
        hub.start(life, ready);
        if let Some(every) = config.discover_every {
            let (asking, shutdown) = (discovery::keep_fresh(app.clone(), every), life.shutdown());
            life.spawn("discovery", async move {
                tokio::select! {
                    () = asking => {}
                    () = shutdown.cancelled() => {}
                }
            });
        }
        life.spawn(
            "notifications",
            notifications::worker::run(app.clone(), life.shutdown()),
        );
        life.spawn("sums", rollup::catch_up(app.clone(), life.shutdown()));
        life.spawn("packs", rollup::keep_packed(app.clone(), life.shutdown()));
        let fleet = FleetWriter::default();
        fleet.start(app.clone(), life);
        let shares = Shares::default();
        shares.start(app.clone(), life);
        let services = Services {
            app: app.clone(),
            hub,
            fleet,
            shares,
            life: life.clone(),
            otlp: otlp.clone(),
            // A data plane in the same process delivers its last records while the shutdown is under way.
            end: match config.join_token {
                Some(_) => life.shutdown(),
                None => life.force(),
            },
            join_token: config.join_token,
        };
        let state = HttpState::new(http::Inner {
            app,
            public_url: config.public_url,
            cookie_keys: CookieKeys::new(&keys),
            life: life.clone(),
            traces: otlp.clone().map(Traces::new),
            trusted_proxies: config.trusted_proxies,
        });
        Ok(Self {
            state,
            services,
            registry: Arc::new(Mutex::new(registry)),
            otlp,
            report,
        })
    }

    /// What the start has made: shown once, by whoever started it.
    #[must_use]
    pub fn report(&self) -> &BootstrapReport {
        &self.report
    }

    /// The business, for who is in the same process.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.state.app
    }

    /// Console, admin API and sign-in, with a fallback for everything else.
    pub fn router(&self) -> Router {
        http::router(self.state.clone(), true)
    }

    /// The same beside a data plane in the same process, without what that serves.
    pub fn router_beside_data_plane(&self) -> Router {
        http::router(self.state.clone(), false)
    }

    /// The services for data planes, for an in-memory pipe.
    #[must_use]
    pub fn grpc(&self) -> Routes {
        self.services.routes()
    }

    /// The metrics.
    #[must_use]
    pub fn registry(&self) -> SharedRegistry {
        Arc::clone(&self.registry)
    }

    /// Serves data planes until the shutdown begins and their streams have ended.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve_grpc(
        &self,
        life: &Lifecycle,
        listener: TcpListener,
        tls: Option<&Followed>,
    ) -> Result<(), StartError> {
        let mut server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE.0))
            .http2_keepalive_timeout(Some(KEEP_ALIVE.1));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let (shutdown, force) = (life.shutdown(), life.force());
        let (routed, stop) = (server.add_routes(self.grpc()), async move {
            shutdown.cancelled().await
        });
        let serving = async {
            let Some(tls) = tls else {
                return routed.serve_with_incoming_shutdown(incoming, stop).await;
            };
            let app = &self.state.app;
            tls.register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
            let clock = Arc::clone(&app.clock);
            life.spawn("certificates", tls.clone().follow(clock, life.shutdown()));
            let door = Door::new(tls.clone(), app.metrics.clone());
            routed
                .serve_with_incoming_shutdown(Box::pin(door.incoming(incoming)), stop)
                .await
        };
        tokio::select! {
            served = serving => Ok(served?),
            () = force.cancelled() => Ok(()),
        }
    }

    /// Closes the database, after everything else has ended.
    pub async fn finish(self) {
        if let Some(otlp) = &self.otlp {
            otlp.finish().await;
        }
        let store = self.state.app.store.clone();
        drop(self);
        store.close().await;
    }
}

/// What a control plane consists of before anything runs.
struct Opened {
    app: App,
    keys: OpenKeys,
    registry: Registry,
    not_let_in: mpsc::Receiver<(UnixMs, AuditEntry)>,
    /// Who notices that the database's password is another one now.
    login: Option<database_secret::Follower>,
}

async fn open(config: &mut ControlPlaneConfig, world: World) -> Result<Opened, StartError> {
    // Another part of the process may have installed it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clock = Arc::clone(&world.clock);
    let opening = config.master_keys.open(&config.aws, &config.aws_client, clock);
    let keys = Box::pin(opening).await?;
    let login = Box::pin(database_secret::open(config, Arc::clone(&world.clock))).await?;
    let store = Store::connect(&config.database, &keys).await?;
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let ms = |life: Duration| i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
    let known = Known::new().map_err(StartError::Tls)?;
    let aws = AwsAccess::new(config.aws.clone(), config.aws_client.clone());
    let terms = crate::app::Terms {
        session_ttl_ms: ms(config.session_ttl),
        passwords_always: config.passwords_always,
        token_ttl_ms: ms(config.client_token_ttl),
        client_session_ttl_ms: ms(config.client_session_ttl),
        explanation_days: config.explanation_days,
        public_url: config.public_url.clone(),
        notification_url: config.notification_url.clone(),
    };
    let (refused, not_let_in) = mpsc::channel(sessions::REFUSED_AT_ONCE);
    let app = App::new(store, world, metrics, aws, known, refused, terms);
    Ok(Opened {
        app,
        keys,
        registry,
        not_let_in,
        login,
    })
}

/// The business of a control plane that serves nobody, for commands of the operator. The database is brought up to date as at
/// a start; control planes that run on it notice what is changed.
///
/// # Errors
/// [`StartError`].
pub async fn offline(
    config: &ControlPlaneConfig,
    world: World,
) -> Result<(App, BootstrapReport), StartError> {
    let mut config = config.clone();
    let opened = Box::pin(open(&mut config, world)).await?;
    let report = bootstrap(&opened.app, &config, &opened.keys).await?;
    Ok((opened.app, report))
}

/// Why the database could not be prepared just now.
async fn what_is_wrong(app: &App) -> String {
    match app.store.what_is_wrong().await {
        Some(error) => error.to_string(),
        None => "it answers now, and did not while it was prepared".to_owned(),
    }
}

/// Waits for the database and prepares it.
async fn bootstrap(
    app: &App,
    config: &ControlPlaneConfig,
    keys: &OpenKeys,
) -> Result<BootstrapReport, StartError> {
    let started = Instant::now();
    let mut complained = false;
    loop {
        let attempt = async {
            // Statements of a migration may take long; those of requests may not.
            let migrator = match app.store.backend() {
                Backend::Sqlite => app.store.clone(),
                Backend::Postgres => {
                    let options = ConnectOptions {
                        max_connections: 3,
                        statement_timeout: Duration::ZERO,
                        ..config.database.clone()
                    };
                    Store::connect(&options, keys).await?
                }
            };
            let report = bootstrap::run(app, &migrator, &config.bootstrap).await;
            if app.store.backend() == Backend::Postgres {
                migrator.close().await;
            }
            report
        };
        match attempt.await {
            Ok(report) => return Ok(report),
            Err(problem) if problem.code != Code::Unavailable => return Err(StartError::Bootstrap(problem)),
            Err(_) if started.elapsed() > config.start_timeout => {
                return Err(StartError::NoDatabase {
                    waited_s: config.start_timeout.as_secs(),
                    reason: what_is_wrong(app).await,
                });
            }
            Err(_) if !complained => {
                let reason = what_is_wrong(app).await;
                tracing::warn!(reason, "waiting for the database");
                complained = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY).await;
    }
}
