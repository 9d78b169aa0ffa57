//! A destination of notifications: made, shown, drafted, tested, put into force.

use super::destination_form::{DestinationAbout, DestinationWay};
use super::{FormPage, Page, Section};
use crate::form::Field;
use crate::part::block::{card, copyable, facts, nothing, page_head, text};
use crate::part::confirm::{Confirm, confirm};
use crate::part::field::{button_form, edit_form, page_link, post_form, summary, yes_box};
use crate::{PageContext, path};
use ccag_domain::{Area, DestinationKind, Permission, Reach};
use leptos::prelude::*;

/// The page with the form for a new destination; without a kind it asks for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDestinationPage {
    /// What it is to be.
    pub kind: Option<DestinationKind>,
    /// What it is called and told of.
    pub about: DestinationAbout,
    /// How it is to be reached.
    pub way: DestinationWay,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

impl FormPage for NewDestinationPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.about.field_mut(name).or_else(|| self.way.field_mut(name))
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

/// Whether the viewer sets up destinations of all kinds and for everybody, and not those of their own team alone.
fn sets_up_all(context: &PageContext) -> bool {
    context.reach(Permission::Change(Area::Notifications)) == Reach::Everything
}

fn trail() -> AnyView {
    view! {
        <nav class="trail" aria-label="Where you are"><a href=path::NOTIFICATIONS>"Notifications"</a></nav>
    }
    .into_any()
}

impl Page for NewDestinationPage {
    fn title(&self) -> String {
        match self.kind {
            Some(kind) => format!("Add a destination: {}", kind.title()),
            None => "Add a destination".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Notifications)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let all = sets_up_all(context);
        let Some(kind) = self.kind else {
            let choice = |kind: &DestinationKind| {
                let what = match kind {
                    DestinationKind::Webhook => {
                        "A web server of yours, with signatures as Standard Webhooks has them."
                    }
                    DestinationKind::Slack => "A channel, by one of Slack's incoming webhooks.",
                    DestinationKind::Sns => "A topic, and whoever has subscribed to it.",
                    DestinationKind::EventBridge => "An event bus, and whatever its rules do.",
                    DestinationKind::Smtp => "Mailboxes, through a mail server of yours.",
                };
                let link = page_link(context, path::new_destination(kind.as_str()), kind.title(), "");
                view! { <li>{link} ": " {what}</li> }
            };
            let offered = DestinationKind::ALL
                .iter()
                .filter(|kind| all || kind.is_for_managers());
            let choices = offered.map(choice).collect_view();
            return view! {
                {trail()}
                {page_head(self.title(), text("What is it?"), nothing())}
                <ul class="choices">{choices}</ul>
            }
            .into_any();
        };
        let mut fields = self.about.fields();
        fields.extend(self.way.fields(kind));
        let inputs = view! {
            <input type="hidden" name="kind" value=kind.as_str() />
            {self.about.inputs(all)}
            <h2>"How it is reached"</h2>
            {self.way.inputs(kind, all)}
        };
        view! {
            {trail()}
            {page_head(self.title(), text("It begins as a draft, which you test and activate then."), nothing())}
            {edit_form(context, path::NOTIFICATIONS.to_owned(), summary(&fields, self.trouble.as_deref()), inputs.into_any(), "Add the draft", path::NOTIFICATIONS)}
        }
        .into_any()
    }
}

/// A destination's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: DestinationKind,
    /// What is in force, in words; `None`: nothing is.
    pub active: Option<String>,
    /// Whether there is a draft.
    pub has_draft: bool,
    /// What came of the last test: whether it passed, what it said, and whether it was of the draft.
    pub test: Option<(bool, String, bool)>,
    /// A secret that was made now, and is shown only now.
    pub new_secret: Option<String>,
    /// What it is called and told of.
    pub about: DestinationAbout,
    /// How it is to be reached.
    pub way: DestinationWay,
    /// What is wrong with a form as a whole.
    pub trouble: Option<String>,
    /// Whether it is the form of the draft that was refused.
    pub draft_refused: bool,
}

