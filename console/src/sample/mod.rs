//! Every page with made-up content: what tests render and what one looks at while designing.
//!
//! Names among the content try to break out of the markup; a page on which they do anything but stand there is wrong.

mod access;
mod analytics;
mod budgets;
mod capabilities;
mod identity;
mod limits;
mod notifications;
mod operations;
mod people;
mod requests;
mod sessions;
mod usage;

use crate::form::Field;
use crate::page::{DevicePage, ErrorPage, LoginPage, LoginTrouble, Trouble, WaitingDevice};
use crate::{Flash, Page, PageContext, Theme, Tone, Viewer, path};
use ccag_domain::{Role, UnixMs};

/// The time at which samples play: 24 Nov 2026, 09:05:05 UTC.
pub const NOW_MS: UnixMs = 1_795_511_105_000;

/// A name that somebody made who means ill.
pub const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&</title><script>";

/// A page to look at.
pub struct Sample {
    /// Unique, and fit for a file name.
    pub name: &'static str,
    /// Who looks at it.
    pub context: PageContext,
    /// The page.
    pub page: Box<dyn Page>,
}

fn context(role: Role, here: &str) -> PageContext {
    PageContext {
        now_ms: NOW_MS,
        theme: Theme::System,
        csrf: "csrf-token-of-the-sample".to_owned(),
        viewer: Some(Viewer {
            name: if role == Role::Admin { "admin" } else { "mira" }.to_owned(),
            role,
            has_team: true,
        }),
        flash: Vec::new(),
        here: here.to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn signed_out() -> PageContext {
    PageContext {
        viewer: None,
        here: path::LOGIN.to_owned(),
        ..context(Role::Admin, "")
    }
}

fn with_flash(mut context: PageContext, tone: Tone, message: &str) -> PageContext {
    context.flash.push(Flash {
        tone,
        message: message.to_owned(),
    });
    context
}

fn sample(name: &'static str, context: PageContext, page: impl Page + 'static) -> Sample {
    Sample {
        name,
        context,
        page: Box::new(page),
    }
}

/// Every page in every state that looks different.
#[must_use]
pub fn all() -> Vec<Sample> {
    let mut samples = doors();
    samples.extend(usage::samples());
    samples.extend(analytics::samples());
    samples.extend(access::samples());
    samples.extend(budgets::samples());
    samples.extend(limits::samples());
    samples.extend(sessions::samples());
    samples.extend(capabilities::samples());
    samples.extend(access::web_search());
    samples.extend(operations::samples());
    samples.extend(identity::samples());
    samples.extend(notifications::samples());
    samples.extend(people::samples());
    samples.extend(requests::samples());
    samples.extend(errors());
    samples
}

fn doors() -> Vec<Sample> {
    let login = |trouble, username: &str| LoginPage {
        username: username.to_owned(),
        next: "/console/keys?q=a".to_owned(),
        trouble,
        ..LoginPage::default()
    };
    let providers = vec![
        ("idp_1".to_owned(), "Okta".to_owned()),
        ("idp_2".to_owned(), HOSTILE.to_owned()),
    ];
    vec![
        sample("login", signed_out(), LoginPage::default()),
        sample(
            "login-refused",
            signed_out(),
            login(Some(LoginTrouble::Refused), HOSTILE),
        ),
        sample(
            "login-too-many",
            signed_out(),
            login(
                Some(LoginTrouble::TooMany {
                    retry_after_ms: 42_000,
                }),
                "admin",
            ),
        ),
        sample(
            "login-suspended",
            signed_out(),
            login(Some(LoginTrouble::Suspended), "mira"),
        ),
        sample(
            "login-providers",
            signed_out(),
            LoginPage {
                providers: providers.clone(),
                ..LoginPage::default()
            },
        ),
        sample(
            "login-providers-only",
            signed_out(),
            LoginPage {
                providers,
                no_passwords: true,
                ..login(
                    Some(LoginTrouble::Provider("Okta did not let you in: no.".to_owned())),
                    "",
                )
            },
        ),
        sample(
            "device-ask",
            context(Role::Member, path::DEVICE),
            DevicePage::Ask(Field::new("ABCD").with_error("No device is waiting with this code.")),
        ),
        sample(
            "device-confirm",
            context(Role::Member, path::DEVICE),
            DevicePage::Confirm(WaitingDevice {
                code: "WDJB-MJHT".to_owned(),
                program: "Claude Code".to_owned(),
                agent: Some("claude-code/2.1.332".to_owned()),
                address: Some("203.0.113.9".to_owned()),
                elsewhere: true,
                since_ms: NOW_MS - 40_000,
                as_whom: "mira@example.com".to_owned(),
            }),
        ),
        sample(
            "device-let-in",
            context(Role::Member, path::DEVICE),
            DevicePage::LetIn {
                program: "Claude Code".to_owned(),
            },
        ),
        sample(
            "device-turned-down",
            context(Role::Member, path::DEVICE),
            DevicePage::TurnedDown,
        ),
        sample("login-stale", signed_out(), login(Some(LoginTrouble::Stale), "")),
        sample(
            "login-signed-out",
            signed_out(),
            login(Some(LoginTrouble::SignedOut), ""),
        ),
    ]
}

fn errors() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::KEYS);
    let page = ErrorPage::new;
    vec![
        sample("error-404", admin(), page(Trouble::NotFound)),
        sample("error-404-signed-out", signed_out(), page(Trouble::NotFound)),
        sample(
            "error-403",
            context(Role::Member, path::USERS),
            page(Trouble::Forbidden),
        ),
        sample(
            "error-session",
            signed_out(),
            page(Trouble::SessionExpired {
                next: path::NEW_KEY.to_owned(),
            }),
        ),
        sample(
            "error-stale-form",
            admin(),
            page(Trouble::StaleForm {
                back: "https://evil.example/".to_owned(),
            }),
        ),
        sample(
            "error-400",
            admin(),
            page(Trouble::BadRequest {
                detail: HOSTILE.to_owned(),
            }),
        ),
        sample(
            "error-500",
            admin(),
            page(Trouble::Internal {
                request_id: "req_01KAV4M3C8TB7R6QF2J5XW9D0E".to_owned(),
            }),
        ),
        sample("error-429", admin(), page(Trouble::TooMany)),
        sample("error-503", signed_out(), page(Trouble::Unavailable)),
        sample("error-secret-gone", admin(), page(Trouble::SecretGone)),
    ]
}
