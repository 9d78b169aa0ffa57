//! A data plane as a library: started, served by whoever owns the port, finished.

use crate::admission::Admission;
use crate::allowance::{Allowances, Leaser, Logbook};
use crate::auth::Tokens;
use crate::bedrock::attempt::Bedrock;
use crate::bedrock::health::EndpointHealth;
use crate::bedrock::homes::Homes;
use crate::bedrock::lanes::LaneTable;
use crate::bedrock::quota::{QuotaGauges, Quotas};
use crate::bedrock::throttling::Throttling;
use crate::bedrock::uncounted::Uncounted;
use crate::bedrock::{AwsUpstream, Upstream};
use crate::config::DataPlaneConfig;
use crate::explain::{Delivery, Refusals};
use crate::http::{BodyMemory, Forward, Front, Gateway, Relay, inference, no_room};
use crate::metrics::Metrics;
use crate::profiles::{Learning, Pins};
use crate::sync::{Current, Disk, Identity, Link, LinkError, TrustGauges, Watch};
use crate::traces::GenAi;
use crate::usage::{Recorder, Shipper, Spool, SpoolConfig, SpoolError};
use axum::Router;
use ccag_aws::BadBundle;
use ccag_daemon::otlp::{Otlp, OtlpError};
use ccag_daemon::{Lifecycle, OsRng, SharedRegistry, SystemClock};
use ccag_domain::{Clock, ReplicaId, Revision, Rng};
use ccag_search::Searcher;
use prometheus_client::registry::Registry;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How big a spool segment grows.
const SEGMENT_BYTES: u64 = 8 << 20;

/// How long streams that are cut by force may take to spool their records, before the last delivery ends.
const LAST_RECORDS: Duration = Duration::from_millis(1_200);

/// How long [`DataPlane::finish`] waits for the last flush, which limits itself to less.
const FINISH: Duration = Duration::from_secs(8);

/// The data plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path}: {source}; check CCAG_DATA_DIR and its permissions")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The way to the control plane is wrong.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The collector of telemetry cannot be spoken to.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The certificates to trust cannot be read.
    #[error(transparent)]
    Certificates(#[from] BadBundle),
}

/// What a data plane takes from the world besides its configuration.
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub rng: Arc<dyn Rng>,
    /// Stands in for AWS; `None` is AWS itself.
    pub upstream: Option<Arc<dyn Upstream>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            rng: Arc::new(OsRng),
            upstream: None,
        }
    }
}

/// A running data plane. Whoever starts it serves its router and calls [`DataPlane::finish`] when the last request has ended.
pub struct DataPlane {
    gateway: Arc<Gateway>,
    registry: SharedRegistry,
    otlp: Option<Otlp>,
    replica_id: ReplicaId,
    closing: CancellationToken,
    shipped: CancellationToken,
    leased: CancellationToken,
    watched: CancellationToken,
}

impl std::fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataPlane")
            .field("replica_id", &self.replica_id)
            .finish_non_exhaustive()
    }
}

impl DataPlane {
    /// Opens the data directory, begins to follow the control plane and to deliver usage. `life` is not ready until there is
    /// a configuration to serve by.
    ///
    /// # Errors
    /// [`StartError`], before any background work has begun.
    pub async fn start(config: DataPlaneConfig, life: &Lifecycle) -> Result<Self, StartError> {
        Self::start_in(config, life, World::default()).await
    }

