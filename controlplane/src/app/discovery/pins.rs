//! Application inference profiles that admins choose instead of AWS's own.

use super::super::{App, Changed, catalogue, duplicate, not_found, validate};
use super::{load, refused};
use crate::store::entity::endpoint_profile;
use crate::store::offers;
use ccag_admin_api::{PinProfile, PinnedList, PinnedView, Timestamp};
use ccag_aws::ControlError;
use ccag_aws::discovery::geography_of;
use ccag_domain::model::BedrockArn;
use ccag_domain::{
    Actor, Area, Code, Endpoint, EndpointId, Geography, ObjectKind, Offers, Permission, Problem,
};

/// The application inference profiles that are invoked instead of AWS's own.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn pinned(app: &App, actor: &Actor, id: &EndpointId) -> Result<PinnedList, Problem> {
    actor.require_all(Permission::Read(Area::Endpoints))?;
    load(app, id).await?;
    let rows = app.store.list_pinned(id.as_str()).await?;
    let overrides = rows.iter().map(pinned_view).collect::<Result<_, _>>()?;
    Ok(PinnedList { overrides })
}

fn pinned_view(row: &endpoint_profile::Model) -> Result<PinnedView, Problem> {
    let pin = offers::pin(row)?;
    Ok(PinnedView {
        model_id: pin.model.to_string(),
        aip_arn: pin.arn,
        geography: pin.geography,
        reason: row.reason.clone(),
        created_at: Timestamp::from_ms(row.created_at_ms),
    })
}

/// Has an application inference profile invoked for a model at an endpoint.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::InvalidRequest`] if it is no profile of this model; [`Code::Conflict`] if the model has one
/// already; [`Code::BadUpstream`] if AWS does not know it.
pub async fn pin(
    app: &App,
    actor: &Actor,
    id: &EndpointId,
    request: PinProfile,
) -> Result<PinnedView, Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let endpoint = load(app, id).await?;
    let known = catalogue::models(&app.store.list_models().await?)?;
    let model =
        catalogue::find(&known, &request.model_id).ok_or_else(|| not_found("model", &request.model_id))?;
    let invalid = |field: &str, message: String| Problem::new(Code::InvalidRequest, message).field(field);
    let arn = request.aip_arn.trim();
    let is_arn = BedrockArn::parse(arn).is_some_and(|a| a.kind == "application-inference-profile");
    if !is_arn || arn.len() > 2_048 {
        return Err(invalid(
            "aip_arn",
            "`aip_arn` is not the ARN of an application inference profile: \
             `arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/…`."
                .to_owned(),
        ));
    }
    let (foundation_model, geography) = Box::pin(behind(app, &endpoint, arn)).await?;
    if foundation_model != model.bedrock_id {
        return Err(invalid(
            "aip_arn",
            format!(
                "This profile is of `{foundation_model}`, not of `{}`.",
                model.bedrock_id
            ),
        ));
    }
    if let Some(only) = endpoint.geography.filter(|only| *only != geography) {
        return Err(invalid(
            "aip_arn",
            format!("This profile runs in `{geography}`, but the endpoint is held to `{only}`."),
        ));
    }
    let row = endpoint_profile::Model {
        endpoint_id: endpoint.id.to_string(),
        model: model.name.to_string(),
        arn: arn.to_owned(),
        geography: geography.as_str().to_owned(),
        reason: match &request.reason {
            Some(reason) => Some(validate::optional_name("reason", reason)?),
            None => None,
        },
        created_at_ms: app.now_ms(),
    };
    let mut tx = app.store.change().await?;
    let there = tx.find_endpoint(id.as_str()).await?;
    there.ok_or_else(|| not_found("endpoint", id.as_str()))?;
    tx.insert_pinned(row.clone()).await.map_err(|error| {
        duplicate(
            error,
            || format!("`{}` has a profile here already. Take it away first.", row.model),
            "model_id",
        )
    })?;
    let details = Changed::created(&row);
    let entry = app.audit(actor, "endpoint.pin", ObjectKind::Endpoint, id.as_str(), details);
    tx.commit(app.now_ms(), entry).await?;
    pinned_view(&row)
}

/// The foundation model behind an application inference profile, and where it runs: from what was discovered, else AWS is
/// asked.
async fn behind(app: &App, endpoint: &Endpoint, arn: &str) -> Result<(String, Geography), Problem> {
    let held: &Offers = &endpoint.offers;
    if let Some(profile) = held.application_profile(arn) {
        return Ok((profile.foundation_model.clone(), profile.geography));
    }
    let asked = async {
        let client = app.aws.client(&app.clock).await?;
        let profile = client.get_profile(endpoint, arn).await?;
        let system = client.list_profiles(endpoint, "SYSTEM_DEFINED").await?;
        Ok((profile, system))
    };
    let (profile, system) = asked.await.map_err(|error: ControlError| refused(&error))?;
    let unusable = |message: &str| Problem::new(Code::InvalidRequest, message).field("aip_arn");
    let mut models = profile
        .models
        .iter()
        .filter_map(|m| BedrockArn::parse(&m.model_arn))
        .map(|a| a.id);
    let first = models
        .next()
        .ok_or_else(|| unusable("AWS names no model behind this profile."))?;
    if models.any(|other| other != first) {
        return Err(unusable("AWS names several models behind this profile."));
    }
    let geography = geography_of(&profile, &system)
        .ok_or_else(|| unusable("It cannot be told where this profile runs, so it cannot be priced."))?;
    Ok((first.to_owned(), geography))
}

/// Takes a chosen profile away: AWS's own is invoked again.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn unpin(app: &App, actor: &Actor, id: &EndpointId, said: &str) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let known = catalogue::models(&app.store.list_models().await?)?;
    let name = catalogue::find(&known, said).map_or_else(|| said.to_owned(), |m| m.name.to_string());
    let mut tx = app.store.change().await?;
    let before = tx.find_pinned(id.as_str(), &name).await?;
    let before = before.ok_or_else(|| not_found("profile chosen for", said))?;
    tx.delete_pinned(id.as_str(), &name).await?;
    let entry = app.audit(
        actor,
        "endpoint.unpin",
        ObjectKind::Endpoint,
        id.as_str(),
        Changed::deleted(&before),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}
