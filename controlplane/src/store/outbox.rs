//! The outbox: what happened, written in the transaction that made it so, with a row for each destination that is to be told.
//!
//! A row is sent by whichever control plane has leased it. A lease that has run out, because its holder was killed or has hung, can
//! be taken by another.

use super::entity::{
    notification_delivery as delivery, notification_destination as dest, notification_event as event,
};
use super::together::Read as _;
use super::{Store, StoreError, Tx};
use ccag_domain::{Category, DeliveryState, UnixMs};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

/// Stands for `BUDGET_NOTIFICATION_URL` where a destination's id would be.
pub(crate) const ENVIRONMENT: &str = "environment";

/// How many attempts at a lease are lost to others before it is left to them.
const TRIES: usize = 5;

/// Of whose destinations those are that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Audience {
    /// The organisation's, and the team's.
    #[default]
    Both,
    /// The team's; where the event is about no team, the organisation's.
    Team,
    /// The organisation's.
    Organisation,
}

/// Something that has happened.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) row: event::Model,
    pub(crate) audience: Audience,
    /// Whether `BUDGET_NOTIFICATION_URL` is told where there is no destination.
    pub(crate) environment: bool,
}

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeliveryFilter {
    pub(crate) state: Option<DeliveryState>,
    pub(crate) destination_id: Option<String>,
    pub(crate) category: Option<Category>,
    /// Only events about this team, to its destinations.
    pub(crate) team_id: Option<String>,
    /// After the delivery made then, with this id.
    pub(crate) after: Option<(UnixMs, String)>,
    /// After so many.
    pub(crate) offset: u64,
}

/// A delivery and what is delivered.
pub(crate) type Parcel = (delivery::Model, event::Model);

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) pending: u64,
    pub(crate) dead: u64,
    /// When the oldest that waits was made.
    pub(crate) oldest_ms: Option<UnixMs>,
}

/// Writes an event, and who is to be told, unless it is known; whether it is new.
pub(super) async fn raise(tx: &DatabaseTransaction, new: &NewEvent) -> Result<bool, StoreError> {
    let known = OnConflict::column(event::Column::DedupKey)
        .do_nothing()
        .to_owned();
    let inserted = event::Entity::insert(new.row.clone().into_active_model())
        .on_conflict(known)
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    let rows: Vec<_> = told(tx, new)
        .await?
        .into_iter()
        .map(|id| waiting(&new.row, id).into_active_model())
        .collect();
    for chunk in rows.chunks(super::dialect::rows_per_statement(11)) {
        delivery::Entity::insert_many(chunk.iter().cloned())
            .exec_without_returning(tx)
            .await?;
    }
    Ok(true)
}

/// The ids of the destinations that are told of an event.
async fn told(tx: &DatabaseTransaction, new: &NewEvent) -> Result<Vec<String>, StoreError> {
    let all = dest::Entity::find()
        .order_by_asc(dest::Column::Id)
        .all(tx)
        .await?;
    // What teams have made for themselves does not end what the organisation is told.
    let environment = new.environment && all.iter().all(|row| row.team_id.is_some());
    let about = new.row.team_id.as_deref();
    let hears = |team: Option<&str>| match (team, new.audience) {
        (None, Audience::Both | Audience::Organisation) => true,
        (None, Audience::Team) => about.is_none(),
        (Some(_), Audience::Organisation) => false,
        (Some(team), Audience::Both | Audience::Team) => about == Some(team),
    };
    let wants = |row: &dest::Model| {
        let categories: Vec<String> = serde_json::from_str(&row.categories).unwrap_or_default();
        row.enabled
            && row.active.is_some()
            && categories.contains(&new.row.category)
            && hears(row.team_id.as_deref())
    };
    Ok(all
        .into_iter()
        .filter(|row| wants(row))
        .map(|row| row.id)
        .chain(environment.then(|| ENVIRONMENT.to_owned()))
        .collect())
}

