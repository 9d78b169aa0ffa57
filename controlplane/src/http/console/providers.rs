//! Identity providers, and how people sign in.

use super::form::{FormData, Posted, is_about_input};
use super::teams::team_choices;
use super::users::role_choices;
use super::visitor::Visitor;
use crate::app::identity::providers;
use crate::app::{App, names, sign_on, teams};
use crate::store::TeamQuery;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{
    GroupMapping, Patch, ProviderRules, ProviderView, Secret, SignInSettings, WriteProvider,
};
use ccag_console::form::Field;
use ccag_console::page::{
    DeleteProviderPage, FormPage, PROVIDER_NAMES, ProviderCheckRow, ProviderEditPage, ProviderForm,
    ProviderRow, ProvidersPage,
};
use ccag_console::{Tone, path};
use ccag_domain::{Actor, Code, Problem, ProviderId, Role, TeamId};

pub(super) fn id_of(text: &str) -> Result<ProviderId, Problem> {
    ProviderId::parse(text).map_err(|_| Problem::new(Code::NotFound, "There is no such identity provider."))
}

pub(super) async fn list(visitor: Visitor) -> Response {
    let page = gather(&visitor).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor) -> Result<ProvidersPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let row = |view: ProviderView| ProviderRow {
        id: view.id.to_string(),
        name: view.name,
        issuer: view.issuer_url,
        enabled: view.enabled,
        open: view.rules.auto_provision,
        scim: view.rules.scim_enabled,
    };
    let found = providers::list(app, &actor, &visitor.base_url()).await?;
    let settings = sign_on::settings(app, &actor).await?;
    Ok(ProvidersPage {
        rows: found.into_iter().map(row).collect(),
        passwords: settings.password_sign_in,
        notice: Field::new(settings.login_notice.unwrap_or_default()),
        trouble: None,
    })
}

