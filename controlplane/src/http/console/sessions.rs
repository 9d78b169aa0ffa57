//! Sessions that ran away, and what sessions may do.

use super::budgets::amount;
use super::form::{FormData, Posted, again, is_about_input, pairs};
use super::visitor::Visitor;
use crate::app::{breaker, teams};
use crate::store::breaker::PauseQuery;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::{BreakerSource, PausedSessionView, SessionBreakerView, SetSessionBreaker};
use ccag_console::form::Field;
use ccag_console::page::{BreakerForm, PAGE_SIZE, PausedRow, SessionsPage, TeamSessionsPage};
use ccag_console::{Tone, path};
use ccag_domain::{Actor, Area, Code, PauseId, Permission, Problem, Reach, TeamId};

/// How many paused sessions the start page shows.
const FEW: u64 = 5;

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let query = pairs(query.as_deref());
    let asked = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    };
    let page = asked("page").and_then(|value| value.parse().ok()).unwrap_or(1);
    let all = asked("state").is_some_and(|value| value == "all");
    let page = gather(&visitor, all, u64::clamp(page, 1, 1_000_000)).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, all: bool, page: u64) -> Result<SessionsPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let query = PauseQuery {
        open: (!all).then_some(true),
        offset: SessionsPage::offset(page),
        limit: PAGE_SIZE,
        ..PauseQuery::default()
    };
    let form = async {
        match visitor.reach(Permission::Change(Area::Breaker)) == Reach::Everything {
            true => Ok(Some(form_of(&breaker::organisation(app, &actor).await?))),
            false => Ok(None),
        }
    };
    let (rows, total, form) = tokio::try_join!(
        breaker::list(app, &actor, &query),
        breaker::count(app, &actor, &query),
        form
    )?;
    Ok(SessionsPage {
        all,
        page,
        rows: rows.into_iter().map(row).collect(),
        total,
        form,
        trouble: None,
    })
}

/// The visitor's own sessions that are paused, for the start page.
pub(super) async fn own(app: &crate::app::App, actor: &Actor) -> Result<Vec<PausedRow>, Problem> {
    let Some(user) = actor.user_id() else {
        return Ok(Vec::new());
    };
    let query = PauseQuery {
        owner: Some(user.to_string()),
        open: Some(true),
        limit: FEW,
        ..PauseQuery::default()
    };
    let rows = breaker::list(app, actor, &query).await?;
    Ok(rows.into_iter().map(row).collect())
}

fn row(paused: PausedSessionView) -> PausedRow {
    PausedRow {
        id: paused.id.to_string(),
        session: paused.session_id,
        owner: paused.owner,
        why: paused.message,
        paused_at_ms: paused.paused_at.ms(),
        resumed_at_ms: paused.resumed_at.map(|at| at.ms()),
    }
}

pub(super) async fn resume(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let back = match form.raw("from") {
        "home" => path::HOME,
        _ => path::SESSIONS,
    };
    let Ok(id) = PauseId::parse(&id) else {
        return visitor.refuse(Problem::new(Code::NotFound, "There is no such paused session."));
    };
    match breaker::resume(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(resumed) => {
            let message = format!(
                "Session {} goes on. Every connected data plane follows within a second.",
                resumed.session_id
            );
            visitor.go_saying(back, Tone::Good, &message)
        }
        Err(problem) if is_about_input(&problem) || problem.code == Code::NotFound => {
            visitor.go_saying(back, Tone::Bad, &problem.message)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn set(Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather(&visitor, false, 1).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    let mut entered = entered(&form);
    let request = read(&mut entered);
    page.form = Some(entered);
    let Some(request) = request else {
        return again(visitor, page, None);
    };
    match breaker::set_organisation(&visitor.state().app, &visitor.actor(), request).await {
        Ok(view) => {
            let message = format!("Saved: {} for one session.", limits(&view));
            visitor.go_saying(path::SESSIONS, Tone::Good, &message)
        }
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

pub(super) async fn of_team(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather_team(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather_team(visitor: &Visitor, id: &str) -> Result<TeamSessionsPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = TeamId::parse(id).map_err(|_| Problem::new(Code::NotFound, "There is no such team."))?;
    let (team, found, organisation) = tokio::try_join!(
        teams::find(app, &actor, &id),
        breaker::of_team(app, &actor, &id),
        breaker::organisation(app, &actor)
    )?;
    let own = found.source == BreakerSource::Team;
    Ok(TeamSessionsPage {
        team_id: team.id.to_string(),
        team: team.name,
        organisation: limits(&organisation),
        whose: Field::new(if own { "team" } else { "organisation" }),
        form: if own {
            form_of(&found)
        } else {
            BreakerForm::default()
        },
        trouble: None,
    })
}

pub(super) async fn set_team(Path(id): Path<String>, Posted { visitor, form }: Posted) -> Response {
    let mut page = match gather_team(&visitor, &id).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    page.whose = Field::new(form.text("whose"));
    page.form = entered(&form);
    let Ok(team) = TeamId::parse(&id) else {
        return again(visitor, page, None);
    };
    let done = match page.whose.value.as_str() {
        "organisation" => breaker::clear_team(app, &actor, &team)
            .await
            .map(|()| format!("The organisation's limits count for “{}”.", page.team)),
        "team" => {
            let Some(request) = read(&mut page.form) else {
                return again(visitor, page, None);
            };
            breaker::set_team(app, &actor, &team, request)
                .await
                .map(|view| format!("Saved: {} for one session of “{}”.", limits(&view), page.team))
        }
        _ => {
            page.whose.error = Some("Choose one of these.".to_owned());
            return again(visitor, page, None);
        }
    };
    match done {
        Ok(message) => visitor.go_saying(&path::team_sessions(&id), Tone::Good, &message),
        Err(problem) => again(visitor, page, Some(problem)),
    }
}

fn form_of(view: &SessionBreakerView) -> BreakerForm {
    BreakerForm {
        usd: Field::new(view.usd_per_minute.map(|usd| usd.to_string()).unwrap_or_default()),
        agents: Field::new(view.agents_per_minute.map(|n| n.to_string()).unwrap_or_default()),
    }
}

fn entered(form: &FormData) -> BreakerForm {
    BreakerForm {
        usd: Field::new(form.text("usd_per_minute")),
        agents: Field::new(form.text("agents_per_minute")),
    }
}

fn read(form: &mut BreakerForm) -> Option<SetSessionBreaker> {
    let usd = match form.usd.value.as_str() {
        "" => Some(None),
        _ => amount(&mut form.usd).map(Some),
    };
    let agents = match form.agents.value.as_str() {
        "" => Some(None),
        text => match text.parse::<u32>() {
            Ok(agents) => Some(Some(agents)),
            Err(_) => {
                form.agents.error = Some("Write a whole number, such as 30.".to_owned());
                None
            }
        },
    };
    Some(SetSessionBreaker {
        usd_per_minute: usd?,
        agents_per_minute: agents?,
    })
}

/// The limits in words.
fn limits(view: &SessionBreakerView) -> String {
    let usd = view.usd_per_minute.map(|usd| format!("${usd}"));
    let agents = view.agents_per_minute.map(|n| match n {
        1 => "1 agent".to_owned(),
        n => format!("{n} agents"),
    });
    match (usd, agents) {
        (None, None) => "no limit".to_owned(),
        (Some(one), None) | (None, Some(one)) => format!("{one} within a minute"),
        (Some(usd), Some(agents)) => format!("{usd} and {agents} within a minute"),
    }
}
