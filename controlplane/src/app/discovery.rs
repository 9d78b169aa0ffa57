//! What endpoints offer: AWS is asked on demand and again every few hours, and data planes are told what is new.

mod pins;
mod quotas;
mod test;

pub use pins::{pin, pinned, unpin};
pub use quotas::quotas;
pub use test::test;

use super::{App, Changed, catalogue, not_found};
use crate::store::entity::endpoint_discovery;
use crate::store::{StoreError, offers, rows};
use ccag_admin_api::{
    AvailabilityView, EndpointModels, InvokedAs, LeftOut, OfferedModel, ProfileView, Timestamp,
};
use ccag_aws::discovery::{Found, ListedModel, discover as ask};
use ccag_aws::quotas::FoundQuotas;
use ccag_aws::{AwsSettings, ControlClient, ControlConfig, ControlError};
use ccag_domain::{
    Actor, Area, Availability, Clock, Code, Discovery, Endpoint, EndpointId, Model, ObjectKind,
    OfferedProfile, Permission, Problem, Quota, UnixMs,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How often it is looked whether an endpoint is due.
const LOOK: Duration = Duration::from_secs(60);

/// How AWS is reached. Nothing is read or connected before the first question.
pub struct AwsAccess {
    settings: AwsSettings,
    config: ControlConfig,
    client: OnceCell<ControlClient>,
}

impl AwsAccess {
    pub(crate) fn new(settings: AwsSettings, config: ControlConfig) -> Self {
        Self {
            settings,
            config,
            client: OnceCell::new(),
        }
    }

    pub(super) async fn client(&self, clock: &Arc<dyn Clock>) -> Result<&ControlClient, ControlError> {
        let made = self.client.get_or_try_init(|| async {
            Box::pin(ControlClient::new(
                self.settings.clone(),
                self.config.clone(),
                Arc::clone(clock),
            ))
            .await
        });
        made.await
            .map_err(|bad| ControlError::Credentials(bad.to_string()))
    }

    /// The region of endpoints that name none, as far as it is known without asking anybody.
    pub(super) fn home_region(&self) -> String {
        let known = self.client.get().map(|c| c.home_region().to_owned());
        known.or_else(|| self.settings.region.clone()).unwrap_or_default()
    }
}

/// What is kept of an answer of AWS's: what data planes are told, and what only people want to know.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    #[serde(flatten)]
    discovery: Discovery,
    #[serde(default)]
    legacy: Vec<String>,
    #[serde(default)]
    listed: Vec<String>,
    #[serde(default)]
    left_out: Vec<(String, String)>,
    /// By the foundation model's id. Not there in what earlier versions kept.
    #[serde(default)]
    availability: BTreeMap<String, Availability>,
    /// Not there either in what earlier versions kept.
    #[serde(default)]
    quotas: KeptQuotas,
}

impl Kept {
    /// What a row holds, if AWS has answered before.
    fn of(row: Option<&endpoint_discovery::Model>) -> Result<Option<Self>, StoreError> {
        let found = row.and_then(|row| row.found.as_ref());
        let read =
            |text: &String| rows::read("endpoint_discoveries", "found", serde_json::from_str(text).ok());
        found.map(read).transpose()
    }
}

/// What AWS lets the account use, when it said so last.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct KeptQuotas {
    at_ms: Option<UnixMs>,
    quotas: Vec<Quota>,
    /// How many others AWS lists.
    others: u32,
    /// Why it did not say so the last time it was asked.
    error: Option<String>,
}

impl KeptQuotas {
    fn new(found: Result<FoundQuotas, String>, at_ms: UnixMs) -> Self {
        match found {
            Ok(found) => Self {
                at_ms: Some(at_ms),
                quotas: found.quotas,
                others: found.others,
                error: None,
            },
            Err(error) => Self {
                error: Some(error),
                ..Self::default()
            },
        }
    }
}

