//! Users.

use super::several::with_ticked;
use super::teams::{account_badge, state_switch};
use super::{Ends, Named, Page, Place, Section, Several};
use crate::form::{Choice, Field};
use crate::format::{ago, money};
use crate::part::block::{Colour, badge, empty, maker, nothing, page_head, text};
use crate::part::field::{Ask, csrf, filter_bar, input, options, page_name, select, summary};
use crate::part::key::named;
use crate::part::list::{Column, Sort, cell, name_cell, number_cell, pick_cell, row_head, table, turning};
use crate::{PageContext, path};
use ccag_domain::{AccountState, Area, NanoUsd, Permission, Reach, Role, UnixMs, UserKind};
use leptos::prelude::*;

/// What the form for a new user holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUserForm {
    /// The name to sign in with.
    pub username: Field,
    /// Their mail address.
    pub email: Field,
    /// `person` or `service`.
    pub kind: Field,
    /// The name of a role.
    pub role: Field,
    /// The id of their team.
    pub team: Field,
    /// Their first password. Its value is never shown again.
    pub password: Field,
}

impl Default for NewUserForm {
    fn default() -> Self {
        Self {
            username: Field::default(),
            email: Field::default(),
            kind: Field::new(UserKind::Person.as_str()),
            role: Field::new(Role::Member.as_str()),
            team: Field::default(),
            password: Field::default(),
        }
    }
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Their id.
    pub id: String,
    /// The name they sign in with.
    pub username: String,
    /// Their name or mail address, if known.
    pub detail: Option<String>,
    /// Whether it is a person or a program.
    pub kind: UserKind,
    /// What they may do.
    pub role: Role,
    /// Whether their keys and log-in work.
    pub state: AccountState,
    /// Their team.
    pub team: Option<Named>,
    /// Since when they are known.
    pub created_at_ms: UnixMs,
    /// Spend of the last 30 days.
    pub spend_30_days: NanoUsd,
}

/// By what users are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserSort {
    /// Their user name.
    #[default]
    Name,
    /// Since when they are known.
    Created,
}

impl UserSort {
    /// The value in an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Created => "created",
        }
    }

    /// Reads a value; anything unknown is the default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "created" => Self::Created,
            _ => Self::Name,
        }
    }

    /// Whether the latest come first unless something else is said.
    #[must_use]
    pub const fn descends_at_first(self) -> bool {
        matches!(self, Self::Created)
    }
}

/// One page of the users, and the form for a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersPage {
    /// Part of a name.
    pub search: String,
    /// Only people, or only service accounts.
    pub kind: Option<UserKind>,
    /// By what they are sorted,
    pub sort: UserSort,
    /// with the last or the latest first.
    pub descending: bool,
    /// Which page.
    pub place: Place,
    /// One page of them.
    pub rows: Vec<UserRow>,
    /// How many there are on all pages, up to [`COUNTED`](super::COUNTED).
    pub total: u64,
    /// Where the page begins and ends.
    pub ends: Ends,
    /// Teams to choose from, by id.
    pub teams: Vec<Choice>,
    /// What the form holds.
    pub form: NewUserForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const USERNAME: Ask = Ask {
    id: "username",
    name: "username",
    label: "Username",
    help: "To sign in with. Two users cannot share one, whatever the case of its letters.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 100,
};

pub(super) const EMAIL: Ask = Ask {
    id: "email",
    name: "email",
    label: "Mail address",
    help: "",
    kind: "email",
    autocomplete: "",
    required: false,
    max_length: 0,
};

const KIND: Ask = Ask {
    id: "kind",
    name: "kind",
    label: "Kind",
    help: "A service account is a program, such as a build. It has keys and tokens, and does not sign in.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 0,
};

pub(super) const ROLE: Ask = Ask {
    id: "role",
    name: "role",
    label: "Role",
    help: "It can be changed at any time, and holds at once.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 0,
};

pub(super) const TEAM: Ask = Ask {
    id: "team",
    name: "team",
    label: "Team",
    help: "",
    kind: "",
    autocomplete: "",
    required: false,
    max_length: 0,
};

/// The kinds, as people are offered them.
const KINDS: [(UserKind, &str); 2] = [
    (UserKind::Person, "Person"),
    (UserKind::Service, "Service account"),
];

const PASSWORD: Ask = Ask {
    id: "password",
    name: "password",
    label: "First password",
    help: "Without one they can use keys but not sign in here.",
    kind: "password",
    autocomplete: "new-password",
    required: false,
    max_length: 1_000,
};

impl Page for UsersPage {
    fn title(&self) -> String {
        "Users".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Users)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let list = if self.rows.is_empty() {
            empty(
                "Nobody fits",
                view! { <p>"No user has these characters in their username or mail address."</p> }.into_any(),
                view! { <a class="button" href=path::USERS>"Show all users"</a> }.into_any(),
            )
        } else {
            self.list(context)
        };
        view! {
            {page_head("Users".to_owned(), text("Who may sign in here, and whose keys count for whom."), nothing())}
            {maker(context, path::USERS, "Create a user", self.refused(), self.new_user(context))}
            {filter_bar(path::USERS, "Search by username or mail address", &self.search, self.kinds())}
            {list}
        }
        .into_any()
    }
}

impl UsersPage {
    fn kinds(&self) -> AnyView {
        let mut choices = vec![Choice::new("", "People and service accounts")];
        choices.extend(KINDS.map(|(kind, label)| Choice::new(kind.as_str(), label)));
        let chosen = self.kind.map(UserKind::as_str).unwrap_or_default();
        view! {
            <div class="field">
                <label for="filter-kind">"Kind"</label>
                <select id="filter-kind" name="kind">{options(&choices, chosen)}</select>
            </div>
        }
        .into_any()
    }

