//! What is done to several things at once: a page that asks, and then, one after the other, what is done to each alone.

use super::form::{FormData, Posted, again, is_about_input, pairs};
use super::names::Names;
use super::teams::team_choices;
use super::visitor::Visitor;
use crate::app::clients::sessions;
use crate::app::{keys, users};
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{KeyState, KeyView, UserView};
use ccag_console::form::Field;
use ccag_console::page::{Several, SeveralPage, SeveralRow};
use ccag_console::{Tone, path};
use ccag_domain::{AccountState, Code, KeyId, Problem, TeamId, UserId, UserKind};

/// The most that is done at once: more than a page of a list holds.
const MOST: usize = 100;

/// How many reasons are given why something was not done.
const REASONS: usize = 3;

/// What a page or a form asks for.
struct Asked {
    what: Several,
    ids: Vec<String>,
}

impl Asked {
    fn new<'a>(what: Several, all: impl Iterator<Item = &'a str>) -> Self {
        let mut ids: Vec<String> = Vec::new();
        for id in all.take(MOST) {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        Self { what, ids }
    }

    fn of_query(what: Several, query: Option<&str>) -> Self {
        let pairs = pairs(query);
        let ids = pairs.iter().filter(|(name, _)| name == "id");
        Self::new(what, ids.map(|(_, value)| value.as_ref()))
    }

    fn of_form(what: Several, form: &FormData) -> Self {
        Self::new(what, form.all("id"))
    }
}

/// What is left to be asked about, and what is not.
#[derive(Default)]
struct Sorted {
    rows: Vec<SeveralRow>,
    left_out: Vec<SeveralRow>,
}

impl Sorted {
    /// Adds a thing; with a reason nothing is done to it.
    fn add(&mut self, id: &str, name: String, detail: String, reason: Option<&str>) {
        let id = id.to_owned();
        match reason {
            None => self.rows.push(SeveralRow { id, name, detail }),
            Some(reason) => self.left_out.push(SeveralRow {
                id,
                name,
                detail: reason.to_owned(),
            }),
        }
    }
}

/// The page that asks. Where there is nothing to ask about, the list says so.
async fn ask(visitor: Visitor, asked: Asked) -> Response {
    let what = asked.what;
    let page = match gather(&visitor, &asked).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    if !page.rows.is_empty() {
        return visitor.answer(Ok(page));
    }
    let reason = page
        .left_out
        .first()
        .map(|row| format!("Nothing is to be done: “{}” {}.", row.name, row.detail));
    let message = reason.unwrap_or_else(|| "Tick first what it is about.".to_owned());
    visitor.go_saying(what.list().0, Tone::Note, &message)
}

async fn gather(visitor: &Visitor, asked: &Asked) -> Result<SeveralPage, Problem> {
    let sorted = match asked.what {
        Several::RevokeKeys => of_keys(visitor, &asked.ids).await?,
        Several::EndLogins => of_logins(visitor, &asked.ids).await?,
        what => of_users(visitor, what, &asked.ids).await?,
    };
    let teams = match asked.what {
        Several::Move => team_choices(visitor).await?,
        _ => Vec::new(),
    };
    Ok(SeveralPage {
        what: asked.what,
        rows: sorted.rows,
        left_out: sorted.left_out,
        teams,
        team: Field::default(),
        trouble: None,
    })
}