impl From<Found> for Kept {
    fn from(found: Found) -> Self {
        let ids = |models: &[ListedModel], fits: fn(&ListedModel) -> bool| {
            models.iter().filter(|m| fits(m)).map(|m| m.id.clone()).collect()
        };
        Self {
            legacy: ids(&found.models, |m| m.legacy),
            listed: ids(&found.models, |_| true),
            left_out: found
                .left_out
                .into_iter()
                .map(|(id, reason)| (id, reason.to_owned()))
                .collect(),
            availability: found.availability,
            quotas: KeptQuotas::new(found.quotas, found.discovery.at_ms),
            discovery: found.discovery,
        }
    }
}

/// Asks AWS what an endpoint offers, and tells data planes if it is something else than before.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::BadUpstream`] with AWS's words: what was known before goes on to count.
pub async fn discover(app: &App, actor: &Actor, id: &EndpointId) -> Result<EndpointModels, Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let endpoint = load(app, id).await?;
    let found = match app.aws.client(&app.clock).await {
        Ok(client) => ask(client, &endpoint, app.now_ms()).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(found) => {
            keep(app, actor, &endpoint, found.into()).await?;
            models(app, actor, id).await
        }
        Err(error) => {
            let problem = refused(&error);
            app.store
                .insert_discovery_error(id.as_str(), app.now_ms(), &problem.message)
                .await?;
            Err(problem)
        }
    }
}

async fn load(app: &App, id: &EndpointId) -> Result<Endpoint, Problem> {
    let found = app.store.load_endpoint(id.as_str()).await?;
    found.ok_or_else(|| not_found("endpoint", id.as_str()))
}

/// AWS's refusal for an admin, with what usually helps.
fn refused(error: &ControlError) -> Problem {
    let hint = match error {
        ControlError::Refused { status: 403, .. } => {
            " The role needs bedrock:ListInferenceProfiles, bedrock:GetInferenceProfile and bedrock:ListFoundationModels, and \
             bedrock:GetFoundationModelAvailability to tell which models it may use."
        }
        ControlError::Credentials(_) => {
            " The control plane asks AWS itself: give it credentials, and let it assume the endpoint's role."
        }
        ControlError::NoRegion => " The control plane reads it from its own environment.",
        _ => "",
    };
    Problem::new(Code::BadUpstream, format!("{error}.{hint}"))
}

async fn keep(app: &App, actor: &Actor, endpoint: &Endpoint, mut kept: Kept) -> Result<(), Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let held = tx.find_discovery(endpoint.id.as_str()).await?;
    let before = match &held {
        Some(row) => offers::found(row)?,
        None => None,
    };
    let quotas_before = held.as_ref().map(offers::quotas).transpose()?.unwrap_or_default();
    if kept.quotas.error.is_some() {
        // What AWS does not say any more is shown as it was.
        let held = held.and_then(|row| row.found);
        let known = held.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
        kept.quotas = KeptQuotas {
            error: kept.quotas.error,
            ..known.map(|known| known.quotas).unwrap_or_default()
        };
    }
    let same = |before: &Discovery| {
        before.profiles == kept.discovery.profiles && before.on_demand == kept.discovery.on_demand
    };
    let quotas = kept.quotas.quotas.iter().filter(|one| one.is_of_a_minute());
    let is_news = !before.as_ref().is_some_and(same) || !quotas.eq(&quotas_before);
    let row = endpoint_discovery::Model {
        endpoint_id: endpoint.id.to_string(),
        at_ms: now,
        found: serde_json::to_string(&kept).ok(),
        error: None,
    };
    tx.set_discovery(row, is_news).await?;
    let profiles = |found: &Discovery| -> Vec<String> {
        found.profiles.iter().map(|profile| profile.id.clone()).collect()
    };
    let told = |found: &Discovery| json!({"profiles": profiles(found), "on_demand": found.on_demand});
    let details = match &before {
        Some(before) => Changed::updated(&told(before), &told(&kept.discovery)),
        None => Changed::created(&told(&kept.discovery)),
    };
    let entry = app.audit(
        actor,
        "endpoint.discover",
        ObjectKind::Endpoint,
        endpoint.id.as_str(),
        details,
    );
    tx.commit(now, entry).await?;
    Ok(())
}