fn waiting(event: &event::Model, destination_id: String) -> delivery::Model {
    let body = |id: &str| {
        id.split_once('_')
            .map_or(id.to_owned(), |(_, body)| body.to_owned())
    };
    delivery::Model {
        id: format!("dlv_{}-{}", body(&event.id), body(&destination_id)),
        event_id: event.id.clone(),
        destination_id,
        state: DeliveryState::Pending.as_str().to_owned(),
        attempts: 0,
        due_at_ms: event.at_ms,
        leased_by: String::new(),
        leased_until_ms: 0,
        answer: None,
        created_at_ms: event.at_ms,
        changed_at_ms: event.at_ms,
    }
}

/// Those that may be sent at a moment.
fn due(now_ms: UnixMs) -> Condition {
    use delivery::Column as C;
    Condition::all()
        .add(C::State.eq(DeliveryState::Pending.as_str()))
        .add(C::DueAtMs.lte(now_ms))
        .add(C::LeasedUntilMs.lte(now_ms))
}

impl Store {
    /// Writes what was noticed, those that are known left out.
    pub(crate) async fn raise(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        // Most of it was told before: that is found out without writing.
        let keys = events.iter().map(|new| new.row.dedup_key.as_str());
        let known: Vec<String> = event::Entity::find()
            .select_only()
            .column(event::Column::DedupKey)
            .filter(event::Column::DedupKey.is_in(keys))
            .into_tuple()
            .all(&self.db)
            .await?;
        let new: Vec<_> = events
            .iter()
            .filter(|new| !known.contains(&new.row.dedup_key))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let (tx, _writer) = self.write().await?;
        for event in new {
            raise(&tx, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The destinations for which something is due.
    pub(crate) async fn list_due_destinations(&self, now_ms: UnixMs) -> Result<Vec<String>, StoreError> {
        Ok(delivery::Entity::find()
            .select_only()
            .column(delivery::Column::DestinationId)
            .distinct()
            .filter(due(now_ms))
            .into_tuple()
            .all(&self.db)
            .await?)
    }

    /// Leases what is due for a destination and has waited longest; `None` if there is nothing. Nobody else leases it before
    /// `until_ms`.
    pub(crate) async fn lease_delivery(
        &self,
        destination_id: &str,
        by: &str,
        now_ms: UnixMs,
        until_ms: UnixMs,
    ) -> Result<Option<Parcel>, StoreError> {
        use delivery::Column as C;
        for _ in 0..TRIES {
            let first = delivery::Entity::find()
                .filter(due(now_ms))
                .filter(C::DestinationId.eq(destination_id))
                .order_by_asc(C::DueAtMs)
                .order_by_asc(C::Id)
                .one_in(self)
                .await?;
            let Some(mut row) = first else {
                return Ok(None);
            };
            let writer = self.writer().await;
            let taken = delivery::Entity::update_many()
                .col_expr(C::LeasedBy, Expr::value(by))
                .col_expr(C::LeasedUntilMs, Expr::value(until_ms))
                .col_expr(C::Attempts, Expr::col(C::Attempts).add(1))
                .filter(C::Id.eq(&row.id))
                .filter(C::State.eq(DeliveryState::Pending.as_str()))
                .filter(C::Attempts.eq(row.attempts))
                .filter(C::LeasedUntilMs.eq(row.leased_until_ms))
                .exec(&self.db)
                .await?;
            drop(writer);
            if taken.rows_affected == 1 {
                by.clone_into(&mut row.leased_by);
                row.leased_until_ms = until_ms;
                row.attempts += 1;
                let event = event::Entity::find_by_id(&row.event_id).one_in(self).await?;
                let event =
                    event.ok_or_else(|| StoreError::unreadable("notification_deliveries", "event_id"))?;
                return Ok(Some((row, event)));
            }
        }
        Ok(None)
    }

    /// Writes down what became of an attempt; false if the lease is no longer the caller's, who then has nothing to say.
    pub(crate) async fn finish_delivery(&self, leased: &delivery::Model) -> Result<bool, StoreError> {
        use delivery::Column as C;
        let _writer = self.writer().await;
        let done = delivery::Entity::update_many()
            .col_expr(C::State, Expr::value(leased.state.as_str()))
            .col_expr(C::DueAtMs, Expr::value(leased.due_at_ms))
            .col_expr(C::Answer, Expr::value(leased.answer.clone()))
            .col_expr(C::ChangedAtMs, Expr::value(leased.changed_at_ms))
            .col_expr(C::LeasedBy, Expr::value(""))
            .col_expr(C::LeasedUntilMs, Expr::value(0_i64))
            .filter(C::Id.eq(&leased.id))
            .filter(C::LeasedBy.eq(&leased.leased_by))
            .filter(C::Attempts.eq(leased.attempts))
            .exec(&self.db)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// What became of telling destinations, the newest first, one page.
    pub(crate) async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: u64,
    ) -> Result<Vec<Parcel>, StoreError> {
        use delivery::Column as C;
        let after = filter.after.as_ref().map(|(at_ms, id)| {
            let same = Condition::all().add(C::CreatedAtMs.eq(*at_ms)).add(C::Id.lt(id));
            Condition::any().add(C::CreatedAtMs.lt(*at_ms)).add(same)
        });
        let rows = delivery::Entity::find()
            .filter(filter.condition().add_option(after))
            .order_by_desc(C::CreatedAtMs)
            .order_by_desc(C::Id)
            .offset(filter.offset)
            .limit(limit);
        let rows = rows.all_in(self).await?;
        let ids: Vec<&str> = rows.iter().map(|row| row.event_id.as_str()).collect();
        let events = event::Entity::find().filter(event::Column::Id.is_in(ids));
        let events = events.all_in(self).await?;
        let parcel = |row: delivery::Model| {
            let event = events.iter().find(|event| event.id == row.event_id)?.clone();
            Some((row, event))
        };
        Ok(rows.into_iter().filter_map(parcel).collect())
    }

    /// How many there are on all pages.
    pub(crate) async fn count_deliveries(&self, filter: &DeliveryFilter) -> Result<u64, StoreError> {
        delivery::Entity::find()
            .filter(filter.condition())
            .count_in(self)
            .await
    }

    /// How much waits and how much was given up.
    pub(crate) async fn measure_outbox(&self) -> Result<Waiting, StoreError> {
        use delivery::Column as C;
        let of = |state: DeliveryState| delivery::Entity::find().filter(C::State.eq(state.as_str()));
        let oldest: Option<Option<i64>> = of(DeliveryState::Pending)
            .select_only()
            .column_as(C::CreatedAtMs.min(), "oldest")
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(Waiting {
            pending: of(DeliveryState::Pending).count_in(self).await?,
            dead: of(DeliveryState::Dead).count_in(self).await?,
            oldest_ms: oldest.flatten(),
        })
    }

    /// Forgets what happened before, except what destinations are still to be told.
    pub(crate) async fn delete_events_before(&self, before_ms: UnixMs) -> Result<(), StoreError> {
        use delivery::Column as C;
        let (tx, _writer) = self.write().await?;
        delivery::Entity::delete_many()
            .filter(C::CreatedAtMs.lt(before_ms))
            .filter(C::State.ne(DeliveryState::Pending.as_str()))
            .exec(&tx)
            .await?;
        let still = delivery::Entity::find()
            .select_only()
            .column(C::EventId)
            .filter(C::CreatedAtMs.lt(before_ms))
            .into_query();
        event::Entity::delete_many()
            .filter(event::Column::AtMs.lt(before_ms))
            .filter(event::Column::Id.not_in_subquery(still))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

impl DeliveryFilter {
    fn condition(&self) -> Condition {
        use delivery::Column as C;
        let category = self.category.map(|category| {
            let of = event::Entity::find()
                .select_only()
                .column(event::Column::Id)
                .filter(event::Column::Category.eq(category.as_str()))
                .into_query();
            C::EventId.in_subquery(of)
        });
        let team = self.team_id.as_ref().map(|team| {
            let events = event::Entity::find()
                .select_only()
                .column(event::Column::Id)
                .filter(event::Column::TeamId.eq(team))
                .into_query();
            let destinations = dest::Entity::find()
                .select_only()
                .column(dest::Column::Id)
                .filter(dest::Column::TeamId.eq(team))
                .into_query();
            Condition::all()
                .add(C::EventId.in_subquery(events))
                .add(C::DestinationId.in_subquery(destinations))
        });
        Condition::all()
            .add_option(team)
            .add_option(self.state.map(|state| C::State.eq(state.as_str())))
            .add_option(self.destination_id.as_ref().map(|id| C::DestinationId.eq(id)))
            .add_option(category)
    }
}

impl Tx {
    /// Writes what this change means to those who want to be told, in its transaction.
    pub(crate) async fn raise(&self, event: &NewEvent) -> Result<bool, StoreError> {
        raise(&self.tx, event).await
    }

    pub(crate) async fn find_delivery(&self, id: &str) -> Result<Option<delivery::Model>, StoreError> {
        Ok(delivery::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&self.tx)
            .await?)
    }

    /// Which team a delivery's event is about, and whose its destination is.
    pub(crate) async fn find_teams_of_delivery(
        &self,
        row: &delivery::Model,
    ) -> Result<(Option<String>, Option<String>), StoreError> {
        let event = event::Entity::find_by_id(&row.event_id).one(&self.tx).await?;
        let destination = dest::Entity::find_by_id(&row.destination_id)
            .one(&self.tx)
            .await?;
        Ok((
            event.and_then(|event| event.team_id),
            destination.and_then(|destination| destination.team_id),
        ))
    }

    /// Makes a delivery due again that was given up; false if it is not given up.
    pub(crate) async fn revive_delivery(&self, id: &str, now_ms: UnixMs) -> Result<bool, StoreError> {
        use delivery::Column as C;
        let done = delivery::Entity::update_many()
            .col_expr(C::State, Expr::value(DeliveryState::Pending.as_str()))
            .col_expr(C::Attempts, Expr::value(0_i64))
            .col_expr(C::DueAtMs, Expr::value(now_ms))
            .col_expr(C::ChangedAtMs, Expr::value(now_ms))
            .filter(C::Id.eq(id))
            .filter(C::State.eq(DeliveryState::Dead.as_str()))
            .exec(&self.tx)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Gives up everything that a destination was still to be told.
    pub(crate) async fn give_up_deliveries(
        &self,
        destination_id: &str,
        why: &str,
        now_ms: UnixMs,
    ) -> Result<u64, StoreError> {
        use delivery::Column as C;
        let done = delivery::Entity::update_many()
            .col_expr(C::State, Expr::value(DeliveryState::Dead.as_str()))
            .col_expr(C::Answer, Expr::value(why))
            .col_expr(C::ChangedAtMs, Expr::value(now_ms))
            .col_expr(C::LeasedBy, Expr::value(""))
            .filter(C::DestinationId.eq(destination_id))
            .filter(C::State.eq(DeliveryState::Pending.as_str()))
            .exec(&self.tx)
            .await?;
        Ok(done.rows_affected)
    }

    /// Forgets a destination, with what became of telling it.
    pub(crate) async fn delete_destination(&self, id: &str) -> Result<(), StoreError> {
        delivery::Entity::delete_many()
            .filter(delivery::Column::DestinationId.eq(id))
            .exec(&self.tx)
            .await?;
        dest::Entity::delete_by_id(id).exec(&self.tx).await?;
        Ok(())
    }
}
