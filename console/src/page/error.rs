//! What went wrong, and the ways out.

use super::Page;
use crate::{PageContext, path};
use leptos::prelude::*;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is nothing at this address.
    NotFound,
    /// The viewer may not see or do this.
    Forbidden,
    /// The session ended while a form was filled in.
    SessionExpired {
        /// Where to go after signing in again.
        next: String,
    },
    /// A form did not carry this session's token.
    StaleForm {
        /// The page that the form stands on.
        back: String,
    },
    /// The form could not be read at all.
    BadRequest {
        /// What about it.
        detail: String,
    },
    /// The database does not answer.
    Unavailable,
    /// Too much was asked for.
    TooMany,
    /// The gateway's own fault.
    Internal {
        /// Under which the log has it.
        request_id: String,
    },
    /// The secret was shown already, or too long ago.
    SecretGone,
}

/// A page that says what went wrong and leads on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// What went wrong.
    pub trouble: Trouble,
}

impl ErrorPage {
    /// The page for a trouble.
    #[must_use]
    pub const fn new(trouble: Trouble) -> Self {
        Self { trouble }
    }

    /// The HTTP status to send it with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.trouble {
            Trouble::NotFound => 404,
            Trouble::Forbidden | Trouble::StaleForm { .. } => 403,
            Trouble::SessionExpired { .. } => 401,
            Trouble::BadRequest { .. } => 400,
            Trouble::TooMany => 429,
            Trouble::Internal { .. } => 500,
            Trouble::Unavailable => 503,
            Trouble::SecretGone => 410,
        }
    }

    const fn heading(&self) -> &'static str {
        match self.trouble {
            Trouble::NotFound => "There is nothing here",
            Trouble::Forbidden => "This is not yours to see",
            Trouble::SessionExpired { .. } => "Your session has ended",
            Trouble::StaleForm { .. } => "This form is out of date",
            Trouble::BadRequest { .. } => "That could not be read",
            Trouble::TooMany => "That was too much at once",
            Trouble::Internal { .. } => "Something broke on our side",
            Trouble::Unavailable => "The database does not answer",
            Trouble::SecretGone => "The secret is not here any more",
        }
    }

    fn explanation(&self) -> AnyView {
        match &self.trouble {
            Trouble::NotFound => view! {
                <p>"The address may be mistyped, or what it named was removed."</p>
            }
            .into_any(),
            Trouble::Forbidden => view! {
                <p>"Your role does not let you see or do this. If you need it, ask an administrator of your gateway for a role that does."</p>
            }
            .into_any(),
            Trouble::SessionExpired { .. } => view! {
                <p>"Nothing was changed. Sign in again and repeat the last step."</p>
            }
            .into_any(),
            Trouble::StaleForm { .. } => view! {
                <p>
                    "Nothing was changed. You signed in again since the page was opened, or the form came from another site. "
                    "Open the page afresh and repeat the last step."
                </p>
            }
            .into_any(),
            Trouble::BadRequest { detail } => view! {
                <p>"Nothing was changed."</p>
                <p>{detail.clone()}</p>
            }
            .into_any(),
            Trouble::Internal { request_id } => view! {
                <p>"Try again in a moment. If it stays like this, give your administrator this id; the log has the reason under it:"</p>
                <p><code>{request_id.clone()}</code></p>
            }
            .into_any(),
            Trouble::TooMany => view! { <p>"Nothing was changed. Wait a minute and try again."</p> }.into_any(),
            Trouble::Unavailable => view! {
                <p>"Claude Code keeps working meanwhile, but nothing can be looked up or changed here. Try again in a few seconds."</p>
            }
            .into_any(),
            Trouble::SecretGone => view! {
                <p>
                    "A key's secret is shown once, for a few minutes after it was made. "
                    "If you could not copy it, revoke that key and create another."
                </p>
            }
            .into_any(),
        }
    }

    fn ways_out(&self, context: &PageContext) -> AnyView {
        let (href, label) = match &self.trouble {
            Trouble::SessionExpired { next } => (path::login_then(path::safe_return(next)), "Sign in"),
            Trouble::StaleForm { back } => (path::safe_return(back).to_owned(), "Open the page afresh"),
            Trouble::SecretGone => (path::KEYS.to_owned(), "All keys"),
            _ if context.viewer.is_none() => (path::LOGIN.to_owned(), "Sign in"),
            _ => (path::HOME.to_owned(), "Overview"),
        };
        let keys = (context.viewer.is_some() && !matches!(self.trouble, Trouble::SecretGone))
            .then(|| view! { <a class="button quiet" href=path::KEYS>"Keys"</a> });
        view! {
            <div class="form-actions">
                <a class="button primary" href=href>{label}</a>
                {keys}
            </div>
        }
        .into_any()
    }
}

impl Page for ErrorPage {
    fn title(&self) -> String {
        self.heading().to_owned()
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let class = if context.viewer.is_some() {
            "card narrow trouble"
        } else {
            "card door-card trouble"
        };
        view! {
            <section class=class aria-labelledby="trouble">
                <p class="trouble-code">{format!("Error {}", self.status())}</p>
                <h1 id="trouble">{self.heading()}</h1>
                {self.explanation()}
                {self.ways_out(context)}
            </section>
        }
        .into_any()
    }
}
