//! Endpoints, and the endpoints of teams.

use super::form::{FormData, Posted, again, is_about_input};
use super::visitor::Visitor;
use super::{endpoint_access, endpoint_network, guardrail};
use crate::app::{discovery, endpoints, teams};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{
    AssignedEndpoint, CheckResult, CreateEndpoint, EndpointCheck, EndpointTeam, EndpointView,
    SetTeamEndpoints,
};
use ccag_console::form::Field;
use ccag_console::page::{
    CheckRow, DeleteEndpointPage, EndpointForm, EndpointModelsPage, EndpointPage, EndpointRow,
    EndpointTestPage, EndpointsPage, Named, OfferedRow, TeamEndpointChoice, TeamEndpointsPage, Tried,
};
use ccag_console::{Tone, path};
use ccag_domain::{Code, CredentialKind, EndpointId, Geography, Lane, Lanes, Problem, TeamId};

fn no_endpoint() -> Problem {
    Problem::new(Code::NotFound, "There is no such endpoint.")
}

pub(super) fn id_of(text: &str) -> Result<EndpointId, Problem> {
    EndpointId::parse(text).map_err(|_| no_endpoint())
}

fn named(teams: Vec<EndpointTeam>) -> Vec<Named> {
    teams
        .into_iter()
        .map(|team| Named {
            id: team.id.to_string(),
            name: team.name,
        })
        .collect()
}

/// The lanes as the form spells them.
fn lanes_text(lanes: &[Lane]) -> String {
    if lanes == Lanes::default().as_slice() {
        return String::new();
    }
    let names: Vec<_> = lanes.iter().map(|lane| lane.as_str()).collect();
    names.join(",")
}

/// The account in a role's ARN.
fn account(endpoint: &EndpointView) -> Option<String> {
    let arn = endpoint.role_arn.as_deref()?;
    arn.split(':').nth(4).map(str::to_owned)
}

/// Whose account it is where there is no role to say it; `None` is the data planes' own.
fn owner(endpoint: &EndpointView) -> Option<&'static str> {
    match endpoint.credentials.kind {
        CredentialKind::Process => None,
        CredentialKind::Keys => Some("of its access key"),
        CredentialKind::Profile => Some("of its profile"),
        CredentialKind::ApiKey => Some("of its API key"),
    }
}

pub(super) async fn list(visitor: Visitor) -> Response {
    let found = endpoints::list(&visitor.state().app, &visitor.actor()).await;
    visitor.answer(found.map(|list| EndpointsPage {
        rows: list.endpoints.into_iter().map(row).collect(),
    }))
}

fn row(endpoint: EndpointView) -> EndpointRow {
    EndpointRow {
        account: account(&endpoint).or_else(|| owner(&endpoint).map(str::to_owned)),
        id: endpoint.id.to_string(),
        name: endpoint.name,
        region: endpoint.region,
        geography: endpoint.geography.map(|g| g.to_string()),
        weight: endpoint.weight,
        state: endpoint.state,
        is_default: endpoint.is_default,
        teams: endpoint.teams.len(),
    }
}

pub(super) async fn blank(visitor: Visitor) -> Response {
    // Members may not even see the form.
    let allowed = endpoints::list(&visitor.state().app, &visitor.actor()).await;
    visitor.answer(allowed.map(|_| EndpointPage::default()))
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str) -> Result<EndpointPage, Problem> {
    let endpoint = endpoints::find(&visitor.state().app, &visitor.actor(), &id_of(id)?).await?;
    let field = |text: &Option<String>| Field::new(text.clone().unwrap_or_default());
    Ok(EndpointPage {
        form: EndpointForm {
            name: Field::new(endpoint.name.clone()),
            region: field(&endpoint.region),
            role_arn: field(&endpoint.role_arn),
            external_id: field(&endpoint.external_id),
            geography: Field::new(endpoint.geography.map(|g| g.to_string()).unwrap_or_default()),
            runtime_url: field(&endpoint.runtime_url),
            lanes: Field::new(lanes_text(&endpoint.lanes)),
            mantle_url: field(&endpoint.mantle_url),
            guardrail: guardrail::stored(endpoint.guardrail.as_ref()),
            access: endpoint_access::stored(&endpoint),
            network: endpoint_network::stored(&endpoint),
            weight: Field::new(endpoint.weight.to_string()),
            state: Field::new(endpoint.state.as_str()),
            is_default: endpoint.is_default,
        },
        id: Some(endpoint.id.to_string()),
        name: endpoint.name,
        state: endpoint.state,
        is_default: endpoint.is_default,
        teams: named(endpoint.teams),
        trouble: None,
    })
}

