//! Notifications: destinations, and what became of telling them.

use super::form::{FormData, Posted, is_about_input, pairs};
use super::visitor::Visitor;
use crate::app::{names, notifications, teams};
use crate::store::TeamQuery;
use crate::store::outbox::DeliveryFilter;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{
    CreateDestination, DeliveryView, DestinationSettings, DestinationSpec, DestinationView, Secret,
    UpdateDestination,
};
use ccag_console::form::{Choice, Field};
use ccag_console::page::{
    DeleteDestinationPage, DeliveriesPage, DeliveryRow, DestinationAbout, DestinationPage, DestinationRow,
    DestinationWay, FormPage, NewDestinationPage, NotificationsPage, PAGE_SIZE,
};
use ccag_console::{Tone, path};
use ccag_domain::{
    Category, Code, DeliveryId, DeliveryState, DestinationId, DestinationKind, MailSecurity, Problem, TeamId,
};
use std::collections::HashMap;

fn id_of(text: &str) -> Result<DestinationId, Problem> {
    DestinationId::parse(text).map_err(|_| Problem::new(Code::NotFound, "There is no such destination."))
}

fn wrong(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

pub(super) async fn list(visitor: Visitor) -> Response {
    let page = gather(&visitor).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor) -> Result<NotificationsPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let found = notifications::list(app, &actor).await?;
    let ids: Vec<TeamId> = found
        .destinations
        .iter()
        .filter_map(|one| one.team_id.clone())
        .collect();
    let teams = names::teams(app, &ids).await?;
    let dead = DeliveryFilter {
        state: Some(DeliveryState::Dead),
        ..DeliveryFilter::default()
    };
    Ok(NotificationsPage {
        environment: found.environment,
        dead: notifications::count(app, &actor, &dead).await?,
        rows: found
            .destinations
            .into_iter()
            .map(|one| row(one, &teams))
            .collect(),
    })
}

fn row(one: DestinationView, teams: &HashMap<String, String>) -> DestinationRow {
    let state = match (one.enabled, &one.active, &one.draft) {
        (false, ..) => "disabled",
        (true, None, _) => "draft",
        (true, Some(_), Some(_)) => "active, with a draft",
        (true, Some(_), None) => "active",
    };
    let all = one.categories.len() == Category::ALL.len();
    let categories: Vec<&str> = one.categories.iter().map(|category| category.title()).collect();
    DestinationRow {
        about: match &one.team_id {
            Some(id) => format!("team {}", teams.get(id.as_str()).map_or(id.as_str(), |name| name)),
            None => "everybody".to_owned(),
        },
        reached: one
            .active
            .as_ref()
            .or(one.draft.as_ref())
            .map(reached)
            .unwrap_or_default(),
        categories: if all {
            "everything".to_owned()
        } else {
            categories.join(", ")
        },
        state: state.to_owned(),
        id: one.id.into(),
        name: one.name,
    }
}

/// What a destination is and where, in a few words.
fn reached(settings: &DestinationSettings) -> String {
    let place = settings.url.clone().or_else(|| settings.arn.clone());
    let place = place.or_else(|| (!settings.to.is_empty()).then(|| settings.to.join(", ")));
    match place {
        Some(place) => format!("{}: {place}", settings.kind.title()),
        None => settings.kind.title().to_owned(),
    }
}

