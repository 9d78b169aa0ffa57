//! The form for a new key.

use super::{Page, Section};
use crate::form::{Choice, Field};
use crate::format::date;
use crate::part::block::{nothing, page_head, text};
use crate::part::field::{Ask, csrf, input, select, summary};
use crate::{PageContext, path};
use ccag_domain::time::DAY_MS;
use ccag_domain::{Area, Permission, Reach, UnixMs};
use leptos::prelude::*;

/// How long a new key is to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// For a number of days.
    Days(u16),
    /// For ever.
    Never,
}

impl Expiry {
    /// What is offered.
    pub const OFFERED: [Self; 5] = [
        Self::Days(7),
        Self::Days(30),
        Self::Days(90),
        Self::Days(365),
        Self::Never,
    ];

    /// What is chosen unless somebody chooses.
    pub const DEFAULT: Self = Self::Days(90);

    /// The value in the form.
    #[must_use]
    pub fn value(self) -> String {
        match self {
            Self::Days(days) => days.to_string(),
            Self::Never => "never".to_owned(),
        }
    }

    /// Reads a value; only what is offered is accepted.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::OFFERED.into_iter().find(|e| e.value() == text)
    }

    /// When a key made at `now_ms` ends.
    #[must_use]
    pub fn at(self, now_ms: UnixMs) -> Option<UnixMs> {
        match self {
            Self::Days(days) => Some(now_ms.saturating_add(i64::from(days) * DAY_MS)),
            Self::Never => None,
        }
    }

    fn choice(self, now_ms: UnixMs) -> Choice {
        let label = match (self, self.at(now_ms)) {
            (Self::Days(365), Some(at)) => format!("In a year, {}", date(at)),
            (Self::Days(days), Some(at)) => format!("In {days} days, {}", date(at)),
            _ => "Never".to_owned(),
        };
        Choice::new(self.value(), label)
    }
}

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKeyForm {
    /// What to call it.
    pub name: Field,
    /// The username of its user; admins only.
    pub user: Field,
    /// The id of the team that pays; empty is the user's own.
    pub team: Field,
    /// An [`Expiry`] as text.
    pub expiry: Field,
}

impl Default for NewKeyForm {
    fn default() -> Self {
        Self {
            name: Field::default(),
            user: Field::default(),
            team: Field::default(),
            expiry: Field::new(Expiry::DEFAULT.value()),
        }
    }
}

/// The page with the form for a new key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewKeyPage {
    /// What the form holds.
    pub form: NewKeyForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
    /// Usernames to suggest to an admin; not necessarily all.
    pub usernames: Vec<String>,
    /// Teams to choose from, by id; admins only.
    pub teams: Vec<Choice>,
}

const NAME: Ask = Ask {
    id: "name",
    name: "name",
    label: "Name",
    help: "For you to tell keys apart, such as “laptop” or “build server”.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 100,
};

const USER: Ask = Ask {
    id: "user",
    name: "user",
    label: "User",
    help: "The username of whoever will use it. Leave it empty for a machine.",
    kind: "",
    autocomplete: "",
    required: false,
    max_length: 0,
};

const TEAM: Ask = Ask {
    id: "team",
    name: "team",
    label: "Team",
    help: "The team that pays. A key without one is charged to its user's team.",
    kind: "",
    autocomplete: "",
    required: false,
    max_length: 0,
};

const EXPIRY: Ask = Ask {
    id: "expiry",
    name: "expiry",
    label: "Expires",
    help: "After that it is refused. It can be revoked at any time before.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 0,
};

impl Page for NewKeyPage {
    fn title(&self) -> String {
        "Create a key".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Keys)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let expiries: Vec<_> = Expiry::OFFERED
            .into_iter()
            .map(|e| e.choice(context.now_ms))
            .collect();
        let owner = (context.reach(Permission::Change(Area::Keys)) > Reach::Own).then(|| {
            let mut teams = vec![Choice::new("", "The user's own team")];
            teams.extend(self.teams.iter().cloned());
            view! {
                {input(USER, &form.user, &self.usernames)}
                {select(TEAM, &form.team, &teams)}
            }
        });
        let fields = [
            (&NAME, &form.name),
            (&USER, &form.user),
            (&TEAM, &form.team),
            (&EXPIRY, &form.expiry),
        ];
        view! {
            {page_head(
                "Create a key".to_owned(),
                text("The next page shows its secret, once."),
                nothing(),
            )}
            <form method="post" action=path::KEYS class="stack card narrow">
                {csrf(context)}
                {summary(&fields, self.trouble.as_deref())}
                {input(NAME, &form.name, &[])}
                {owner}
                {select(EXPIRY, &form.expiry, &expiries)}
                <div class="form-actions">
                    <button type="submit" class="primary">"Create the key"</button>
                    <a class="button quiet" href=path::KEYS>"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    }
}
