//! A database that is restored from a backup, under data planes that know more than it does, and one that is moved.

use crate::harness::{ControlPlane, DataPlane, MODEL, Sim, database, postgres_tool, wait_until};
use std::time::Duration;

/// Where the configuration and the ledger are, and how they are backed up and restored.
enum Kind {
    Postgres,
    Sqlite(tempfile::TempDir),
}

impl Kind {
    fn database(&self, name: &str) -> String {
        match self {
            Self::Postgres => database(),
            Self::Sqlite(dir) => format!("sqlite://{}", dir.path().join(name).display()),
        }
    }

    async fn back_up(&self, control: &ControlPlane, from: &str, file: &str) {
        match self {
            Self::Postgres => {
                postgres_tool("pg_dump", &["--format=custom", "--file", file, "--dbname", from])
            }
            Self::Sqlite(_) => {
                let (code, said) = control.operate(&["backup", "--to", file]).await;
                assert_eq!(code, Some(0), "{said}");
            }
        }
    }

    fn restore(&self, file: &str, to: &str) {
        match self {
            Self::Postgres => postgres_tool(
                "pg_restore",
                &["--no-owner", "--exit-on-error", "--dbname", to, file],
            ),
            Self::Sqlite(_) => {
                std::fs::copy(file, to.trim_start_matches("sqlite://")).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_of_postgres_nothing_that_was_not_delivered_is_lost_and_nobody_knows_too_much() {
    Box::pin(restored(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_of_sqlite_nothing_that_was_not_delivered_is_lost_and_nobody_knows_too_much() {
    Box::pin(restored(Kind::Sqlite(tempfile::tempdir().unwrap()))).await;
}

async fn restored(kind: Kind) {
    let (sim, first) = (Sim::start().await, kind.database("first.db"));
    let mut control = ControlPlane::start("control", &first).await;
    let plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("kept").await;
    let (leaving, revoked) = admin.create_key("revoked after the backup").await;
    admin.fleet_of(1).await;
    let client = plane.client(&secret);
    let before = client.stream(MODEL, "before the backup").await;
    admin.ledger_with(std::slice::from_ref(&before.request_id)).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup").display().to_string();
    kind.back_up(&control, &first, &file).await;
    // What is done after the backup, and delivered, is in nobody's hands any more once the database is lost.
    let lost = client.stream(MODEL, "after the backup").await;
    admin.ledger_with(std::slice::from_ref(&lost.request_id)).await;
    admin.revoke_key(&leaving).await;
    let (_, unknown) = admin.create_key("made after the backup").await;
    admin.fleet_of(1).await;
    control.kill();
    // The data plane goes on, and keeps what it cannot deliver.
    let spooled = client.stream(MODEL, "while there is no control plane").await;
    assert!(spooled.is_complete(), "{spooled:?}");
    let second = kind.database("second.db");
    kind.restore(&file, &second);
    control.set_database(&second);
    let (code, said) = control.operate(&["restored"]).await;
    assert_eq!(code, Some(0), "{said}");
    control.resume().await;
    let admin = control.admin().await;
    admin.fleet_of(1).await;
    // The database does not know what was made, or revoked, after the backup: nor does the data plane now.
    wait_until("the later key is unknown", Duration::from_secs(10), || async {
        (plane.client(&unknown).stream(MODEL, "later").await.status == 401).then_some(())
    })
    .await;
    assert!(
        plane
            .client(&revoked)
            .stream(MODEL, "revoked")
            .await
            .is_complete()
    );
    let after = client.stream(MODEL, "after the restore").await;
    let ids = [&before, &spooled, &after].map(|reply| reply.request_id.clone());
    let ledger = admin.ledger_with(&ids).await;
    let times = |id: &str| ledger.iter().filter(|row| row["request_id"] == id).count();
    for id in &ids {
        assert_eq!(times(id), 1, "{id}");
    }
    assert_eq!(times(&lost.request_id), 0, "docs/backup.md says so");
    assert_eq!(admin.get("/admin/audit/verify").await["intact"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_moved_to_postgres_gets_what_its_data_planes_have_served_meanwhile() {
    let (sim, dir) = (Sim::start().await, tempfile::tempdir().unwrap());
    let sqlite = format!("sqlite://{}", dir.path().join("ccag.db").display());
    let mut control = ControlPlane::start("control", &sqlite).await;
    let plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (id, secret) = admin.create_key("kept").await;
    admin.fleet_of(1).await;
    let client = plane.client(&secret);
    let before = client.stream(MODEL, "before the move").await;
    admin.ledger_with(std::slice::from_ref(&before.request_id)).await;
    let postgres = database();
    let (code, said) = control.operate(&["move", "--to", &postgres]).await;
    assert_eq!(code, Some(1), "while it runs: {said}");
    assert!(said.contains("stop it first"), "{said}");
    control.stop().await;
    let meanwhile = client.stream(MODEL, "while it is moved").await;
    assert!(meanwhile.is_complete(), "{meanwhile:?}");
    let (code, said) = control.operate(&["move", "--to", &postgres]).await;
    assert_eq!(code, Some(0), "{said}");
    control.set_database(&postgres);
    control.resume().await;
    let admin = control.admin().await;
    admin.fleet_of(1).await;
    let after = client.stream(MODEL, "after the move").await;
    let ids = [&before, &meanwhile, &after].map(|reply| reply.request_id.clone());
    let ledger = admin.ledger_with(&ids).await;
    assert_eq!(ledger.len(), 3, "each of them once: {ledger:?}");
    admin.revoke_key(&id).await;
    wait_until("the key is refused", Duration::from_secs(10), || async {
        (client.stream(MODEL, "revoked").await.status == 401).then_some(())
    })
    .await;
}
