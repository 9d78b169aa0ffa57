//! Policies.

use super::form::{FormData, Posted, is_about_input, pairs};
use super::users::role_choices;
use super::visitor::Visitor;
use crate::app::{names, policies, teams, users};
use crate::store::{TeamQuery, UserQuery};
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{PolicyView, WritePolicy};
use ccag_console::form::Field;
use ccag_console::page::{
    DeletePolicyPage, FormPage, PoliciesPage, PolicyEditPage, PolicyForm, PolicyRow, ToldPreview,
};
use ccag_console::{Tone, path};
use ccag_domain::{Code, PolicyId, PolicyMatch, Problem, Role, TeamId};
use std::collections::HashMap;

fn id_of(text: &str) -> Result<PolicyId, Problem> {
    PolicyId::parse(text).map_err(|_| Problem::new(Code::NotFound, "There is no such policy."))
}

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, query: Option<&str>) -> Result<PoliciesPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let found = policies::list(app, &actor).await?;
    let ids: Vec<TeamId> = found
        .iter()
        .flat_map(|policy| policy.subject.team_ids.clone())
        .collect();
    let teams = names::teams(app, &ids).await?;
    let pairs = pairs(query);
    let user = pairs.iter().find(|(name, _)| name == "user");
    let user = user
        .map(|(_, value)| value.trim().to_owned())
        .filter(|name| !name.is_empty());
    let mut page = PoliciesPage {
        rows: found.into_iter().map(|policy| row(policy, &teams)).collect(),
        user: Field::new(user.clone().unwrap_or_default()),
        preview: None,
    };
    if let Some(name) = user {
        match preview(visitor, &name).await? {
            Some(preview) => page.preview = Some(preview),
            None => page.user.error = Some("There is no user of that name.".to_owned()),
        }
    }
    Ok(page)
}

async fn preview(visitor: &Visitor, name: &str) -> Result<Option<ToldPreview>, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let query = UserQuery {
        username: Some(name.to_owned()),
        limit: 1,
        ..UserQuery::default()
    };
    let (found, _) = users::list(app, &actor, &query).await?;
    let Some(user) = found.into_iter().next() else {
        return Ok(None);
    };
    let told = policies::preview(app, &actor, &user.id).await?;
    let models = match (told.models, told.models_by) {
        (Some(models), Some(by)) if models.is_empty() => format!("none, by “{by}”"),
        (Some(models), Some(by)) => format!("{}, by “{by}”", models.join(", ")),
        _ => "all that their team may use".to_owned(),
    };
    Ok(Some(ToldPreview {
        user: user.username,
        policies: told.policies,
        models,
        settings: told
            .settings
            .and_then(|settings| serde_json::to_string_pretty(&settings.settings).ok()),
    }))
}

fn row(policy: PolicyView, teams: &HashMap<String, String>) -> PolicyRow {
    let models = match policy.models.as_deref() {
        None => "says nothing".to_owned(),
        Some([]) => "none".to_owned(),
        Some(names) => names.join(", "),
    };
    PolicyRow {
        id: policy.id.to_string(),
        about: about(&policy.subject, teams),
        name: policy.name,
        priority: policy.priority,
        models,
        settings: policy.settings.is_some(),
    }
}

fn about(subject: &PolicyMatch, teams: &HashMap<String, String>) -> String {
    let team = |id: &TeamId| teams.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string());
    let said = [
        ("team", subject.team_ids.iter().map(team).collect::<Vec<_>>()),
        ("group", subject.groups.clone()),
        ("role", subject.roles.iter().map(ToString::to_string).collect()),
        ("domain", subject.email_domains.clone()),
    ];
    let said: Vec<String> = said
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(" or ")))
        .collect();
    if said.is_empty() {
        "everybody".to_owned()
    } else {
        said.join(", ")
    }
}

pub(super) async fn blank(visitor: Visitor) -> Response {
    if !visitor.is_admin() {
        return visitor.refuse(Problem::new(Code::Forbidden, "Only admins make policies."));
    }
    let form = PolicyForm {
        priority: Field::new("0"),
        allows: Field::new("any"),
        ..PolicyForm::default()
    };
    visitor.show(StatusCode::OK, &edit_page(None, form))
}

fn edit_page(id: Option<String>, form: PolicyForm) -> PolicyEditPage {
    PolicyEditPage {
        id,
        roles: role_choices(),
        form,
        trouble: None,
    }
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = filled(&visitor, &id).await;
    visitor.answer(page)
}