pub(super) async fn set(Posted { visitor, form }: Posted) -> Response {
    let request = SignInSettings {
        password_sign_in: form.ticked("password_sign_in"),
        login_notice: form.optional("login_notice"),
    };
    let app = visitor.state().app.clone();
    match sign_on::set(&app, &visitor.session, request.clone()).await {
        Ok(_) => visitor.go_saying(path::SIGN_IN, Tone::Good, "Saved."),
        Err(problem) if is_about_input(&problem) || problem.code == Code::Conflict => {
            let mut page = match gather(&visitor).await {
                Ok(page) => page,
                Err(problem) => return visitor.refuse(problem),
            };
            page.passwords = request.password_sign_in;
            page.notice = Field::new(request.login_notice.unwrap_or_default());
            match problem.field.as_deref() {
                Some("login_notice") => page.notice.error = Some(problem.message),
                _ => page.trouble = Some(problem.message),
            }
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

/// The page around a form.
async fn page(visitor: &Visitor, form: ProviderForm) -> Result<ProviderEditPage, Problem> {
    Ok(ProviderEditPage {
        redirect_uri: providers::redirect_uri(&visitor.base_url()),
        roles: role_choices(),
        teams: team_choices(visitor).await?,
        form,
        ..ProviderEditPage::default()
    })
}

pub(super) async fn blank(visitor: Visitor) -> Response {
    let form = ProviderForm {
        default_role: Field::new(Role::Member.as_str()),
        enabled: true,
        auto_provision: true,
        ..ProviderForm::default()
    };
    let page = page(&visitor, form).await;
    visitor.answer(page)
}

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = filled_page(&visitor, &id).await;
    visitor.answer(page)
}

pub(super) async fn filled_page(visitor: &Visitor, id: &str) -> Result<ProviderEditPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let view = providers::find(app, &actor, &id_of(id)?, &visitor.base_url()).await?;
    let form = fill(app, &view).await?;
    Ok(ProviderEditPage {
        scim: super::provider_scim::gather(visitor, &view.id).await?,
        id: Some(view.id.to_string()),
        name: view.name,
        ..page(visitor, form).await?
    })
}

async fn fill(app: &App, view: &ProviderView) -> Result<ProviderForm, Problem> {
    let rules = &view.rules;
    let ids: Vec<TeamId> = rules
        .group_mappings
        .iter()
        .filter_map(|m| m.team_id.clone())
        .collect();
    let teams = names::teams(app, &ids).await?;
    let line = |mapping: &GroupMapping| {
        let role = mapping.role.map(|role| format!("{} = {role}", mapping.group));
        let team = mapping.team_id.as_ref().map(|id| {
            let name = teams.get(id.as_str()).map_or(id.as_str(), String::as_str);
            format!("{} = team {name}", mapping.group)
        });
        [role, team].into_iter().flatten().collect::<Vec<_>>().join("\n")
    };
    let mappings: Vec<String> = rules.group_mappings.iter().map(line).collect();
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    let lines = [
        view.name.clone(),
        view.issuer_url.clone(),
        view.client_id.clone(),
        String::new(),
        rules.scopes.join(" "),
        or_empty(&rules.user_claim),
        or_empty(&rules.email_claim),
        or_empty(&rules.groups_claim),
        or_empty(&rules.jwks_url),
        rules.allowed_domains.join(", "),
        rules.allowed_groups.join(", "),
    ];
    Ok(ProviderForm {
        lines: lines.map(Field::new),
        mappings: Field::new(mappings.join("\n")),
        default_role: Field::new(rules.default_role.as_str()),
        default_team: Field::new(
            rules
                .default_team_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        enabled: view.enabled,
        auto_provision: rules.auto_provision,
        require_verified_email: rules.require_verified_email,
        scim: rules.scim_enabled,
    })
}

fn refill(form: &FormData) -> ProviderForm {
    ProviderForm {
        // What was typed as a secret is not shown again.
        lines: PROVIDER_NAMES.map(|name| match name {
            "client_secret" => Field::default(),
            name => Field::new(form.text(name)),
        }),
        mappings: Field::new(form.text("mappings")),
        default_role: Field::new(form.text("default_role")),
        default_team: Field::new(form.text("default_team")),
        enabled: form.ticked("enabled"),
        auto_provision: form.ticked("auto_provision"),
        require_verified_email: form.ticked("require_verified_email"),
        scim: form.ticked("scim_enabled"),
    }
}

/// Parts between commas, or between blanks and commas.
fn parts(text: &str, blanks: bool) -> Vec<String> {
    let between = |c: char| c == ',' || c == '\n' || (blanks && c.is_whitespace());
    let parts = text.split(between).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// What the lines about groups say.
async fn mappings(app: &App, actor: &Actor, text: &str) -> Result<Vec<GroupMapping>, Problem> {
    let wrong = |message: String| Problem::new(Code::InvalidRequest, message).field("mappings");
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((group, what)) = line.rsplit_once('=') else {
            return Err(wrong(format!(
                "“{line}” has no equals sign: write ops = admin, or platform = team Platform."
            )));
        };
        let (group, what) = (group.trim().to_owned(), what.trim());
        let mut mapping = GroupMapping {
            group,
            role: None,
            team_id: None,
        };
        match what.strip_prefix("team ") {
            Some(name) => mapping.team_id = Some(team_named(app, actor, name.trim(), &wrong).await?),
            None => {
                let role = Role::parse(what);
                mapping.role = Some(role.ok_or_else(|| wrong(format!("There is no role “{what}”.")))?);
            }
        }
        found.push(mapping);
    }
    Ok(found)
}

async fn team_named(
    app: &App,
    actor: &Actor,
    name: &str,
    wrong: &impl Fn(String) -> Problem,
) -> Result<TeamId, Problem> {
    let query = TeamQuery {
        name: Some(name.to_owned()),
        limit: 1,
        ..TeamQuery::default()
    };
    let (found, _) = teams::list(app, actor, &query).await?;
    let found = found.into_iter().next().map(|team| team.id);
    found.ok_or_else(|| wrong(format!("There is no team named “{name}”.")))
}

async fn read(visitor: &Visitor, form: &FormData) -> Result<WriteProvider, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let wrong = |field: &str, message: &str| Problem::new(Code::InvalidRequest, message).field(field);
    let role = form.text("default_role");
    let team = form
        .optional("default_team")
        .map(|id| TeamId::parse(&id))
        .transpose();
    Ok(WriteProvider {
        name: form.text("name"),
        issuer_url: form.text("issuer_url"),
        client_id: form.text("client_id"),
        client_secret: form
            .optional("client_secret")
            .map_or(Patch::Keep, |text| Patch::Set(Secret::new(text))),
        enabled: Some(form.ticked("enabled")),
        rules: ProviderRules {
            scopes: parts(&form.text("scopes"), true),
            user_claim: form.optional("user_claim"),
            email_claim: form.optional("email_claim"),
            groups_claim: form.optional("groups_claim"),
            jwks_url: form.optional("jwks_url"),
            allowed_domains: parts(&form.text("allowed_domains"), true),
            allowed_groups: parts(&form.text("allowed_groups"), false),
            require_verified_email: form.ticked("require_verified_email"),
            auto_provision: form.ticked("auto_provision"),
            scim_enabled: form.ticked("scim_enabled"),
            default_role: Role::parse(&role).ok_or_else(|| wrong("default_role", "Choose a role."))?,
            default_team_id: team.map_err(|_| wrong("default_team", "Choose a team."))?,
            group_mappings: mappings(app, &actor, &form.text("mappings")).await?,
        },
    })
}

/// The form once more, with what was entered and what is wrong with it.
async fn again(
    visitor: Visitor,
    known: Option<(String, String)>,
    form: &FormData,
    problem: Problem,
) -> Response {
    if !is_about_input(&problem) && problem.code != Code::Conflict {
        return visitor.refuse(problem);
    }
    match page(&visitor, refill(form)).await {
        Ok(mut page) => {
            if let Some((id, name)) = known {
                (page.id, page.name) = (Some(id), name);
            }
            page.blame(problem.field.as_deref(), problem.message);
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn create(Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let made = async {
        let request = read(&visitor, &form).await?;
        providers::create(&app, &visitor.actor(), request, &visitor.base_url()).await
    };
    match made.await {
        Ok(view) => {
            let message = "The provider is there. Test it, and then sign in with it in another browser.";
            visitor.go_saying(&path::provider(view.id.as_str()), Tone::Good, message)
        }
        Err(problem) => again(visitor, None, &form, problem).await,
    }
}

pub(super) async fn update(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let changed = async {
        let id = id_of(&id)?;
        let request = read(&visitor, &form).await?;
        providers::update(&app, &visitor.actor(), &id, request, &visitor.base_url()).await
    };
    match changed.await {
        Ok(_) => visitor.go_saying(path::SIGN_IN, Tone::Good, "The provider is changed."),
        Err(problem) => {
            let name = form.text("name");
            again(visitor, Some((id, name)), &form, problem).await
        }
    }
}

pub(super) async fn test(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let page = async {
        let mut page = filled_page(&visitor, &id).await?;
        let (actor, base, id) = (visitor.actor(), visitor.base_url(), id_of(&id)?);
        let tested = Box::pin(providers::test(&app, &actor, &id, &base)).await?;
        let row = |check: ccag_admin_api::ProviderCheck| ProviderCheckRow {
            name: check.name,
            ok: check.ok,
            detail: check.detail,
        };
        page.checks = Some(tested.checks.into_iter().map(row).collect());
        Ok(page)
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn ask_delete(visitor: Visitor, Path(id): Path<String>) -> Response {
    let app = visitor.state().app.clone();
    let page = async {
        let view = providers::find(&app, &visitor.actor(), &id_of(&id)?, &visitor.base_url()).await?;
        Ok(DeleteProviderPage {
            id: view.id.to_string(),
            name: view.name,
        })
    };
    let page = page.await;
    visitor.answer(page)
}

pub(super) async fn delete(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let app = visitor.state().app.clone();
    let deleted = async { providers::delete(&app, &visitor.actor(), &id_of(&id)?).await };
    match deleted.await {
        Ok(()) => visitor.go_saying(path::SIGN_IN, Tone::Good, "The provider is gone."),
        Err(problem) => visitor.refuse(problem),
    }
}