/// The keys with these ids that the visitor may change, and the names of others that they see. Of what they do not see nothing
/// is said.
async fn seen_keys(visitor: &Visitor, ids: &[String]) -> Result<Vec<(KeyView, bool)>, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let mut found = Vec::new();
    for id in ids.iter().filter_map(|id| KeyId::parse(id).ok()) {
        match keys::find_to_change(app, &actor, &id).await {
            Ok(key) => found.push((key, true)),
            Err(problem) if matches!(problem.code, Code::NotFound | Code::Forbidden) => {
                if let Ok(key) = keys::find(app, &actor, &id).await {
                    found.push((key, false));
                }
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(found)
}

async fn of_keys(visitor: &Visitor, ids: &[String]) -> Result<Sorted, Problem> {
    let found = seen_keys(visitor, ids).await?;
    let app = &visitor.state().app;
    let names = Names::of_users(app, found.iter().map(|(key, _)| key.user_id.as_ref())).await?;
    let mut sorted = Sorted::default();
    for (key, may) in found {
        let reason = match key.state {
            KeyState::Revoked => Some("is revoked already"),
            _ if !may => Some("is not yours to revoke"),
            _ => None,
        };
        let owner = names
            .named(key.user_id.as_ref())
            .map(|user| format!(", used by {}", user.name));
        let detail = format!(
            "{}…{}",
            key.prefix.trim_end_matches('…'),
            owner.unwrap_or_default()
        );
        sorted.add(key.id.as_str(), shown_key(&key), detail, reason);
    }
    Ok(sorted)
}

fn shown_key(key: &KeyView) -> String {
    match key.name.as_str() {
        "" => key.prefix.clone(),
        name => name.to_owned(),
    }
}

async fn of_logins(visitor: &Visitor, ids: &[String]) -> Result<Sorted, Problem> {
    let found = seen_keys(visitor, ids).await?;
    let app = &visitor.state().app;
    let names = Names::of_users(app, found.iter().map(|(key, _)| key.user_id.as_ref())).await?;
    let mut sorted = Sorted::default();
    for (key, may) in found {
        let reason = match key.state {
            KeyState::Active if !may => Some("is not yours to sign out"),
            KeyState::Active => None,
            _ => Some("is not signed in any more"),
        };
        let owner = names.named(key.user_id.as_ref()).map(|user| user.name);
        let name = owner.unwrap_or_else(|| shown_key(&key));
        let detail = format!("signed in {}", key.created_at);
        sorted.add(key.id.as_str(), name, detail, reason);
    }
    Ok(sorted)
}

async fn of_users(visitor: &Visitor, what: Several, ids: &[String]) -> Result<Sorted, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let mut found: Vec<UserView> = Vec::new();
    for id in ids.iter().filter_map(|id| UserId::parse(id).ok()) {
        match users::find(app, &actor, &id).await {
            Ok(user) => found.push(user),
            Err(problem) if problem.code == Code::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    let teams = Names::of_teams(app, found.iter().map(|user| user.team_id.as_ref())).await?;
    let mut sorted = Sorted::default();
    for user in found {
        let reason = match what {
            Several::SignOut if user.kind == UserKind::Service => {
                Some("is a service account, which does not sign in")
            }
            Several::Suspend if user.state == AccountState::Suspended => Some("is suspended already"),
            Several::Activate if user.state == AccountState::Active => Some("is active already"),
            _ => None,
        };
        let team = teams
            .named(user.team_id.as_ref())
            .map(|team| format!(", in {}", team.name));
        let detail = format!("{}{}", user.role.title(), team.unwrap_or_default());
        sorted.add(user.id.as_str(), user.username, detail, reason);
    }
    Ok(sorted)
}

/// Does to one thing what is done to several: the same as if it were the only one.
async fn do_one(visitor: &Visitor, what: Several, id: &str, team: Option<&TeamId>) -> Result<(), Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let gone = |_| Problem::new(Code::NotFound, "There is no such thing any more.");
    match what {
        Several::RevokeKeys => {
            keys::revoke(app, &actor, &KeyId::parse(id).map_err(gone)?).await?;
        }
        Several::EndLogins => sessions::revoke(app, &actor, &KeyId::parse(id).map_err(gone)?).await?,
        Several::SignOut => {
            sessions::sign_out(app, &actor, &UserId::parse(id).map_err(gone)?).await?;
        }
        Several::Move => {
            users::assign(app, &actor, &UserId::parse(id).map_err(gone)?, team).await?;
        }
        Several::Suspend => {
            users::suspend(app, &actor, &UserId::parse(id).map_err(gone)?).await?;
        }
        Several::Activate => {
            users::activate(app, &actor, &UserId::parse(id).map_err(gone)?).await?;
        }
    }
    Ok(())
}

/// Does it to all of them, and says on the list to how many, and why not to others.
async fn do_all(visitor: Visitor, form: &FormData, what: Several) -> Response {
    let asked = Asked::of_form(what, form);
    let mut page = match gather(&visitor, &asked).await {
        Ok(page) => page,
        Err(problem) => return visitor.refuse(problem),
    };
    let team = TeamId::parse(&form.text("team")).ok();
    if what == Several::Move && !page.rows.is_empty() {
        page.team = Field::new(form.text("team"));
        let offered = page.teams.iter().any(|choice| choice.value == page.team.value);
        if team.is_none() || !offered {
            page.team.error = Some("Choose a team from the list.".to_owned());
            return again(visitor, page, None);
        }
    }
    let mut done = 0;
    let mut failed: Vec<String> = page
        .left_out
        .iter()
        .map(|row| format!("“{}” {}.", row.name, row.detail))
        .collect();
    for row in &page.rows {
        match do_one(&visitor, what, &row.id, team.as_ref()).await {
            Ok(()) => done += 1,
            Err(problem)
                if is_about_input(&problem) || matches!(problem.code, Code::NotFound | Code::Forbidden) =>
            {
                failed.push(format!("“{}”: {}", row.name, problem.message));
            }
            Err(problem) => return visitor.refuse(problem),
        }
    }
    let tone = match (done, failed.len()) {
        (0, _) => Tone::Bad,
        (_, 0) => Tone::Good,
        _ => Tone::Note,
    };
    let others = failed.len().saturating_sub(REASONS);
    failed.truncate(REASONS);
    if others > 0 {
        failed.push(format!("The same holds for {others} more."));
    }
    let count = what.count(done);
    let is = if done == 1 { "is" } else { "are" };
    let said = match what {
        _ if done == 0 => "Nothing was changed.".to_owned(),
        Several::RevokeKeys => {
            format!("{count} {is} revoked. Every connected data plane refuses them within a second.")
        }
        Several::EndLogins => format!("{count} {is} signed out."),
        Several::SignOut => {
            format!("{count} {is} signed out here and in Claude Code. Their keys still work.")
        }
        Several::Move => format!("{count} {is} in the team now."),
        Several::Suspend => format!("{count} {is} suspended: signed out, and their keys are refused."),
        Several::Activate => format!("{count} {is} active again."),
    };
    let message = [vec![said], failed].concat().join(" ");
    visitor.go_saying(what.list().0, tone, &message)
}

pub(super) async fn ask_keys(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    ask(visitor, Asked::of_query(Several::RevokeKeys, query.as_deref())).await
}

pub(super) async fn revoke_keys(Posted { visitor, form }: Posted) -> Response {
    do_all(visitor, &form, Several::RevokeKeys).await
}

pub(super) async fn ask_logins(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    ask(visitor, Asked::of_query(Several::EndLogins, query.as_deref())).await
}

pub(super) async fn end_logins(Posted { visitor, form }: Posted) -> Response {
    do_all(visitor, &form, Several::EndLogins).await
}

pub(super) async fn ask_users(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let what = pairs.iter().find(|(name, _)| name == "do");
    match what.and_then(|(_, value)| Several::of_users(value)) {
        Some(what) => ask(visitor, Asked::of_query(what, query.as_deref())).await,
        None => visitor.go_saying(path::USERS, Tone::Note, "Tick first whom it is about."),
    }
}

pub(super) async fn do_users(Posted { visitor, form }: Posted) -> Response {
    match Several::of_users(form.raw("do")) {
        Some(what) => do_all(visitor, &form, what).await,
        None => visitor.go_saying(path::USERS, Tone::Note, "Tick first whom it is about."),
    }
}