impl FormPage for DestinationPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        if self.draft_refused {
            self.way.field_mut(name)
        } else {
            self.about.field_mut(name)
        }
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for DestinationPage {
    fn title(&self) -> String {
        format!("Destination {}", self.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Notifications)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let delete = page_link(
            context,
            path::delete_destination(&self.id),
            "Delete…",
            "button danger",
        );
        let secret = self.new_secret.clone().map(|secret| {
            let body = copyable("secret", "signing secret", secret);
            card(
                "signing-secret",
                "Signing secret",
                text("It is shown only now. The receiver verifies signatures with it."),
                body,
            )
        });
        view! {
            {trail()}
            {page_head(self.title(), text(self.kind.title()), delete)}
            {secret}
            {self.standing(context)}
            {self.draft_form(context)}
            {self.about_form(context)}
        }
        .into_any()
    }
}

impl DestinationPage {
    /// What is in force, what was tested, and what can be done.
    fn standing(&self, context: &PageContext) -> AnyView {
        let active = match &self.active {
            Some(words) => words.clone(),
            None => "nothing yet: the draft has to be tested and activated".to_owned(),
        };
        let test = match &self.test {
            None => "none".to_owned(),
            Some((passed, message, of_draft)) => {
                let of = if *of_draft {
                    "of the draft"
                } else {
                    "of what is in force"
                };
                let what = if *passed { "passed" } else { "failed" };
                format!("{what}, {of}: {message}")
            }
        };
        let draft = if self.has_draft { "there is one" } else { "none" };
        let button = |action: String, label: &'static str, class: &'static str| {
            button_form(context, action, &[], label, &self.name, class)
        };
        let try_out = button(path::test_destination(&self.id), "Send a test", "");
        let ready = self.has_draft && matches!(self.test, Some((true, _, true)));
        let activate = ready.then(|| {
            button(
                path::activate_destination(&self.id),
                "Activate the draft",
                "primary",
            )
        });
        let discard = (self.has_draft && self.active.is_some())
            .then(|| button(path::discard_draft(&self.id), "Forget the draft", "quiet"));
        let body = view! {
            {facts(vec![
                ("In force", text(active)),
                ("Draft", text(draft)),
                ("Last test", text(test)),
            ])}
            <div class="form-actions">{activate} {try_out} {discard}</div>
        };
        card(
            "standing",
            "Where it stands",
            text("A test sends something by the draft, or, where there is none, as it is reached now."),
            body.into_any(),
        )
    }

    fn draft_form(&self, context: &PageContext) -> AnyView {
        let refused = self.draft_refused;
        let fields = self.way.fields(self.kind);
        let wrong = if refused {
            summary(&fields, self.trouble.as_deref())
        } else {
            nothing()
        };
        let inputs = view! {
            <h2>"How it is reached"</h2>
            <p class="field-help">"Saved as a draft. What is in force stays so until the draft is tested and activated."</p>
            <input type="hidden" name="kind" value=self.kind.as_str() />
            {self.way.inputs(self.kind, sets_up_all(context))}
        };
        let buttons = view! { <button type="submit" class="primary">"Save the draft"</button> };
        post_form(
            context,
            path::destination_draft(&self.id),
            "stack card",
            wrong,
            inputs.into_any(),
            buttons.into_any(),
        )
    }

    fn about_form(&self, context: &PageContext) -> AnyView {
        let fields = self.about.fields();
        let wrong = if self.draft_refused {
            nothing()
        } else if self.trouble.is_some() || fields.iter().any(|(_, field)| field.error.is_some()) {
            summary(&fields, self.trouble.as_deref())
        } else {
            nothing()
        };
        let inputs = view! {
            <h2>"What it is told"</h2>
            <p class="field-help">"In force at once."</p>
            {self.about.inputs(sets_up_all(context))}
            {yes_box("enabled", "It is told what happens", "Switched off, it is told nothing, and what it was still to be told is given up.", self.about.enabled)}
        };
        let buttons = view! { <button type="submit" class="primary">"Save"</button> };
        post_form(
            context,
            path::destination(&self.id),
            "stack card",
            wrong,
            inputs.into_any(),
            buttons.into_any(),
        )
    }
}

/// The page that asks before a destination is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteDestinationPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Page for DeleteDestinationPage {
    fn title(&self) -> String {
        "Delete a destination".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Notifications)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        confirm(
            context,
            Confirm {
                list: (path::NOTIFICATIONS, "Notifications"),
                page: (path::destination(&self.id), self.name.clone()),
                question: format!("Delete the destination “{}”?", self.name),
                what: text("It is told nothing more, and what became of telling it is forgotten."),
                action: path::delete_destination(&self.id),
                button: "Delete the destination",
            },
        )
    }
}
