//! Where requests may go: of a team, or of everybody whose team says nothing.

use super::form::{FormData, Posted, again, pairs};
use super::visitor::Visitor;
use crate::app::{endpoints, models, routing, teams};
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::{RoutePreview, RoutingSpec, RoutingView};
use ccag_console::form::{Choice, Field};
use ccag_console::page::{Named, RouteShown, RoutingForm, RoutingPage, RulesInForce, TriedRow};
use ccag_console::{Tone, path};
use ccag_domain::{Code, Geography, Problem, Strategy, TeamId};

/// Allows everything, in a list of the form.
const ANY: &str = "any";

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather(&visitor, None, query.as_deref()).await;
    visitor.answer(page)
}

pub(super) async fn of_team(visitor: Visitor, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let page = match read_id(&id) {
        Ok(id) => gather(&visitor, Some(&id), query.as_deref()).await,
        Err(problem) => Err(problem),
    };
    visitor.answer(page)
}

pub(super) async fn set(Posted { visitor, form }: Posted) -> Response {
    save(visitor, None, &form).await
}

pub(super) async fn set_team(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    match read_id(&id) {
        Ok(id) => save(visitor, Some(id), &form).await,
        Err(problem) => visitor.refuse(problem),
    }
}

fn read_id(id: &str) -> Result<TeamId, Problem> {
    TeamId::parse(id).map_err(|_| Problem::new(Code::NotFound, "There is no such team."))
}

async fn gather(
    visitor: &Visitor,
    team: Option<&TeamId>,
    query: Option<&str>,
) -> Result<RoutingPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let mut page = RoutingPage::default();
    let view = match team {
        None => routing::organisation(app, &actor).await?,
        Some(id) => {
            let (found, own, view) = tokio::try_join!(
                teams::find(app, &actor, id),
                endpoints::of_team(app, &actor, id),
                routing::of_team(app, &actor, id)
            )?;
            page.team = Some(Named {
                id: found.id.to_string(),
                name: found.name,
            });
            page.endpoints = own.endpoints.into_iter().map(|one| one.name).collect();
            view
        }
    };
    page.in_force = in_force(&view, team.is_some());
    page.form = form_of(&view.own);
    let all = models::list(app, &actor).await?.models;
    page.models = all
        .into_iter()
        .map(|one| Choice::new(one.name, one.display_name))
        .collect();
    let asked = pairs(query).into_iter().find(|(name, _)| name == "model");
    if let Some((_, model)) = asked {
        page.model = model.into_owned();
        page.route = match routing::preview(app, &actor, team, &page.model).await {
            Ok(preview) => Some(shown(preview)),
            Err(problem) if problem.code == Code::NotFound => Some(RouteShown {
                refusal: Some(problem.message),
                ..RouteShown::default()
            }),
            Err(problem) => return Err(problem),
        };
    }
    Ok(page)
}

async fn save(visitor: Visitor, team: Option<TeamId>, form: &FormData) -> Response {
    let mut page = match gather(&visitor, team.as_ref(), None).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = RoutingForm {
        strategy: Field::new(form.text("strategy")),
        models: Field::new(form.text("models")),
        geographies: Field::new(form.text("geographies")),
        regions: Field::new(form.text("regions")),
    };
    let Some(request) = read(&mut page.form) else {
        return again(visitor, page, None);
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let (saved, here) = match &team {
        None => (
            routing::set_organisation(app, &actor, request).await,
            path::ROUTING.to_owned(),
        ),
        Some(id) => (
            routing::set_team(app, &actor, id, request).await,
            path::team_routing(id.as_str()),
        ),
    };
    match saved {
        Ok(view) => {
            let message = format!(
                "Saved: {}. Every connected data plane follows within a second.",
                view.in_force.strategy.told()
            );
            visitor.go_saying(&here, Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

/// The names in a list of the form; `None` if it is empty.
fn names(text: &str) -> Option<Vec<String>> {
    match text {
        "" => None,
        ANY => Some(Vec::new()),
        text => {
            let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
            Some(parts.map(str::to_owned).collect())
        }
    }
}

fn read(form: &mut RoutingForm) -> Option<RoutingSpec> {
    let strategy = match form.strategy.value.as_str() {
        "" => None,
        text => match Strategy::parse(text) {
            Some(strategy) => Some(strategy),
            None => {
                form.strategy.error = Some("Choose one of these.".to_owned());
                return None;
            }
        },
    };
    let mut geographies = None;
    if let Some(said) = names(&form.geographies.value) {
        let mut read = Vec::new();
        for name in said {
            let Some(geography) = Geography::parse(&name) else {
                let known = Geography::WITH_PREFIX.map(Geography::as_str).join(", ");
                form.geographies.error = Some(format!(
                    "“{name}” is no geography. There are {known} and {}.",
                    Geography::InRegion
                ));
                return None;
            };
            read.push(geography);
        }
        geographies = Some(read);
    }
    Some(RoutingSpec {
        strategy,
        models: names(&form.models.value),
        geographies,
        regions: names(&form.regions.value),
    })
}

fn form_of(own: &RoutingSpec) -> RoutingForm {
    let list = |names: Option<Vec<String>>| {
        Field::new(match names {
            None => String::new(),
            Some(names) if names.is_empty() => ANY.to_owned(),
            Some(names) => names.join(", "),
        })
    };
    let geographies = own.geographies.as_ref();
    RoutingForm {
        strategy: Field::new(own.strategy.map(Strategy::as_str).unwrap_or_default()),
        models: list(own.models.clone()),
        geographies: list(geographies.map(|all| all.iter().map(ToString::to_string).collect())),
        regions: list(own.regions.clone()),
    }
}

fn in_force(view: &RoutingView, of_team: bool) -> RulesInForce {
    let (own, held) = (&view.own, &view.in_force);
    let list = |names: Vec<String>, said: bool| {
        let names = match names.is_empty() {
            true => "all".to_owned(),
            false => names.join(", "),
        };
        match said || !of_team {
            true => names,
            false => format!("{names} (the organisation's word)"),
        }
    };
    let geographies = held.geographies.iter().map(ToString::to_string).collect();
    RulesInForce {
        strategy: held.strategy,
        models: list(held.models.clone(), own.models.is_some()),
        geographies: list(geographies, own.geographies.is_some()),
        regions: list(held.regions.clone(), own.regions.is_some()),
    }
}

fn shown(preview: RoutePreview) -> RouteShown {
    let tried = preview.candidates.into_iter().map(|one| TriedRow {
        name: one.name,
        invoked: one.bedrock_model,
        geography: one.geography.to_string(),
        first_permille: one.first_permille,
    });
    let left_out = preview.left_out.into_iter().map(|one| (one.name, one.message));
    RouteShown {
        tried: tried.collect(),
        left_out: left_out.collect(),
        refusal: preview.refusal.map(|refusal| refusal.message),
    }
}