pub(super) async fn blank(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let kind = pairs(query.as_deref())
        .into_iter()
        .find(|(name, _)| name == "kind")
        .and_then(|(_, value)| DestinationKind::parse(&value));
    let page = NewDestinationPage {
        kind,
        about: DestinationAbout {
            categories: Category::ALL.iter().map(|one| one.as_str().to_owned()).collect(),
            enabled: true,
            ..DestinationAbout::default()
        },
        ..NewDestinationPage::default()
    };
    visitor.show(StatusCode::OK, &page)
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let made = async {
        let request = CreateDestination {
            name: form.text("name"),
            team_id: team(&visitor, &form).await?,
            categories: Some(categories(&form)),
            settings: spec(&form)?,
        };
        notifications::create(&app, &visitor.actor(), request).await
    };
    match made.await {
        Ok(made) => drafted(visitor, &made.destination.id, made.signing_secret).await,
        Err(problem) if !is_about_input(&problem) => visitor.refuse(problem),
        Err(problem) => {
            let mut page = NewDestinationPage {
                kind: DestinationKind::parse(form.raw("kind")),
                about: refilled_about(&form),
                way: refilled_way(&form),
                trouble: None,
            };
            page.blame(problem.field.as_deref(), problem.message);
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// Back to the destination's page. A secret that was made now stands in the answer itself, and nowhere else.
async fn drafted(visitor: Visitor, id: &DestinationId, secret: Option<Secret>) -> Response {
    let Some(secret) = secret else {
        let words = "The draft is saved. Send a test next.";
        return visitor.go_saying(&path::destination(id.as_str()), Tone::Good, words);
    };
    match filled(&visitor, id.as_str()).await {
        Ok(mut page) => {
            page.new_secret = Some(secret.reveal().to_owned());
            visitor.show(StatusCode::CREATED, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = filled(&visitor, &id).await;
    visitor.answer(page)
}

async fn filled(visitor: &Visitor, id: &str) -> Result<DestinationPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let view = notifications::find(app, &actor, &id_of(id)?).await?;
    let ids: Vec<TeamId> = view.team_id.iter().cloned().collect();
    let teams = names::teams(app, &ids).await?;
    let team = view.team_id.as_ref();
    let team = team.map(|id| teams.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string()));
    let settings = view.draft.as_ref().or(view.active.as_ref());
    Ok(DestinationPage {
        id: view.id.to_string(),
        kind: settings.map_or(DestinationKind::Webhook, |settings| settings.kind),
        active: view.active.as_ref().map(reached),
        has_draft: view.draft.is_some(),
        test: view.test.map(|test| (test.success, test.message, test.of_draft)),
        new_secret: None,
        about: DestinationAbout {
            name: Field::new(view.name.clone()),
            team: Field::new(team.unwrap_or_default()),
            categories: view
                .categories
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            categories_error: Field::default(),
            enabled: view.enabled,
        },
        way: settings.map(way).unwrap_or_default(),
        trouble: None,
        draft_refused: false,
        name: view.name,
    })
}

fn way(settings: &DestinationSettings) -> DestinationWay {
    let field = |text: &Option<String>| Field::new(text.clone().unwrap_or_default());
    DestinationWay {
        url: field(&settings.url),
        arn: field(&settings.arn),
        role_arn: field(&settings.role_arn),
        external_id: field(&settings.external_id),
        host: field(&settings.host),
        port: Field::new(settings.port.map(|port| port.to_string()).unwrap_or_default()),
        security: Field::new(settings.security.unwrap_or_default().as_str()),
        username: field(&settings.username),
        from: field(&settings.from),
        to: Field::new(settings.to.join("\n")),
        ca_certificates: field(&settings.ca_certificates),
        allow_private_address: settings.allow_private_address,
        ..DestinationWay::default()
    }
}

/// What was entered, except what is secret.
fn refilled_way(form: &FormData) -> DestinationWay {
    let field = |name: &str| Field::new(form.text(name));
    DestinationWay {
        url: field("url"),
        arn: field("arn"),
        role_arn: field("role_arn"),
        external_id: field("external_id"),
        host: field("host"),
        port: field("port"),
        security: field("security"),
        username: field("username"),
        from: field("from"),
        to: field("to"),
        ca_certificates: field("ca_certificates"),
        allow_private_address: form.ticked("allow_private_address"),
        ..DestinationWay::default()
    }
}

fn refilled_about(form: &FormData) -> DestinationAbout {
    DestinationAbout {
        name: Field::new(form.text("name")),
        team: Field::new(form.text("team")),
        categories: form.all("category").map(str::to_owned).collect(),
        categories_error: Field::default(),
        enabled: form.ticked("enabled"),
    }
}

fn categories(form: &FormData) -> Vec<Category> {
    form.all("category").filter_map(Category::parse).collect()
}

async fn team(visitor: &Visitor, form: &FormData) -> Result<Option<TeamId>, Problem> {
    let Some(name) = form.optional("team") else {
        return Ok(None);
    };
    let query = TeamQuery {
        name: Some(name.clone()),
        limit: 1,
        ..TeamQuery::default()
    };
    let (found, _) = teams::list(&visitor.state().app, &visitor.actor(), &query).await?;
    match found.into_iter().next() {
        Some(team) => Ok(Some(team.id)),
        None => Err(wrong("team_id", format!("There is no team named “{name}”."))),
    }
}

/// How a destination is to be reached, as it was entered.
fn spec(form: &FormData) -> Result<DestinationSpec, Problem> {
    let secret = |name: &str| form.optional(name).map(Secret::new);
    let port = form.optional("port").map(|text| {
        text.parse()
            .map_err(|_| wrong("port", "A port is a number from 1 to 65535."))
    });
    let to: Vec<String> = form.text("to").lines().map(str::to_owned).collect();
    Ok(DestinationSpec {
        kind: DestinationKind::parse(form.raw("kind")),
        url: form.optional("url"),
        signing_secret: secret("signing_secret"),
        slack_url: secret("slack_url"),
        arn: form.optional("arn"),
        role_arn: form.optional("role_arn"),
        external_id: form.optional("external_id"),
        access_key_id: secret("access_key_id"),
        secret_access_key: secret("secret_access_key"),
        host: form.optional("host"),
        port: port.transpose()?,
        security: MailSecurity::parse(form.raw("security")),
        username: form.optional("username"),
        password: secret("password"),
        from: form.optional("from"),
        to: (!to.is_empty()).then_some(to),
        ca_certificates: form.optional("ca_certificates"),
        allow_private_address: Some(form.ticked("allow_private_address")),
    })
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let changed = async {
        let request = UpdateDestination {
            name: form.text("name"),
            team_id: team(&visitor, &form).await?,
            categories: categories(&form),
            enabled: form.ticked("enabled"),
        };
        notifications::update(&app, &visitor.actor(), &id_of(&id)?, request).await
    };
    match changed.await {
        Ok(_) => visitor.go_saying(&path::destination(&id), Tone::Good, "It is saved, and in force."),
        Err(problem) => again(visitor, &id, problem, |page| page.about = refilled_about(&form)).await,
    }
}

pub(super) async fn draft(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let drafted_now = async {
        let id = id_of(&id)?;
        let made = notifications::put_draft(&app, &visitor.actor(), &id, spec(&form)?).await?;
        Ok((id, made.signing_secret))
    };
    match drafted_now.await {
        Ok((id, secret)) => drafted(visitor, &id, secret).await,
        Err(problem) => {
            let refill = |page: &mut DestinationPage| {
                page.way = refilled_way(&form);
                page.draft_refused = true;
            };
            again(visitor, &id, problem, refill).await
        }
    }
}

/// The destination's page once more, with what was entered and what is wrong with it.
async fn again(
    visitor: Visitor,
    id: &str,
    problem: Problem,
    refill: impl FnOnce(&mut DestinationPage),
) -> Response {
    if !is_about_input(&problem) {
        return visitor.refuse(problem);
    }
    match filled(&visitor, id).await {
        Ok(mut page) => {
            refill(&mut page);
            page.blame(problem.field.as_deref(), problem.message);
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn discard(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let done = async { notifications::discard_draft(&app, &visitor.actor(), &id_of(&id)?).await };
    let done = done.await.map(|_| "The draft is forgotten.".to_owned());
    say(visitor, &path::destination(&id), done)
}

pub(super) async fn test(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let tested = async { notifications::test(&app, &visitor.actor(), &id_of(&id)?).await };
    match tested.await {
        Ok(test) => {
            let tone = if test.success { Tone::Good } else { Tone::Bad };
            visitor.go_saying(&path::destination(&id), tone, &test.message)
        }
        Err(problem) => say(visitor, &path::destination(&id), Err(problem)),
    }
}

pub(super) async fn activate(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let done = async { notifications::activate(&app, &visitor.actor(), &id_of(&id)?).await };
    let done = done.await.map(|_| "It is in force.".to_owned());
    say(visitor, &path::destination(&id), done)
}

/// Back to a page, with what was done or why not.
fn say(visitor: Visitor, to: &str, done: Result<String, Problem>) -> Response {
    match done {
        Ok(words) => visitor.go_saying(to, Tone::Good, &words),
        Err(problem) if is_about_input(&problem) => visitor.go_saying(to, Tone::Bad, &problem.message),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let app = visitor.state().app.clone();
    let page = async {
        let view = notifications::find(&app, &visitor.actor(), &id_of(&id)?).await?;
        Ok(DeleteDestinationPage {
            id: view.id.to_string(),
            name: view.name,
        })
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let deleted = async { notifications::delete(&app, &visitor.actor(), &id_of(&id)?).await };
    match deleted.await {
        Ok(()) => visitor.go_saying(path::NOTIFICATIONS, Tone::Good, "The destination is gone."),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn history(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = deliveries(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn deliveries(visitor: &Visitor, query: Option<&str>) -> Result<DeliveriesPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let pairs = pairs(query);
    let asked = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    let page = u64::clamp(asked("page").parse().unwrap_or(1), 1, 1_000_000);
    let filter = DeliveryFilter {
        state: DeliveryState::parse(&asked("state")),
        category: Category::parse(&asked("category")),
        offset: DeliveriesPage::offset(page),
        ..DeliveryFilter::default()
    };
    let (found, total) = tokio::try_join!(
        notifications::deliveries(app, &actor, &filter, PAGE_SIZE),
        notifications::count(app, &actor, &filter)
    )?;
    Ok(DeliveriesPage {
        state: filter.state.map_or("", DeliveryState::as_str).to_owned(),
        category: filter.category.map_or("", Category::as_str).to_owned(),
        categories: Category::ALL
            .iter()
            .map(|one| Choice::new(one.as_str(), one.title()))
            .collect(),
        page,
        rows: found.into_iter().map(delivery).collect(),
        total,
    })
}

fn delivery(one: DeliveryView) -> DeliveryRow {
    let state = match one.state {
        DeliveryState::Pending => "waiting",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead => "given up",
    };
    DeliveryRow {
        id: one.id.into(),
        destination: one.destination,
        event: serde_json::to_string_pretty(&one.event).unwrap_or_default(),
        at_ms: one.event.timestamp.ms(),
        text: one.event.text,
        state: state.to_owned(),
        attempts: one.attempts,
        answer: one.answer.unwrap_or_default(),
        dead: one.state == DeliveryState::Dead,
    }
}

pub(super) async fn resend(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let done = async {
        let id = DeliveryId::parse(&id)
            .map_err(|_| Problem::new(Code::NotFound, "There is no such notification."))?;
        notifications::resend(&app, &visitor.actor(), &id).await
    };
    let done = done.await.map(|()| "It is sent again.".to_owned());
    say(visitor, path::DELIVERIES, done)
}
