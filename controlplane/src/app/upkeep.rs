//! What an operator does to the whole installation.

use super::App;
use ccag_domain::ids::ulid;
use ccag_domain::{Actor, ObjectKind, Problem};
use serde_json::json;

/// Says that the database is a restored one: data planes may know more than it does, and have to take everything anew. Without
/// that, one that is ahead would miss what is changed until the database has caught up.
///
/// # Errors
/// [`ccag_domain::Code::Unavailable`] without a database.
pub async fn restored(app: &App) -> Result<(), Problem> {
    let tx = app.store.change().await?;
    tx.serialize().await?;
    tx.update_epoch(&ulid(&*app.clock, &*app.rng)).await?;
    let entry = app.audit(
        &Actor::System,
        "database.restored",
        ObjectKind::Settings,
        "database",
        json!({}),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}
