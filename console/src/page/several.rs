//! Asking before something is done to several things at once.

use super::{FormPage, Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::{Ask, csrf, select, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What can be done to several things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Several {
    /// Keys are revoked.
    RevokeKeys,
    /// Users are signed out everywhere.
    SignOut,
    /// Users get a team.
    Move,
    /// Users are suspended.
    Suspend,
    /// Users are let in again.
    Activate,
    /// Devices are signed out.
    EndLogins,
}

impl Several {
    /// What can be done to users.
    pub const OF_USERS: [Self; 4] = [Self::SignOut, Self::Move, Self::Suspend, Self::Activate];

    /// The value in an address and in a form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RevokeKeys => "revoke",
            Self::SignOut => "sign-out",
            Self::Move => "move",
            Self::Suspend => "suspend",
            Self::Activate => "activate",
            Self::EndLogins => "end",
        }
    }

    /// Reads what is to be done to users.
    #[must_use]
    pub fn of_users(text: &str) -> Option<Self> {
        Self::OF_USERS.into_iter().find(|one| one.as_str() == text)
    }

    /// The button on the list, which leads to the question.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::RevokeKeys => "Revoke…",
            Self::SignOut | Self::EndLogins => "Sign out…",
            Self::Move => "Move to a team…",
            Self::Suspend => "Suspend…",
            Self::Activate => "Activate…",
        }
    }

    /// The list that the things are on: its address and its name.
    #[must_use]
    pub const fn list(self) -> (&'static str, &'static str) {
        match self {
            Self::RevokeKeys => (path::KEYS, "Keys"),
            Self::EndLogins => (path::LOGINS, "Signed-in devices"),
            _ => (path::USERS, "Users"),
        }
    }

    /// The page that asks, and the form target that does it.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::RevokeKeys => path::REVOKE_KEYS,
            Self::EndLogins => path::END_LOGINS,
            _ => path::SEVERAL_USERS,
        }
    }

    /// So many of them.
    #[must_use]
    pub fn count(self, n: usize) -> String {
        let (one, more) = match self {
            Self::RevokeKeys => ("key", "keys"),
            Self::EndLogins => ("device", "devices"),
            _ => ("user", "users"),
        };
        format!("{n} {}", if n == 1 { one } else { more })
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::RevokeKeys => "Revoke",
            Self::SignOut | Self::EndLogins => "Sign out",
            Self::Move => "Move",
            Self::Suspend => "Suspend",
            Self::Activate => "Activate",
        }
    }

    const fn what(self) -> &'static [&'static str] {
        match self {
            Self::RevokeKeys => &[
                "Every connected data plane refuses them within a second. Answers that are streaming now run to their end.",
                "What they spent stays in the ledger.",
                "This cannot be undone: whoever uses one of them needs another key.",
            ],
            Self::SignOut => &[
                "They are signed out of the console and of Claude Code everywhere, within a second.",
                "Their keys still work, and they may sign in again.",
            ],
            Self::Move => &[
                "From now on the team that you choose pays for them, unless a key says otherwise, and decides where their requests go.",
                "What they have spent stays with the team that they are in now.",
            ],
            Self::Suspend => &[
                "They are signed out, and their keys are refused within a second.",
                "Activating them lets them in again; their keys work then as before.",
            ],
            Self::Activate => &["They may sign in again, and their keys work within a second."],
            Self::EndLogins => &[
                "Claude Code on these devices is refused within a second, and asks to sign in again.",
                "Keys and other devices of the same people are not touched.",
            ],
        }
    }
}

/// One of several things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeveralRow {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What tells it from others, or why nothing is done to it.
    pub detail: String,
}

/// The page that asks before something is done to several things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeveralPage {
    /// What is done.
    pub what: Several,
    /// To which.
    pub rows: Vec<SeveralRow>,
    /// What was ticked as well, and why nothing is done to it.
    pub left_out: Vec<SeveralRow>,
    /// The teams to choose from, by id.
    pub teams: Vec<Choice>,
    /// The team that was chosen.
    pub team: Field,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const TEAM: Ask = Ask {
    required: true,
    ..Ask::line("team", "Team", "", true, 0)
};

impl SeveralPage {
    fn question(&self) -> String {
        let (verb, count) = (self.what.verb(), self.what.count(self.rows.len()));
        match self.what {
            Several::Move => format!("{verb} {count} to a team?"),
            _ => format!("{verb} {count}?"),
        }
    }
}

impl Page for SeveralPage {
    fn title(&self) -> String {
        let question = self.question();
        question.trim_end_matches('?').to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(match self.what {
            Several::RevokeKeys => Section::Keys,
            Several::EndLogins => Section::Logins,
            _ => Section::Users,
        })
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let (list, list_name) = self.what.list();
        let rows = self.rows.iter().map(|row| {
            view! { <li><strong>{row.name.clone()}</strong> <span class="row-detail">{row.detail.clone()}</span></li> }
        });
        let ids = self
            .rows
            .iter()
            .map(|row| view! { <input type="hidden" name="id" value=row.id.clone() /> });
        let what = self.what.what().iter().map(|what| view! { <li>{*what}</li> });
        let left_out = (!self.left_out.is_empty()).then(|| {
            let rows = self
                .left_out
                .iter()
                .map(|row| view! { <li>{format!("{}: {}", row.name, row.detail)}</li> });
            view! {
                <p>"Nothing is done to what was ticked as well:"</p>
                <ul class="prose">{rows.collect_view()}</ul>
            }
        });
        let team = (self.what == Several::Move).then(|| {
            let mut teams = vec![Choice::new("", "Choose one")];
            teams.extend(self.teams.iter().cloned());
            select(TEAM, &self.team, &teams)
        });
        let button = format!("{} {}", self.what.verb(), self.what.count(self.rows.len()));
        let class = match self.what {
            Several::Move | Several::Activate => "primary",
            _ => "danger",
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=list>{list_name}</a></nav>
            {page_head(self.question(), nothing(), nothing())}
            <form method="post" action=self.what.action() class="card narrow stack">
                {csrf(context)}
                <input type="hidden" name="do" value=self.what.as_str() />
                {summary(&[(&TEAM, &self.team)], self.trouble.as_deref())}
                <ul class="prose">{rows.collect_view()}</ul>
                <p>"What happens:"</p>
                <ul class="prose">{what.collect_view()}</ul>
                {left_out}
                {team}
                {ids.collect_view()}
                <div class="form-actions">
                    <button type="submit" class=class>{button}</button>
                    <a class="button quiet" href=list>"Leave them as they are"</a>
                </div>
            </form>
        }
        .into_any()
    }
}

impl FormPage for SeveralPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        (name == "team_id").then_some(&mut self.team)
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

/// What can be done to what is ticked on a list: buttons that lead to the question. For those who may.
pub(crate) fn with_ticked(context: &PageContext, all: &[Several]) -> AnyView {
    let Some(first) = all.first() else {
        return nothing();
    };
    if !context.opens(first.action()) {
        return nothing();
    }
    let buttons = all.iter().map(|one| {
        view! { <button type="submit" name="do" value=one.as_str() class="small">{one.label()}</button> }
    });
    view! {
        <form method="get" action=first.action() id="several" class="several">
            <p>{text("With what is ticked:")}</p>
            {buttons.collect_view()}
        </form>
    }
    .into_any()
}