    /// The same with another clock, random generator or upstream.
    ///
    /// # Errors
    /// As [`DataPlane::start`].
    pub async fn start_in(
        config: DataPlaneConfig,
        life: &Lifecycle,
        world: World,
    ) -> Result<Self, StartError> {
        let parts = Parts::open(&config, &world)?;
        let upstream = match world.upstream {
            Some(upstream) => upstream,
            None => Box::pin(aws(&config, &parts.clock)).await?,
        };
        let plane = Self {
            gateway: Arc::new(parts.gateway(&config, upstream, life)?),
            registry: Arc::clone(&parts.registry),
            otlp: parts.otlp.clone(),
            replica_id: parts.replica_id.clone(),
            closing: CancellationToken::new(),
            shipped: CancellationToken::new(),
            leased: CancellationToken::new(),
            watched: CancellationToken::new(),
        };
        let shipper = Shipper {
            link: parts.link.clone(),
            recorder: Arc::clone(&parts.recorder),
            closing: plane.closing.clone(),
        };
        if let Some(followed) = parts.link.tls().followed() {
            followed.register(&mut parts.registry.lock().unwrap_or_else(PoisonError::into_inner));
            let following = followed.clone().follow(Arc::clone(&parts.clock), life.shutdown());
            life.spawn("certificates", following);
        }
        let leaser = parts.leaser(plane.closing.clone());
        let logbook = Arc::clone(&parts.logbook);
        let keep = logbook.keep(Arc::clone(&parts.allowances), plane.closing.clone());
        life.spawn("what requests use of hard budgets", keep);
        let delivery = parts.delivery(plane.closing.clone());
        life.spawn("explanations of refusals", delivery.run());
        let watch = parts.watch(config.replica_name, life, plane.closing.clone());
        plane.spawn(life, watch, shipper, leaser);
        Ok(plane)
    }

    fn spawn(&self, life: &Lifecycle, watch: Watch, shipper: Shipper, leaser: Leaser) {
        let watched = self.watched.clone().drop_guard();
        life.spawn("configuration watcher", async move {
            watch.run().await;
            drop(watched);
        });
        let shipped = self.shipped.clone().drop_guard();
        life.spawn("usage delivery", async move {
            shipper.run().await;
            drop(shipped);
        });
        let leased = self.leased.clone().drop_guard();
        life.spawn("budget leases", async move {
            leaser.run().await;
            drop(leased);
        });
        // Whoever forgets to finish is finished by force, so that no task outlives the drain.
        let (force, closing) = (life.force(), self.closing.clone());
        life.spawn("end of the data plane", async move {
            tokio::select! {
                () = async {
                    force.cancelled().await;
                    tokio::time::sleep(LAST_RECORDS).await;
                } => closing.cancel(),
                () = closing.cancelled() => {}
            }
        });
    }

    /// The inference routes: `/v1/*`, `/api/hello`, `/api/oauth/usage`, `HEAD /`. Other paths are left to whoever merges this router.
    pub fn router(&self) -> Router {
        inference(Arc::clone(&self.gateway))
    }

    /// The inference routes as a service, with all other paths passed on to the control plane or refused.
    pub fn front(&self) -> Front {
        Front::new(Arc::clone(&self.gateway))
    }

    /// What answers on connections that there is no room for.
    pub fn refusal(&self) -> Router {
        no_room(Arc::clone(&self.gateway))
    }

    /// The metrics, for the ops port.
    #[must_use]
    pub fn registry(&self) -> SharedRegistry {
        Arc::clone(&self.registry)
    }

    /// This data plane's id, which stays the same over restarts.
    #[must_use]
    pub fn replica_id(&self) -> &ReplicaId {
        &self.replica_id
    }

    /// The revision of the configuration in use.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.gateway.current.held().map(|view| view.revision())
    }

    /// Usage records that the control plane has not acknowledged yet.
    #[must_use]
    pub fn undelivered(&self) -> u64 {
        self.gateway.recorder.spool.backlog()
    }

    /// Ends the background work after the last request: delivers what is spooled (for at most five seconds; the rest waits
    /// for the next start), saves the configuration, closes the spool.
    pub async fn finish(&self) {
        self.closing.cancel();
        let both = async {
            self.shipped.cancelled().await;
            self.leased.cancelled().await;
            self.watched.cancelled().await;
        };
        if tokio::time::timeout(FINISH, both).await.is_err() {
            tracing::warn!("the last usage delivery does not end; the records stay in the spool");
        }
        self.gateway.recorder.spool.close().await;
        if let Some(otlp) = &self.otlp {
            otlp.finish().await;
        }
    }
}

