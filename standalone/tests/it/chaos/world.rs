//! Three data planes, two control planes, a database, and a network between them that can be cut.

use crate::harness::{Admin, Balancer, Cluster, ControlPlane, DataPlane, Link, PASSWORD, Sim, SteppedClock};
use serde_json::json;

/// Everything that can go wrong, and what does not: Bedrock and the load balancer.
pub(super) struct World {
    pub(super) sim: Sim,
    /// `None` for SQLite.
    pub(super) cluster: Option<Cluster>,
    pub(super) controls: Vec<ControlPlane>,
    pub(super) planes: Vec<DataPlane>,
    /// From each data plane to each control plane.
    pub(super) links: Vec<Vec<Link>>,
    /// From each control plane to the database.
    pub(super) database_links: Vec<Link>,
    pub(super) balancer: Balancer,
    /// From some of the clients to the load balancer.
    pub(super) client_link: Link,
    /// Of each data plane.
    pub(super) clocks: Vec<SteppedClock>,
    /// When data planes were killed, in Unix milliseconds.
    pub(super) kills: Vec<i64>,
    /// A key that nothing bounds.
    pub(super) secret: String,
    /// A key with a hard budget, and the key's id.
    pub(super) bounded: (String, String),
    _files: tempfile::TempDir,
}

/// What the bounded key may spend in all, in dollars.
pub(super) const BUDGET_USD: &str = "0.04";

impl World {
    pub(super) async fn start(sqlite: bool) -> Self {
        let files = tempfile::tempdir().unwrap();
        let sim = Sim::start().await;
        let cluster = (!sqlite).then(Cluster::start);
        let (mut controls, mut database_links) = (Vec::new(), Vec::new());
        match &cluster {
            // SQLite is for one control plane.
            None => {
                let url = format!("sqlite://{}", files.path().join("ccag.db").display());
                controls.push(ControlPlane::start("control-1", &url).await);
            }
            Some(cluster) => {
                let name = cluster.database_name();
                for n in 1..=2 {
                    let link = Link::to_socket(cluster.socket()).await;
                    let url = format!("postgres://ccag@{}/{name}?sslmode=disable", link.address);
                    let mut control = ControlPlane::new(&format!("control-{n}"), &url, Some(PASSWORD));
                    control.resume().await;
                    controls.push(control);
                    database_links.push(link);
                }
            }
        }
        let admin = controls[0].admin().await;
        let (_, secret) = admin.create_key("unbounded").await;
        let bounded = admin.create_key("bounded").await;
        let budget = json!({
            "scope": "key", "key_id": bounded.0, "amount_usd": BUDGET_USD, "period": "total", "mode": "hard",
        });
        admin.post("/admin/budgets", &budget).await;
        let (mut planes, mut links, mut clocks) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..3 {
            let mut own = Vec::new();
            for control in &controls {
                own.push(Link::to(&control.grpc).await);
            }
            let mut list: Vec<String> = own.iter().map(Link::url).collect();
            list.rotate_left(n % controls.len());
            let clock = SteppedClock::new();
            let mut variables = clock.environment();
            variables.push(("CCAG_DRAIN_NOTICE_S", "1".to_owned()));
            let name = format!("data-{}", n + 1);
            planes.push(DataPlane::start_at_with(&name, &list.join(","), &sim, &variables).await);
            clocks.push(clock);
            links.push(own);
        }
        admin.fleet_of(3).await;
        let balancer = Balancer::start(&planes).await;
        Self {
            client_link: Link::to(&balancer.url).await,
            clocks,
            balancer,
            sim,
            cluster,
            controls,
            planes,
            links,
            database_links,
            kills: Vec::new(),
            secret,
            bounded,
            _files: files,
        }
    }

    pub(super) async fn admin(&self) -> Admin {
        self.controls[0].admin().await
    }
}
