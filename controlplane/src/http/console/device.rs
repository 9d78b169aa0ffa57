//! Letting devices in.

use super::form::{Posted, pairs};
use super::visitor::Visitor;
use crate::app::clients::device;
use crate::http::oauth::Origin;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_console::form::Field;
use ccag_console::page::{DevicePage, WaitingDevice};
use ccag_domain::{Code, Problem};

/// Asks for the code; with one in the address, whether the device that shows it is theirs. Nothing is confirmed by opening a page.
pub(super) async fn show(visitor: Visitor, origin: Origin, RawQuery(query): RawQuery) -> Response {
    let pairs = pairs(query.as_deref());
    let code = pairs.iter().find(|(name, _)| name == "user_code");
    let Some(code) = code
        .map(|(_, code)| code.trim().to_owned())
        .filter(|code| !code.is_empty())
    else {
        return visitor.show(StatusCode::OK, &DevicePage::Ask(Field::default()));
    };
    let app = visitor.state().app.clone();
    match device::find(&app, &visitor.session, origin.address, &code).await {
        Ok(waiting) => {
            let user = &visitor.session.user;
            let page = WaitingDevice {
                elsewhere: waiting.device.address.is_some() && waiting.device.address != origin.address,
                code: waiting.user_code,
                program: waiting.surface.name().to_owned(),
                agent: waiting.device.agent,
                address: waiting.device.address.map(|address| address.to_string()),
                since_ms: waiting.since_ms,
                as_whom: user.email.clone().unwrap_or_else(|| user.username.clone()),
            };
            visitor.show(StatusCode::OK, &DevicePage::Confirm(page))
        }
        Err(problem) => again(visitor, problem, &code),
    }
}

/// Takes the decision.
pub(super) async fn decide(origin: Origin, Posted { visitor, form }: Posted) -> Response {
    let code = form.text("user_code");
    let approve = match form.raw("decision") {
        "approve" => true,
        "deny" => false,
        _ => {
            let problem = Problem::new(Code::InvalidRequest, "Choose whether the device is yours.");
            return again(visitor, problem, &code);
        }
    };
    let app = visitor.state().app.clone();
    match device::decide(&app, &visitor.session, origin.address, &code, approve).await {
        Ok(surface) if approve => {
            let program = surface.name().to_owned();
            visitor.show(StatusCode::OK, &DevicePage::LetIn { program })
        }
        Ok(_) => visitor.show(StatusCode::OK, &DevicePage::TurnedDown),
        Err(problem) => again(visitor, problem, &code),
    }
}

/// Asks for the code once more, if that helps.
fn again(visitor: Visitor, problem: Problem, code: &str) -> Response {
    let status = match problem.code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::InvalidRequest => StatusCode::BAD_REQUEST,
        _ => return visitor.refuse(problem),
    };
    let shown: String = code.chars().take(20).collect();
    let field = Field::new(shown).with_error(problem.message);
    visitor.show(status, &DevicePage::Ask(field))
}
