//! Guardrails in forms, and the guardrail of a team.

use super::form::{FormData, Posted, again};
use super::visitor::Visitor;
use crate::app::teams;
use axum::extract::Path;
use axum::response::Response;
use ccag_admin_api::{GuardrailSpec, Patch, UpdateTeam};
use ccag_console::form::Field;
use ccag_console::page::{GuardrailForm, TeamGuardrailPage};
use ccag_console::{Tone, path};
use ccag_domain::{Code, GuardrailTrace, Problem, TeamId};

/// The form for a guardrail that is stored.
pub(super) fn stored(guardrail: Option<&GuardrailSpec>) -> GuardrailForm {
    let Some(guardrail) = guardrail else {
        return GuardrailForm::default();
    };
    GuardrailForm {
        id: Field::new(guardrail.id.clone()),
        version: Field::new(guardrail.version.clone()),
        trace: Field::new(guardrail.trace.as_str()),
        tag_input: guardrail.tag_input,
    }
}

/// The form as it was sent.
pub(super) fn refill(form: &FormData) -> GuardrailForm {
    GuardrailForm {
        id: Field::new(form.text("guardrail_id")),
        version: Field::new(form.text("guardrail_version")),
        trace: Field::new(form.text("guardrail_trace")),
        tag_input: form.ticked("guardrail_tag_input"),
    }
}

/// The guardrail that the form asks for, if any.
///
/// # Errors
/// If a field is wrong, which then says so.
pub(super) fn read(filled: &mut GuardrailForm) -> Result<Option<GuardrailSpec>, ()> {
    let (id, version) = (&filled.id.value, &filled.version.value);
    if id.is_empty() && version.is_empty() {
        return Ok(None);
    }
    if id.is_empty() {
        // Saved without a word, it would be taken for a guardrail that holds.
        let text = "There is a version but no guardrail: enter its id, or empty the version for none.";
        filled.id.error = Some(text.to_owned());
        return Err(());
    }
    let Some(trace) = GuardrailTrace::parse(&filled.trace.value) else {
        filled.trace.error = Some("Choose one of the offered traces.".to_owned());
        return Err(());
    };
    Ok(Some(GuardrailSpec {
        id: id.clone(),
        version: version.clone(),
        trace,
        tag_input: filled.tag_input,
    }))
}

pub(super) async fn of_team(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather(&visitor, &id).await.map(|(_, page)| page);
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str) -> Result<(TeamId, TeamGuardrailPage), Problem> {
    let id = TeamId::parse(id).map_err(|_| Problem::new(Code::NotFound, "There is no such team."))?;
    let team = teams::find(&visitor.state().app, &visitor.actor(), &id).await?;
    let page = TeamGuardrailPage {
        team_id: team.id.to_string(),
        team: team.name,
        form: stored(team.guardrail.as_ref()),
        trouble: None,
    };
    Ok((id, page))
}

pub(super) async fn set_for_team(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let (id, mut page) = match gather(&visitor, &id).await {
        Ok(found) => found,
        Err(problem) => return visitor.refuse(problem),
    };
    page.form = refill(&form);
    let Ok(guardrail) = read(&mut page.form) else {
        return again(visitor, page, None);
    };
    let request = UpdateTeam {
        guardrail: guardrail.map_or(Patch::Clear, Patch::Set),
        ..UpdateTeam::default()
    };
    match teams::update(&visitor.state().app, &visitor.actor(), &id, request).await {
        Ok(team) => {
            let message = match team.guardrail {
                Some(guardrail) => format!(
                    "Requests of “{}” must pass version {} of {} from now on.",
                    team.name, guardrail.version, guardrail.id
                ),
                None => format!(
                    "“{}” has no guardrail of its own; that of the endpoint holds, if it has one.",
                    team.name
                ),
            };
            visitor.go_saying(path::TEAMS, Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}