/// What the gateway, the watcher and the shipper share.
struct Parts {
    spool: Spool,
    disk: Disk,
    link: Link,
    replica_id: ReplicaId,
    registry: SharedRegistry,
    otlp: Option<Otlp>,
    metrics: Arc<Metrics>,
    current: Arc<Current>,
    recorder: Arc<Recorder>,
    allowances: Arc<Allowances>,
    logbook: Arc<Logbook>,
    learning: Arc<Learning>,
    homes: Arc<Homes>,
    health: Arc<EndpointHealth>,
    quotas: Arc<Quotas>,
    refusals: Arc<Refusals>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Parts {
    fn open(config: &DataPlaneConfig, world: &World) -> Result<Self, StartError> {
        let (clock, rng) = (Arc::clone(&world.clock), Arc::clone(&world.rng));
        let data_dir = |source| StartError::DataDir {
            path: config.data_dir.clone(),
            source,
        };
        std::fs::create_dir_all(&config.data_dir).map_err(data_dir)?;
        // The spool's lock comes first: it keeps a second process away from everything else in the directory.
        let spool = Spool::open(SpoolConfig {
            dir: config.data_dir.join("spool"),
            max_bytes: config.spool_max_bytes,
            segment_bytes: SEGMENT_BYTES.min(config.spool_max_bytes / 8),
            sync_interval: config.spool_sync,
        })?;
        let disk = Disk::new(&config.data_dir, config.control.snapshot_key());
        let replica_id = disk.replica_id(clock.as_ref(), rng.as_ref()).map_err(data_dir)?;
        let run = disk.next_run().map_err(data_dir)?;
        let service = ("ccag-dataplane", replica_id.as_str());
        let otlp = Otlp::start(&config.otlp, service, Arc::clone(&clock), Arc::clone(&rng))?;
        let link = Link::new(&config.control, otlp.clone())?;
        let mut registry = Registry::default();
        let mut metrics = Metrics::new(&mut registry);
        if config.metrics_aliases {
            metrics = metrics.with_aliases(&mut registry);
        }
        let metrics = Arc::new(metrics);
        let trust_ms = i64::try_from(config.trust.as_millis()).unwrap_or(i64::MAX);
        let contact = disk.load_contact(clock.now_ms());
        let current = Arc::new(Current::new(disk.load(), contact, trust_ms, Arc::clone(&clock)));
        let gauges = TrustGauges(Arc::clone(&current));
        let quotas = Arc::new(Quotas::new());
        registry.register_collector(Box::new(gauges));
        registry.register_collector(Box::new(QuotaGauges(Arc::clone(&quotas))));
        quotas.counters.register(&mut registry);
        let recorder = Arc::new(Recorder {
            spool: spool.clone(),
            replica_id: replica_id.clone(),
            run,
            metrics: Arc::clone(&metrics),
            genai: otlp.clone().map(|otlp| Arc::new(GenAi::new(otlp))),
            clock: Arc::clone(&clock),
            rng: Arc::clone(&rng),
        });
        recorder.publish();
        let refusals = Arc::new(Refusals::new(replica_id.clone(), Arc::clone(&metrics)));
        let registry = Arc::new(Mutex::new(registry));
        let allowances = Arc::new(Allowances::new(metrics.allowance_waits.clone()));
        let health = Arc::new(EndpointHealth::new(
            Arc::clone(&clock),
            Arc::clone(&rng),
            Arc::clone(&metrics),
        ));
        Ok(Self {
            spool,
            disk,
            link,
            replica_id,
            registry,
            otlp,
            metrics,
            current,
            recorder,
            allowances,
            logbook: Arc::new(Logbook::open(&config.data_dir)),
            learning: Arc::new(Learning::new(Arc::clone(&clock))),
            homes: Arc::default(),
            health,
            quotas,
            refusals,
            clock,
            rng,
        })
    }

    fn gateway(
        &self,
        config: &DataPlaneConfig,
        upstream: Arc<dyn Upstream>,
        life: &Lifecycle,
    ) -> Result<Gateway, StartError> {
        Ok(Gateway {
            bedrock: Arc::new(Bedrock {
                upstream,
                health: Arc::clone(&self.health),
                homes: Arc::clone(&self.homes),
                uncounted: Uncounted::new(Arc::clone(&self.clock)),
                throttling: Throttling::new(Arc::clone(&self.clock)),
                quotas: Arc::clone(&self.quotas),
                lanes: LaneTable::new(Arc::clone(&self.clock)),
                life: life.clone(),
                metrics: Arc::clone(&self.metrics),
                pins: Pins::default(),
                learning: Arc::clone(&self.learning),
                patience: config.ping,
            }),
            current: Arc::clone(&self.current),
            recorder: Arc::clone(&self.recorder),
            metrics: Arc::clone(&self.metrics),
            admission: Admission::new(self.spool.clone()),
            allowances: Arc::clone(&self.allowances),
            tokens: Tokens::default(),
            clock: Arc::clone(&self.clock),
            rng: Arc::clone(&self.rng),
            life: life.clone(),
            body_bytes: config.body_bytes,
            body_memory: BodyMemory::new(
                config.body_memory_bytes,
                self.metrics.body_memory.clone(),
                self.metrics.bodies_refused.clone(),
            ),
            ping: config.ping,
            idle: config.idle,
            relay: match config.telemetry_collectors.as_slice() {
                [] => None,
                collectors => Some(Relay::new(
                    collectors.to_vec(),
                    config.telemetry_headers.clone(),
                    life.clone(),
                )?),
            },
            forward: config.forward_control.clone().map(Forward::new).transpose()?,
            searcher: Searcher::new().map_err(|error| StartError::Tls(error.to_string()))?,
            refusals: Arc::clone(&self.refusals),
        })
    }

    fn leaser(&self, closing: CancellationToken) -> Leaser {
        Leaser {
            allowances: Arc::clone(&self.allowances),
            link: self.link.clone(),
            spool: self.spool.clone(),
            logbook: Arc::clone(&self.logbook),
            replica_id: self.replica_id.clone(),
            run: self.recorder.run,
            messages: self.metrics.allowance_messages.clone(),
            clock: Arc::clone(&self.clock),
            rng: Arc::clone(&self.rng),
            closing,
        }
    }

    fn delivery(&self, closing: CancellationToken) -> Delivery {
        Delivery {
            refusals: Arc::clone(&self.refusals),
            link: self.link.clone(),
            replica_id: self.replica_id.clone(),
            rng: Arc::clone(&self.rng),
            closing,
        }
    }

    fn watch(self, name: String, life: &Lifecycle, closing: CancellationToken) -> Watch {
        Watch {
            identity: Identity {
                id: self.replica_id,
                name,
                started_at_ms: self.clock.now_ms(),
            },
            link: self.link,
            current: self.current,
            disk: self.disk,
            spool: self.spool,
            metrics: self.metrics,
            learning: self.learning,
            homes: self.homes,
            health: self.health,
            quotas: self.quotas,
            clock: self.clock,
            rng: self.rng,
            life: life.clone(),
            closing,
            ready: Some(life.ready_guard("first configuration")),
        }
    }
}

async fn aws(config: &DataPlaneConfig, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Upstream>, StartError> {
    let upstream = AwsUpstream::new(config.aws.clone(), config.client.clone(), Arc::clone(clock)).await?;
    if upstream.home_region().is_empty() {
        tracing::warn!(
            "no AWS region is configured: endpoints that name none cannot be used; set AWS_REGION"
        );
    }
    Ok(Arc::new(upstream))
}
