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
            LoginTrouble::SignedOut => (
                "flash flash-note",
                "status",
                "Your session has ended. Sign in to go on where you were.".to_owned(),
            ),
        };
        Some(view! { <div class=class role=role><p>{text}</p></div> }.into_any())
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
                <form method="post" action=path::LOGIN class="stack">
                    {csrf(context)}
                    <input type="hidden" name="next" value=self.next.clone() />
                    {input(NAME, &Field::new(self.username.clone()), &[])}
                    {input(PASSWORD, &Field::default(), &[])}
                    <button type="submit" class="primary wide">"Sign in"</button>
                </form>
                <details class="hint">
                    <summary>"First time here?"</summary>
                    <p>
                        "The first start of the gateway prints the administrator's name and password once. "
                        "Everyone else gets an account from their administrator."
                    </p>
                </details>
            </section>
        }
        .into_any()
    }
}
