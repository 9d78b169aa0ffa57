//! The pushed configuration: its position, its history, and the objects it consists of.

use super::entity::{
    budget, capability_book, config_change, config_revision, endpoint, learnt_fact, limit, model,
    paused_session, policy, price, setting, signing_key, team, team_endpoint, user, virtual_key,
};
use super::together::Read as _;
use super::{
    Store, StoreError, breaker, budgets, capabilities, dialect, limits, offers, policies, prices, routing,
    rows, search,
};
use crate::secrets::Secrets;
use ccag_domain::config::{ChangeStep, Settings, UnpricedPolicy};
use ccag_domain::{Change, ConfigObject, ObjectKind, ObjectRef, Revision, Snapshot, UnixMs};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;

/// The name of the setting that says what to do with unpriced models.
const UNPRICED: &str = "unpriced";

/// Where the configuration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// Names the database.
    pub(crate) epoch: String,
    pub(crate) revision: Revision,
}

/// A change, and when it was made.
#[derive(Debug, Clone)]
pub(crate) struct ChangeRow {
    pub(crate) change: Change,
    pub(crate) at_ms: UnixMs,
}

impl Store {
    /// Where the configuration stands now.
    pub(crate) async fn find_position(&self) -> Result<Position, StoreError> {
        position_of(config_revision::Entity::find_by_id(1).one_in(self).await?)
    }

    /// The changes after a revision, oldest first, with the newest state of what they are about; at most `limit`. `None`
    /// if the history no longer reaches back that far, or never reached that revision.
    pub(crate) async fn list_changes(
        &self,
        after: Revision,
        limit: u64,
    ) -> Result<Option<Vec<ChangeRow>>, StoreError> {
        let tx = dialect::begin_read(&self.db, self.backend).await?;
        let current = position(&tx).await?.revision;
        if after >= current {
            return Ok((after == current).then(Vec::new));
        }
        let after = i64::try_from(after.0).unwrap_or(i64::MAX);
        let found = config_change::Entity::find()
            .filter(config_change::Column::Revision.gt(after))
            .order_by_asc(config_change::Column::Revision)
            .limit(limit)
            .all(&tx)
            .await?;
        if found.first().map(|row| row.revision) != Some(after + 1) {
            return Ok(None);
        }
        let mut changes = Vec::with_capacity(found.len());
        let mut seen: HashMap<ObjectRef, ChangeStep> = HashMap::new();
        for row in found {
            let Some(kind) = ObjectKind::parse(&row.kind) else {
                return Err(StoreError::unreadable("config_changes", "unknown kind"));
            };
            let object = ObjectRef {
                kind,
                id: row.object_id,
            };
            let step = match seen.get(&object) {
                Some(step) => step.clone(),
                None => {
                    let step = load(&tx, self.secrets(), &object).await?;
                    seen.insert(object, step.clone());
                    step
                }
            };
            changes.push(ChangeRow {
                change: Change {
                    revision: Revision(u64::try_from(row.revision).unwrap_or(0)),
                    step,
                },
                at_ms: row.at_ms,
            });
        }
        tx.commit().await?;
        Ok(Some(changes))
    }

