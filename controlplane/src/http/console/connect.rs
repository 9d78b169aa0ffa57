//! How to connect Claude Code.

use super::form::{Posted, again};
use super::keys::find;
use super::visitor::Visitor;
use crate::app::setup;
use axum::extract::Path;
use axum::response::Response;
use ccag_admin_api::{ConnectMode, CreateSetupToken, SetupSettings};
use ccag_console::form::Field;
use ccag_console::page::{ConnectPage, SetupCommandPage, SetupForm};
use ccag_console::{Tone, path};
use ccag_domain::{Area, Code, Permission, Problem};

pub(super) async fn show(visitor: Visitor) -> Response {
    let page = gather(&visitor).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor) -> Result<ConnectPage, Problem> {
    let (mode, settings) = setup::in_force(&visitor.state().app).await?;
    let sees = visitor.actor().may_all(Permission::Read(Area::SignOn));
    Ok(ConnectPage {
        base_url: visitor.base_url(),
        mode: mode.as_str().to_owned(),
        form: sees.then(|| SetupForm {
            mode: Field::new(settings.mode.map_or("", ConnectMode::as_str)),
            one_hour_cache: settings.one_hour_cache,
            model_discovery: settings.model_discovery,
        }),
        trouble: None,
    })
}

pub(super) async fn set(Posted { visitor, form }: Posted) -> Response {
    let mode = form.text("mode");
    let known = ConnectMode::parse(&mode);
    let request = SetupSettings {
        mode: known,
        one_hour_cache: form.ticked("one_hour_cache"),
        model_discovery: form.ticked("model_discovery"),
    };
    let problem = if known.is_none() && !mode.is_empty() {
        let unknown = Problem::new(Code::InvalidRequest, "Choose one of the offered ways.");
        unknown.field("mode")
    } else {
        match setup::set(&visitor.state().app, &visitor.actor(), request).await {
            Ok(_) => {
                let saved =
                    "Saved. The script does so from now on; machines that are set up stay as they are.";
                return visitor.go_saying(path::CONNECT, Tone::Good, saved);
            }
            Err(problem) => problem,
        }
    };
    match gather(&visitor).await {
        Ok(page) => again(visitor, page, Some(problem)),
        Err(problem) => visitor.refuse(problem),
    }
}

/// Makes a setup command for a key. It is shown with this answer alone.
pub(super) async fn command(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    let page = make(&visitor, &id).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, id: &str) -> Result<SetupCommandPage, Problem> {
    let (id, _, key) = find(visitor, id).await?;
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let made = setup::issue(app, &actor, &id, CreateSetupToken::default()).await?;
    Ok(SetupCommandPage {
        key,
        base_url: visitor.base_url(),
        token: made.token.reveal().to_owned(),
        expires_at_ms: made.expires_at.ms(),
    })
}