/// The form as it was sent, over what the page holds.
fn refill(form: &FormData, page: &EndpointForm) -> EndpointForm {
    EndpointForm {
        name: Field::new(form.text("name")),
        region: Field::new(form.text("region")),
        role_arn: Field::new(form.text("role_arn")),
        external_id: Field::new(form.text("external_id")),
        geography: Field::new(form.text("geography")),
        runtime_url: Field::new(form.text("runtime_url")),
        lanes: Field::new(form.text("lanes")),
        mantle_url: Field::new(form.text("mantle_url")),
        guardrail: guardrail::refill(form),
        access: endpoint_access::refill(form, &page.access),
        network: endpoint_network::refill(form, &page.network),
        weight: Field::new(form.text("weight")),
        state: form
            .optional("state")
            .map_or_else(|| page.state.clone(), Field::new),
        is_default: form.ticked("is_default"),
    }
}

/// What the form asks for; `None` if a field is wrong, which then says so.
fn read(form: &FormData, filled: &mut EndpointForm) -> Option<CreateEndpoint> {
    let weight = filled.weight.value.parse().ok();
    if weight.is_none() {
        filled.weight.error = Some("Give a whole number, 0 or more.".to_owned());
    }
    let geography = form.optional("geography").map(|text| Geography::parse(&text));
    if geography == Some(None) {
        filled.geography.error = Some("Choose one of the offered geographies.".to_owned());
        return None;
    }
    let names = filled.lanes.value.split(',').filter(|name| !name.is_empty());
    let Ok(lanes) = Lanes::parse(names) else {
        filled.lanes.error = Some("Choose one of the offered orders.".to_owned());
        return None;
    };
    let guardrail = guardrail::read(&mut filled.guardrail).ok()?;
    let access = endpoint_access::read(form, &mut filled.access).ok()?;
    let state = endpoint_access::state(&mut filled.state).ok()?;
    Some(CreateEndpoint {
        name: filled.name.value.clone(),
        region: form.optional("region"),
        role_arn: form.optional("role_arn"),
        external_id: form.optional("external_id"),
        geography: geography.flatten(),
        runtime_url: form.optional("runtime_url"),
        lanes: Some(lanes.into()),
        mantle_url: form.optional("mantle_url"),
        guardrail,
        credentials: access.credentials,
        session_tags: Some(access.session_tags),
        service_tier: access.service_tier,
        request_metadata: Some(filled.access.request_metadata),
        proxy: endpoint_network::proxy(form),
        ca_certificates: form.optional("ca_certificates"),
        use_fips: Some(filled.network.use_fips.value == "yes"),
        weight: Some(weight?),
        state: Some(state),
        enabled: None,
        is_default: Some(filled.is_default),
    })
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let mut page = EndpointPage {
        form: refill(&form, &EndpointForm::default()),
        ..EndpointPage::default()
    };
    let Some(request) = read(&form, &mut page.form) else {
        return again(visitor, page, None);
    };
    match endpoints::create(&visitor.state().app, &visitor.actor(), request).await {
        Ok(endpoint) => {
            let message = format!(
                "“{}” is there. Assign it to teams, or make it a default, so that it is used.",
                endpoint.name
            );
            visitor.go_saying(&path::endpoint(endpoint.id.as_str()), Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather(&visitor, &id).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = refill(&form, &page.form);
    let Some(request) = read(&form, &mut page.form) else {
        return again(visitor, page, None);
    };
    let changed = match id_of(&id) {
        Ok(id) => endpoints::replace(&visitor.state().app, &visitor.actor(), &id, request).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(endpoint) => {
            let message = format!(
                "“{}” is saved. Every connected data plane uses it within a second.",
                endpoint.name
            );
            visitor.go_saying(path::ENDPOINTS, Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

pub(super) async fn set_default(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let changed = match id_of(&id) {
        Ok(id) => endpoints::set_default(&visitor.state().app, &visitor.actor(), &id).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(endpoint) => {
            let message = format!(
                "“{}” is now the only default: all teams without endpoints of their own use it.",
                endpoint.name
            );
            visitor.go_saying(path::ENDPOINTS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            visitor.go_saying(&path::endpoint(&id), Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn models(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather_models(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather_models(visitor: &Visitor, id: &str) -> Result<EndpointModelsPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = id_of(id)?;
    let (endpoint, found) = tokio::try_join!(
        endpoints::find(app, &actor, &id),
        discovery::models(app, &actor, &id)
    )?;
    Ok(EndpointModelsPage {
        id: endpoint.id.to_string(),
        name: endpoint.name,
        discovered_at_ms: found.discovered_at.map(|at| at.ms()),
        error: found.error,
        rows: found
            .models
            .into_iter()
            .map(|model| OfferedRow {
                model: model.model,
                bedrock_id: model.bedrock_id,
                invoked: model.invoked.map(|i| (i.id, i.geography.to_string())),
                legacy: model.legacy,
                availability: model.availability.map(|a| a.known),
            })
            .collect(),
        left_out: found
            .left_out
            .into_iter()
            .map(|left_out| format!("{}: {}", left_out.id, left_out.reason))
            .collect(),
    })
}

pub(super) async fn discover(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let found = match id_of(&id) {
        Ok(id) => discovery::discover(&visitor.state().app, &visitor.actor(), &id).await,
        Err(problem) => Err(problem),
    };
    let page = path::endpoint_models(&id);
    match found {
        Ok(_) => visitor.go_saying(
            &page,
            Tone::Good,
            "AWS has answered. Every connected data plane uses this within a second.",
        ),
        // The page says what AWS said.
        Err(problem) if problem.code == Code::BadUpstream => visitor.go(&page),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn ask_test(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = untested(&visitor, &id).await;
    visitor.answer(page)
}

pub(super) async fn test(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let page = tested(&visitor, &id).await;
    visitor.answer(page)
}

async fn untested(visitor: &Visitor, id: &str) -> Result<EndpointTestPage, Problem> {
    let endpoint = endpoints::find(&visitor.state().app, &visitor.actor(), &id_of(id)?).await?;
    Ok(EndpointTestPage {
        id: endpoint.id.to_string(),
        name: endpoint.name,
        ..EndpointTestPage::default()
    })
}

async fn tested(visitor: &Visitor, id: &str) -> Result<EndpointTestPage, Problem> {
    let page = untested(visitor, id).await?;
    let test = discovery::test(&visitor.state().app, &visitor.actor(), &id_of(id)?).await?;
    let row = |check: EndpointCheck| CheckRow {
        action: check.action,
        on: check.on,
        tried: match check.result {
            CheckResult::Allowed => Tried::Allowed,
            CheckResult::Denied => Tried::Denied,
            CheckResult::Failed => Tried::Failed,
        },
        message: check.message,
    };
    Ok(EndpointTestPage {
        own_credentials: test.own_credentials,
        rows: Some(test.checks.into_iter().map(row).collect()),
        missing_policy: test.missing_policy.map(|policy| format!("{policy:#}")),
        ..page
    })
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather(&visitor, &id).await.map(|page| DeleteEndpointPage {
        id: page.id.unwrap_or_default(),
        name: page.name,
        is_default: page.is_default,
        teams: page.teams,
    });
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let deleted = match id_of(&id) {
        Ok(id) => endpoints::delete(&visitor.state().app, &visitor.actor(), &id).await,
        Err(problem) => Err(problem),
    };
    match deleted {
        Ok(()) => visitor.go_saying(path::ENDPOINTS, Tone::Good, "The endpoint is deleted."),
        Err(problem) if is_about_input(&problem) => {
            visitor.go_saying(&path::endpoint(&id), Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn of_team(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather_team(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather_team(visitor: &Visitor, id: &str) -> Result<TeamEndpointsPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let id = TeamId::parse(id).map_err(|_| Problem::new(Code::NotFound, "There is no such team."))?;
    let (team, all, own) = tokio::try_join!(
        teams::find(app, &actor, &id),
        endpoints::list(app, &actor),
        endpoints::of_team(app, &actor, &id)
    )?;
    let own = own.endpoints;
    let place = |id: &EndpointId| own.iter().position(|one| one.endpoint_id == *id);
    let choice = |endpoint: EndpointView| TeamEndpointChoice {
        chosen: endpoint.teams.iter().any(|t| t.id == id),
        place: format!(
            "{}, {}",
            endpoint.region.as_deref().unwrap_or("the data planes' region"),
            account(&endpoint).map_or_else(
                || match owner(&endpoint) {
                    Some(owner) => format!("the account {owner}"),
                    None => "their own credentials".to_owned(),
                },
                |account| format!("account {account}")
            )
        ),
        priority: place(&endpoint.id).map_or_else(String::new, |place| (place + 1).to_string()),
        id: endpoint.id.to_string(),
        name: endpoint.name,
        enabled: endpoint.enabled,
    };
    let mut listed = all.endpoints;
    // Those of the team's first, in its order.
    listed.sort_by_key(|endpoint| place(&endpoint.id).unwrap_or(usize::MAX));
    Ok(TeamEndpointsPage {
        team_id: team.id.to_string(),
        team: team.name,
        endpoints: listed.into_iter().map(choice).collect(),
        trouble: None,
    })
}

pub(super) async fn assign(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather_team(&visitor, &id).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    let chosen: Vec<_> = form.all("endpoint").collect();
    for choice in &mut page.endpoints {
        choice.chosen = chosen.contains(&choice.id.as_str());
        choice.priority = form.text(&format!("place-{}", choice.id));
    }
    let ids = match in_order(&page.endpoints) {
        Ok(chosen) => chosen
            .iter()
            .map(|text| {
                EndpointId::parse(text).map(|endpoint_id| AssignedEndpoint {
                    endpoint_id,
                    priority: None,
                })
            })
            .collect::<Result<Vec<_>, _>>(),
        Err(trouble) => {
            page.trouble = Some(trouble);
            return visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let assigned = match (ids, TeamId::parse(&id)) {
        (Ok(endpoints), Ok(team)) => {
            let request = SetTeamEndpoints {
                endpoints,
                routing_strategy: None,
            };
            endpoints::assign(&visitor.state().app, &visitor.actor(), &team, request).await
        }
        _ => Err(no_endpoint()),
    };
    match assigned {
        Ok(found) => {
            let message = if found.uses_default {
                format!("“{}” uses the default endpoints.", page.team)
            } else {
                format!("“{}” uses the chosen endpoints and no others.", page.team)
            };
            visitor.go_saying(path::TEAMS, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) => {
            page.trouble = Some(problem.message);
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// The chosen endpoints by their places; those without one come last, as they stand on the page.
fn in_order(choices: &[TeamEndpointChoice]) -> Result<Vec<&str>, String> {
    let mut chosen = Vec::new();
    for choice in choices.iter().filter(|choice| choice.chosen) {
        let place = match choice.priority.as_str() {
            "" => u32::MAX,
            text => text.parse().map_err(|_| {
                format!(
                    "The place of “{}” is not a whole number. Write 1, 2, 3 …, or nothing.",
                    choice.name
                )
            })?,
        };
        chosen.push((place, choice.id.as_str()));
    }
    chosen.sort_by_key(|(place, _)| *place);
    Ok(chosen.into_iter().map(|(_, id)| id).collect())
}