    /// The whole configuration at one revision. An object that cannot be read is left out, loudly: it fails closed.
    pub(crate) async fn load_snapshot(&self) -> Result<Snapshot, StoreError> {
        let tx = dialect::begin_read(&self.db, self.backend).await?;
        let position = position(&tx).await?;
        let mut objects = vec![ConfigObject::Settings(settings(&tx, self.secrets()).await?)];
        let mut take = |object: Result<Option<ConfigObject>, StoreError>, id: &str| match object {
            Ok(object) => objects.extend(object),
            Err(error) => tracing::error!(id, %error, "an object is left out of the configuration"),
        };
        for (id, endpoint) in offers::all_with_offers(&tx, self.secrets()).await? {
            take(endpoint.map(|o| Some(ConfigObject::Endpoint(o))), &id);
        }
        for row in routing::models(&tx).await? {
            take(rows::model(&row).map(|o| Some(ConfigObject::Model(o))), &row.name);
        }
        for row in prices::list_current(&tx).await? {
            take(rows::price(&row).map(|o| Some(ConfigObject::Price(o))), &row.id);
        }
        for row in capabilities::books(&tx).await? {
            take(
                rows::book(&row).map(|o| Some(ConfigObject::CapabilityBook(o))),
                &row.id,
            );
        }
        for row in learnt_fact::Entity::find().all(&tx).await? {
            take(
                rows::fact(&row).map(|o| Some(ConfigObject::LearntFact(o))),
                &row.id,
            );
        }
        let assigned = endpoints_by_team(&tx).await?;
        for row in team::Entity::find().all(&tx).await? {
            let endpoints = assigned.get(&row.id).map_or(&[][..], Vec::as_slice);
            take(
                rows::team(&row, endpoints).map(|o| Some(ConfigObject::Team(o))),
                &row.id,
            );
        }
        for row in budget::Entity::find().all(&tx).await? {
            take(
                budgets::pushed(&row).map(|o| Some(ConfigObject::Budget(o))),
                &row.id,
            );
        }
        for row in limit::Entity::find().all(&tx).await? {
            take(limits::limit(&row).map(|o| Some(ConfigObject::Limit(o))), &row.id);
        }
        for row in breaker::open(&tx).await? {
            take(
                breaker::pushed(&row).map(|o| o.map(ConfigObject::PausedSession)),
                &row.id,
            );
        }
        for row in signing_key::Entity::find().all(&tx).await? {
            take(
                rows::signing_key(&row).map(|o| Some(ConfigObject::SigningKey(o))),
                &row.id,
            );
        }
        for row in policy::Entity::find().all(&tx).await? {
            take(
                policies::pushed(&row).map(|o| o.map(ConfigObject::ModelPolicy)),
                &row.id,
            );
        }
        let mut services = search::active(&tx, self.secrets(), None).await?;
        for row in user::Entity::find().all(&tx).await? {
            let service = services.remove(&row.id);
            take(
                rows::user(&row, service).map(|o| Some(ConfigObject::User(o))),
                &row.id,
            );
        }
        let active = virtual_key::Entity::find().filter(virtual_key::Column::State.eq("active"));
        for row in active.all(&tx).await? {
            take(rows::grant(&row).map(|o| o.map(ConfigObject::Key)), &row.id);
        }
        tx.commit().await?;
        Ok(Snapshot {
            epoch: position.epoch,
            revision: position.revision,
            objects,
        })
    }

    /// Forgets the history before a time. Data planes that are further behind get a snapshot.
    pub(crate) async fn delete_changes_before(&self, at_ms: UnixMs) -> Result<u64, StoreError> {
        let gone = config_change::Entity::delete_many()
            .filter(config_change::Column::AtMs.lt(at_ms))
            .exec(&self.db)
            .await?;
        Ok(gone.rows_affected)
    }
}

async fn position<C: ConnectionTrait>(db: &C) -> Result<Position, StoreError> {
    position_of(config_revision::Entity::find_by_id(1).one(db).await?)
}

/// The position that the row of revisions says.
pub(super) fn position_of(row: Option<config_revision::Model>) -> Result<Position, StoreError> {
    let row = row.ok_or_else(|| StoreError::Other("the database has not been initialised".to_owned()))?;
    Ok(Position {
        epoch: row.epoch,
        revision: Revision(u64::try_from(row.revision).unwrap_or(0)),
    })
}

async fn settings<C: ConnectionTrait>(db: &C, secrets: &Secrets) -> Result<Settings, StoreError> {
    let row = setting::Entity::find_by_id(UNPRICED).one(db).await?;
    Ok(Settings {
        unpriced: match row.as_ref().map(|r| r.value.as_str()) {
            Some("dearest") => UnpricedPolicy::Dearest,
            _ => UnpricedPolicy::Refuse,
        },
        web_search: search::rules(db, secrets).await?,
        routing: routing::organisation(db).await?,
    })
}

async fn endpoints_by_team(tx: &DatabaseTransaction) -> Result<HashMap<String, Vec<String>>, StoreError> {
    let mut by_team: HashMap<String, Vec<String>> = HashMap::new();
    let found = team_endpoint::Entity::find()
        .order_by_asc(team_endpoint::Column::Position)
        .order_by_asc(team_endpoint::Column::EndpointId)
        .all(tx)
        .await?;
    for row in found {
        by_team.entry(row.team_id).or_default().push(row.endpoint_id);
    }
    Ok(by_team)
}

