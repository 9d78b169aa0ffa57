//! Sends what is due. Every control plane does, on the same rows: each is leased before it is sent, so that two never send the same,
//! and what was leased by one that was killed is sent by another when the lease has run out.
//!
//! Each destination has an attempt of its own under way, at most one here, so that one that does not answer holds up nobody else.

use super::send::Refused;
use super::{history, send, settings, watch};
use crate::app::App;
use crate::metrics::Delivered;
use crate::store::StoreError;
use crate::store::outbox::{ENVIRONMENT, Parcel};
use ccag_daemon::CancellationToken;
use ccag_domain::notification::{LONGEST_WAIT_MS, wait_ms};
use ccag_domain::{DeliveryState, DestinationKind};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is measured how much waits.
const MEASURE: Duration = Duration::from_secs(15);

/// How often it is looked for what happens without anybody's doing.
const WATCH: Duration = Duration::from_secs(60);

/// How often what is old is forgotten.
const TIDY: Duration = Duration::from_secs(600);

/// For how long nobody else takes what is leased, in milliseconds: longer than an attempt, and writing down what came of it, take.
pub(crate) const LEASE_MS: i64 = 30_000;

/// At how many destinations attempts are under way at a time.
const AT_ONCE: usize = 32;

/// How long attempts that are under way may take when the process stops.
const LAST: Duration = Duration::from_secs(3);

/// Sends what is due until the process stops. What is under way then gets a little time.
pub(crate) async fn run(app: App, shutdown: CancellationToken) {
    let mut under_way: FuturesUnordered<BoxFuture<'_, String>> = FuturesUnordered::new();
    let mut busy: HashSet<String> = HashSet::new();
    let (mut measured, mut tidied, mut watched) = (None::<Instant>, Instant::now(), Instant::now());
    loop {
        match app.store.list_due_destinations(app.now_ms()).await {
            Ok(due) => {
                for id in due {
                    if busy.len() < AT_ONCE && busy.insert(id.clone()) {
                        under_way.push(Box::pin(drain(&app, id)));
                    }
                }
            }
            Err(error) => complain(&app, &error),
        }
        if measured.is_none_or(|at| at.elapsed() >= MEASURE) {
            measure(&app).await;
            measured = Some(Instant::now());
        }
        if watched.elapsed() >= WATCH {
            if let Err(error) = watch::look(&app).await {
                complain(&app, &error);
            }
            watched = Instant::now();
        }
        if tidied.elapsed() >= TIDY {
            if let Err(error) = history::forget_old(&app).await {
                complain(&app, &error);
            }
            tidied = Instant::now();
        }
        let pause = tokio::time::sleep(LOOK);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => {
                    let rest = async { while under_way.next().await.is_some() {} };
                    // What is not finished is sent again by another, with the same id.
                    let _ = tokio::time::timeout(LAST, rest).await;
                    return;
                }
                Some(id) = under_way.next() => { busy.remove(&id); }
                () = &mut pause => break,
            }
        }
    }
}

/// Sends what is due to one destination, one after the other, and returns its id.
async fn drain(app: &App, id: String) -> String {
    loop {
        match deliver_next(app, &id).await {
            Ok(true) => {}
            Ok(false) => return id,
            Err(error) => {
                complain(app, &error);
                return id;
            }
        }
    }
}

fn complain(app: &App, error: &StoreError) {
    app.metrics.db_error("notifications");
    tracing::debug!(%error, "notifications could not be looked after; it is tried again soon");
}

/// Sends what has waited longest for a destination; false if nothing is due, or it failed: then the others that wait have their turn
/// with the next look.
async fn deliver_next(app: &App, destination_id: &str) -> Result<bool, StoreError> {
    let now = app.now_ms();
    let leased = app
        .store
        .lease_delivery(destination_id, &app.instance, now, now + LEASE_MS)
        .await?;
    let Some((mut row, event)) = leased else {
        return Ok(false);
    };
    let (kind, sent) = attempt(app, &(row.clone(), event)).await?;
    let now = app.now_ms();
    row.changed_at_ms = now;
    let (state, answer) = match sent {
        Ok(answer) => (DeliveryState::Delivered, answer),
        Err(Refused {
            message,
            wait_ms: asked,
        }) => {
            let attempts = u32::try_from(row.attempts).unwrap_or(u32::MAX);
            match wait_ms(attempts, random(app)) {
                Some(wait) => {
                    row.due_at_ms = now + wait.max(asked.unwrap_or(0).min(LONGEST_WAIT_MS));
                    (DeliveryState::Pending, message)
                }
                None => (DeliveryState::Dead, message),
            }
        }
    };
    row.state = state.as_str().to_owned();
    row.answer = Some(answer);
    if !app.store.finish_delivery(&row).await? {
        tracing::info!(
            id = row.id,
            "an attempt took longer than its lease, or was overtaken; another counts"
        );
        return Ok(false);
    }
    let outcome = match state {
        DeliveryState::Delivered => "delivered",
        DeliveryState::Pending => "failed",
        DeliveryState::Dead => "given_up",
    };
    let counted = Delivered {
        kind: kind.map_or("unknown", DestinationKind::as_str),
        outcome,
    };
    app.metrics.deliveries.get_or_create(&counted).inc();
    if state == DeliveryState::Dead {
        tracing::warn!(
            id = row.id,
            destination = row.destination_id,
            answer = row.answer,
            "a destination could not be told of an event and is not tried again"
        );
    }
    Ok(state == DeliveryState::Delivered)
}

/// One attempt. That it fails is no error but the outcome.
async fn attempt(
    app: &App,
    (row, event): &Parcel,
) -> Result<(Option<DestinationKind>, Result<String, Refused>), StoreError> {
    let way = if row.destination_id == ENVIRONMENT {
        let url = app.terms.notification_url.as_deref();
        url.and_then(|url| settings::way_of_environment(url).ok())
    } else {
        match app.store.find_destination(&row.destination_id).await? {
            Some(destination) => match settings::active(app.store.secrets(), &destination) {
                Ok(way) => way,
                Err(_) => {
                    let message = "What is secret of the destination cannot be opened: enter it again.";
                    return Ok((None, Err(message.to_owned().into())));
                }
            },
            None => None,
        }
    };
    let Some(way) = way else {
        let message = "The destination is gone or not in force.".to_owned();
        return Ok((None, Err(message.into())));
    };
    let kind = Some(way.settings.kind);
    let sent = match serde_json::from_str(&event.body) {
        Ok(body) => send::send(app, &way, &body, &event.body).await,
        Err(error) => Err(format!("The event cannot be read: {error}.").into()),
    };
    Ok((kind, sent))
}

fn random(app: &App) -> u32 {
    let mut bytes = [0; 4];
    app.rng.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

async fn measure(app: &App) {
    match app.store.measure_outbox().await {
        Ok(waiting) => {
            let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            app.metrics.notifications_pending.set(count(waiting.pending));
            app.metrics.notifications_dead.set(count(waiting.dead));
            let age = waiting
                .oldest_ms
                .map_or(0, |at| (app.now_ms() - at).max(0) / 1_000);
            app.metrics.notifications_oldest_seconds.set(age);
        }
        Err(error) => complain(app, &error),
    }
}