    fn refused(&self) -> bool {
        let form = &self.form;
        let fields = [
            &form.username,
            &form.email,
            &form.kind,
            &form.role,
            &form.team,
            &form.password,
        ];
        self.trouble.is_some() || fields.iter().any(|field| field.error.is_some())
    }

    fn new_user(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let roles = offered(context, None).map(|role| {
            let label = format!("{}: {}", role.title(), role.summary());
            Choice::new(role.as_str(), label)
        });
        let roles: Vec<Choice> = roles.collect();
        let mut teams = vec![Choice::new("", "None")];
        teams.extend(self.teams.iter().cloned());
        let fields = [
            (&USERNAME, &form.username),
            (&EMAIL, &form.email),
            (&KIND, &form.kind),
            (&ROLE, &form.role),
            (&TEAM, &form.team),
            (&PASSWORD, &form.password),
        ];
        view! {
            <form method="post" action=path::USERS class="grid-form">
                {csrf(context)}
                {summary(&fields, self.trouble.as_deref())}
                {input(USERNAME, &form.username, &[])}
                {input(EMAIL, &form.email, &[])}
                {select(KIND, &form.kind, &KINDS.map(|(kind, label)| Choice::new(kind.as_str(), label)))}
                {select(ROLE, &form.role, &roles)}
                {select(TEAM, &form.team, &teams)}
                {input(PASSWORD, &form.password, &[])}
                <div class="form-actions">
                    <button type="submit" class="primary">"Create the user"</button>
                </div>
            </form>
        }
        .into_any()
    }

    fn list(&self, context: &PageContext) -> AnyView {
        let picks = changes(context);
        let mut columns = Vec::from_iter(picks.then(Column::pick));
        columns.extend([
            Column::sorted("Username", self.sorted(UserSort::Name)),
            Column::text("Role"),
            Column::text("State"),
            Column::text("Team"),
            Column::number("Spend, 30 days"),
            Column::sorted("Created", self.sorted(UserSort::Created)),
        ]);
        if picks {
            columns.push(Column::text("Change"));
        }
        let rows = self.rows.iter().map(|user| user_row(user, context)).collect();
        let pages = turning(
            "users",
            &self.place,
            self.rows.len(),
            self.total,
            &self.ends,
            |place| self.href(self.sort, self.descending, place),
        );
        let ticked = with_ticked(context, &Several::OF_USERS);
        view! { {table("Users", columns, rows)} {ticked} {pages} }.into_any()
    }

    /// The address of this list, sorted like this, at another place.
    fn href(&self, sort: UserSort, descending: bool, place: &Place) -> String {
        let kind = self.kind.map(UserKind::as_str).unwrap_or_default();
        let order = match (descending, sort.descends_at_first()) {
            (true, false) => "desc",
            (false, true) => "asc",
            _ => "",
        };
        let sort = match sort {
            UserSort::Name => "",
            other => other.as_str(),
        };
        let [page, after, before] = place.query();
        let query = [
            ("q", self.search.as_str()),
            ("kind", kind),
            ("sort", sort),
            ("order", order),
            (page.0, &page.1),
            (after.0, &after.1),
            (before.0, &before.1),
        ];
        path::with_query(path::USERS, &query)
    }

    fn sorted(&self, by: UserSort) -> Sort {
        let current = self.sort == by;
        let next = if current {
            !self.descending
        } else {
            by.descends_at_first()
        };
        Sort {
            href: self.href(by, next, &Place::default()),
            descending: current.then_some(self.descending),
        }
    }
}

/// The roles that the viewer may give, the one that is given most first, and the one that somebody `has`.
pub(super) fn offered(context: &PageContext, has: Option<Role>) -> impl Iterator<Item = Role> {
    let owners = context.reach(Permission::Change(Area::Owners)) == Reach::Everything;
    let all = Role::ALL.into_iter().rev();
    all.filter(move |role| owners || *role != Role::Owner || has == Some(Role::Owner))
}

fn changes(context: &PageContext) -> bool {
    context.reach(Permission::Change(Area::Users)) == Reach::Everything
}

/// The button that suspends or activates, unless it is for owners alone.
fn switch_of(user: &UserRow, context: &PageContext) -> AnyView {
    let owners = context.reach(Permission::Change(Area::Owners)) == Reach::Everything;
    if user.role == Role::Owner && !owners {
        return nothing();
    }
    state_switch(context, path::user_state(&user.id), &user.username, user.state)
}

fn user_row(user: &UserRow, context: &PageContext) -> AnyView {
    let detail = user
        .detail
        .clone()
        .map(|d| view! { <span class="row-detail">{d}</span> });
    let service = (user.kind == UserKind::Service).then(|| badge(Colour::Muted, "Service account"));
    let link = page_name(context, path::user(&user.id), user.username.clone(), "row-link");
    let name = view! { {link} {detail} " " {service} };
    view! {
        <tr>
            {changes(context).then(|| pick_cell(&user.id, &user.username))}
            {row_head(name.into_any())}
            {cell("Role", text(user.role.title()))}
            {cell("State", account_badge(user.state))}
            {name_cell("Team", named(user.team.as_ref(), |team| Some(path::team(&team.id))))}
            {number_cell("Spend, 30 days", money(user.spend_30_days))}
            {cell("Created", ago(user.created_at_ms, context.now_ms))}
            {changes(context).then(|| cell("Change", switch_of(user, context)))}
        </tr>
    }
    .into_any()
}