async fn filled(visitor: &Visitor, id: &str) -> Result<PolicyEditPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let view = policies::find(app, &actor, &id_of(id)?).await?;
    let teams = names::teams(app, &view.subject.team_ids).await?;
    let team = |id: &TeamId| teams.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string());
    let names: Vec<String> = view.subject.team_ids.iter().map(team).collect();
    let allows = match view.models.as_deref() {
        None => "any",
        Some([]) => "none",
        Some(_) => "some",
    };
    let settings = view
        .settings
        .as_ref()
        .and_then(|map| serde_json::to_string_pretty(map).ok());
    let form = PolicyForm {
        name: Field::new(view.name),
        priority: Field::new(view.priority.to_string()),
        teams: Field::new(names.join(", ")),
        groups: Field::new(view.subject.groups.join(", ")),
        role: Field::new(
            view.subject
                .roles
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        domains: Field::new(view.subject.email_domains.join(", ")),
        allows: Field::new(allows),
        models: Field::new(view.models.unwrap_or_default().join(", ")),
        settings: Field::new(settings.unwrap_or_default()),
    };
    Ok(edit_page(Some(view.id.to_string()), form))
}

fn refill(form: &FormData) -> PolicyForm {
    let field = |name: &str| Field::new(form.text(name));
    PolicyForm {
        name: field("name"),
        priority: field("priority"),
        teams: field("teams"),
        groups: field("groups"),
        role: field("role"),
        domains: field("email_domains"),
        allows: field("allows"),
        models: field("models"),
        settings: field("settings"),
    }
}

fn parts(text: &str) -> Vec<String> {
    let parts = text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn wrong(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// What the form asks for. `roles` are those of the policy as it is: the form shows one of them at most.
async fn read(visitor: &Visitor, form: &FormData, roles: &[Role]) -> Result<WritePolicy, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let mut team_ids = Vec::new();
    for name in parts(&form.text("teams")) {
        let query = TeamQuery {
            name: Some(name.clone()),
            limit: 1,
            ..TeamQuery::default()
        };
        let (found, _) = teams::list(app, &actor, &query).await?;
        let team = found.into_iter().next().map(|team| team.id);
        let team = team.or_else(|| TeamId::parse(&name).ok());
        team_ids
            .push(team.ok_or_else(|| wrong("match.team_ids", format!("There is no team named “{name}”.")))?);
    }
    let role = form.text("role");
    let chosen = Role::parse(&role);
    let roles = match (roles, chosen) {
        (_, None) => Vec::new(),
        (several, Some(role)) if several.len() > 1 && several.first() == Some(&role) => several.to_vec(),
        (_, Some(role)) => vec![role],
    };
    let models = match form.raw("allows") {
        "some" => {
            let models = parts(&form.text("models"));
            if models.is_empty() {
                return Err(wrong("models", "Name at least one model."));
            }
            Some(models)
        }
        "none" => Some(Vec::new()),
        _ => None,
    };
    let settings = match form.optional("settings") {
        None => None,
        Some(text) => Some(
            serde_json::from_str(&text)
                .map_err(|error| wrong("settings", format!("This is not a JSON object: {error}.")))?,
        ),
    };
    let priority = form.optional("priority").unwrap_or_else(|| "0".to_owned());
    Ok(WritePolicy {
        name: form.text("name"),
        priority: Some(
            priority
                .parse()
                .map_err(|_| wrong("priority", "Give a whole number."))?,
        ),
        subject: PolicyMatch {
            team_ids,
            groups: parts(&form.text("groups")),
            roles,
            email_domains: parts(&form.text("email_domains")),
        },
        models,
        settings,
    })
}

fn again(visitor: Visitor, id: Option<String>, form: &FormData, problem: Problem) -> Response {
    if !is_about_input(&problem) && problem.code != Code::Conflict {
        return visitor.refuse(problem);
    }
    let mut page = edit_page(id, refill(form));
    page.blame(problem.field.as_deref(), problem.message);
    visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let made = async {
        let request = read(&visitor, &form, &[]).await?;
        policies::create(&app, &visitor.actor(), request).await
    };
    match made.await {
        Ok(_) => visitor.go_saying(path::POLICIES, Tone::Good, "The policy is there."),
        Err(problem) => again(visitor, None, &form, problem),
    }
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let changed = async {
        let id = id_of(&id)?;
        let before = policies::find(&app, &visitor.actor(), &id).await?;
        let request = read(&visitor, &form, &before.subject.roles).await?;
        policies::update(&app, &visitor.actor(), &id, request).await
    };
    match changed.await {
        Ok(_) => visitor.go_saying(path::POLICIES, Tone::Good, "The policy is changed."),
        Err(problem) => again(visitor, Some(id), &form, problem),
    }
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let app = visitor.state().app.clone();
    let page = async {
        let view = policies::find(&app, &visitor.actor(), &id_of(&id)?).await?;
        Ok(DeletePolicyPage {
            id: view.id.to_string(),
            name: view.name,
        })
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let deleted = async { policies::delete(&app, &visitor.actor(), &id_of(&id)?).await };
    match deleted.await {
        Ok(()) => visitor.go_saying(path::POLICIES, Tone::Good, "The policy is gone."),
        Err(problem) => visitor.refuse(problem),
    }
}
