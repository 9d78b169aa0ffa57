//! What holds for routes: the organisation's word, what teams say instead, and where a request would go.

use super::budgets::check;
use super::catalogue;
use super::{App, Changed, not_found, validate_aws};
use crate::store::entity::team;
use crate::store::rows;
use ccag_admin_api::{
    PreviewCandidate, PreviewLeftOut, PreviewRefusal, RoutePreview, RoutingInForce, RoutingSpec, RoutingView,
};
use ccag_domain::routing::{Ask, Candidate, Plan, Rules};
use ccag_domain::{
    Actor, Area, Code, Model, ModelName, ObjectKind, Permission, Problem, RegionPattern, RoutingPolicy,
    Strategy, Team, TeamId,
};

/// The most entries of any of the lists.
const MAX_ENTRIES: usize = 100;

/// What holds for teams as far as they say nothing, and for callers without one.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn organisation(app: &App, actor: &Actor) -> Result<RoutingView, Problem> {
    actor.require_all(Permission::Read(Area::Routing))?;
    Ok(view(None, &app.store.find_routing().await?))
}

/// Says what holds for them.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that is wrong.
pub async fn set_organisation(
    app: &App,
    actor: &Actor,
    request: RoutingSpec,
) -> Result<RoutingView, Problem> {
    actor.require_all(Permission::Change(Area::Routing))?;
    let policy = read(app, request).await?;
    let mut tx = app.store.change().await?;
    let details = Changed::updated(&tx.find_routing().await?, &policy);
    tx.put_routing(&policy).await?;
    let entry = app.audit(actor, "routing.update", ObjectKind::Settings, "settings", details);
    tx.commit(app.now_ms(), entry).await?;
    organisation(app, actor).await
}

/// What a team says, and what holds for it.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn of_team(app: &App, actor: &Actor, id: &TeamId) -> Result<RoutingView, Problem> {
    actor.require_all(Permission::Read(Area::Routing))?;
    let organisation = async { Ok(app.store.find_routing().await?) };
    let (team, organisation) = tokio::try_join!(find(app, id), organisation)?;
    Ok(view(Some(&rows::team(&team, &[])?), &organisation))
}

/// Says what holds for a team; what is left out the organisation says.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::InvalidRequest`] names the field that is wrong.
pub async fn set_team(
    app: &App,
    actor: &Actor,
    id: &TeamId,
    request: RoutingSpec,
) -> Result<RoutingView, Problem> {
    actor.require_all(Permission::Change(Area::Routing))?;
    let policy = read(app, request).await?;
    let mut tx = app.store.change().await?;
    let row = tx.find_team(id.as_str()).await?;
    let mut row = row.ok_or_else(|| not_found("team", id.as_str()))?;
    let details = Changed::updated(&rows::routing(&row)?, &policy).with("team", &row.name);
    row.routing = rows::routing_json(&policy);
    tx.update_team(row).await?;
    let entry = app.audit(actor, "team.routing", ObjectKind::Team, id.as_str(), details);
    tx.commit(app.now_ms(), entry).await?;
    of_team(app, actor, id).await
}

/// Where a request of a team's would go now, or of a caller without one.
///
/// # Errors
/// [`Code::NotFound`] if there is no such team or model.
pub async fn preview(
    app: &App,
    actor: &Actor,
    team: Option<&TeamId>,
    model: &str,
) -> Result<RoutePreview, Problem> {
    actor.require_all(Permission::Read(Area::Routing))?;
    let known = catalogue::models(&app.store.list_models().await?)?;
    let model = catalogue::find(&known, model).ok_or_else(|| {
        let shown: String = model.chars().take(120).collect();
        let message = format!("There is no model `{shown}` in the catalogue; `ccag models` lists them.");
        Problem::new(Code::NotFound, message).field("model")
    })?;
    let team = match team {
        Some(id) => Some(with_endpoints(app, id).await?),
        None => None,
    };
    let organisation = app.store.find_routing().await?;
    let endpoints = app.store.load_endpoints().await?;
    let home_region = app.aws.home_region();
    let rules = Rules::of(team.as_ref(), &organisation, &home_region);
    let ask = Ask {
        model,
        conversation: "",
        request: "",
    };
    let plan = rules.plan(&ask, endpoints.iter(), &|_| 0);
    Ok(previewed(&rules, model, plan))
}

async fn find(app: &App, id: &TeamId) -> Result<team::Model, Problem> {
    let found = app.store.find_team(id.as_str()).await?;
    found.ok_or_else(|| not_found("team", id.as_str()))
}

async fn with_endpoints(app: &App, id: &TeamId) -> Result<Team, Problem> {
    let row = find(app, id).await?;
    let assigned = app.store.list_team_endpoints(id.as_str()).await?;
    let ids: Vec<_> = assigned.into_iter().map(|(_, endpoint)| endpoint.id).collect();
    Ok(rows::team(&row, &ids)?)
}

