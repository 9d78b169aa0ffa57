//! Signing in.

use super::Page;
use crate::form::Field;
use crate::format::duration_ms;
use crate::part::field::{Ask, csrf, input};
use crate::{PageContext, path};
use leptos::prelude::*;

/// Why the form is shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginTrouble {
    /// The pair of name and password is not right, or the account may not sign in.
    Refused,
    /// The account is suspended.
    Suspended,
    /// Too many attempts.
    TooMany {
        /// How long to wait, in milliseconds.
        retry_after_ms: i64,
    },
    /// The form was older than the browser session it was made for.
    Stale,
    /// The session has ended.
    SignedOut,
    /// A provider of identities, or what it says, did not let them in; why.
    Provider(String),
    /// Passwords are no way in here.
    NoPasswords,
}

/// The page for signing in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginPage {
    /// The name that was tried.
    pub username: String,
    /// Where to go afterwards: a path of ours.
    pub next: String,
    /// Why the form is shown again.
    pub trouble: Option<LoginTrouble>,
    /// The ways in besides a password: ids and names of providers.
    pub providers: Vec<(String, String)>,
    /// Whether a password is no way in.
    pub no_passwords: bool,
}

const NAME: Ask = Ask {
    id: "username",
    name: "username",
    label: "Username",
    help: "",
    kind: "",
    autocomplete: "username",
    required: true,
    max_length: 0,
};

const PASSWORD: Ask = Ask {
    id: "password",
    name: "password",
    label: "Password",
    help: "",
    kind: "password",
    autocomplete: "current-password",
    required: true,
    max_length: 1_000,
};

impl LoginPage {
    fn notice(&self) -> Option<AnyView> {
        let (class, role, text) = match self.trouble.as_ref()? {
            LoginTrouble::Refused => (
                "flash flash-bad",
                "alert",
                "That username and password do not belong together. Check both and try again.".to_owned(),
            ),
            LoginTrouble::Suspended => (
                "flash flash-bad",
                "alert",
                "Your account is suspended. Ask an administrator to activate it.".to_owned(),
            ),
            LoginTrouble::TooMany { retry_after_ms } => (
                "flash flash-bad",
                "alert",
                format!(
                    "Too many attempts. Wait {} and try again.",
                    duration_ms((*retry_after_ms).max(1_000))
                ),
            ),
            LoginTrouble::Stale => (
                "flash flash-note",
                "status",
                "This form had grown old, so nothing was sent on. Please sign in again.".to_owned(),
            ),
            LoginTrouble::Provider(why) => ("flash flash-bad", "alert", why.clone()),
            LoginTrouble::NoPasswords => (
                "flash flash-note",
                "status",
                "Passwords are turned off here. Sign in with your organisation's account.".to_owned(),
            ),
            LoginTrouble::SignedOut => (
                "flash flash-note",
                "status",
                "Your session has ended. Sign in to go on where you were.".to_owned(),
            ),
        };
        Some(view! { <div class=class role=role><p>{text}</p></div> }.into_any())
    }
}

impl LoginPage {
    /// A way in for each provider.
    fn providers(&self) -> Option<AnyView> {
        let link = |(id, name): &(String, String)| {
            let to = path::sign_on(id, &self.next);
            view! { <a class="button primary wide" href=to>{format!("Continue with {name}")}</a> }
        };
        let links = self.providers.iter().map(link).collect_view();
        (!self.providers.is_empty()).then(|| view! { <div class="stack">{links}</div> }.into_any())
    }

    /// The form for name and password; behind a fold where there is a better way in.
    fn password_form(&self, context: &PageContext) -> Option<AnyView> {
        if self.no_passwords {
            return None;
        }
        let alone = self.providers.is_empty();
        let form = view! {
            <form method="post" action=path::LOGIN class="stack">
                {csrf(context)}
                <input type="hidden" name="next" value=self.next.clone() />
                {input(NAME, &Field::new(self.username.clone()), &[])}
                {input(PASSWORD, &Field::default(), &[])}
                <button type="submit" class=if alone { "primary wide" } else { "wide" }>"Sign in"</button>
            </form>
        };
        Some(if alone {
            view! {
                {form}
                <details class="hint">
                    <summary>"First time here?"</summary>
                    <p>
                        "The first start of the gateway prints the administrator's name and password once. "
                        "Everyone else gets an account from their administrator."
                    </p>
                </details>
            }
            .into_any()
        } else {
            let open = !self.username.is_empty();
            view! {
                <details class="hint" open=open>
                    <summary>"Sign in with a password"</summary>
                    {form}
                </details>
            }
            .into_any()
        })
    }
}

impl Page for LoginPage {
    fn title(&self) -> String {
        "Sign in".to_owned()
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <section class="card door-card" aria-labelledby="sign-in">
                <h1 id="sign-in">"Sign in"</h1>
                <p class="lead">"Claude Code for your organisation, on your own AWS accounts."</p>
                {self.notice()}
                {self.providers()}
                {self.password_form(context)}
            </section>
        }
        .into_any()
    }
}
