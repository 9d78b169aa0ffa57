//! Every page and every question, several times.

use crate::PASSWORD;
use crate::plans::{pages, plan};
use anyhow::Result;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use ccag_controlplane::ControlPlane;
use ccag_controlplane::app::rollup;
use ccag_controlplane::store::Tally;
use http_body_util::BodyExt;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;
use tower::ServiceExt;

/// Beside the pages as they are when one comes to them: choices and searches, and the API.
fn questions(team: &str, user: &str, key: &str, end: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "/console/analytics?range=90d",
        "/console/analytics?range=year",
        "/console/analytics?range=year&step=day",
        "/console/analytics?range=7d&step=hour",
        "/console/analytics?range=month",
        "/console/analytics?range=last-month",
        "/console/analytics?model=claude-sonnet-4-5",
        "/console/analytics?range=year&model=claude-sonnet-4-5",
        "/console/analytics/activity?range=90d",
        "/console/analytics/activity?range=year",
        "/console/analytics/activity?model=claude-sonnet-4-5",
        "/console/analytics/models?range=90d",
        "/console/analytics/models?range=year",
        "/console/analytics/export?by=user",
        "/console/keys?q=laptop+0421",
        "/console/keys?q=0421",
        "/console/keys?state=expired",
        "/console/keys?page=100",
        "/console/keys?sort=name",
        "/console/users?q=person0042",
        "/console/users?q=0042",
        "/console/users?page=100",
        "/console/teams?q=team+01",
        "/console/budgets?q=person0042",
        "/console/budgets?page=100",
        "/console/audit?action=key.create",
        "/admin/analytics?group_by=team",
        "/admin/analytics?group_by=team&days=365&step=week",
        "/admin/analytics?group_by=model&days=365&step=month",
        "/admin/analytics?days=365&step=month",
        "/admin/analytics?group_by=user&days=30&step=month",
        "/admin/analytics/activity",
        "/admin/analytics/activity?days=365",
        "/admin/analytics/performance",
        "/admin/analytics/performance?days=365",
        "/admin/analytics/forecast",
        "/admin/usage/summary?group_by=user",
        "/admin/usage/summary?group_by=day&days=365",
        "/admin/keys?limit=50",
        "/admin/keys?state=expired&limit=50",
        "/admin/users?limit=50",
        "/admin/audit?limit=50",
    ]
    .map(ToOwned::to_owned)
    .into();
    for (what, id) in [("team", team), ("user", user), ("key", key), ("endpoint", end)] {
        for page in ["", "/activity", "/models"] {
            for range in ["30d", "year"] {
                all.push(format!("/console/analytics{page}?range={range}&{what}={id}"));
            }
        }
    }
    all
}

async fn send(plane: &ControlPlane, token: &str, address: &str, tally: Tally) -> Result<(u16, Duration)> {
    let mut request = Request::builder()
        .uri(address)
        .header("authorization", format!("Bearer {token}"))
        .header("cookie", format!("ccag_session={token}"))
        .body(Body::empty())?;
    let from: SocketAddr = "192.0.2.1:1000".parse()?;
    request.extensions_mut().insert(ConnectInfo(from));
    request.extensions_mut().insert(tally);
    let router = plane.router();
    let begun = Instant::now();
    let answer = router.oneshot(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    Ok((status, begun.elapsed()))
}

async fn one(db: &DatabaseConnection, sql: &str) -> Result<String> {
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    Ok(row.map_or_else(|| "nothing".to_owned(), |row| row.try_get_by_index(0).unwrap()))
}

/// Waits until the coarser sums of all days are made and packed, as after an update of an old installation.
async fn caught_up(plane: &ControlPlane, db: &DatabaseConnection) -> Result<()> {
    let begun = Instant::now();
    let sql = "SELECT CAST(complete_from_ms AS TEXT) FROM usage_sums_state";
    let mut said = 0;
    while one(db, sql).await? != "0" {
        if begun.elapsed().as_secs() / 30 > said {
            said += 1;
            println!(
                "{:?}: days from {} on are summed up",
                begun.elapsed(),
                one(db, sql).await?
            );
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if said > 0 {
        println!("all days were summed up in {:?}", begun.elapsed());
        db.execute_unprepared("ANALYZE usage_sums").await?;
    }
    let begun = Instant::now();
    let packed = rollup::pack(plane.app()).await?;
    println!(
        "{packed} days and months of sums were packed in {:?}",
        begun.elapsed()
    );
    Ok(())
}

/// Looks at everything, and prints a table.
pub(crate) async fn all(
    plane: &ControlPlane,
    db: &DatabaseConnection,
    rounds: usize,
    only: &str,
    slow: Option<u128>,
) -> Result<()> {
    caught_up(plane, db).await?;
    let login = ccag_controlplane::app::sessions::login(plane.app(), "admin", PASSWORD, None).await;
    let token = login.map_err(|problem| anyhow::anyhow!(problem.message))?;
    let token = token.token.reveal().to_owned();
    let mut addresses: Vec<String> = pages(db).await.into_iter().map(|page| page.address).collect();
    addresses.extend(questions(
        &one(db, "SELECT id FROM teams ORDER BY name_key LIMIT 1").await?,
        &one(db, "SELECT user_id FROM usage_records ORDER BY id LIMIT 1").await?,
        &one(db, "SELECT key_id FROM usage_records ORDER BY id LIMIT 1").await?,
        &one(db, "SELECT endpoint_id FROM usage_records ORDER BY id LIMIT 1").await?,
    ));
    println!(
        "| address | status | statements | rows read | median ms | worst ms | whole tables |\n|---|---|---|---|---|---|---|"
    );
    for address in addresses.iter().filter(|address| address.contains(only)) {
        let mut times = Vec::new();
        let (mut status, mut tally) = (0, Tally::keeping());
        for _ in 0..rounds {
            tally = Tally::keeping();
            let took;
            (status, took) = send(plane, &token, address, tally.clone()).await?;
            times.push(took);
            if took > Duration::from_secs(10) {
                break;
            }
        }
        times.sort();
        let (mut rows, mut scanned) = (None, Vec::new());
        for asked in tally.asked() {
            if slow.is_some_and(|slow| asked.elapsed.as_millis() >= slow) {
                println!("{:?} {}", asked.elapsed, asked.statement);
            }
            let plan = plan(db, &asked).await;
            if let Some(read) = plan.rows {
                rows = Some(rows.unwrap_or(0) + read);
            }
            scanned.extend(plan.scanned);
        }
        scanned.sort();
        scanned.dedup();
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1_000.0);
        println!(
            "| `{address}` | {status} | {} | {} | {:.0} | {:.0} | {} |",
            tally.statements(),
            rows.map_or_else(|| "?".to_owned(), |rows: u64| rows.to_string()),
            ms(times.get(times.len() / 2)),
            ms(times.last()),
            scanned.join(", ")
        );
    }
    Ok(())
}