/// What an object is now: its state, or that it is gone. One that cannot be read counts as gone.
async fn load(
    tx: &DatabaseTransaction,
    secrets: &Secrets,
    object: &ObjectRef,
) -> Result<ChangeStep, StoreError> {
    let found = match find(tx, secrets, object).await {
        Err(error @ StoreError::Unreadable { .. }) => {
            tracing::error!(kind = object.kind.as_str(), id = object.id, %error, "an object is left out of the configuration");
            None
        }
        other => other?,
    };
    Ok(match found {
        Some(found) => ChangeStep::Put(Box::new(found)),
        None => ChangeStep::Remove(object.clone()),
    })
}

async fn find(
    tx: &DatabaseTransaction,
    secrets: &Secrets,
    object: &ObjectRef,
) -> Result<Option<ConfigObject>, StoreError> {
    let id = object.id.as_str();
    Ok(match object.kind {
        ObjectKind::Key => match virtual_key::Entity::find_by_id(id).one(tx).await? {
            Some(row) => rows::grant(&row)?.map(ConfigObject::Key),
            None => None,
        },
        ObjectKind::Team => match team::Entity::find_by_id(id).one(tx).await? {
            Some(row) => {
                let endpoints: Vec<_> = team_endpoint::Entity::find()
                    .filter(team_endpoint::Column::TeamId.eq(id))
                    .order_by_asc(team_endpoint::Column::Position)
                    .order_by_asc(team_endpoint::Column::EndpointId)
                    .all(tx)
                    .await?
                    .into_iter()
                    .map(|row| row.endpoint_id)
                    .collect();
                Some(ConfigObject::Team(rows::team(&row, &endpoints)?))
            }
            None => None,
        },
        ObjectKind::User => match user::Entity::find_by_id(id).one(tx).await? {
            Some(row) => {
                let service = search::active(tx, secrets, Some(id)).await?.remove(id);
                Some(ConfigObject::User(rows::user(&row, service)?))
            }
            None => None,
        },
        ObjectKind::Endpoint => match endpoint::Entity::find_by_id(id).one(tx).await? {
            Some(row) => Some(ConfigObject::Endpoint(
                offers::with_offers(tx, secrets, &row).await?,
            )),
            None => None,
        },
        ObjectKind::Model => match model::Entity::find_by_id(id).one(tx).await? {
            Some(row) if row.source == routing::REMOVED => None,
            Some(row) => Some(ConfigObject::Model(rows::model(&row)?)),
            None => None,
        },
        ObjectKind::Price => match price::Entity::find()
            .filter(price::Column::CurrentFor.eq(id))
            .one(tx)
            .await?
        {
            Some(row) => Some(ConfigObject::Price(rows::price(&row)?)),
            None => None,
        },
        ObjectKind::Settings => Some(ConfigObject::Settings(settings(tx, secrets).await?)),
        ObjectKind::CapabilityBook => match capability_book::Entity::find_by_id(id).one(tx).await? {
            Some(row) => Some(ConfigObject::CapabilityBook(rows::book(&row)?)),
            None => None,
        },
        ObjectKind::LearntFact => match learnt_fact::Entity::find_by_id(id).one(tx).await? {
            Some(row) => Some(ConfigObject::LearntFact(rows::fact(&row)?)),
            None => None,
        },
        ObjectKind::Limit => match limit::Entity::find_by_id(id).one(tx).await? {
            Some(row) => Some(ConfigObject::Limit(limits::limit(&row)?)),
            None => None,
        },
        ObjectKind::Budget => match budget::Entity::find_by_id(id).one(tx).await? {
            Some(row) => Some(ConfigObject::Budget(budgets::pushed(&row)?)),
            None => None,
        },
        ObjectKind::PausedSession => match paused_session::Entity::find_by_id(id).one(tx).await? {
            Some(row) => breaker::pushed(&row)?.map(ConfigObject::PausedSession),
            None => None,
        },
        ObjectKind::SigningKey => match signing_key::Entity::find_by_id(id).one(tx).await? {
            Some(row) => Some(ConfigObject::SigningKey(rows::signing_key(&row)?)),
            None => None,
        },
        ObjectKind::ModelPolicy => match policy::Entity::find_by_id(id).one(tx).await? {
            Some(row) => policies::pushed(&row)?.map(ConfigObject::ModelPolicy),
            None => None,
        },
    })
}