/// What is known of an endpoint's models: which are to be had, and what is invoked for each.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn models(app: &App, actor: &Actor, id: &EndpointId) -> Result<EndpointModels, Problem> {
    actor.require_all(Permission::Read(Area::Endpoints))?;
    let row = async { Ok(app.store.find_discovery(id.as_str()).await?) };
    let models = async { Ok(app.store.list_models().await?) };
    let (endpoint, row, models) = tokio::try_join!(load(app, id), row, models)?;
    let kept = Kept::of(row.as_ref())?;
    let known = catalogue::models(&models)?;
    let home_region = app.aws.home_region();
    let mut models: Vec<_> = known
        .iter()
        .map(|model| {
            offered(
                Some(model),
                &model.bedrock_id,
                &endpoint,
                kept.as_ref(),
                &home_region,
            )
        })
        .collect();
    if let Some(kept) = &kept {
        let mut others: Vec<&str> = kept
            .listed
            .iter()
            .chain(kept.discovery.profiles.iter().map(|p| &p.foundation_model))
            .map(String::as_str)
            .filter(|id| known.iter().all(|m| m.bedrock_id != *id))
            .collect();
        others.sort_unstable();
        others.dedup();
        let others = others.into_iter();
        models.extend(others.map(|id| offered(None, id, &endpoint, Some(kept), &home_region)));
    }
    Ok(EndpointModels {
        endpoint_id: endpoint.id.clone(),
        discovered_at: kept.as_ref().map(|k| Timestamp::from_ms(k.discovery.at_ms)),
        error: row.and_then(|row| row.error),
        models,
        left_out: kept
            .map(|k| k.left_out)
            .unwrap_or_default()
            .into_iter()
            .map(|(id, reason)| LeftOut { id, reason })
            .collect(),
    })
}

fn offered(
    model: Option<&Model>,
    bedrock_id: &str,
    endpoint: &Endpoint,
    kept: Option<&Kept>,
    home_region: &str,
) -> OfferedModel {
    let profiles = kept.map_or(&[][..], |k| &k.discovery.profiles);
    let has =
        |list: fn(&Kept) -> &Vec<String>| kept.is_some_and(|k| list(k).iter().any(|id| id == bedrock_id));
    OfferedModel {
        model: model.map(|m| m.name.to_string()),
        bedrock_id: bedrock_id.to_owned(),
        invoked: model
            .and_then(|m| endpoint.invocable(m, home_region))
            .map(|asked| InvokedAs {
                id: asked.id,
                geography: asked.geography,
            }),
        profiles: profiles
            .iter()
            .filter(|p| p.foundation_model == bedrock_id)
            .map(|p: &OfferedProfile| ProfileView {
                id: p.id.clone(),
                name: p.name.clone(),
                geography: p.geography,
                application: p.application,
            })
            .collect(),
        on_demand: has(|k| &k.discovery.on_demand),
        legacy: has(|k| &k.legacy),
        availability: kept
            .and_then(|k| k.availability.get(bedrock_id))
            .map(|known| AvailabilityView {
                text: known.to_string(),
                known: known.clone(),
            }),
    }
}

/// Asks AWS again about every endpoint that was asked before and is due. Of several control planes one asks: whoever claims
/// the endpoint first.
pub(crate) async fn refresh(app: &App, every_ms: UnixMs) {
    let due = match app.store.list_due_discoveries(app.now_ms() - every_ms).await {
        Ok(due) => due,
        Err(error) => return tracing::debug!(%error, "cannot look for endpoints to ask about"),
    };
    for id in due {
        let Ok(endpoint) = EndpointId::parse(&id) else {
            continue;
        };
        let claimed = app
            .store
            .claim_discovery(&id, app.now_ms() - every_ms, app.now_ms());
        if !claimed.await.unwrap_or(false) {
            continue;
        }
        if let Err(problem) = discover(app, &Actor::System, &endpoint).await {
            tracing::warn!(endpoint = id, %problem, "AWS could not be asked what an endpoint offers; what is known goes on to count");
        }
    }
}

/// Looks every minute, or as often as AWS is to be asked, whether an endpoint is due.
pub(crate) async fn keep_fresh(app: App, every: Duration) {
    let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    loop {
        tokio::time::sleep(LOOK.min(every)).await;
        refresh(&app, every_ms).await;
    }
}
