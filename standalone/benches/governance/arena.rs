//! A control plane, two data planes and a simulated Bedrock, with two users alike, of whom one is governed.

use crate::harness::{Admin, ControlPlane, DataPlane, MODEL, PASSWORD, Sim, message, wait_until};
use crate::load::{Load, Shape};
use crate::report::{Block, Pair};
use ccag_bench::cpu::{Mark, Meter};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How long it takes until shares have grown to what the pace needs, and it is learnt what answers cost.
const LEAD: Duration = Duration::from_secs(3);

pub(crate) struct Arena {
    sim: Sim,
    planes: [Plane; 2],
    governed: String,
    free: String,
    _control: ControlPlane,
    _database: tempfile::TempDir,
}

/// A data plane, and what it has used.
struct Plane {
    plane: DataPlane,
    meter: Meter,
}

/// A user in a team, with a key.
struct Person {
    team: Value,
    user: Value,
    key: Value,
}

impl Person {
    async fn new(admin: &Admin, name: &str) -> Self {
        let team = admin.post("/admin/teams", &json!({"name": name})).await;
        let user = json!({"username": name, "password": PASSWORD});
        let user = admin.post("/admin/users", &user).await;
        let place = format!("/admin/users/{}/team", user["id"].as_str().unwrap());
        admin.put(&place, &json!({"team_id": team["id"]})).await;
        let key = json!({"name": name, "user_id": user["id"]});
        let key = admin.post("/admin/keys", &key).await;
        Self { team, user, key }
    }

    fn secret(&self) -> String {
        self.key["key"].as_str().unwrap().to_owned()
    }

    /// The key's budget is a hard one; everything is ample.
    async fn govern(&self, admin: &Admin) {
        let (team, user, key) = (&self.team["id"], &self.user["id"], &self.key["id"]);
        for budget in [
            json!({"scope": "team", "team_id": team, "amount_usd": "1000000", "period": "monthly"}),
            json!({"scope": "user", "user_id": user, "amount_usd": "1000000", "period": "monthly"}),
            json!({"scope": "key", "key_id": key, "amount_usd": "1000000", "period": "daily", "mode": "hard"}),
        ] {
            admin.post("/admin/budgets", &budget).await;
        }
        for limit in [
            json!({"scope": "team", "team_id": team, "kind": "tokens_per_minute", "amount": 100_000_000_000u64}),
            json!({"scope": "user", "user_id": user, "kind": "requests_per_minute", "amount": 100_000_000}),
        ] {
            admin.post("/admin/limits", &limit).await;
        }
    }
}

impl Plane {
    /// Starts it, under callgrind if there is a directory for its profiles.
    async fn start(name: &str, control: &ControlPlane, sim: &Sim, callgrind: Option<&Path>) -> Self {
        let callgrind = callgrind.map(|dir| dir.join(name));
        let under: Vec<String> = callgrind.as_ref().map_or_else(Vec::new, |dir| {
            let _ = std::fs::remove_dir_all(dir);
            std::fs::create_dir_all(dir).unwrap();
            let out = format!("--callgrind-out-file={}/profile", dir.display());
            ["valgrind", "--tool=callgrind", &out].map(str::to_owned).to_vec()
        });
        let plane = DataPlane::start_under(&under, name, &[control], sim, &[]).await;
        let meter = Meter::new(plane.process.as_ref().unwrap().pid(), callgrind);
        Self { plane, meter }
    }

    /// Waits until a key is known.
    async fn knows(&self, secret: &str) {
        let client = self.plane.client(secret);
        wait_until("the key works", Duration::from_secs(30), || async {
            let reply = client.send(&message(MODEL, "hello")).await;
            (reply.status == 200).then_some(())
        })
        .await;
    }

    /// How many messages about shares were sent, and how often a request waited for one.
    async fn asked(&self) -> (i64, i64) {
        (
            self.plane.metric("allowance_messages_total").await,
            self.plane.metric("allowance_waits_total").await,
        )
    }

    async fn begin(&self, load: &Load) -> Beginning {
        let asked = self.asked().await;
        Beginning {
            asked,
            answered: load.answered(),
            mark: self.meter.mark().unwrap(),
        }
    }

    /// Waits until nothing is said any more of what was in use, and its records are delivered: who comes next does not pay
    /// for it.
    async fn quiet(&self) {
        let messages = std::cell::Cell::new(i64::MIN);
        wait_until("it is quiet", Duration::from_secs(180), || async {
            let before = messages.replace(self.asked().await.0);
            tokio::time::sleep(Duration::from_millis(900)).await;
            // A sign of life comes every second.
            let said = messages.get().saturating_sub(before);
            (said <= 1 && self.plane.metric("usage_spooled").await == 0).then_some(())
        })
        .await;
    }
}

/// What there was when a block began.
struct Beginning {
    asked: (i64, i64),
    answered: u64,
    mark: Mark,
}

impl Arena {
    /// Starts everything, the data planes under callgrind if there is a directory for their profiles.
    pub(crate) async fn start(callgrind: Option<&Path>) -> Self {
        let sim = Sim::start().await;
        let database = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/control.db", database.path().display());
        let control = ControlPlane::start("control", &url).await;
        let admin = control.admin().await;
        let planes = [
            Plane::start("data-1", &control, &sim, callgrind).await,
            Plane::start("data-2", &control, &sim, callgrind).await,
        ];
        let (ada, bob) = (Person::new(&admin, "ada").await, Person::new(&admin, "bob").await);
        ada.govern(&admin).await;
        admin.fleet_of(2).await;
        for plane in &planes {
            plane.knows(&ada.secret()).await;
            plane.knows(&bob.secret()).await;
        }
        Self {
            sim,
            planes,
            governed: ada.secret(),
            free: bob.secret(),
            _control: control,
            _database: database,
        }
    }

    /// Both users send requests at the same time, each to a data plane of their own: what disturbs the machine disturbs both.
    /// `swapped` says which has which. Says what so many blocks of a time have used, one after the other.
    pub(crate) async fn run(
        &self,
        shape: Shape,
        swapped: bool,
        blocks: usize,
        length: Duration,
    ) -> Vec<Pair> {
        let [one, other] = &self.planes;
        let (governed, free) = if swapped { (other, one) } else { (one, other) };
        let loads = (
            Load::start(&governed.plane.http, &self.governed, shape),
            Load::start(&free.plane.http, &self.free, shape),
        );
        tokio::time::sleep(LEAD.max(length)).await;
        let mut pairs = Vec::new();
        for _ in 0..blocks {
            let begun = (governed.begin(&loads.0).await, free.begin(&loads.1).await);
            tokio::time::sleep(length).await;
            let name = |who| format!("{}-{who}", shape.name());
            let (of_governed, of_free) = (
                Block::new(&begun.0.mark, &governed.meter, &name("governed"), || {
                    loads.0.answered() - begun.0.answered
                }),
                Block::new(&begun.1.mark, &free.meter, &name("free"), || {
                    loads.1.answered() - begun.1.answered
                }),
            );
            let asked = governed.asked().await;
            pairs.push(Pair {
                shape,
                swapped,
                governed: of_governed,
                free: of_free,
                messages: asked.0 - begun.0.asked.0,
                waits: asked.1 - begun.0.asked.1,
            });
            self.sim.clear();
        }
        loads.0.finish().await;
        loads.1.finish().await;
        governed.quiet().await;
        free.quiet().await;
        pairs
    }
}