fn previewed(rules: &Rules<'_>, model: &Model, plan: Plan<'_>) -> RoutePreview {
    let refused = rules
        .check_model(&model.name)
        .and_then(|()| rules.check_plan(&plan, &model.name))
        .err();
    let left_out = plan.left_out.iter().map(|one| PreviewLeftOut {
        endpoint_id: one.endpoint.id.clone(),
        name: one.endpoint.name.clone(),
        reason: one.why.as_str().to_owned(),
        message: one.why.told().to_owned(),
    });
    RoutePreview {
        model: model.name.to_string(),
        strategy: rules.strategy(),
        uses_own: rules.has_own(),
        left_out: left_out.collect(),
        candidates: candidates(rules.strategy(), &plan.candidates),
        refusal: refused.map(|problem| PreviewRefusal::new(problem.code, problem.message)),
    }
}

/// The candidates with their shares of what begins.
fn candidates(strategy: Strategy, planned: &[Candidate]) -> Vec<PreviewCandidate> {
    let weight = |candidate: &Candidate| match strategy {
        Strategy::RoundRobin => u64::from(candidate.endpoint.weight.min(1)),
        Strategy::PrimaryFallback => 0,
        Strategy::Sticky | Strategy::Weighted | Strategy::LeastThrottled => {
            u64::from(candidate.endpoint.weight)
        }
    };
    let all: u64 = planned.iter().map(weight).sum();
    let share = |(place, candidate): (usize, &Candidate)| match all {
        // Without weights one order holds for all.
        0 => u64::from(place == 0) * 1_000,
        all => (weight(candidate) * 1_000 + all / 2) / all,
    };
    let mut shown: Vec<_> = planned
        .iter()
        .enumerate()
        .map(|(place, candidate)| PreviewCandidate {
            endpoint_id: candidate.endpoint.id.clone(),
            name: candidate.endpoint.name.clone(),
            bedrock_model: candidate.model.id.clone(),
            geography: candidate.model.geography,
            first_permille: u32::try_from(share((place, candidate))).unwrap_or(0),
        })
        .collect();
    if all > 0 {
        shown.sort_by(|a, b| {
            b.first_permille
                .cmp(&a.first_permille)
                .then_with(|| a.name.cmp(&b.name))
        });
    }
    shown
}

fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

async fn read(app: &App, request: RoutingSpec) -> Result<RoutingPolicy, Problem> {
    let most = |field: &str, count: usize| match count {
        0..=MAX_ENTRIES => Ok(()),
        _ => Err(invalid(
            field,
            format!("There are at most {MAX_ENTRIES} entries."),
        )),
    };
    let models = match &request.models {
        Some(said) => {
            most("models", said.len())?;
            Some(check::models(app, "models", said).await?)
        }
        None => None,
    };
    let mut geographies = request.geographies;
    if let Some(list) = &mut geographies {
        list.sort_unstable();
        list.dedup();
    }
    let regions = match &request.regions {
        Some(said) => {
            most("regions", said.len())?;
            Some(regions(said)?)
        }
        None => None,
    };
    Ok(RoutingPolicy {
        strategy: request.strategy,
        models,
        geographies,
        regions,
    })
}

fn regions(said: &[String]) -> Result<Vec<RegionPattern>, Problem> {
    let mut all = Vec::new();
    for text in said {
        let text = text.trim();
        // A name that no region has would shut everything out.
        let is_region = text.ends_with('-') || validate_aws::region(text).is_ok();
        let pattern = RegionPattern::parse(text).filter(|_| is_region).ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            invalid(
                "regions",
                format!(
                    "`{shown}` is no region. Name one, such as `eu-west-1`, or how several begin: `eu-`."
                ),
            )
        })?;
        if !all.contains(&pattern) {
            all.push(pattern);
        }
    }
    Ok(all)
}

/// A policy as the admin API shows it.
pub(super) fn spec(policy: &RoutingPolicy) -> RoutingSpec {
    RoutingSpec {
        strategy: policy.strategy,
        models: policy.models.as_deref().map(texts),
        geographies: policy.geographies.clone(),
        regions: policy.regions.as_deref().map(texts),
    }
}

fn view(team: Option<&Team>, organisation: &RoutingPolicy) -> RoutingView {
    let rules = Rules::of(team, organisation, "");
    RoutingView {
        own: spec(team.map_or(organisation, |team| &team.routing)),
        in_force: RoutingInForce {
            strategy: rules.strategy(),
            models: rules.models().iter().map(ModelName::to_string).collect(),
            geographies: rules.geographies().to_vec(),
            regions: texts(rules.regions()),
        },
    }
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}
